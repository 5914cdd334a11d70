"""Where results live: one file a task, written whole or not at all, and a file of finished cells while a run goes on.

``results/<task>.json`` is complete or absent. ``results/<task>.partial.json`` collects finished cells, so that an
interrupted run goes on where it stopped; it becomes the former when the last cell is there. Both are written under
another name first and then moved into place, which no reader can see half done.
"""

import ast
import hashlib
import json
import os
import platform
import subprocess
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
# What numbers depend on: the code that trains, everything that it imports, and the module of the task.
START = ("regbook.fit", "regstudy.cells")


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


def code(home, task):
    """Return a fingerprint of the code that the numbers of a task depend on; comments and docstrings do not count.

    ``home`` is the module that has the problem in its ``PROBLEMS``. The code is read once in each process: it has what
    it has loaded, whatever happens to the files later.
    """
    problem = repr(import_module(home).PROBLEMS[task])
    return hashlib.sha256(f"{_code(home)}\n{problem}".encode()).hexdigest()[:16]


@lru_cache
def _code(home):
    """Return the code that the numbers of the tasks of a module depend on, as one text."""
    return "\n".join(f"{name} {ast.dump(_bare(tree))}" for name, tree in sorted(modules(*START, home).items()))


def modules(*names):
    """Return the syntax trees of modules and of all that they import from the same packages as they or from ours."""
    ours = {"reglib", "regbook", *(name.partition(".")[0] for name in names)}
    found, left = {}, list(names)
    while left:
        name = left.pop()
        file = None if name in found or name.partition(".")[0] not in ours else _file(name)
        if file is not None:
            found[name] = ast.parse(file.read_text(encoding="utf-8"))
            left += [name.rpartition(".")[0], *_imported(found[name])]
    return found


def _imported(tree):
    """Return the dotted names that a module imports; of ``from a import b`` both a and a.b, whatever b is."""
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names


def _file(name):
    """Return the source file of a module or a package, found without importing it; None for what is none."""
    top, *rest = name.split(".")
    spec = find_spec(top) if top else None
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        place = Path(folder, *rest)
        for file in (place / "__init__.py", place.with_suffix(".py")):
            if file.exists():
                return file
    return None


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
