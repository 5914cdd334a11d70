"""What all networks share.

A network is a frozen value that holds its sizes and options, and no numbers. The numbers are the parameters, a dict
from names to arrays (`reglib.weights.parameters`); with leading replica axes on every one of them, S networks go
through each function together. Every network has four methods:

    init(rng)                           draws the parameters
    places(params, x)                   the shape of the activations at each place where noise may act
    forward(params, x, noise=...)       the logits, and a cache
    backward(params, cache, grad)       the gradients of all parameters

``noise`` is a dict with a `reglib.noise.affine.Noise` for the places that have one (`reglib.noise.places.draw` draws
it); without it ``forward`` is inference. The cache holds the noise, so that ``backward`` takes the same.
"""

from dataclasses import dataclass

import numpy as np

from reglib._replicas import drawn
from reglib._validate import by_name, by_place, function, pair
from reglib.noise.affine import Noise, apply


@dataclass(frozen=True, eq=False)
class Gradients:
    """What ``backward(..., everything=True)`` returns.

    Attributes
    ----------
    params : dict of ndarray
        Of the parameters, by name.
    x : ndarray
        Of the input, in its shape.
    noise : dict of Noise
        Of gain and offset at every place, in the shape of the activations; `reglib.noise.affine.noise_gradient`. Where
        noise has a gain alone (inside of a recurrent layer), of that. For an x that replicas share, and without noise
        there, summed over them.
    """

    params: dict
    x: np.ndarray
    noise: dict


class Net:
    """A network; see the head of this module."""

    def names(self) -> tuple:
        """Return the names of the parameters, in the order in which they are drawn."""
        raise NotImplementedError

    def forward(self, params, x, *, noise=None, **options):
        """Return the logits and a cache; ``noise`` is a dict by place, ``options`` are the network's own."""
        raise NotImplementedError

    def _init(self, rng, replicas, dtype) -> dict:
        """Draw the parameters from one generator."""
        raise NotImplementedError

    def logits(self, params, x, **options):
        """Return the output of ``forward`` alone, with the ``options`` of the network's ``forward``, such as noise."""
        return self.forward(params, x, **options)[0]

    def cost(self, loss, logits, y):
        """Return the loss of the ``logits`` of a batch and its gradient: ``loss(logits, y)``."""
        return pair("loss", function("loss", loss)(logits, y))

    def init(self, rng, *, replicas=(), dtype=np.float64):
        """Draw the parameters.

        Parameters
        ----------
        rng : numpy.random.Generator, or list of them
            A list holds one a replica, each of which draws what it would draw alone.
        replicas : tuple of int
            Leading axes, ``(S,)`` for S networks drawn independently; left out where ``rng`` is a list.
        dtype : numpy.float64 or numpy.float32

        Returns
        -------
        dict of ndarray
        """
        return drawn(
            lambda one, own: self._init(one, own, dtype), rng, replicas
        )

    def check(self, params, noise=None, places=()):
        """Complain about missing parameters, and about noise at places that the network does not have."""
        by_name("params", params, self.names())
        for name, array in params.items():
            if not isinstance(array, np.ndarray):
                raise TypeError(
                    f"params[{name!r}] must be an array of floats, got {array!r}"
                )
        if noise is not None:
            by_place("noise", noise, places, Noise, "a Noise")


def noisy(noise, h):
    """Return activations with their noise; noise that all replicas share leaves one h for all of them."""
    y = apply(noise, h)
    return y.reshape(h.shape) if y.size == h.size else y


def shared(grad, ndim):
    """Return a gradient summed over the leading axes that an array of ``ndim`` axes, shared by replicas, lacks."""
    return (
        grad.sum(axis=tuple(range(grad.ndim - ndim)))
        if grad.ndim > ndim
        else grad
    )
