"""The book's figures: contrast, a second cue beside color, labels that do not overlap, the same bytes each time."""

import sys

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_rgb

from regbook import experiment, plotting


@pytest.fixture(autouse=True)
def book_style():
    with plt.rc_context():
        plotting.use_style()
        yield
    plt.close("all")


@pytest.fixture
def ax():
    return plt.subplots()[1]


def contrast_on_white(color):
    """Return the contrast of a color on white, by the definition of WCAG 2."""
    parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)]
    return 1.05 / (np.dot([0.2126, 0.7152, 0.0722], parts) + 0.05)


def test_the_measure_of_contrast():
    assert contrast_on_white("black") == pytest.approx(21)
    assert contrast_on_white("#767676") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize(
    "color", sorted({look[0] for look in plotting.ROLES.values()} | {*plotting.CYCLE, plotting.INK, plotting.MUTED})
)
def test_text_in_every_color_can_be_read(color):
    assert contrast_on_white(color) >= 4.5


@pytest.mark.parametrize(
    "together",
    [
        ("l1", "l2", "elastic net", "none", "truth"),
        ("train", "held-out"),
        ("numpy", "torch", "keras"),
        ("coupled", "decoupled"),
        ("bias", "variance", "total"),
    ],
)
def test_roles_that_meet_in_a_figure_differ_in_color_and_in_marker_or_dashes(together):
    looks = [plotting.ROLES[role] for role in together]
    assert len({color for color, _, _ in looks}) == len(looks)
    assert len({(dashes, marker) for _, dashes, marker in looks}) == len(looks)
    assert len({marker for _, _, marker in looks}) == len(looks)


def test_color_and_style_of_a_role():
    assert plotting.color("l1") == "#b34700"
    assert plotting.style("l2") == {"color": "#0067a3", "linestyle": "--"}
    assert plotting.style("l2", marker=True) == {"color": "#0067a3", "linestyle": "--", "marker": "s"}


@pytest.mark.parametrize("ask", [plotting.color, plotting.style])
def test_an_unknown_role_is_refused(ask):
    with pytest.raises(ValueError, match=r"^role must be one of 'l1', .*; got 'L3'$"):
        ask("L3")


def test_figures_are_white_and_reproducible(ax):
    assert ax.figure.get_facecolor() == (1, 1, 1, 1)

    def draw():
        figure, axes = plt.subplots()
        axes.plot([0, 1], [1, 0], marker="o")
        return plotting.svg(figure)

    first = draw()
    assert first == draw()
    assert "date" not in first
    assert "Matplotlib" not in first


def test_svg_keeps_text_or_draws_it_and_closes_the_figure(ax):
    ax.set_title("Weights")
    other = plt.subplots()
    other[1].set_title("Weights")
    assert ">Weights</text>" in plotting.svg(ax.figure)
    assert ">Weights</text>" not in plotting.svg(other[0], text=False)
    assert not plt.get_fignums()


def test_use_style_outside_of_ipython_and_inside(monkeypatch):
    import IPython
    from matplotlib_inline import backend_inline

    asked, shells = [], []
    monkeypatch.setattr(plotting.missing, "skip_cells", shells.append)
    monkeypatch.setattr(backend_inline, "set_matplotlib_formats", lambda *a, **k: asked.append((a, k)))
    plotting.use_style()
    assert not asked
    monkeypatch.setattr(IPython, "get_ipython", lambda: "the shell")
    plotting.use_style()
    assert asked == [(("svg",), {"metadata": {"Date": None}, "bbox_inches": None})]
    assert shells == ["the shell"]
    monkeypatch.setitem(sys.modules, "matplotlib_inline.backend_inline", None)
    plotting.use_style()
    assert plt.rcParams["svg.hashsalt"] == "reglib"


def test_labels_stand_at_the_ends_of_their_lines(ax):
    ax.plot([0, 1, 2], [0, 0, 4], label="up", color="#b34700")
    ax.plot([0, 1, np.nan], [0, 1, 9], label="short")
    ax.plot([0, 1], [3, 3], label="_hidden")
    ax.set(xlim=(0, 2), ylim=(0, 4))
    assert plotting.label_lines(ax, names={"short": "brief"}) is ax
    up, short = ax.texts
    assert (up.get_text(), short.get_text()) == ("up", "brief")
    assert up.xy == pytest.approx((1.01, 1.0))
    assert short.xy == pytest.approx((1.01, 0.25))
    assert up.get_color() == "#b34700"


def test_on_a_reversed_axis_labels_follow_the_right_end(ax):
    ax.plot([0, 1], [4, 1], label="falls")
    ax.set(xlim=(1, 0), ylim=(0, 4))
    plotting.label_lines(ax)
    assert ax.texts[0].xy[1] == pytest.approx(1.0)


def test_labels_keep_to_their_lines_when_nobody_has_set_the_limits(ax):
    """Limits that follow the data are settled late; before, each of these ends would lie above the axes."""
    for height in (20.0, 15.0, 30.0):
        ax.plot([-30, 30], [-height, height], label=str(height))
    plotting.label_lines(ax)
    ax.figure.canvas.draw()
    ends = [
        ax.transAxes.inverted().transform(ax.transData.transform((30, float(text.get_text()))))[1] for text in ax.texts
    ]
    assert [text.xy[1] for text in ax.texts] == pytest.approx(ends)


def test_without_named_lines_nothing_is_written(ax):
    ax.plot([0, 1], [0, 1])
    assert plotting.label_lines(ax) is ax
    assert not ax.texts


@pytest.mark.parametrize(
    ("heights", "expected"),
    [
        ([0.2, 0.8], [0.2, 0.8]),
        ([0.8, 0.2], [0.8, 0.2]),
        ([0.5, 0.5], [0.45, 0.55]),
        ([0.5, 0.5, 0.5], [0.4, 0.5, 0.6]),
        ([1.0, 1.0], [0.9, 1.0]),
        ([0.52, 0.48, 0.9], [0.55, 0.45, 0.9]),
        ([1.0, 0.2, 1.0], [0.9, 0.2, 1.0]),
        ([0.0, 0.0, 0.7], [0.0, 0.1, 0.7]),
    ],
)
def test_labels_are_moved_apart_as_little_as_needed(heights, expected):
    assert plotting._spread(heights, 0.1) == pytest.approx(expected)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9), st.floats(0.01, 0.125))
def test_spread_labels_keep_their_order_their_distance_and_the_axes(heights, gap):
    moved = np.array(plotting._spread(heights, gap))
    order = np.argsort(heights, kind="stable")
    assert np.all(np.diff(moved[order]) >= gap - 1e-9)
    assert moved.min() >= 0
    assert moved.max() <= 1 + 1e-9
    np.testing.assert_allclose(plotting._spread(moved, gap), moved, atol=1e-9)  # nothing is left to move
    # No farther from where they were than any other arrangement: here, one that stacks them from an end.
    stack = gap * np.argsort(order)
    for other in (stack, 1 - stack.max() + stack):
        assert np.sum((moved - heights) ** 2) <= np.sum((other - heights) ** 2) + 1e-9


def test_too_many_labels_keep_their_distance_and_leave_by_the_bottom():
    assert plotting._spread([0.5, 0.9, 0.1], 0.6) == pytest.approx([0.4, 1.0, -0.2])


@pytest.mark.parametrize("size", [(6, 3.5), (5.5, 2.2)])
def test_labels_do_not_overlap_even_in_low_axes(size):
    figure, ax = plt.subplots(figsize=size)
    for height in (0.0, 0.02, 0.01, 3.0):
        ax.plot([0, 1], [1, height], label=f"gap {height}")
    plotting.label_lines(ax)
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in ax.texts]
    assert [box.y0 for box in (boxes[0], boxes[2], boxes[1], boxes[3])] == sorted(box.y0 for box in boxes)
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:i])
        assert box.x0 > ax.bbox.x1
        assert box.x1 <= figure.bbox.x1


def test_a_band_covers_the_interval(ax):
    assert plotting.band(ax, [0, 1], [1, 2], [3, 5], "l1") is ax
    points = ax.collections[0].get_paths()[0].vertices
    assert {tuple(point) for point in points} >= {(0, 1), (1, 2), (0, 3), (1, 5)}


def test_coefficient_paths(ax):
    strengths = np.array([0.01, 0.1, 1.0])
    coefs = np.array([[3.0, -2.0], [2.0, -1.0], [0.0, 0.0]])
    assert plotting.coefficient_path(ax, strengths, coefs) is ax
    first, second = ax.get_lines()[:2]
    np.testing.assert_array_equal(first.get_ydata(), coefs[:, 0])
    np.testing.assert_array_equal(second.get_ydata(), coefs[:, 1])
    assert ax.get_xscale() == "log"
    assert ax.get_xlim() == (1.0, 0.01)
    assert [text.get_text() for text in ax.texts] == ["w1", "w2"]
    assert ax.texts[0].xy[1] > ax.texts[1].xy[1]
    assert first.get_color() != second.get_color()
    assert first.get_linestyle() != second.get_linestyle()


def test_ten_coefficients_all_differ_in_color_and_in_dashes(ax):
    plotting.coefficient_path(ax, [1.0, 2.0], np.ones((2, 10)))
    lines = ax.get_lines()[:10]
    assert len({line.get_color() for line in lines}) == 10
    assert len({str(line._unscaled_dash_pattern) for line in lines}) == 10


def test_paths_outside_of_the_highlight_are_gray(ax):
    plotting.coefficient_path(ax, [1.0, 2.0], np.ones((2, 2)), ["bmi", "age"], highlight={"bmi"})
    bmi, age = ax.get_lines()[:2]
    assert bmi.get_color() == plotting.CYCLE[0]
    assert age.get_color() == "#767676"
    assert age.get_linewidth() < bmi.get_linewidth()


@pytest.mark.parametrize("order", [1, 2, 0.5, 4])
def test_the_border_of_a_ball_has_the_radius_in_its_norm(ax, order):
    assert plotting.ball(ax, order, 1.5, "l1") is ax
    x, y = ax.get_lines()[0].get_data()
    np.testing.assert_allclose((np.abs(x) ** order + np.abs(y) ** order) ** (1 / order), 1.5)
    assert (x[0], y[0]) == (x[-1], y[-1])
    assert max(x) == pytest.approx(1.5)
    assert min(y) == pytest.approx(-1.5)


def test_contours_of_a_loss(ax):
    assert plotting.contours(ax, lambda a, b: a**2 + 4 * b**2, limit=(-1, 2), levels=[1.0]) is ax
    points = ax.collections[0].get_paths()[0].vertices
    np.testing.assert_allclose(points[:, 0] ** 2 + 4 * points[:, 1] ** 2, 1.0, atol=0.01)
    assert ax.get_xlim() == ax.get_ylim() == (-1, 2)
    plotting.contours(ax, lambda a, b: a + b, limit=3.0)
    assert ax.get_xlim() == (-3, 3)


def test_differences_are_points_with_intervals_around_zero():
    axis = plt.subplots()[1]
    rows = {"first": np.array([1.0, 2.0, 3.0]), "second": np.array([-1.0, 0.0, 1.0])}
    assert plotting.differences(axis, rows, roles=("l1", "l2"), notes=("up", "open")) is axis
    for height, (container, values) in enumerate(zip(axis.containers, rows.values(), strict=True)):
        point, _, (bar,) = container.lines
        found = experiment.mean_interval(values)
        assert (point.get_xdata()[0], point.get_ydata()[0]) == (found.mean, height)
        np.testing.assert_allclose(bar.get_segments()[0][:, 0], (found.low, found.high))
    assert [container.lines[0].get_color() for container in axis.containers] == [
        plotting.color("l1"),
        plotting.color("l2"),
    ]
    assert [text.get_text() for text in axis.get_yticklabels()] == ["first", "second"]
    assert [text.get_text() for text in axis.texts] == ["up", "open"]
    assert axis.get_ylim() == (1.5, -0.5)  # the first on top
    assert axis.lines[-1].get_xdata() == [0, 0]
    pairs = plotting.differences(plt.subplots()[1], list(rows.items()))
    assert {container.lines[0].get_color() for container in pairs.containers} == {plotting.color("held-out")}
    with pytest.raises(ValueError, match="zip"):
        plotting.differences(axis, rows, roles=("l1",))
    plt.close("all")
