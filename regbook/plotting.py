"""One style for every figure of the book: colors by role, a second cue beside color, labels on the lines.

The colors are those of Okabe and Ito (2008), darkened where needed so that text
in them has a contrast of at least 4.5 to 1 on white.
"""

import io

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.rcsetup import cycler

from regbook import missing
from regbook.experiment import mean_interval
from reglib._validate import one_of

INK = "#1a1a1a"
MUTED = "#5c5c5c"
# Role: color, dashes, marker. Never color alone.
ROLES = {
    "l1": ("#b34700", "-", "o"),
    "l2": ("#0067a3", "--", "s"),
    "elastic net": ("#00735a", "-.", "^"),
    "none": ("#5c5c5c", ":", "D"),
    "truth": ("#1a1a1a", ":", "*"),
    "data": ("#1a1a1a", "-", "o"),
    "train": ("#0067a3", "--", "s"),
    "held-out": ("#b34700", "-", "o"),
    "dropout": ("#0067a3", "-", "o"),
    "gaussian": ("#b34700", "--", "s"),
    "alpha": ("#00735a", "-.", "^"),
    "channel": ("#8f3b76", "--", "s"),
    "numpy": ("#0067a3", "-", "o"),
    "torch": ("#b34700", "--", "s"),
    "keras": ("#00735a", ":", "^"),
    "coupled": ("#b34700", "--", "s"),
    "decoupled": ("#0067a3", "-", "o"),
    "bias": ("#b34700", "--", "s"),
    "variance": ("#0067a3", "-.", "^"),
    "total": ("#1a1a1a", "-", "o"),
}
# Each has a contrast of at least 4.5 to 1 on white.
CYCLE = ("#0067a3", "#b34700", "#00735a", "#8f3b76", "#7a5c00", "#1a1a1a", "#26788f", "#a32020", "#5b5fc7", "#5c5c5c")
# As many dashes as colors, so that ten lines in one figure all differ in both.
DASHES = (
    "-",
    "--",
    "-.",
    ":",
    (0, (8, 2)),
    (0, (1, 1)),
    (0, (6, 2, 1, 2, 1, 2)),
    (0, (3, 1)),
    (0, (10, 2, 3, 2)),
    (0, (4, 4)),
)
STYLE: dict = {
    "axes.edgecolor": MUTED,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.prop_cycle": cycler(color=CYCLE),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": "medium",
    "figure.constrained_layout.use": True,
    "figure.facecolor": "white",
    "figure.figsize": (6.0, 3.5),
    "font.size": 12,
    "grid.color": "#e3e3e3",
    "legend.frameon": False,
    "lines.linewidth": 2.0,
    "lines.markersize": 5,
    "savefig.facecolor": "white",
    "svg.hashsalt": "reglib",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


def use_style():
    """Set the book's style for all figures that follow; inside IPython, show them as SVG.

    There, too, a cell that needs a package which is not installed says so in one line (`regbook.missing`).
    """
    plt.rcParams.update(STYLE)
    try:
        from IPython import get_ipython
        from matplotlib_inline.backend_inline import set_matplotlib_formats
    except ImportError:
        return
    shell = get_ipython()
    if shell is not None:
        set_matplotlib_formats("svg", metadata={"Date": None}, bbox_inches=None)
        missing.skip_cells(shell)


def color(role):
    """Return the color of a role, such as "l1", "train" or "torch".

    Parameters
    ----------
    role : str, one of ``ROLES``
    """
    return ROLES[one_of("role", role, tuple(ROLES))][0]


def style(role, *, marker=False):
    """Return keyword arguments for ``Axes.plot`` that draw a role: its color, its dashes and, if wanted, its marker.

    Parameters
    ----------
    role : str, one of ``ROLES``
    marker : bool

    Examples
    --------
    >>> style("l2", marker=True)
    {'color': '#0067a3', 'linestyle': '--', 'marker': 's'}
    """
    name, dashes, symbol = ROLES[one_of("role", role, tuple(ROLES))]
    return {"color": name, "linestyle": dashes} | ({"marker": symbol} if marker else {})


def band(ax, x, low, high, role):
    """Draw an interval as a pale band in a role's color; return ``ax``.

    Parameters
    ----------
    ax : Axes
    x, low, high : arrays of shape (K,)
    role : str, one of ``ROLES``
    """
    ax.fill_between(x, low, high, color=color(role), alpha=0.18, linewidth=0)
    return ax


def curve(ax, x, values, role, label=None, *, marker=False):
    """Draw the mean of several seeds as a line in a role's style, with its 95% interval as a band; return ``ax``.

    Parameters
    ----------
    ax : Axes
    x : array of shape (K,)
    values : array of shape (S, K)
        One row a seed.
    role : str, one of ``ROLES``
    label : str, optional
    marker : bool
    """
    estimate = mean_interval(values)
    ax.plot(x, estimate.mean, label=label, **style(role, marker=marker))
    return band(ax, x, estimate.low, estimate.high, role)


def differences(ax, rows, role="held-out", *, roles=None, notes=None):
    """Draw paired differences, a row each: the mean with its 95% interval, and a line at zero; return ``ax``.

    Parameters
    ----------
    ax : Axes
    rows : sequence of pairs, or dict
        A label and the differences of one comparison, (S,), one a seed; the first is drawn on top.
    role : str, one of ``ROLES``
    roles : sequence of str, optional
        One role a row in place of ``role``.
    notes : sequence of str, optional
        What stands behind each row, at the right.
    """
    rows = list(rows.items() if isinstance(rows, dict) else rows)
    roles = [role] * len(rows) if roles is None else list(roles)
    for height, ((_, values), own) in enumerate(zip(rows, roles, strict=True)):
        found = mean_interval(values)
        look = style(own, marker=True) | {"linestyle": "none", "capsize": 3}
        ax.errorbar(found.mean, height, xerr=found.high - found.mean, **look)
    for height, note in enumerate(notes or ()):
        ax.annotate(note, (1.02, height), xycoords=("axes fraction", "data"), va="center", fontsize=11)
    ax.axvline(0, color=INK, linewidth=0.8)
    ax.set_yticks(range(len(rows)), [label for label, _ in rows])
    ax.set_ylim(len(rows) - 0.5, -0.5)
    return ax


def coefficient_path(ax, strengths, coefs, names=None, *, highlight=None, xlabel="strength of the penalty"):
    """Draw each coefficient against the strength on a logarithmic axis, named at its weak end; return ``ax``.

    The strength grows from right to left, so that coefficients enter as you read. Ten lines differ in color and
    in dashes; those not in ``highlight`` are gray and thin.

    Parameters
    ----------
    ax : Axes
    strengths : array of shape (K,), positive
    coefs : array of shape (K, D)
    names : sequence of D str
        By default w1, w2, ...
    highlight : collection of names
        By default all are drawn in color.
    xlabel : str
    """
    coefs = np.asarray(coefs)
    names = [f"w{j + 1}" for j in range(coefs.shape[1])] if names is None else list(names)
    for j, name in enumerate(names):
        faded = highlight is not None and name not in highlight
        look = {"color": "#767676", "linewidth": 0.8} if faded else {"color": CYCLE[j % len(CYCLE)]}
        ax.plot(strengths, coefs[:, j], linestyle=DASHES[j % len(DASHES)], label=name, **look)
    ax.axhline(0, color=MUTED, linewidth=0.8)
    ax.set(xscale="log", xlim=(np.max(strengths), np.min(strengths)), xlabel=xlabel, ylabel="coefficient")
    return label_lines(ax)


def ball(ax, order, radius, role):
    """Draw the border of the unit ball of a norm, times ``radius``, filled palely; return ``ax``.

    It holds the points with ``|w1|**order + |w2|**order <= radius**order``: a diamond for 1, a disk for 2.

    Parameters
    ----------
    ax : Axes
    order : number > 0
    radius : number >= 0
    role : str, one of ``ROLES``
    """
    angle = np.linspace(0, 2 * np.pi, 4 if order == 1 else 96, endpoint=False)
    x, y = np.cos(angle), np.sin(angle)
    x, y = (np.sign(part) * np.abs(part) ** (2 / order) * radius for part in (x, y))
    look = style(role)
    ax.fill(x, y, facecolor=look["color"], alpha=0.15, linewidth=0)
    ax.plot([*x, x[0]], [*y, y[0]], label="_ball", **look)
    return ax


def contours(ax, loss, *, limit=2.0, levels=8, points=60):
    """Draw a loss of two weights as gray contours in a square, with axes through the origin; return ``ax``.

    Parameters
    ----------
    ax : Axes
    loss : callable
        Takes two arrays of one shape, w1 and w2, and returns the loss in that shape.
    limit : number or pair of numbers
        The square's sides run from -limit to limit, or from the first number to the second.
    levels : int or array
    points : int
        Grid points along each side.
    """
    low, high = np.array(limit) if np.ndim(limit) else (-limit, limit)
    w1, w2 = np.meshgrid(np.linspace(low, high, points), np.linspace(low, high, points))
    ax.contour(w1, w2, loss(w1, w2), levels=levels, colors="#8c8c8c", linewidths=0.9)
    ax.axhline(0, color=INK, linewidth=0.8)
    ax.axvline(0, color=INK, linewidth=0.8)
    ax.grid(False)
    ax.set(xlim=(low, high), ylim=(low, high), aspect="equal", xlabel="$w_1$", ylabel="$w_2$")
    return ax


def label_lines(ax, *, names=None, gap=0.06, pad=0.01):
    """Write each line's label at its right end, moved apart where they would overlap; return ``ax``.

    Call it last: what changes the limits of the axes afterwards leaves the labels where they are.

    Parameters
    ----------
    ax : Axes
        Its lines with a label that does not begin with an underscore are named.
    names : dict of str to str
        Replaces labels.
    gap : float
        Least distance between two labels, as a share of the height of the axes; more where the letters need it.
    pad : float
        Distance from the right edge of the axes, as a share of its width.
    """
    lines = [line for line in ax.get_lines() if not line.get_label().startswith("_") and len(line.get_xdata())]
    if not lines:
        return ax
    _ = ax.get_xlim(), ax.get_ylim()  # settles the limits; transData alone would use those from before the lines
    to_axes = ax.transData + ax.transAxes.inverted()
    heights = []
    for line in lines:
        x, y = np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)
        ends = to_axes.transform(np.column_stack([x, y])[np.isfinite(x) & np.isfinite(y)])
        heights.append(float(np.clip(ends[np.argmax(ends[:, 0]), 1], 0, 1)) if len(ends) else 0.5)
    letters = 1.05 * plt.rcParams["font.size"] * ax.figure.dpi / 72 / ax.get_window_extent().height
    for line, height in zip(lines, _spread(heights, max(gap, letters)), strict=True):
        text = (names or {}).get(line.get_label(), line.get_label())
        place = {"xycoords": "axes fraction", "va": "center", "annotation_clip": False}
        ax.annotate(text, (1 + pad, height), color=line.get_color(), **place)
    return ax


def _spread(heights, gap):
    """Return heights in [0, 1], moved as little as needed to lie at least ``gap`` apart, order kept.

    Where they do not all fit, the highest stays at 1 and the lowest lie below 0.
    """
    order = np.argsort(heights, kind="stable")
    steps = gap * np.arange(len(heights))
    # The closest non-decreasing sequence (pool adjacent violators), cut off at the ends; then the gaps put back.
    blocks = []
    for value in np.array(heights, float)[order] - steps:
        blocks.append([value, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            value, count = blocks.pop()
            total = blocks[-1][1] + count
            blocks[-1] = [(blocks[-1][0] * blocks[-1][1] + value * count) / total, total]
    values, counts = zip(*blocks, strict=True)
    level = np.repeat(values, counts)
    moved = np.empty(len(heights))
    moved[order] = np.minimum(np.maximum(level, 0.0), 1.0 - steps[-1]) + steps
    return moved.tolist()


def svg(figure, *, text=True):
    """Return a figure as SVG, the same bytes each time, and close it.

    Parameters
    ----------
    figure : matplotlib Figure
    text : bool
        True keeps text as text (small, read by screen readers); False draws it as paths.
    """
    buffer = io.StringIO()
    with plt.rc_context({"svg.fonttype": "none" if text else "path", "svg.hashsalt": "reglib"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    plt.close(figure)
    return buffer.getvalue()
