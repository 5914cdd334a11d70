"""One whole chapter, run in the page from top to bottom: no cell fails, and each shows what the book shows."""

import pytest

from tests.site.live import Live

pytestmark = pytest.mark.site

PAGE = "book/penalties/l1-l2"
# What a cell shows, told alike for what the book holds and for what the page made: figures, tables, sliders, texts.
TOLD = """(cell) => {
    const told = (box) => box && ({
        figures: box.querySelectorAll("img").length,
        tables: box.querySelectorAll("table").length,
        sliders: box.querySelectorAll("input[type=range]").length,
        words: [...box.querySelectorAll("pre")].map((pre) => pre.textContent).join("\\n").split(/\\s+/).filter(Boolean),
    });
    const ours = cell.querySelector(":scope > .live-output");
    return { book: told(cell.querySelector(":scope > .cell_output:not(.live-output)")), page: told(ours),
             error: ours?.querySelector(".live-error")?.textContent };
}"""


def numbers_apart(word):
    """Return a word without the digits of its numbers, which may differ in the last places."""
    return "".join("0" if letter.isdigit() else letter for letter in word).strip("-−")


def test_a_chapter_from_top_to_bottom(context, server):
    live = Live(context, server.address, PAGE)
    cells = live.page.locator('.cell[data-live="run"]')
    assert cells.count() > 25
    for index in range(cells.count()):
        cell = cells.nth(index)
        live.press(cell, "run", seconds=300)
        name, told = cell.get_attribute("data-live-id"), cell.evaluate(TOLD)
        assert told["error"] is None, f"{name}: {told['error']}"
        if told["book"] is None:
            continue
        assert told["page"] is not None, f"{name} shows nothing"
        for what in ("figures", "tables", "sliders"):
            assert told["page"][what] == told["book"][what], f"{name}: {what}"
        ours, theirs = (
            [word for word in map(numbers_apart, told[where]["words"]) if word] for where in ("page", "book")
        )
        assert len(ours) == len(theirs), f"{name}: {told}"
    assert not live.errors
    assert not live.foreign
