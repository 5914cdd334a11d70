"""Early stopping of a linear model, exactly: what each direction of the data has learned after t steps.

Gradient descent with rate eta on the squared loss ||y - Xw||^2 / (2N), from w = 0, moves each principal direction of
the data for itself. Let s_1, ..., s_D be the eigenvalues of X^T X / N, X and y centered. After t steps the
coefficient along direction i is f_i times that of least squares, with the *filter factor*

    f_i = 1 - (1 - eta s_i)^t .

Ridge regression with the penalty l2 ||w||^2 has the factors s_i / (s_i + 2 l2). So t steps do to direction i what ridge
does with

    l2_i = s_i (1 - eta s_i)^t / (2 (1 - (1 - eta s_i)^t)) ,

another strength for each direction.

Sources
-------
I. Goodfellow, Y. Bengio and A. Courville, Deep learning, 2016, Section 7.8.
A. Ali, J. Z. Kolter and R. J. Tibshirani, A continuous-time view of early stopping for least squares, AISTATS 2019,
arXiv:1810.10082.
"""

import numpy as np

from reglib._validate import float_array, integer, number


def stopped_factors(eigenvalues, rate, steps):
    """Return the filter factors of gradient descent, f = 1 - (1 - rate * s)^steps.

    Parameters
    ----------
    eigenvalues : ndarray of floats >= 0
        The s, of X^T X / N.
    rate : number > 0
        Learning rate; below 2 / max(s), or the steps grow without bound.
    steps : int >= 0

    Returns
    -------
    ndarray of the shape of ``eigenvalues``

    Raises
    ------
    TypeError, ValueError
        If eigenvalues are negative, or the rate is too large for them.
    """
    s = _eigenvalues(eigenvalues)
    rate, steps = _rate(rate, s), integer("steps", steps, low=0)
    return 1 - (1 - rate * s) ** steps


def ridge_factors(eigenvalues, l2):
    """Return the filter factors of ridge regression, s / (s + 2 l2); 0 where both are 0.

    Parameters
    ----------
    eigenvalues : ndarray of floats >= 0
        The s, of X^T X / N.
    l2 : number >= 0, or ndarray of the shape of ``eigenvalues``
        Strength of the penalty l2 ||w||^2, as in `reglib.linear.solvers.ridge`; or one for each direction.

    Returns
    -------
    ndarray of the shape of ``eigenvalues``
    """
    s = _eigenvalues(eigenvalues)
    l2 = np.asarray(number("l2", l2, low=0, replicas=True), s.dtype)
    if l2.shape not in ((), s.shape):
        raise ValueError(
            f"l2 must be a number or have the shape of eigenvalues, {s.shape}; got {l2.shape}"
        )
    total = s + 2 * l2
    return np.divide(s, total, out=np.zeros_like(total), where=total > 0)


def matched_l2(eigenvalues, rate, steps):
    """Return, for each direction, the ridge strength with the same filter factor as ``steps`` of gradient descent.

    s r^t / (2 (1 - r^t)) with r = 1 - rate * s. For small s it is 1 / (2 rate t); for larger ones it is smaller.

    Parameters
    ----------
    eigenvalues, rate, steps
        As for `stopped_factors`, but with ``rate`` at most 1 / max(s): beyond it r is negative, and no strength >= 0
        need exist. Steps are at least 1.

    Returns
    -------
    ndarray of the shape of ``eigenvalues``
    """
    s = _eigenvalues(eigenvalues)
    rate, steps = _rate(rate, s), integer("steps", steps, low=1)
    if (rate * s > 1).any():
        raise ValueError(
            f"rate must be at most 1 / max(eigenvalues), {1 / s.max():.4g}; got {rate}"
        )
    left = (1 - rate * s) ** steps
    with np.errstate(invalid="ignore"):
        found = s * left / (2 * (1 - left))
    return np.where(s > 0, found, 1 / (2 * rate * steps))


def _eigenvalues(values):
    """Return eigenvalues that are not negative."""
    s = float_array("eigenvalues", values)
    if (s < 0).any():
        raise ValueError(
            f"eigenvalues must not be negative, got {s.min():.4g} as the smallest"
        )
    return s


def _rate(rate, s):
    """Return a learning rate at which descent does not grow."""
    rate = number("rate", rate, low=0, low_open=True)
    if s.size and rate * s.max() >= 2:
        raise ValueError(
            f"rate must be below 2 / max(eigenvalues), {2 / s.max():.4g}; got {rate}"
        )
    return rate
