"""The book in one file: what becomes of the pages, and what is said where it cannot be printed."""

import pytest

from tools import command, pdf, site

PAGES = ["book/index", "book/part/page"]


@pytest.fixture
def small_site(monkeypatch, tmp_path):
    """A site of two pages whose formulas are set; the first has a link to the second, and the other way round."""
    files = {
        "index.html": "",
        "_static/formulas.css": "",
        "book/index.html": '<article class="bd-article"><h1 id="top">The book</h1><a href="part/page.html#a">a</a>'
        '<a href="../genindex.html">index</a><img src="../_images/a.png"></article>',
        "book/part/page.html": '<article class="bd-article"><h1>Page<a class="headerlink" href="#a">#</a></h1>'
        '<details id="a"><summary>More</summary>words</details><a href="../index.html">up</a>'
        '<svg id="s"><g id="inner"/></svg><script>1</script></article>',
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    monkeypatch.setattr(command, "ROOT", tmp_path)
    monkeypatch.setattr(site, "HTML", tmp_path)
    monkeypatch.setattr(pdf, "contents", lambda: PAGES)
    return tmp_path


def test_the_contents_are_those_of_the_book_in_order():
    found = pdf.contents()
    assert found[0] == "book/index"
    assert len(found) == len(set(found))
    assert found.index("book/penalties/l1-l2") < found.index("book/dropout/dropout")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://example.org/a.html", "https://example.org/a.html"),
        ("#here", "#book-part-page--here"),
        ("../index.html", "#book-index"),
        ("../index.html#a%20b", "#book-index--a b"),
        ("../../_images/a.png", "_images/a.png"),
    ],
)
def test_an_address_leads_inside_the_whole_or_where_it_led(address, expected):
    assert pdf.inside("book/part/page", address, PAGES) == expected


def test_the_whole_has_every_page_unfolded_with_links_inside(small_site):
    whole = pdf.whole()
    assert '<a href="#book-part-page--a">a</a>' in whole
    assert '<a href="#book-index">up</a>' in whole
    assert '<details id="book-part-page--a" open="">' in whole
    assert '<span href="genindex">index</span>' in whole
    assert 'src="_images/a.png"' in whole
    assert '<g id="inner">' in whole
    assert "headerlink" not in whole
    assert "<script" not in whole
    assert whole.index('id="book-index"') < whole.index('id="book-part-page"')
    assert '<li><a href="#book-part-page">Page</a></li>' in whole


def test_formulas_that_are_not_set_are_one_line(small_site, capsys):
    (small_site / "_static" / "formulas.css").unlink()
    assert pdf.main([]) == 1
    assert capsys.readouterr().out == (
        "error: the site has no _static/formulas.css: its formulas would be printed as TeX; build it again, with Node\n"
    )


def test_without_a_chromium_one_line_says_so(small_site, monkeypatch, capsys):
    monkeypatch.setattr(pdf.browser, "launch", lambda playwright: None)
    assert pdf.main([]) == 1
    assert capsys.readouterr().out == "error: no Chromium was found and none could be fetched\n"
