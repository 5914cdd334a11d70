"""The card that opens every chapter: its parts, its tabs, and what it says was measured."""

import re

import pytest

from regbook import measured
from tests.book.test_chapters import CHAPTERS, cells
from tests.cards import harness
from tests.conftest import ROOT
from tools import execute, notebooks

PARTS = ("What it does.", "Use it when", "Not when", "Start with", "Measured here.", "Write it.")
TAB_LINES, WIDTH = 10, 79
MARK = re.compile(r"<!-- measured: (\S+) -->")

each_chapter = pytest.mark.parametrize("chapter", CHAPTERS)


@each_chapter
def test_the_parts_stand_in_order(chapter):
    text = harness.card(chapter)
    places = [text.find(f"**{part}**") for part in PARTS]
    assert -1 not in places, f"missing: {[part for part, at in zip(PARTS, places, strict=True) if at < 0]}"
    assert places == sorted(places)


@each_chapter
def test_starting_values_have_a_source(chapter):
    text = harness.card(chapter)
    start = text[text.index("**Start with**") : text.index("**Measured here.**")]
    assert re.search(r"\{cite(:\w+)?\}`", start)


@each_chapter
def test_what_was_measured_is_confirmed_by_the_page(chapter):
    code = execute.code_of({"cells": cells(chapter)})
    names = MARK.findall(harness.card(chapter))
    assert names, "a card says what was measured"
    assert sorted(names) == sorted(set(re.findall(r"measured\.confirm\(\s*\"([^\"]+)\"", code)))


def test_nothing_is_stored_that_no_card_tells():
    told = [name for path in notebooks.paths() for name in MARK.findall(notebooks.source(cells_of(path)[0]))]
    assert sorted(told) == sorted(measured.stored())


def cells_of(path):
    return notebooks.read(path)["cells"]


@each_chapter
def test_the_tabs_are_short(chapter):
    tabs = harness.tabs(chapter)
    assert tuple(tabs) == harness.TABS
    for name, code in tabs.items():
        lines = [line for line in code.splitlines() if line.strip()]
        assert len(lines) <= TAB_LINES, f"{name}: {len(lines)} lines"
        assert max(map(len, lines)) <= WIDTH, f"{name}: a line of {max(map(len, lines))} characters"


@each_chapter
def test_the_tabs_are_run_by_a_test(chapter):
    assert (ROOT / "tests" / "cards" / f"test_{chapter.split('/')[1].replace('-', '_')}.py").exists()
