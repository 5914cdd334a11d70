"""What recurrent cells share: the layout of sequences in memory, products with gates, checks of shapes.

Outside, a sequence is (..., B, T, K). Inside it is (S, T, B, K): all leading axes
in one, 1 where there are none, and time before the batch. Then the inputs of all
steps go through one product, every step is one contiguous (B, K) block a replica,
and the gradient of a weight is one product over T * B rows.

A mask inside is (S, T, B, K), or (S, T, G, B, K) with one mask a gate; axes of
length 1 are shared, that of time is expanded to T.
"""

from dataclasses import dataclass
from math import prod

import numpy as np


@dataclass(frozen=True)
class Layout:
    """The sizes of one call: leading axes, batch B, steps T, and the dtype of all that is computed."""

    leads: tuple
    batch: int
    steps: int
    dtype: np.dtype

    @property
    def replicas(self):
        """The number of replicas, S; 1 without leading axes."""
        return prod(self.leads)

    def outside(self, width):
        """Return the shape of a sequence outside, (..., B, T, width)."""
        return (*self.leads, self.batch, self.steps, width)

    def inside(self, width, *, extra=0):
        """Return the shape of a sequence inside, (S, T + extra, B, width)."""
        return (self.replicas, self.steps + extra, self.batch, width)

    def enter(self, sequence):
        """Turn (..., B, T, K) into (S, T, B, K), S = 1 when replicas share it."""
        flat = sequence.reshape(prod(sequence.shape[:-3]), *sequence.shape[-3:])
        return np.ascontiguousarray(flat.swapaxes(1, 2), self.dtype)

    def leave(self, sequence):
        """Turn (S, T, B, K) into (..., B, T, K), a view."""
        return sequence.reshape(*self.leads, *sequence.shape[1:]).swapaxes(-3, -2)

    def enter_mask(self, mask):
        """Turn a mask (..., B, T, K) into (S, T, B, K), or (..., B, T, G, K) into (S, T, G, B, K)."""
        if mask.ndim == 0:
            mask = mask.reshape((1,) * (len(self.leads) + 3))
        tail = mask.shape[len(self.leads) :]
        if any(length > 1 for length in mask.shape[: len(self.leads)]):
            mask = np.broadcast_to(mask, (*self.leads, *tail)).reshape(self.replicas, *tail)
        else:
            mask = mask.reshape(1, *tail)
        mask = np.moveaxis(mask, 1, -2)
        return np.broadcast_to(mask, (mask.shape[0], self.steps, *mask.shape[2:]))


def split_gates(w, gates):
    """Turn weights (S, H, G * N) into (S, G, H, N), one block a gate."""
    return np.ascontiguousarray(w.reshape(*w.shape[:-1], gates, -1).swapaxes(-3, -2))


def masked(h, mask):
    """Return h * mask: (S, B, H), or (S, G, B, H) for one mask a gate."""
    if mask is None:
        return h
    return h * mask if mask.ndim == 3 else h[:, None] * mask


def masked_backward(grad, mask):
    """Return the gradient through `masked`: times the mask, and the sum over the gates."""
    if mask is None:
        return grad
    return grad * mask if mask.ndim == 3 else (grad * mask).sum(axis=1)


def product(h, w):
    """Return h W, (S, B, G * N); for h of shape (S, G, B, H) each gate has its own h, and w is (S, G, H, N)."""
    y = h @ w
    return y if h.ndim == 3 else y.swapaxes(1, 2).reshape(len(y), y.shape[2], y.shape[1] * y.shape[3])


def product_backward(grad, w):
    """Return the gradient of `product` with respect to h: grad W^T, for each gate apart if w is (S, G, H, N)."""
    if w.ndim == 4:
        grad = grad.reshape(*grad.shape[:-1], w.shape[1], w.shape[3]).swapaxes(1, 2)
    return grad @ w.swapaxes(-1, -2)


def project(x, w, mask=None):
    """Return (x * mask) W for all steps in one product: (S, T, B, G * N); one product a gate for one mask a gate."""
    if mask is not None and mask.ndim == 5:
        blocks = np.split(w, mask.shape[2], axis=-1)
        return np.concatenate([project(x, block, mask[:, :, k]) for k, block in enumerate(blocks)], axis=-1)
    y = rows(x if mask is None else x * mask) @ w
    return y.reshape(y.shape[0], *x.shape[1:3], w.shape[-1])


def project_backward(grad, x, w, mask=None):
    """Return the gradients of `project` with respect to x and W, in their shapes."""
    if mask is not None and mask.ndim == 5:
        gates = mask.shape[2]
        parts = zip(np.split(grad, gates, axis=-1), np.split(w, gates, axis=-1), strict=True)
        pairs = [project_backward(g, x, block, mask[:, :, k]) for k, (g, block) in enumerate(parts)]
        return sum(grad_x for grad_x, _ in pairs), np.concatenate([grad_w for _, grad_w in pairs], axis=-1)
    grad_x = (rows(grad) @ w.swapaxes(-1, -2)).reshape(*grad.shape[:-1], x.shape[-1])
    if mask is not None:
        grad_x *= mask
    return shared(grad_x, x), weight_gradient(grad, x, w, mask)


def weight_gradient(grad, x, w, mask=None):
    """Return (x * mask)^T grad over all steps: the gradient of `project` with respect to W, shared as W is."""
    if mask is not None and mask.ndim == 5:
        parts = enumerate(np.split(grad, mask.shape[2], axis=-1))
        return np.concatenate([weight_gradient(part, x, w, mask[:, :, k]) for k, part in parts], axis=-1)
    return shared(rows(x if mask is None else x * mask).swapaxes(1, 2) @ rows(grad), w)


def rows(sequence):
    """Turn (S, T, B, K) into (S, T * B, K)."""
    replicas, steps, batch, width = sequence.shape
    return sequence.reshape(replicas, steps * batch, width)


def sum_rows(grad, like):
    """Return the sum of (S, T, B, K) over steps and batch, (S, K) or (1, K): the gradient of a bias."""
    return shared(grad.sum(axis=(1, 2)), like)


def shared(grad, like):
    """Sum over the replicas that share an array."""
    return grad.sum(axis=0, keepdims=True) if like.shape[0] == 1 < grad.shape[0] else grad
