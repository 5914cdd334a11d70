"""What makes the site light: rules, icons and formulas, and what becomes of a page with and without Node."""

import importlib.metadata
import json
import re

import pytest

from tools import light, node, site
from tools.light import formulas, icons, missing_page, pages, styles

PAGE = """\
<html>
  <head>
    <link rel="stylesheet" href="_static/a.css" />
    <script src="_static/a.js"></script>
    <script>window.MathJax = {"tex": {}}</script>
    <script defer="defer" src="_static/mathjax/tex-mml-chtml.js"></script>
    <title>Page</title>
  </head>
  <body><p class="used">See <span class="math notranslate">\\(x\\)</span>.</p></body>
</html>
"""


@pytest.fixture
def small_site(tmp_path):
    """A site of two pages, as Sphinx leaves it: one with a formula, one without."""
    files = {
        "formula.html": PAGE,
        "plain.html": PAGE.replace('class="math notranslate"', 'class="word"'),
        "_static/a.css": ".used { top: 0 } .gone { top: 1px }",
        "_static/a.js": "const a = 1;",
        "_static/mathjax/tex-mml-chtml.js": "",
        "_static/mathjax/output/font.woff": "",
        "_static/scripts/fontawesome.js": "",
        "_static/vendor/fontawesome/webfonts/fa-solid-900.ttf": "",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    return tmp_path


@pytest.fixture(autouse=True)
def no_font(monkeypatch):
    """The site's icons are drawn by nothing: there is no font to cut."""
    monkeypatch.setattr(icons, "sheet", lambda font, found, text: "")


def test_with_node_no_page_asks_for_mathjax_and_it_is_not_published(small_site, monkeypatch):
    monkeypatch.setattr(formulas, "typeset", lambda every: (dict.fromkeys(every, "<mjx>x</mjx>"), "mjx{top:0}"))
    assert pages.lighten(small_site) == []
    text = (small_site / "formula.html").read_text()
    assert '<span class="math notranslate"><mjx>x</mjx></span>' in text
    assert 'href="_static/formulas.css"' in text
    assert (small_site / "_static" / "formulas.css").read_text() == "mjx{top:0}"
    assert "formulas.css" not in (small_site / "plain.html").read_text()
    for name in ("formula.html", "plain.html"):
        assert "tex-mml" not in (small_site / name).read_text()
    assert not (small_site / "_static" / "mathjax" / "tex-mml-chtml.js").exists()
    assert (small_site / "_static" / "mathjax" / "output" / "font.woff").exists()


def test_without_node_formulas_are_left_to_mathjax_where_there_are_any(small_site, monkeypatch):
    def missing():
        raise node.UnavailableError("Node is missing")

    monkeypatch.setattr(node, "program", missing)
    assert pages.lighten(small_site) == ["formulas: left to MathJax in the page, which is slower: Node is missing"]
    text = (small_site / "formula.html").read_text()
    assert r"\(x\)" in text
    assert "window.MathJax = " in text
    assert 'src="_static/mathjax/tex-mml-chtml.js"' in text
    assert "mathjax" not in (small_site / "plain.html").read_text()
    assert (small_site / "_static" / "mathjax" / "tex-mml-chtml.js").exists()
    assert not (small_site / "_static" / "formulas.css").exists()
    assert (small_site / "_static" / "site.css").read_text() == ".used{top: 0}"


@pytest.mark.parametrize(("address", "base"), [("", "/"), ("https://owner.github.io/name/", "/name/")])
def test_the_links_of_the_missing_page_start_from_the_sites_address(tmp_path, address, base):
    missing_page.write_missing_page(tmp_path, address)
    assert re.findall('<base href="(.*?)"', (tmp_path / "404.html").read_text()) == [base]


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


def test_the_formulas_are_set_by_the_mathjax_that_would_set_them_in_the_page():
    lock = json.loads((light.HERE / "package-lock.json").read_text(encoding="utf-8"))
    version = lock["packages"]["node_modules/mathjax-full"]["version"]
    package = importlib.metadata.distribution("sphinx-mathjax-offline")
    bundle = package.locate_file(f"sphinx-mathjax-offline/static/mathjax/{pages.BUNDLE}")
    assert pages.BUNDLE in site.MATHJAX_FILES
    assert f'"{version}"' in bundle.read_text(encoding="utf-8")
    assert not [name for name in lock["packages"].values() if "resolved" in name], "the lock names a host"
