"""Print the whole book into one file, ``_build/book.pdf``: ``python -m tools.pdf``, with the system's Chromium.

The pages of the built site are put together into one, in the order of the contents; what needs a hand on the page is
unfolded; then the browser prints it. Links inside the book lead inside the file.
"""

import argparse
import posixpath
import sys
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml
from bs4 import BeautifulSoup
from playwright.sync_api import sync_playwright

from tools import browser, command, compressed, site

FILE = site.HTML.parent / "book.pdf"
PAPER = {"format": "A4", "margin": {"top": "18mm", "bottom": "18mm", "left": "18mm", "right": "18mm"}}
WIDTH = 657  # of the text on this paper, in the pixels of a browser
NEEDLESS = (
    ".headerlink, .copybtn, .prev-next-footer, script, .sd-tab-set > input, .toggle-button, .bd-sidebar-secondary, "
    "dialog, .live, noscript"
)
STYLE = """
@page { size: A4; }
html { font-size: 14px; }
body { background: #fff; display: block; min-height: 0; margin: 0; }
main.print { max-width: none; }
section.page { break-before: page; }
div.contents, div.front { break-after: page; }
div.front { padding-top: 30vh; text-align: center; }
div.contents ol { line-height: 1.9; }
main.print pre, main.print code { white-space: pre-wrap !important; overflow-wrap: anywhere !important; }
main.print pre { font-size: 11px; }
main.print :is(div.cell_output, .output, div.highlight) { overflow: visible !important; max-height: none; }
main.print .sd-tab-set > label { order: 0; display: block; width: 100%; }
main.print .sd-tab-set { display: block; }
main.print .sd-tab-content { display: block !important; }
main.print figure, main.print img, main.print svg, main.print tr, main.print mjx-container { break-inside: avoid; }
main.print :is(div.highlight pre, caption, thead) { break-inside: avoid; }
main.print :is(caption, thead) { break-after: avoid; }
main.print h1, main.print h2, main.print h3, main.print label { break-after: avoid; }
main.print img { max-width: 100%; height: auto; }
main.print input[type=range] { display: none; }
main.print a { color: #0b53b8; }
main.print div.math, main.print mjx-container[display=true] { overflow: visible !important; }
main.print .pst-scrollable-table-container { overflow: visible !important; }
"""
# What is wider than the paper is made smaller, as a whole. First all is measured, then all is changed: a change between
# two measures would lay the whole book out again.
FIT = """(width) => {
    const boxes = [...document.querySelectorAll("table, mjx-container[display=true], figure svg")];
    const measured = boxes.map((box) => {
        const inner = box.matches("mjx-container") ? box.querySelector("mjx-math") : box;
        const room = Math.min(width, box.parentElement.clientWidth || width);
        return [box, room, Math.max(inner.scrollWidth, inner.getBoundingClientRect().width)];
    });
    for (const [box, room, wide] of measured) if (wide > room + 1) box.style.zoom = Math.max(0.4, (room / wide) * 0.98);
    const right = boxes.map((box) => [box, box.getBoundingClientRect().right]);
    const name = (box) => box.closest("[id]")?.id + ": " + (box.innerText || box.tagName).slice(0, 40);
    return right.filter(([box, edge]) => edge > width + 4).map(([box, edge]) => name(box) + " " + Math.round(edge));
}"""


def contents():
    """Return the pages of the book in order, as paths in the site without an ending."""
    found = []

    def walk(node):
        if isinstance(node, dict):
            found.extend(node[key] for key in ("root", "file") if key in node)
            for key in ("parts", "chapters", "sections", "entries", "subtrees"):
                walk(node.get(key, []))
        else:
            for child in node:
                walk(child)

    walk(yaml.safe_load((site.ROOT / "_toc.yml").read_text(encoding="utf-8")))
    return found


def anchor(page, fragment=""):
    """Return the id that a place of a page has in the whole."""
    name = page.replace("/", "-")
    return f"{name}--{fragment}" if fragment else name


def inside(page, address, pages):
    """Return where an address in a page leads in the whole: an anchor, a file of the site, or where it led before."""
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return address
    target = posixpath.normpath(posixpath.join(posixpath.dirname(page), unquote(parts.path))) if parts.path else page
    target = target.removesuffix(".html")
    if target in pages:
        return f"#{anchor(target, unquote(parts.fragment))}"
    return target


def article(page, markup, pages):
    """Return a page's article, ready to stand beside the others."""
    found: Any = BeautifulSoup(markup, "html.parser").select_one("article.bd-article")
    for tag in found.select(NEEDLESS):
        tag.decompose()
    for tag in found.find_all("details"):
        tag["open"] = ""
    for tag in found.find_all(True):
        if tag.name != "a" and (tag.name == "svg" or tag.find_parent("svg")):
            continue  # a drawing refers to parts of its own
        if tag.get("id"):
            tag["id"] = anchor(page, tag["id"])
        for name in ("for", "aria-describedby", "aria-labelledby"):
            del tag[name]
        for name in ("src", "href"):
            if tag.get(name) and not tag[name].startswith("data:"):
                tag[name] = inside(page, tag[name], pages)
        if tag.name == "a" and tag.get("href") and not tag["href"].startswith(("#", "http", "mailto")):
            tag.name = "span"  # a page that is not in the book: the index, the source of a module
    title = found.find("h1").get_text()
    return title, f'<section class="page" id="{anchor(page)}">{found.decode_contents()}</section>'


def whole():
    """Return the book as one page."""
    pages = contents()
    parts = [article(page, (site.HTML / f"{page}.html").read_bytes(), pages) for page in pages]
    lines = "".join(
        f'<li><a href="#{anchor(page)}">{title}</a></li>' for page, (title, _) in zip(pages, parts, strict=True)
    )
    name = parts[0][0]
    return (
        f'<!DOCTYPE html><html lang="en" data-theme="light"><head><meta charset="utf-8"><title>{name}</title>'
        '<link rel="stylesheet" href="_static/site.css"><link rel="stylesheet" href="_static/formulas.css">'
        f'<style>{STYLE}</style></head><body><main class="print bd-article bd-content">'
        f'<div class="front"><h1>{name}</h1><p>Text: CC BY 4.0. Code: MIT.</p></div>'
        f'<div class="contents"><h2>Contents</h2><ol style="list-style: none">{lines}</ol></div>'
        f"{''.join(text for _, text in parts)}</main></body></html>"
    )


def show(chromium, address, markup, file):
    """Print a page that stands at the root of the site, for this print alone; return what is still wider than paper."""
    tab = chromium.new_page(viewport={"width": WIDTH, "height": 1000})
    tab.set_default_timeout(600_000)
    tab.emulate_media(media="print", color_scheme="light")
    tab.route(f"{address}whole.html", lambda route: route.fulfill(body=markup, content_type="text/html; charset=utf-8"))
    tab.goto(f"{address}whole.html", wait_until="networkidle")
    tab.evaluate("document.fonts.ready")
    wide = tab.evaluate(FIT, WIDTH)
    number = '<div style="font-size: 8px; width: 100%; text-align: center"><span class="pageNumber"></span></div>'
    options = {"display_header_footer": True, "header_template": "<span></span>", "footer_template": number}
    tab.pdf(path=str(file), **PAPER, **options, print_background=True, outline=True, tagged=True)
    return wide


def write():
    """Print the book into its file; return the exit status."""
    command.check_site(site.HTML)
    if not (site.HTML / "_static" / "formulas.css").exists():
        raise command.StopError(
            "the site has no _static/formulas.css: its formulas would be printed as TeX; build it again, with Node"
        )
    with compressed.serving(site.HTML) as address, sync_playwright() as playwright:
        chromium = browser.launch(playwright)
        if chromium is None:
            raise command.StopError(browser.MISSING)
        wide = show(chromium, address, whole(), FILE)
        chromium.close()
    for line in wide:
        print(f"wider than the paper: {line}")
    print(f"book: {FILE.as_uri()} ({FILE.stat().st_size / 1e6:.1f} MB)")
    return 0


def main(arguments=None):
    """Print the book; return the exit status."""
    argparse.ArgumentParser(prog="python -m tools.pdf", description=__doc__).parse_args(arguments)
    return command.run(write)


if __name__ == "__main__":
    sys.exit(main())
