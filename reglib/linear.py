"""Penalized linear regression: ridge in closed form, FISTA, coordinate descent, whole paths.

The objective, for inputs X of shape (N, D) and targets y of shape (N,):

    J(w, b) = ||y - X w - b||^2 / (2N) + Omega(w)

The intercept b is not penalized: columns and targets are centered first, which
gives the same w, and b follows. Every solver but the closed one stops on the
duality gap (`reglib.duality`), which bounds how far J still is from its minimum.

Sources
-------
A. E. Hoerl and R. W. Kennard, Ridge regression, Technometrics 12 (1970).
A. Beck and M. Teboulle, A fast iterative shrinkage-thresholding algorithm, SIAM J. Imaging Sciences 2 (2009).
B. O'Donoghue and E. Candes, Adaptive restart for accelerated gradient schemes, FoCM 15 (2015).
J. Friedman, T. Hastie and R. Tibshirani, Regularization paths for generalized linear models via
coordinate descent, J. Statistical Software 33 (2010).
"""

from dataclasses import dataclass, fields, replace

import numpy as np

from reglib import duality
from reglib._validate import float_array, integer, number, one_of
from reglib.penalties import L1, L2, ElasticNet, Penalty

FAMILIES = ("lasso", "ridge", "elastic_net")


class ConvergenceError(ArithmeticError):
    """A solver used up its iterations before the duality gap was small enough."""


@dataclass(frozen=True)
class Fit:
    """A fitted model.

    Attributes
    ----------
    coef : ndarray, (D,) or (S, D)
    intercept : float or ndarray of shape (S,)
    gap : float or ndarray of shape (S,)
        Duality gap, an upper bound on how far the objective is above its minimum; 0 for the closed form.
    iterations : int
        Iterations, or sweeps over all coordinates.
    """

    coef: np.ndarray
    intercept: np.ndarray
    gap: np.ndarray
    iterations: int

    def predict(self, x):
        """Return the predictions ``x @ coef + intercept`` for ``x`` of shape (..., D)."""
        return (float_array("x", x) @ self.coef[..., None])[..., 0] + np.asarray(self.intercept)[..., None]


@dataclass(frozen=True)
class Path:
    """Fits over a grid of strengths, from the largest down.

    Attributes
    ----------
    strengths : ndarray, (K,)
    coefs : ndarray, (K, D)
    intercepts, gaps : ndarray, (K,)
    iterations : ndarray of int, (K,)
    """

    strengths: np.ndarray
    coefs: np.ndarray
    intercepts: np.ndarray
    gaps: np.ndarray
    iterations: np.ndarray

    def order_of_entry(self):
        """Return the indices of the variables in the order in which they become nonzero, without those that never do.

        Two that enter between the same two strengths come in the order of their indices: a finer grid tells them apart.
        """
        first = np.where((self.coefs != 0).any(axis=0), (self.coefs != 0).argmax(axis=0), len(self.strengths))
        order = np.argsort(first, kind="stable")
        return order[first[order] < len(self.strengths)]


def ridge(x, y, l2, *, fit_intercept=True):
    """Fit ridge regression in closed form.

    With the singular value decomposition X = U diag(s) V^T of the centered inputs,

        w = V diag(s / (s^2 + 2 N l2)) U^T y,

    the solution of ``(X^T X / N + 2 l2 I) w = X^T y / N``. With ``l2 = 0`` it is the
    least-squares solution of smallest norm.

    Parameters
    ----------
    x : array of floats, (N, D)
    y : array of floats, (N,)
    l2 : number >= 0, or array of shape (K,): K fits from one decomposition
    fit_intercept : bool

    Returns
    -------
    Fit
        With ``coef`` of shape (D,), or (K, D).
    """
    x, y, means = _centered(*_data(x, y, 2), fit_intercept)
    l2 = np.asarray(number("l2", l2, low=0, replicas=True))
    if l2.ndim > 1:
        raise ValueError(f"l2 must be a number or have one axis, got shape {l2.shape}")
    u, s, vt = np.linalg.svd(x, full_matrices=False)
    s = np.where(s > s.max(initial=0.0) * max(x.shape) * np.finfo(s.dtype).eps, s, 0)
    scale = s**2 + 2 * len(y) * l2[..., None]
    coef = (np.divide(s, scale, out=np.zeros_like(scale), where=scale > 0) * (u.T @ y)) @ vt
    return Fit(coef, _intercept(coef, means), np.zeros(l2.shape)[()], 0)


def fista(x, y, penalty, *, start=None, fit_intercept=True, tolerance=1e-12, max_iterations=20_000, check_every=10):
    """Fit by proximal gradient steps with momentum: FISTA with adaptive restart.

    From w_0 = z_1 and t_1 = 1, with step 1/L and L the largest eigenvalue of X^T X / N
    (Beck and Teboulle, equations 4.1 to 4.3):

        w_k     = prox(z_k - X^T (X z_k - y) / (N L))
        t_{k+1} = (1 + sqrt(1 + 4 t_k^2)) / 2
        z_{k+1} = w_k + (t_k - 1) / t_{k+1} * (w_k - w_{k-1})

    The momentum starts anew, t = 1, where it points uphill: ``<z_k - w_k, w_k - w_{k-1}> > 0``
    (O'Donoghue and Candes, the gradient scheme of section 3.2).

    Parameters
    ----------
    x : array of floats, (N, D), or (S, N, D) for S problems solved side by side
    y : array of floats, (N,) or (S, N)
    penalty : a penalty of `reglib.penalties`
        Its strengths may have shape (S,), one a problem.
    start : array of floats, (D,) or (S, D)
        Where to start; zero by default.
    fit_intercept : bool
    tolerance : number > 0
        Largest duality gap, as a share of ``||y||^2 / (2N)`` with y centered.
    max_iterations : int
    check_every : int
        Iterations between two looks at the gap. Problems that are done are left out from then on.

    Returns
    -------
    Fit

    Raises
    ------
    ConvergenceError
        Naming iterations, gap and tolerance.
    """
    x, y = _data(x, y, None)
    _penalty(penalty, Penalty, x)
    tolerance = number("tolerance", tolerance, low=0, low_open=True)
    single = x.ndim == 2
    x, y, means = _centered(x, y, fit_intercept)
    x, y = (x[None], y[None]) if single else (x, y)
    count, n, d = x.shape
    penalty = _with_replicas(penalty, count)
    w = _start(start, (d,) if single else (count, d), x.dtype).reshape(count, d)
    lipschitz = _largest_eigenvalue(x) / n
    limits = tolerance * (y**2).sum(axis=-1) / (2 * n)
    coef, gaps, active = w.copy(), np.full(count, np.inf), np.arange(count)
    z, t = w, np.ones(count)
    for iteration in range(max_iterations + 1):
        if iteration % check_every == 0 or iteration == max_iterations:
            gap = _gap(x, y, w, penalty)
            coef[active], gaps[active] = w, gap
            keep = ~(gap <= limits)
            if not keep.any():
                coef = coef[0] if single else coef
                return Fit(coef, _intercept(coef, means), gaps[0] if single else gaps, iteration)
            if not keep.all():
                active, w, z, t, x, y = active[keep], w[keep], z[keep], t[keep], x[keep], y[keep]
                lipschitz, limits, penalty = lipschitz[keep], limits[keep], _some(penalty, keep)
        old, w = w, _proximal_step(x, y, z, penalty, lipschitz)
        t = np.where(((z - w) * (w - old)).sum(axis=-1) > 0, 1.0, t)
        later = (1 + np.sqrt(1 + 4 * t**2)) / 2
        z, t = w + ((t - 1) / later)[:, None] * (w - old), later
    worst = int(np.argmax(gaps / (y**2).sum(axis=-1).max()))
    raise ConvergenceError(_not_converged("fista", max_iterations, gaps[worst], limits.max(), "iterations"))


def coordinate_descent(x, y, penalty, *, start=None, fit_intercept=True, tolerance=1e-14, max_sweeps=5_000):
    """Fit by minimizing over one coefficient at a time, exactly, in turn.

    With everything else fixed, and c_j = X_j^T (y - X w + X_j w_j) / N, the minimum over w_j is
    (Friedman, Hastie and Tibshirani, equation 5, in this book's strengths):

        w_j = soft(c_j, l1) / (X_j^T X_j / N + 2 l2)

    Between two sweeps over all coefficients the nonzero ones alone are swept until they stand still.

    Parameters
    ----------
    x : array of floats, (N, D)
    y : array of floats, (N,)
    penalty : L1, L2 or ElasticNet, with plain-number strengths
    start : array of floats, (D,)
        Where to start; zero by default.
    fit_intercept : bool
    tolerance : number > 0
        Largest duality gap, as a share of ``||y||^2 / (2N)`` with y centered.
    max_sweeps : int
        Sweeps over all coefficients.

    Returns
    -------
    Fit

    Raises
    ------
    ConvergenceError
        Naming sweeps, gap and tolerance.
    """
    x, y = _data(x, y, 2)
    _penalty(penalty, L1 | L2 | ElasticNet, x[None][:0])
    tolerance = number("tolerance", tolerance, low=0, low_open=True)
    x, y, means = _centered(x, y, fit_intercept)
    n, d = x.shape
    l1, l2 = getattr(penalty, "l1", 0.0), getattr(penalty, "l2", 0.0)
    gram, w = x.T @ x / n, _start(start, (d,), x.dtype).copy()
    slope = x.T @ (y - x @ w) / n
    limit = tolerance * (y @ y) / (2 * n)
    stacked = _with_replicas(penalty, 1)

    def sweep(coordinates):
        nonlocal slope
        largest = 0.0
        for j in coordinates:
            curvature = gram[j, j] + 2 * l2
            c = slope[j] + gram[j, j] * w[j]
            new = (c - min(max(c, -l1), l1)) / curvature if curvature > 0 else 0.0
            change = new - w[j]
            if change:
                slope = slope - gram[:, j] * change
                w[j], largest = new, max(largest, curvature * change**2)
        return largest

    gap = np.inf
    for count in range(1, max_sweeps + 1):
        sweep(range(d))
        slope = x.T @ (y - x @ w) / n
        gap = _gap(x[None], y[None], w[None], stacked)[0]
        if gap <= limit:
            return Fit(w, _intercept(w, means), gap, count)
        for _ in range(100):
            if sweep(np.flatnonzero(w)) <= limit / 10:
                break
    raise ConvergenceError(_not_converged("coordinate_descent", max_sweeps, gap, limit, "sweeps"))


def l1_max(x, y, *, fit_intercept=True):
    """Return the smallest ``l1`` at which the lasso sets every coefficient to zero: ``max_j |X_j^T y| / N``.

    At w = 0 the data loss has the slope -X^T y / N (X and y centered), and 0 is the minimum exactly if
    each of its entries is a subgradient of ``l1 * |w_j|`` at 0, which means at most l1 in size.

    Parameters
    ----------
    x : array of floats, (N, D)
    y : array of floats, (N,)
    fit_intercept : bool
    """
    x, y, _ = _centered(*_data(x, y, 2), fit_intercept)
    return float(np.abs(x.T @ y).max() / len(y))


def path(x, y, family="lasso", strengths=None, *, l1_ratio=0.5, count=100, smallest=1e-3, **options):
    """Fit over a grid of strengths, from the largest down, each fit starting where the one before it ended.

    Parameters
    ----------
    x : array of floats, (N, D)
    y : array of floats, (N,)
    family : "lasso", "ridge" or "elastic_net"
        The penalty at strength s: L1(s), L2(s) or ElasticNet.from_ratio(s, l1_ratio).
    strengths : array of floats, (K,), each > 0
        Sorted from the largest down. By default ``count`` of them, evenly spaced in their logarithm, from the
        smallest strength without nonzero coefficients (for ridge from `l1_max`) to ``smallest`` times it.
    l1_ratio : number in (0, 1]
        For the elastic net.
    count : int
    smallest : number in (0, 1)
    **options
        For the solver: fit_intercept and, except for ridge, tolerance and max_sweeps.

    Returns
    -------
    Path
    """
    one_of("family", family, FAMILIES)
    x, y = _data(x, y, 2)
    ratio = number("l1_ratio", l1_ratio, low=0, high=1, low_open=True) if family == "elastic_net" else 1.0
    if strengths is None:
        low = number("smallest", smallest, low=0, high=1, low_open=True, high_open=True)
        top = l1_max(x, y, fit_intercept=options.get("fit_intercept", True)) / ratio
        strengths = np.geomspace(top, top * low, integer("count", count, low=2))
    strengths = np.sort(np.atleast_1d(number("strengths", strengths, low=0, low_open=True, replicas=True)))[::-1]
    if family == "ridge":
        fit = ridge(x, y, strengths, **options)
        return Path(strengths, fit.coef, fit.intercept, fit.gap, np.zeros(len(strengths), int))
    fits, coef = [], None
    for strength in strengths:
        penalty = L1(strength) if family == "lasso" else ElasticNet.from_ratio(strength, ratio)
        fits.append(coordinate_descent(x, y, penalty, start=coef, **options))
        coef = fits[-1].coef
    columns = (np.array([getattr(fit, name) for fit in fits]) for name in ("coef", "intercept", "gap", "iterations"))
    return Path(strengths, *columns)


def _data(x, y, ndim):
    """Return inputs and targets as matching float arrays."""
    x, y = float_array("x", x, ndim=ndim), float_array("y", y)
    if x.ndim not in (2, 3) or x.size == 0:
        raise ValueError(f"x must have shape (N, D) or (S, N, D) and not be empty, got {x.shape}")
    if y.shape != x.shape[:-1]:
        raise ValueError(f"y must have shape {x.shape[:-1]}, one target a row of x; got {y.shape}")
    return x, y.astype(x.dtype, copy=False)


def _penalty(penalty, kind, x):
    """Say what is wrong with a penalty, or with the number of its strengths."""
    if not isinstance(penalty, kind):
        names = "L1, L2 or ElasticNet" if kind is not Penalty else "a penalty of reglib.penalties"
        raise TypeError(f"penalty must be {names}, got {penalty!r}")
    shapes = {np.shape(getattr(penalty, name)) for name in _strength_names(penalty)} - {()}
    if shapes and (x.ndim == 2 or shapes != {x.shape[:1]}):
        raise ValueError(f"penalty must have one strength, or one for each problem; got shape {shapes.pop()}")


def _strength_names(penalty):
    return [field.name for field in fields(penalty) if field.name in ("l1", "l2")]


def _with_replicas(penalty, count):
    """Return the penalty with each strength of shape (count,)."""
    strengths = {name: np.broadcast_to(getattr(penalty, name), count) for name in _strength_names(penalty)}
    return replace(penalty, **strengths)


def _some(penalty, keep):
    """Return the penalty of the problems in the mask."""
    return replace(penalty, **{name: np.asarray(getattr(penalty, name))[keep] for name in _strength_names(penalty)})


def _centered(x, y, fit_intercept):
    """Return x and y with their means taken off, and the means."""
    if not fit_intercept:
        return x, y, (np.zeros_like(x[..., 0, :]), np.zeros_like(y[..., 0]))
    means = x.mean(axis=-2), y.mean(axis=-1)
    return x - means[0][..., None, :], y - means[1][..., None], means


def _intercept(coef, means):
    return (means[1] - (means[0] * coef).sum(axis=-1))[()]


def _start(start, shape, dtype):
    if start is None:
        return np.zeros(shape, dtype)
    start = float_array("start", start)
    if start.shape != shape:
        raise ValueError(f"start must have shape {shape}, got {start.shape}")
    return start.astype(dtype, copy=False)


def _largest_eigenvalue(x):
    """Return the largest eigenvalue of X^T X for each problem, never zero."""
    small = x @ x.mT if x.shape[-2] < x.shape[-1] else x.mT @ x
    return np.maximum(np.linalg.eigvalsh(small)[..., -1] * (1 + 1e-12), np.finfo(x.dtype).tiny)


def _proximal_step(x, y, z, penalty, lipschitz):
    residual = (x @ z[..., None])[..., 0] - y
    gradient = (x.mT @ residual[..., None])[..., 0] / y.shape[-1]
    return penalty.prox(z - gradient / lipschitz[:, None], 1 / lipschitz)


def _gap(x, y, w, penalty):
    residual = y - (x @ w[..., None])[..., 0]
    slope = (x.mT @ residual[..., None])[..., 0] / y.shape[-1]
    return duality.least_squares_gap(penalty, w, slope, (residual**2).mean(axis=-1))


def _not_converged(name, limit, gap, allowed, unit):
    return (
        f"{name} did not converge in {limit} {unit}: the duality gap is {gap:.3g}, allowed is {allowed:.3g}; "
        f"allow more {unit}, a larger tolerance, or scale the columns of x alike"
    )
