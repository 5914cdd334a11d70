"""Figures that move on a static page: a slider over frames that matplotlib drew, with no program behind it.

The author writes an ordinary function that draws one frame. Every frame is
rendered to SVG; the page carries the first one whole and, for the others, only
the attributes that differ, so that thirty frames cost little more than one. The
result is one piece of HTML that needs no library and no network, and works the
same on the site, in Jupyter and in Colab. It can be moved by keyboard, and each
frame is also told in words. Nothing moves by itself: a frame stays until the
reader moves on.
"""

import hashlib
import html
import json
import re
import xml.etree.ElementTree as ElementTree

import numpy as np

from regbook import plotting
from reglib._validate import integer

LIMIT = 300_000
PHONE, SMALLEST = 340, 8  # Width of a figure on a phone, and the least height of its letters there, in pixels.
SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"
ElementTree.register_namespace("", SVG)
ElementTree.register_namespace("xlink", XLINK)

STYLE = """
#ID{margin:1em 0;max-width:SIZEpx;text-align:left}
#ID .slider-drawing{background:#fff;border-radius:6px;padding:4px}
#ID svg{display:block;width:100%;height:auto;overflow:visible}
#ID svg *{stroke-linejoin:round;stroke-linecap:butt}
#ID .slider-control{display:flex;flex-wrap:wrap;gap:.3em .8em;align-items:center;margin:.4em 0}
#ID input{flex:1 1 7rem;min-width:0;min-height:24px;margin:0;accent-color:#2b7cbf}
#ID input:focus-visible{outline:3px solid currentColor;outline-offset:3px;border-radius:4px}
#ID .slider-value{min-width:3.5em;font-weight:bold;font-variant-numeric:tabular-nums}
#ID output{display:block;min-height:3em;line-height:1.5;color:inherit}
#ID figcaption{margin:.4em 0 0;text-align:left;color:inherit;font-weight:inherit}
"""
SCRIPT = """
(function(){
var data=DATA;
[].forEach.call(document.querySelectorAll("#ID:not([data-ready])"),function(figure){
figure.setAttribute("data-ready","");
var svg=figure.querySelector("svg"),all=[svg].concat([].slice.call(svg.querySelectorAll("*")));
var nodes=data.changes.map(function(c){return all[c.node]});
var input=figure.querySelector("input"),output=figure.querySelector("output");
var value=figure.querySelector(".slider-value");
input.addEventListener("input",function(){
var k=+input.value;
data.changes.forEach(function(c,i){
var now=c.values[c.frames[k]];
if(c.what==="*")nodes[i].innerHTML=now;
else if(c.what==="#")nodes[i].textContent=now;
else if(now===null)nodes[i].removeAttribute(c.what);
else nodes[i].setAttribute(c.what,now);});
value.textContent=data.names[k];
input.setAttribute("aria-valuetext",data.names[k]);
output.textContent=data.texts[k];});
});
})();
"""


class Slider:
    """A figure with a slider, drawn once for each value.

    Parameters
    ----------
    draw : callable
        Takes a value and returns a matplotlib Figure. Draw the same elements in each frame, with fixed limits of
        the axes: then little differs between frames, and nothing jumps. A figure 5 to 6 inches wide reads well on
        a phone, too; put two panels below each other rather than side by side.
    values : sequence of at least two
        What the slider steps through.
    label : str
        Names the slider, such as "Strength of the penalty".
    caption : str
        The figure's caption: its one message, in a sentence.
    describe : callable
        Takes a value and returns a sentence that says what the frame shows, for those who cannot see it
        and for those who can.
    start : int
        Index of the value shown first.
    unit : str
        Follows each value, such as "%".
    show_value : callable
        Takes a value and returns its text; by default three significant digits for numbers.

    Raises
    ------
    TypeError
        If ``draw`` does not return a Figure.
    ValueError
        If there are fewer than two values, ``start`` is out of range, the HTML is larger than 300 kB,
        or the letters of a frame would be too small on a phone.
    """

    def __init__(self, draw, values, *, label, caption, describe, start=0, unit="", show_value=None):
        self.draw, self.values, self.label, self.caption = draw, list(values), label, caption
        if len(self.values) < 2:
            raise ValueError(f"values must hold at least two values, got {self.values!r}")
        self.start = integer("start", start, low=0)
        if self.start >= len(self.values):
            raise ValueError(f"start must be an index below {len(self.values)}, the number of values; got {start}")
        self.names = [f"{(show_value or _text)(value)} {unit}".strip() for value in self.values]
        self.texts = [str(describe(value)) for value in self.values]
        drawings = [self._svg(value) for value in self.values]
        self.picture = drawings[self.start]
        frames = [_parse(drawing) for drawing in drawings]
        _check_letters(frames[self.start])
        content = "\n".join([caption, label, *self.names, *self.texts, *map(_dump, frames)])
        self.id = f"slider-{hashlib.sha256(content.encode()).hexdigest()[:10]}"
        self.frames = [_with_ids(frame, self.id) for frame in frames]
        self.html = self._build()
        size = len(self.html.encode())
        if size > LIMIT:
            raise ValueError(
                f"values and draw must give at most {LIMIT} bytes of HTML, got {size}: use fewer values, "
                "fewer points in a line, or an image for a dense cloud of points"
            )

    def plain(self):
        """Return the frame shown first as a matplotlib Figure, for a place that cannot show HTML."""
        return self.draw(self.values[self.start])

    def __repr__(self):
        return f"{self.caption} [{self.label}: {self.names[self.start]}] {self.texts[self.start]}"

    def _repr_html_(self):
        return self.html

    def _repr_mimebundle_(self, include=None, exclude=None):
        """Return the HTML, and for places that cannot show it the start frame as an image and in words."""
        return {"text/html": self.html, "image/svg+xml": self.picture, "text/plain": repr(self)}

    def _svg(self, value):
        figure = self.draw(value)
        if not hasattr(figure, "savefig"):
            raise TypeError(f"draw must return a matplotlib Figure, got {type(figure).__name__}")
        return plotting.svg(figure)

    def _build(self):
        names = {"role": "img", "aria-labelledby": f"{self.id}-caption", "aria-describedby": f"{self.id}-text"}
        for frame in self.frames:
            frame.attrib |= names
        changes = changes_between(self.frames, self.start)
        data = json.dumps({"changes": changes, "texts": self.texts, "names": self.names}, separators=(",", ":"))
        data = data.replace("</", "<\\/").replace("<!--", "\\u003c!--")
        script = SCRIPT.replace("ID", self.id).replace("DATA", data)
        style = STYLE.replace("ID", self.id).replace("SIZE", f"{_width(self.frames[self.start]) * 4 / 3:.0f}")
        value = html.escape(self.names[self.start])
        return (
            f'<figure id="{self.id}" class="reglib-slider"><style>{style}</style>'
            f'<div class="slider-drawing">{_dump(self.frames[self.start])}</div>'
            f'<div class="slider-control"><label for="{self.id}-input">{html.escape(self.label)}</label>'
            f'<input type="range" id="{self.id}-input" min="0" max="{len(self.values) - 1}" step="1" '
            f'value="{self.start}" aria-valuetext="{value}" autocomplete="off">'
            f'<span class="slider-value" aria-hidden="true">{value}</span></div>'
            f'<output id="{self.id}-text" for="{self.id}-input" aria-live="polite">'
            f"{html.escape(self.texts[self.start])}</output>"
            "<noscript>The slider needs JavaScript; you see one of its frames.</noscript>"
            f"<script>{script}</script>"
            f'<figcaption id="{self.id}-caption">{html.escape(self.caption)}</figcaption></figure>'
        )


def _text(value):
    """Return the text of a value: three significant digits for numbers, powers of ten as one writes them."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.number):
        return str(value)
    if isinstance(value, int | np.integer):
        return str(value).replace("-", "−")
    mantissa, _, power = f"{value:.3g}".replace("-", "−").partition("e")
    if not power:
        return mantissa
    raised = str(int(power.replace("−", "-"))).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"10{raised}" if mantissa == "1" else f"{mantissa} × 10{raised}"


def _dump(element):
    return ElementTree.tostring(element, encoding="unicode")


def _width(root):
    """Return the width of an SVG in its own units, points."""
    return float(root.get("viewBox").split()[2])


def _check_letters(root):
    """Raise unless the letters of a frame can be read on a phone; raised and lowered ones may be smaller."""
    for text in root.iter(f"{{{SVG}}}text"):
        styles = " ".join(element.get("style", "") for element in text.iter())
        sizes = [float(size) for size in re.findall(r"font(?:-size)?:[^;]*?([\d.]+)px", styles)]
        on_phone = max(sizes, default=SMALLEST) * min(1.0, PHONE / _width(root))
        if on_phone < SMALLEST:
            raise ValueError(
                f"draw must give letters of at least {SMALLEST} pixels on a phone, got {on_phone:.1f} for "
                f"{''.join(text.itertext())!r}: draw a narrower figure, or larger letters"
            )


def _parse(text):
    """Return an SVG's tree: no metadata, no style for the whole page, short numbers, no size of its own."""
    root = ElementTree.fromstring(text)
    for child in list(root):
        if child.tag == f"{{{SVG}}}metadata" or child.find(f"{{{SVG}}}style") is not None:
            root.remove(child)
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    for element in root.iter():
        element.tail = None
        element.text = element.text if element.text and element.text.strip() else None
        for name, value in element.attrib.items():
            if name in ("d", "points", "transform", "x", "y", "width", "height", "cx", "cy", "r"):
                value = re.sub(r"-?\d+\.\d+", _short, " ".join(value.split()))
                element.set(name, re.sub(r" ?([A-Za-z]) ?", r"\1", value) if name == "d" else value)
            elif name == "style":
                element.set(name, re.sub(r"'DejaVu Sans',.*?sans-serif", "'DejaVu Sans', Verdana, sans-serif", value))
    return root


def _short(match):
    """Return a matched number with two decimals, or fewer where they are zeros."""
    text = f"{float(match[0]):.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _with_ids(root, prefix):
    """Return the tree with ids that are unique on the page: those in use renamed in order, the others dropped."""
    values = " ".join(value for element in root.iter() for value in element.attrib.values())
    used = set(re.findall(r"#([\w.-]+)", values))
    names = {}
    for element in root.iter():
        old = element.attrib.pop("id", None)
        if old in used:
            names[old] = f"{prefix}-{len(names)}"
            element.set("id", names[old])
    for element in root.iter():
        for name, value in element.attrib.items():
            element.set(name, re.sub(r"#([\w.-]+)", lambda match: "#" + names.get(match[1], match[1]), value))
    return root


def changes_between(frames, start=0):
    """Return what differs between frames: a list of dicts with node, what, values and frames.

    ``node`` is a node's place in the document order of frame ``start``. ``what`` names an attribute, or is "#"
    for the node's text, or "*" for all that it contains, used where the frames' structures differ. ``values``
    are the distinct values, and ``frames`` says which of them each frame has.

    Parameters
    ----------
    frames : list of ElementTree elements
    start : int
    """
    found = []
    counter = 0

    def walk(nodes):
        nonlocal counter
        index = counter
        for name in sorted(set().union(*(node.attrib for node in nodes))):
            record(index, name.replace(f"{{{XLINK}}}", "xlink:"), [node.get(name) for node in nodes])
        if len({(node.tag, tuple(child.tag for child in node)) for node in nodes}) > 1:
            record(index, "*", [html.escape(node.text or "") + "".join(map(_dump, node)) for node in nodes])
            counter += sum(1 for _ in nodes[start].iter())
            return
        record(index, "#", [node.text or "" for node in nodes])
        counter += 1
        for children in zip(*nodes, strict=True):
            walk(children)

    def record(index, what, values):
        distinct = list(dict.fromkeys(values))
        if len(distinct) > 1:
            where = [distinct.index(value) for value in values]
            found.append({"node": index, "what": what, "values": distinct, "frames": where})

    walk(frames)
    return found
