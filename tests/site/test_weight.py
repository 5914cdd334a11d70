"""What a page asks for before anything is run in it: how much, how often, and of whom."""

import re
from urllib.parse import urlsplit

import pytest

from tests.site.test_pages import SIZES, chapters, pages
from tools import notebooks, site
from tools.light import pages as light

pytestmark = pytest.mark.site
HOME_KB, CHAPTER_KB = 250, 700
REQUESTS = 18  # two of them for the cells that run


# How far things move, as browsers count it.
SHIFT = """new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift = (window.shift || 0) + entry.value;
}).observe({ type: "layout-shift", buffered: true });"""


def visit(browser, address, page, size):
    """Open a page; return {address: bytes over the wire}, how far things moved, and what the console complained of."""
    context = browser.new_context(viewport=SIZES[size])
    try:
        tab, done, said = context.new_page(), [], []
        tab.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
        tab.on("requestfinished", lambda request: done.append(request))
        tab.add_init_script(SHIFT)
        tab.goto(address + page, wait_until="networkidle")
        sizes = {request.url: request.sizes()["responseBodySize"] for request in list(done)}
        return sizes, tab.evaluate("window.shift || 0"), said
    finally:
        context.close()


@pytest.mark.parametrize("page", ["book/index.html", *chapters()])
@pytest.mark.parametrize("size", sorted(SIZES))
def test_a_page_is_light_and_stands_still(browser, address, page, size):
    sizes, shift, said = visit(browser, address, page, size)
    kilobytes = sum(sizes.values()) / 1000
    assert kilobytes <= (HOME_KB if page == "book/index.html" else CHAPTER_KB), sizes
    assert len(sizes) <= REQUESTS, sorted(sizes)
    if shift >= 0.1:  # on a busy machine letters come late: what stays is the page's own fault
        shift = min(shift, visit(browser, address, page, size)[1])
    assert shift < 0.1
    assert not said


@pytest.mark.parametrize("page", pages())
def test_a_page_asks_for_one_sheet_one_script_and_no_index_of_the_search(html, page):
    head = (html / page).read_text(encoding="utf-8").partition("</head>")[0]
    sheets = re.findall(r'<link\b[^>]*rel="stylesheet"[^>]*href="([^"]+)"', head)
    assert "site.css" in map(_name, sheets)
    assert set(map(_name, sheets)) <= {"site.css", "formulas.css", "live.css"}
    scripts = re.findall(r"<script\b([^>]*)\bsrc=\"([^\"]+)\"", head)
    assert all("defer" in options or "module" in options for options, _ in scripts), scripts
    assert ("searchindex.js" in {_name(source) for _, source in scripts}) == (page == "search.html")
    assert head.count('name="viewport"') == 1


def _name(address):
    return address.partition("?")[0].rpartition("/")[2]


def test_nothing_is_published_that_no_page_asks_for(html):
    files = [path for path in (html / "_static").rglob("*") if path.is_file()]
    assert not [path.name for path in files if path.suffix == ".map" or "fontawesome" in path.as_posix()]
    assert (html / "_static" / "formulas.css").exists() != (html / "_static" / "mathjax" / light.BUNDLE).exists()
    assert not re.search(r"sourceMappingURL", (html / "_static" / "site.js").read_text(encoding="utf-8"))


def test_every_icon_has_its_drawing(browser, address):
    """Drawn in the icons' own font, not in a box that stands for a missing one."""
    context = browser.new_context(viewport=SIZES["wide"])
    try:
        tab = context.new_page()
        tab.goto(address + "book/index.html", wait_until="load")
        drawn = tab.evaluate(
            """async () => {
                await document.fonts.ready;
                const icons = [...document.querySelectorAll("i.fa-solid")];
                return icons.map((icon) => [icon.className, getComputedStyle(icon, "::before").content]);
            }"""
        )
        faces = tab.evaluate(
            "[...document.fonts].filter((face) => face.status === 'loaded').map((face) => face.family)"
        )
    finally:
        context.close()
    assert drawn
    assert not [name for name, content in drawn if content in ("none", "normal")]
    assert any("Font Awesome" in family for family in faces)


def test_the_missing_page_leads_back(html):
    text = (html / "404.html").read_text(encoding="utf-8")
    base = urlsplit(site.pages_address(notebooks.address())).path or "/"
    assert f'<base href="{base}" />' in text
    targets = re.findall(r'<(?:a|link)\b[^>]*href="([^"]+)"', text)
    assert {"book/index.html", "search.html"} <= set(targets)
    assert not [target for target in targets if not (html / target).is_file()]
