"""Dropout: functions that apply a mask, each with its backward pass.

None of them draws anything, and none has a ``training`` flag: `reglib.noise.masks` draws,
and at inference nobody calls these functions (the unscaled form alone has
something to do there: `unscaled_test`). The backward pass takes the same mask as
an argument, so it cannot use another one.

Srivastava et al. (2014) write p for the probability to *keep* a unit; ``rate``
here is the probability to *drop* it.
"""

import numpy as np

from reglib._constants import SELU_ALPHA, SELU_SCALE
from reglib._validate import float_array, number, replica_shape

# What alpha dropout puts in the place of a dropped unit: the limit of SELU at minus infinity.
ALPHA_PRIME = -SELU_SCALE * SELU_ALPHA


def dropout(x, mask, rate):
    """Inverted dropout, y = x * mask / (1 - rate): the mean over the masks is x, and inference needs no change.

    Parameters
    ----------
    x : ndarray of floats, any shape
    mask : ndarray of bool (or of floats that are all 0 or 1)
        From `reglib.noise.masks.bernoulli`; broadcasts to x. An axis of length 1 is shared.
    rate : float or ndarray, (S,)
        The drop rate that the mask was drawn with, in [0, 1); an array holds one rate a replica.

    Returns
    -------
    ndarray
        In the shape and dtype of x. Infinite or NaN entries are passed on; times a
        dropped unit's 0 they are NaN, which hides no error.

    Raises
    ------
    TypeError
        For an x or a mask of another kind of numbers.
    ValueError
        For a mask that does not broadcast to x, or would enlarge it, and for a rate outside [0, 1).
    """
    x = float_array("x", x, finite=False)
    mask = _mask(mask, "x", x)
    return _scaled(x, mask, rate)


def dropout_backward(grad, mask, rate):
    """Gradient through `dropout`, with the very mask of the forward pass: ``grad * mask / (1 - rate)``."""
    grad = float_array("grad", grad, finite=False)
    return _scaled(grad, _mask(mask, "grad", grad), rate)


def unscaled(x, mask):
    """The original dropout, y = x * mask (Srivastava et al. 2014, Section 4): the mean over the masks is (1 - rate) x.

    ``x`` and ``mask`` are those of `dropout`. At inference, `unscaled_test` makes up for the smaller mean.
    """
    x = float_array("x", x, finite=False)
    return np.multiply(x, _mask(mask, "x", x), dtype=x.dtype)


def unscaled_backward(grad, mask):
    """Gradient through `unscaled`: ``grad * mask``."""
    grad = float_array("grad", grad, finite=False)
    return np.multiply(grad, _mask(mask, "grad", grad), dtype=grad.dtype)


def unscaled_test(x, rate):
    """What the original dropout does at inference: ``(1 - rate) * x``, the mean over the masks.

    Srivastava et al. (2014, Section 4) multiply the outgoing weights by it instead, which is the same.
    """
    x = float_array("x", x, finite=False)
    return x * (1 - _rate(rate, x))


def gaussian(x, noise):
    """Multiplicative noise, y = x * noise; with `reglib.noise.masks.gaussian` this is Gaussian dropout.

    ``noise`` is an array of floats that broadcasts to ``x``. Its mean is 1, so
    inference needs no change (Srivastava et al. 2014, Section 10).
    """
    x = float_array("x", x, finite=False)
    return x * _noise(noise, "x", x)


def gaussian_backward(grad, noise):
    """Gradient through `gaussian`, with the very noise of the forward pass: ``grad * noise``."""
    grad = float_array("grad", grad, finite=False)
    return grad * _noise(noise, "grad", grad)


def additive(x, noise):
    """Additive noise, y = x + noise; with `reglib.noise.masks.normal` this is Gaussian noise.

    ``noise`` is an array of floats that broadcasts to ``x``. Its mean is 0, so
    inference needs no change. For a linear model the penalty it amounts to is plain
    L2, whatever the scale of x (Bishop 1995 for networks and small noise).
    """
    x = float_array("x", x, finite=False)
    return x + _noise(noise, "x", x)


def additive_backward(grad, noise):
    """Gradient through `additive`: ``grad`` itself, since the noise does not depend on x; ``noise`` is only checked."""
    grad = float_array("grad", grad, finite=False)
    _noise(noise, "grad", grad)
    return grad.copy()


def alpha_constants(rate, *, mean=0.0, variance=1.0):
    """Return a and b of alpha dropout, which give its output the mean and the variance of its input.

    A dropped unit takes the value alpha' = -lambda alpha, the lower limit of SELU.
    With q = 1 - rate, for inputs of mean mu and variance nu
    (Klambauer et al. 2017, the section on the new dropout technique):

        a = sqrt(nu / (q ((1 - q) (alpha' - mu)^2 + nu))),   b = mu - a (q mu + (1 - q) alpha')

    Parameters
    ----------
    rate : float or ndarray, (S,)
        Probability to drop, in [0, 1).
    mean : float
        mu, 0 in a self-normalizing network.
    variance : float
        nu > 0, 1 in a self-normalizing network.

    Returns
    -------
    (a, b) : floats, or ndarrays of shape (S,)
    """
    rate = number("rate", rate, low=0, high=1, high_open=True, replicas=True)
    mean = number("mean", mean)
    variance = number("variance", variance, low=0, low_open=True)
    q = 1 - rate
    a = np.sqrt(variance / (q * (rate * (ALPHA_PRIME - mean) ** 2 + variance)))
    return a, mean - a * (q * mean + rate * ALPHA_PRIME)


def alpha(x, mask, rate, *, mean=0.0, variance=1.0):
    """Alpha dropout, y = a (x * mask + alpha' (1 - mask)) + b: mean and variance of x survive the noise.

    It does for SELU networks what inverted dropout does not: not only the mean but
    also the variance of the units is kept. ``x``, ``mask`` and ``rate`` are those of
    `dropout`; ``mean`` and ``variance`` those of `alpha_constants`. A mask with axes of
    length 1 over the positions makes it feature alpha dropout.
    """
    x = float_array("x", x, finite=False)
    gain, offset = alpha_gain_and_offset(_mask(mask, "x", x), rate, x.dtype, mean=mean, variance=variance)
    return x * gain + offset


def alpha_backward(grad, mask, rate, *, mean=0.0, variance=1.0):
    """Gradient through `alpha`, with the very mask of the forward pass: ``a * grad * mask``.

    ``rate``, ``mean`` and ``variance`` are those of the forward pass, too: they make the constant a.
    """
    grad = float_array("grad", grad, finite=False)
    gain, _ = alpha_gain_and_offset(_mask(mask, "grad", grad), rate, grad.dtype, mean=mean, variance=variance)
    return grad * gain


def alpha_gain_and_offset(mask, rate, dtype=np.float64, *, mean=0.0, variance=1.0):
    """Return alpha dropout as a pair of arrays, ``(a * mask, a * alpha' * (1 - mask) + b)``, in the shape of the mask.

    ``mask``, ``rate``, ``mean`` and ``variance`` are those of `alpha`; ``dtype`` is
    numpy.float64 or numpy.float32. In this form `reglib.nets.mlp` takes affine noise.
    """
    mask = _gate(mask)
    a, b = (
        replica_shape("rate", constant, "the mask", np.broadcast_to(np.ones((), dtype), mask.shape))
        for constant in alpha_constants(rate, mean=mean, variance=variance)
    )
    kept = mask.astype(dtype)
    return a * kept, a * (ALPHA_PRIME * (1 - kept)) + b


def multiplier(mask, rate, dtype=np.float64):
    """Return what inverted dropout multiplies with, ``mask / (1 - rate)``, as floats: 0 or 1 / (1 - rate).

    ``mask`` and ``rate`` are those of `dropout`; ``dtype`` is numpy.float64 or numpy.float32.
    In this form Bernoulli and Gaussian noise are used alike, for instance by `reglib.nets.mlp`.
    """
    mask = _gate(mask)
    return _scaled(np.broadcast_to(np.ones((), dtype), mask.shape), mask, rate)


def _scaled(x, mask, rate):
    """Return x * mask / (1 - rate) in the dtype of x, in two passes and one new array."""
    y = np.multiply(x, mask, dtype=x.dtype)
    y *= 1 / (1 - _rate(rate, x))
    return y


def _rate(rate, x):
    """Return a drop rate in [0, 1) as a number or an array that broadcasts to x, in its dtype."""
    rate = number("rate", rate, low=0, high=1, high_open=True, replicas=True)
    return replica_shape("rate", rate, "the array", x)


def _gate(mask):
    """Return a mask of zeros and ones as an array."""
    mask = np.asarray(mask)
    if mask.dtype != bool and (mask.dtype.kind != "f" or not ((mask == 0) | (mask == 1)).all()):
        raise TypeError(
            f"mask must be of bool, or of floats that are all 0 or 1 (True keeps, False drops); got {mask.dtype}"
        )
    return mask


def _mask(mask, name, x):
    """Return a mask of zeros and ones that broadcasts to x without enlarging it."""
    return _fitting("mask", _gate(mask), name, x)


def _noise(noise, name, x):
    """Return noise that broadcasts to x, in its dtype."""
    return _fitting("noise", float_array("noise", noise), name, x).astype(x.dtype, copy=False)


def _fitting(name, array, x_name, x):
    """Return the array if it broadcasts to x without enlarging it."""
    try:
        fits = np.broadcast_shapes(array.shape, x.shape) == x.shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(
            f"{name} must broadcast to {x_name} of shape {x.shape} without enlarging it, got {array.shape}"
        )
    return array
