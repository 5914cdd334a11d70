r"""The LSTM with layer normalization of Ba, Kiros and Hinton (2016), and two cells of TensorFlow that differ from it.

The methods are those of every cell, described in `reglib.layers.cells`.
"""

from dataclasses import dataclass

import numpy as np

from reglib._validate import number, one_of
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
from reglib.layers.norm import normalize, normalize_backward


@dataclass(frozen=True)
class LayerNormLSTM:
    r"""An LSTM whose pre-activations and memory go through layer normalization, LN(.; gain, shift).

    With ``norm="products"`` (Ba et al. 2016, Eqs. 20-22 of arXiv:1607.06450v1) each of the two products is normalized
    over all four gates together, 4H units::

        (a_i, a_f, a_g, a_o) = LN(x_t W_x; gain_x, shift_x) + LN(h_{t-1} W_h; gain_h, shift_h) + b,
        i, f, g, o = sigma(a_i), sigma(a_f), tanh(a_g), sigma(a_o),
        c_t = f * c_{t-1} + i * g,
        h_t = o * tanh(LN(c_t; gain_c, shift_c)).

    Parameters: ``[w_x, w_h, b, gain_x, shift_x, gain_h, shift_h, gain_c, shift_c]``.

    With ``norm="gates"`` the sum of the products is normalized for each gate apart, H units::

        (a_i, a_f, a_g, a_o) = LN(x_t W_x + h_{t-1} W_h; gain, b),

    and the parameters are ``[w_x, w_h, b, gain, gain_c, shift_c]``.

    ``carry="raw"`` carries c_t on as it is, as the paper does; ``"normalized"`` carries LN(c_t).

    - The paper: ``norm="products"``, ``carry="raw"``; its authors' code has epsilon 1e-5.
    - ``LayerNormLSTMCell`` of TensorFlow Addons (retired): "products", "normalized", epsilon 1e-3. Its
      ``recurrent_dropout`` masks h, not the candidate.
    - ``LayerNormBasicLSTMCell`` of TensorFlow 1: "gates", "normalized", epsilon 1e-12, and the forget bias 1 of its
      run time in b. Its dropout masks the candidate.

    Gates in the order i, f, g, o; candidate dropout multiplies g.
    """

    epsilon: float = 1e-5
    norm: str = "products"
    carry: str = "raw"

    gates = 4
    scratch = 5
    memory = True
    candidate = True

    def __post_init__(self):
        number("epsilon", self.epsilon, low=0)
        one_of("norm", self.norm, ("products", "gates"))
        one_of("carry", self.carry, ("raw", "normalized"))

    def shapes(self, inputs, hidden):
        """Return the names and the shapes of the parameters."""
        inputs, hidden = sizes(inputs, hidden)
        wide = (4 * hidden,)
        shapes = {"w_x": (inputs, *wide), "w_h": (hidden, *wide), "b": wide}
        if self.norm == "products":
            shapes |= {
                "gain_x": wide,
                "shift_x": wide,
                "gain_h": wide,
                "shift_h": wide,
            }
        else:
            shapes |= {"gain": wide}
        return shapes | {"gain_c": (hidden,), "shift_c": (hidden,)}

    def prepare(self, params, tied):
        """Return W_h, the gain of the normalization in a step, b, gain_c and shift_c."""
        w_h = params[1] if tied else split_gates(params[1], 4)
        gain = params[5] if self.norm == "products" else params[3]
        return w_h, *(
            array[:, None]
            for array in (gain, params[2], params[-2], params[-1])
        )

    def project(self, params, x, mask):
        """Return LN(x W_x) with all that is added to it, or x W_x where the sum is normalized later."""
        u = project(x, params[0], mask)
        if self.norm == "gates":
            return u
        _, _, b, gain_x, shift_x, _, shift_h, _, _ = (
            array[:, None, None] for array in params
        )
        return normalize(u, self.epsilon)[0] * gain_x + (shift_x + shift_h + b)

    def kept(self, hidden):
        """Return the widths of what a step keeps: u normalized, 1 / deviation of u, the same of c, tanh(LN(c))."""
        return 4 * hidden, self._groups, hidden, 1, hidden

    def step(self, weights, a, h_in, h, c, candidate, h_new, c_new, keep):
        """Do the equations of the cell, with the candidate's mask on g in that of c_new."""
        w_h, gain, b, gain_c, shift_c = weights
        u_hat, u_inverse, c_hat, c_inverse, tanh_c = keep
        if self.norm == "products":
            u = product(h_in, w_h)
            u_hat[...], u_inverse[...] = self._normalize(u)
            a += gain * u_hat
        else:
            u = a + product(h_in, w_h)
            u_hat[...], u_inverse[...] = self._normalize(u)
            a[...] = gain * u_hat + b
        i, f, g, o = blocks(a, 4)
        i[...] = sigmoid(i)
        f[...] = sigmoid(f)
        g[...] = np.tanh(g)
        o[...] = sigmoid(o)
        c_new[...] = f * c + i * dropped(g, candidate)
        c_hat[...], c_inverse[...] = normalize(c_new, self.epsilon)
        norm_c = gain_c * c_hat + shift_c
        tanh_c[...] = np.tanh(norm_c)
        h_new[...] = o * tanh_c
        if self.carry == "normalized":
            c_new[...] = norm_c

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
        """Go back as in an LSTM, and through the normalizations of c_new and of u, which is h_in W_h or a sum with it.

        The last axis of ``grad_a`` has room for three gradients, 4H of the pre-activations, H of LN(c) and 4H of u.
        """
        w_h, gain, _, gain_c, _ = weights
        u_hat, u_inverse, c_hat, c_inverse, tanh_c = keep
        grad_a, grad_norm_c, grad_u = self._split(grad_a)
        i, f, g, o = blocks(gates, 4)
        grad_i, grad_f, grad_g, grad_o = blocks(grad_a, 4)
        grad_norm_c[...] = grad_h * o * (1 - tanh_c * tanh_c)
        if self.carry == "normalized":
            grad_norm_c += grad_c
            grad_c = normalize_backward(grad_norm_c * gain_c, c_hat, c_inverse)
        else:
            grad_c = grad_c + normalize_backward(
                grad_norm_c * gain_c, c_hat, c_inverse
            )
        grad_i[...] = grad_c * dropped(g, candidate) * (1 - i) * i
        grad_f[...] = grad_c * c * (1 - f) * f
        grad_g[...] = dropped(grad_c, candidate) * i * (1 - g) * (1 + g)
        grad_o[...] = grad_h * tanh_c * (1 - o) * o
        if grad_candidate is not None:
            grad_candidate[...] = grad_c * i * g
        grad_u[...] = self._normalize_backward(grad_a * gain, u_hat, u_inverse)
        return product_backward(grad_u, w_h), None, grad_c * f

    def gradients(self, params, x, mask, h, recurrent, gates, keep, grad_a):
        """Return the gradients of x as seen and of the parameters."""
        w_x, w_h, b = params[:3]
        u_hat, _, c_hat, _, _ = keep
        grad_a, grad_norm_c, grad_u = self._split(grad_a)
        grad_b = sum_rows(grad_a, b)
        gain = sum_rows(grad_a * u_hat, b)
        grad_c = [
            sum_rows(grad_norm_c * c_hat, params[-1]),
            sum_rows(grad_norm_c, params[-1]),
        ]
        grad_w_h = weight_gradient(grad_u, h, w_h, recurrent)
        if self.norm == "gates":
            grad_x, grad_w_x = project_backward(grad_u, x, w_x, mask)
            return grad_x, [grad_w_x, grad_w_h, grad_b, gain, *grad_c]
        x_hat, inverse = normalize(project(x, w_x, mask), self.epsilon)
        grad_u = normalize_backward(
            grad_a * params[3][:, None, None], x_hat, inverse
        )
        grad_x, grad_w_x = project_backward(grad_u, x, w_x, mask)
        gain_x = sum_rows(grad_a * x_hat, b)
        return grad_x, [
            grad_w_x,
            grad_w_h,
            grad_b,
            gain_x,
            grad_b.copy(),
            gain,
            grad_b.copy(),
            *grad_c,
        ]

    @property
    def _groups(self):
        """The number of groups that are normalized apart."""
        return 4 if self.norm == "gates" else 1

    def _normalize(self, u):
        """Return u normalized, and one 1 / deviation a group."""
        u_hat, inverse = normalize(
            u.reshape(
                *u.shape[:-1], self._groups, u.shape[-1] // self._groups
            ),
            self.epsilon,
        )
        return u_hat.reshape(u.shape), inverse[..., 0]

    def _normalize_backward(self, grad, u_hat, inverse):
        """Return the gradient through `_normalize`."""
        grouped = (
            *grad.shape[:-1],
            self._groups,
            grad.shape[-1] // self._groups,
        )
        grad_u = normalize_backward(
            grad.reshape(grouped), u_hat.reshape(grouped), inverse[..., None]
        )
        return grad_u.reshape(grad.shape)

    @staticmethod
    def _split(grad_a):
        """Return the gradients that the backward pass of a step writes: of the pre-activations, of LN(c), of u."""
        hidden = grad_a.shape[-1] // 9
        return (
            grad_a[..., : 4 * hidden],
            grad_a[..., 4 * hidden : 5 * hidden],
            grad_a[..., 5 * hidden :],
        )
