"""A page is printed by a real browser, and leaves nothing behind in the site."""

import pytest

from tools import compressed, pdf

pytestmark = pytest.mark.site


def test_a_page_is_printed_with_the_sites_files_and_nothing_is_left_in_the_site(browser, tmp_path):
    site = tmp_path / "site"
    site.mkdir()
    (site / "a.css").write_text("table { width: 3000px }")
    markup = (
        '<html lang="en"><link rel="stylesheet" href="a.css"><body><table id="wide"><tr><td>x</table></body></html>'
    )
    with compressed.serving(site) as address:
        wide = pdf.show(browser, address, markup, tmp_path / "book.pdf")
    assert (tmp_path / "book.pdf").read_bytes().startswith(b"%PDF")
    assert wide  # it is made smaller, but not by more than can be read: the style sheet has been asked for
    assert wide[0].startswith("wide: x ")
    assert [path.name for path in site.iterdir()] == ["a.css"]
