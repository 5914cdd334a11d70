"""A recurrent layer with a dense readout, after the last step or after every step.

    x (..., B, T, D) -> recurrent layer -> y_t (..., B, T, H) -> dense -> logits

Parameters are those of the cell (`reglib.layers.recurrent.init`), then the weights and the bias of the readout. The
noise is that of `reglib.layers.recurrent`; without it, the functions are those of inference. All of them take leading
replica axes.
"""

import numpy as np

from reglib._validate import generator, integer, one_of
from reglib.layers import recurrent
from reglib.layers.dense import dense, dense_backward
from reglib.train.losses import softmax_cross_entropy

READOUTS = ("last", "every")


def init(rng, cell, inputs, hidden, outputs, *, forget_bias=1.0, replicas=(), dtype=np.float64):
    """Draw the parameters: the cell's by `recurrent.init`, the readout's from U(-1 / sqrt(H), 1 / sqrt(H)).

    Parameters
    ----------
    rng : numpy.random.Generator
    cell : RNN, LSTM, GRU or LayerNormLSTM
    inputs, hidden, outputs : int
        D, H and C.
    forget_bias : float
        Of an LSTM's forget gate. The readout's bias starts at 0.
    replicas : tuple of int
        Leading axes, ``(S,)`` for S models drawn independently.
    dtype : numpy.float64 or numpy.float32

    Returns
    -------
    list of ndarray
        The cell's parameters, the weights (..., H, C) and the bias (..., C).
    """
    generator("rng", rng)
    outputs = integer("outputs", outputs, low=1)
    params = recurrent.init(rng, cell, inputs, hidden, forget_bias=forget_bias, replicas=replicas, dtype=dtype)
    w = rng.uniform(-1, 1, (*replicas, hidden, outputs)) / np.sqrt(hidden)
    return [*params, w.astype(dtype), np.zeros((*replicas, outputs), dtype)]


def forward(cell, params, x, *, readout="last", noise=None, steps=None):
    """Return the logits, and the cache that `backward` needs.

    Parameters
    ----------
    cell : RNN, LSTM, GRU or LayerNormLSTM
    params : list of ndarray
        From `init`.
    x : ndarray, (B, T, D) for all replicas, or (..., B, T, D)
        With at least one step.
    readout : {"last", "every"}
        "last" reads the output of step T; where the sequence is already over that is the carried state.
    noise : reglib.layers.recurrent.Noise, optional
    steps : ndarray of bool, (B, T) or (..., B, T), optional
        False where a sequence is over.

    Returns
    -------
    logits : ndarray, (..., B, C), or (..., B, T, C) at every step
    cache : tuple
    """
    one_of("readout", readout, READOUTS)
    *params, w, b = params
    output, _, cache = recurrent.forward(cell, params, x, noise=noise, steps=steps)
    batch, length, hidden = output.shape[-3:]
    if not length:
        raise ValueError(f"x must have at least one step, got shape {np.shape(x)}")
    read = output[..., -1, :] if readout == "last" else output.reshape(*output.shape[:-3], batch * length, hidden)
    logits = dense(read, w, b)
    if readout == "every":
        logits = logits.reshape(*logits.shape[:-2], batch, length, w.shape[-1])
    return logits, (cache, output.shape, read, w)


def backward(cache, grad):
    """Return the gradients of all parameters from ``grad``, the gradient with respect to the logits.

    ``cache`` comes from `forward`; it holds the noise. The result is a list like the parameters.
    """
    cache, shape, read, w = cache
    grad_read, grad_w, grad_b = dense_backward(grad.reshape(*read.shape[:-1], w.shape[-1]), read, w)
    if read.shape[-2] == shape[-3] * shape[-2]:
        grad_output = grad_read.reshape(shape)
    else:
        grad_output = np.zeros(shape, grad_read.dtype)
        grad_output[..., -1, :] = grad_read
    return [*recurrent.backward(cache, grad_output)[1], grad_w, grad_b]


def loss_and_grads(cell, params, x, targets, *, readout="last", noise=None, steps=None, loss=softmax_cross_entropy):
    """Return the data loss, one a replica, and the gradients of all parameters.

    Parameters
    ----------
    cell, params, x, readout, noise, steps :
        As in `forward`.
    targets : ndarray
        For classes (..., B), or (..., B, T) at every step; for `reglib.train.losses.squared_error` one more axis, the
        outputs. The leading axes may be left out when all replicas share the targets.
    loss : callable
        `reglib.train.losses.softmax_cross_entropy` or `reglib.train.losses.squared_error`. At every step it is the
        mean over all steps that there are.
    """
    logits, cache = forward(cell, params, x, readout=readout, noise=noise, steps=steps)
    value, grad = _loss(loss, logits, targets, readout, steps)
    return value, backward(cache, grad)


def mean_loss(logits, targets, *, readout="last", steps=None, loss=softmax_cross_entropy):
    """Return the loss of ``logits`` from `forward`, one a replica; the other arguments are those of `loss_and_grads`.

    ``targets``, ``readout``, ``steps`` and ``loss`` must be those of the logits.
    """
    return _loss(loss, logits, targets, one_of("readout", readout, READOUTS), steps)[0]


def accuracy(cell, params, x, labels, *, readout="last", noise=None, steps=None):
    """Return the fraction of sequences, or of steps, whose largest logit is the right class, one a replica.

    ``cell``, ``params``, ``x``, ``readout`` and ``steps`` are those of `forward`; ``noise`` is for what zoneout does
    at inference alone. ``labels`` has shape (..., B), or (..., B, T) at every step, or the same without the leading
    axes.
    """
    logits, _ = forward(cell, params, x, readout=readout, noise=noise, steps=steps)
    right = logits.argmax(axis=-1) == _targets(labels, logits.shape[:-1], READOUTS.index(readout) + 1)
    if readout == "last":
        return right.mean(axis=-1)
    there = np.broadcast_to(True if steps is None else steps, right.shape)
    return (right & there).sum(axis=(-2, -1)) / there.sum(axis=(-2, -1))


def _loss(loss, logits, targets, readout, steps):
    """Return the loss, one a replica, and its gradient; at every step over the steps that there are."""
    if readout == "last":
        return loss(logits, targets)
    *leads, batch, length, outputs = logits.shape
    targets = np.asarray(targets)
    width = (outputs,) if targets.dtype.kind == "f" else ()
    targets = _targets(targets, (*leads, batch, length, *width), 2 + len(width))
    logits = logits.reshape(*leads, batch * length, outputs)
    targets = targets.reshape(*leads, batch * length, *width)
    if steps is None:
        value, grad = loss(logits, targets)
    else:
        there = np.broadcast_to(steps, (*leads, batch, length)).reshape(logits.shape[:-1])
        value, grad = np.empty(leads, logits.dtype), np.zeros_like(logits)
        for replica in np.ndindex(*leads):
            rows = there[replica]
            value[replica], grad[replica][rows] = loss(logits[replica][rows], targets[replica][rows])
    return value, grad.reshape(*leads, batch, length, outputs)


def _targets(targets, shape, axes):
    """Return targets of the given shape, or of its last ``axes`` axes alone, broadcast to that shape."""
    targets = np.asarray(targets)
    own = shape[-axes:]
    if targets.shape not in (shape, own):
        raise ValueError(f"targets must have shape {shape}, or {own} for all replicas; got {targets.shape}")
    return np.broadcast_to(targets, shape)
