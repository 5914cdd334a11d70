"""Which Chromium is used: the system's, else Playwright's own, fetched if need be; by tests, prints and Lighthouse."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from tools import browser
from tools.lighthouse import __main__ as lighthouse


@pytest.fixture
def playwright(monkeypatch, tmp_path):
    """A Playwright whose own Chromium is not there; fetching it is noted in ``fetched``, and does not work."""
    fake = SimpleNamespace(chromium=SimpleNamespace(executable_path=str(tmp_path / "own"), launch=None), fetched=[])
    monkeypatch.setattr(browser.shutil, "which", lambda name: None)
    monkeypatch.setattr(browser.subprocess, "run", lambda command, **_: fake.fetched.append(command[1:]))
    return fake


def test_the_systems_comes_first_and_nothing_is_fetched(playwright, monkeypatch):
    monkeypatch.setattr(browser.shutil, "which", lambda name: f"/bin/{name}" if name == "google-chrome" else None)
    Path(playwright.chromium.executable_path).touch()
    assert browser.path(playwright) == "/bin/google-chrome"
    assert playwright.fetched == []


def test_playwrights_own_is_taken_and_fetched_once(playwright, monkeypatch):
    own = Path(playwright.chromium.executable_path)

    def fetch(command, **_):
        playwright.fetched.append(command[1:])
        own.touch()

    monkeypatch.setattr(browser.subprocess, "run", fetch)
    assert [browser.path(playwright), browser.path(playwright)] == [str(own), str(own)]
    assert playwright.fetched == [["-m", "playwright", "install", "chromium"]]


def test_without_any_there_is_none(playwright):
    assert browser.path(playwright) is None
    assert browser.launch(playwright) is None
    assert len(playwright.fetched) == 2


@pytest.mark.parametrize("system", [False, True])
def test_one_that_does_not_start_is_none_if_fetched_and_an_error_if_the_systems(playwright, monkeypatch, system):
    def launch(**_):
        raise browser.Error("it lacks a library")

    playwright.chromium.launch = launch
    Path(playwright.chromium.executable_path).touch()
    if not system:
        assert browser.launch(playwright) is None
        return
    monkeypatch.setattr(browser.shutil, "which", lambda name: "/bin/chromium")
    with pytest.raises(browser.Error, match="it lacks a library"):
        browser.launch(playwright)


def test_lighthouse_measures_in_the_same_chromium(monkeypatch, tmp_path):
    def run(what, arguments, env):
        (option,) = [each for each in arguments if str(each).startswith("--output-path=")]
        Path(option.partition("=")[2]).write_text(json.dumps([what, arguments[1], env["CHROME_PATH"]]))

    monkeypatch.setattr(lighthouse.node, "modules", lambda source: tmp_path)
    monkeypatch.setattr(lighthouse.node, "run", run)
    assert lighthouse.measure("http://x/a.html", "phone", "/own") == ["Lighthouse", "http://x/a.html", "/own"]
