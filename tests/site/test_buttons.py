"""With an address set, every button at the head of a page leads where it should: a small site is built with one."""

import os
import re
import shutil
import subprocess
import sys
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from bs4 import BeautifulSoup

from tests.conftest import ROOT
from tools import branch, execute, notebooks, site

pytestmark = pytest.mark.site
ADDRESS = "https://github.com/Owner/a-book"
PAGES = ["book/evidence/alpha", "book/glossary", "book/references"]


@pytest.fixture(scope="module")
def small(tmp_path_factory, html):
    """Four pages of the book, built as the site is, with a made-up address; links to other pages are left dangling."""
    stage, output = tmp_path_factory.mktemp("stage"), tmp_path_factory.mktemp("output")
    shutil.copytree(site.STAGE, stage, dirs_exist_ok=True)
    (stage / "_config.yml").write_text(site.staged_config(ADDRESS), encoding="utf-8")
    contents = {"format": "jb-book", "root": "book/index", "chapters": [{"file": page} for page in PAGES]}
    (stage / "_toc.yml").write_text(yaml.safe_dump(contents), encoding="utf-8")
    program = "from jupyter_book.cli.main import main; main()"
    command = [sys.executable, "-c", program, "build", str(stage), "--path-output", str(output), "-q"]
    environment = os.environ | execute.ENVIRONMENT
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (output / "_build" / "html" / "book" / "index.html").exists(), done.stderr
    return output / "_build" / "html"


def buttons(small, page):
    """Return where the buttons of a page lead, by what they say."""
    soup = BeautifulSoup((small / f"{page}.html").read_bytes(), "html.parser")
    links = soup.select(".article-header-buttons a[href]")
    return {re.sub(r"\s+", " ", link.get_text()).strip() or link["title"]: link["href"] for link in links}


def test_a_notebook_has_every_button_and_each_leads_where_it_says(small):
    page = "book/evidence/alpha"
    assert buttons(small, page) == {
        "Binder": f"https://mybinder.org/v2/gh/Owner/a-book/notebooks?urlpath=lab/tree/{page}.ipynb",
        "Colab": f"https://colab.research.google.com/github/Owner/a-book/blob/notebooks/{page}.ipynb",
        "Repository": ADDRESS,
        "Open issue": f"{ADDRESS}/issues/new?title=Issue%20on%20page%20%2F{page}.html"
        "&body=Your%20issue%20content%20here.",
        ".ipynb": f"../../_sources/{page}.ipynb",
    }


def test_the_launched_notebook_is_on_the_branch(small):
    found = buttons(small, "book/evidence/alpha")
    (path,) = parse_qs(urlsplit(found["Binder"]).query)["urlpath"]
    for address in (path.removeprefix("lab/tree/"), found["Colab"].partition(f"/blob/{branch.NAME}/")[2]):
        assert (branch.FOLDER / address).exists()


@pytest.mark.parametrize("page", ["book/index", "book/glossary", "book/references"])
def test_other_pages_launch_nothing(small, page):
    found = buttons(small, page)
    assert set(found) == {"Repository", "Open issue", ".md"}
    assert ((small / page).parent / found[".md"]).resolve().exists()


def test_the_sites_own_address_follows(small):
    soup = BeautifulSoup((small / "book" / "glossary.html").read_bytes(), "html.parser")
    assert soup.find("link", rel="canonical")["href"] == "https://owner.github.io/a-book/book/glossary.html"
    assert "https://owner.github.io/a-book/book/glossary.html" in (small / "sitemap.xml").read_text(encoding="utf-8")


def test_without_an_address_no_button_leaves_the_site(html):
    if notebooks.address():
        pytest.skip("an address is set")
    for path in (html / "book").rglob("*.html"):
        soup = BeautifulSoup(path.read_bytes(), "html.parser")
        for link in soup.select(".article-header-buttons a[href]"):
            assert not urlsplit(link["href"]).scheme, path
            assert (path.parent / link["href"]).resolve().exists(), path


def test_pages_say_their_address_and_have_a_card(small):
    """What search engines and other sites ask for: one address a page, a list of all, a picture."""
    home = "https://owner.github.io/a-book/"
    for page in ["book/index", *PAGES]:
        soup = BeautifulSoup((small / f"{page}.html").read_bytes(), "html.parser")
        assert soup.find("link", rel="canonical")["href"] == f"{home}{page}.html"
        assert soup.find("meta", property="og:site_name")["content"] == "Regularization in Deep Learning"
        card = soup.find("meta", property="og:image")["content"]
        assert card.startswith(home)
        assert (small / card.removeprefix(home)).read_bytes().startswith(b"\x89PNG")
    listed = (small / "sitemap.xml").read_text(encoding="utf-8")
    assert all(f"<loc>{home}{page}.html</loc>" in listed for page in PAGES)
