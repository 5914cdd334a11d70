"""Runs the cells of a page, inside of the worker; what they show is handed on piece by piece.

The page hands over its cells, as they stand in their editors, and says which one the reader wants. The
runner finds what must run before it (`names.plan`), runs that once, and then the cell itself.
"""

import ast
import importlib
import importlib.util
import json
import linecache
import logging
import os
import sys
import time
import traceback
import types
from pathlib import Path

from tools.live import names

# Of everything printed by one cell, the page gets this many characters.
LIMIT = 100_000
HEAVY = {"matplotlib": "matplotlib", "scipy": "scipy"}


class Stream:
    """What ``print`` writes to: lines go to the page as they come."""

    encoding = "utf-8"

    def __init__(self, send):
        self.send, self.held, self.written = send, "", 0

    def write(self, text):
        self.held += text
        if "\n" in text:
            self.flush()
        return len(text)

    def flush(self):
        if self.held and self.written < LIMIT:
            room = LIMIT - self.written
            cut = "" if len(self.held) <= room else "\n(the rest is left out)\n"
            self.send("text", self.held[:room] + cut)
        self.written += len(self.held)
        self.held = ""

    def isatty(self):
        return False


class Finder:
    """Fetches a package of the runtime in the middle of an import: SciPy, which functions of ours import late."""

    def __init__(self, load):
        self.load, self.packages = load, dict(HEAVY)

    def find_spec(self, name, path=None, target=None):
        if name in self.packages and path is None:
            self.load(self.packages.pop(name))
            importlib.invalidate_caches()
            return importlib.util.find_spec(name)
        return None


class Runner:
    """The state of a page: its names, and which pieces of which cells have run.

    Parameters
    ----------
    send : callable
        Takes a cell's id, a kind and a text: "text", "html", "svg", "code", "check", "note" or "error".
    load : callable
        Fetches a package of the runtime by its name, and returns when it is there.
    heavy : dict
        Modules of ours whose import needs packages of the runtime, as `tools.live.bundle.heavy` found them.
    """

    def __init__(self, send, load, heavy):
        self.send, self.cell, self.heavy = send, "", heavy
        self.done, self.owners, self.units, self.styled = set(), {}, [], False
        self.module = types.ModuleType("__main__")
        self.module.__dict__["display"] = self.show
        self.stream = Stream(self._emit)
        sys.meta_path.append(Finder(load))
        os.environ["MPLBACKEND"] = "svg"
        logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # it tells that it looks for fonts

    def settle(self):
        """Take over the interpreter: its output and its main module."""
        sys.modules["__main__"] = self.module
        sys.stdout = sys.stderr = self.stream
        if not hasattr(time, "thread_time"):  # there is one thread
            time.thread_time = time.process_time

    def _emit(self, kind, text):
        self.send(self.cell, kind, text)

    def plan(self, cells, target):
        """Prepare a run; return as JSON the cell of each piece, and the packages to fetch first.

        Parameters
        ----------
        cells : str
            JSON: a list of [id, source, runs].
        target : str
        """
        cells = json.loads(cells)
        for cell, source, _ in cells:
            name = f"<{cell}>"
            linecache.cache[name] = (len(source), None, [line + "\n" for line in source.splitlines()], name)
        self.units = names.plan(cells, target, self.done, self.owners)
        packages = sorted({package for unit in self.units for package in packages_of(unit, self.heavy)})
        return json.dumps({"cells": [unit.cell for unit in self.units], "packages": packages})

    def check_syntax(self, cell, source):
        """Return whether a cell can be read as Python; show the page what is wrong with it, if not."""
        self.cell = cell
        try:
            compile(source, f"<{cell}>", "exec")
        except SyntaxError as error:
            line = f"line {error.lineno} of this cell: " if error.lineno else ""
            shown = f"\n    {error.text.rstrip()}" if error.text else ""
            self._emit("error", f"{type(error).__name__} in {line}{error.msg}{shown}")
            return False
        return True

    def run(self, index):
        """Run one piece; return whether it ran to its end."""
        unit = self.units[index]
        self.cell = unit.cell
        self.stream.written = 0
        name = f"<{unit.cell}>"
        try:
            tree = ast.parse(unit.source)
            if unit.is_import and unit.line > 1:
                ast.increment_lineno(tree, unit.line - 1)
            value, last = None, None
            if tree.body and isinstance(tree.body[-1], ast.Expr):
                last = ast.Expression(tree.body.pop().value)
            exec(compile(tree, name, "exec"), self.module.__dict__)
            if last is not None:
                value = eval(compile(last, name, "eval"), self.module.__dict__)
            if value is not None:
                self.show(value)
            self._figures()
        except BaseException as error:
            self.stream.flush()
            if unit.is_import and isinstance(error, ModuleNotFoundError):
                self._emit("note", f"{unit.source}: left out, {error.name} cannot run in a page")
                self.done.add(names.key(unit))
                return True
            self._emit("error", told(error, name))
            return False
        finally:
            self.stream.flush()
        self.done.add(names.key(unit))
        for bound in unit.binds:
            self.owners[bound] = names.key(unit)
        return True

    def show(self, *values):
        """Show values as Jupyter does: the richest form that a page can show."""
        self.stream.flush()
        for value in values:
            self._emit(*form_of(value))

    def _figures(self):
        """Show the open figures; the first time, set the book's style and let ``plt.show`` show them at once."""
        pyplot = sys.modules.get("matplotlib.pyplot")
        if pyplot is None:
            return
        if not self.styled:
            pyplot.switch_backend("svg")
            vars(pyplot)["show"] = lambda *_, **__: self._show_now(pyplot)
            importlib.import_module("regbook.plotting").use_style()
            self.styled = True
        self._show_now(pyplot)

    def _show_now(self, pyplot):
        self.stream.flush()
        for number in pyplot.get_fignums():
            self._emit("svg", drawn(pyplot.figure(number)))


def packages_of(unit, heavy):
    """Return the packages of the runtime that a unit's imports need."""
    found = set()
    for module in unit.modules:
        first = module.partition(".")[0]
        found |= {HEAVY[first]} if first in HEAVY else set(heavy.get(module, ()))
    return found


def drawn(figure):
    """Return a figure as SVG, and close it."""
    return importlib.import_module("regbook.plotting").svg(figure, text=False)


def form_of(value):
    """Return (kind, text) for a value."""
    if type(value).__module__ == "regcheck.core" and hasattr(value, "status"):
        return "check", json.dumps({"status": value.status, "text": repr(value), "html": value._repr_html_()})
    if hasattr(value, "savefig"):
        return "svg", drawn(value)
    if hasattr(value, "_repr_html_") and (text := value._repr_html_()) is not None:
        return "html", text
    if hasattr(value, "_repr_markdown_") and (text := value._repr_markdown_()) is not None:
        lines = text.strip().splitlines()
        fenced = lines[0].startswith("```") and lines[-1].startswith("```")
        return "code", "\n".join(lines[1:-1] if fenced else lines)
    return "text", repr(value) + "\n"


def told(error, name):
    """Return a traceback for the reader: from their own lines on, what is inside of the runner left out."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [index for index, frame in enumerate(frames) if frame.filename.startswith("<") and frame.line]
    lines = []
    for frame in frames[own[0] :] if own else []:
        place = "this cell" if frame.filename == name else f"the cell {frame.filename[1:-1]}"
        if not frame.filename.startswith("<"):
            place = "/".join(Path(frame.filename).parts[-2:])
        inside = "" if frame.name == "<module>" else f", in {frame.name}"
        lines.append(f"line {frame.lineno} of {place}{inside}:\n    {frame.line}")
    last = "".join(traceback.format_exception_only(type(error), error)).rstrip()
    return "\n".join([*lines, last])
