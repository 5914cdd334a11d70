r"""Recurrent cells with noise at every step, each a subclass of Keras' own and used as ``keras.layers.RNN(cell)``.

Notation: x is the input of a step, h and c the state before it; i, f, g, o are the gates of an LSTM and its candidate
g, in the order of Keras' weights. A mask m has an entry for each example and unit, 0 with the probability ``rate``,
else 1, independent and drawn anew at every step. A product written * is taken entry by entry.

All arguments that a class does not list are those of ``keras.layers.LSTMCell`` or ``GRUCell``.
"""

import keras
from keras import layers, ops

from regkit._check import number, one_of, rate


class Masks:
    """A cell that draws masks: its ``seed_generator`` draws, and its attribute named after a place is the rate."""

    seed_generator: keras.random.SeedGenerator

    def draw(self, place, like):
        """Return a mask in the shape and dtype of ``like``: 0 with the probability of the rate of ``place``, else 1.

        Override it to feed your own. The uniform numbers are float32 even in half precision, where they would be too
        coarse for a rate: in bfloat16 they are multiples of 1/128.
        """
        uniform = keras.random.uniform(
            ops.shape(like), dtype="float32", seed=self.seed_generator
        )
        return ops.cast(uniform >= getattr(self, place), like.dtype)


@keras.saving.register_keras_serializable(package="regkit")
class CandidateDropoutLSTMCell(layers.LSTMCell, Masks):
    r"""An LSTM cell that drops the candidate alone, at every step: the *recurrent dropout* of Semeniuta et al. (2016).

    ::

        c_t = f * c_{t-1} + i * (m * g) / (1 - candidate)

    What is stored in c is never dropped, only what is written anew. At evaluation there is no mask and no factor.
    Scaled here, as everywhere today; the authors' code scales at evaluation instead.

    Parameters
    ----------
    units : int
        The width of h and c.
    candidate : float
        The rate, in [0, 1).
    kwargs
        Those of ``keras.layers.LSTMCell``, but for its two dropouts, which must be 0.

    Raises
    ------
    ValueError, TypeError
        For a rate that is none, and for ``dropout`` or ``recurrent_dropout``.

    References
    ----------
    S. Semeniuta, A. Severyn and E. Barth, Recurrent dropout without memory loss, COLING (2016), Section 3.

    Examples
    --------
    >>> cell = CandidateDropoutLSTMCell(5, candidate=0.25)
    >>> keras.layers.RNN(cell, return_sequences=True)(ops.ones((2, 7, 3))).shape
    TensorShape([2, 7, 5])
    """

    def __init__(self, units, candidate=0.0, **kwargs):
        super().__init__(units, **kwargs)
        self.candidate = rate("candidate", candidate)
        _only_candidate(self)

    def gates(self, inputs, h):
        """Return the pre-activations of i, f, g and o, side by side."""
        a = inputs @ self.kernel + h @ self.recurrent_kernel
        return a + self.bias if self.use_bias else a

    def memory(self, c):
        """Return the memory as it is carried on, and as the output sees it."""
        return c, c

    def call(self, inputs, states, training=False):
        """Return the output of one step, and the new h and c."""
        h, c = states
        i, f, g, o = ops.split(self.gates(inputs, h), 4, axis=-1)
        g = self.activation(g)
        if training and self.candidate:
            g = g * self.draw("candidate", g) / (1 - self.candidate)
        sigma = self.recurrent_activation
        c, seen = self.memory(sigma(f) * c + sigma(i) * g)
        h = sigma(o) * self.activation(seen)
        return h, [h, c]

    def get_config(self):
        """Return what the cell is made again from."""
        return super().get_config() | {"candidate": self.candidate}


@keras.saving.register_keras_serializable(package="regkit")
class CandidateDropoutGRUCell(layers.GRUCell, Masks):
    r"""A GRU cell that drops the candidate n alone, at every step (Semeniuta et al. 2016).

    ::

        h_t = z * h_{t-1} + (1 - z) * (m * n) / (1 - candidate)

    A GRU's h is its memory; a mask on h itself would erase it.

    Parameters
    ----------
    units : int
        The width of h.
    candidate : float
        The rate, in [0, 1).
    kwargs
        Those of ``keras.layers.GRUCell``, but for its two dropouts, which must be 0, and ``reset_after``, which
        must be True, its default.

    Raises
    ------
    ValueError, TypeError
        For a rate that is none, for ``dropout`` or ``recurrent_dropout``, and for ``reset_after=False``.

    Examples
    --------
    >>> cell = CandidateDropoutGRUCell(5, candidate=0.25)
    >>> keras.layers.RNN(cell)(ops.ones((2, 7, 3)), training=True).shape
    TensorShape([2, 5])
    """

    def __init__(self, units, candidate=0.0, **kwargs):
        super().__init__(units, **kwargs)
        self.candidate = rate("candidate", candidate)
        _only_candidate(self)
        if not self.reset_after:
            raise ValueError("reset_after must be True, got False")

    def call(self, inputs, states, training=False):
        """Return the output of one step, and the new h, which is the same."""
        h = states[0] if isinstance(states, list | tuple) else states
        b_x, b_h = ops.unstack(self.bias) if self.use_bias else (0, 0)
        x = ops.split(inputs @ self.kernel + b_x, 3, axis=-1)
        u = ops.split(h @ self.recurrent_kernel + b_h, 3, axis=-1)
        z = self.recurrent_activation(x[0] + u[0])
        r = self.recurrent_activation(x[1] + u[1])
        n = self.activation(x[2] + r * u[2])
        if training and self.candidate:
            n = n * self.draw("candidate", n) / (1 - self.candidate)
        h = z * h + (1 - z) * n
        return h, [h]

    def get_config(self):
        """Return what the cell is made again from."""
        return super().get_config() | {"candidate": self.candidate}


@keras.saving.register_keras_serializable(package="regkit")
class LayerNormLSTMCell(CandidateDropoutLSTMCell):
    r"""An LSTM cell with layer normalization inside (Ba, Kiros and Hinton 2016), and dropout of the candidate.

    ::

        (a_i, a_f, a_g, a_o) = LN(x_t W_x) + LN(h_{t-1} W_h) + b,
        c_t = sigma(a_f) * c_{t-1} + sigma(a_i) * (m * tanh(a_g)) / (1 - candidate),
        h_t = sigma(a_o) * tanh(LN(c_t)),

    each LN with a gain and a shift of its own, over all four gates at once where there are four.

    ``carry="normalized", epsilon=1e-3`` is ``LayerNormLSTMCell`` of TensorFlow Addons, which is retired. Its
    ``recurrent_dropout`` was something else: although its documentation cites Semeniuta et al., it masked h before the
    product, once a sequence.

    Parameters
    ----------
    units : int
        The width of h and c.
    epsilon : float
        What is added to each variance, above 0; 1e-5 in the authors' code, as in PyTorch, and not Keras' 1e-3.
    carry : {"raw", "normalized"}
        Whether the next step gets c_t, as in the paper, or LN(c_t).
    kwargs
        Those of `CandidateDropoutLSTMCell`, above all ``candidate``, the rate, 0 by default.

    Raises
    ------
    ValueError, TypeError
        For a rate, an epsilon or a carry that is none, and for ``dropout`` or ``recurrent_dropout``.

    References
    ----------
    J. L. Ba, J. R. Kiros and G. E. Hinton, Layer normalization, arXiv:1607.06450v1 (2016), Eqs. 20-22.

    Examples
    --------
    >>> cell = LayerNormLSTMCell(5, candidate=0.25)
    >>> keras.layers.RNN(cell)(ops.ones((2, 7, 3)), training=True).shape
    TensorShape([2, 5])
    >>> [weight.name for weight in cell.norm_c.weights]
    ['gamma', 'beta']
    """

    def __init__(self, units, *, epsilon=1e-5, carry="raw", **kwargs):
        super().__init__(units, **kwargs)
        self.epsilon = number("epsilon", epsilon, low_open=True)
        self.carry = one_of("carry", carry, ("raw", "normalized"))
        options = {"epsilon": self.epsilon, "dtype": self.dtype_policy}
        norm = layers.LayerNormalization
        self.norm_x = norm(**options, name="norm_x")
        self.norm_h = norm(**options, name="norm_h")
        self.norm_c = norm(**options, name="norm_c")

    def build(self, input_shape):
        """Make the weights: those of an LSTM, then a gain and a shift for each of the three normalizations."""
        super().build(input_shape)
        self.norm_x.build((None, 4 * self.units))
        self.norm_h.build((None, 4 * self.units))
        self.norm_c.build((None, self.units))

    def gates(self, inputs, h):
        """Return the pre-activations: two products, each normalized, and the bias."""
        a = self.norm_x(inputs @ self.kernel)
        a = a + self.norm_h(h @ self.recurrent_kernel)
        return a + self.bias if self.use_bias else a

    def memory(self, c):
        """Return the memory as it is carried on, and as the output sees it."""
        seen = self.norm_c(c)
        return c if self.carry == "raw" else seen, seen

    def get_config(self):
        """Return what the cell is made again from."""
        own = {"epsilon": self.epsilon, "carry": self.carry}
        return super().get_config() | own


@keras.saving.register_keras_serializable(package="regkit")
class StateDropoutLSTMCell(layers.LSTMCell, Masks):
    r"""An LSTM cell that drops units of the state it carries on, at every step, and not of its output.

    With y_t, c'_t the output and the memory of the LSTM::

        h_t = m_h * y_t,    c_t = m_c * c'_t.

    It is the ``state_keep_prob`` of TensorFlow's ``RNNCellDropoutWrapper``, which drops h only unless told otherwise,
    and scales.

    Scaling divides by 1 - rate in training. For h, which is computed afresh at every step, that is harmless. For c it
    is not: where the forget gate is open, the factors multiply up, and after T steps a unit that was never dropped is
    (1 - rate)^(-T) times as large: 1e6 times for a rate of 0.5 and T = 20. So the default is not to scale. Then
    evaluation multiplies what is carried on by 1 - rate, the mean of the mask, at every step.

    Either way a memory in c has a half-life of log(1/2) / log(1 - rate) steps, 3.1 at a rate of 0.2. If the task is to
    remember, drop h, or the candidate (`CandidateDropoutLSTMCell`), and not c.

    Parameters
    ----------
    units : int
        The width of h and c.
    state_h, state_c : float
        The rates, in [0, 1).
    scaled : bool
        Whether to divide by 1 - rate in training; otherwise evaluation multiplies by it.
    kwargs
        Those of ``keras.layers.LSTMCell``.

    Raises
    ------
    ValueError, TypeError
        For a rate that is none.

    Examples
    --------
    >>> cell = StateDropoutLSTMCell(5, state_h=0.25)
    >>> keras.layers.RNN(cell)(ops.ones((2, 7, 3)), training=True).shape
    TensorShape([2, 5])
    """

    def __init__(
        self, units, state_h=0.0, state_c=0.0, scaled=False, **kwargs
    ):
        super().__init__(units, **kwargs)
        self.state_h = rate("state_h", state_h)
        self.state_c = rate("state_c", state_c)
        self.scaled = bool(scaled)

    def drop(self, place, state, training):
        """Return ``state`` with the mask of ``place`` on it, or with the mean of the mask."""
        keep = 1 - getattr(self, place)
        if keep == 1 or (self.scaled and not training):
            return state
        if not training:
            return state * keep
        state = state * self.draw(place, state)
        return state / keep if self.scaled else state

    def call(self, inputs, states, training=False):
        """Return the output of one step, and the new h and c."""
        output, (h, c) = super().call(inputs, states, training=training)
        h = self.drop("state_h", h, training)
        c = self.drop("state_c", c, training)
        return output, [h, c]

    def get_config(self):
        """Return what the cell is made again from."""
        own = ("state_h", "state_c", "scaled")
        return super().get_config() | {
            name: getattr(self, name) for name in own
        }


@keras.saving.register_keras_serializable(package="regkit")
class ZoneoutLSTMCell(layers.LSTMCell, Masks):
    r"""An LSTM cell with zoneout: at every step, a unit keeps its old value at random (Krueger et al. 2017).

    With h', c' the new values, for h and c each with a mask of its own that is 0 with the probability of the rate::

        h_t = m_h * h' + (1 - m_h) * h_{t-1},    c_t = m_c * c' + (1 - m_c) * c_{t-1}.

    The h' of a step is computed from c', before zoneout. At evaluation each mask is replaced by its mean, 1 - rate.
    Nothing is scaled. The authors' code takes 0.05 for h and 0.5 for c on Penn Treebank.

    Parameters
    ----------
    units : int
        The width of h and c.
    zone_h, zone_c : float
        The probabilities to keep the old value, in [0, 1).
    kwargs
        Those of ``keras.layers.LSTMCell``.

    Raises
    ------
    ValueError, TypeError
        For a rate that is none.

    References
    ----------
    D. Krueger et al., Zoneout: regularizing RNNs by randomly preserving hidden activations, ICLR (2017), Section 3.

    Examples
    --------
    >>> cell = ZoneoutLSTMCell(5, zone_h=0.05, zone_c=0.5)
    >>> keras.layers.RNN(cell)(ops.ones((2, 7, 3)), training=True).shape
    TensorShape([2, 5])
    """

    def __init__(self, units, zone_h=0.0, zone_c=0.0, **kwargs):
        super().__init__(units, **kwargs)
        self.zone_h = rate("zone_h", zone_h)
        self.zone_c = rate("zone_c", zone_c)

    def zone(self, place, old, new, training):
        """Return the new value where the mask of ``place`` is 1 and the old one where it is 0, or their mean."""
        share = 1 - getattr(self, place)
        if share == 1:
            return new
        if training:
            share = self.draw(place, new)
        return share * new + (1 - share) * old

    def call(self, inputs, states, training=False):
        """Return the output of one step, and the new h and c."""
        _, (h, c) = super().call(inputs, states, training=training)
        h = self.zone("zone_h", states[0], h, training)
        c = self.zone("zone_c", states[1], c, training)
        return h, [h, c]

    def get_config(self):
        """Return what the cell is made again from."""
        own = {"zone_h": self.zone_h, "zone_c": self.zone_c}
        return super().get_config() | own


def _only_candidate(cell):
    """Complain about Keras' own masks on a cell that drops the candidate alone."""
    for name in ("dropout", "recurrent_dropout"):
        if getattr(cell, name):
            raise ValueError(
                f"{name} must be 0, got {getattr(cell, name)!r}: {type(cell).__name__} drops the candidate alone; "
                "for the inputs put keras.layers.SpatialDropout1D before the RNN"
            )
