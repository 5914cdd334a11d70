"""What a page asks for before anything is run in it: how much, how often, and of whom."""

import json
import re

import pytest

from tests.site.test_pages import SIZES, chapters, pages
from tools import compressed, light
from tools.light import formulas, icons, styles

pytestmark = pytest.mark.site
HOME_KB, CHAPTER_KB = 250, 700
REQUESTS = 16


@pytest.fixture(scope="module")
def wire(html):
    """The site's address on a server that compresses."""
    with compressed.serving(html) as address:
        yield address


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
def test_a_page_is_light_and_stands_still(browser, wire, page, size):
    sizes, shift, said = visit(browser, wire, page, size)
    kilobytes = sum(sizes.values()) / 1000
    assert kilobytes <= (HOME_KB if page == "book/index.html" else CHAPTER_KB), sizes
    assert len(sizes) <= REQUESTS, sorted(sizes)
    if shift >= 0.1:  # on a busy machine letters come late: what stays is the page's own fault
        shift = min(shift, visit(browser, wire, page, size)[1])
    assert shift < 0.1
    assert not said


@pytest.mark.parametrize("page", pages())
def test_a_page_asks_for_one_sheet_one_script_and_no_index_of_the_search(html, page):
    head = (html / page).read_text(encoding="utf-8").partition("</head>")[0]
    sheets = re.findall(r'<link\b[^>]*rel="stylesheet"[^>]*href="([^"]+)"', head)
    assert "site.css" in map(_name, sheets)
    assert set(map(_name, sheets)) <= {"site.css", "formulas.css"}
    scripts = re.findall(r"<script\b([^>]*)\bsrc=\"([^\"]+)\"", head)
    assert all("defer" in options or "module" in options for options, _ in scripts), scripts
    assert ("searchindex.js" in {_name(source) for _, source in scripts}) == (page == "search.html")
    assert head.count('name="viewport"') == 1


def _name(address):
    return address.partition("?")[0].rpartition("/")[2]


def test_nothing_is_published_that_no_page_asks_for(html):
    files = [path for path in (html / "_static").rglob("*") if path.is_file()]
    assert not [path.name for path in files if path.suffix == ".map" or "fontawesome" in path.as_posix()]
    assert not re.search(r"sourceMappingURL", (html / "_static" / "site.js").read_text(encoding="utf-8"))


def test_every_icon_has_its_drawing(browser, wire):
    """Drawn in the icons' own font, not in a box that stands for a missing one."""
    context = browser.new_context(viewport=SIZES["wide"])
    try:
        tab = context.new_page()
        tab.goto(wire + "book/index.html", wait_until="load")
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
    assert re.search(r'<base href="/[^"]*"', text)
    for target in re.findall(r'href="([\w./]+\.(?:html|svg))"', text):
        assert (html / target).exists(), target


def test_words_of_tags_and_scripts_are_known_and_those_of_the_text_are_not():
    known = styles.words(['<p class="a b-c" id="d">word</p><script>x.classList.add("e")</script>'], ["const f = 'g'"])
    assert {"a", "b-c", "d", "e", "f", "g"} <= known
    assert "word" not in known


def test_rules_without_use_go_and_others_stay(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "base.css").write_text("body { color: red }")
    (tmp_path / "sub" / "a.css").write_text(
        '@import "../base.css"; .used, .gone { top: 0 } .gone p { left: 0 } a:not(.gone) { right: 0 }\n'
        "@media print { .gone { top: 1px } #here { top: 2px } } @media screen { .gone { top: 3px } }\n"
        "@font-face { font-family: kept } @font-face { font-family: dropped }\n"
        ".used { background: url(picture.png) } /*# sourceMappingURL=a.css.map */"
    )
    text = styles.joined([tmp_path / "sub" / "a.css"], tmp_path)
    assert styles.purged(text, {"used", "here"}, lambda face: "kept" in face) == (
        "body{color: red}.used{top: 0}a:not(.gone){right: 0}@media print{#here{top: 2px}}"
        "@font-face {font-family: kept}.used{background: url(sub/picture.png)}"
    )


def test_icons_are_found_by_either_name():
    script = 'x={"magnifying-glass":[512,512,[128269,"search"],"f002","M1"],bars:[448,512,["navicon"],"f0c9","M2"]}'
    assert icons.codes(script) == {"magnifying-glass": "f002", "search": "f002", "bars": "f0c9", "navicon": "f0c9"}
    assert icons.used(['<i class="fa-solid fa-search">'], script) == {"search": "f002"}


def test_formulas_are_found_and_put_where_they_stood():
    page = (
        r'<p>a <span class="math notranslate">\(x &lt; 1\)</span></p>'
        r'<div class="math" id="e"><span class="eqno">(1)</span>\[y\]</div>'
        r'<code>\(z\)</code><div class="amsmath math">\begin{align*}a\end{align*}</div>'
    )
    last = r"\begin{align*}a\end{align*}"
    assert formulas.found(page) == [("x < 1", False), ("y", True), (last, True)]
    assert formulas.put(page, {("x < 1", False): "<X>", ("y", True): "<Y>", (last, True): "<A>"}) == (
        r'<p>a <span class="math notranslate"><X></span></p>'
        r'<div class="math" id="e"><span class="eqno">(1)</span><Y></div>'
        r'<code>\(z\)</code><div class="amsmath math"><A></div>'
    )


def test_the_formulas_are_set_by_the_mathjax_that_would_set_them_in_the_page(html):
    lock = json.loads((light.HERE / "package-lock.json").read_text(encoding="utf-8"))
    version = lock["packages"]["node_modules/mathjax-full"]["version"]
    bundle = html / "_static" / "mathjax" / "tex-mml-chtml.js"
    if bundle.exists():
        assert f'"{version}"' in bundle.read_text(encoding="utf-8")
    assert not [name for name in lock["packages"].values() if "resolved" in name], "the lock names a host"
