"""What the card of a chapter says was measured: stored, and checked by the very page that measures it.

The card opens a chapter, before anything has run, so its sentence comes from a store, ``measured.json``. Further down,
the page's study calls `confirm`: if it finds something else than the store says, the page fails, and the build with
it. ``python -m tools.measured`` measures anew and writes store and cards.
"""

import json
import os
from pathlib import Path

from regbook.experiment import Comparison
from reglib._validate import instance

FILE = Path(__file__).with_name("measured.json")
# Another processor adds floats in another order, and an example or two may change sides. Numbers may therefore differ
# by this share of the interval's width; the verdict may not.
SHARE = 0.1
WRITE = "REGBOOK_MEASURED"  # set to "write", `confirm` stores what it is given
NUMBERS = ("mean_a", "mean_b", "difference", "low", "high")


def stored(file=None):
    """Return everything that is stored: a dict of results by name. ``file`` is by default the book's own."""
    file = FILE if file is None else Path(file)
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def confirm(name, comparison, *, where, unit, over="paired seeds", file=None):
    """Check that a comparison is what the card says of it.

    Parameters
    ----------
    name : str
        Of the result in the store, and in the card's mark ``<!-- measured: NAME -->``.
    comparison : `regbook.experiment.Comparison`
        From ``study.compare(a, b)`` or `regbook.experiment.paired`.
    where : str
        The data and what was tuned, in a few words: "200 digits, 30% of the labels wrong; each arm tuned".
    unit : str
        Of the measure: "% test error".
    over : str
        What the pairs are.
    file : path, optional
        By default the book's own store.

    Raises
    ------
    AssertionError
        If the store has no such result, another text, another verdict, or numbers that are off by more than a tenth
        of the interval's width.

    Examples
    --------
    >>> from regbook.experiment import paired
    >>> a, b = [0.1 * k for k in range(20)], [1 + 0.2 * k for k in range(20)]
    >>> found = paired(a, b, better="lower", claim="less", arms=("new", "old"))
    >>> confirm("no such result", found, where="some numbers", unit="points")
    Traceback (most recent call last):
    AssertionError: no result 'no such result' is stored; run python -m tools.measured
    """
    instance("comparison", comparison, Comparison, "a Comparison, from Study.compare or regbook.experiment.paired")
    found, results = _entry(comparison, where, unit, over), stored(file)
    if os.environ.get(WRITE) == "write":
        _save(results | {name: found}, FILE if file is None else Path(file))
        return
    if name not in results:
        raise AssertionError(f"no result {name!r} is stored; run python -m tools.measured")
    known = results[name]
    words = [key for key in found if key not in NUMBERS and found[key] != known.get(key)]
    allowed = SHARE * (known["high"] - known["low"])
    words += [key for key in NUMBERS if not abs(found[key] - known[key]) <= allowed + 1e-9]
    if words:
        shown = ", ".join(f"{key} {found[key]!r} for {known.get(key)!r}" for key in words)
        raise AssertionError(f"{name!r} is not what the card says: {shown}; run python -m tools.measured")


def sentence(name, file=None):
    """Return the sentence of a card on a stored result, as Markdown.

    Raises
    ------
    KeyError
        If nothing of that ``name`` is stored in ``file``.
    """
    entry = stored(file)[name]
    mean_a, mean_b, difference, low, high = (_short(entry[key]) for key in NUMBERS)
    return (
        f"{entry['where']}: {mean_a} with {entry['a']} against {mean_b} with {entry['b']} ({entry['unit']}); "
        f"difference {difference}, 95% interval [{low}, {high}], {entry['n']} {entry['over']}: **{entry['verdict']}**."
    )


def _entry(comparison, where, unit, over):
    """Return what is stored of a comparison."""
    a, b = comparison.arms
    low, high = comparison.interval
    numbers = (comparison.mean_a, comparison.mean_b, comparison.difference, low, high)
    entry = {"where": where, "a": a, "b": b, "unit": unit, "n": comparison.n, "over": over}
    entry |= {name: float(f"{number:.10g}") for name, number in zip(NUMBERS, numbers, strict=True)}
    return entry | {"verdict": comparison.verdict}


def _short(number):
    """Return a number with three digits, zeros at the end too, and a true minus sign."""
    return f"{number:#.3g}".rstrip(".").replace("-", "−")


def _save(results, file):
    """Write the store in one go."""
    text = json.dumps(dict(sorted(results.items())), indent=1, ensure_ascii=False) + "\n"
    beside = file.with_suffix(f".{os.getpid()}.tmp")
    beside.write_text(text, encoding="utf-8")
    beside.replace(file)
