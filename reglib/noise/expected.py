r"""What dropout on the inputs of a linear model amounts to: a quadratic penalty, exactly.

Let the inputs be multiplied by independent gates g_j of mean m and variance v:
m = 1 and v = rate / (1 - rate) for inverted dropout, m = 1 - rate and
v = rate (1 - rate) for the unscaled form. Then, averaged over the gates,

    E 1/(2N) sum_i (y_i - sum_j w_j g_ij x_ij)^2
        = 1/(2N) sum_i (y_i - m sum_j w_j x_ij)^2 + v/(2N) sum_j w_j^2 sum_i x_ij^2 .

The first part is the loss of the averaged model, the second an L2 penalty that is
stronger where the inputs are larger (Baldi and Sadowski 2013, for one
example; Srivastava et al. 2014, Section 9.1, for a whole training set). Nothing
but the first two moments of the gates enters, so Gaussian noise with the same two
has the same penalty.

In every function ``w`` has shape (D,), ``x`` (N, D), ``y`` (N,); ``rate`` is a number
in [0, 1), or one for each input, (D,); ``inverted`` says which form.
"""

from typing import Any

import numpy as np

from reglib._validate import boolean, float_array, number


def gate_moments(rate, *, inverted=True):
    """Return mean and variance of the gate: (1, p / q) for inverted dropout, (q, p q) unscaled.

    p = ``rate`` is a number or an array, in [0, 1), and q = 1 - p.
    ``inverted`` says which form.
    """
    rate = np.asarray(
        number("rate", rate, low=0, high=1, high_open=True, replicas=True)
    )
    keep = 1 - rate
    boolean("inverted", inverted)
    return (
        (np.ones_like(keep), rate / keep) if inverted else (keep, rate * keep)
    )


def expected_loss(w, x, y, rate, *, inverted=True):
    """Return the squared error under dropout, averaged over all masks: the loss of the averaged model plus `penalty`.

    ``w``, ``x``, ``y``, ``rate`` and ``inverted`` are described at the head of this module.
    """
    w, x, y, mean, _ = _checked(w, x, y, rate, inverted)
    residual = y - x @ (mean * w)
    loss = residual @ residual / (2 * len(y)) + penalty(
        w, x, rate, inverted=inverted
    )
    return loss.astype(np.result_type(w, x, y))


def expected_gradient(w, x, y, rate, *, inverted=True):
    """Return the gradient of `expected_loss` with respect to w, which is the mean over all masks of the gradient.

    ``w``, ``x``, ``y``, ``rate`` and ``inverted`` are described at the head of this module.
    """
    w, x, y, mean, variance = _checked(w, x, y, rate, inverted)
    residual = y - x @ (mean * w)
    gradient = (
        -mean * (residual @ x) + variance * w * (x * x).sum(axis=0)
    ) / len(y)
    return gradient.astype(np.result_type(w, x, y))


def penalty(w, x, rate, *, inverted=True):
    """Return the penalty alone, v/(2N) sum_j w_j^2 sum_i x_ij^2.

    ``w``, ``x``, ``rate`` and ``inverted`` are described at the head of this module.
    """
    w, x, _, _, variance = _checked(w, x, None, rate, inverted, with_y=False)
    return ((variance * w * w) @ (x * x).sum(axis=0) / (2 * len(x))).astype(
        np.result_type(w, x)
    )


def solution(x, y, rate, *, inverted=True):
    """Return the w that minimizes `expected_loss`, in closed form.

    With A = diag(m) X^T X diag(m) + diag(v sum_i x_ij^2), it solves A w = diag(m) X^T y:
    ridge regression in which each input has a strength of its own.

    ``x``, ``y``, ``rate`` and ``inverted`` are described at the head of this module.

    Raises
    ------
    ValueError
        Also where the minimizer is not unique.
    """
    x = float_array("x", x, ndim=2)
    _, x, y, mean, variance = _checked(
        np.zeros(x.shape[1]), x, y, rate, inverted
    )
    mean = np.broadcast_to(mean, x.shape[1:])
    matrix = mean[:, None] * (x.T @ x) * mean + np.diag(
        variance * (x * x).sum(axis=0)
    )
    if np.linalg.matrix_rank(matrix) < len(matrix):
        raise ValueError(
            "x must have independent columns that are not zero, or there is no unique minimizer"
        )
    return np.linalg.solve(matrix, mean * (x.T @ y)).astype(
        np.result_type(x, y)
    )


def _checked(w, x, y, rate, inverted, *, with_y=True) -> Any:
    """Return arrays whose shapes fit together, and the gates' mean and variance."""
    x = float_array("x", x, ndim=2)
    if 0 in x.shape:
        raise ValueError(
            f"x must have shape (N, D) with N and D above 0, got {x.shape}"
        )
    w = float_array("w", w, ndim=1)
    if w.shape != x.shape[1:]:
        raise ValueError(
            f"w must have shape {x.shape[1:]}, one weight for each input, got {w.shape}"
        )
    if with_y:
        y = float_array("y", y, ndim=1)
        if len(y) != len(x):
            raise ValueError(
                f"y must have shape {x.shape[:1]}, one target for each example, got {y.shape}"
            )
    mean, variance = gate_moments(rate, inverted=inverted)
    if mean.shape not in ((), w.shape):
        raise ValueError(
            f"rate must be a number or have shape {w.shape}, one for each input; got {mean.shape}"
        )
    return w, x, y, mean, variance
