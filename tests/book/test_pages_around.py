"""The pages around the chapters: what they link to, the map, the glossary, and the letters of the notation."""

import ast
import functools
import re
from html.parser import HTMLParser

import pytest
import yaml

from tests.conftest import ROOT
from tools import drawing, notebooks

BOOK = ROOT / "book"
LETTERS = "Letters with more than one meaning"


def read(name):
    return (BOOK / name).read_text(encoding="utf-8")


@functools.cache
def chapters():
    """Return the chapters in the table of contents, as files in ``book/``; evidence belongs to its chapter."""
    parts = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))["parts"]
    files = [page["file"].removeprefix("book/") for part in parts for page in part["chapters"]]
    return [file for file in files if (BOOK / f"{file}.ipynb").exists() and not file.startswith("evidence/")]


@functools.cache
def prose(path):
    """Return the text of a page: a notebook's Markdown cells, or the whole of a Markdown file."""
    if path.suffix == ".md":
        return path.read_text(encoding="utf-8")
    cells = notebooks.read(path)["cells"]
    return "\n\n".join(notebooks.source(cell) for cell in cells if cell["cell_type"] == "markdown")


def pages():
    return [*notebooks.paths(), *sorted(BOOK.glob("*.md"))]


@pytest.mark.parametrize("page", ["index.md", "from-the-source.md"])
def test_every_chapter_is_linked(page):
    linked = {file for file in re.findall(r"\]\(([\w/-]+)\.ipynb", read(page)) if not file.startswith("evidence/")}
    assert linked == set(chapters()), f"{page}: link the chapters that are missing, and no others"


def test_chapters_are_listed_in_the_order_of_the_contents():
    listed = read("index.md").split("## The chapters\n")[1]
    assert re.findall(r"^\d+\. \[[^]]+\]\(([\w/-]+)\.ipynb", listed, re.MULTILINE) == chapters()


def test_what_the_source_page_names_exists():
    for framework in ("torch", "keras"):
        tree = ast.parse((ROOT / "regkit" / framework / "__init__.py").read_text(encoding="utf-8"))
        names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
        named = set(re.findall(rf"regkit\.{framework}\.(\w+)", read("from-the-source.md")))
        assert named
        assert named <= names, f"regkit.{framework} lacks {named - names}"


# The map


class Links(HTMLParser):
    """Collects the links of each drawing, with the words on them."""

    def __init__(self):
        super().__init__()
        self.drawings, self.link, self.ids = [], None, []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.ids += [attributes["id"]] if "id" in attributes else []
        if tag == "svg":
            self.drawings.append({})
            assert attributes["aria-labelledby"] == "map-title"
        if tag == "a":
            self.link = attributes["href"]
            self.drawings[-1][self.link] = ""

    def handle_data(self, data):
        if self.link:
            self.drawings[-1][self.link] += data

    def handle_endtag(self, tag):
        self.link = None if tag == "a" else self.link


def test_the_stored_map_is_what_the_catalogue_draws():
    assert drawing.FILE.read_text(encoding="utf-8") == drawing.page(), "run python -m tools.drawing"


def test_both_drawings_lead_to_every_chapter_once():
    parser = Links()
    parser.feed(drawing.page())
    assert len(parser.drawings) == 2
    for links in parser.drawings:
        assert sorted(links) == sorted(f"{file}.html" for file in chapters())
        assert all(links.values()), "a link without words"
        steps = [f"{chapter.file}.html" for place in drawing.PLACES[:-2] for chapter in place.chapters]
        assert [file for file in links if file in steps] == steps, "read aloud in another order than the steps'"
    assert len(set(drawing.chapters())) == len(drawing.chapters())
    assert "map-title" in parser.ids


def test_names_on_the_map_fit_their_frames():
    for svg in re.findall(r"<svg.*?</svg>", drawing.page(), re.DOTALL):
        found = re.findall(r'<a [^>]*><rect[^>]* width="([\d.]+)"[^>]*/><text[^>]*>([^<]*)</text>', svg)
        assert len(found) == len(chapters())
        tight = [words for width, words in found if drawing.breadth(words, 13) > float(width) - 8]
        assert not tight, f"too long for their frames: {tight}"


def test_the_map_in_words_names_the_same_places_and_chapters():
    words = read("index.md").split(":::{dropdown} The map in words\n")[1].split("\n:::")[0]
    assert sorted(re.findall(r"\]\(([\w/-]+)\.ipynb", words)) == sorted(chapters())
    for place in drawing.PLACES:
        assert place.name.lower() in words.lower(), f"the map in words lacks {place.name!r}"


# Words


@functools.cache
def entries():
    """Return the glossary's words; a definition may have several."""
    block = read("glossary.md").split("```{glossary}\n")[1].split("\n```")[0]
    return [line for line in block.splitlines() if line and not line.startswith(" ")]


def terms(text):
    """Return the words that a text takes from the glossary."""
    return [re.sub(r"^.*<(.*)>$", r"\1", word.replace("\n", " ")) for word in re.findall(r"\{term\}`([^`]+)`", text)]


def test_every_term_is_in_the_glossary():
    known = {entry.lower() for entry in entries()}
    used = [(path.relative_to(BOOK), word) for path in pages() for word in terms(prose(path))]
    missing = [f"{page}: {word}" for page, word in used if word.lower() not in known]
    assert not missing


def test_the_glossary_has_each_word_once_and_in_order():
    keys = [re.sub(r"[^a-z ]", "", entry.lower().replace("–", " ")) for entry in entries()]
    heads = [key for key in keys if key != "dz"]  # the second name of an entry, where its first one stands
    assert heads == sorted(heads)
    assert len(set(keys)) == len(keys)


# Letters


def rows():
    """Return (symbol, meaning, chapters) for each row of the table of letters; an empty symbol repeats the last."""
    table, symbol, found = read("notation.md").split(f"## {LETTERS}\n")[1], "", []
    for line in table.splitlines():
        if line.startswith("|") and not line.startswith(("|:", "| Symbol")):
            first, meaning, where = (part.strip() for part in line.strip("|").split(" | "))
            symbol = first.strip("$") or symbol
            found.append((symbol, meaning, re.findall(r"\(([\w/-]+)\.ipynb\)", where)))
    return found


def formulas(file):
    """Return all formulas of a chapter before its exercises, without spaces."""
    text = prose(BOOK / f"{file}.ipynb").split("\n## Exercises")[0]
    return " ".join(re.findall(r"\$\$.+?\$\$|\$[^$\n]+\$", text, re.DOTALL)).replace(" ", "")


def stands(symbol, text):
    """Return whether a symbol stands in formulas: not as a part of a command, nor of a longer word."""
    pattern = re.escape(symbol.replace(" ", ""))
    if symbol[0].isalpha():
        pattern = r"(?<![A-Za-z\\])" + pattern
    return re.search(pattern + r"(?![A-Za-z])", text) is not None


@pytest.mark.parametrize(("symbol", "text", "expected"), [
    ("f", r"$f(x)$", True), ("f", r"$\frac{1}{2}$", False), (r"\alpha", r"$\alpha'$", True), ("h", r"$\tilde h$", True),
    ("g_t", r"$\tanh(g_t)$", True), ("a", r"$\alpha$", False),
])  # fmt: skip
def test_symbols_are_found_as_symbols(symbol, text, expected):
    assert stands(symbol, text) is expected


@pytest.mark.parametrize(("symbol", "meaning", "where"), rows())
def test_each_letter_stands_where_the_notation_says(symbol, meaning, where):
    assert meaning
    assert where
    absent = [file for file in where if not stands(symbol, formulas(file))]
    assert not absent, f"{symbol} ({meaning}) is in no formula of {absent}"
