"""Losses, each returned together with its gradient.

The mean is over the batch alone: an array with leading replica axes, (S, B, C),
gives S losses, one a replica, and each replica's gradient is that of its own
loss. A target without the leading axes is shared by all replicas.
"""

import numpy as np

from reglib._validate import as_array, float_array


def squared_error(prediction, target):
    """Half the squared error, L = 1/(2B) sum_i ||prediction_i - target_i||^2.

    Parameters
    ----------
    prediction : ndarray, (..., B, K)
        K outputs for each example.
    target : ndarray, (..., B, K) or (B, K)

    Returns
    -------
    loss : ndarray, (...)
    grad : ndarray, (..., B, K)
        With respect to the prediction: (prediction - target) / B.
    """
    prediction = _predicted("prediction", prediction, "(..., B, K)")
    target = float_array("target", target, finite=False)
    shape, shared = prediction.shape, prediction.shape[-2:]
    if target.shape not in (shape, shared):
        raise ValueError(
            f"target must have shape {shape}, or {shared} for all replicas; got {target.shape}"
        )
    batch = prediction.shape[-2]
    residual = prediction - target
    return (residual * residual).sum(axis=(-2, -1)) / (
        2 * batch
    ), residual / batch


def softmax_cross_entropy(logits, targets):
    """Cross-entropy of the softmax, L = -1/B sum_i sum_c t_ic log p_ic with p_i = softmax(z_i).

    For labels, t_ic is 1 for the right class and 0 for the others, and the loss is the mean of
    log sum_c exp(z_ic) - z_i,label(i). The logarithm is taken of a sum whose largest term is 1, so that no logit
    overflows and a confident wrong answer costs its true amount instead of inf.

    Parameters
    ----------
    logits : ndarray, (..., B, C)
        The z_ic, before any softmax.
    targets : integer ndarray, (..., B) or (B,); or ndarray of floats, (..., B, C) or (B, C)
        The right classes, in 0, ..., C - 1; or the t_ic, probabilities that sum to 1 over the classes: smoothed or
        mixed labels.

    Returns
    -------
    loss : ndarray, (...)
    grad : ndarray, (..., B, C)
        With respect to the logits: (softmax(z) - t) / B.
    """
    logits = _predicted("logits", logits, "(..., B, C)")
    targets = as_array("targets", targets)
    soft = targets.dtype.kind == "f"
    targets = (
        _probabilities(targets, logits)
        if soft
        else _classes(targets, logits.shape)[..., None]
    )
    batch = logits.shape[-2]
    shifted = logits - logits.max(axis=-1, keepdims=True)
    e = np.exp(shifted)
    total = e.sum(axis=-1, keepdims=True)
    grad = e / (total * batch)
    if soft:
        loss = (np.log(total) * targets - shifted * targets).sum(
            axis=(-2, -1)
        ) / batch
        return loss, grad - targets / batch
    loss = (np.log(total) - np.take_along_axis(shifted, targets, axis=-1)).sum(
        axis=(-2, -1)
    ) / batch
    right = np.take_along_axis(grad, targets, axis=-1) - grad.dtype.type(
        1 / batch
    )
    np.put_along_axis(grad, targets, right, axis=-1)
    return loss, grad


def _predicted(name, array, axes):
    """Return the first argument of a loss as an array with a batch of at least one."""
    array = float_array(name, array, finite=False)
    if array.ndim < 2 or 0 in array.shape[-2:]:
        raise ValueError(
            f"{name} must have shape {axes} with at least one entry on either axis, got {array.shape}"
        )
    return array


def _classes(labels, shape):
    """Return integer labels in range, one for each row of logits of the given shape."""
    if labels.dtype.kind not in "iu":
        raise TypeError(
            f"targets must be integers, one class an example, or probabilities; got dtype {labels.dtype}"
        )
    if labels.shape not in (shape[:-1], shape[-2:-1]):
        raise ValueError(
            f"targets must have shape {shape[:-1]}, or {shape[-2:-1]} for all replicas; got {labels.shape}"
        )
    if labels.size and (labels.min() < 0 or labels.max() >= shape[-1]):
        raise ValueError(
            f"targets must lie in 0, ..., {shape[-1] - 1}; got values from {labels.min()} to {labels.max()}"
        )
    return np.broadcast_to(labels, shape[:-1])


def _probabilities(targets, logits):
    """Return probabilities in the shape and dtype of the logits."""
    targets = float_array("targets", targets)
    if targets.shape not in (logits.shape, logits.shape[-2:]):
        raise ValueError(
            f"targets must have shape {logits.shape}, or {logits.shape[-2:]} for all replicas; got {targets.shape}"
        )
    tolerance = 100 * np.finfo(targets.dtype).eps
    if (targets < 0).any() or (
        np.abs(targets.sum(axis=-1) - 1) > tolerance
    ).any():
        raise ValueError(
            "targets must not be negative, and sum to 1 over the classes"
        )
    return targets.astype(logits.dtype, copy=False)
