"""How far from the minimum? The duality gap of penalized least squares.

The problem and its dual, for N examples:

    minimize over w   P(w) = ||y - Xw||^2 / (2N) + Omega(w)
    maximize over u   D(u) = <u, y> - N*||u||^2 / 2 - Omega*(X^T u)

with Omega* the convex conjugate of the penalty. Every D(u) is at most every
P(w), so ``P(w) - D(u)`` bounds how much lower P can still go. The residual
r = y - Xw offers the dual point ``u = s*r/N``, with the largest s in [0, 1]
that keeps D(u) finite. Inserted, with v = X^T r / N:

    P(w) - D(u) = (1 - s)^2 * ||r||^2 / (2N)  +  Omega(w) + Omega*(s*v) - <s*v, w>

Both parts are at least 0, and both are 0 at the minimum, where v is a
subgradient of Omega at w.

Sources
-------
O. Fercoq, A. Gramfort and J. Salmon, Mind the duality gap: safer rules for the lasso, ICML (2015),
who scale the residual in this way; N. Parikh and S. Boyd, Proximal algorithms (2014), for conjugates.
"""

import numpy as np

from reglib._validate import float_array
from reglib.penalties import GroupLasso


def dual_scale(penalty, v):
    """Return the largest s in [0, 1] for which ``s * v`` is a subgradient of the penalty at some point.

    For L1 the subgradients fill the box [-l1, l1], hence ``s = min(1, l1 / max|v|)``;
    for the group lasso ``s = min(1, l1 / max_g(||v_g|| / sqrt(n_g)))``. With
    l2 > 0 every slope occurs somewhere, hence ``s = 1``.

    Parameters
    ----------
    penalty : Penalty
    v : array of floats, any shape; (S, ...) with strengths of shape (S,)

    Returns
    -------
    number, or array of shape (S,)
    """
    v = float_array("v", v)
    l1, l2 = _strengths(penalty, v)
    sizes = penalty.scaled_norms(v) if isinstance(penalty, GroupLasso) else np.abs(v)
    lead = penalty.replicas
    largest = sizes.max(axis=tuple(range(len(lead), sizes.ndim)))
    limit = np.where(l2 > 0, np.inf, l1).reshape(lead)
    return np.divide(limit, largest, out=np.ones_like(largest), where=largest > limit)[()]


def fenchel_gap(penalty, w, v):
    """Return ``Omega(w) + Omega*(v) - <v, w>``: never negative, and 0 exactly if v is a subgradient at w.

    This is the Fenchel-Young inequality. It is summed from terms that are never
    negative, so that rounding does not hide a small gap: with c = v clipped to
    [-l1, l1], the kink contributes ``l1*|w| - c*w`` and the parabola
    ``(v - c - 2*l2*w)^2 / (4*l2)`` for each weight. Without a parabola v = c.

    Parameters
    ----------
    penalty : Penalty
    w : array of floats, any shape; (S, ...) with strengths of shape (S,)
    v : array shaped like ``w``, with ``dual_scale(penalty, v)`` equal to 1 up to rounding

    Returns
    -------
    number, or array of shape (S,)
    """
    w, v = float_array("w", w), float_array("v", v)
    if v.shape != w.shape:
        raise ValueError(f"v must have the shape of w, {w.shape}; got {v.shape}")
    own = tuple(range(len(penalty.replicas), w.ndim))
    if isinstance(penalty, GroupLasso):
        return np.maximum(penalty.value(w) - (v * w).sum(axis=own), 0)
    l1, l2 = _strengths(penalty, w)
    c = np.clip(v, -l1, l1)
    parabola = np.divide((v - c - 2 * l2 * w) ** 2, 4 * l2, out=np.zeros_like(w), where=l2 > 0)
    return (l1 * np.abs(w) - c * w + parabola).sum(axis=own)


def least_squares_gap(penalty, w, v, residual_power):
    """Return the duality gap at w: the formula at the head of this module.

    Parameters
    ----------
    penalty : Penalty
    w : array of floats, shape (D,), or (S, D) with strengths of shape (S,)
        The coefficients.
    v : array shaped like ``w``
        ``X^T r / N``, minus the gradient of the data loss.
    residual_power : number, or array of shape (S,)
        ``||r||^2 / N``.

    Returns
    -------
    number, or array of shape (S,)
    """
    s = dual_scale(penalty, v)
    return (1 - s) ** 2 * residual_power / 2 + fenchel_gap(penalty, w, np.asarray(s)[..., None] * v)


def _strengths(penalty, array):
    """l1 and l2 shaped so that they broadcast against ``array``; 0 for the one that a penalty lacks."""
    named = penalty.broadcast(array)
    absent = np.zeros_like(next(iter(named.values())))
    return named.get("l1", absent), named.get("l2", absent)
