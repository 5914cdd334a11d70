r"""LSTMs with noise inside of their steps, which ``torch.nn.LSTM`` cannot have.

The words for the places of noise are those of `reglib.layers.recurrent`. With y_t the output and (h_t, c_t) the state
that is carried on, step t does, each word standing for its noise::

    h'_t, c'_t = cell(input * x_t, recurrent * h_{t-1}, c_{t-1}; candidate),
    y_t = zone_h h'_t + (1 - zone_h) h_{t-1},
    h_t = state_h y_t,
    c_t = state_c (zone_c c'_t + (1 - zone_c) c_{t-1}),

and returns output * y_t. Which words are which method:

- ``input``, ``recurrent``, ``output``, one mask a sequence: variational dropout (Gal and Ghahramani 2016).
- ``candidate``, a mask a step: recurrent dropout without memory loss (Semeniuta et al. 2016).
- ``zone_h``, ``zone_c``, a mask a step: zoneout (Krueger et al. 2017).
- ``state_h``, ``state_c``, a mask a step: dropout of the state, TensorFlow's ``state_keep_prob``.
"""

import torch
from torch import nn
from torch.nn.functional import linear
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from regkit._check import number, one_of, rate

PLACES = (
    "input",
    "recurrent",
    "candidate",
    "zone_h",
    "zone_c",
    "state_h",
    "state_c",
    "output",
)


class NoisyLSTM(nn.LSTM):
    r"""An LSTM of one layer with noise on its inputs, its outputs, its state and inside of its steps.

    It is used as ``torch.nn.LSTM``, has its parameters, loads its ``state_dict``, and takes packed sequences, too.
    Without noise, in evaluation above all, it is ``torch.nn.LSTM``; with noise it runs a step at a time, which is
    slower. Stack several for several layers.

    Each place has its rate. In evaluation there is no noise, but zoneout mixes old and new as they were mixed on
    average: ``rate * old + (1 - rate) * new``.

    Noise on the state is not scaled: training multiplies h or c by a mask of 0 and 1, and evaluation by 1 - rate. For c
    that is on purpose. It is multiplied at every step, and where the forget gate is open, so would be the factors
    1 / (1 - rate): a unit that was never dropped would be a million times as large after 20 steps at a rate of 0.5.

    Parameters
    ----------
    input_size, hidden_size : int
        D and H.
    batch_first : bool
        Whether sequences are (B, T, D) instead of (T, B, D).
    bias : bool
        Whether there are biases.
    once : tuple of str
        The places with one draw for a whole sequence; the others draw anew at every step.
    scaled : bool
        Whether training divides noise on the state by 1 - rate, and evaluation leaves the state alone.
    device, dtype
        Of the parameters, as for any module of PyTorch.
    rates : float
        By place, each in [0, 1): ``input``, ``recurrent``, ``candidate``, ``zone_h``, ``zone_c``, ``state_h``,
        ``state_c``, ``output``. 0 by default.

    Raises
    ------
    ValueError, TypeError
        For a rate that is none, and for a place that there is not.

    References
    ----------
    Y. Gal and Z. Ghahramani, A theoretically grounded application of dropout in recurrent neural networks, NIPS (2016).
    S. Semeniuta, A. Severyn and E. Barth, Recurrent dropout without memory loss, COLING (2016), Section 3.
    D. Krueger et al., Zoneout: regularizing RNNs by randomly preserving hidden activations, ICLR (2017), Section 3.

    Examples
    --------
    >>> lstm = NoisyLSTM(8, 16, zone_h=0.1, zone_c=0.3)
    >>> output, (h, c) = lstm(torch.randn(5, 4, 8))
    >>> output.shape, h.shape
    (torch.Size([5, 4, 16]), torch.Size([1, 4, 16]))
    """

    # Whether the fused LSTM of PyTorch does the same where there is no noise.
    fused = True
    weight_ih_l0: nn.Parameter
    weight_hh_l0: nn.Parameter

    def __init__(
        self,
        input_size,
        hidden_size,
        batch_first=False,
        *,
        bias=True,
        once=("input", "recurrent", "output"),
        scaled=False,
        device=None,
        dtype=None,
        **rates,
    ):
        super().__init__(
            input_size,
            hidden_size,
            bias=bias,
            batch_first=batch_first,
            device=device,
            dtype=dtype,
        )
        for place in (*once, *rates):
            one_of("a place of noise", place, PLACES)
        self.rates = {place: rate(place, p) for place, p in rates.items()}
        self.once, self.scaled = tuple(once), scaled

    def draw(self, place, shape):
        """Return a mask of shape (T or 1, B, D or H): 0 with the rate of the place, else 1."""
        mask = self.weight_hh_l0.new_empty(shape)
        return mask.bernoulli_(1 - self.rates[place])

    def acts(self, place):
        """Return whether there is noise at a place now, or what stands for it in evaluation."""
        return self.rates[place] > 0 and (self.training or self.raw(place))

    def raw(self, place):
        """Return whether the mask of a place is not scaled."""
        return place[:4] == "zone" or (
            place[:5] == "state" and not self.scaled
        )

    def gain(self, place, steps, batch):
        """Return what multiplies at a place: (T or 1, B, D or H), a number in evaluation."""
        p = self.rates[place]
        if not self.training:
            return 1 - p
        width = self.input_size if place == "input" else self.hidden_size
        shape = (1 if place in self.once else steps, batch, width)
        mask = self.draw(place, shape)
        return mask if self.raw(place) else mask / (1 - p)

    def project(self, x):
        """Return what x brings to the gates, for all steps at once."""
        return linear(x, self.weight_ih_l0, getattr(self, "bias_ih_l0", None))

    def gates(self, a, h):
        """Return the pre-activations (B, 4H) of a step; ``a`` is what `project` made of x."""
        return a + linear(
            h, self.weight_hh_l0, getattr(self, "bias_hh_l0", None)
        )

    def memory(self, c):
        """Return the memory as it is carried on, and as the output sees it."""
        return c, c

    def step(self, a, h, c, gain):
        """Return the output of a step, the new h and the new c; ``gain`` holds what multiplies, by place."""
        a = self.gates(a, _times(gain.get("recurrent"), h))
        i, f, g, o = a.chunk(4, dim=-1)
        g = _times(gain.get("candidate"), torch.tanh(g))
        new_c = torch.sigmoid(f) * c + torch.sigmoid(i) * g
        new_c, seen = self.memory(new_c)
        y = torch.sigmoid(o) * torch.tanh(seen)
        y = _mix(gain.get("zone_h"), h, y)
        c = _mix(gain.get("zone_c"), c, new_c)
        return (
            y,
            _times(gain.get("state_h"), y),
            _times(gain.get("state_c"), c),
        )

    def forward(self, input, hx=None):
        """Return the output and the final state (h, c), as ``torch.nn.LSTM`` does."""
        places = [place for place in self.rates if self.acts(place)]
        if self.fused and not places:
            return super().forward(input, hx)
        x, there = _unpack(input, self.batch_first)
        gains = {place: self.gain(place, *x.shape[:2]) for place in places}
        (h, c), ys = self.start(x, hx), []
        for t, a in enumerate(self.project(_times(gains.get("input"), x))):
            y, *new = self.step(a, h, c, _at(t, gains))
            h, c = new if there is None else _where(there[t], new, (h, c))
            ys.append(y)
        y = _times(gains.get("output"), torch.stack(ys))
        return _pack(y, input, self.batch_first), (h[None], c[None])

    def start(self, x, state):
        """Return the initial h and c, (B, H) each."""
        shape = (1, x.shape[1], self.hidden_size)
        if state is None:
            return [x.new_zeros(shape[1:]) for _ in "hc"]
        for part in state:
            self.check_hidden_size(part, shape)
        return [part[0] for part in state]

    def extra_repr(self):
        """Return what stands in the brackets."""
        rates = (f"{place}={p}" for place, p in self.rates.items())
        return ", ".join([super().extra_repr(), *rates])


class LayerNormLSTM(NoisyLSTM):
    r"""An LSTM with layer normalization inside of its steps (Ba, Kiros and Hinton 2016), and noise as in `NoisyLSTM`.

    With ``norm="products"``, the paper's::

        a = LN(x_t W_x) + LN(h_{t-1} W_h),    each over all 4H units,
        i, f, g, o = sigma(a_i), sigma(a_f), tanh(a_g), sigma(a_o),
        c_t = f * c_{t-1} + i * g,
        h_t = o * tanh(LN(c_t)).

    With ``norm="gates"``, a = LN(x_t W_x + h_{t-1} W_h) for each gate apart, over H units. Each LN has a gain and a
    shift; the shifts are the biases, and there are no others.

    - ``carry="normalized", epsilon=1e-3`` is ``LayerNormLSTMCell`` of TensorFlow Addons, which is retired. Its
      ``recurrent_dropout`` masked h, once a sequence: here ``recurrent``.
    - ``norm="gates", carry="normalized", epsilon=1e-12`` is ``LayerNormBasicLSTMCell`` of TensorFlow 1. Its dropout
      is ``candidate`` here. Its gates stand in another order, and it adds 1 to the pre-activation of f.

    Parameters
    ----------
    input_size, hidden_size : int
        D and H.
    batch_first : bool
        Whether sequences are (B, T, D) instead of (T, B, D).
    norm : {"products", "gates"}
        What is normalized.
    carry : {"raw", "normalized"}
        Whether the next step gets c_t, as in the paper, or LN(c_t).
    epsilon : float
        What is added to each variance, above 0.
    device, dtype
        Of the parameters, as for any module of PyTorch.
    options
        The others of `NoisyLSTM`: rates by place, ``once`` and ``scaled``.

    Raises
    ------
    ValueError, TypeError
        For what is none of these.

    References
    ----------
    J. L. Ba, J. R. Kiros and G. E. Hinton, Layer normalization, arXiv:1607.06450v1 (2016), Eqs. 20-22.

    Examples
    --------
    >>> lstm = LayerNormLSTM(8, 16, candidate=0.25)
    >>> output, (h, c) = lstm(torch.randn(5, 4, 8))
    >>> output.shape, c.shape
    (torch.Size([5, 4, 16]), torch.Size([1, 4, 16]))
    """

    fused = False

    def __init__(
        self,
        input_size,
        hidden_size,
        batch_first=False,
        *,
        norm="products",
        carry="raw",
        epsilon=1e-5,
        device=None,
        dtype=None,
        **options,
    ):
        options |= {"bias": False, "device": device, "dtype": dtype}
        super().__init__(input_size, hidden_size, batch_first, **options)
        one_of("norm", norm, ("products", "gates"))
        self.carry = one_of("carry", carry, ("raw", "normalized"))
        epsilon = number("epsilon", epsilon, low_open=True)
        more: dict = {"eps": epsilon, "device": device, "dtype": dtype}
        wide = 4 * hidden_size
        self.norm_x, self.norm_h, self.norm_sum = (nn.Identity(),) * 3
        if norm == "products":
            self.norm_x = nn.LayerNorm(wide, **more)
            self.norm_h = nn.LayerNorm(wide, **more)
        else:
            self.norm_sum = nn.GroupNorm(4, wide, **more)
        self.norm_c = nn.LayerNorm(hidden_size, **more)

    def project(self, x):
        """Return what x brings to the gates, for all steps at once."""
        return self.norm_x(linear(x, self.weight_ih_l0))

    def gates(self, a, h):
        """Return the pre-activations (B, 4H) of a step; ``a`` is what `project` made of x."""
        u = self.norm_h(linear(h, self.weight_hh_l0))
        return self.norm_sum(a + u)

    def memory(self, c):
        """Return the memory as it is carried on, and as the output sees it."""
        norm_c = self.norm_c(c)
        return (norm_c if self.carry == "normalized" else c), norm_c


def _times(gain, value):
    """Return gain * value; None changes nothing."""
    return value if gain is None else gain * value


def _mix(share, old, new):
    """Return share * new + (1 - share) * old; None means all of the new one."""
    return new if share is None else torch.lerp(old, new, share)


def _where(there, new, old):
    """Return the new h and c where a sequence has a step, and the old ones elsewhere."""
    return [torch.where(there, *both) for both in zip(new, old, strict=True)]


def _at(t, gains):
    """Return what multiplies at step t, by place: from arrays with a step each, or one for all, or numbers."""
    return {
        place: gain if isinstance(gain, float) else gain[t % len(gain)]
        for place, gain in gains.items()
    }


def _unpack(x, batch_first):
    """Return a sequence as (T, B, D), and where it has a step, (T, B, 1); None for everywhere."""
    if isinstance(x, PackedSequence):
        x, lengths = pad_packed_sequence(x)
        steps = torch.arange(len(x), device=x.device)[:, None]
        return x, (steps < lengths.to(x.device))[..., None]
    if x.dim() != 3 or 0 in x.shape[:2]:
        raise ValueError(
            f"input must have three axes, with steps and examples, got shape {tuple(x.shape)}"
        )
    return (x.transpose(0, 1) if batch_first else x), None


def _pack(y, x, batch_first):
    """Return an output (T, B, H) in the form of the input x."""
    if not isinstance(x, PackedSequence):
        return y.transpose(0, 1) if batch_first else y
    _, sizes, order, back = x
    y = y if order is None else y[:, order]
    data = [row[:size] for row, size in zip(y, sizes.tolist(), strict=True)]
    return PackedSequence(torch.cat(data), sizes, order, back)
