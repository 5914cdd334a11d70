"""The tabs of a chapter's card, run as they stand.

from tests.cards.harness import run

torch_tab, keras_tab, numpy_tab = run("dropout/dropout")

Each is the namespace that the tab's code leaves behind: what it trained, and what it evaluated.
"""

import functools
import linecache
import re
from types import SimpleNamespace

from tests.conftest import ROOT
from tools import notebooks, reading

TABS = ("PyTorch", "Keras", "NumPy")
TAB = re.compile(r"^:::\{tab-item\} (\w+)\n(?::\w+: \w+\n)*\s*```python\n(.*?)```\n:::$", re.MULTILINE | re.DOTALL)


def card(chapter):
    """Return the text of a chapter's card; ``chapter`` is its path in the book, without the suffix."""
    return reading.card(notebooks.read(ROOT / "book" / f"{chapter}.ipynb"))


def tabs(chapter):
    """Return the code of the tabs of a chapter's card, by name."""
    return dict(TAB.findall(card(chapter)))


@functools.cache
def run(chapter):
    """Run the three tabs of a chapter's card, each by itself, and return what each of them defines."""
    return tuple(_run(f"<card of {chapter}: {name}>", tabs(chapter)[name]) for name in TABS)


def _run(name, code):
    linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
    names = {"__name__": name}
    exec(compile(code, name, "exec"), names)
    return SimpleNamespace(**{key: value for key, value in names.items() if not key.startswith("__")})
