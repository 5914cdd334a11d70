r"""Checking a gradient against central differences.

For a scalar function f, an argument x and a direction u of length one,

    (f(x + h u) - f(x - h u)) / (2 h)  ->  <grad f(x), u>   as h -> 0,

with an error of h^2/6 times the third derivative along u, plus rounding of
about ``eps * |f| / h``. Both are small at h = eps^(1/3), which is 6e-6 in float64
(Press et al., *Numerical Recipes*, the section on numerical derivatives).
Random directions touch every coordinate at once, so a handful of them find a
wrong factor, a wrong sign, a transposed or a missing mask in an array of any
size; they cost two evaluations each, whatever the size.

**Kinks.** Where f has one (the ReLU and the absolute value at 0), the central
difference returns the mean of the slopes on the two sides, which no gradient
needs to equal. Check at points whose distance from every kink is well above h;
a random point is, with probability close to one.
"""

from dataclasses import dataclass

import numpy as np

from reglib._validate import (
    as_array,
    float_array,
    function,
    generator,
    integer,
    number,
)

STEP = float(np.finfo(np.float64).eps) ** (1 / 3)


class GradientError(AssertionError):
    """An analytic gradient and its central difference disagree; the text shows both numbers."""


@dataclass(frozen=True)
class Comparison:
    """One analytic directional derivative beside its central difference.

    ``argument`` names the array that moved; ``direction`` is the direction's running number, or a coordinate's index.
    ``error`` is ``|analytic - numeric|`` over the larger of the two, but never
    over less than ``floor`` times the function's own size.
    """

    argument: str
    direction: int | tuple
    analytic: float
    numeric: float
    error: float

    def __str__(self):
        return (
            f"{self.argument}, direction {self.direction}: analytic {self.analytic:.12g}, "
            f"numeric {self.numeric:.12g}, relative error {self.error:.2g}"
        )


@dataclass(frozen=True)
class Report:
    """All comparisons of one check, with the tolerance that they had to meet."""

    comparisons: tuple
    tolerance: float

    @property
    def worst(self):
        """The comparison with the largest relative error."""
        return max(self.comparisons, key=lambda comparison: comparison.error)

    @property
    def failures(self):
        """The comparisons whose relative error exceeds the tolerance."""
        return tuple(
            c for c in self.comparisons if not c.error <= self.tolerance
        )

    @property
    def passed(self):
        """Whether every comparison met the tolerance."""
        return not self.failures

    def __str__(self):
        verdict = "agree" if self.passed else "disagree"
        head = f"the analytic and the numeric gradient {verdict} (tolerance {self.tolerance:.2g})"
        return "\n  ".join(
            [head, *map(str, self.failures or self.comparisons)]
        )


def numeric_gradient(f, x, *, step=STEP):
    """Central differences of ``f`` coordinate by coordinate: two evaluations for each.

    ``x`` is an array, a list or a dict of arrays, all float64; the result has
    the same structure. ``step`` is the h of the difference. Meant for tiny arrays.

    >>> numeric_gradient(lambda w: np.sum(w**2), np.array([1.0, -3.0])).round(6)
    array([ 2., -6.])
    """
    function("f", f)
    _, arrays, rebuild = _take_apart(x)
    step = number("step", step, low=0, low_open=True)
    gradients = []
    for position, array in enumerate(arrays):
        gradient = np.empty_like(array)
        for index in np.ndindex(array.shape):
            gradient[index] = _slope(
                f, arrays, rebuild, position, _coordinate(array, index), step
            )[0]
        gradients.append(gradient)
    return rebuild(gradients)


def check(
    f, grad, x, rng, *, directions=5, step=STEP, tolerance=1e-6, floor=1e-3
):
    """Compare a gradient with central differences of ``f`` in random directions.

    Parameters
    ----------
    f : callable
        Takes ``x``, returns a single number.
    grad : callable or arrays
        Takes ``x``, returns its gradient in the same structure; or that gradient itself.
    x : ndarray, or list, tuple or dict of ndarrays
        Where to check, in float64 (in float32 rounding would hide a real error).
        Each array is varied on its own, so that a failure names it.
    rng : numpy.random.Generator
    directions : int
        Random directions of length one for each array.
    step : float
        The h of the central difference; see the head of this module.
    tolerance : float
        Largest relative error, ``|analytic - numeric| / max(|analytic|, |numeric|, floor * |f|)``.
    floor : float
        Keeps rounding in ``f`` from counting as an error where the slope is nearly zero.

    Returns
    -------
    Report

    Raises
    ------
    GradientError
        With both numbers, the direction and the argument's name in its text.

    Examples
    --------
    >>> w = np.array([1.0, -3.0])
    >>> check(lambda w: np.sum(w**2), 2 * w, w, np.random.default_rng(0)).passed
    True
    """
    generator("rng", rng)
    directions = integer("directions", directions, low=1)

    def draw(array):
        for index in range(directions):
            u = rng.standard_normal(array.shape)
            yield index, u / np.linalg.norm(u)

    return _compare(f, grad, x, draw, step, tolerance, floor)


def check_coordinates(f, grad, x, *, step=STEP, tolerance=1e-6, floor=1e-3):
    """Like `check`, but along every coordinate in turn: the failure names the entry. For tiny arrays.

    ``f``, ``grad``, ``x``, ``step``, ``tolerance`` and ``floor`` are those of
    `check`, and so are the report and the error.
    """

    def draw(array):
        for index in np.ndindex(array.shape):
            yield index, _coordinate(array, index)

    return _compare(f, grad, x, draw, step, tolerance, floor)


def check_vector(
    f, backward, x, rng, *, directions=5, step=STEP, tolerance=1e-6, floor=1e-3
):
    """Check the backward pass of an array-valued ``f`` through a random cotangent c.

    The scalar function ``sum(c * f(x))`` has the gradient ``backward(c, x)``,
    which is what a backward pass computes. ``x``, ``rng``, ``directions``, ``step``,
    ``tolerance`` and ``floor`` are those of `check`, and so are the report and the error.
    """
    generator("rng", rng)
    function("f", f)
    function("backward", backward)
    _take_apart(x)
    value = float_array("f", f(x), finite=False)
    cotangent = rng.standard_normal(value.shape)

    def scalar(x):
        return np.sum(cotangent * f(x))

    def grad(x):
        return backward(cotangent, x)

    return check(
        scalar,
        grad,
        x,
        rng,
        directions=directions,
        step=step,
        tolerance=tolerance,
        floor=floor,
    )


def _compare(f, grad, x, draw, step, tolerance, floor):
    """Compare along the directions that ``draw`` yields for each array; raise or report."""
    function("f", f)
    step = number("step", step, low=0, low_open=True)
    tolerance = number("tolerance", tolerance, low=0, low_open=True)
    floor = number("floor", floor, low=0)
    names, arrays, rebuild = _take_apart(x)
    gradients = _matching(
        grad(rebuild(arrays)) if callable(grad) else grad, x, names, arrays
    )
    comparisons = []
    for position, (name, array) in enumerate(zip(names, arrays, strict=True)):
        for index, u in draw(array):
            analytic = float(np.sum(gradients[position] * u))
            numeric, size = _slope(f, arrays, rebuild, position, u, step)
            comparisons.append(
                Comparison(
                    name,
                    index,
                    analytic,
                    numeric,
                    _error(analytic, numeric, floor * size),
                )
            )
    report = Report(tuple(comparisons), tolerance)
    if not report.passed:
        raise GradientError(str(report))
    return report


def _error(analytic, numeric, least):
    """Return the relative error of two numbers, over at least ``least``; two zeros agree."""
    if analytic == numeric:
        return 0.0
    return abs(analytic - numeric) / max(abs(analytic), abs(numeric), least)


def _slope(f, arrays, rebuild, position, u, step):
    """Return the central difference of ``f`` when one array moves along ``u``, and the size of ``f``."""
    h = step * max(1.0, np.abs(arrays[position]).max())
    up, down = (
        _scalar(f(rebuild(_moved(arrays, position, sign * h * u))))
        for sign in (1, -1)
    )
    return (up - down) / (2 * h), max(abs(up), abs(down))


def _moved(arrays, position, change):
    """Return fresh copies of the arrays, one of them moved by ``change``."""
    return [
        array + change if i == position else array.copy()
        for i, array in enumerate(arrays)
    ]


def _scalar(value):
    """Return what ``f`` returned as a float, or say that it is not one finite number."""
    value = as_array("f", value)
    if value.dtype.kind not in "iuf":
        raise TypeError(
            f"f must return a single number, got one of dtype {value.dtype}"
        )
    if value.ndim:
        raise ValueError(
            f"f must return a single number, got an array of shape {value.shape}; see check_vector"
        )
    if not np.isfinite(value):
        raise ValueError(f"f must return a finite number, got {value}")
    return float(value)


def _coordinate(array, index):
    """Return the unit vector along one entry of ``array``."""
    u = np.zeros_like(array)
    u[index] = 1.0
    return u


def _take_apart(x):
    """Return the names and arrays in ``x``, and a function that puts arrays back into its structure."""
    if isinstance(x, dict):
        names, arrays, rebuild = (
            list(x),
            list(x.values()),
            lambda parts: dict(zip(x, parts, strict=True)),
        )
    elif isinstance(x, (list, tuple)):
        names, arrays, rebuild = (
            [f"x[{i}]" for i in range(len(x))],
            list(x),
            type(x),
        )
    else:
        names, arrays, rebuild = ["x"], [x], lambda parts: parts[0]
    arrays = [
        float_array(str(name), array)
        for name, array in zip(names, arrays, strict=True)
    ]
    for name, array in zip(names, arrays, strict=True):
        if array.dtype != np.float64:
            raise TypeError(
                f"{name} must be float64, so that rounding hides no error; got {array.dtype}"
            )
        if not array.size:
            raise ValueError(
                f"{name} must hold at least one number, got shape {array.shape}"
            )
    return [str(name) for name in names], arrays, rebuild


def _matching(gradient, x, names, arrays):
    """Return the gradient's arrays in the order of ``names``, each with its argument's shape."""
    if isinstance(x, dict):
        parts = [gradient[name] for name in x]
    else:
        parts = list(gradient) if isinstance(x, (list, tuple)) else [gradient]
    if len(parts) != len(arrays):
        raise ValueError(
            f"grad must hold one array for each of the {len(arrays)} in x, got {len(parts)}"
        )
    parts = [as_array("grad", part) for part in parts]
    for name, part, array in zip(names, parts, arrays, strict=True):
        if np.shape(part) != array.shape:
            raise GradientError(
                f"the gradient of {name} must have shape {array.shape}, got {np.shape(part)}"
            )
    return parts
