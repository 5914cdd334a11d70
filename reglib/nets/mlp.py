"""A multilayer perceptron: dense layers with an activation between them.

Parameters are a flat list ``[W1, b1, W2, b2, ...]``: weights at the even
positions, biases at the odd ones. With leading replica axes on every one of
them, S models go through each function together.

Noise is an argument: a list with one entry for each layer, which acts on that
layer's input (the first entry on x, the next on the first hidden activations, and
so on). An entry is ``None``, an array that multiplies (`reglib.noise.dropout.multiplier`,
`reglib.noise.masks.gaussian`), or a pair of arrays ``(gain, offset)`` for
``gain * h + offset``. `draw_noise` draws such a list. Without it, the functions
are those of inference.
"""

from itertools import pairwise

import numpy as np

from reglib._validate import float_array, generator, integer, one_of
from reglib.layers import activations
from reglib.layers.dense import dense, dense_backward, dense_parameter_gradients
from reglib.noise import masks
from reglib.noise.dropout import alpha_gain_and_offset, multiplier
from reglib.train.losses import softmax_cross_entropy

ACTIVATIONS = {
    "relu": (activations.relu, activations.relu_backward),
    "tanh": (activations.tanh, activations.tanh_backward),
    "sigmoid": (activations.sigmoid, activations.sigmoid_backward),
    "selu": (activations.selu, activations.selu_backward),
}
# Variance of the first weights, times the number of inputs, where it is a normal distribution.
GAINS = {"relu": 2, "selu": 1}


def init(rng, sizes, *, activation="relu", replicas=(), dtype=np.float64):
    """Draw the parameters of an MLP; biases start at 0.

    For ``"relu"``: W ~ N(0, 2 / n_in) (He et al. 2015, Section 2.2; Eq. 10 in the
    arXiv version, 1502.01852). For ``"tanh"`` and ``"sigmoid"``: W ~ U[-a, a] with
    a = sqrt(6 / (n_in + n_out)) (Glorot and Bengio 2010, Eq. 16). For ``"selu"``:
    W ~ N(0, 1 / n_in), which keeps mean 0 and variance 1 from layer to layer
    (Klambauer et al. 2017, the paragraph on initialization; LeCun et al. 1998, Section 4.6).

    Parameters
    ----------
    rng : numpy.random.Generator
    sizes : sequence of int
        Units from input to output, for instance ``(64, 32, 10)``.
    activation : {"relu", "tanh", "sigmoid", "selu"}
    replicas : tuple of int
        Leading axes, ``(S,)`` for S models drawn independently.
    dtype : numpy.float64 or numpy.float32

    Returns
    -------
    list of ndarray
        ``W1`` of shape ``(*replicas, n_0, n_1)``, ``b1`` of shape ``(*replicas, n_1)``, W2, b2, ...
    """
    generator("rng", rng)
    one_of("activation", activation, tuple(ACTIVATIONS))
    sizes = [integer("sizes", size, low=1) for size in sizes]
    if len(sizes) < 2:
        raise ValueError(f"sizes must name an input and an output layer at least, got {tuple(sizes)}")
    replicas = tuple(integer("replicas", count, low=1) for count in replicas)
    params = []
    for n_in, n_out in pairwise(sizes):
        shape = (*replicas, n_in, n_out)
        if activation in GAINS:
            w = rng.standard_normal(shape) * np.sqrt(GAINS[activation] / n_in)
        else:
            w = rng.uniform(-1, 1, shape) * np.sqrt(6 / (n_in + n_out))
        params += [w.astype(dtype), np.zeros((*replicas, n_out), dtype)]
    return params


def draw_noise(rng, params, batch, rates, *, kind="bernoulli"):
    """Draw the noise of one step: independent for every unit, example and replica.

    Parameters
    ----------
    rng : numpy.random.Generator
    params : list of ndarray
        From `init`; the noise follows their replica axes and dtype.
    batch : int
        Examples in the batch, B.
    rates : sequence
        A drop rate in [0, 1) for each layer's input: x first, then the hidden
        activations. None or 0 is no noise; an array of shape (S,) is one rate a replica.
    kind : {"bernoulli", "gaussian", "alpha"}
        Inverted dropout, Gaussian noise with the same mean and variance, or alpha dropout.

    Returns
    -------
    list
        For the ``noise`` of the other functions: None, or an array of shape
        ``(*replicas, B, units)``; for alpha dropout a pair of them.
    """
    one_of("kind", kind, ("bernoulli", "gaussian", "alpha"))
    layers = _layers(params)
    if not np.iterable(rates) or len(rates) != len(layers):
        raise ValueError(f"rates must hold one entry for each of the {len(layers)} layers, got {rates!r}")
    noise = []
    for (w, _), rate in zip(layers, rates, strict=True):
        shape = (*w.shape[:-2], integer("batch", batch, low=0), w.shape[-2])
        if rate is None or (np.ndim(rate) == 0 and rate == 0):
            noise.append(None)
        elif kind == "gaussian":
            noise.append(masks.gaussian(rng, shape, rate, dtype=w.dtype))
        else:
            form = alpha_gain_and_offset if kind == "alpha" else multiplier
            noise.append(form(masks.bernoulli(rng, shape, rate), rate, w.dtype))
    return noise


def forward(params, x, *, activation="relu", noise=None):
    """Return the logits, and the cache that `backward` needs.

    Parameters
    ----------
    params : list of ndarray
        From `init`.
    x : ndarray, (B, D) for all replicas, or (..., B, D)
    activation : {"relu", "tanh", "sigmoid", "selu"}
        After every layer but the last.
    noise : list, optional
        One entry a layer, acting on its input; see the head of this module.

    Returns
    -------
    logits : ndarray, (..., B, C)
    cache : list of (ndarray, ndarray)
        For every layer what came in, x or the activations before it, and the same
        after the noise: what the layer multiplies.
    """
    layers = _layers(params)
    noise = _noise(noise, layers)
    activate, _ = ACTIVATIONS[one_of("activation", activation, tuple(ACTIVATIONS))]
    cache = [(x, _apply(noise[0], x))]
    for (w, b), entry in zip(layers[:-1], noise[1:], strict=True):
        h = activate(dense(cache[-1][1], w, b))
        cache.append((h, _apply(entry, h)))
    return dense(cache[-1][1], *layers[-1]), cache


def backward(params, cache, grad, *, activation="relu", noise=None):
    """Return the gradients of all parameters from ``grad``, the gradient with respect to the logits.

    ``cache`` comes from `forward`, with the same ``params``, ``activation`` and
    ``noise``. The result is a list like ``params``.
    """
    layers = _layers(params)
    noise = _noise(noise, layers)
    _, activate_backward = ACTIVATIONS[one_of("activation", activation, tuple(ACTIVATIONS))]
    grads = []
    for (w, _), entry, (before, after) in zip(layers[:0:-1], noise[:0:-1], cache[:0:-1], strict=True):
        grad, grad_w, grad_b = dense_backward(grad, after, w)
        grads = [grad_w, grad_b, *grads]
        grad = activate_backward(_apply_backward(entry, grad, before), before)
    return [*dense_parameter_gradients(grad, cache[0][1], layers[0][0]), *grads]


def loss_and_grads(params, x, labels, *, activation="relu", noise=None, loss=softmax_cross_entropy):
    """Return the data loss, one a replica, and the gradients of all parameters.

    ``params``, ``x``, ``activation`` and ``noise`` are those of `forward`. ``loss`` is a
    function of logits and labels that returns (loss, gradient):
    `reglib.train.losses.softmax_cross_entropy` for classes, `reglib.train.losses.squared_error`
    for regression; the ``labels`` are then targets of shape (..., B, K).
    """
    logits, cache = forward(params, x, activation=activation, noise=noise)
    value, grad = loss(logits, labels)
    return value, backward(params, cache, grad, activation=activation, noise=noise)


def accuracy(params, x, labels, *, activation="relu"):
    """Return the fraction of examples whose largest logit is the right class, one a replica.

    ``params``, ``x`` and ``activation`` are those of `forward`; ``labels`` has shape
    (..., B), or (B,) for all replicas.
    """
    logits, _ = forward(params, x, activation=activation)
    labels = np.asarray(labels)
    shape, shared = logits.shape[:-1], logits.shape[-2:-1]
    if labels.shape not in (shape, shared):
        raise ValueError(f"labels must have shape {shape}, or {shared} for all replicas; got {labels.shape}")
    return (logits.argmax(axis=-1) == labels).mean(axis=-1)


def _layers(params):
    """Return the parameters as (weights, bias) pairs."""
    if not len(params) or len(params) % 2:
        raise ValueError(f"params must be a list of weights and biases in turn, W1, b1, W2, b2, ...; got {len(params)}")
    return list(zip(params[::2], params[1::2], strict=True))


def _noise(noise, layers):
    """Return one entry a layer: None, an array, or a pair of arrays."""
    if noise is None:
        return [None] * len(layers)
    if len(noise) != len(layers):
        raise ValueError(f"noise must hold one entry for each of the {len(layers)} layers, got {len(noise)}")
    return list(noise)


def _apply(entry, h):
    """Return h after the noise, in its dtype; an h that replicas share gains the leading axes of their noise."""
    if entry is None:
        return h
    h = float_array("x", h, finite=False)
    gain, *offset = (_broadcasting(array, h) for array in (entry if isinstance(entry, tuple) else (entry,)))
    y = np.multiply(h, gain, dtype=h.dtype)
    for array in offset:
        y += array.astype(h.dtype, copy=False)
    return y


def _apply_backward(entry, grad, h):
    """Return the gradient with respect to h; when replicas share it, the sum of theirs."""
    if entry is None:
        return grad
    gain = entry[0] if isinstance(entry, tuple) else entry
    grad = np.multiply(grad, gain, dtype=grad.dtype)
    return grad.sum(axis=tuple(range(grad.ndim - h.ndim)))


def _broadcasting(array, h):
    """Return an array of the noise if it enlarges h by leading axes at most."""
    array = float_array("noise", array, finite=False)
    try:
        fits = np.broadcast_shapes(array.shape, h.shape)[-h.ndim :] == h.shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"noise must broadcast to the layer's input of shape {h.shape}, got {array.shape}")
    return array
