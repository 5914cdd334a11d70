"""What all tests share: the project's folder, exact messages, and a loud word when the site tests were skipped."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NO_BROWSER = "no Chromium was found and none could be fetched"
NO_LIVE = "the site was built without Run buttons: the runtime could not be fetched"


def exactly(text):
    """Return a pattern for `pytest.raises` that matches this message and no other."""
    return f"^{re.escape(text)}$"


@pytest.fixture(scope="session")
def root():
    """The folder of the project."""
    return ROOT


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """With several workers, keep a file's tests on one: all but the pages of the website, by far the longest file."""
    if config.pluginmanager.hasplugin("xdist"):
        for item in items:
            file = item.location[0]
            part = item.callspec.id.partition("-book/")[0] if file.endswith("test_pages.py") else ""
            item.add_marker(pytest.mark.xdist_group(f"{file} {part}"))


def pytest_terminal_summary(terminalreporter):
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if NO_LIVE in str(report.longrepr)]
    if skipped:
        terminalreporter.section("LIVE TESTS SKIPPED", sep="!", red=True, bold=True)
        terminalreporter.line(f"{len(skipped)} tests of cells that run in the page did not run: {NO_LIVE}.")
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if NO_BROWSER in str(report.longrepr)]
    if skipped:
        terminalreporter.section("SITE TESTS SKIPPED", sep="!", red=True, bold=True)
        terminalreporter.line(f"{len(skipped)} tests of the website did not run: {NO_BROWSER}.")
        terminalreporter.line("Install Chromium (Debian: apt-get install chromium) and run the tests again.")
