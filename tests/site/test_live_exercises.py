"""Every exercise of every chapter, in the page itself: untouched, wrong and right, as a reader types it."""

import re

import pytest

from regcheck import core
from tests.conftest import ROOT
from tests.regcheck.harness import Chapter
from tests.site.live import Live
from tools import notebooks
from tools.live import cells

pytestmark = pytest.mark.site


def exercises():
    """Return (page, name of the check) of every exercise of the book."""
    found = []
    for path in notebooks.paths():
        page = path.relative_to(ROOT).with_suffix("").as_posix()
        found += [(page, cell.check) for cell in cells.survey(notebooks.read(path)) if cell.check]
    return found


@pytest.fixture(scope="module")
def chapter():
    """Return a page's chapter: its notebook beside the module of its checks."""
    made = {}

    def of(page):
        if page not in made:
            path = ROOT / f"{page}.ipynb"
            text = "\n".join(notebooks.source(cell) for cell in notebooks.read(path)["cells"])
            name = re.search(r"^from regcheck import (\w+) as check$", text, re.MULTILINE)[1]
            module = __import__(f"regcheck.{name}", fromlist=[name])
            made[page] = Chapter(page.removeprefix("book/") + ".ipynb", module)
        return made[page]

    return of


@pytest.fixture(scope="module")
def tab(browser, server):
    """Return a page, one at a time, with Python in it; the runtime is kept between pages."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = []

    def at(page):
        if not opened or opened[-1].name != page:
            for old in opened:
                old.page.close()
            opened.append(Live(context, server.address, page))
        return opened[-1]

    yield at
    context.close()


def wrong_answer(chapter, name):
    """Return a wrong answer, a change of the printed solution, and what the check says to it outside of the page."""
    for code in chapter.mutants(name).values():
        try:
            result = chapter.result(name, code)
        except Exception:
            continue
        if (
            result.status == core.NOT_YET and " at 0x" not in result.message
        ):  # no address in memory: it is never the same
            return code, result.message.strip()
    raise AssertionError(f"no wrong answer was found for {name}")


def test_every_exercise_of_the_book_can_be_checked_in_the_page():
    written = [
        (path.relative_to(ROOT).with_suffix("").as_posix(), name)
        for path in notebooks.paths()
        for cell in notebooks.read(path)["cells"]
        if cell["cell_type"] == "code" and (name := cells.check_of(notebooks.source(cell)))
    ]
    assert exercises() == written
    assert len(written) > 70


@pytest.mark.parametrize(("page", "name"), exercises())
def test_exercise(tab, chapter, page, name):
    live, its = tab(page), chapter(page)
    cell, call = live.exercise(name), its.call(name)[0]
    live.press(cell, "run")
    untouched = its.result(name, its.code_cell(name))
    assert untouched.message in live.shown(cell)
    assert untouched.status in live.spoken()
    wrong, message = wrong_answer(its, name)
    live.type(cell, f"{wrong}\n\n\n{call}")
    assert core.NOT_YET in live.shown(cell)
    assert message in live.shown(cell)
    assert "solved" not in cell.locator(".live-tools").inner_text()
    live.type(cell, f"{its.solution(name)}\n\n{call}")
    assert "Right. Your answer passes every check." in live.shown(cell)
    assert "Right" in live.spoken()
    assert "✓ solved" in cell.locator(".live-tools").inner_text()
    assert not live.errors
    assert not live.foreign
