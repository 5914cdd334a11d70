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

from reglib._validate import by_name, float_array, integer
from reglib.noise.affine import apply_backward

GROUP_BYTES = 2**17


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
        flat = sequence.reshape(
            prod(sequence.shape[:-3]), *sequence.shape[-3:]
        )
        return np.ascontiguousarray(flat.swapaxes(1, 2), self.dtype)

    def leave(self, sequence):
        """Turn (S, T, B, K) into (..., B, T, K), and (S, T, G, B, K) into (..., B, T, G, K): a view."""
        parts = sequence.reshape(*self.leads, *sequence.shape[1:])
        return np.moveaxis(parts, -2, len(self.leads))

    def enter_mask(self, mask):
        """Turn a mask (..., B, T, K) into (S, T, B, K), or (..., B, T, G, K) into (S, T, G, B, K)."""
        if mask.ndim == 0:
            mask = mask.reshape((1,) * (len(self.leads) + 3))
        tail = mask.shape[len(self.leads) :]
        if any(length > 1 for length in mask.shape[: len(self.leads)]):
            mask = np.broadcast_to(mask, (*self.leads, *tail)).reshape(
                self.replicas, *tail
            )
        else:
            mask = mask.reshape(1, *tail)
        mask = np.moveaxis(mask, 1, -2)
        return np.broadcast_to(
            mask, (mask.shape[0], self.steps, *mask.shape[2:])
        )


def groups(replicas, size):
    """Return slices of replicas whose steps, ``size`` bytes a replica, stay in a processor's cache together."""
    together = max(1, GROUP_BYTES // max(size, 1))
    return [
        slice(start, start + together)
        for start in range(0, replicas, together)
    ]


def of_group(array, group, replicas):
    """Return what belongs to a group of replicas; an array that all share, or none, as it is."""
    return (
        array
        if array is None or array.ndim < 3 or len(array) < replicas
        else array[group]
    )


def split_gates(w, gates):
    """Turn weights (S, H, G * N) into (S, G, H, N), one block a gate."""
    return np.ascontiguousarray(
        w.reshape(*w.shape[:-1], gates, -1).swapaxes(-3, -2)
    )


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
    return (
        y
        if h.ndim == 3
        else y.swapaxes(1, 2).reshape(
            len(y), y.shape[2], y.shape[1] * y.shape[3]
        )
    )


def product_backward(grad, w):
    """Return the gradient of `product` with respect to h: grad W^T, for each gate apart if w is (S, G, H, N)."""
    if w.ndim == 4:
        grad = grad.reshape(*grad.shape[:-1], w.shape[1], w.shape[3]).swapaxes(
            1, 2
        )
    return grad @ w.swapaxes(-1, -2)


def project(x, w, mask=None):
    """Return (x * mask) W for all steps in one product: (S, T, B, G * N); one product a gate for one mask a gate."""
    if mask is not None and mask.ndim == 5:
        blocks = np.split(w, mask.shape[2], axis=-1)
        return np.concatenate(
            [
                project(x, block, mask[:, :, k])
                for k, block in enumerate(blocks)
            ],
            axis=-1,
        )
    y = rows(x if mask is None else x * mask) @ w
    return y.reshape(y.shape[0], *x.shape[1:3], w.shape[-1])


def project_backward(grad, x, w, mask=None):
    """Return the gradients of `project` with respect to x * mask, for each replica and gate apart, and to W."""
    if mask is not None and mask.ndim == 5:
        parts = [
            np.split(array, mask.shape[2], axis=-1) for array in (grad, w)
        ]
        grad_x = np.stack(
            [
                project_backward(g, x, block)[0]
                for g, block in zip(*parts, strict=True)
            ],
            axis=2,
        )
    else:
        grad_x = (rows(grad) @ w.swapaxes(-1, -2)).reshape(
            *grad.shape[:-1], x.shape[-1]
        )
    return grad_x, weight_gradient(grad, x, w, mask)


def weight_gradient(grad, x, w, mask=None):
    """Return (x * mask)^T grad over all steps: the gradient of `project` with respect to W, shared as W is."""
    if mask is not None and mask.ndim == 5:
        parts = enumerate(np.split(grad, mask.shape[2], axis=-1))
        return np.concatenate(
            [weight_gradient(part, x, w, mask[:, :, k]) for k, part in parts],
            axis=-1,
        )
    return shared(
        rows(x if mask is None else x * mask).swapaxes(1, 2) @ rows(grad), w
    )


def rows(sequence):
    """Turn (S, T, B, K) into (S, T * B, K)."""
    replicas, steps, batch, width = sequence.shape
    return sequence.reshape(replicas, steps * batch, width)


def sum_rows(grad, like):
    """Return the sum of (S, T, B, K) over steps and batch, (S, K) or (1, K): the gradient of a bias."""
    return shared(grad.sum(axis=(1, 2)), like)


def shared(grad, like):
    """Sum over the replicas that share an array."""
    return (
        grad.sum(axis=0, keepdims=True)
        if like.shape[0] == 1 < grad.shape[0]
        else grad
    )


def sizes(inputs, hidden):
    """Return the number of inputs and of hidden units, if they are some."""
    return integer("inputs", inputs, low=0), integer("hidden", hidden, low=0)


def checked_cell(cell):
    """Complain about a cell that is a class, or none at all."""
    if isinstance(cell, type) or not hasattr(cell, "step_backward"):
        raise TypeError(
            f"cell must be a cell such as LSTM(), from reglib.layers.cells; got {cell!r}"
        )


def checked_params(cell, params, x):
    """Return the parameters, a dict by name, as arrays of the shapes that the cell says."""
    kind = type(cell).__name__
    by_name("params", params, cell.shapes(1, 1), f", for {kind}")
    params = {
        name: float_array(name, array, finite=False)
        for name, array in params.items()
    }
    w_h = params["w_h"]
    if w_h.ndim < 2 or w_h.shape[-1] != cell.gates * w_h.shape[-2]:
        raise ValueError(
            f"w_h must have shape (..., H, {_times(cell.gates)}H) for {kind}, got {w_h.shape}"
        )
    leads, hidden = w_h.shape[:-2], w_h.shape[-2]
    for name, shape in cell.shapes(x.shape[-1], hidden).items():
        if params[name].shape != leads + shape:
            raise ValueError(
                f"{name} must have shape {leads + shape} for {kind} with x of {x.shape[-1]} inputs "
                f"and w_h of shape {w_h.shape}; got {params[name].shape}"
            )
    return params


def _times(gates):
    """Return the number of gates as it stands before H: nothing for one."""
    return "" if gates == 1 else gates


def leading_axes(x, w):
    """Return the leading axes of x, or those of w if x has none."""
    leads = x.shape[:-3], w.shape[:-2]
    if all(leads) and leads[0] != leads[1]:
        raise ValueError(
            f"the leading axes of x and the parameters must be the same replicas, or one of them must have none; "
            f"got x of shape {x.shape} and w_x of shape {w.shape}"
        )
    return leads[0] or leads[1]


def merged(array, own, dtype):
    """Merge the leading axes of a parameter that has ``own`` axes of its own."""
    return np.asarray(
        array.reshape(-1, *array.shape[array.ndim - own :]), dtype
    )


def start_state(name, state, cell, layout, hidden):
    """Return a state, or its gradient, as one array (S, B, H) for each part; zeros for None."""
    shape = (*layout.leads, layout.batch, hidden)
    parts = ("h", "c") if cell.memory else ("h",)
    if state is None:
        return [
            np.zeros((layout.replicas, layout.batch, hidden), layout.dtype)
            for _ in parts
        ]
    is_pair = isinstance(state, (tuple, list))
    if is_pair != cell.memory or (is_pair and len(state) != 2):
        form = "a pair (h, c)" if cell.memory else "one array h"
        got = (
            f"a {type(state).__name__} of {len(state)}"
            if is_pair
            else f"one {type(state).__name__}"
        )
        raise TypeError(
            f"{name} must be {form} for {type(cell).__name__}, got {got}"
        )
    arrays = []
    for part, array in zip(parts, state if is_pair else [state], strict=True):
        array = float_array(f"{part} of {name}", array, finite=False)
        if array.shape != shape:
            raise ValueError(
                f"{part} of {name} must have shape {shape}, got {array.shape}"
            )
        arrays.append(
            np.asarray(
                array.reshape(layout.replicas, layout.batch, hidden),
                layout.dtype,
            )
        )
    return arrays


def leave_state(arrays, cell, layout):
    """Return a state in the form that the caller knows: h, or (h, c)."""
    h, *c = (
        array.reshape(*layout.leads, *array.shape[1:]).copy()
        for array in arrays
    )
    return (h, *c) if cell.memory else h


def enter_gradient(grad, layout, hidden, output):
    """Return the gradient with respect to y inside, through the noise on the output; None for none."""
    if grad is None:
        return None
    grad = float_array("grad_output", grad, finite=False)
    if grad.shape != layout.outside(hidden):
        raise ValueError(
            f"grad_output must have the shape of the output, {layout.outside(hidden)}; got {grad.shape}"
        )
    return layout.enter(apply_backward(output, grad))
