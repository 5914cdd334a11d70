"""Build the website into ``_build/html`` from the notebooks that nbmake executed.

A copy of the sources is staged in ``_executed/site``: Markdown as it stands,
each notebook with the outputs of its executed copy, and a configuration with
additions that only a build can know: execution off, MathJax served by the site
itself, the table of what each notebook cost, and the stored tables of the races.
Last, the pages get what their cells need to run in the reader's browser (`tools.live`).
"""

import hashlib
import importlib.metadata
import os
import re
import shutil
import sys
from pathlib import Path

import grimp
import yaml

from bench import report
from tools import branch, card, environment, execute, labels, node, notebooks, packages, plain, process, reading
from tools.light.missing_page import write_missing_page
from tools.light.pages import lighten
from tools.live import pages

ROOT = notebooks.ROOT
STAGE = execute.EXECUTED / "site"
KEY = execute.EXECUTED / "site.key"
NEW = execute.EXECUTED / "new"  # where a site is built; it takes the old one's place when it is complete
HTML = ROOT / "_build" / "html"
LIGHT = ROOT / "tools" / "light"
LIVE = ROOT / "tools" / "live"
MATHJAX_FILES = ("tex-mml-chtml.js", "output/chtml/fonts/woff-v2")


def with_outputs(path):
    """Return the stored notebook with the outputs of its executed copy, matched by cell id."""
    stored = notebooks.read(path)
    done = {cell["id"]: cell for cell in notebooks.read(execute.COPIES / execute.name_of(path))["cells"]}
    for cell in stored["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"] = done[cell["id"]]["outputs"]
            cell["execution_count"] = done[cell["id"]]["execution_count"]
    return stored


def with_times(path):
    """Return the notebook with outputs, and a line under its promises on how long it takes."""
    page = with_outputs(path)
    seconds = execute.runs().get(execute.name_of(path), {}).get("cpu_seconds")
    first = page["cells"][0]
    first["source"] = notebooks.lines(f"{notebooks.source(first).rstrip()}\n\n{reading.length(page).line(seconds)}")
    return page


def times_table():
    """Return the Markdown table of how long each page is, and takes."""
    rows = [
        "| Page | Words | Code cells | Lines shown | Minutes to read | for the exercises |",
        "|:--|--:|--:|--:|--:|--:|",
    ]
    for path in notebooks.paths():
        found = reading.length(with_outputs(path))
        name = execute.name_of(path)
        times = f"{found.minutes} | {found.exercise_minutes or ''}"
        rows.append(f"| [{name}]({name}) | {found.words} | {found.cells} | {found.lines} | {times} |")
    return "\n".join(rows)


def runs_table():
    """Return the Markdown table of what each notebook cost to run."""
    rows = ["| Notebook | Processor time (s) | Time on the clock (s) | Peak memory (MB) |", "|:--|--:|--:|--:|"]
    for name, row in sorted(execute.runs().items()):
        rows.append(f"| [{name}]({name}) | {row['cpu_seconds']:.1f} | {row['seconds']:.1f} | {row['peak_mb']} |")
    return "\n".join(rows)


def pages_address(repository):
    """Return the address that GitHub Pages gives a repository's site, or an empty string."""
    match = re.fullmatch(r"https://github\.com/([^/]+)/([^/]+?)/?", repository)
    return f"https://{match[1].lower()}.github.io/{match[2]}/" if match else ""


def staged_config(repository=None):
    """Return ``_config.yml`` with what only a build can know; ``repository`` is another address than the one set."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    config["execute"]["execute_notebooks"] = "off"
    sphinx = config["sphinx"]["config"]
    sphinx["mathjax_path"] = "mathjax/tex-mml-chtml.js"
    sphinx["html_static_path"] = ["book/_static", "mathjax_static"]
    tables = {"runs_table": runs_table(), "speed_tables": report.markdown(), "times_table": times_table()}
    sphinx["myst_substitutions"] |= tables
    repository = config["repository"]["url"] = config["repository"]["url"] if repository is None else repository
    buttons = ("use_repository_button", "use_issues_button")
    launch = config.pop("launch_buttons")
    if not repository:  # no address yet, so no button may lead anywhere
        config["html"].update(dict.fromkeys(buttons, False))
        return yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
    # Options of the theme that are set for Sphinx take the place of those that Jupyter Book would make of its own.
    sphinx["html_theme_options"] |= {key: config["html"][key] for key in buttons} | {
        "repository_url": repository,
        "repository_branch": branch.NAME,  # of the theme's buttons, only those of Colab and Binder use it
        "launch_buttons": launch,
    }
    if pages_address(repository):
        sphinx["html_baseurl"] = sphinx["ogp_site_url"] = pages_address(repository)
        sphinx["extensions"].append("sphinx_sitemap")
        sphinx["sitemap_url_scheme"] = "{link}"
        sphinx["ogp_social_cards"] = {"enable": True, "image": "card.png", "image_mini": "card.png"}
    return yaml.safe_dump(config, sort_keys=False, allow_unicode=True)


def put(path, content):
    """Write a file if its content differs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_bytes() != content:
        path.write_bytes(content)


def stage():
    """Lay out the sources of the site; remove what is no longer there."""
    wanted = {STAGE / "_config.yml": staged_config().encode(), STAGE / "_toc.yml": (ROOT / "_toc.yml").read_bytes()}
    wanted[STAGE / "card.png"] = card.picture()
    for path in sorted((ROOT / "book").rglob("*")):
        if path.is_file() and ".ipynb_checkpoints" not in path.parts:
            content = notebooks.dump(with_times(path)) if path.suffix == ".ipynb" else path.read_bytes()
            wanted[STAGE / path.relative_to(ROOT)] = content
    package = importlib.metadata.distribution("sphinx-mathjax-offline")
    mathjax = Path(str(package.locate_file("sphinx-mathjax-offline/static/mathjax")))
    for name in MATHJAX_FILES:
        files = sorted((mathjax / name).iterdir()) if (mathjax / name).is_dir() else [mathjax / name]
        for path in files:
            wanted[STAGE / "mathjax_static" / "mathjax" / path.relative_to(mathjax)] = path.read_bytes()
    for path, content in wanted.items():
        put(path, content)
    for path in STAGE.rglob("*"):
        if path.is_file() and path not in wanted:
            path.unlink()


def builders():
    """Return the files that build the site: the modules that this one imports, what runs in Node and in pages."""
    modules = grimp.build_graph("tools", cache_dir=None).find_upstream_modules("tools.site")
    folders = [path for path in (*LIGHT.iterdir(), *LIVE.rglob("*")) if path.is_file() and path.suffix != ".pyc"]
    return {*map(packages.file, modules), Path(__file__), *folders}


def fingerprint():
    """Return a fingerprint of all that the site and the branch are built from: what is staged, programs, packages."""
    sources = {path for path in STAGE.rglob("*") if path.is_file()} | builders() | set(branch.sources())
    digest = hashlib.sha256()
    for path in sorted({*sources, ROOT / environment.BOOK, ROOT / environment.CONSTRAINTS}):
        digest.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def writers():
    """Return the text of all that may write HTML later, in the page: the styles of its classes must stay."""
    files = [path for package in packages.NAMES for path in (ROOT / package).rglob("*.py")]
    return [path.read_text(encoding="utf-8") for path in sorted(files)]


def make():
    """Build a site from the staged sources in place of the old one; return the exit status, and what it lacks."""
    shutil.rmtree(NEW, ignore_errors=True)  # a page must not survive its source, nor a warning hide
    NEW.mkdir(parents=True)
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build", str(STAGE)]
    options = ["--path-output", str(NEW), "-W", "-n", "--keep-going", "-q"]
    status = process.run([*command, *options], cwd=ROOT, env=os.environ | execute.ENVIRONMENT)
    if status or not (NEW / "_build" / "html" / "index.html").exists():
        print("error: the site was not built; the warnings above are errors")
        return status or 1, []
    html, address = NEW / "_build" / "html", pages_address(notebooks.address())
    lacking = lighten(html, writers())
    write_missing_page(html, address)
    try:
        plain.write(STAGE, html, labels.of_site(NEW, address))
    except plain.NoPlainFormError as error:
        print(f"error: {error}; tools/plain.py says what is known")
        return 1, []
    branch.write(html)
    try:
        print(pages.install(html))
    except node.UnavailableError as error:
        if os.environ.get("REQUIRE_LIVE"):
            print(f"error: REQUIRE_LIVE is set, and the live pages cannot be made: {error}")
            return 1, []
        lacking.append(
            f"WARNING: THE SITE HAS NO RUN BUTTONS: {error}. Its pages can be read; build again to add them."
        )
    KEY.unlink(missing_ok=True)
    shutil.rmtree(ROOT / "_build", ignore_errors=True)
    os.replace(NEW / "_build", ROOT / "_build")
    return 0, lacking


def build():
    """Build the site, warnings being errors; return the exit status. Nothing changed: nothing done."""
    changed = execute.stale()
    if changed:
        print(f"error: {', '.join(sorted(changed))} changed during the build; run the same command again")
        return 1
    stage()
    wanted = fingerprint()
    if KEY.exists() and KEY.read_text() == wanted and (HTML / "index.html").exists():
        print("site: up to date")
    else:
        status, lacking = make()
        if status:
            return status
        if lacking:
            print("\n".join(lacking))  # the next build tries again
        else:
            KEY.write_text(wanted)
    for path in notebooks.paths():
        print(f"{execute.name_of(path)}: {reading.length(with_outputs(path)).line().strip('*').lower()}")
    print(f"site: {(HTML / 'index.html').as_uri()}")
    return 0
