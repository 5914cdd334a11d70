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
    h = float_array("h", h, finite=False)
    gain, offset = _parts(noise, h)
    y = h
    if gain is not None:
        y = np.multiply(y, gain, dtype=h.dtype)
    if offset is not None:
        y = np.add(y, offset, dtype=h.dtype)
    return y


def apply_backward(noise, grad):
    """Return the gradient with respect to h from ``grad``, that with respect to the output: ``grad * gain``.

    ``noise`` is that of `apply`. Where replicas shared h, the caller sums over them.
    """
    grad = float_array("grad", grad, finite=False)
    gain, _ = _parts(noise, grad, offset=False)
    if gain is None:
        return grad
    return np.multiply(grad, gain, dtype=grad.dtype)


def noise_gradient(grad, h):
    """Return the gradients with respect to the noise, a `Noise` of ``grad * h`` and ``grad``.

    ``h`` is what `apply` was given and ``grad`` the gradient with respect to its output. Where the noise shares an
    axis, the caller sums along it.
    """
    grad = float_array("grad", grad, finite=False)
    h = float_array("h", h, finite=False)
    if grad.ndim < h.ndim or grad.shape[grad.ndim - h.ndim :] != h.shape:
        raise ValueError(
            f"grad must have the shape of h, {h.shape}, or leading axes before it; got {grad.shape}"
        )
    return Noise(grad * h, grad)


def _parts(noise, h, *, offset=True):
    """Return gain and offset, None where there is none, checked against h; without ``offset`` the gain alone."""
    if not isinstance(noise, Noise | None):
        raise TypeError(
            f"noise must be a Noise, or None for none; got {noise!r}"
        )
    parts = {"gain": None, "offset": None} if noise is None else vars(noise)
    return [
        None
        if part is None or (name == "offset" and not offset)
        else _facing(name, part, h)
        for name, part in parts.items()
    ]


def _facing(name, array, h):
    """Return a part of the noise if it enlarges h by leading axes at most, and names every axis of h."""
    try:
        full = np.broadcast_shapes(array.shape, h.shape)
        fits = full[len(full) - h.ndim :] == h.shape
        fits = fits and (array.ndim == 0 or array.ndim >= h.ndim)
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(
            f"the noise's {name} must have one axis for each of the activations' {h.shape}, "
            f"of that length or of length 1 where it is shared; got shape {array.shape}"
        )
    return array
