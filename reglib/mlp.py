"""A multilayer perceptron: dense layers with an activation between them.

Parameters are a flat list ``[W1, b1, W2, b2, ...]``: weights at the even
positions, biases at the odd ones. With leading replica axes on every one of
them, S models go through each function together.
"""

from itertools import pairwise

import numpy as np

from reglib import activations
from reglib._validate import generator, integer, one_of
from reglib.layers import dense, dense_backward, dense_parameter_gradients
from reglib.losses import softmax_cross_entropy

ACTIVATIONS = {
    "relu": (activations.relu, activations.relu_backward),
    "tanh": (activations.tanh, activations.tanh_backward),
    "sigmoid": (activations.sigmoid, activations.sigmoid_backward),
}


def init(rng, sizes, *, activation="relu", replicas=(), dtype=np.float64):
    """Draw the parameters of an MLP; biases start at 0.

    For ``"relu"``: W ~ N(0, 2 / n_in) (He et al. 2015, Section 2.2; Eq. 10 in the
    arXiv version, 1502.01852). For ``"tanh"`` and ``"sigmoid"``: W ~ U[-a, a] with
    a = sqrt(6 / (n_in + n_out)) (Glorot and Bengio 2010, Eq. 16).

    Parameters
    ----------
    rng : numpy.random.Generator
    sizes : sequence of int
        Units from input to output, for instance ``(64, 32, 10)``.
    activation : {"relu", "tanh", "sigmoid"}
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
        if activation == "relu":
            w = rng.standard_normal(shape) * np.sqrt(2 / n_in)
        else:
            w = rng.uniform(-1, 1, shape) * np.sqrt(6 / (n_in + n_out))
        params += [w.astype(dtype), np.zeros((*replicas, n_out), dtype)]
    return params


def forward(params, x, *, activation="relu"):
    """Return the logits, and the cache that `backward` needs.

    Parameters
    ----------
    params : list of ndarray
        From `init`.
    x : ndarray, (B, D) for all replicas, or (..., B, D)
    activation : {"relu", "tanh", "sigmoid"}
        After every layer but the last.

    Returns
    -------
    logits : ndarray, (..., B, C)
    cache : list of ndarray
        The input of every layer: x, then the activations of the hidden layers.
    """
    layers = _layers(params)
    activate, _ = ACTIVATIONS[one_of("activation", activation, tuple(ACTIVATIONS))]
    cache = [x]
    for w, b in layers[:-1]:
        cache.append(activate(dense(cache[-1], w, b)))
    return dense(cache[-1], *layers[-1]), cache


def backward(params, cache, grad, *, activation="relu"):
    """Return the gradients of all parameters from ``grad``, the gradient with respect to the logits.

    ``cache`` comes from `forward`, with the same ``params`` and ``activation``. The
    result is a list like ``params``.
    """
    layers = _layers(params)
    _, activate_backward = ACTIVATIONS[one_of("activation", activation, tuple(ACTIVATIONS))]
    grads = []
    for (w, _), h in zip(layers[:0:-1], cache[:0:-1], strict=True):
        grad, grad_w, grad_b = dense_backward(grad, h, w)
        grads = [grad_w, grad_b, *grads]
        grad = activate_backward(grad, h)
    return [*dense_parameter_gradients(grad, cache[0], layers[0][0]), *grads]


def loss_and_grads(params, x, labels, *, activation="relu", loss=softmax_cross_entropy):
    """Return the data loss, one a replica, and the gradients of all parameters.

    ``params``, ``x`` and ``activation`` are those of `forward`. ``loss`` is a
    function of logits and labels that returns (loss, gradient):
    `reglib.losses.softmax_cross_entropy` for classes, `reglib.losses.squared_error`
    for regression; the ``labels`` are then targets of shape (..., B, K).
    """
    logits, cache = forward(params, x, activation=activation)
    value, grad = loss(logits, labels)
    return value, backward(params, cache, grad, activation=activation)


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
