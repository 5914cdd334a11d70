"""The iterations behind `reglib.linear.solvers`: proximal gradient with momentum, and coordinate descent.

Both work on centered data in float64 and know them through their moments
alone. They stop at a duality gap of at most ``tolerance * ||y||^2 / (2N)``.
"""

from dataclasses import dataclass

import numpy as np

from reglib._validate import LARGEST, function, number
from reglib.linear.duality import least_squares_gap
from reglib.weights.penalties import GroupLasso


class ConvergenceError(RuntimeError):
    """The duality gap was still above the tolerance at the last iteration allowed.

    Attributes
    ----------
    n_iter : int
        Iterations made.
    gap, tolerance : float
        The duality gap reached and the one asked for, in units of the objective.
    """

    __module__ = "reglib.linear.solvers"  # where readers import it from, and where its page stands

    def __init__(self, solver, n_iter, gap, tolerance, unfinished=1):
        many = f" on {unfinished} problems" if unfinished > 1 else ""
        super().__init__(
            f"{solver} did not converge in {n_iter} iterations{many}: the duality gap is {gap:.3g}, "
            f"the tolerance {tolerance:.3g}; raise max_iter or the tolerance"
        )
        self.n_iter, self.gap, self.tolerance = n_iter, gap, tolerance


@dataclass(frozen=True, eq=False)
class Moments:
    """What the iterations need to know of the data: X^T X / N, as one factor or two; X^T y / N; ||y||^2 / N."""

    factors: tuple
    moment: np.ndarray
    power: np.ndarray

    def slope(self, w):
        """``X^T (y - Xw) / N``, minus the gradient of the loss."""
        product = w[..., None]
        for factor in self.factors:
            product = factor @ product
        return self.moment - product[..., 0]

    def gap(self, penalty, w, v):
        """The duality gap at w, where ``slope`` is v; ||r||^2 = ||y||^2 - <y + r, Xw>."""
        return least_squares_gap(
            penalty,
            w,
            v,
            np.maximum(self.power - ((self.moment + v) * w).sum(axis=-1), 0),
        )

    def take(self, kept):
        """The chosen problems only."""
        return Moments(
            tuple(factor[kept] for factor in self.factors),
            self.moment[kept],
            self.power[kept],
        )


def moments(X, y, gram=False):
    """The moments of X (..., N, D) and y (..., N); with ``gram``, X^T X / N as one factor even if two are cheaper."""
    (n, d), transposed = X.shape[-2:], X.swapaxes(-2, -1)
    factors = (
        (transposed @ X / n,) if gram or d <= 2 * n else (X, transposed / n)
    )
    return Moments(
        factors, (transposed @ y[..., None])[..., 0] / n, (y**2).mean(axis=-1)
    )


def steepest_curvature(X):
    """The largest eigenvalue of X^T X / N, found from the smaller of X^T X and X X^T."""
    n, d = X.shape[-2:]
    square = X @ X.swapaxes(-2, -1) if n < d else X.swapaxes(-2, -1) @ X
    return np.linalg.eigvalsh(square / n)[..., -1]


def proximal_gradient(X, y, penalty, w, limits, restart):
    """FISTA on S problems; return coef (S, D), the iterations (S,) and the gaps (S,).

    ``v`` is the slope at w and ``z_slope`` the slope at z. The slope is affine,
    so momentum carries it along, and one matrix product an iteration suffices.
    """
    coef, n_iter, gaps = (
        np.empty_like(w),
        np.empty(len(w), int),
        np.empty(len(w)),
    )
    problem, curvature = moments(X, y), steepest_curvature(X)
    steps = np.divide(
        1, curvature, out=np.ones_like(curvature), where=curvature > 0
    )
    penalty, left, done = (
        penalty.for_replicas(y.shape[:1]),
        np.arange(len(w)),
        0,
    )
    v = problem.slope(w)
    z, z_slope, t = w, v, np.ones(len(w))
    while True:
        gap = problem.gap(penalty, w, v)
        met = limits.met(done, gap, problem.power)
        coef[left[met]], n_iter[left[met]], gaps[left[met]] = (
            w[met],
            done,
            gap[met],
        )
        if met.all():
            return coef, n_iter, gaps
        if met.any():
            left, problem, penalty = (
                left[~met],
                problem.take(~met),
                penalty.take(~met),
            )
            w, v, z, z_slope, t, steps = (
                each[~met] for each in (w, v, z, z_slope, t, steps)
            )
        for _ in range(limits.before_next_look(done)):
            w_last, v_last = w, v
            w = penalty.prox(z + steps[:, None] * z_slope, steps)
            v = problem.slope(w)
            uphill = ((z - w) * (w - w_last)).sum(axis=-1) > 0
            t = np.where(uphill & restart, 1.0, t)
            t_last, t = t, (1 + np.sqrt(1 + 4 * t**2)) / 2
            momentum = ((t_last - 1) / t)[:, None]
            z, z_slope = (
                w + momentum * (w - w_last),
                v + momentum * (v - v_last),
            )
            done += 1


def descend(problem, penalty, start, limits):
    """Coordinate descent on one problem; return coef (D,), the sweeps and the gap. A column of zeros gets 0."""
    l1, l2 = (penalty.strengths.get(name, 0.0) for name in ("l1", "l2"))
    (gram,) = problem.factors
    diagonal = gram.diagonal()
    w, done = np.where(diagonal > 0, start, 0.0), 0
    while True:
        v = problem.slope(w)
        gap = problem.gap(penalty, w, v)
        if limits.met(done, gap, problem.power):
            return w, done, gap
        for sweep in range(limits.before_next_look(done)):
            for j in np.flatnonzero(w if sweep else diagonal > 0):
                pull = v[j] + diagonal[j] * w[j]
                moved = (pull - min(max(pull, -l1), l1)) / (
                    diagonal[j] + 2 * l2
                ) - w[j]
                if moved:
                    w[j] += moved
                    v -= moved * gram[j]
            done += 1


def single(X, y, penalty, start, limits, restart):
    """`proximal_gradient` on one problem: a batch of one."""
    return tuple(
        each[0]
        for each in proximal_gradient(
            X[None], y[None], penalty, start[None], limits, restart
        )
    )


def warm_starts(X, y, penalties, limits, progress):
    """Yield the solution for each penalty, each starting from the one before; ``limits`` are those of `Limits`."""
    problem, coef = moments(X, y, gram=True), np.zeros(X.shape[-1])
    for done, penalty in enumerate(penalties, start=1):
        try:
            if isinstance(penalty, GroupLasso):
                solution = single(
                    X, y, penalty, coef, Limits("fista", **limits), True
                )
            else:
                solution = descend(
                    problem,
                    penalty,
                    coef,
                    Limits("coordinate descent", **limits),
                )
        except ConvergenceError as error:
            error.add_note(
                f"It was fit {done} of {len(penalties)} on the path: {penalty}."
            )
            raise
        coef = solution[0]
        if progress is not None:
            progress(done, len(penalties))
        yield solution


class Limits:
    """When to stop: the tolerance, the iterations allowed, and the progress shown."""

    def __init__(self, solver, tolerance, max_iter, check_every, progress):
        self.solver = solver
        self.progress = function("progress", progress, optional=True)
        self.tolerance = number("tolerance", tolerance, low=0, low_open=True)
        self.max_iter, self.check_every = (
            count("max_iter", max_iter),
            count("check_every", check_every),
        )

    def met(self, done, gap, power):
        """Tell which problems have converged; raise if time is up for one that has not."""
        allowed = self.tolerance * power / 2
        met = gap <= allowed
        if self.progress is not None:
            scale = power / 2
            self.progress(
                done,
                float(
                    np.max(
                        np.divide(
                            gap, scale, out=np.zeros_like(gap), where=scale > 0
                        )
                    )
                ),
            )
        if done >= self.max_iter and not met.all():
            worst = np.argmax(gap - allowed)
            gap, allowed = (
                float(np.ravel(gap)[worst]),
                float(np.ravel(allowed)[worst]),
            )
            raise ConvergenceError(
                self.solver, done, gap, allowed, int(np.sum(~met))
            )
        return met

    def before_next_look(self, done):
        """How many iterations may pass until the gap is looked at again."""
        return min(self.check_every, self.max_iter - done)


def count(name, value):
    """Return ``value`` if it is a whole number of at least 1."""
    if (
        not isinstance(value, int | np.integer)
        or isinstance(value, bool)
        or not 1 <= value <= LARGEST
    ):
        raise ValueError(
            f"{name} must be a whole number of at least 1; got {value!r}"
        )
    return int(value)
