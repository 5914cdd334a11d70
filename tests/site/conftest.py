"""The built site, served on a port of this machine, and a headless Chromium to look at it with."""

import functools
import http.server
import os
import threading

import pytest
from playwright.sync_api import sync_playwright

from tests.conftest import NO_BROWSER, ROOT
from tools.browser import launch

HTML = ROOT / "_build" / "html"


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files and keeps its log to itself."""

    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def html():
    """The folder of the built site."""
    if not (HTML / "index.html").exists():
        pytest.fail("there is no site to test: run `make book` (or `python -m tools.book build`) first")
    return HTML


@pytest.fixture(scope="session")
def address(html):
    """The site's address on this machine."""
    handler = functools.partial(QuietHandler, directory=str(html))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium. Without one the site tests are skipped, or fail where REQUIRE_BROWSER is set."""
    with sync_playwright() as playwright:
        found = launch(playwright)
        if found is None:
            (pytest.fail if os.environ.get("REQUIRE_BROWSER") else pytest.skip)(NO_BROWSER)
        yield found
        found.close()
