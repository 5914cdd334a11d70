"""Penalized linear regression: ridge in closed form, FISTA, coordinate descent, whole paths.

Everything here minimizes

    J(w, b) = ||y - Xw - b||^2 / (2N) + Omega(w)

over the coefficients w (D,) and the intercept b, which is not penalized. The
minimum over b is at ``b = mean(y) - mean(x) @ w``, so b is dealt with by
subtracting the means of X and y first.

The iterative solvers stop at a duality gap (`reglib.linear.duality`) of at most
``tolerance * ||y||^2 / (2N)``, with y less its mean: a fraction of the loss of
w = 0. They compute in float64; the results have the dtype of the data.

Sources
-------
A. Beck and M. Teboulle, A fast iterative shrinkage-thresholding algorithm for linear inverse problems,
SIAM J. Imaging Sciences 2 (2009).
B. O'Donoghue and E. Candes, Adaptive restart for accelerated gradient schemes, Found. Comput. Math. 15 (2015).
J. Friedman, T. Hastie and R. Tibshirani, Regularization paths for generalized linear models via coordinate
descent, J. Statistical Software 33 (2010).
"""

from dataclasses import dataclass

import numpy as np

from reglib._validate import boolean, float_array, function, number, one_of
from reglib.linear._iterations import (
    ConvergenceError as ConvergenceError,
)  # offered here
from reglib.linear._iterations import (
    Limits,
    count,
    descend,
    moments,
    proximal_gradient,
    single,
    warm_starts,
)
from reglib.weights.penalties import L1, L2, ElasticNet, GroupLasso


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted model, or S of them.

    Attributes
    ----------
    coef : array (D,) or (S, D)
    intercept : number or array (S,)
    n_iter : int or array of ints (S,)
        Iterations until the tolerance was met; 0 in closed form.
    gap : number or array (S,)
        The duality gap reached, in units of the objective; 0 in closed form.
    """

    coef: np.ndarray
    intercept: np.ndarray
    n_iter: np.ndarray
    gap: np.ndarray

    def predict(self, X):
        """Return ``Xw + b``, shape (N,) or (S, N), for X (N, D) or (S, N, D)."""
        X = float_array("X", X)
        if X.ndim < 2 or X.shape[-1] != self.coef.shape[-1]:
            raise ValueError(
                f"X must have shape (N, {self.coef.shape[-1]}), one column a coefficient; got {X.shape}"
            )
        return (X @ self.coef[..., None])[..., 0] + np.asarray(self.intercept)[
            ..., None
        ]


@dataclass(frozen=True, eq=False)
class Path:
    """A fit for each of K strengths, from the largest down.

    Attributes
    ----------
    strengths, intercepts, gaps, iterations : arrays (K,)
    coefs : array (K, D)
    """

    strengths: np.ndarray
    coefs: np.ndarray
    intercepts: np.ndarray
    gaps: np.ndarray
    iterations: np.ndarray

    def order_of_entry(self):
        """Return the columns of X in the order in which their coefficients first leave 0.

        Columns that stay out are left out. Of two that enter at the same
        strength the one with the larger coefficient comes first; a finer grid
        of strengths tells such columns apart.

        Returns
        -------
        array of ints, 0-based

        Examples
        --------
        >>> y = np.array([1.0, 3.0, -2.0])
        >>> path(np.eye(3), y, "lasso", [0.6, 0.4, 0.1], fit_intercept=False).order_of_entry()
        array([1, 2, 0])
        """
        nonzero = self.coefs != 0
        columns = np.flatnonzero(nonzero.any(axis=0))
        first = nonzero.argmax(axis=0)[columns]
        size = np.abs(self.coefs[first, columns])
        return columns[np.lexsort((-size, first))]


def l1_max(X, y, fit_intercept=True):
    """Return the smallest l1 for which the lasso's coefficients are all zero: ``max_j |x_j^T y| / N``.

    Parameters
    ----------
    X : array of floats (N, D) or (S, N, D)
    y : array of floats (N,) or (S, N)
    fit_intercept : bool

    Returns
    -------
    number, or array (S,)

    Notes
    -----
    w = 0 is a minimum if and only if 0 is a subgradient of J there, that is
    ``X^T y / N`` lies in ``l1 * [-1, 1]^D``, the subgradients of ``l1 * sum(|w|)``
    at 0. So it is one as soon as no entry of ``X^T y / N`` is larger than l1.
    """
    X, y, _, _ = _center(*_checked_data(X, y), fit_intercept)
    return np.abs(moments(X, y).moment).max(axis=-1)


def ridge(X, y, l2, fit_intercept=True):
    """Ridge regression in closed form: ``w = V diag(s / (s^2 + 2*N*l2)) U^T y`` with ``X = U diag(s) V^T``.

    One singular value decomposition serves all strengths. With l2 = 0 the
    result is the least-squares solution; of several, the shortest.

    Parameters
    ----------
    X : array of floats (N, D)
    y : array of floats (N,)
    l2 : number or array (K,), >= 0
        An array is a whole path: K fits to the same data.
    fit_intercept : bool

    Returns
    -------
    Fit
        coef (D,) and a number as intercept; with K strengths (K, D) and (K,).

    Notes
    -----
    Setting the gradient ``X^T (Xw - y) / N + 2*l2*w`` to zero gives
    ``(X^T X + 2*N*l2*I) w = X^T y``. The formula solves it for D > N too.
    Hoerl and Kennard, Ridge regression, Technometrics 12 (1970).

    >>> X, y = np.array([[1.0], [2.0], [3.0]]), np.array([2.0, 4.0, 6.0])
    >>> ridge(X, y, [0.0, 1.0]).coef.round(6)
    array([[2. ],
           [0.5]])
    """
    X, y = _checked_data(X, y, batches=False)
    l2 = number("l2", l2, low=0, replicas=True)
    centered, target, x_mean, y_mean = _center(X, y, fit_intercept)
    left, s, right = np.linalg.svd(centered, full_matrices=False)
    present = s > s.max() * max(X.shape) * np.finfo(float).eps
    s, shrunk = s[present], np.asarray(l2)[..., None] * 2 * len(y)
    coef = (s / (s**2 + shrunk) * (target @ left[:, present])) @ right[present]
    closed = np.zeros(np.shape(l2))
    return _fit(X, y, coef, y_mean - coef @ x_mean, closed.astype(int), closed)


def fista(
    X,
    y,
    penalty,
    *,
    fit_intercept=True,
    start=None,
    tolerance=1e-12,
    max_iter=10_000,
    check_every=10,
    restart=True,
    progress=None,
):
    """Minimize J by proximal gradient steps with momentum, for one problem or S problems at once.

    From ``z_1 = w_0`` and ``t_1 = 1``, with step 1/L, L the largest eigenvalue of ``X^T X / N``:

        w_k     = prox(z_k - X^T (X z_k - y) / (N*L))            (4.1)
        t_{k+1} = (1 + sqrt(1 + 4 t_k^2)) / 2                    (4.2)
        z_{k+1} = w_k + (t_k - 1) / t_{k+1} * (w_k - w_{k-1})    (4.3)

    The equation numbers are those of Beck and Teboulle 2009. With ``restart``, t_k
    starts anew at 1 when ``<z_k - w_k, w_k - w_{k-1}> > 0`` (O'Donoghue and Candes 2015).

    Parameters
    ----------
    X : array of floats (N, D), or (S, N, D) for S problems
    y : array of floats (N,) or (S, N)
    penalty : L1, L2, ElasticNet or GroupLasso
        Strengths are numbers, or arrays (S,) for S problems.
    fit_intercept : bool
    start : array of floats (D,) or (S, D), optional; zero if not given
    tolerance : number > 0
        Tolerance of the duality gap, relative to ``||y||^2 / (2N)``.
    max_iter, check_every : int
        Iterations allowed, and between two looks at the gap.
    restart : bool
    progress : callable, optional
        Called as ``progress(iterations, largest relative gap)`` at each look.

    Returns
    -------
    Fit
        Each of S problems stops when it has met its own tolerance.

    Raises
    ------
    ConvergenceError
        If the gap is above the tolerance after ``max_iter`` iterations.
    TypeError, ValueError
        If an argument is not as described.
    """
    X, y = _checked_data(X, y)
    _check_penalty(penalty, (L1, L2, ElasticNet, GroupLasso), X.shape[:-2])
    limits = Limits("fista", tolerance, max_iter, check_every, progress)
    start, restart = _start(start, X), boolean("restart", restart)
    centered, target, x_mean, y_mean = _center(X, y, fit_intercept)
    solve = proximal_gradient if X.ndim == 3 else single
    coef, n_iter, gap = solve(
        centered, target, penalty, start, limits, restart
    )
    return _fit(X, y, coef, y_mean - (coef * x_mean).sum(axis=-1), n_iter, gap)


def coordinate_descent(
    X,
    y,
    penalty,
    *,
    fit_intercept=True,
    start=None,
    tolerance=1e-12,
    max_iter=10_000,
    check_every=10,
    progress=None,
):
    """Minimize J by solving for one coefficient at a time, the others held fixed.

    With ``v = X^T (y - Xw) / N`` and ``G = X^T X / N``, coefficient j moves to

        w_j = S(v_j + G_jj * w_j, l1) / (G_jj + 2*l2)

    S the soft threshold (Friedman, Hastie and Tibshirani 2010, eq. 5, for inputs
    of any scale). A round is one sweep over all coefficients, followed by
    ``check_every - 1`` sweeps over those that are not zero.

    Parameters
    ----------
    X : array of floats (N, D)
    y : array of floats (N,)
    penalty : L1, L2 or ElasticNet
    fit_intercept, start, tolerance, max_iter, check_every, progress
        As for `fista`; an iteration is a sweep.

    Returns
    -------
    Fit

    Raises
    ------
    ConvergenceError, TypeError, ValueError
        As for `fista`.
    """
    X, y = _checked_data(X, y, batches=False)
    _check_penalty(penalty, (L1, L2, ElasticNet), ())
    limits = Limits(
        "coordinate descent", tolerance, max_iter, check_every, progress
    )
    start = _start(start, X)
    centered, target, x_mean, y_mean = _center(X, y, fit_intercept)
    coef, n_iter, gap = descend(
        moments(centered, target, gram=True), penalty, start, limits
    )
    return _fit(X, y, coef, y_mean - coef @ x_mean, n_iter, gap)


def path(
    X,
    y,
    family="lasso",
    strengths=None,
    *,
    l1_ratio=0.5,
    n_strengths=100,
    smallest=1e-3,
    fit_intercept=True,
    tolerance=1e-12,
    max_iter=10_000,
    check_every=10,
    progress=None,
):
    """Fit a model for each strength, from the largest down, each starting from the one before.

    Parameters
    ----------
    X : array of floats (N, D)
    y : array of floats (N,)
    family : "lasso", "ridge", "elastic_net", or a function of a strength that returns a penalty
        "elastic_net" means ``ElasticNet.from_ratio(strength, l1_ratio)``. A group
        lasso is ``lambda strength: GroupLasso(strength, groups)``.
    strengths : array (K,), > 0, optional
        In any order. If not given, for the lasso and the elastic net,
        ``n_strengths`` numbers in geometric progression from the smallest
        strength with all coefficients 0 (see `l1_max`) to ``smallest`` times it.
    l1_ratio : number in [0, 1]
        For "elastic_net" only.
    progress : callable, optional
        Called as ``progress(fits done, fits in all)``.
    fit_intercept, tolerance, max_iter, check_every
        As for `fista`.

    Returns
    -------
    Path

    Raises
    ------
    ConvergenceError, TypeError, ValueError
        As for `fista`; a note tells which fit did not converge.

    Notes
    -----
    Ridge is solved in closed form, a group lasso by `fista`, the rest by `coordinate_descent`.

    >>> X, y = np.array([[1.0], [2.0], [3.0]]), np.array([2.0, 4.0, 6.0])
    >>> path(X, y, "lasso", [2.0, 1.0, 0.5]).coefs.round(6)
    array([[0.  ],
           [0.5 ],
           [1.25]])
    """
    X, y = _checked_data(X, y, batches=False)
    number("l1_ratio", l1_ratio, low=0, high=1)
    count("n_strengths", n_strengths)
    number("smallest", smallest, low=0, high=1, low_open=True, high_open=True)
    function("progress", progress, optional=True)
    if not callable(family):
        one_of("family", family, ("lasso", "ridge", "elastic_net"))
    if strengths is None:
        ratio = {"lasso": 1.0, "elastic_net": l1_ratio}.get(family, 0)
        strengths = _grid(
            l1_max(X, y, fit_intercept), ratio, n_strengths, smallest
        )
    strengths = np.asarray(
        number("strengths", strengths, low=0, low_open=True, replicas=True)
    )
    if strengths.ndim != 1 or strengths.size == 0:
        raise ValueError(
            f"strengths must be one axis of at least one number; got shape {strengths.shape}"
        )
    strengths = np.sort(strengths)[::-1]
    if family == "ridge":
        fit = ridge(X, y, strengths, fit_intercept)
        return Path(strengths, fit.coef, fit.intercept, fit.gap, fit.n_iter)
    families = {
        "lasso": L1,
        "elastic_net": lambda strength: ElasticNet.from_ratio(
            strength, l1_ratio
        ),
    }
    penalties = [
        families.get(family, family)(float(strength)) for strength in strengths
    ]
    for penalty in penalties:
        _check_penalty(
            penalty,
            (L1, L2, ElasticNet, GroupLasso),
            (),
            "what family returns",
        )
    limits = {
        "tolerance": tolerance,
        "max_iter": max_iter,
        "check_every": check_every,
        "progress": None,
    }
    centered, target, x_mean, y_mean = _center(X, y, fit_intercept)
    solutions = warm_starts(centered, target, penalties, limits, progress)
    coefs, iterations, gaps = (
        np.array(each) for each in zip(*solutions, strict=True)
    )
    fit = _fit(X, y, coefs, y_mean - coefs @ x_mean, iterations, gaps)
    return Path(strengths, fit.coef, fit.intercept, fit.gap, fit.n_iter)


def _grid(largest, l1_ratio, n_strengths, smallest):
    if l1_ratio == 0:
        raise ValueError(
            "strengths must be given: only a lasso, or an elastic net with l1_ratio > 0, has a default"
        )
    if largest == 0:
        raise ValueError(
            "strengths must be given: X explains nothing of y, every coefficient is 0 at any strength"
        )
    return np.geomspace(1, smallest, n_strengths) * largest / l1_ratio


def _checked_data(X, y, batches=True):
    X, y = float_array("X", X), float_array("y", y)
    if X.ndim != 2 and not (batches and X.ndim == 3):
        raise ValueError(
            f"X must have shape (N, D){' or (S, N, D)' if batches else ''}; got {X.shape}"
        )
    if X.size == 0:
        raise ValueError(
            f"X must have at least one row and one column; got shape {X.shape}"
        )
    if y.shape != X.shape[:-1]:
        raise ValueError(
            f"y must have one value for each row of X, shape {X.shape[:-1]}; got {y.shape}"
        )
    return X, y


def _center(X, y, fit_intercept):
    """X and y less their means, in float64, and the means: zeros without an intercept."""
    boolean("fit_intercept", fit_intercept)
    X, y = X.astype(float), y.astype(float)
    x_mean, y_mean = X.mean(axis=-2), y.mean(axis=-1)
    if not fit_intercept:
        x_mean, y_mean = np.zeros_like(x_mean), np.zeros_like(y_mean)
    return X - x_mean[..., None, :], y - y_mean[..., None], x_mean, y_mean


def _start(start, X):
    shape = X.shape[:-2] + X.shape[-1:]
    start = (
        np.zeros(shape)
        if start is None
        else float_array("start", start).astype(float)
    )
    if start.shape != shape:
        raise ValueError(
            f"start must have shape {shape}, one number a coefficient; got {start.shape}"
        )
    return start


def _check_penalty(penalty, kinds, batch, name="penalty"):
    if not isinstance(penalty, kinds):
        names = ", ".join(kind.__name__ for kind in kinds)
        raise TypeError(f"{name} must be one of {names}; got {penalty!r}")
    if penalty.replicas not in ((), batch):
        raise ValueError(
            f"penalty has strengths of shape {penalty.replicas}, but X holds problems of shape {batch}"
        )
    if not np.all(sum(penalty.strengths.values()) > 0):
        raise ValueError(
            f"penalty must have a strength above 0, for least squares call ridge(X, y, 0.0); got {penalty!r}"
        )


def _fit(X, y, coef, intercept, n_iter, gap):
    dtype = np.result_type(X, y)
    return Fit(
        coef.astype(dtype),
        np.asarray(intercept).astype(dtype)[()],
        np.asarray(n_iter)[()],
        np.asarray(gap)[()],
    )
