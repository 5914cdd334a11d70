"""The built site, served on a port of this machine, and a headless Chromium to look at it with."""

import os

import pytest
from playwright.sync_api import sync_playwright

from tests.conftest import NO_BROWSER, NO_LIVE, ROOT
from tests.site.live import Server
from tools import compressed
from tools.browser import launch
from tools.live.pages import FOLDER

HTML = ROOT / "_build" / "html"


@pytest.fixture(scope="session")
def html():
    """The folder of the built site."""
    if not (HTML / "index.html").exists():
        pytest.fail("there is no site to test: run `make book` (or `python -m tools.book build`) first")
    return HTML


@pytest.fixture(scope="session")
def address(html):
    """The site's address on this machine."""
    with compressed.serving(html) as found:
        yield found


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium. Without one the site tests are skipped, or fail where REQUIRE_BROWSER is set."""
    with sync_playwright() as playwright:
        found = launch(playwright)
        if found is None:
            (pytest.fail if os.environ.get("REQUIRE_BROWSER") else pytest.skip)(NO_BROWSER)
        yield found
        found.close()


@pytest.fixture(scope="session")
def live_site(html):
    """The site with live cells. Without them their tests are skipped, or fail where REQUIRE_LIVE is set."""
    if not (html / FOLDER / "service-worker.js").exists():
        (pytest.fail if os.environ.get("REQUIRE_LIVE") else pytest.skip)(NO_LIVE)
    return html


@pytest.fixture(scope="session")
def server(live_site):
    """The site below a folder of a compressing server."""
    started = Server(live_site)
    yield started
    started.close()


@pytest.fixture
def context(browser):
    """A fresh profile of the browser."""
    made = browser.new_context(viewport={"width": 1280, "height": 900})
    yield made
    made.close()
