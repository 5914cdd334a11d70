"""Every link inside the site leads somewhere: the file exists, and so does the anchor."""

from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup

pytestmark = pytest.mark.site


@pytest.fixture(scope="module")
def soups(html):
    """Each page of the site, parsed."""
    return {
        path: BeautifulSoup(path.read_bytes(), "html.parser")
        for path in html.rglob("*.html")
        if "_static" not in path.parts
    }


def targets(soup):
    """Return every address that a page refers to."""
    found = [(tag.name, tag.get("href")) for tag in soup.find_all(("a", "link")) if tag.get("href")]
    return found + [(tag.name, tag.get("src")) for tag in soup.find_all(("img", "script")) if tag.get("src")]


def test_internal_links_and_anchors_resolve(html, soups):
    anchors = {
        path: {tag["id"] for tag in soup.find_all(id=True)}
        | {tag["name"] for tag in soup.find_all("a", attrs={"name": True})}
        for path, soup in soups.items()
    }
    broken = []
    for path, soup in soups.items():
        for kind, address in targets(soup):
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            goal = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            where = path.relative_to(html).as_posix()
            if not goal.exists():
                broken.append(f"{where}: <{kind}> {address}: no such file")
            elif parts.fragment and goal.suffix == ".html" and unquote(parts.fragment) not in anchors.get(goal, set()):
                broken.append(f"{where}: <{kind}> {address}: no such anchor")
    assert not broken, "\n".join(broken)


def test_nothing_but_links_leaves_the_site(soups):
    outside = [
        f"{path.name}: <{kind}> {address}"
        for path, soup in soups.items()
        for kind, address in targets(soup)
        if kind != "a" and (urlsplit(address).netloc or urlsplit(address).scheme not in ("", "data"))
    ]
    assert not outside, "\n".join(outside)


def test_no_launch_button_without_an_address(soups):
    from tools import notebooks

    launches = [
        (path.name, tag["href"])
        for path, soup in soups.items()
        for tag in soup.find_all("a", href=True)
        if "colab.research" in tag["href"] or "mybinder" in tag["href"]
    ]
    if not notebooks.address():
        assert not launches
    else:
        chapters = {path.stem for path in notebooks.paths()}
        assert {page.removesuffix(".html") for page, _ in launches} >= chapters
