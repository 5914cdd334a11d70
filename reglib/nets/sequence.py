"""A recurrent layer with a dense readout, after the last step or after every step.

    x (..., B, T, D) -> recurrent layer -> y_t (..., B, T, H) -> dense -> logits

Parameters: those of the cell (`reglib.layers.recurrent.init`), then ``w_out`` (H, C) and ``b_out`` (C,), with the
replica axes in front. The places of noise are those of `reglib.layers.recurrent`.

Sequences of unequal length are padded, and ``steps`` says where there is a step: padding reaches neither the loss nor
a gradient, whatever stands there.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from reglib._validate import (
    as_array,
    boolean,
    float_array,
    float_type,
    function,
    instance,
    integer,
    number,
    one_of,
    pair,
)
from reglib.layers import recurrent
from reglib.layers._sequence import checked_cell
from reglib.layers.dense import dense, dense_backward
from reglib.nets.net import Gradients, Net

READOUTS = ("last", "every")


@dataclass(frozen=True)
class Cache:
    """What `Sequence.backward` needs of `Sequence.forward`.

    Attributes
    ----------
    layer : reglib.layers.recurrent.Cache
        That of the recurrent layer; its ``h`` and ``c`` are the carried states.
    output : tuple
        The shape of the layer's output.
    read : ndarray
        What the readout saw.
    """

    layer: object
    output: tuple
    read: np.ndarray


@dataclass(frozen=True)
class Sequence(Net):
    """The network of this module.

    The cell's first weights are those of `reglib.layers.recurrent.init`, the readout's come from
    U(-1 / sqrt(H), 1 / sqrt(H)); its bias starts at 0.

    Parameters
    ----------
    cell : a cell of `reglib.layers.cells` or `reglib.layers.layer_norm_lstm`
    inputs, hidden, outputs : int
        D, H and C.
    readout : {"last", "every"}
        "last" reads the output of step T; where the sequence is already over that is the carried state.
    forget_bias : float
        Where the forget gate of an LSTM starts.
    """

    cell: Any
    inputs: int
    hidden: int
    outputs: int
    readout: str = "last"
    forget_bias: float = field(default=1.0, repr=False)

    def __post_init__(self):
        checked_cell(self.cell)
        for name in ("inputs", "hidden", "outputs"):
            integer(name, getattr(self, name), low=1)
        one_of("readout", self.readout, READOUTS)
        number("forget_bias", self.forget_bias)

    def names(self):
        """Return the names of the parameters."""
        return (*self.cell.shapes(1, 1), "w_out", "b_out")

    def places(self, params, x):
        """Return the shape of the activations at each place that the cell has, (..., B, T, D or H)."""
        self.check(params)
        return recurrent.places(
            self.cell,
            {name: params[name] for name in self.cell.shapes(1, 1)},
            x,
        )

    def _init(self, rng, replicas, dtype):
        options = {
            "forget_bias": self.forget_bias,
            "replicas": replicas,
            "dtype": float_type(dtype),
        }
        params = recurrent.init(
            rng, self.cell, self.inputs, self.hidden, **options
        )
        w = rng.uniform(
            -1, 1, (*replicas, self.hidden, self.outputs)
        ) / np.sqrt(self.hidden)
        return params | {
            "w_out": w.astype(dtype),
            "b_out": np.zeros((*replicas, self.outputs), dtype),
        }

    def forward(self, params, x, *, noise=None, steps=None):
        """Return the logits, and the cache that `backward` needs.

        Parameters
        ----------
        params : dict of ndarray
            From ``init``.
        x : ndarray, (B, T, D) for all replicas, or (..., B, T, D)
            With at least one step.
        noise : dict of Noise, optional
            By place.
        steps : ndarray of bool, (B, T) or (..., B, T), optional
            False where a sequence is over.

        Returns
        -------
        logits : ndarray, (..., B, C), or (..., B, T, C) at every step
        cache : Cache
        """
        self.check(params)
        layer_params = {name: params[name] for name in self.cell.shapes(1, 1)}
        output, _, cache = recurrent.forward(
            self.cell, layer_params, x, noise=noise, steps=steps
        )
        batch, length, hidden = output.shape[-3:]
        if not length:
            raise ValueError(
                f"x must have at least one step, got shape {np.shape(x)}"
            )
        every = self.readout == "every"
        read = (
            output.reshape(*output.shape[:-3], batch * length, hidden)
            if every
            else output[..., -1, :]
        )
        logits = dense(read, params["w_out"], params["b_out"])
        if every:
            logits = logits.reshape(
                *logits.shape[:-2], batch, length, self.outputs
            )
        return logits, Cache(cache, output.shape, read)

    def backward(self, params, cache, grad, *, everything=False):
        """Return the gradients from ``grad``, that with respect to the logits.

        ``params`` and ``cache`` are those of `forward`. With ``everything``, return a `reglib.nets.net.Gradients`,
        with those of x and of the noise, too; see `reglib.layers.recurrent.backward` for the shapes of the latter.
        """
        self.check(params)
        instance("cache", cache, Cache, "that of forward")
        boolean("everything", everything)
        read = cache.read
        expected = (
            *(
                cache.output[:-1]
                if self.readout == "every"
                else read.shape[:-1]
            ),
            self.outputs,
        )
        grad = float_array("grad", grad, finite=False)
        if grad.shape != expected:
            raise ValueError(
                f"grad must have the shape of the logits, {expected}; got {grad.shape}"
            )
        grad_read, *own = dense_backward(
            grad.reshape(*read.shape[:-1], self.outputs), read, params["w_out"]
        )
        if self.readout == "every":
            grad_output = grad_read.reshape(cache.output)
        else:
            grad_output = np.zeros(cache.output, grad_read.dtype)
            grad_output[..., -1, :] = grad_read
        grad_x, grads, _, *noise = recurrent.backward(
            cache.layer, grad_output, everything=everything
        )
        grads |= dict(zip(("w_out", "b_out"), own, strict=True))
        return Gradients(grads, grad_x, *noise) if everything else grads

    def cost(self, loss, logits, y, *, steps=None):
        """Return the loss of the logits of a batch, one a replica, and its gradient with respect to them.

        Parameters
        ----------
        loss : callable
            `reglib.train.losses.softmax_cross_entropy` or `reglib.train.losses.squared_error`. At every step it is the
            mean over all steps that there are.
        logits : ndarray
            From `forward`.
        y : ndarray
            Classes, (..., B), or (..., B, T) at every step; for the squared error, or classes as probabilities, one
            more axis. The leading axes may be left out when all replicas share the targets.
        steps : ndarray of bool, optional
            That of `forward`.
        """
        function("loss", loss)
        if self.readout == "last":
            return super().cost(loss, logits, y)
        logits = float_array("logits", logits, finite=False)
        if logits.ndim < 3:
            raise ValueError(
                f"logits must have shape (..., B, T, C), got {logits.shape}"
            )
        *leads, batch, length, outputs = logits.shape
        y = as_array("y", y)
        width = (outputs,) if y.dtype.kind == "f" else ()
        y = _targets(y, (*leads, batch, length, *width), 2 + len(width))
        logits = logits.reshape(*leads, batch * length, outputs)
        y = y.reshape(*leads, batch * length, *width)
        if steps is None:
            value, grad = pair("loss", loss(logits, y))
        else:
            steps = as_array("steps", steps)
            own, whole = (batch, length), (*leads, batch, length)
            if steps.dtype != bool or steps.shape not in (own, whole):
                raise ValueError(
                    f"steps must be of bool, of shape {whole}, or {own} for all replicas; "
                    f"got {steps.dtype} of shape {steps.shape}"
                )
            there = np.broadcast_to(steps, (*leads, batch, length)).reshape(
                logits.shape[:-1]
            )
            if not there.any(axis=-1).all():
                raise ValueError(
                    "steps must have at least one step in every batch, got none"
                )
            value, grad = np.empty(leads, logits.dtype), np.zeros_like(logits)
            for replica in np.ndindex(*leads):
                rows = there[replica]
                found = pair(
                    "loss", loss(logits[replica][rows], y[replica][rows])
                )
                value[replica], grad[replica][rows] = found
        return value, grad.reshape(*leads, batch, length, outputs)


def _targets(targets, shape, axes):
    """Return targets of the given shape, or of its last ``axes`` axes alone, broadcast to that shape."""
    own = shape[-axes:]
    if targets.shape not in (shape, own):
        raise ValueError(
            f"y must have shape {shape}, or {own} for all replicas; got {targets.shape}"
        )
    return np.broadcast_to(targets, shape)
