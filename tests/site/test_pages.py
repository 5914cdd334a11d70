"""Every page in a real browser: wide and narrow, light and dark."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.conftest import ROOT

pytestmark = pytest.mark.site

HTML = ROOT / "_build" / "html"
SIZES = {"wide": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
# What the theme and docutils get wrong and we cannot mend: (rule, pattern of the offending element's HTML).
THEME = [
    ("label-content-name-mismatch", r'class="[^"]*(search-button|sidebar-toggle|theme-switch|btn)'),
    ("summary-name", r"<summary"),
    ("region", r'class="logo__image'),
    ("aria-deprecated-role", r'class="citation"'),
    ("aria-allowed-role", r'class="citation"'),
    ("aria-required-children", r'class="citation-list"'),
]


# Code and formulas that are wider than the box that they stand in, by their beginning.
CUT_OFF = """() => [...document.querySelectorAll("div.highlight pre, mjx-container[display=true], div.math")]
    .filter((box) => box.clientWidth && box.scrollWidth > box.clientWidth + 1)
    .map((box) => (box.innerText || box.closest("[id]")?.id || "a formula").slice(0, 60))"""


def pages():
    """Return the site's pages that a reader meets, as paths in the site."""
    if not HTML.exists():
        return ["book/index.html"]
    left_out = ("_static", "_sources", "_modules")
    found = [path.relative_to(HTML) for path in HTML.rglob("*.html")]
    return sorted(
        path.as_posix()
        for path in found
        if path.parts[0] not in left_out and path.name not in ("index.html", "404.html")
    )


def chapters():
    """Return the pages that come from notebooks."""
    sources = (path.relative_to(ROOT).with_suffix(".html").as_posix() for path in (ROOT / "book").rglob("*.ipynb"))
    return sorted(sources)


class Visit:
    """One page, open in the browser, with everything it complained about or asked for."""

    def __init__(self, browser, address, page, size, theme):
        self.context = browser.new_context(viewport=SIZES[size], color_scheme=theme)
        self.context.add_init_script(
            f"localStorage.setItem('mode', '{theme}'); localStorage.setItem('theme', '{theme}');"
        )
        self.page = self.context.new_page()
        self.errors, self.foreign = [], []
        self.page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self._watch(request.url, address))
        self.page.goto(address + page, wait_until="load")
        self.page.wait_for_function("!window.MathJax || (window.MathJax.startup && window.MathJax.startup.document)")
        self.page.evaluate("window.MathJax && window.MathJax.startup && window.MathJax.startup.promise")

    def _watch(self, url, address):
        if not url.startswith((address, "data:", "blob:")):
            self.foreign.append(url)

    def close(self):
        self.context.close()


@pytest.fixture(params=["light", "dark"])
def theme(request):
    return request.param


@pytest.fixture(params=sorted(SIZES))
def size(request):
    return request.param


def excused(rule, markup):
    """Return whether a violation is the theme's own."""
    return any(rule == known and re.search(pattern, markup) for known, pattern in THEME)


@pytest.mark.parametrize("page", pages())
def test_page(browser, address, page, size, theme):
    visit = Visit(browser, address, page, size, theme)
    try:
        tab = visit.page
        assert tab.evaluate("document.documentElement.dataset.theme") == theme
        assert not visit.errors
        assert not visit.foreign
        formulas, rendered = tab.locator(".math").count(), tab.locator("mjx-container").count()
        assert rendered >= formulas, f"{formulas} formulas, {rendered} rendered"
        assert tab.locator("mjx-merror").count() == 0
        assert "\\(" not in tab.locator("body").inner_text()
        widths = tab.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert widths[0] <= widths[1], f"the page is {widths[0]} px wide in a window of {widths[1]} px"
        if size == "wide":
            assert not (cut := tab.evaluate(CUT_OFF)), f"cut off at {SIZES[size]['width']} px: {cut}"
        violations = [
            f"{found['id']}: {found['help']}: {node['html'][:300]}"
            for found in Axe().run(tab).response["violations"]
            for node in found["nodes"]
            if not excused(found["id"], node["html"])
        ]
        assert not violations, "\n".join(violations)
    finally:
        visit.close()


@pytest.mark.parametrize("page", [page for page in chapters() if not page.startswith("book/evidence/")])
def test_the_card_fits_one_screen(browser, address, page):
    visit = Visit(browser, address, page, "wide", "light")
    try:
        tabs = visit.page.locator("article .sd-tab-set").first
        assert [name.strip() for name in tabs.locator("label").all_inner_texts()] == ["PyTorch", "Keras", "NumPy"]
        for label in tabs.locator("label").all():
            label.click()
            box = tabs.bounding_box()
            assert box["y"] + box["height"] <= SIZES["wide"]["height"], "the card is higher than the window"
    finally:
        visit.close()


@pytest.mark.parametrize("page", chapters())
def test_sliders_move_by_keyboard(browser, address, page):
    visit = Visit(browser, address, page, "wide", "light")
    try:
        sliders = visit.page.locator("article input[type=range]")
        for index in range(sliders.count()):
            slider = sliders.nth(index)
            figure = visit.page.locator("figure").filter(has=visit.page.locator("input[type=range]")).nth(index)
            slider.focus()
            slider.press("Home")
            before = figure.locator("svg").first.inner_html(), figure.locator("output").first.inner_text()
            slider.press("End")
            after = figure.locator("svg").first.inner_html(), figure.locator("output").first.inner_text()
            assert before[0] != after[0], f"slider {index + 1}: the drawing does not change"
            assert before[1] != after[1], f"slider {index + 1}: the text does not change"
    finally:
        visit.close()
