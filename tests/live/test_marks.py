"""The last step of the build: marks in the pages, the files beside them, and what happens without the runtime."""

import html
import json

import pytest

from tests.conftest import exactly
from tools import node
from tools.live import bundle, cells, pages

PAGE = """<html><head><title>t</title></head><body>
<div class="cell docutils container">one</div>
<div class="cell tag_hide-input docutils container">two</div>
<div class="cell docutils container">three</div></body></html>"""
SURVEY = [
    cells.Cell("a", "x = 1", "needs <PyTorch>"),
    cells.Cell("b", "x = 2", ""),
    cells.Cell("c", "check.limit(x)", "", "limit"),
]
FILES = {"p-0123456789abcdef/live.js": b"1", "service-worker.js": b"2"}


def test_marks():
    found = pages.marked(PAGE, SURVEY)
    assert '<div class="cell docutils container" data-live="shown" data-live-id="a" ' in found
    assert 'data-live-why="needs &lt;PyTorch&gt;">one' in found
    assert '<div class="cell tag_hide-input docutils container" data-live="run" data-live-id="b">two' in found
    assert 'data-live="run" data-live-id="c" data-live-check="limit">three' in found


def test_the_script_is_put_in_once():
    found = pages.with_script(PAGE, "book/a/b", FILES, {"notebook": "_sources/a.ipynb"})
    assert found.count("<script") == found.count("<link") == 1


def test_the_script_knows_its_page():
    found = pages.with_script(PAGE, "book/a/b", FILES, {"notebook": "_sources/a.ipynb"})
    assert 'src="../../_static/live/p-0123456789abcdef/live.js"' in found
    told = json.loads(html.unescape(found.partition('data-live-page="')[2].partition('"')[0]))
    assert told == {"name": "book/a/b", "root": "../../", "notebook": "_sources/a.ipynb"}


def test_a_page_with_another_number_of_cells_is_an_error():
    with pytest.raises(ValueError, match=exactly("survey must have a cell for each of the page's 3, got 2")):
        pages.marked(PAGE, SURVEY[:2])


def test_files_are_laid_out(tmp_path):
    source = tmp_path / "big"
    source.write_bytes(b"3")
    pages.lay_out(tmp_path / "site", {"p-1/a.js": b"1", "r-1/b": source})
    folder = tmp_path / "site" / pages.FOLDER
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert found == {"p-1/a.js": b"1", "r-1/b": b"3"}


@pytest.fixture
def unavailable(monkeypatch):
    """No file of the runtime can be had."""

    def refuse():
        raise node.UnavailableError("numpy.whl could not be fetched")

    monkeypatch.setattr(pages, "prepare", refuse)


def test_without_the_runtime_a_site_stays_as_it_is(unavailable, tmp_path):
    home = tmp_path / "book" / "index.html"
    home.parent.mkdir()
    home.write_text(PAGE)
    with pytest.raises(node.UnavailableError):
        pages.install(tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [home]
    assert home.read_text() == PAGE


def test_the_bundle_is_the_same_bytes_each_time_and_holds_what_pages_import():
    assert bundle.archive() == bundle.archive()
    held = bundle.files()
    assert {"reglib/__init__.py", "regcheck/core.py", "regbook/measured.json", "sklearn/digits.npz"} <= set(held)
    assert "tools/live/runner.py" in held
    assert not any("__pycache__" in name for name in held)


def test_modules_that_need_matplotlib_by_their_import_alone():
    assert bundle.heavy() == {"regbook.plotting": ["matplotlib"], "regbook.slider": ["matplotlib"]}


def test_the_data_sets_are_scikit_learns(root, tmp_path, monkeypatch):
    import importlib.util

    import numpy as np
    from sklearn import datasets

    for name, content in bundle.data_sets().items():
        (tmp_path / name.removeprefix("sklearn/")).write_bytes(content)
    source = root / "tools/live/stand_ins/sklearn/datasets.py"
    (tmp_path / "datasets.py").write_bytes(source.read_bytes())
    spec = importlib.util.spec_from_file_location("stand_in", tmp_path / "datasets.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, options in (("diabetes", {"scaled": False}), ("digits", {}), ("breast_cancer", {})):
        ours = getattr(module, f"load_{name}")(**options)
        theirs = getattr(datasets, f"load_{name}")(**options)
        np.testing.assert_array_equal(ours.data, theirs.data)
        np.testing.assert_array_equal(ours.target, theirs.target)
        assert ours.feature_names == [str(name) for name in theirs.feature_names]


def test_chapters_of_the_home_page_come_in_the_order_of_the_book():
    found = pages.chapters()
    assert [page for page, *_ in found][:2] == ["book/foundations/why-regularize", "book/foundations/conventions"]
    assert all(title and not title.startswith("#") and count > 3 for _, title, count in found)
