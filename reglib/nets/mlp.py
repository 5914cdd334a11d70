"""A multilayer perceptron: dense layers with an activation between them.

    x -> noise "input" -> dense -> activation -> noise "hidden1" -> dense -> ... -> logits

Parameters: ``w1`` (n_0, n_1), ``b1`` (n_1,), ``w2``, ``b2``, ... with the replica axes in front. The places of noise
are "input" and "hidden1", "hidden2", ...: what comes into each layer.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from reglib._validate import (
    boolean,
    float_array,
    float_type,
    instance,
    integer,
    integers,
    one_of,
)
from reglib.layers import activations
from reglib.layers.dense import (
    dense,
    dense_backward,
    dense_parameter_gradients,
)
from reglib.nets.net import Gradients, Net, noisy, shared
from reglib.noise.affine import apply_backward, noise_gradient

ACTIVATIONS = {
    "relu": (activations.relu, activations.relu_backward),
    "tanh": (activations.tanh, activations.tanh_backward),
    "sigmoid": (activations.sigmoid, activations.sigmoid_backward),
    "selu": (activations.selu, activations.selu_backward),
}
# Variance of the first weights, times the number of inputs, where it is a normal distribution.
GAINS = {"relu": 2, "selu": 1}


def hidden(count):
    """Return the names of the places behind ``count`` hidden layers: "hidden1", ..., "hidden<count>"."""
    return tuple(
        f"hidden{layer}"
        for layer in range(1, integer("count", count, low=0) + 1)
    )


@dataclass(frozen=True)
class Cache:
    """What `MLP.backward` needs of `MLP.forward`.

    Attributes
    ----------
    before, after : dict of ndarray
        By place: what comes to a layer, x or the activations before it, without and with the noise.
    noise : dict
    """

    before: dict
    after: dict
    noise: dict


@dataclass(frozen=True)
class MLP(Net):
    """A multilayer perceptron.

    First weights, with biases 0: for ``"relu"`` W ~ N(0, 2 / n_in) (He et al. 2015, Section 2.2; Eq. 10 in the arXiv
    version, 1502.01852); for ``"tanh"`` and ``"sigmoid"`` W ~ U[-a, a] with a = sqrt(6 / (n_in + n_out)) (Glorot and
    Bengio 2010, Eq. 16); for ``"selu"`` W ~ N(0, 1 / n_in), which keeps mean 0 and variance 1 from layer to layer
    (Klambauer et al. 2017, the paragraph on initialization; LeCun et al. 1998, Section 4.6).

    Parameters
    ----------
    sizes : sequence of int
        Units from input to output, for instance ``(64, 32, 10)``.
    activation : {"relu", "tanh", "sigmoid", "selu"}
        After every layer but the last.
    """

    sizes: tuple
    activation: str = "relu"

    def __post_init__(self):
        one_of("activation", self.activation, tuple(ACTIVATIONS))
        sizes = integers("sizes", self.sizes, low=1)
        if len(sizes) < 2:
            raise ValueError(
                f"sizes must name an input and an output layer at least, got {sizes}"
            )
        object.__setattr__(self, "sizes", sizes)

    @property
    def depth(self):
        """The number of dense layers."""
        return len(self.sizes) - 1

    def names(self):
        """Return the names of the parameters."""
        return tuple(
            f"{letter}{layer}"
            for layer in range(1, self.depth + 1)
            for letter in "wb"
        )

    def places(self, params, x):
        """Return the shape of the activations at each place, ``{"input": (..., B, n_0), "hidden1": ...}``."""
        self.check(params)
        x = float_array("x", x, finite=False)
        if x.ndim < 2:
            raise ValueError(f"x must have shape (..., B, D), got {x.shape}")
        lead = params["w1"].shape[:-2] or x.shape[:-2]
        names = ("input", *hidden(self.depth - 1))
        return {
            name: (*lead, x.shape[-2], size)
            for name, size in zip(names, self.sizes, strict=False)
        }

    def _init(self, rng, replicas, dtype):
        params, dtype = {}, float_type(dtype)
        for layer, (n_in, n_out) in enumerate(pairwise(self.sizes), start=1):
            shape = (*replicas, n_in, n_out)
            if self.activation in GAINS:
                w = rng.standard_normal(shape) * np.sqrt(
                    GAINS[self.activation] / n_in
                )
            else:
                w = rng.uniform(-1, 1, shape) * np.sqrt(6 / (n_in + n_out))
            params |= {
                f"w{layer}": w.astype(dtype),
                f"b{layer}": np.zeros((*replicas, n_out), dtype),
            }
        return params

    def forward(self, params, x, *, noise=None):
        """Return the logits, and the cache that `backward` needs.

        Parameters
        ----------
        params : dict of ndarray
            From ``init``.
        x : ndarray, (B, D) for all replicas, or (..., B, D)
        noise : dict of Noise, optional
            By place.

        Returns
        -------
        logits : ndarray, (..., B, C)
        cache : Cache
        """
        places = ("input", *hidden(self.depth - 1))
        self.check(params, noise, places)
        activate, _ = ACTIVATIONS[self.activation]
        cache, h = (
            Cache({}, {}, noise or {}),
            float_array("x", x, finite=False),
        )
        for layer, place in enumerate(places, start=1):
            cache.before[place] = h
            cache.after[place] = noisy(cache.noise.get(place), h)
            h = dense(
                cache.after[place], params[f"w{layer}"], params[f"b{layer}"]
            )
            h = activate(h) if layer < self.depth else h
        return h, cache

    def backward(self, params, cache, grad, *, everything=False):
        """Return the gradients from ``grad``, that with respect to the logits.

        Parameters
        ----------
        params : dict of ndarray
        cache : Cache
            From `forward`, with the same parameters.
        grad : ndarray, (..., B, C)
        everything : bool
            Return a `reglib.nets.net.Gradients`, with those of x and of the noise, too.

        Returns
        -------
        dict of ndarray, or Gradients
        """
        self.check(params)
        instance("cache", cache, Cache, "that of forward")
        boolean("everything", everything)
        _, activate_backward = ACTIVATIONS[self.activation]
        grads, noise_grads = {}, {}
        for layer, place in reversed(list(enumerate(cache.before, start=1))):
            w, before, after = (
                params[f"w{layer}"],
                cache.before[place],
                cache.after[place],
            )
            if layer == 1 and not everything:
                own = dense_parameter_gradients(grad, after, w)
            else:
                grad, *own = dense_backward(grad, after, w)
            grads |= dict(
                zip((f"b{layer}", f"w{layer}"), reversed(own), strict=True)
            )
            if everything:
                noise_grads[place] = noise_gradient(grad, before)
            if layer > 1 or everything:
                grad = shared(
                    apply_backward(cache.noise.get(place), grad), before.ndim
                )
            if layer > 1:
                grad = activate_backward(grad, before)
        grads = dict(reversed(grads.items()))
        return Gradients(grads, grad, noise_grads) if everything else grads
