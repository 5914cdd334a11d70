"""Sliders: every frame can be rebuilt from the first, the page stays valid, and bad input is refused."""

import copy
import json
import re
import xml.etree.ElementTree as ElementTree

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

from regbook import plotting, slider
from regbook.slider import Slider, changes_between

XLINK = "{http://www.w3.org/1999/xlink}"


def moving(value):
    """Draw a line that turns, a point, a title with the value, and a bar that comes and goes."""
    figure, ax = plt.subplots(figsize=(4, 3))
    ax.plot([0, 1, 2], [0, value, 1], "o-")
    ax.set(xlim=(0, 2), ylim=(-1, 3), xticks=[1], yticks=[0], title=f"at {value} & <more>")
    if value > 1:
        ax.axvline(value, color="black")
    return figure


def make(draw=moving, values=(0.5, 1.0, 1.5), **options):
    texts = {"label": "Strength", "caption": "It turns.", "describe": lambda value: f"The line passes {value}."}
    return Slider(draw, values, **(texts | options))


def svg(text):
    return ElementTree.fromstring(f'<svg xmlns="{slider.SVG}" xmlns:xlink="{slider.XLINK}">{text}</svg>')


def canonical(root):
    """Return a tree as text, its attributes in a fixed order."""
    return ElementTree.canonicalize(slider._dump(root))


def rebuild(frames, start, k):
    """Do in Python what the page's script does: apply the changes of frame ``k`` to frame ``start``."""
    root = copy.deepcopy(frames[start])
    nodes = list(root.iter())
    for change in changes_between(frames, start):
        node, value = nodes[change["node"]], change["values"][change["frames"][k]]
        what = change["what"].replace("xlink:", XLINK)
        if what == "*":
            inside = svg(value)
            node.text, node[:] = inside.text, list(inside)
        elif what == "#":
            node.text = value or None
        elif value is None:
            node.attrib.pop(what, None)
        else:
            node.set(what, value)
    return canonical(root)


@pytest.mark.parametrize("start", [0, 2])
def test_changes_rebuild_every_frame(start):
    frames = make(start=start).frames
    whole = [canonical(frame) for frame in frames]
    assert len(set(whole)) == 3
    assert [rebuild(frames, start, k) for k in range(3)] == whole


@pytest.mark.parametrize(
    "texts",
    [
        ('<g a="1"/>', '<g a="2"/>', "<g/>"),
        ('<text x="1">a</text><g/>', "<text>b</text><g/>", "<text/><g/>"),
        ('<g><path/><path/></g><g b="1"/>', '<g><path/></g><g b="2"/>', '<g/><g b="3"/>'),
        ("<text>plain &lt;</text>", "<text><tspan>raised</tspan></text>", "<text>&amp;</text>"),
        ('<use xlink:href="#a"/>', '<use xlink:href="#b"/>', '<use xlink:href="#a" x="1"/>'),
        ('<g a="1"><path/></g><g a="1"/>', '<g a="2"><use/></g><g a="2"/>', '<g a="1"><g><g/></g></g><g a="1"/>'),
    ],
)
@pytest.mark.parametrize("start", [0, 1, 2])
def test_changes_rebuild_small_drawings(texts, start):
    frames = [svg(text) for text in texts]
    whole = [canonical(frame) for frame in frames]
    assert [rebuild(frames, start, k) for k in range(3)] == whole


def test_changes_name_node_attribute_and_distinct_values_only():
    frames = [svg(f'<g a="1"/><path d="{d}" s="{s}"/>') for d, s in (("M1", "x"), ("M2", "x"), ("M1", "x"))]
    assert changes_between(frames) == [{"node": 2, "what": "d", "values": ["M1", "M2"], "frames": [0, 1, 0]}]


def test_changes_address_nodes_of_the_start_frame():
    frames = [svg('<g/><path d="1"/>'), svg('<g><g/><g/></g><path d="2"/>')]
    assert [(change["node"], change["what"]) for change in changes_between(frames, 0)] == [(1, "*"), (2, "d")]
    assert changes_between(frames) == changes_between(frames, 0)
    assert [(change["node"], change["what"]) for change in changes_between(frames, 1)] == [(1, "*"), (4, "d")]


def test_the_html_whole():
    made = make(start=1, unit="dB")
    key = made.id
    assert re.fullmatch(r"slider-[0-9a-f]{10}", key)
    frame = slider._dump(made.frames[1])
    data = {"changes": changes_between(made.frames, 1), "texts": made.texts, "names": ["0.5 dB", "1 dB", "1.5 dB"]}
    script = slider.SCRIPT.replace("ID", key).replace(
        "DATA", json.dumps(data, separators=(",", ":")).replace("</", "<\\/")
    )
    style = slider.STYLE.replace("ID", key).replace("SIZE", "384")  # 4 inches are 288 points are 384 pixels
    assert made.html == (
        f'<figure id="{key}" class="reglib-slider"><style>{style}</style><div class="slider-drawing">{frame}</div>'
        f'<div class="slider-control"><label for="{key}-input">Strength</label>'
        f'<input type="range" id="{key}-input" min="0" max="2" step="1" value="1" aria-valuetext="1 dB" '
        'autocomplete="off"><span class="slider-value" aria-hidden="true">1 dB</span></div>'
        f'<output id="{key}-text" for="{key}-input" aria-live="polite">The line passes 1.0.</output>'
        "<noscript>The slider needs JavaScript; you see one of its frames.</noscript>"
        f'<script>{script}</script><figcaption id="{key}-caption">It turns.</figcaption></figure>'
    )
    assert f'role="img" aria-labelledby="{key}-caption" aria-describedby="{key}-text">' in frame


def test_what_the_author_writes_is_escaped():
    made = make(label="a < b", caption="L1 & L2 </figcaption>", describe=lambda value: f"<b>{value}</script><!-- ")
    assert "a &lt; b</label>" in made.html
    assert "L1 &amp; L2 &lt;/figcaption&gt;</figcaption>" in made.html
    assert "&lt;b&gt;0.5&lt;/script&gt;&lt;!-- </output>" in made.html
    script = made.html.split("<script>")[1]
    assert script.count("</script>") == 1
    assert "<!--" not in script
    data = json.loads(re.search(r"var data=(.*);\n", script)[1])
    assert data["texts"][1] == "<b>1.0</script><!-- "


def test_changes_are_counted_from_the_frame_on_the_page():
    def two_panels(value):
        figure, (top, bottom) = plt.subplots(2, figsize=(4, 3))
        top.plot([0, 1], [0, value])
        if value > 1:
            top.axvline(0.5)
        bottom.plot([0, 1], [0, value])
        bottom.set(ylim=(0, 2))
        return figure

    made = make(two_panels, start=2)
    data = json.loads(re.search(r"var data=(.*);\n", made.html)[1])
    assert data["changes"] == changes_between(made.frames, 2) != changes_between(made.frames, 0)


def test_a_name_with_quotes_stays_inside_its_attribute():
    made = make(show_value=lambda value: f'"{value}"')
    assert 'aria-valuetext="&quot;0.5&quot;"' in made.html


def test_nothing_comes_from_elsewhere():
    text = make().html
    assert set(re.findall(r"https?://[^\"'\s\\]+", text)) == {slider.SVG, slider.XLINK}
    assert "src=" not in text
    assert "@import" not in text


def test_ids_are_unique_over_the_page_and_every_reference_resolves():
    pages = [make(), make(caption="Another."), make(values=(0.5, 1.0)), make(label="Other")]
    found = [re.findall(r'\bid="([^"]+)"', made.html) for made in pages]
    together = [key for keys in found for key in keys]
    assert len(set(together)) == len(together)
    for made, keys in zip(pages, found, strict=True):
        assert all(key.startswith(made.id) for key in keys)
        referred = re.findall(r"(?:url\(#|href=\"#)([^)\"]+)", slider._dump(made.frames[0]))
        assert referred
        assert set(referred) <= set(keys)


@pytest.mark.parametrize("other", [{"caption": "B"}, {"label": "B"}, {"unit": "B"}, {"describe": str}])
def test_the_id_follows_from_the_content(other):
    assert make().id == make().id
    assert make().html == make().html
    assert make(**other).id != make().id


def test_a_frame_is_short_and_leaves_the_page_alone():
    frame = slider._dump(make().frames[0])
    assert "<metadata" not in frame
    assert "<style" not in frame
    assert "\n" not in frame
    assert "Bitstream" not in frame
    assert 'viewBox="0 0 288 216"' in frame
    assert not {"width", "height", "version", "id"} & set(make().frames[0].attrib)
    assert "<!--" not in frame
    assert not re.search(r'[" ]-?\d+\.\d{3,}', frame)
    assert not re.search(r' d="[^"]*( [A-Za-z]|[A-Za-z] |  )', frame)
    assert "at 0.5 &amp; &lt;more&gt;</text>" in frame
    assert "font-family: 'DejaVu Sans', Verdana, sans-serif; " in frame


@pytest.mark.parametrize(
    ("number", "short"),
    [("1.005001", "1.01"), ("-0.001", "0"), ("12.30", "12.3"), ("100.000", "100"), ("-2.5", "-2.5")],
)
def test_coordinates_are_rounded_to_two_decimals(number, short):
    root = slider._parse(f'<svg xmlns="{slider.SVG}"><path d="M {number} 3 \n L 1 1" id="k{number}"/></svg>')
    assert root[0].get("d") == f"M{short} 3L1 1"
    assert root[0].get("id") == f"k{number}"


@pytest.mark.parametrize("name", ["points", "transform", "x", "y", "width", "height", "cx", "cy", "r"])
def test_every_attribute_of_place_and_size_is_rounded(name):
    root = slider._parse(f'<svg xmlns="{slider.SVG}"><g {name}="1.2345\n rotate 2.5" class="1.2345"/></svg>')
    assert root[0].get(name) == "1.23 rotate 2.5"
    assert root[0].get("class") == "1.2345"


def test_only_ids_in_use_are_kept_and_colors_are_no_ids():
    root = svg('<path id="used" style="fill: #ffffff"/><g id="idle"/><use xlink:href="#used" clip-path="url(#used)"/>')
    root = slider._with_ids(root, "p")
    assert [element.get("id") for element in root] == ["p-0", None, None]
    assert root[0].get("style") == "fill: #ffffff"
    assert root[2].attrib == {f"{XLINK}href": "#p-0", "clip-path": "url(#p-0)"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.5, "0.5"),
        (np.float64(0.12345), "0.123"),
        (-0.5, "−0.5"),
        (1e-8, "10⁻⁸"),
        (2.5e-8, "2.5 × 10⁻⁸"),
        (-1e-8, "−1 × 10⁻⁸"),
        (12345.0, "1.23 × 10⁴"),
        (12345, "12345"),
        (-3, "−3"),
        (np.int64(1000), "1000"),
        (True, "True"),
        (np.bool_(False), "False"),
        ("name", "name"),
        (np.str_("name"), "name"),
    ],
)
def test_values_are_written_as_one_writes_them(value, text):
    assert slider._text(value) == text


def test_values_units_and_texts():
    assert make(unit="%").names == ["0.5 %", "1 %", "1.5 %"]
    assert make(show_value=lambda value: f"v{value}", unit="dB").names == ["v0.5 dB", "v1.0 dB", "v1.5 dB"]
    assert make(values=iter((1, 2)), describe=lambda value: value).texts == ["1", "2"]


def test_what_a_notebook_shows():
    made = make(start=1)
    text = "It turns. [Strength: 1] The line passes 1.0."
    assert repr(made) == text
    assert made._repr_html_() == made.html
    bundle = made._repr_mimebundle_()
    assert bundle == {"text/html": made.html, "text/plain": text, "image/svg+xml": plotting.svg(moving(1.0))}


def test_the_plain_figure_is_the_start_frame_and_open():
    figure = make(start=2).plain()
    assert figure.axes[0].get_title() == "at 1.5 & <more>"
    plt.close(figure)


def test_frames_are_closed_after_drawing():
    plt.close("all")
    make()
    assert not plt.get_fignums()


def test_too_few_values():
    with pytest.raises(ValueError, match=r"^values must hold at least two values, got \[1\.0\]$"):
        make(values=[1.0])


@pytest.mark.parametrize("start", [3, 4])
def test_a_start_beyond_the_values(start):
    pattern = rf"^start must be an index below 3, the number of values; got {start}$"
    with pytest.raises(ValueError, match=pattern):
        make(start=start)


def test_a_start_that_is_no_index():
    with pytest.raises(ValueError, match=r"^start must be at least 0, got -1$"):
        make(start=-1)
    with pytest.raises(TypeError, match=r"^start must be an integer, got 1\.0$"):
        make(start=1.0)


def test_draw_must_return_a_figure():
    with pytest.raises(TypeError, match=r"^draw must return a matplotlib Figure, got str$"):
        make(draw=lambda value: "figure")


def test_too_heavy_a_slider(monkeypatch):
    size = len(make().html.encode())
    monkeypatch.setattr(slider, "LIMIT", size)
    make()
    monkeypatch.setattr(slider, "LIMIT", size - 1)
    pattern = (
        rf"^values and draw must give at most {size - 1} bytes of HTML, got {size}: use fewer values, "
        r"fewer points in a line, or an image for a dense cloud of points$"
    )
    with pytest.raises(ValueError, match=pattern):
        make()


def test_the_limit_is_300_kilobytes():
    assert slider.LIMIT == 300_000


def letters(size, width, *, raised=""):
    style = f"font-size: {size}px; font-family: x; fill: #1a1a1a"
    text = f'<svg xmlns="{slider.SVG}" viewBox="0 0 {width} 9"><text style="{style}">A{raised}</text></svg>'
    slider._check_letters(ElementTree.fromstring(text))


def bare_letters():
    return ElementTree.fromstring(f'<svg xmlns="{slider.SVG}" viewBox="0 0 340 9"><text><tspan>A</tspan></text></svg>')


def test_letters_can_be_read_on_a_phone():
    letters(12, 500)
    letters(8, 340)
    letters(8, 200)
    slider._check_letters(bare_letters())
    letters(12, 500, raised='<tspan style="font: 700 4px x">2</tspan>')
    letters(4, 500, raised='<tspan style="font: 700 12px x">2</tspan>')
    message = (
        r"^draw must give letters of at least 8 pixels on a phone, got 7\.0 for 'A': draw a narrower figure, or larger"
    )
    with pytest.raises(ValueError, match=message):
        letters(14, 680)
    with pytest.raises(ValueError, match=r"got 7\.0 for 'A'"):
        letters(7, 200)
    with pytest.raises(ValueError, match=r"got 6\.0 for 'A2': draw a narrower figure, or larger letters$"):
        letters(3, 680, raised='<tspan style="font: 700 12px x">2</tspan>')


def test_a_wide_figure_is_refused():
    with pytest.raises(ValueError, match="on a phone"):
        make(draw=lambda value: plt.subplots(figsize=(12, 3))[0])
