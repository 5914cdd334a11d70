"""The last step of the build: the pages learn which cells run, and the files that run them are laid beside them."""

import hashlib
import html
import json
import re
import shutil
from pathlib import Path

import yaml

from tools import notebooks
from tools.live import bundle, cells, runtime, scripts

WEB = Path(__file__).resolve().parent / "web"
FOLDER = "_static/live"
HOME = "book/index"
CELL = re.compile(r'<div class="(cell(?: tag_[\w-]+)* docutils container)">')


def prepare():
    """Return what the live pages are made of, as {path below ``_static/live``: content}; content may be a path.

    Raises
    ------
    UnavailableError
        If something cannot be fetched.
    """
    interpreter = runtime.interpreter(scripts.installed())
    code = bundle.archive()
    below = f"r-{_digest(interpreter)}"
    facts = {"folder": below, "first": _first(code), "packages": _packages(), "heavy": bundle.heavy()}
    page: dict[str, bytes] = {
        "live.js": scripts.bundled("live.js", {"RUNTIME": facts}),
        "editor.js": scripts.bundled("editor.js"),
        "worker.js": (WEB / "worker.js").read_bytes(),
        "live.css": (WEB / "live.css").read_bytes(),
        "code.zip": code,
        "LICENCES.txt": scripts.licences(),
    }
    files: dict[str, bytes | Path] = {f"{below}/{name}": content for name, content in interpreter.items()}
    files |= {f"p-{_digest(page)}/{name}": content for name, content in page.items()}
    return files | {"service-worker.js": (WEB / "service-worker.js").read_bytes()}


def _digest(files):
    digest = hashlib.sha256()
    for name, content in sorted(files.items()):
        digest.update(name.encode() + (content.read_bytes() if isinstance(content, Path) else content))
    return digest.hexdigest()[:16]


def _first(code):
    """Return the bytes that are counted while Python is loaded for the first time."""
    sizes = {file.name: file.bytes for file in (*runtime.core(), *runtime.wheels())}
    counted = ["pyodide.asm.wasm", "python_stdlib.zip", runtime.PINNED["lock"]["packages"]["numpy"]["file_name"]]
    return sum(sizes[name] for name in counted) + len(runtime.lock()) + len(code)


def _packages():
    """Return what the worker must know of each package of the runtime."""
    return {
        name: {
            "file": its["file_name"],
            "bytes": its["bytes"],
            "depends": its["depends"],
            "shared": its["package_type"] == "shared_library",
        }
        for name, its in runtime.PINNED["lock"]["packages"].items()
    }


def lay_out(site, files):
    """Write the files below a site's ``_static/live``."""
    for name, content in files.items():
        path = site / FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Path):
            shutil.copyfile(content, path)
        else:
            path.write_bytes(content)


def marked(text, survey):
    """Return the HTML of a page with each code cell marked as one that runs, or that is shown with a reason.

    Raises
    ------
    ValueError
        If the page has another number of code cells than its notebook.
    """
    count = len(CELL.findall(text))
    if count != len(survey):
        raise ValueError(f"survey must have a cell for each of the page's {count}, got {len(survey)}")
    each = iter(survey)

    def mark(match):
        cell = next(each)
        facts = {"live": "shown" if cell.reason else "run", "live-id": cell.id}
        if cell.reason:
            facts["live-why"] = cell.reason
        if cell.check:
            facts["live-check"] = cell.check
        words = "".join(f' data-{name}="{html.escape(value)}"' for name, value in facts.items())
        return f'<div class="{match[1]}"{words}>'

    return CELL.sub(mark, text)


def with_script(text, page, files, about):
    """Return the HTML of a page with the script and the style of live cells; before the end of its head."""
    root = "../" * page.count("/")
    live = next(name for name in files if name.endswith("/live.js"))
    told = html.escape(json.dumps({"name": page, "root": root, **about}, ensure_ascii=False))
    style = f'<link rel="stylesheet" href="{root}{FOLDER}/{live.replace(".js", ".css")}"/>'
    script = f'<script type="module" src="{root}{FOLDER}/{live}" data-live-page="{told}"></script>'
    return text.replace("</head>", f"{style}\n{script}\n</head>", 1)


def chapters():
    """Return (page, title, number of exercises that run in it) of each page that has some, in the order of the book."""
    contents = yaml.safe_load((notebooks.ROOT / "_toc.yml").read_text(encoding="utf-8"))
    found = []
    for page in [chapter["file"] for part in contents["parts"] for chapter in part["chapters"]]:
        path = notebooks.ROOT / f"{page}.ipynb"
        if path.exists():
            notebook = notebooks.read(path)
            count = sum(bool(cell.check) for cell in cells.survey(notebook))
            title = notebooks.source(notebook["cells"][0]).splitlines()[0].lstrip("# ")
            found += [(page, title, count)] if count else []
    return found


def install(site):
    """Make the pages of a built site live; return one line that says so.

    Raises
    ------
    UnavailableError
        If the runtime cannot be had; then nothing is changed.
    """
    files = prepare()
    lay_out(site, files)
    runs = 0
    for path in notebooks.paths():
        page = path.relative_to(notebooks.ROOT).with_suffix("").as_posix()
        survey = cells.survey(notebooks.read(path))
        runs += sum(not cell.reason for cell in survey)
        target = site / f"{page}.html"
        text = marked(target.read_text(encoding="utf-8"), survey)
        target.write_text(with_script(text, page, files, {"notebook": f"_sources/{page}.ipynb"}), encoding="utf-8")
    home = site / f"{HOME}.html"
    home.write_text(
        with_script(home.read_text(encoding="utf-8"), HOME, files, {"chapters": chapters()}), encoding="utf-8"
    )
    size = sum(c.stat().st_size if isinstance(c, Path) else len(c) for c in files.values())
    return f"live: {runs} cells run in the page; their files take {size / 1e6:.0f} MB"
