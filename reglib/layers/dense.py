"""The dense layer, forward and backward, for one model or for S replicas in one batched product.

Shapes. ``x`` is (B, D) and ``w`` is (D, H), or either has leading axes in front,
(S, B, D) and (S, D, H): then each replica multiplies its own batch by its own
weights. An array without the leading axes is shared by all replicas: a batch
that every model sees, or one model that sees S batches. The gradient of a shared
array is the sum over the replicas that share it.
"""

import numpy as np

from reglib._validate import float_array, same_replicas


def dense(x, w, b):
    """Return y = x W + b.

    Parameters
    ----------
    x : ndarray, (..., B, D)
    w : ndarray, (..., D, H)
    b : ndarray, (..., H), with the leading axes of ``w``

    Returns
    -------
    ndarray, (..., B, H)

    Raises
    ------
    TypeError
        For arrays that do not hold floating-point numbers.
    ValueError
        For shapes that do not fit together.
    """
    x, w = _checked(x, w)
    b = float_array("b", b, finite=False)
    if b.shape != w.shape[:-2] + w.shape[-1:]:
        raise ValueError(
            f"b must have shape {w.shape[:-2] + w.shape[-1:]} beside w of shape {w.shape}, got {b.shape}"
        )
    y = x @ w
    y += b[..., None, :]
    return y


def dense_backward(grad, x, w):
    """Return the gradients of `dense` with respect to x, W and b.

    With ``grad`` the gradient with respect to the output, (..., B, H):

        grad_x = grad W^T,   grad_W = x^T grad,   grad_b = sum over the batch of grad,

    each with the shape of its argument.
    """
    x, w = _checked(x, w)
    grad = _checked_grad(grad, x, w)
    grad_x = _sum_leading(grad @ np.swapaxes(w, -1, -2), x.ndim)
    return grad_x, *_parameter_gradients(grad, x, w)


def dense_parameter_gradients(grad, x, w):
    """Return grad_W = x^T grad and grad_b alone: all that the first layer of a network needs."""
    x, w = _checked(x, w)
    return _parameter_gradients(_checked_grad(grad, x, w), x, w)


def _parameter_gradients(grad, x, w):
    """Return x^T grad and the sum of grad over the batch, in the shapes of w and b."""
    grad_w = _sum_leading(np.swapaxes(x, -1, -2) @ grad, w.ndim)
    grad_b = _sum_leading(grad.sum(axis=-2), w.ndim - 1)
    return grad_w, grad_b


def _sum_leading(array, ndim):
    """Sum over the leading axes that a shared argument does not have."""
    return (
        array.sum(axis=tuple(range(array.ndim - ndim)))
        if array.ndim > ndim
        else array
    )


def _checked(x, w):
    """Return x and w as arrays whose shapes fit together."""
    x, w = float_array("x", x, finite=False), float_array("w", w, finite=False)
    for name, array, axes in (
        ("x", x, "(..., B, D)"),
        ("w", w, "(..., D, H)"),
    ):
        if array.ndim < 2:
            raise ValueError(
                f"{name} must have shape {axes}, got {array.shape}"
            )
    if x.shape[-1] != w.shape[-2]:
        raise ValueError(
            f"x has {x.shape[-1]} inputs on its last axis, but w of shape {w.shape} takes {w.shape[-2]}"
        )
    same_replicas(x, w, 2)
    return x, w


def _checked_grad(grad, x, w):
    """Return grad if it has the shape of the layer's output."""
    grad = float_array("grad", grad, finite=False)
    expected = (x.shape[:-2] or w.shape[:-2]) + (x.shape[-2], w.shape[-1])
    if grad.shape != expected:
        raise ValueError(
            f"grad must have the shape of the output, {expected}; got {grad.shape}"
        )
    return grad
