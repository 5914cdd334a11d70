"""Figures that move on a static page: a slider over frames that matplotlib drew, with no program behind it.

The author writes an ordinary function that draws one frame. Every frame is
rendered to SVG; the page carries the first one whole and, for the others, only
the attributes that differ, so that thirty frames cost little more than one. The
result is one piece of HTML that needs no library and no network, and works the
same on the site, in Jupyter and in Colab. It can be moved by keyboard, and each
frame is also told in words.
"""

import hashlib
import html
import json
import re
import xml.etree.ElementTree as ElementTree

from reglib import plotting
from reglib._validate import integer

LIMIT = 300_000
SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"
ElementTree.register_namespace("", SVG)
ElementTree.register_namespace("xlink", XLINK)

STYLE = """
#ID{margin:1em 0;max-width:36rem}
#ID .card{background:#fff;border-radius:6px;padding:4px}
#ID svg{display:block;width:100%;height:auto}
#ID .row{display:flex;flex-wrap:wrap;gap:.3em .8em;align-items:center;margin:.4em 0}
#ID input{flex:1 1 12rem;min-width:0;min-height:24px}
#ID output{flex:1 1 100%;min-height:3em}
"""
SCRIPT = """
(function(){
var figure=document.getElementById("ID");if(!figure)return;
var data=DATA,svg=figure.querySelector("svg"),all=[svg].concat([].slice.call(svg.querySelectorAll("*")));
var nodes=data.changes.map(function(c){return all[c.node]});
var input=figure.querySelector("input"),output=figure.querySelector("output");
function show(){
var k=+input.value;
data.changes.forEach(function(c,i){
var value=c.values[c.frames[k]];
if(c.what==="*")nodes[i].innerHTML=value;
else if(c.what==="#")nodes[i].textContent=value;
else if(value===null)nodes[i].removeAttribute(c.what);
else nodes[i].setAttribute(c.what,value);});
output.textContent=data.texts[k];
input.setAttribute("aria-valuetext",data.names[k]);}
input.addEventListener("input",show);show();
})();
"""


class Slider:
    """A figure with a slider, drawn once for each value.

    Parameters
    ----------
    draw : callable
        Takes a value and returns a matplotlib Figure. Draw the same elements in each frame, with fixed limits of
        the axes: then little differs between frames, and nothing jumps.
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
    show_value : callable
        Takes a value and returns its text; by default three significant digits for numbers.

    Raises
    ------
    TypeError
        If ``draw`` does not return a Figure.
    ValueError
        If there are fewer than two values, ``start`` is out of range, or the HTML is larger than 300 kB.
    """

    def __init__(self, draw, values, *, label, caption, describe, start=0, show_value=None):
        self.draw, self.values, self.label, self.caption = draw, list(values), label, caption
        if len(self.values) < 2:
            raise ValueError(f"values must hold at least two values, got {self.values!r}")
        self.start = integer("start", start, low=0)
        if self.start >= len(self.values):
            raise ValueError(f"start must be an index below {len(self.values)}, the number of values; got {start}")
        self.names = [(show_value or _text)(value) for value in self.values]
        self.texts = [str(describe(value)) for value in self.values]
        frames = [_parse(self._svg(value)) for value in self.values]
        digest = hashlib.sha256("".join([caption, *map(_dump, frames)]).encode()).hexdigest()
        self.id = f"slider-{digest[:10]}"
        self.frames = [_with_ids(frame, self.id) for frame in frames]
        self.html = self._build()
        size = len(self.html.encode())
        if size > LIMIT:
            raise ValueError(
                f"values and draw must give at most {LIMIT} bytes of HTML, got {size}: use fewer values, "
                "fewer points in a line, or an image for a dense cloud of points"
            )

    def plain(self):
        """Return the first frame as a matplotlib Figure, for a place that cannot show HTML."""
        return self.draw(self.values[self.start])

    def __repr__(self):
        return f"{self.caption} [{self.label}: {self.names[self.start]}] {self.texts[self.start]}"

    def _repr_html_(self):
        return self.html

    def _svg(self, value):
        figure = self.draw(value)
        if not hasattr(figure, "savefig"):
            raise TypeError(f"draw must return a matplotlib Figure, got {type(figure).__name__}")
        return plotting.svg(figure)

    def _build(self):
        changes = changes_between(self.frames, self.start)
        for frame in self.frames:
            frame.attrib |= {
                "role": "img",
                "aria-labelledby": f"{self.id}-caption",
                "aria-describedby": f"{self.id}-text",
            }
        data = json.dumps({"changes": changes, "texts": self.texts, "names": self.names}, separators=(",", ":"))
        script = SCRIPT.replace("ID", self.id, 1).replace("DATA", data.replace("</", "<\\/"), 1)
        return (
            f'<figure id="{self.id}" class="reglib-slider"><style>{STYLE.replace("ID", self.id)}</style>'
            f'<div class="card">{_dump(self.frames[self.start])}</div>'
            f'<div class="row"><label for="{self.id}-input">{html.escape(self.label)}</label>'
            f'<input type="range" id="{self.id}-input" min="0" max="{len(self.values) - 1}" step="1" '
            f'value="{self.start}" aria-valuetext="{html.escape(self.names[self.start], quote=True)}">'
            f'<output id="{self.id}-text" for="{self.id}-input" aria-live="polite">'
            f"{html.escape(self.texts[self.start])}</output></div>"
            "<noscript>The slider needs JavaScript; you see one of its frames.</noscript>"
            f'<figcaption id="{self.id}-caption">{html.escape(self.caption)}</figcaption>'
            f"<script>{script}</script></figure>"
        )


def _text(value):
    """Return the text of a value: three significant digits for numbers."""
    return f"{value:.3g}" if isinstance(value, int | float) or hasattr(value, "dtype") else str(value)


def _dump(element):
    return ElementTree.tostring(element, encoding="unicode")


def _parse(text):
    """Return an SVG's tree: no metadata, short numbers, no size of its own."""
    root = ElementTree.fromstring(text)
    for child in list(root):
        if child.tag == f"{{{SVG}}}metadata":
            root.remove(child)
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    for element in root.iter():
        element.tail = None
        element.text = element.text if element.text and element.text.strip() else None
        for name, value in element.attrib.items():
            if name in ("d", "points", "transform", "x", "y", "width", "height", "cx", "cy", "r"):
                element.set(name, re.sub(r"-?\d+\.\d+", _short, re.sub(r"\s*\n\s*", " ", value).strip()))
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
            if "#" in value:
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
            record(index, "*", ["".join(map(_dump, node)) for node in nodes])
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
