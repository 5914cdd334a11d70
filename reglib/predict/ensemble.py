"""Averages of the predictions of several networks, such as the thinned networks of dropout."""

import numpy as np

from reglib._validate import float_array, function, integers


def arithmetic_mean(probabilities, weights=None):
    """Return the mean of predictions, sum_k w_k p_k.

    Parameters
    ----------
    probabilities : ndarray, (K, ..., C)
        Predictions of K networks; the classes lie along the last axis.
    weights : ndarray, (K,), optional
        At least 0, with the sum 1; equal by default.

    Returns
    -------
    ndarray, (..., C)
    """
    probabilities, weights = _checked(probabilities, weights)
    return np.tensordot(weights, probabilities, axes=1)


def geometric_mean(probabilities, weights=None):
    """Return the normalized weighted geometric mean of predictions.

        G_c = prod_k p_kc^(w_k),   result: G_c / sum_c' G_c'

    (Baldi and Sadowski 2013, for two classes). It is the softmax of the weighted
    mean of the logits, so that for one softmax layer under dropout it equals the
    prediction with the mean of the inputs. A class to which one network with
    positive weight gives probability 0 gets 0.

    ``probabilities`` and ``weights`` are those of `arithmetic_mean`.

    Raises
    ------
    ValueError
        Also where every class gets 0, so that nothing can be normalized.

    Examples
    --------
    >>> networks = np.array([[0.9, 0.1], [0.5, 0.5]])
    >>> arithmetic_mean(networks), geometric_mean(networks)
    (array([0.7, 0.3]), array([0.75, 0.25]))
    """
    probabilities, weights = _checked(probabilities, weights)
    used = weights > 0
    with np.errstate(divide="ignore"):
        logs = np.tensordot(weights[used], np.log(probabilities[used]), axes=1)
    top = logs.max(axis=-1, keepdims=True)
    if np.isneginf(top).any():
        raise ValueError(
            "probabilities must leave a class that no network gives 0, in every prediction"
        )
    mean = np.exp(logs - top)
    return mean / mean.sum(axis=-1, keepdims=True)


def monte_carlo(predict, counts):
    """Return the arithmetic mean of the first K noisy predictions, for each K in ``counts``.

    Monte Carlo model averaging (Srivastava et al. 2014, Section 7.5). The means
    share their passes: the mean of 8 contains the 4 of the mean of 4. One sum is
    kept, not all predictions.

    Parameters
    ----------
    predict : callable
        Called without arguments, ``max(counts)`` times; draws new noise and returns
        probabilities, (..., C).
    counts : sequence of int
        Increasing numbers K, at least 1.

    Returns
    -------
    ndarray, (len(counts), ..., C)

    Examples
    --------
    >>> passes = iter([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0]])
    >>> monte_carlo(lambda: next(passes), [1, 2, 4])
    array([[1.  , 0.  ],
           [0.5 , 0.5 ],
           [0.75, 0.25]])
    """
    function("predict", predict)
    counts = list(integers("counts", counts, low=1))
    if not counts or counts != sorted(set(counts)):
        raise ValueError(
            f"counts must be one or more increasing numbers, got {counts}"
        )
    total, means = 0, []
    for k in range(1, counts[-1] + 1):
        total = total + _not_negative(
            "predict()", float_array("predict()", predict())
        )
        if k in counts:
            means.append(total / k)
    return np.stack(means)


def _not_negative(name, array):
    """Return the array unless a number in it is negative, which no probability is."""
    if array.min() < 0:
        raise ValueError(
            f"{name} must not be negative, got {array.min():.3g}; did you pass logits?"
        )
    return array


def _checked(probabilities, weights):
    """Return predictions, and weights that sum to 1."""
    probabilities = float_array("probabilities", probabilities)
    if probabilities.ndim < 2 or 0 in probabilities.shape:
        raise ValueError(
            f"probabilities must have shape (K, ..., C) with K and C above 0, got {probabilities.shape}"
        )
    _not_negative("probabilities", probabilities)
    count = len(probabilities)
    if weights is None:
        return probabilities, np.full(count, 1 / count, probabilities.dtype)
    weights = float_array("weights", weights)
    if (
        weights.shape != (count,)
        or weights.min() < 0
        or abs(weights.sum() - 1) > 1e-6
    ):
        raise ValueError(
            f"weights must be {count} numbers, at least 0, with the sum 1; "
            f"got shape {weights.shape} and sum {weights.sum():.6g}"
        )
    return probabilities, weights.astype(probabilities.dtype, copy=False)
