"""Where results live: one file a task, written whole or not at all, and a file of finished cells while a run goes on.

``results/<task>.json`` is complete or absent. ``results/<task>.partial.json`` collects finished cells, so that an
interrupted run goes on where it stopped; it becomes the former when the last cell is there. Both are written under
another name first and then moved into place, which no reader can see half done.
"""

import ast
import hashlib
import inspect
import json
import os
import platform
import subprocess
from importlib import import_module
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
MODULES = (
    *("regbook.datasets", "regbook.sequences", "reglib.noise.masks", "reglib.noise.dropout", "reglib.noise.places"),
    *("reglib.layers._gates", "reglib.layers._sequence", "reglib.layers.cells", "reglib.layers.dense"),
    *("reglib.layers.recurrent", "reglib.nets.sequence", "reglib.train.losses", "reglib.train.optim"),
    *("reglib.train.loop", "regstudy.arms", "regstudy.cell_run"),
)


def path(task, folder=None, *, partial=False):
    """Return the file of a task's results, or with ``partial`` that of its finished cells, in ``folder``."""
    return Path(folder or RESULTS) / f"{task}{'.partial' if partial else ''}.json"


def read(file):
    """Return what a file of results holds."""
    return json.loads(file.read_text(encoding="utf-8"))


def write(file, content):
    """Write a file of results whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    try:
        new.write_text(_lines(content), encoding="utf-8")
        os.replace(new, file)
    finally:
        new.unlink(missing_ok=True)


def code(task):
    """Return a fingerprint of the code that the numbers of a task depend on; comments and docstrings do not count."""
    sources = [inspect.getsource(import_module(name)) for name in MODULES]
    sources += [inspect.getsource(task.data), inspect.getsource(task.measure)]
    plain = {key: value for key, value in sorted(vars(task).items()) if not callable(value)}
    trees = [ast.dump(_bare(ast.parse(source))) for source in sources]
    return hashlib.sha256("\n".join([*trees, repr(plain)]).encode()).hexdigest()[:16]


def software():
    """Return the versions and the machine that the numbers depend on, and the commit if there is one."""
    import numpy as np

    command = ["git", "-C", str(RESULTS.parent), "rev-parse", "HEAD"]
    try:
        commit = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        commit = None
    return {
        "commit": commit,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": f"{platform.system()} {platform.machine()}",
    }


def _bare(tree):
    """Return a syntax tree without its docstrings."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return tree


def _lines(content):
    """Return JSON with one cell a line: small differences stay small in version control."""
    rest = {key: value for key, value in content.items() if key != "cells"}
    cells = ",\n  ".join(f"{json.dumps(key)}: {json.dumps(cell)}" for key, cell in content["cells"].items())
    return json.dumps(rest, indent=1)[:-2] + f',\n "cells": {{\n  {cells}\n }}\n}}\n'
