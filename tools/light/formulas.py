"""Formulas, set by MathJax when the site is built: a page then needs no MathJax, and nothing moves when it is read."""

import html
import json
import re
from pathlib import Path

from tools import node

HERE = Path(__file__).resolve().parent
FONTS = "mathjax/output/chtml/fonts/woff-v2"  # beside the style sheet
LETTERS = ("MathJax_Main-Regular", "MathJax_Math-Italic")
# In the page MathJax measures the reader's type, and enlarges its own so that both have letters of one height: by 12 to
# 20 percent, for the types that the theme asks for.
SIZE = "mjx-container[jax=CHTML]{font-size:117%}"
ELEMENT = re.compile(r'(<(span|div) class="[^"]*\bmath\b[^"]*"[^>]*>)(.*?)(</\2>)', re.DOTALL)
TEX = re.compile(r"\\\((.*?)\\\)|\\\[(.*?)\\\]|(\\begin\{.*\\end\{\w+\*?\})", re.DOTALL)


def found(page):
    """Return the formulas of a page, as pairs of TeX and whether it stands on a line of its own."""
    return [_formula(match) for element in ELEMENT.finditer(page) for match in TEX.finditer(element[3])]


def _formula(match):
    return html.unescape(match[1] or match[2] or match[3] or "").strip(), match[1] is None


def put(page, done):
    """Return the page with its formulas set; ``done`` maps each to its HTML."""

    def element(match):
        return match[1] + TEX.sub(lambda tex: done[_formula(tex)], match[3]) + match[4]

    return ELEMENT.sub(element, page)


def typeset(formulas):
    """Return {formula: HTML} and the style sheet that goes with it.

    Raises
    ------
    UnavailableError
        If Node or its packages cannot be had.
    """
    formulas = sorted(set(formulas))
    given = json.dumps({"fonts": FONTS, "formulas": formulas})
    answer = json.loads(node.run("MathJax", [HERE / "formulas.mjs", node.modules(HERE)], input=given))
    # On a phone a long formula scrolls in its box, which the keyboard has to reach.
    boxes = [box.replace('display="true"', 'display="true" tabindex="0"', 1) for box in answer["html"]]
    return dict(zip(formulas, boxes, strict=True)), answer["css"] + SIZE
