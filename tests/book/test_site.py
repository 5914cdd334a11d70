"""The site: built where it disturbs nobody, finished when nothing is missing, and left alone where nothing changed."""

import os

import pytest

from tests.conftest import ROOT
from tools import branch, execute, site

LACKS = "formulas: left to MathJax"


@pytest.fixture
def small_site(monkeypatch, tmp_path):
    """A site of one page in a folder of its own; gives what has been done, and the lines that its build lacks."""
    done, lacking = [], []

    def sphinx(command, **_):
        done.append("built")
        html = site.NEW / "_build" / "html"
        html.mkdir(parents=True)
        (html / "index.html").write_text("page")
        return 0

    monkeypatch.setattr(site, "ROOT", tmp_path)
    for name, path in (("KEY", "site.key"), ("NEW", "new"), ("HTML", "_build/html"), ("STAGE", "stage")):
        monkeypatch.setattr(site, name, tmp_path / path)
    monkeypatch.setattr(site.execute, "stale", dict)
    monkeypatch.setattr(site.notebooks, "paths", list)
    monkeypatch.setattr(site, "stage", lambda: None)
    monkeypatch.setattr(site, "fingerprint", lambda: "same")
    monkeypatch.setattr(site.process, "run", sphinx)
    monkeypatch.setattr(site, "lighten", lambda html, writers: list(lacking))
    monkeypatch.setattr(site.labels, "of_site", lambda root, address: root)
    monkeypatch.setattr(site.plain, "write", lambda stage, html, known: done.append(("plain", html, known)))
    monkeypatch.setattr(site.branch, "write", lambda html: done.append(("branch", html)))
    monkeypatch.setattr(site.pages, "install", lambda html: done.append(("live", html)) or "live: all cells run")
    return done, lacking


def test_a_site_takes_its_place_with_the_plain_edition_and_the_branch_and_then_nothing_is_done(small_site, capsys):
    done, _ = small_site
    assert site.build() == 0
    html = site.NEW / "_build" / "html"
    assert done == ["built", ("plain", html, site.NEW), ("branch", html), ("live", html)]
    assert (site.HTML / "index.html").read_text() == "page"
    assert site.build() == 0
    assert len(done) == 4
    assert "site: up to date" in capsys.readouterr().out


def test_a_site_that_lacks_something_is_shown_and_is_not_finished(small_site, capsys):
    done, lacking = small_site
    lacking.append(LACKS)
    assert site.build() == 0
    assert (site.HTML / "index.html").exists()
    assert LACKS in capsys.readouterr().out.splitlines()
    lacking.clear()
    assert site.build() == 0
    assert done.count("built") == 2
    assert site.build() == 0
    assert done.count("built") == 2


def test_what_has_no_plain_form_leaves_the_old_site(small_site, monkeypatch, capsys):
    site.build()
    (site.HTML / "index.html").write_text("old")
    site.KEY.unlink()

    def refuse(*_):
        raise site.plain.NoPlainFormError("page, cell a: the role 'x' has no plain form")

    monkeypatch.setattr(site.plain, "write", refuse)
    assert site.build() == 1
    assert "error: page, cell a: the role 'x' has no plain form" in capsys.readouterr().out
    assert (site.HTML / "index.html").read_text() == "old"
    assert not site.KEY.exists()


@pytest.fixture
def no_runtime(monkeypatch):
    """What runs in the pages cannot be fetched."""

    def refuse(_):
        raise site.node.UnavailableError("numpy.whl could not be fetched")

    monkeypatch.setattr(site.pages, "install", refuse)


def test_without_the_runtime_the_site_is_one_to_read_and_not_finished(small_site, no_runtime, monkeypatch, capsys):
    monkeypatch.delenv("REQUIRE_LIVE", raising=False)
    assert site.build() == 0
    said = capsys.readouterr().out.splitlines()[0]
    assert said.startswith("WARNING: THE SITE HAS NO RUN BUTTONS: numpy.whl could not be fetched")
    assert (site.HTML / "index.html").exists()
    assert not site.KEY.exists()


def test_where_live_pages_are_required_the_build_fails_in_one_line(small_site, no_runtime, monkeypatch, capsys):
    monkeypatch.setenv("REQUIRE_LIVE", "1")
    assert site.build() == 1
    said = capsys.readouterr().out.splitlines()
    assert said == ["error: REQUIRE_LIVE is set, and the live pages cannot be made: numpy.whl could not be fetched"]
    assert not site.HTML.exists()


def test_the_fingerprint_sees_what_the_site_and_the_branch_are_built_from(monkeypatch, tmp_path):
    names = {path.relative_to(ROOT).as_posix() for path in site.builders()}
    assert names >= {
        "tools/site.py", "tools/plain.py", "tools/light/pages.py", "tools/light/formulas.mjs", "tools/reading.py",
        "tools/live/cells.py", "tools/live/measured.json", "tools/live/runtime.json", "tools/live/web/live.js"
    }  # fmt: skip
    assert not names & {"tools/mutants.py", "tools/lint.py", "tools/book.py"}
    monkeypatch.setattr(site, "ROOT", tmp_path)
    monkeypatch.setattr(site, "STAGE", tmp_path / "stage")
    for name in ("stage/book/a.md", "requirements.txt", "constraints.txt", "tools/site.py", "regbook/measured.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1")
    monkeypatch.setattr(site, "builders", lambda: {tmp_path / "tools/site.py"})
    monkeypatch.setattr(site.branch, "sources", lambda: [tmp_path / "regbook/measured.json"])
    seen = {site.fingerprint()}
    assert seen == {site.fingerprint()}
    for path in [each for each in tmp_path.rglob("*") if each.is_file()]:
        path.write_text("2")
        seen.add(site.fingerprint())
    assert len(seen) == 6


def test_the_branch_has_the_packages_and_nothing_that_a_run_leaves_behind():
    names = {path.relative_to(ROOT).as_posix() for path in branch.sources()}
    assert names >= {"reglib/__init__.py", "regbook/measured.json", "regstudy/store.py", "runtime.txt", "LICENSE"}
    assert any(name.startswith("regstudy/results/") for name in names)
    assert not [name for name in names if name.endswith((".pyc", ".partial.json"))]


def test_the_key_of_a_notebook_sees_every_pin(monkeypatch, tmp_path):
    monkeypatch.setattr(execute, "ROOT", tmp_path)
    notebook = {"cells": [{"cell_type": "code", "id": "a", "source": "1"}]}
    graph = type("Graph", (), {"modules": set()})
    for name in ("requirements.txt", "constraints.txt"):
        (tmp_path / name).write_text("a==1")
    keys = {execute.key(notebook, graph)}
    for name in os.listdir(tmp_path):
        (tmp_path / name).write_text("a==2")
        keys.add(execute.key(notebook, graph))
    assert len(keys) == 3
