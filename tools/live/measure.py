"""How long the cells of pages take under the page's interpreter: ``python -m tools.live.measure [PAGE ...]``.

Each page's cells run from top to bottom in Node, under the interpreter and the packages that the browser gets; those
that need a cell that did not run to its end are left out. Cells above the limit, and cells that fail, are written into
``measured.json``, known by a fingerprint of their code; `tools.live.cells` shows them without running them. Run
this when a page's slow cells have changed.
"""

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from tools import node, notebooks
from tools.live import bundle, cells, runtime, scripts

HERE = Path(__file__).resolve().parent
# A cell is broken off after this many seconds of the processor.
PATIENCE = 3 * cells.LIMIT_SECONDS


def command(root, script, *arguments):
    """Return the command and the environment that run a Python script in Node, with a folder as its ``/book``."""
    packages = scripts.installed()
    folder = runtime.interpreter(packages)["pyodide-lock.json"].parent
    words = [str(node.program()), str(HERE / "in_node.mjs"), f"{folder}{os.sep}", str(root), str(script)]
    module = {"PYODIDE_MODULE": str(packages / "pyodide" / "pyodide.mjs")}
    return [*words, *map(str, arguments)], os.environ | module


def times(path):
    """Return {fingerprint: (seconds, error)} of all cells of a notebook that are taken to run."""
    survey = cells.survey(notebooks.read(path), {})
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(io.BytesIO(bundle.archive())) as archive:
            archive.extractall(folder)
        asked = json.dumps([[cell.id, cell.source, not cell.reason] for cell in survey])
        words, environment = command(folder, HERE / "time_cells.py", asked, PATIENCE)
        done = subprocess.run(words, env=environment, stdout=subprocess.PIPE, check=True)
    found = json.loads(done.stdout.decode().strip().splitlines()[-1])
    return {cells.fingerprint(cell.source): found[cell.id] for cell in survey if cell.id in found}


def in_the_book():
    """Return the fingerprints of all code cells of the book: what was measured of others is forgotten."""
    pages = (notebooks.read(path)["cells"] for path in notebooks.paths())
    return {cells.fingerprint(notebooks.source(cell)) for page in pages for cell in page if cell["cell_type"] == "code"}


def main(arguments=None):
    """Measure the pages named, or all; write those cells down that a page should not run."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("pages", nargs="*", help="such as penalties/l1-l2; all without")
    wanted = parser.parse_args(arguments).pages
    there = in_the_book()
    known = {key: facts for key, facts in cells.slow().items() if key in there}
    for path in notebooks.paths():
        name = path.relative_to(notebooks.ROOT / "book").with_suffix("").as_posix()
        if wanted and name not in wanted:
            continue
        found = times(path)
        kept = {}
        for key, (seconds, error) in found.items():
            known.pop(key, None)
            if seconds > cells.LIMIT_SECONDS or error:
                kept[key] = [round(seconds), error]
        known |= kept
        total = sum(seconds for seconds, _ in found.values())
        print(f"{name}: {len(found)} cells in {total:.0f} s, {len(kept)} of them slow or failing", flush=True)
        for error in sorted({error for _, error in kept.values() if error}):
            print(f"    {error}", flush=True)
        text = json.dumps(dict(sorted(known.items())), indent=1, ensure_ascii=False)
        cells.MEASURED.write_text(f"{text}\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
