"""What noise does to activations, and to the gradient on the way back: y = gain * h + offset.

Every noise of this package has this one form. For dropout the gain is 0 or 1 / (1 - rate), for Gaussian dropout it is
a normal number of mean 1; additive noise is an offset; alpha dropout needs both. The backward pass takes the same
`Noise` as an argument, so that it cannot use another one. Nothing here draws, and there is no ``training`` flag: at
inference nobody applies noise, or what `reglib.noise.places.expected` gives.

    gradient with respect to h:       grad * gain
    with respect to gain and offset:  grad * h and grad
"""

from dataclasses import dataclass

import numpy as np

from reglib._validate import float_array


@dataclass(frozen=True, eq=False)
class Noise:
    """One draw of noise, which makes ``gain * h + offset`` of activations h. A part that is None does nothing.

    Parameters
    ----------
    gain, offset : ndarray of floats, or None
        As many axes as the activations, or more in front: the replicas. An axis of length 1 is shared: one number for
        everything along it. A single number, without axes, is the same for all.
    """

    gain: np.ndarray | None = None
    offset: np.ndarray | None = None

    def __post_init__(self):
        for name, part in (("gain", self.gain), ("offset", self.offset)):
            if part is not None:
                object.__setattr__(
                    self,
                    name,
                    float_array(f"the noise's {name}", part, finite=False),
                )


def apply(noise, h):
    """Return ``gain * h + offset``, in the dtype of h.

    Parameters
    ----------
    noise : Noise or None
        None does nothing.
    h : ndarray of floats
        Infinite or NaN entries are passed on; times the 0 of a dropped unit they are NaN, which hides no error.

    Returns
    -------
    ndarray
        In the shape of h; an h that replicas share gains the leading axes of their noise.

    Raises
    ------
    TypeError
        For arrays that do not hold floating-point numbers.
    ValueError
        For a noise with fewer axes than h, or one that does not broadcast to it.
    """
    h, noise = float_array("h", h, finite=False), _checked(noise)
    if noise is None:
        return h
    y = (
        h
        if noise.gain is None
        else np.multiply(h, _facing("gain", noise.gain, h), dtype=h.dtype)
    )
    return (
        y
        if noise.offset is None
        else np.add(y, _facing("offset", noise.offset, h), dtype=h.dtype)
    )


def apply_backward(noise, grad):
    """Return the gradient with respect to h from ``grad``, that with respect to the output: ``grad * gain``.

    ``noise`` is that of `apply`. Where replicas shared h, the caller sums over them.
    """
    grad, noise = float_array("grad", grad, finite=False), _checked(noise)
    if noise is None or noise.gain is None:
        return grad
    return np.multiply(
        grad, _facing("gain", noise.gain, grad), dtype=grad.dtype
    )


def noise_gradient(grad, h):
    """Return the gradients with respect to the noise, a `Noise` of ``grad * h`` and ``grad``.

    ``h`` is what `apply` was given and ``grad`` the gradient with respect to its output. Where the noise shares an
    axis, the caller sums along it.
    """
    grad, h = (
        float_array("grad", grad, finite=False),
        float_array("h", h, finite=False),
    )
    if grad.ndim < h.ndim or grad.shape[grad.ndim - h.ndim :] != h.shape:
        raise ValueError(
            f"grad must have the shape of h, {h.shape}, or leading axes before it; got {grad.shape}"
        )
    return Noise(grad * h, grad)


def _checked(noise):
    """Return noise, or None for none."""
    if not isinstance(noise, Noise | None):
        raise TypeError(
            f"noise must be a Noise, or None for none; got {noise!r}"
        )
    return noise


def _facing(name, array, h):
    """Return a part of the noise if it enlarges h by leading axes at most, and names every axis of h."""
    try:
        full = np.broadcast_shapes(array.shape, h.shape)
        fits = (array.ndim == 0 or array.ndim >= h.ndim) and full[
            len(full) - h.ndim :
        ] == h.shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(
            f"the noise's {name} must have one axis for each of the activations' {h.shape}, "
            f"of that length or of length 1 where it is shared; got shape {array.shape}"
        )
    return array
