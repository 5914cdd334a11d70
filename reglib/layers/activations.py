"""Activation functions, each with its backward pass.

Every backward takes the gradient of the loss with respect to the output, and
the output ``y`` itself: for these functions it is all that the derivative
needs, so a network has to keep one array a layer. Functions act on arrays of
any shape; `softmax` runs along the last axis, the classes. The dtype follows
the input. Infinite and NaN entries are passed on, not refused: a training loop
is the place to notice them.
"""

import numpy as np

from reglib._constants import SELU_ALPHA, SELU_SCALE
from reglib._validate import float_array, same_shape


def relu(x):
    """Rectified linear unit, y = max(x, 0) (Glorot, Bordes and Bengio, 2011).

    ``x`` is a floating-point array of any shape; integer arrays raise TypeError.
    """
    return np.maximum(float_array("x", x, finite=False), 0)


def relu_backward(grad, y):
    """Gradient through `relu`: ``grad`` where y > 0, else 0; at the kink, x = 0, the subgradient 0 is taken.

    Where y is NaN, so is the gradient.
    """
    grad, y = _pair(grad, y)
    through = grad * (y > 0)
    if np.isnan(y.min(initial=0)):
        return np.where(
            np.isnan(y), y.astype(through.dtype, copy=False), through
        )
    return through


def tanh(x):
    """Hyperbolic tangent, y = (exp(x) - exp(-x)) / (exp(x) + exp(-x)), for a floating-point array of any shape."""
    return np.tanh(float_array("x", x, finite=False))


def tanh_backward(grad, y):
    """Gradient through `tanh`: ``grad * (1 - y**2)``, with ``y = tanh(x)``."""
    grad, y = _pair(grad, y)
    return grad * (1 - y * y)


def sigmoid(x):
    """Logistic function, y = 1 / (1 + exp(-x)), without overflow for any x.

    Only ``exp(-|x|)``, which lies in (0, 1], is ever computed: for negative x the
    same value is exp(x) / (1 + exp(x)).
    """
    x = float_array("x", x, finite=False)
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, small) / (1 + small)


def sigmoid_backward(grad, y):
    """Gradient through `sigmoid`: ``grad * y * (1 - y)``, with ``y = sigmoid(x)``."""
    grad, y = _pair(grad, y)
    return grad * y * (1 - y)


def selu(x):
    """Scaled exponential linear unit (Klambauer et al. 2017, Eq. 2).

        y = lambda x                     for x > 0
        y = lambda alpha (exp(x) - 1)    for x <= 0

    with lambda = 1.0507... (`SELU_SCALE`) and alpha = 1.6733... (`SELU_ALPHA`):
    a standard normal x gives a y with mean 0 and variance 1. ``x`` is a
    floating-point array of any shape.
    """
    x = float_array("x", x, finite=False)
    y = np.expm1(np.minimum(x, 0))
    y *= SELU_ALPHA
    y += np.maximum(x, 0)
    y *= SELU_SCALE
    return y


def selu_backward(grad, y):
    """Gradient through `selu`: ``grad * lambda`` where y > 0, else ``grad * (y + lambda alpha)``; ``y = selu(x)``.

    At x = 0, where the two slopes differ, it is the second, lambda alpha, as in PyTorch.
    """
    grad, y = _pair(grad, y)
    slope = np.minimum(y, 0) + y.dtype.type(SELU_SCALE * SELU_ALPHA)
    return grad * np.where(y > 0, y.dtype.type(SELU_SCALE), slope)


def softmax(x):
    """Class probabilities, y_c = exp(x_c) / sum_k exp(x_k), along the last axis.

    The largest entry is subtracted first, which changes nothing in exact
    arithmetic and keeps exp from overflowing.

    ``x`` has shape (..., C) with C >= 1.
    """
    x = float_array("x", x, finite=False)
    if x.ndim == 0 or x.shape[-1] == 0:
        raise ValueError(
            f"x must have the classes on its last axis, got shape {x.shape}"
        )
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def softmax_backward(grad, y):
    """Gradient through `softmax`: ``y * (grad - sum_c grad_c y_c)``, with ``y = softmax(x)``."""
    grad, y = _pair(grad, y)
    return y * (grad - (grad * y).sum(axis=-1, keepdims=True))


def _pair(grad, y):
    """Check the two arguments of a backward pass."""
    grad, y = (
        float_array("grad", grad, finite=False),
        float_array("y", y, finite=False),
    )
    same_shape("grad", grad, "y", y)
    return grad, y
