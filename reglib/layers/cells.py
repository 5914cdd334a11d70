r"""Recurrent cells: one step of an Elman network, an LSTM and a GRU, each with its backward pass.

A cell is a frozen dataclass that holds options, no numbers: the parameters are a
list of arrays, as everywhere in this package, and `reglib.layers.recurrent` runs cells
over whole sequences. It also applies all noise but one: dropout of the candidate,
which acts inside a cell and which `step` takes as an argument.

Notation: x is the input of the step, h the hidden state before it, c the memory
before it. ``h_in`` is h as the products see it: h itself, or h under a mask of
recurrent dropout. sigma is the logistic function, and::

    sigma(a) = (1 + tanh(a / 2)) / 2

lets one call of tanh do all gates at once. The halves go into the weights before
the first step; a power of two rounds nothing.

Methods, the same for every cell (S replicas, T steps, B examples, H hidden units,
K the width of all gates together):

- ``shapes``: the names of the parameters and their shapes.
- ``prepare``: the weights as the steps use them.
- ``project``: the part of the pre-activations that depends on x alone, (S, T, B, K), for all steps at once.
- ``step``: one step. It writes the new state and what the backward pass needs: the activated gates, in place of
  the pre-activations ``a``, and ``keep``.
- ``step_backward``: the same step backwards. It writes the gradient of the pre-activations and returns those of h_in,
  of h where a path leads around the products, and of c.
- ``gradients``: the gradients of x and of the parameters, for all steps at once.
- ``kept``: the widths of ``keep``.

A cell also says how many ``gates`` of width H it has, how much ``scratch``, in units of H, its backward pass wants
beside their gradient, whether it has a ``memory`` c, and whether it has a ``candidate`` to drop.
"""

from dataclasses import dataclass

import numpy as np

from reglib.layers._gates import activate, blocks, dropped, lstm_memory, lstm_memory_backward, sigmoids
from reglib.layers._sequence import (
    masked,
    masked_backward,
    product,
    product_backward,
    project,
    project_backward,
    split_gates,
    sum_rows,
    weight_gradient,
)


@dataclass(frozen=True)
class RNN:
    r"""The network of Elman (1990) with tanh: h_t = tanh(x_t W_x + h_{t-1} W_h + b).

    Parameters: ``[w_x, w_h, b]`` of shapes (..., D, H), (..., H, H) and (..., H).
    There is one gate, the candidate itself, so candidate dropout has no place here.
    """

    gates = 1
    scratch = 0
    memory = False
    candidate = False

    def shapes(self, inputs, hidden):
        """Return the names and the shapes of the parameters."""
        return {"w_x": (inputs, hidden), "w_h": (hidden, hidden), "b": (hidden,)}

    def prepare(self, params, tied):
        """Return W_h for the steps."""
        return (params[1] if tied else split_gates(params[1], 1),)

    def project(self, params, x, mask):
        """Return x W_x + b for all steps."""
        return _affine(params[0], params[2], x, mask)

    def kept(self, hidden):
        """Return the widths of what a step keeps for its backward pass besides the gates: nothing."""
        return ()

    def step(self, weights, a, h_in, h, c, candidate, h_new, c_new, keep):
        """Do h_new = tanh(a + h_in W_h)."""
        a += product(h_in, weights[0])
        np.tanh(a, out=a)
        h_new[...] = a

    def step_backward(self, weights, gates, h_in, h, c, candidate, keep, grad_h, grad_c, grad_a):
        """Do grad_a = grad_h (1 - tanh^2); h reaches the step through h_in alone."""
        np.multiply(grad_h, 1 - gates * gates, out=grad_a)
        return product_backward(grad_a, weights[0]), None, None

    def gradients(self, params, x, mask, h, recurrent, gates, keep, grad_a):
        """Return the gradients of x and of [w_x, w_h, b]."""
        return _dense_gradients(params, x, mask, h, recurrent, grad_a)


@dataclass(frozen=True)
class LSTM:
    r"""Long short-term memory with a forget gate (Hochreiter and Schmidhuber 1997; Gers, Schmidhuber and Cummins 2000).

    With (i, f, g, o) the four blocks of x_t W_x + h_{t-1} W_h + b::

        c_t = sigma(f) c_{t-1} + sigma(i) tanh(g),
        h_t = sigma(o) tanh(c_t).

    Parameters: ``[w_x, w_h, b]`` of shapes (..., D, 4H), (..., H, 4H) and (..., 4H),
    with the gates in the order i, f, g, o, as in PyTorch and Keras (which writes c
    for g). Candidate dropout multiplies tanh(g) (Semeniuta et al. 2016).
    """

    gates = 4
    scratch = 0
    memory = True
    candidate = True

    def shapes(self, inputs, hidden):
        """Return the names and the shapes of the parameters."""
        return {"w_x": (inputs, 4 * hidden), "w_h": (hidden, 4 * hidden), "b": (4 * hidden,)}

    def prepare(self, params, tied):
        """Return W_h with the gates' halves in it, and the numbers that turn tanh into sigma."""
        hidden = params[1].shape[-2]
        half, offset = sigmoids("ssts", hidden, params[1].dtype)
        w_h = params[1] * half
        return params[1] if tied else split_gates(params[1], 4), w_h if tied else split_gates(w_h, 4), half, offset

    def project(self, params, x, mask):
        """Return x W_x + b for all steps, halved where sigma follows."""
        half, _ = sigmoids("ssts", params[1].shape[-2], params[1].dtype)
        return _affine(params[0] * half, params[2] * half, x, mask)

    def kept(self, hidden):
        """Return the width of tanh(c), which a step keeps for its backward pass."""
        return (hidden,)

    def step(self, weights, a, h_in, h, c, candidate, h_new, c_new, keep):
        """Do the two equations of the cell, with the candidate's mask on tanh(g)."""
        _, w_h, half, offset = weights
        a += product(h_in, w_h)
        activate(a, half, offset)
        lstm_memory(a, c, candidate, c_new)
        np.tanh(c_new, out=keep[0])
        np.multiply(blocks(a, 4)[3], keep[0], out=h_new)

    def step_backward(self, weights, gates, h_in, h, c, candidate, keep, grad_h, grad_c, grad_a):
        """Take grad_h through h = o tanh(c), add it to grad_c, and go on through the memory."""
        w_h, _, _, offset = weights
        (tanh_c,) = keep
        o = blocks(gates, 4)[3]
        np.multiply(grad_h, tanh_c, out=blocks(grad_a, 4)[3])
        grad_c = grad_c + grad_h * o * (1 - tanh_c * tanh_c)
        grad_c = lstm_memory_backward(gates, c, candidate, grad_c, grad_a, offset)
        return product_backward(grad_a, w_h), None, grad_c

    def gradients(self, params, x, mask, h, recurrent, gates, keep, grad_a):
        """Return the gradients of x and of [w_x, w_h, b]."""
        return _dense_gradients(params, x, mask, h, recurrent, grad_a)


@dataclass(frozen=True)
class GRU:
    r"""The gated recurrent unit (Cho et al. 2014), with the reset gate after or before the product.

    With the gates r (reset), z (update) and the candidate n, in this order as in PyTorch::

        r = sigma(x W_xr + h W_hr + b_r),    z = sigma(x W_xz + h W_hz + b_z),
        n = tanh(x W_xn + b_n + r * (h W_hn + b_h))     with ``reset_after``, PyTorch's and Keras' default,
        n = tanh(x W_xn + b_n + (r * h) W_hn)           without it, as in the paper,
        h_t = z h_{t-1} + (1 - z) n.

    Parameters: ``[w_x, w_h, b, b_h]`` of shapes (..., D, 3H), (..., H, 3H), (..., 3H) and
    (..., H), b_h only with ``reset_after``. Keras orders the gates z, r, n. Candidate
    dropout multiplies n (Semeniuta et al. 2016); a mask on h (``h_in``) acts on the
    products alone, not on the carried z h_{t-1}.
    """

    reset_after: bool = True

    gates = 3
    scratch = 0
    memory = False
    candidate = True

    def shapes(self, inputs, hidden):
        """Return the names and the shapes of the parameters."""
        shapes = {"w_x": (inputs, 3 * hidden), "w_h": (hidden, 3 * hidden), "b": (3 * hidden,)}
        return shapes | {"b_h": (hidden,)} if self.reset_after else shapes

    def prepare(self, params, tied):
        """Return W_h, halved where sigma follows and not, as a whole or as (r, z) and n; then the bias b_h."""
        w_h = params[1]
        hidden = w_h.shape[-2]
        half, _ = sigmoids("sst", hidden, w_h.dtype)
        if self.reset_after:
            pair = (w_h, w_h * half)
            return *(pair if tied else (split_gates(w, 3) for w in pair)), params[3][:, None]
        w_rz, w_n = w_h[..., : 2 * hidden], w_h[..., 2 * hidden :]
        weights = (w_rz, w_rz / 2, np.ascontiguousarray(w_n))
        return weights if tied else (split_gates(weights[0], 2), split_gates(weights[1], 2), split_gates(w_n, 1))

    def project(self, params, x, mask):
        """Return x W_x + b for all steps, halved where sigma follows."""
        half, _ = sigmoids("sst", params[1].shape[-2], params[1].dtype)
        return _affine(params[0] * half, params[2] * half, x, mask)

    def kept(self, hidden):
        """Return the width of h W_hn + b_h, which a step keeps with ``reset_after``."""
        return (hidden,) if self.reset_after else ()

    def step(self, weights, a, h_in, h, c, candidate, h_new, c_new, keep):
        """Do the equations of the cell, with the candidate's mask on n."""
        hidden = h.shape[-1]
        a_rz, a_n = a[..., : 2 * hidden], a[..., 2 * hidden :]
        if self.reset_after:
            _, w_h, b_h = weights
            u = product(h_in, w_h)
            np.add(u[..., 2 * hidden :], b_h, out=keep[0])
            a_rz += u[..., : 2 * hidden]
        else:
            _, w_rz, w_n = weights
            h_rz, h_n = _for_gates(h_in)
            a_rz += product(h_rz, w_rz)
        activate(a_rz, 0.5, 0.5)
        r, z, n = blocks(a, 3)
        a_n += r * keep[0] if self.reset_after else product(masked(r, h_n), w_n)
        np.tanh(a_n, out=a_n)
        np.multiply(z, h, out=h_new)
        h_new += (1 - z) * dropped(n, candidate)

    def step_backward(self, weights, gates, h_in, h, c, candidate, keep, grad_h, grad_c, grad_a):
        """Take grad_h back to the gates, and to h both through the products and through z h."""
        r, z, n = blocks(gates, 3)
        grad_r, grad_z, grad_n = blocks(grad_a, 3)
        np.multiply(dropped(grad_h * (1 - z), candidate), 1 - n * n, out=grad_n)
        np.multiply(grad_h * (h - dropped(n, candidate)), z * (1 - z), out=grad_z)
        if self.reset_after:
            np.multiply(grad_n * keep[0], r * (1 - r), out=grad_r)
            return product_backward(_through_reset(grad_a, r), weights[0]), grad_h * z, None
        w_rz, _, w_n = weights
        grad_rh = product_backward(grad_n, w_n)
        np.multiply(masked_backward(grad_rh, _for_gates(h_in)[1]), r * (1 - r), out=grad_r)
        grad_rz = product_backward(grad_a[..., : 2 * h.shape[-1]], w_rz)
        grad_n = masked(r, grad_rh)
        grad_in = grad_rz + grad_n if h_in.ndim == 3 else np.concatenate([grad_rz, grad_n], axis=1)
        return grad_in, grad_h * z, None

    def gradients(self, params, x, mask, h, recurrent, gates, keep, grad_a):
        """Return the gradients of x and of the parameters."""
        grad_x, grad_w_x = project_backward(grad_a, x, params[0], mask)
        grad_b = sum_rows(grad_a, params[2])
        r = blocks(gates, 3)[0]
        if self.reset_after:
            grad_u = _through_reset(grad_a, r)
            grad_w_h = weight_gradient(grad_u, h, params[1], recurrent)
            return grad_x, [grad_w_x, grad_w_h, grad_b, sum_rows(blocks(grad_u, 3)[2], params[3])]
        if recurrent is None:
            masks = None, r
        elif recurrent.ndim == 4:
            masks = recurrent, r * recurrent
        else:
            masks = recurrent[:, :, :2], r * recurrent[:, :, 2]
        split = 2 * h.shape[-1]
        parts = (grad_a[..., :split], grad_a[..., split:])
        grads = [weight_gradient(grad, h, params[1], m) for grad, m in zip(parts, masks, strict=True)]
        return grad_x, [grad_w_x, np.concatenate(grads, axis=-1), grad_b]


def _for_gates(h_in):
    """Return h_in as the gates r and z see it, and as the candidate does."""
    return (h_in, h_in) if h_in.ndim == 3 else (h_in[:, :2], h_in[:, 2:])


def _through_reset(grad_a, r):
    """Return the gradient of h W_h + b_h: that of the pre-activations, times r for the candidate."""
    grad_u = grad_a.copy()
    blocks(grad_u, 3)[2][...] *= r
    return grad_u


def _affine(w_x, b, x, mask):
    """Return (x * mask) W_x + b for all steps."""
    a = project(x, w_x, mask)
    a += b[:, None, None]
    return a


def _dense_gradients(params, x, mask, h, recurrent, grad_a):
    """Return the gradients of x and of [w_x, w_h, b] where all act on the pre-activations alike."""
    w_x, w_h, b = params
    grad_x, grad_w_x = project_backward(grad_a, x, w_x, mask)
    return grad_x, [grad_w_x, weight_gradient(grad_a, h, w_h, recurrent), sum_rows(grad_a, b)]
