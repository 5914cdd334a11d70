r"""Layer normalization (Ba, Kiros and Hinton 2016): each example is centered and scaled by its own mean and deviation.

    y = gain * x_hat + shift,    x_hat = (x - mean) / sqrt(variance + epsilon),

with mean and variance over the last axis, the biased variance (divided by the
number of units), and epsilon inside the square root, as in PyTorch and Keras. The
paper has no epsilon.
"""

import numpy as np

from reglib._validate import float_array, number


def layer_norm(x, gain, shift, *, epsilon=1e-5):
    """Return gain * x_hat + shift.

    Parameters
    ----------
    x : ndarray, (..., K)
    gain, shift : ndarray, (K,), or (S, K) for x of shape (S, ..., K)
    epsilon : float
        Added to the variance: 1e-5 in PyTorch, 1e-3 in Keras.

    Returns
    -------
    ndarray
        In the shape of x.

    Raises
    ------
    TypeError
        For arrays that do not hold floating-point numbers.
    ValueError
        For shapes that do not fit together, and a negative epsilon.
    """
    x, gain, shift, epsilon = _checked(x, gain, shift, epsilon)
    return normalize(x, epsilon)[0] * _facing(gain, x) + _facing(shift, x)


def layer_norm_backward(grad, x, gain, *, epsilon=1e-5):
    """Return the gradients of `layer_norm` with respect to x, gain and shift.

    ``x``, ``gain`` and ``epsilon`` are those of the forward pass, ``grad`` has the shape of x. With d = grad * gain:

        grad_x = (d - mean(d) - x_hat mean(d x_hat)) / sqrt(variance + epsilon).
    """
    x, gain, _, epsilon = _checked(x, gain, gain, epsilon)
    grad = float_array("grad", grad, finite=False)
    if grad.shape != x.shape:
        raise ValueError(
            f"grad must have the shape of x, {x.shape}; got {grad.shape}"
        )
    x_hat, inverse = normalize(x, epsilon)
    grad_x = normalize_backward(grad * _facing(gain, x), x_hat, inverse)
    axes = tuple(range(gain.ndim - 1, x.ndim - 1))
    return grad_x, (grad * x_hat).sum(axis=axes), grad.sum(axis=axes)


def normalize(x, epsilon):
    """Return x_hat and 1 / sqrt(variance + epsilon), over the last axis of ``x``; nothing is checked."""
    centered = x - x.mean(axis=-1, keepdims=True)
    inverse = 1 / np.sqrt(
        (centered * centered).mean(axis=-1, keepdims=True) + epsilon
    )
    return centered * inverse, inverse


def normalize_backward(grad, x_hat, inverse):
    """Return the gradient through `normalize`; ``x_hat`` and ``inverse`` are its results, ``grad`` is that of x_hat."""
    through = (grad * x_hat).mean(axis=-1, keepdims=True)
    return (
        grad - grad.mean(axis=-1, keepdims=True) - x_hat * through
    ) * inverse


def _checked(x, gain, shift, epsilon):
    """Return arrays whose shapes fit together, and an epsilon that is not negative."""
    x = float_array("x", x, finite=False)
    if x.ndim == 0 or x.shape[-1] == 0:
        raise ValueError(
            f"x must have at least one unit on its last axis, got shape {x.shape}"
        )
    arrays = []
    for name, array in (("gain", gain), ("shift", shift)):
        array = float_array(name, array, finite=False)
        if (
            array.ndim == 0
            or array.ndim > x.ndim
            or array.shape != x.shape[: array.ndim - 1] + x.shape[-1:]
        ):
            raise ValueError(
                f"{name} must have shape {x.shape[-1:]}, or leading axes of x before it; "
                f"got {array.shape} for x of shape {x.shape}"
            )
        arrays.append(array)
    return x, *arrays, number("epsilon", epsilon, low=0)


def _facing(array, x):
    """Return (S, K) as (S, 1, ..., K) before x of shape (S, ..., K)."""
    return array.reshape(
        *array.shape[:-1], *(1,) * (x.ndim - array.ndim), array.shape[-1]
    )
