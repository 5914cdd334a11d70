"""Measure pages of the built site with Lighthouse: ``python -m tools.lighthouse [PAGE ...]``.

Without names: the home page, a chapter with many formulas, a page of evidence, and the pages of the package. The server
compresses, as the hosts of static sites do. Scores for speed depend on what else the machine is doing.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tools import browser, command, compressed, node, site

HERE = Path(__file__).resolve().parent
PAGES = ("book/index", "book/dropout/dropout", "book/penalties/l1-l2", "book/evidence/conventions", "book/api")
FORMS = {"phone": [], "desktop": ["--preset=desktop"]}
SCORES = {"performance": "speed", "accessibility": "accessibility", "best-practices": "practices", "seo": "search"}
SHOWN = {
    "largest-contentful-paint": "largest paint",
    "total-blocking-time": "blocked",
    "cumulative-layout-shift": "shift",
    "total-byte-weight": "bytes",
}


def measure(address, form, chromium):
    """Return Lighthouse's report on a page, as seen in the Chromium at a path."""
    program = node.modules(HERE) / "node_modules" / "lighthouse" / "cli" / "index.js"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "report.json")
        options = ["--quiet", "--output=json", f"--output-path={file}", *FORMS[form]]
        options.append("--chrome-flags=--headless=new --no-sandbox --disable-gpu")
        node.run("Lighthouse", [program, address, *options], env=os.environ | {"CHROME_PATH": chromium})
        return json.loads(file.read_text(encoding="utf-8"))


def row(page, form, report):
    """Return the line of the table for a report."""
    scores = [f"{round(100 * (report['categories'][name]['score'] or 0))}" for name in SCORES]
    values = {name: report["audits"][name]["numericValue"] for name in SHOWN}
    shown = [
        f"{values['largest-contentful-paint'] / 1000:.1f} s",
        f"{values['total-blocking-time']:.0f} ms",
        f"{values['cumulative-layout-shift']:.3f}",
        f"{values['total-byte-weight'] / 1000:.0f} kB",
    ]
    return f"| {page} | {form} | {' | '.join(scores + shown)} |"


def table(pages):
    """Print the table of pages of the built site."""
    command.check_site(site.HTML)
    there = [path.relative_to(site.HTML).with_suffix("").as_posix() for path in site.HTML.rglob("*.html")]
    command.check_names(pages, there, "page")
    with sync_playwright() as playwright:
        chromium = browser.path(playwright)
    if chromium is None:
        raise command.StopError(browser.MISSING)
    print("| Page | Form |", " | ".join([*SCORES.values(), *SHOWN.values()]), "|")
    print("|:--|:--|" + "--:|" * (len(SCORES) + len(SHOWN)), flush=True)
    with compressed.serving(site.HTML) as address:
        for page in pages:
            for form in FORMS:
                print(row(page, form, measure(f"{address}{page}.html", form, chromium)), flush=True)
    return 0


def main(arguments=None):
    """Print the table of the pages named; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.lighthouse", description=__doc__)
    parser.add_argument("pages", nargs="*", default=PAGES, help="such as book/index")
    pages = parser.parse_args(arguments).pages
    return command.run(lambda: table(pages))


if __name__ == "__main__":
    sys.exit(main())
