r"""Recurrent cells: one step of an Elman network, an LSTM and a GRU, each with its backward pass.

A cell is a frozen dataclass that holds options, no numbers: its methods take the
parameters as a list of arrays in the order of ``shapes``, and `reglib.layers.recurrent`
runs cells over whole sequences. It also applies all noise but one: dropout of the
candidate, which acts inside a cell and which `step` takes as an argument.

Notation: x is the input of the step, h the hidden state before it, c the memory
before it. ``h_in`` is h as the products see it: h itself, or h under a mask of
recurrent dropout. W_xi and W_hi are the columns of W_x and W_h that belong to the
gate i, b_i the entries of b, a_i = x W_xi + h_in W_hi + b_i its pre-activation. A product
written * is taken entry by entry. sigma(a) = 1 / (1 + exp(-a)) is the logistic function;
with y = sigma(a), or y = tanh(a), the derivatives are::

    sigma'(a) = (1 - y) y,    tanh'(a) = (1 - y) (1 + y) = 1 - y y.

Methods, the same for every cell (S replicas, T steps, B examples, H hidden units,
K the width of all gates together):

- ``shapes``: the names of the parameters and their shapes.
- ``prepare``: the weights as the steps use them.
- ``project``: the part of the pre-activations that depends on x alone, (S, T, B, K), for all steps at once.
- ``step``: one step. ``a`` (S, B, K) holds that part, and after the step the gates: a gate is a view of ``a``, and
  takes the place of its pre-activation. The step also writes the new state, ``h_new`` and ``c_new`` (S, B, H), and
  ``keep``, what the backward pass needs beside the gates.
- ``step_backward``: the same step backwards. ``grad_h`` and ``grad_c`` (S, B, H) are the gradients of the new state.
  It writes ``grad_a`` (S, B, K), the gradient of the pre-activations, with a block for each gate, and, where there is
  room for it, ``grad_candidate``, that of the candidate's mask. It returns the gradients of h_in, of h where a path
  leads around the products, and of c; None where there is none.
- ``gradients``: the gradients of x as the products see it, under its mask, and of the parameters, for all steps at
  once.
- ``kept``: the widths of ``keep``.

A cell also says how many ``gates`` of width H it has, how much ``scratch``, in units of H, its backward pass wants
beside their gradient, whether it has a ``memory`` c, and whether it has a ``candidate`` to drop.
"""

from dataclasses import dataclass

import numpy as np

from reglib._validate import boolean
from reglib.layers._gates import blocks, dropped, sigmoid
from reglib.layers._sequence import (
    product,
    product_backward,
    project,
    project_backward,
    sizes,
    split_gates,
    sum_rows,
    weight_gradient,
)


@dataclass(frozen=True)
class RNN:
    r"""The network of Elman (1990) with tanh::

        h_t = tanh(x_t W_x + h_{t-1} W_h + b).

    Parameters: ``[w_x, w_h, b]`` of shapes (..., D, H), (..., H, H) and (..., H).
    There is one gate, the candidate itself, so candidate dropout has no place here.
    """

    gates = 1
    scratch = 0
    memory = False
    candidate = False

    def shapes(self, inputs, hidden):
        """Return the names and the shapes of the parameters."""
        inputs, hidden = sizes(inputs, hidden)
        return {
            "w_x": (inputs, hidden),
            "w_h": (hidden, hidden),
            "b": (hidden,),
        }

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
        """Do h_new = tanh(a), a = x W_x + b + h_in W_h."""
        (w_h,) = weights
        a[...] = np.tanh(a + product(h_in, w_h))
        h_new[...] = a

    def step_backward(
        self,
        weights,
        gates,
        h_in,
        h,
        c,
        candidate,
        keep,
        grad_h,
        grad_c,
        grad_a,
        grad_candidate=None,
    ):
        """Go back from h_new = tanh(a) to h_in; h reaches the step through h_in alone."""
        (w_h,) = weights
        grad_a[...] = grad_h * (1 - gates * gates)
        return product_backward(grad_a, w_h), None, None

    def gradients(self, params, x, mask, h, recurrent, gates, keep, grad_a):
        """Return the gradients of x as seen and of [w_x, w_h, b]."""
        return _dense_gradients(params, x, mask, h, recurrent, grad_a)


@dataclass(frozen=True)
class LSTM:
    r"""Long short-term memory with a forget gate (Hochreiter and Schmidhuber 1997; Gers, Schmidhuber and Cummins 2000).

    With the gates i (input), f (forget) and o (output), and the candidate g::

        i = sigma(x_t W_xi + h_{t-1} W_hi + b_i),
        f = sigma(x_t W_xf + h_{t-1} W_hf + b_f),
        g = tanh(x_t W_xg + h_{t-1} W_hg + b_g),
        o = sigma(x_t W_xo + h_{t-1} W_ho + b_o),
        c_t = f * c_{t-1} + i * g,
        h_t = o * tanh(c_t).

    Parameters: ``[w_x, w_h, b]`` of shapes (..., D, 4H), (..., H, 4H) and (..., 4H),
    with the gates in the order i, f, g, o, as in PyTorch and Keras (which writes c
    for g). Candidate dropout multiplies g (Semeniuta et al. 2016).
    """

    gates = 4
    scratch = 0
    memory = True
    candidate = True

    def shapes(self, inputs, hidden):
        """Return the names and the shapes of the parameters."""
        inputs, hidden = sizes(inputs, hidden)
        return {
            "w_x": (inputs, 4 * hidden),
            "w_h": (hidden, 4 * hidden),
            "b": (4 * hidden,),
        }

    def prepare(self, params, tied):
        """Return W_h for the steps."""
        return (params[1] if tied else split_gates(params[1], 4),)

    def project(self, params, x, mask):
        """Return x W_x + b for all steps."""
        return _affine(params[0], params[2], x, mask)

    def kept(self, hidden):
        """Return the width of tanh(c), which a step keeps for its backward pass."""
        return (hidden,)

    def step(self, weights, a, h_in, h, c, candidate, h_new, c_new, keep):
        """Do the six equations of the cell, with the candidate's mask on g in that of c_new."""
        (w_h,) = weights
        (tanh_c,) = keep
        a += product(h_in, w_h)
        i, f, g, o = blocks(a, 4)
        i[...] = sigmoid(i)
        f[...] = sigmoid(f)
        g[...] = np.tanh(g)
        o[...] = sigmoid(o)
        c_new[...] = f * c + i * dropped(g, candidate)
        tanh_c[...] = np.tanh(c_new)
        h_new[...] = o * tanh_c

    def step_backward(
        self,
        weights,
        gates,
        h_in,
        h,
        c,
        candidate,
        keep,
        grad_h,
        grad_c,
        grad_a,
        grad_candidate=None,
    ):
        """Go back from h_new = o * tanh(c_new) and c_new = f * c + i * g to the gates, and to h_in and c."""
        (w_h,) = weights
        (tanh_c,) = keep
        i, f, g, o = blocks(gates, 4)
        grad_i, grad_f, grad_g, grad_o = blocks(grad_a, 4)
        grad_c = grad_c + grad_h * o * (1 - tanh_c * tanh_c)
        grad_i[...] = grad_c * dropped(g, candidate) * (1 - i) * i
        grad_f[...] = grad_c * c * (1 - f) * f
        grad_g[...] = dropped(grad_c, candidate) * i * (1 - g) * (1 + g)
        grad_o[...] = grad_h * tanh_c * (1 - o) * o
        if grad_candidate is not None:
            grad_candidate[...] = grad_c * i * g
        return product_backward(grad_a, w_h), None, grad_c * f

    def gradients(self, params, x, mask, h, recurrent, gates, keep, grad_a):
        """Return the gradients of x as seen and of [w_x, w_h, b]."""
        return _dense_gradients(params, x, mask, h, recurrent, grad_a)


@dataclass(frozen=True)
class GRU:
    r"""The gated recurrent unit (Cho et al. 2014), with the reset gate after or before the product.

    With the gates r (reset) and z (update), and the candidate n::

        r = sigma(x_t W_xr + h_{t-1} W_hr + b_r),
        z = sigma(x_t W_xz + h_{t-1} W_hz + b_z),
        n = tanh(x_t W_xn + b_n + r * (h_{t-1} W_hn + b_h))    with ``reset_after``, PyTorch's and Keras' default,
        n = tanh(x_t W_xn + b_n + (r * h_{t-1}) W_hn)          without it, as in Section 2.3 of arXiv:1406.1078v3,
        h_t = z * h_{t-1} + (1 - z) * n.

    Parameters: ``[w_x, w_h, b, b_h]`` of shapes (..., D, 3H), (..., H, 3H), (..., 3H) and
    (..., H), b_h only with ``reset_after``; the gates in the order r, z, n, as in PyTorch.
    Keras has z, r, n. Candidate dropout multiplies n (Semeniuta et al. 2016); a mask on h
    (``h_in``) acts on the products alone, not on the carried z * h_{t-1}.
    """

    reset_after: bool = True

    gates = 3
    scratch = 0
    memory = False
    candidate = True

    def __post_init__(self):
        boolean("reset_after", self.reset_after)

    def shapes(self, inputs, hidden):
        """Return the names and the shapes of the parameters."""
        inputs, hidden = sizes(inputs, hidden)
        shapes = {
            "w_x": (inputs, 3 * hidden),
            "w_h": (hidden, 3 * hidden),
            "b": (3 * hidden,),
        }
        return shapes | {"b_h": (hidden,)} if self.reset_after else shapes

    def prepare(self, params, tied):
        """Return W_h and b_h, or without ``reset_after`` (W_hr, W_hz) and W_hn."""
        w_h = params[1]
        if self.reset_after:
            return w_h if tied else split_gates(w_h, 3), params[3][:, None]
        w_rz, w_n = (
            np.ascontiguousarray(part)
            for part in np.split(w_h, [2 * w_h.shape[-2]], axis=-1)
        )
        return w_rz if tied else split_gates(w_rz, 2), w_n

    def project(self, params, x, mask):
        """Return x W_x + b for all steps."""
        return _affine(params[0], params[2], x, mask)

    def kept(self, hidden):
        """Return the width of u = h W_hn + b_h, which a step keeps with ``reset_after``."""
        return (hidden,) if self.reset_after else ()

    def step(self, weights, a, h_in, h, c, candidate, h_new, c_new, keep):
        """Do the four equations of the cell, with the candidate's mask on n in that of h_new."""
        r, z, n = blocks(a, 3)
        if self.reset_after:
            w_h, b_h = weights
            (u,) = keep
            hw_r, hw_z, hw_n = blocks(product(h_in, w_h), 3)
            u[...] = hw_n + b_h
            r[...] = sigmoid(r + hw_r)
            z[...] = sigmoid(z + hw_z)
            n[...] = np.tanh(n + r * u)
        else:
            w_rz, w_n = weights
            h_rz, h_n = _seen(h_in)
            hw_r, hw_z = blocks(product(h_rz, w_rz), 2)
            r[...] = sigmoid(r + hw_r)
            z[...] = sigmoid(z + hw_z)
            n[...] = np.tanh(n + product(r * h_n, w_n))
        h_new[...] = z * h + (1 - z) * dropped(n, candidate)

    def step_backward(
        self,
        weights,
        gates,
        h_in,
        h,
        c,
        candidate,
        keep,
        grad_h,
        grad_c,
        grad_a,
        grad_candidate=None,
    ):
        """Go back from h_new = z * h + (1 - z) * n to n, z and h, from n to r, and from the gates to h_in."""
        r, z, n = blocks(gates, 3)
        grad_r, grad_z, grad_n = blocks(grad_a, 3)
        grad_n[...] = dropped(grad_h * (1 - z), candidate) * (1 - n * n)
        grad_z[...] = grad_h * (h - dropped(n, candidate)) * (z * (1 - z))
        if grad_candidate is not None:
            grad_candidate[...] = grad_h * (1 - z) * n
        if self.reset_after:
            w_h, _ = weights
            (u,) = keep
            grad_r[...] = grad_n * u * (r * (1 - r))
            grad_in = product_backward(_through_reset(grad_a, r), w_h)
        else:
            w_rz, w_n = weights
            _, h_n = _seen(h_in)
            grad_rh = product_backward(grad_n, w_n)
            grad_r[...] = grad_rh * h_n * (r * (1 - r))
            grad_rz = grad_a[..., : 2 * h.shape[-1]]
            grad_in = _seen_backward(
                product_backward(grad_rz, w_rz), r * grad_rh
            )
        return grad_in, grad_h * z, None

    def gradients(self, params, x, mask, h, recurrent, gates, keep, grad_a):
        """Return the gradients of x as seen and of the parameters."""
        grad_x, grad_w_x = project_backward(grad_a, x, params[0], mask)
        grad_b = sum_rows(grad_a, params[2])
        r = blocks(gates, 3)[0]
        if self.reset_after:
            grad_u = _through_reset(grad_a, r)
            grad_w_h = weight_gradient(grad_u, h, params[1], recurrent)
            return grad_x, [
                grad_w_x,
                grad_w_h,
                grad_b,
                sum_rows(blocks(grad_u, 3)[2], params[3]),
            ]
        if recurrent is None:
            masks = None, r
        elif recurrent.ndim == 4:
            masks = recurrent, r * recurrent
        else:
            masks = recurrent[:, :, :2], r * recurrent[:, :, 2]
        split = 2 * h.shape[-1]
        parts = (grad_a[..., :split], grad_a[..., split:])
        grads = [
            weight_gradient(grad, h, params[1], m)
            for grad, m in zip(parts, masks, strict=True)
        ]
        return grad_x, [grad_w_x, np.concatenate(grads, axis=-1), grad_b]


def _seen(h_in):
    """Return h_in as the gates r and z see it, and as the candidate does: (S, 3, B, H) has one mask a gate."""
    return (h_in, h_in) if h_in.ndim == 3 else (h_in[:, :2], h_in[:, 2])


def _seen_backward(grad_rz, grad_n):
    """Return the gradient of h_in from those of the two parts of `_seen`."""
    return (
        grad_rz + grad_n
        if grad_rz.ndim == 3
        else np.concatenate([grad_rz, grad_n[:, None]], axis=1)
    )


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
    """Return the gradients of x as seen and of [w_x, w_h, b] where all act on the pre-activations alike."""
    w_x, w_h, b = params
    grad_x, grad_w_x = project_backward(grad_a, x, w_x, mask)
    return grad_x, [
        grad_w_x,
        weight_gradient(grad_a, h, w_h, recurrent),
        sum_rows(grad_a, b),
    ]
