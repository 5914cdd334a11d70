"""The plain edition in the built site: no MyST is left, every link leads somewhere, and it counts as the site does."""

import re
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from bs4 import BeautifulSoup

from tests.conftest import ROOT
from tools import branch, execute, labels, notebooks, plain, site

pytestmark = pytest.mark.site
FENCE = re.compile(r"(?ms)^[> ]*(`{3,}).*?^[> ]*\1`*$")
CODE = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)")
MYST = {
    "a directive": re.compile(r":{3,}|`{3,} *\{"),
    "a role": re.compile(r"\{[\w:+-]+\}`"),
    "a label": re.compile(r"(?m)^\s*\([\w-]+\)=\s*$"),
    "a labelled equation": re.compile(r"\$\$ *\([\w-]+\)"),
    "a substitution": re.compile(r"\{\{.*?\}\}"),
    "a comment": re.compile(r"<!--|^% "),
    "an option": re.compile(r"(?m)^ *:[\w-]+: "),
    "a link to a source": re.compile(r"\]\((?![a-z]+:)[^)]*\.(ipynb|md)\b"),
}
LINK = re.compile(r"\]\(([^)\s]+)\)")


@pytest.fixture(scope="module")
def edition(html):
    """The plain notebooks, by the names of their pages."""
    return {name: notebooks.read(path) for name, path in plain.edition(html).items()}


@pytest.fixture(scope="module")
def soups(html):
    """The pages of the site, parsed."""
    return {
        path.relative_to(html).with_suffix("").as_posix(): BeautifulSoup(path.read_bytes(), "html.parser")
        for path in (html / "book").rglob("*.html")
    }


def prose(notebook):
    """Return the Markdown of a notebook by cell, without its code."""
    found = {cell["id"]: notebooks.source(cell) for cell in notebook["cells"] if cell["cell_type"] == "markdown"}
    return {name: FENCE.sub("", text) for name, text in found.items()}


def test_every_notebook_has_a_plain_edition_that_is_a_notebook(edition):
    assert set(edition) == {f"book/{execute.name_of(path).removesuffix('.ipynb')}" for path in notebooks.paths()}
    for notebook in edition.values():
        nbformat.validate(nbformat.from_dict(notebook))


@pytest.mark.parametrize("kind", MYST)
def test_no_myst_is_left(edition, kind):
    found = [
        f"{name}, cell {cell}: {match[0]!r}"
        for name, notebook in edition.items()
        for cell, text in prose(notebook).items()
        for match in MYST[kind].finditer(text if kind == "a role" else CODE.sub("", text))
    ]
    assert not found, "\n".join(found)


def test_the_stored_notebooks_hold_what_these_patterns_find():
    stored = "\n".join(text for path in notebooks.paths() for text in prose(notebooks.read(path)).values())
    assert [kind for kind, pattern in MYST.items() if not pattern.search(stored)] == ["a substitution"]


@pytest.mark.parametrize("address", ["", "https://owner.github.io/a-book/"])
def test_every_link_leads_somewhere(html, edition, soups, address):
    known = labels.of_site(ROOT, address)
    anchors = {name: {tag["id"] for tag in soup.find_all(id=True)} for name, soup in soups.items()}
    broken, count = [], 0
    for name in edition:
        notebook = plain.convert(notebooks.read(site.STAGE / f"{name}.ipynb"), name, known)
        for cell, text in prose(notebook).items():
            for link in LINK.findall(text):
                inside = address and link.startswith(address)
                parts = urlsplit(link.removeprefix(address) if inside else link)
                if parts.scheme:
                    continue
                count += 1
                goal = (html if inside else (html / "_sources" / name).parent) / unquote(parts.path)
                page = goal.resolve().relative_to(html.resolve()).with_suffix("").as_posix()
                relative = bool(address) and not inside
                if relative or page not in soups or (parts.fragment and parts.fragment not in anchors[page]):
                    broken.append(f"{name}, cell {cell}: {link}")
    assert not broken, "\n".join(broken)
    assert count > 200


def test_equations_figures_and_exercises_count_as_on_the_site(edition, soups):
    for name, notebook in edition.items():
        text, soup = "\n".join(prose(notebook).values()), soups[name]
        captions = [tag.get_text().strip() for tag in soup.select(".caption-number")]
        assert re.findall(r"\\tag\{([\d.]+)\}", text) == [
            tag.get_text().split(")")[0].strip("(") for tag in soup.select(".eqno")
        ], name
        assert re.findall(r"(?m)^\*\*(Fig\. [\d.]+)\.\*\*", text) == [each for each in captions if "Fig" in each], name
        exercises = [each for each in captions if "Exercise" in each]
        assert re.findall(r"(?m)^### (Exercise [\d.]+): ", text) == exercises, name
        solved = [f"Exercise {number}" for number in re.findall(r"<summary>Solution to exercise ([\d.]+)<", text)]
        assert solved == exercises, name


def test_citations_name_whom_the_site_names(edition, soups):
    for name, notebook in edition.items():
        shown = [" ".join(tag.get_text().split()) for tag in soups[name].select(".bibtex-citation")]
        cited = {each.translate(str.maketrans("[]", "()")) for each in shown}
        text, _, listed = "\n".join(prose(notebook).values()).partition("## References")
        assert not [each for each in cited if each not in text], name
        works = {link["title"] for link in soups[name].select(".bibtex-citation a")}
        assert len(re.findall(r"(?m)^- ", listed)) == len(works), name


def test_folded_parts_have_the_blank_lines_that_markdown_needs(edition):
    for name, notebook in edition.items():
        for cell, text in prose(notebook).items():
            assert text.count("<details>") == text.count("</details>"), (name, cell)
            assert not re.search(r"</summary>[^\n]*\n(?!\n)", text), (name, cell)
            assert not re.search(r"[^\n]\n</details>", text), (name, cell)


def test_code_is_that_of_the_stored_notebook(edition):
    for path in notebooks.paths():
        stored = [cell for cell in notebooks.read(path)["cells"] if cell["cell_type"] == "code"]
        made = edition[f"book/{execute.name_of(path).removesuffix('.ipynb')}"]
        code = [cell for cell in made["cells"] if cell["cell_type"] == "code"]
        assert [(each["id"], notebooks.source(each)) for each in code] == [
            (each["id"], notebooks.source(each)) for each in stored
        ]


def test_the_download_button_gives_the_plain_edition(html, edition, soups):
    for name in edition:
        (button,) = soups[name].select("a.btn-download-source-button")
        goal = ((html / name).parent / button["href"]).resolve()
        assert goal == plain.edition(html.resolve())[name]


def test_the_branch_holds_the_notebooks_and_what_they_need(html, edition):
    assert {name: notebooks.read(branch.FOLDER / f"{name}.ipynb") for name in edition} == edition
    needs = {"reglib/__init__.py", "regbook/measured.json", "regstudy/store.py", "runtime.txt", "pyproject.toml"}
    assert all((branch.FOLDER / name).exists() for name in needs)
    assert not list(branch.FOLDER.rglob("__pycache__"))
    lines = (branch.FOLDER / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "--extra-index-url https://download.pytorch.org/whl/cpu"
    installed = {re.split(r"[=<>]", line)[0] for line in lines[1:] if line and not line.startswith("#")}
    assert {"numpy", "torch", "keras", "scikit-learn", "matplotlib"} <= installed
    assert not installed & {"jupyter-book", "pytest", "ruff"}
