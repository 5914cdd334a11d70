"""Sliders in the browser: at each value the reader sees the frame that matplotlib drew; tables and messages, too."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest
from axe_playwright_python.sync_playwright import Axe

from regbook import notebook, slider
from regcheck import core

pytestmark = pytest.mark.site


def moving(value):
    """Draw a frame whose lines, texts and number of elements depend on the value."""
    figure, ax = plt.subplots(figsize=(5, 3))
    ax.plot([0.1, 1, 2], [0.1, value, 1], "o--", label="$w_1$")
    ax.set(xscale="log", xlim=(0.1, 2), ylim=(-1, 3), title=f"at {value} & <more>")
    if value > 1:
        ax.axvline(value)
        ax.legend()
    return figure


@pytest.fixture(scope="module")
def sliders():
    mpl.use("Agg")
    options = {"label": "Strength", "describe": "The line passes {}.".format}
    first = slider.Slider(moving, [0.5, 1.0, 1.5, 2.0], caption="One.", start=2, **options)
    return [first, slider.Slider(moving, [0.5, 2.0], caption="Two.", **options)]


@pytest.fixture
def tab(browser, sliders):
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    body = "".join(made.html for made in sliders) + sliders[0].html  # the first is shown twice, as Jupyter may do
    page.set_content(f"<!doctype html><html lang='en'><title>t</title><body>{body}</body></html>")
    yield page
    context.close()


def drawing(tab, figure):
    """Return a figure's SVG as the browser has it, its attributes sorted."""
    return figure.locator("svg").evaluate(ORDERED)


ORDERED = """svg => [svg, ...svg.querySelectorAll("*")].map(node => [
    node.tagName, [...node.attributes].filter(a => !a.name.startsWith("xmlns")).map(a => a.name + "=" + a.value).sort(),
    node.children.length ? "" : node.textContent])"""
PARSED = f"""text => {{
    const box = document.createElement("div"); box.innerHTML = text; return ({ORDERED})(box.querySelector("svg")) }}"""


def test_every_frame_is_the_one_drawn_in_whatever_order(tab, sliders):
    figure = tab.locator("figure").first
    control = figure.locator("input")
    control.focus()
    for key, expected in (("End", 3), ("Home", 0), ("ArrowRight", 1), ("End", 3), ("ArrowLeft", 2), ("Home", 0)):
        control.press(key)
        assert drawing(tab, figure) == tab.evaluate(PARSED, slider._dump(sliders[0].frames[expected]))
        assert figure.locator("output").inner_text() == sliders[0].texts[expected]
        assert figure.locator(".slider-value").inner_text() == sliders[0].names[expected]
        assert control.get_attribute("aria-valuetext") == sliders[0].names[expected]
    assert not tab.problems


def test_sliders_do_not_disturb_each_other(tab):
    figures = tab.locator("figure")
    before = [drawing(tab, figures.nth(index)) for index in range(3)]
    figures.nth(1).locator("input").press("End")
    figures.nth(2).locator("input").press("End")
    after = [drawing(tab, figures.nth(index)) for index in range(3)]
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, False, False]
    assert not tab.problems


def test_it_fits_a_phone(tab):
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390


def test_it_leaves_no_name_behind(tab):
    empty = tab.context.new_page()
    names = "Object.keys(window).sort().join()"
    assert tab.evaluate(names) == empty.evaluate(names)


def test_without_javascript_it_says_so(browser, sliders):
    context = browser.new_context(java_script_enabled=False)
    try:
        page = context.new_page()
        page.set_content(f"<body>{sliders[0].html}</body>")
        assert "The slider needs JavaScript; you see one of its frames." in page.locator("figure").inner_text()
        assert page.locator("output").inner_text() == sliders[0].texts[2]
    finally:
        context.close()


@pytest.mark.parametrize("colors", ["background: #fff; color: #222", "background: #121212; color: #ced6dd"])
@pytest.mark.parametrize("width", [390, 1280])
def test_page_from_a_file_has_no_fault_of_access(browser, sliders, tmp_path, colors, width):
    results = [core.Result(status, "w < 2", "title") for status in (core.RIGHT, core.NOT_YET, core.NOT_ANSWERED)]
    wide = notebook.table([[f"entry {i}", *[1 / 3] * 9] for i in range(3)], ["name", *"abcdefghi"])
    body = "".join(
        thing._repr_html_() for thing in [*sliders, notebook.table([["a", 1.5]], ["x", "y"]), wide, *results]
    )
    path = tmp_path / "page.html"
    path.write_text(
        f"<!doctype html><html lang='en'><meta charset='utf-8'><meta name='viewport' content='width=device-width'>"
        f"<title>Sliders</title><body style='{colors}'><main><h1>Sliders</h1>{body}</main></body></html>",
        encoding="utf-8",
    )
    context = browser.new_context(viewport={"width": width, "height": 844})
    try:
        page, asked = context.new_page(), []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri())
        for key in ("ArrowRight", "Home"):
            page.locator("input").first.press(key)
            found = Axe().run(page).response["violations"]
            assert not [(rule["id"], [node["html"][:200] for node in rule["nodes"]]) for rule in found]
        assert asked == [path.as_uri()]
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        scrolls = page.locator(".reglib-table").last.evaluate("box => box.scrollWidth > box.clientWidth")
        assert scrolls == (width == 390)
        # What a screen reader says: the label and the value in words; the drawing's caption and its description.
        control = page.get_by_role("slider", name="Strength", exact=True).first
        assert control.get_attribute("aria-valuetext") == sliders[0].names[0]
        drawing = page.get_by_role("img", name="One.", exact=True)
        description = page.locator(f"[id='{drawing.get_attribute('aria-describedby')}']")
        assert description.inner_text() == sliders[0].texts[0]
        assert description.get_attribute("aria-live") == "polite"
    finally:
        context.close()
