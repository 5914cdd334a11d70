"""How far our numbers are from a framework's: measured, held to a tolerance, and shown as a table."""

from dataclasses import dataclass

import numpy as np

from regbook.notebook import Table

# Of outputs and gradients under the same mask, by dtype.
TOLERANCE = {"float64": 1e-12, "float32": 1e-6}


@dataclass(frozen=True, eq=False)
class Parity:
    """Differences that passed, which show as a table; made by `agree`. ``one | other`` puts two in one table; the other
    may be a training run, too.

    Attributes
    ----------
    rows : dict
        By quantity the tolerance, and the largest difference from each framework that has it:
        ``{"output": (1e-12, {"PyTorch": 0.0, "Keras": 1.1e-16})}``.
    """

    rows: dict

    def __or__(self, other):
        """Return both in one; a quantity that stands in both must belong to different frameworks."""
        other = getattr(other, "parity", other)  # a training run's
        if not isinstance(other, Parity):
            return NotImplemented
        rows = dict(self.rows)
        for quantity, (tolerance, found) in other.rows.items():
            before, there = rows.get(quantity, (tolerance, {}))
            if before != tolerance or there.keys() & found.keys():
                raise ValueError(f"two rows are called {quantity!r}; name one of them")
            rows[quantity] = (tolerance, there | found)
        return Parity(rows)

    def table(self, caption="Largest difference from NumPy"):
        """Return a `regbook.notebook.Table` under a ``caption``: a row a quantity, a column a framework."""
        names = list(dict.fromkeys(name for _, found in self.rows.values() for name in found))
        rows = [
            [quantity, *(f"{found[name]:.1e}" if name in found else "—" for name in names), f"{tolerance:.0e}"]
            for quantity, (tolerance, found) in self.rows.items()
        ]
        return Table(rows, ["Quantity", *names, "Allowed"], caption)

    def __repr__(self):
        return repr(self.table())

    def _repr_html_(self):
        return self.table()._repr_html_()


def agree(pairs, tolerance=None, name=""):
    """Compare our arrays with those of frameworks; fail if one is too far away.

    Parameters
    ----------
    pairs : dict
        By quantity and by framework what we have and what it has: ``{"output": {"Keras": (ours, theirs)}}``. Both are
        arrays, of one shape and dtype, or dicts of them by name.
    tolerance : number > 0, optional
        Largest difference allowed, relative to the framework's number where that exceeds 1; by default 1e-12 in
        float64 and 1e-6 in float32.
    name : str
        Stands before the name of each quantity: "channels" makes "channels: output".

    Returns
    -------
    Parity

    Raises
    ------
    AssertionError
        Naming the quantity, the framework and the difference; or the shapes or dtypes that differ.
    """
    rows = {}
    for quantity, by_framework in pairs.items():
        title, found, allowed = f"{name}: {quantity}" if name else quantity, {}, tolerance
        for framework, (ours, theirs) in by_framework.items():
            found[framework], own = _difference(f"{title} against {framework}", ours, theirs, tolerance)
            allowed = own if allowed is None else max(allowed, own)
        rows[title] = (allowed, found)
    return Parity(rows)


def _difference(what, ours, theirs, tolerance):
    """Return the largest difference of two arrays, or of two dicts of them, and what was allowed."""
    if isinstance(ours, dict):
        if list(ours) != list(theirs):
            raise AssertionError(f"{what}: ours has {', '.join(ours)}, theirs {', '.join(theirs)}")
        each = [_difference(f"{what}, {key}", ours[key], theirs[key], tolerance) for key in ours]
        return max(found for found, _ in each), max(allowed for _, allowed in each)
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
        raise AssertionError(
            f"{what}: ours is {ours.dtype} of shape {ours.shape}, theirs {theirs.dtype} of shape {theirs.shape}"
        )
    allowed = TOLERANCE[str(ours.dtype)] if tolerance is None else tolerance
    apart = np.abs(np.subtract(ours, theirs, dtype=float)) / np.maximum(np.abs(theirs), 1)
    found = float(apart.max(initial=0.0))
    if not found <= allowed:  # NaN is not
        raise AssertionError(f"{what}: largest difference {found:.3g}, above the tolerance {allowed:.3g}")
    return found, allowed
