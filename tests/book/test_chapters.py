"""What every chapter owes its reader: anatomy, clean storage, short cells, captions, citations, exercises, a budget."""

import ast
import functools
import re

import pytest

from tests.conftest import ROOT
from tools import execute, notebooks, reading, site

PAGES = {path.relative_to(ROOT / "book").with_suffix("").as_posix(): path for path in notebooks.paths()}
# An evidence page holds what a chapter links to: proofs at length, whole programs, further studies.
CHAPTERS = [name for name in PAGES if not name.startswith("evidence/")]
EVIDENCE = [name for name in PAGES if name.startswith("evidence/")]
SECTIONS = [
    "The problem",
    "The idea",
    "From scratch",
    "The gradient",
    "In PyTorch and Keras",
    "Does it regularize?",
    "When to use it, when not",
    "Summary",
    "Exercises",
    "Sources",
]
VISIBLE_LINES, FOLDED_LINES = 12, 20
# Of a whole chapter before its exercises, counted by tools.reading: what can be read in one sitting. The card and its
# tabs are for looking up and do not count; captions, folded text and folded cells do.
WORDS, CELLS, LINES, FOLDED_IN_ALL = 2600, 30, 200, 120
BEFORE_THE_FIRST_FIGURE = 30  # lines of code
IMAGES = ("image/png", "image/svg+xml", "image/jpeg")

each_chapter = pytest.mark.parametrize("chapter", sorted(CHAPTERS))
each_page = pytest.mark.parametrize("chapter", sorted(PAGES))
each_evidence = pytest.mark.parametrize("chapter", sorted(EVIDENCE))


@functools.cache
def cells(chapter):
    return notebooks.read(PAGES[chapter])["cells"]


@functools.cache
def executed(chapter):
    return site.with_outputs(PAGES[chapter])["cells"]


def of_kind(chapter, kind):
    return [cell for cell in cells(chapter) if cell["cell_type"] == kind]


def prose(chapter):
    return "\n\n".join(notebooks.source(cell) for cell in of_kind(chapter, "markdown"))


def test_every_notebook_is_in_the_table_of_contents():
    listed = set(re.findall(r"file: (\S+)", (ROOT / "_toc.yml").read_text(encoding="utf-8")))
    assert {f"book/{name}" for name in PAGES} <= listed


def test_every_notebook_was_executed_as_it_stands():
    assert execute.stale() == {}


@each_page
def test_stored_clean(chapter):
    notebook = notebooks.read(PAGES[chapter])
    assert notebooks.problems(notebook) == []
    assert PAGES[chapter].read_bytes() == notebooks.dump(notebooks.clean(notebook))


@each_chapter
def test_sections_in_order(chapter):
    headings = re.findall(r"^## (.+)$", prose(chapter), flags=re.MULTILINE)
    assert headings == SECTIONS


@each_chapter
def test_title_cell_promises_and_times(chapter):
    first = cells(chapter)[0]
    text = notebooks.source(first)
    assert first["cell_type"] == "markdown"
    assert text.startswith("# ")
    assert "you will be able to" in text
    assert not re.search(r"\d+ (minutes|seconds) to", text), "the build says how long it takes"
    assert cells(chapter)[1]["id"] == notebooks.SETUP_ID


@each_chapter
def test_a_chapter_can_be_read_in_one_sitting(chapter):
    found = reading.length({"cells": executed(chapter)})
    assert found.words <= WORDS
    assert found.cells <= CELLS
    assert found.lines <= LINES
    assert found.folded <= FOLDED_IN_ALL


@each_chapter
def test_the_first_figure_comes_before_any_plumbing(chapter):
    lines = 0
    for cell in executed(chapter):
        if cell["cell_type"] != "code" or cell["id"] == notebooks.SETUP_ID:
            continue
        if has_figure(cell):
            break
        lines += reading.code_lines(cell)
    assert lines <= BEFORE_THE_FIRST_FIGURE


@each_evidence
def test_evidence_and_chapter_link_to_each_other(chapter):
    text = prose(chapter)
    assert notebooks.source(cells(chapter)[0]).startswith("# ")
    there = [name for name in CHAPTERS if re.search(rf"\]\(\.\./{name}\.ipynb", text)]
    back = [name for name in there if re.search(rf"evidence/{chapter.split('/')[1]}\.ipynb", prose(name))]
    assert back, "no chapter that this page links to links back"


@each_page
def test_cells_are_short(chapter):
    for cell in of_kind(chapter, "code"):
        if cell["id"] == notebooks.SETUP_ID:
            continue
        limit = FOLDED_LINES if reading.FOLDED & set(cell["metadata"].get("tags", [])) else VISIBLE_LINES
        assert (count := reading.code_lines(cell)) <= limit, f"cell {cell['id']}: {count} lines, at most {limit}"


@each_page
def test_figures_have_caption_and_alternative_text(chapter):
    for cell in executed(chapter):
        if has_figure(cell) and not has_slider(cell):
            options = cell["metadata"].get("mystnb", {})
            assert len(options.get("image", {}).get("alt", "")) >= 40, f"cell {cell['id']}: alternative text"
            assert len(options.get("figure", {}).get("caption", "")) >= 40, f"cell {cell['id']}: caption"
            assert options["figure"].get("name", "").startswith("fig-"), f"cell {cell['id']}: a name, fig-..."


def has_figure(cell):
    outputs = cell.get("outputs", [])
    return has_slider(cell) or any(kind in output.get("data", {}) for output in outputs for kind in IMAGES)


def has_slider(cell):
    texts = ["".join(output.get("data", {}).get("text/html", "")) for output in cell.get("outputs", [])]
    return any('type="range"' in text for text in texts)


@each_page
def test_sliders_are_light_and_captioned(chapter):
    for cell in executed(chapter):
        if has_slider(cell):
            text = "".join("".join(output.get("data", {}).get("text/html", "")) for output in cell["outputs"])
            assert len(text.encode()) <= 300_000, f"cell {cell['id']}: {len(text.encode())} bytes"
            assert "<figcaption" in text


@each_page
def test_each_output_is_read_aloud(chapter):
    pairs = zip(executed(chapter), [*executed(chapter)[1:], None], strict=True)
    silent = [
        cell["id"]
        for cell, after in pairs
        if cell.get("outputs") and (after is None or after["cell_type"] != "markdown")
    ]
    assert not silent, f"no text follows the output of {silent}"


@each_page
def test_nothing_warns_on_the_page(chapter):
    loud = [
        cell["id"] for cell in executed(chapter) for output in cell.get("outputs", []) if output.get("name") == "stderr"
    ]
    assert not loud, f"these cells print to stderr: {loud}"


@each_page
def test_citations_are_in_the_bibliography(chapter):
    entries = set(
        re.findall(r"^@\w+\{([^,]+),", (ROOT / "book/references.bib").read_text(encoding="utf-8"), re.MULTILINE)
    )
    cited = {
        key.strip() for keys in re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", prose(chapter)) for key in keys.split(",")
    }
    assert cited or chapter in EVIDENCE, "a chapter cites its sources"
    assert cited <= entries, f"not in references.bib: {cited - entries}"


@each_page
def test_no_network_and_no_installation(chapter):
    for cell in of_kind(chapter, "code"):
        if cell["id"] == notebooks.SETUP_ID:
            continue
        text = notebooks.source(cell)
        assert not re.search(r"https?://|\bpip\b|^\s*[!%]", text, re.MULTILINE), f"cell {cell['id']}"
        names = {
            alias.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import) for alias in node.names
        }
        assert not names & {"urllib", "requests", "socket", "urllib.request", "subprocess"}, f"cell {cell['id']}"


@each_chapter
def test_gradients_and_parity_are_checked(chapter):
    code = "\n".join(notebooks.source(cell) for cell in of_kind(chapter, "code"))
    assert "gradcheck." in code
    assert "replay." in code


@each_chapter
def test_exercises(chapter):
    text = prose(chapter)
    exercises = re.findall(r"^:::\{exercise\} ?(.*)\n:label: (\S+)$", text, flags=re.MULTILINE)
    labels = [label for _, label in exercises]
    assert len(labels) >= 5
    assert any("bug hunt" in title.lower() for title, _ in exercises)
    assert sorted(re.findall(r"^:::\{solution\} (\S+)$", text, flags=re.MULTILINE)) == sorted(labels)
    for label in labels:
        body = text.split(f":label: {label}\n")[1].split(f":::{{solution}} {label}\n")[0]
        assert body.count("<summary>Hint") >= 2, f"{label}: at least two hints"
    assert len(re.findall(r"\bcheck\.\w+\(", "\n".join(notebooks.source(c) for c in of_kind(chapter, "code")))) >= len(
        labels
    )


@each_page
def test_budget(chapter):
    row = execute.runs()[execute.name_of(PAGES[chapter])]
    assert row["cpu_seconds"] <= execute.LIMIT_SECONDS
    assert row["peak_mb"] <= execute.LIMIT_MB
