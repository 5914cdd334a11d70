"""A small convolutional network: two convolutions of 3 x 3, pooling, a dense layer.

    x (..., B, rows, columns, C) -> noise "input"
      -> conv 3 x 3, ReLU, noise "maps1", 2 x 2 max pooling
      -> conv 3 x 3, ReLU, noise "maps2", mean over all positions
      -> dense -> logits

With ``readout="every"`` there is no mean: the same dense layer reads every position of the second maps, and the output
is a map itself, of half the rows and columns.

Parameters: ``w1`` (3, 3, C, C_1), ``b1``, ``w2`` (3, 3, C_1, C_2), ``b2``, ``w3`` (C_2, classes), ``b3``, with the
replica axes in front. A kind of noise with ``shared=(-3, -2)`` drops whole channels.
"""

from dataclasses import dataclass

import numpy as np

from reglib._validate import (
    as_array,
    boolean,
    float_array,
    float_type,
    function,
    instance,
    integers,
    one_of,
    pair,
)
from reglib.layers import activations, conv
from reglib.layers.dense import dense, dense_backward
from reglib.nets.net import Gradients, Net, noisy, shared
from reglib.noise.affine import apply_backward, noise_gradient

PLACES = ("input", "maps1", "maps2")
READOUTS = ("mean", "every")


@dataclass(frozen=True)
class Cache:
    """What `ConvNet.backward` needs of `ConvNet.forward`.

    Attributes
    ----------
    before, after : dict of ndarray
        By place, without and with the noise: the images, the first maps, the second maps.
    pooled, read : ndarray
        The first maps after pooling; of the second what the dense layer reads: their mean, (..., B, C_2), or every
        position, one behind the other, (..., B * rows * columns, C_2).
    noise : dict
    """

    before: dict
    after: dict
    pooled: np.ndarray
    read: np.ndarray
    noise: dict


@dataclass(frozen=True)
class ConvNet(Net):
    """The network of this module; first weights W ~ N(0, 2 / n_in) (He et al. 2015), biases 0.

    Parameters
    ----------
    channels : (int, int, int, int)
        Of the images, of the first and the second feature maps, and the classes.
    readout : {"mean", "every"}
        What the dense layer reads: the mean over all positions, or every position for itself.
    """

    channels: tuple
    readout: str = "mean"

    def __post_init__(self):
        one_of("readout", self.readout, READOUTS)
        channels = integers("channels", self.channels, low=1)
        if len(channels) != 4:
            raise ValueError(
                f"channels must hold four numbers, from the images to the classes; got {channels}"
            )
        object.__setattr__(self, "channels", channels)

    def names(self):
        """Return the names of the parameters."""
        return ("w1", "b1", "w2", "b2", "w3", "b3")

    def places(self, params, x):
        """Return the shape at each place: (..., B, rows, columns, C), and half the rows and columns for "maps2"."""
        self.check(params)
        x = float_array("x", x, finite=False)
        if x.ndim < 4:
            raise ValueError(
                f"x must have shape (..., B, rows, columns, C), got {x.shape}"
            )
        *lead, batch, rows, columns, _ = x.shape
        lead = params["w1"].shape[:-4] or tuple(lead)
        sides = ((rows, columns), (rows, columns), (rows // 2, columns // 2))
        parts = zip(PLACES, sides, self.channels, strict=False)
        return {
            place: (*lead, batch, *side, channels)
            for place, side, channels in parts
        }

    def _init(self, rng, replicas, dtype):
        image, first, second, classes = self.channels
        params, dtype = {}, float_type(dtype)
        shapes = (
            (3, 3, image, first),
            (3, 3, first, second),
            (second, classes),
        )
        for layer, shape in enumerate(shapes, start=1):
            w = rng.standard_normal((*replicas, *shape)) * np.sqrt(
                2 / np.prod(shape[:-1])
            )
            params |= {
                f"w{layer}": w.astype(dtype),
                f"b{layer}": np.zeros((*replicas, shape[-1]), dtype),
            }
        return params

    def forward(self, params, x, *, noise=None):
        """Return the logits and the cache that `backward` needs.

        The logits have shape (..., B, classes), at every position (..., B, rows / 2, columns / 2, classes).

        Parameters
        ----------
        params : dict of ndarray
            From ``init``.
        x : ndarray, (B, rows, columns, C) for all replicas, or (..., B, rows, columns, C)
            Rows and columns must be even.
        noise : dict of Noise, optional
            By place.
        """
        self.check(params, noise, PLACES)
        noise = noise or {}
        w1, b1, w2, b2, w3, b3 = params.values()
        x = float_array("x", x, finite=False)
        image = noisy(noise.get("input"), x)
        h1 = activations.relu(conv.conv2d(image, w1, b1, padding=1))
        noisy1 = noisy(noise.get("maps1"), h1)
        pooled = conv.max_pool2d(noisy1, 2)
        h2 = activations.relu(conv.conv2d(pooled, w2, b2, padding=1))
        noisy2 = noisy(noise.get("maps2"), h2)
        read = self._read(noisy2)
        logits = dense(read, w3, b3)
        if self.readout == "every":
            logits = logits.reshape(
                *logits.shape[:-2], *noisy2.shape[-4:-1], logits.shape[-1]
            )
        before, after = (
            {"input": x, "maps1": h1, "maps2": h2},
            {"input": image, "maps1": noisy1, "maps2": noisy2},
        )
        return logits, Cache(before, after, pooled, read, noise)

    def backward(self, params, cache, grad, *, everything=False):
        """Return the gradients from ``grad``, that with respect to the logits; arguments as for `MLP.backward`."""
        self.check(params)
        instance("cache", cache, Cache, "that of forward")
        boolean("everything", everything)
        before, after, noise = cache.before, cache.after, cache.noise
        grad2, *third = self._read_backward(params, cache, grad)
        grad = shared(
            apply_backward(noise.get("maps2"), grad2), before["maps2"].ndim
        )
        grad = activations.relu_backward(grad, before["maps2"])
        grad, *second = conv.conv2d_backward(
            grad, cache.pooled, params["w2"], padding=1
        )
        grad1 = conv.max_pool2d_backward(grad, after["maps1"], 2)
        grad = shared(
            apply_backward(noise.get("maps1"), grad1), before["maps1"].ndim
        )
        grad = activations.relu_backward(grad, before["maps1"])
        if not everything:
            first = conv.conv2d_parameter_gradients(
                grad, after["input"], params["w1"], padding=1
            )
            return dict(
                zip(self.names(), (*first, *second, *third), strict=True)
            )
        grad0, *first = conv.conv2d_backward(
            grad, after["input"], params["w1"], padding=1
        )
        grads = dict(zip(self.names(), (*first, *second, *third), strict=True))
        each = {"input": grad0, "maps1": grad1, "maps2": grad2}
        grad_x = shared(
            apply_backward(noise.get("input"), grad0), before["input"].ndim
        )
        return Gradients(
            grads,
            grad_x,
            {
                place: noise_gradient(each[place], before[place])
                for place in PLACES
            },
        )

    def cost(self, loss, logits, y):
        """Return the loss of the logits of a batch, one a replica, and its gradient with respect to them.

        Parameters
        ----------
        loss : callable
            `reglib.train.losses.softmax_cross_entropy` or `reglib.train.losses.squared_error`. At every position it is
            the mean over all of them.
        logits : ndarray
            From `forward`.
        y : ndarray
            Classes, (..., B), or (..., B, rows / 2, columns / 2) at every position; for the squared error, or classes
            as probabilities, one more axis. The leading axes may be left out when all replicas share the targets.
        """
        if self.readout == "mean":
            return super().cost(loss, logits, y)
        function("loss", loss)
        logits, y = (
            float_array("logits", logits, finite=False),
            as_array("y", y),
        )
        if logits.ndim < 4:
            raise ValueError(
                f"logits must have shape (..., B, rows, columns, C), got {logits.shape}"
            )
        whole = logits.shape if y.dtype.kind == "f" else logits.shape[:-1]
        own = whole[logits.ndim - 4 :]
        if y.shape not in (whole, own):
            raise ValueError(
                f"y must have shape {whole}, or {own} for all replicas; got {y.shape}"
            )
        rows = _rows(logits)
        width = rows.shape[-1:] if y.dtype.kind == "f" else ()
        y = np.broadcast_to(y, whole).reshape(*rows.shape[:-1], *width)
        value, grad = pair("loss", loss(rows, y))
        return value, grad.reshape(logits.shape)

    def _read(self, maps):
        """Return what the dense layer reads of the second maps."""
        if self.readout == "every":
            return _rows(maps)
        return conv.global_average_pool2d(maps)

    def _read_backward(self, params, cache, grad):
        """Return the gradients of the second maps, of w3 and of b3 from that of the logits."""
        shape, w3 = cache.after["maps2"].shape, params["w3"]
        if self.readout == "mean":
            grad, *own = dense_backward(grad, cache.read, w3)
            return conv.global_average_pool2d_backward(grad, shape), *own
        grad = float_array("grad", grad, finite=False)
        expected = (*shape[:-1], w3.shape[-1])
        if grad.shape != expected:
            raise ValueError(
                f"grad must have the shape of the logits, {expected}; got {grad.shape}"
            )
        grad, *own = dense_backward(_rows(grad), cache.read, w3)
        return grad.reshape(shape), *own


def _rows(maps):
    """Return maps (..., B, rows, columns, C) with one row of C numbers for each position."""
    return maps.reshape(*maps.shape[:-4], -1, maps.shape[-1])
