"""How the length of a page is counted."""

from tests.conftest import ROOT
from tools import notebooks, reading, site

CARD = """# A title

**What it does.** Words that do not count.

::::{tab-set}
:::{tab-item} PyTorch
```python
import torch
```
:::
::::
"""


def cell(kind, source, name, **metadata):
    made = {"cell_type": kind, "id": name, "metadata": metadata, "source": source}
    return made | ({"outputs": [{"output_type": "stream"}] if metadata else []} if kind == "code" else {})


PAGE = {
    "cells": [
        cell("markdown", CARD + "\nFour words and $x + y$.", "title"),
        cell("code", "import os\n" * 9, notebooks.SETUP_ID),
        cell("markdown", "## The problem\n\n$$\na = b\n$$ (eq-a)\n\nRead {eq}`eq-a` aloud.", "text"),
        cell("code", "x = 1\n\ny = 2", "shown", mystnb={"figure": {"caption": "Three more words."}}),
        cell("code", "z = 3", "folded", tags=["hide-input"]),
        cell("markdown", "## Exercises\n\nDo them.", "exercises"),
        cell("markdown", ":::{exercise} One\n:label: a\n\nAdd two and two.\n:::", "ex"),
        cell("markdown", ":::{solution} a\nFour.\n:::", "sol"),
        cell("code", "...", "answer"),
    ]
}


def test_what_counts():
    assert reading.length(PAGE) == reading.Length(
        words=4 + 2 + 3 + 3, cells=2, lines=2, folded=1, formulas=1, outputs=2, exercises=1, exercise_words=7
    )


def test_the_card_ends_with_its_tabs():
    assert reading.card(PAGE).startswith("# A title")
    assert reading.card(PAGE).endswith("\n::::")
    assert reading.card({"cells": [cell("markdown", "# No card", "title")]}) == ""


def test_words():
    assert reading.words("one $x + y$ two, {cite:t}`three2004` and <details><summary>four</summary>") == 6
    assert reading.words(":::{admonition} Hidden\n:class: tip\ninside\n:::\n| a | b |\n|:--|--:|") == 3
    assert reading.words("$$ not \\, counted $$ (eq-name)") == 0


def test_minutes():
    page = reading.Length(300, 9, 60, 9, 4, 3, 2, 150)
    assert page.minutes == 2 + 6 + 2 + 1
    assert page.exercise_minutes == 2 * 4 + 1
    assert page.line(12.4) == "*About 11 minutes to read, 9 for the 2 exercises, 12 seconds of a processor to run.*"


def test_the_site_says_how_long_a_page_takes():
    path = ROOT / "book" / "dropout" / "dropout.ipynb"
    assert "minutes to read" not in notebooks.source(notebooks.read(path)["cells"][0])
    assert "minutes to read" in notebooks.source(site.with_times(path)["cells"][0])
    assert site.times_table().count("\n") == 1 + len(notebooks.paths())
