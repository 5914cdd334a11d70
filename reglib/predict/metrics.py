"""How good predicted probabilities are: accuracy, likelihood, squared error, calibration.

Every function takes probabilities (..., B, C) and labels, integers (..., B) or
(B,), and returns one number a replica, (...).
"""

import numpy as np

from reglib._validate import as_array, float_array, integer


def accuracy(probabilities, labels):
    """Return the fraction of examples whose most probable class is the right one.

    ``probabilities`` has shape (..., B, C), ``labels`` (..., B) or (B,).
    """
    probabilities, labels = _checked(probabilities, labels)
    return (probabilities.argmax(axis=-1) == labels).mean(axis=-1)


def negative_log_likelihood(probabilities, labels):
    """Return the mean of -log of the probability given to the right class; infinite if one of them is 0.

    ``probabilities`` has shape (..., B, C), ``labels`` (..., B) or (B,).
    """
    probabilities, labels = _checked(probabilities, labels)
    with np.errstate(divide="ignore"):
        return -np.log(_of_the_right_class(probabilities, labels)).mean(
            axis=-1
        )


def brier_score(probabilities, labels):
    """Return the mean squared distance between the probabilities and the right answer, from 0 to 2 (Brier 1950).

        1/B sum_i sum_c (p_ic - [c = label_i])^2

    ``probabilities`` has shape (..., B, C), ``labels`` (..., B) or (B,).

    >>> float(brier_score(np.array([[0.75, 0.25], [0.5, 0.5]]), np.array([0, 0])))
    0.3125
    """
    probabilities, labels = _checked(probabilities, labels)
    right = _of_the_right_class(probabilities, labels)
    return ((probabilities**2).sum(axis=-1) - 2 * right + 1).mean(axis=-1)


def reliability(probabilities, labels, bins=15):
    """Sort the predictions by their confidence into bins, and compare confidence with accuracy in each.

    The confidence is the largest probability. Bin m of M holds the confidences in
    ((m - 1) / M, m / M] (Guo et al. 2017, Section 2).

    Parameters
    ----------
    probabilities : ndarray, (..., B, C)
    labels : integer ndarray, (..., B) or (B,)
    bins : int
        M, bins of equal width.

    Returns
    -------
    count, confidence, accuracy : ndarrays, (..., M)
        Examples in each bin, and their means; NaN where a bin is empty.
    """
    probabilities, labels = _checked(probabilities, labels)
    bins = integer("bins", bins, low=1)
    confidence = probabilities.max(axis=-1)
    right = probabilities.argmax(axis=-1) == labels
    which = np.minimum(np.ceil(confidence * bins), bins) - 1
    member = which[..., None] == np.arange(bins)
    count = member.sum(axis=-2)
    with np.errstate(invalid="ignore"):
        return (
            count,
            (member * confidence[..., None]).sum(axis=-2) / count,
            (member * right[..., None]).sum(axis=-2) / count,
        )


def calibration_error(probabilities, labels, bins=15):
    """Return the expected calibration error: the gap between confidence and accuracy, averaged over the examples.

        ECE = sum_m n_m / B * abs(accuracy_m - confidence_m)

    with n_m examples in bin m (Guo et al. 2017, Eq. 3). It depends on the bins, and on few examples it is
    positive even for perfect predictions; compare it at equal numbers only.
    ``probabilities``, ``labels`` and ``bins`` are those of `reliability`.

    Two predictions with confidence 0.75, of which one is right, are overconfident by 0.25:

    >>> float(calibration_error(np.array([[0.75, 0.25], [0.75, 0.25]]), np.array([0, 1])))
    0.25
    """
    count, confidence, right = reliability(probabilities, labels, bins)
    return np.nansum(count * np.abs(right - confidence), axis=-1) / count.sum(
        axis=-1
    )


def _of_the_right_class(probabilities, labels):
    return np.take_along_axis(probabilities, labels[..., None], axis=-1)[
        ..., 0
    ]


def _checked(probabilities, labels):
    """Return probabilities that are some, and labels of the same shape, in range."""
    probabilities = float_array("probabilities", probabilities)
    if probabilities.ndim < 2 or 0 in probabilities.shape:
        raise ValueError(
            f"probabilities must have shape (..., B, C) and hold an example, got {probabilities.shape}"
        )
    tolerance = 100 * np.finfo(probabilities.dtype).eps
    if (
        probabilities.min() < 0
        or np.abs(probabilities.sum(axis=-1) - 1).max() > tolerance
    ):
        raise ValueError(
            "probabilities must not be negative, and sum to 1 over the classes; did you pass logits?"
        )
    labels = as_array("labels", labels)
    if labels.dtype.kind not in "iu":
        raise TypeError(
            f"labels must be integers, one class an example, got dtype {labels.dtype}"
        )
    shape = probabilities.shape[:-1]
    if labels.shape not in (shape, shape[-1:]):
        raise ValueError(
            f"labels must have shape {shape}, or {shape[-1:]} for all replicas; got {labels.shape}"
        )
    if labels.min() < 0 or labels.max() >= probabilities.shape[-1]:
        raise ValueError(
            f"labels must lie in 0, ..., {probabilities.shape[-1] - 1}; "
            f"got values from {labels.min()} to {labels.max()}"
        )
    return probabilities, np.broadcast_to(labels, shape)
