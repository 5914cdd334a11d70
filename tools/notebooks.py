"""The rules of storage for notebooks: clean, with minimal metadata, one identical set-up cell, and cards up to date.

``python -m tools.notebooks`` reports what breaks them; ``--fix`` mends it.
"""

import argparse
import json
import re
import sys
from pathlib import Path

import yaml

from regbook import measured

ROOT = Path(__file__).resolve().parent.parent
SETUP_ID = "set-up"
SETUP_TAGS = ["hide-cell"]
SETUP = """\
# Set-up, the same in every chapter: find reglib, or install it in Colab.
import importlib.util
import os
import pathlib
import subprocess
import sys

REPOSITORY = "{address}"
# TensorFlow: quiet, and the same sums everywhere. One thread: quicker here.
os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0")
for library in ("OMP", "OPENBLAS"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")
if importlib.util.find_spec("reglib") is None:
    folders = pathlib.Path.cwd().parents
    clone = next((f for f in folders if (f / "reglib").is_dir()), None)
    if clone is not None:
        sys.path.insert(0, str(clone))
    elif REPOSITORY:
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps"]
        subprocess.run([*pip, "git+" + REPOSITORY], check=True)
    else:
        raise ModuleNotFoundError("open this notebook in a clone of the book")
from regbook import plotting

plotting.use_style()"""
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
CELL_METADATA = {"tags", "mystnb"}
# A line of a card with what was measured: the sentence is written from the store.
MEASURED = re.compile(r"^(- |)(.*?) ?<!-- measured: (\S+) -->$", re.MULTILINE)


def address():
    """Return the repository's address: the one setting, in ``_config.yml``."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    return config["repository"]["url"] or ""


def setup_source():
    """Return the set-up cell that every notebook must carry."""
    return SETUP.replace("{address}", address())


def paths():
    """Return every notebook of the book."""
    return sorted((ROOT / "book").rglob("*.ipynb"))


def read(path):
    """Return a notebook as plain dictionaries."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def source(cell):
    """Return a cell's text, whether stored as a string or as lines."""
    return cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])


def with_sentences(text):
    """Return a card's text with the stored sentence before each of its marks."""
    results = measured.stored()

    def line(match):
        told = measured.sentence(match[3]) if match[3] in results else "Not measured yet."
        return f"{match[1]}{told} <!-- measured: {match[3]} -->"

    return MEASURED.sub(line, text)


def lines(text):
    """Return text as the list of lines that the notebook format stores."""
    return text.splitlines(keepends=True)


def problems(notebook):
    """Return what is wrong with a notebook's storage, one line each."""
    found = []
    if notebook["metadata"] != METADATA:
        found.append(
            f"notebook metadata is {sorted(notebook['metadata'])}, expected kernelspec and language_info alone"
        )
    ids = [cell.get("id") for cell in notebook["cells"]]
    if None in ids or len(set(ids)) != len(ids):
        found.append("a cell has no id, or two cells share one")
    for cell in notebook["cells"]:
        name = cell.get("id")
        extra = set(cell["metadata"]) - CELL_METADATA
        if extra:
            found.append(f"cell {name}: metadata {sorted(extra)}")
        if cell.get("outputs") or cell.get("execution_count"):
            found.append(f"cell {name}: stored with outputs or an execution count")
        if cell["cell_type"] == "markdown" and with_sentences(source(cell)) != source(cell):
            found.append(f"cell {name}: a sentence on what was measured is not the stored one")
        for _, _, result in MEASURED.findall(source(cell)):
            if result not in measured.stored():
                found.append(f"cell {name}: no result {result!r} is stored; run python -m tools.measured")
    setup = [cell for cell in notebook["cells"] if cell.get("id") == SETUP_ID]
    if len(setup) != 1 or source(setup[0]) != setup_source() or setup[0]["metadata"].get("tags") != SETUP_TAGS:
        found.append(f"needs one cell with id {SETUP_ID!r}, tags {SETUP_TAGS} and the common text")
    return found


def clean(notebook):
    """Return the notebook as it should be stored; ids are kept."""
    cells = []
    for cell in notebook["cells"]:
        kept = {"cell_type": cell["cell_type"]}
        if cell["cell_type"] == "code":
            kept["execution_count"] = None
        kept["id"] = cell["id"]
        kept["metadata"] = {key: value for key, value in cell["metadata"].items() if key in CELL_METADATA}
        if cell["cell_type"] == "code":
            kept["outputs"] = []
        text = source(cell)
        if cell["id"] == SETUP_ID:
            text, kept["metadata"] = setup_source(), {"tags": SETUP_TAGS}
        if cell["cell_type"] == "markdown":
            text = with_sentences(text)
        kept["source"] = lines(text)
        cells.append(kept)
    return {"cells": cells, "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5}


def dump(notebook):
    """Return a notebook's bytes as Jupyter stores them: one space of indentation, a final newline."""
    return (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode()


def main(arguments=None):
    """Check the notebooks named (or all of them); return the exit status."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--fix", action="store_true", help="clean the notebooks in place")
    parser.add_argument("notebooks", nargs="*", type=Path)
    options = parser.parse_args(arguments)
    status = 0
    for path in options.notebooks or paths():
        notebook = read(path)
        if options.fix and clean(notebook) != notebook:
            path.write_bytes(dump(clean(notebook)))
            print(f"{path}: cleaned")
        for problem in problems(read(path)):
            print(f"{path}: {problem}")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
