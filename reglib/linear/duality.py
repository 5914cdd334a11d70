"""How far from the minimum? The duality gap of penalized least squares.

For a penalty that is a norm, Omega(w), the problem and its dual are

    minimize over w   P(w) = ||y - Xw||^2 / (2N) + Omega(w)
    maximize over u   D(u) = <u, y> - N*||u||^2 / 2,   X^T u a subgradient of Omega somewhere

Every D(u) is at most every P(w), so ``P(w) - D(u)`` bounds how much lower P
can still go. The residual r = y - Xw offers the point ``u = s*r/N``, with the
largest s in [0, 1] that the dual admits. With v = X^T r / N that gives

    P(w) - D(u) = (1 - s)^2 * ||r||^2 / (2N) + Omega(w) - s*<v, w>

Both parts are at least 0, and both are 0 at the minimum.

A ridge part ``l2 * ||w||^2`` counts as data: D more rows sqrt(2*N*l2) * I
below X, with targets 0 (Zou and Hastie 2005). That turns ||r||^2 into
``||r||^2 + 2*N*l2*||w||^2`` and v into ``v - 2*l2*w``. Without any norm, for
L2 alone, the gap with Omega's own conjugate is ``||v - 2*l2*w||^2 / (4*l2)``.

Sources
-------
O. Fercoq, A. Gramfort and J. Salmon, Mind the duality gap: safer rules for the lasso, ICML (2015).
H. Zou and T. Hastie, Regularization and variable selection via the elastic net, JRSS B 67 (2005).
"""

import numpy as np

from reglib._validate import float_array, instance, number
from reglib.weights.penalties import GroupLasso, Penalty


def dual_scale(penalty, v):
    """Return the largest s in [0, 1] for which ``s * v`` is a subgradient of the penalty's norm at some point.

    The subgradients of ``l1 * sum(|w|)`` fill the box [-l1, l1], hence
    ``s = min(1, l1 / max_j |v_j|)``; for the group lasso
    ``s = min(1, l1 / max_g (||v_g||_2 / sqrt(n_g)))``. Without a norm (L2,
    where l1 = 0) s is 0, unless v is 0.

    Parameters
    ----------
    penalty : Penalty
    v : array of floats (D,), or (S, D) with strengths of shape (S,)

    Returns
    -------
    number, or array of shape (S,)
    """
    v = float_array("v", v)
    if v.ndim == 0 or v.shape[-1] == 0:
        raise ValueError(
            f"v must have shape (D,) or (S, D), with D above 0; got {v.shape}"
        )
    l1, _ = _strengths(penalty, v)
    largest = (
        penalty.scaled_norms(v)
        if isinstance(penalty, GroupLasso)
        else np.abs(v)
    ).max(axis=-1)
    return np.divide(
        l1[..., 0],
        largest,
        out=np.ones_like(largest),
        where=largest > l1[..., 0],
    )[()]


def least_squares_gap(penalty, w, v, residual_power):
    """Return the duality gap at w: the formula at the head of this module.

    Parameters
    ----------
    penalty : Penalty
        With l1 or l2 above 0.
    w : array of floats (D,), or (S, D) with strengths of shape (S,)
        The coefficients.
    v : array shaped like ``w``
        ``X^T r / N``, minus the gradient of the data loss.
    residual_power : number, or array of shape (S,)
        ``||r||^2 / N``.

    Returns
    -------
    number, or array of shape (S,)
    """
    w, v = float_array("w", w), float_array("v", v)
    if v.shape != w.shape:
        raise ValueError(
            f"v must have the shape of w, {w.shape}; got {v.shape}"
        )
    l1, l2 = _strengths(penalty, w)
    residual_power = number(
        "residual_power", residual_power, low=0, replicas=True
    )
    if np.shape(residual_power) not in ((), w.shape[:-1]):
        raise ValueError(
            f"residual_power must be a number or have shape {w.shape[:-1]}, one a problem; "
            f"got {np.shape(residual_power)}"
        )
    v = v - 2 * l2 * w
    square, scale = (l2 * w**2).sum(axis=-1), dual_scale(penalty, v)
    norm = np.maximum(
        penalty.value(w) - square - scale * (v * w).sum(axis=-1), 0
    )
    ridge = np.divide(v**2, 4 * l2, out=np.zeros_like(v), where=l2 > 0).sum(
        axis=-1
    )
    return np.where(
        l1[..., 0] > 0,
        (1 - scale) ** 2 * (residual_power + 2 * square) / 2 + norm,
        ridge,
    )[()]


def _strengths(penalty, array):
    """l1 and l2 shaped so that they broadcast against ``array``; 0 for the one that a penalty lacks."""
    named = instance(
        "penalty", penalty, Penalty, "a penalty of reglib.weights.penalties"
    ).broadcast(array)
    absent = np.zeros_like(next(iter(named.values())))
    return named.get("l1", absent), named.get("l2", absent)
