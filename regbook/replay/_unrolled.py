"""A recurrent cell of a framework run step by step, with noise around it; and the two steps that no framework has.

Everything here works on tensors of either framework. A step is a function
``step(params, x, h, c, candidate) -> h, c``, with c None for a cell without memory; ``ops`` holds what it needs of the
framework: ``tensor``, ``stack``, ``split``, ``sigmoid``, ``tanh``.
"""

from regbook.replay.frameworks import NAMES, MissingError
from reglib.layers.cells import GRU

# Where a cell that is run step by step can have noise.
PLACES = ("input", "recurrent", "candidate", "zone_h", "zone_c", "state_h", "state_c", "output")


def unrolled(step, ops, cell, by):
    """Return a step as a function over whole sequences, ``(params, x, start, noise, steps) -> output, final``.

    ``cell`` is reglib's, and ``by`` the word for the framework's.
    """

    def forward(params, x, start, noise, steps):
        if steps is not None:
            raise MissingError(f"{NAMES[by]} takes no steps: it knows nothing of padding")
        h, c = start if cell.memory else (*start, None)
        outputs = []
        for t in range(x.shape[1]):
            gains = {place: ops.tensor(gain_at(entry, t)) for place, entry in noise.items()}
            seen, h_in = _times(gains.get("input"), x[:, t]), _times(gains.get("recurrent"), h)
            y, new_c = step(params, seen, h_in, c, gains.get("candidate"))
            y = _mixed(gains.get("zone_h"), h, y)
            if cell.memory:
                c = _times(gains.get("state_c"), _mixed(gains.get("zone_c"), c, new_c))
            h = _times(gains.get("state_h"), y)
            outputs.append(_times(gains.get("output"), y))
        return ops.stack(outputs), ([h, c] if cell.memory else [h])

    return forward


def gain_at(entry, t):
    """Return the gain of a `reglib.noise.affine.Noise` at a step, (B, K)."""
    gain = entry.gain
    return gain if gain.ndim == 0 else gain[:, t if gain.shape[1] > 1 else 0]


def _times(gain, value):
    return value if gain is None else gain * value


def _mixed(share, old, new):
    """Return zoneout's state: its gain is the share of the new one."""
    return new if share is None else share * new + (1 - share) * old


def with_candidate(call, tanh):
    """Return the step of an LSTM with a mask on the candidate, made of three calls of the framework's own cell.

    No framework's cell has this mask. But c' = f * c + i * g is linear in c: with c = 0 the cell shows i * g, and with
    an enormous c, under which tanh(c') is exactly 1, it shows h' = o.
    """

    def step(params, x, h, c, candidate):
        if candidate is None:
            return call(params, x, h, c)
        _, whole = call(params, x, h, c)
        _, of_candidate = call(params, x, h, 0 * c)
        o, _ = call(params, x, h, 0 * c + 1e9)
        c = whole - of_candidate + candidate * of_candidate
        return o * tanh(c), c

    return step


def layer_norm_step(cell, norm, ops):
    """Return the step of a `LayerNormLSTM`, which no framework has, made of the framework's layer normalization.

    ``norm(u, gain, shift)`` is that layer.
    """

    def step(params, x, h, c, candidate):
        u_x, u_h = x @ params["w_x"], h @ params["w_h"]
        if cell.norm == "products":
            a = norm(u_x, params["gain_x"], params["shift_x"]) + norm(u_h, params["gain_h"], params["shift_h"])
            i, f, g, o = ops.split(a + params["b"])
        else:
            parts = zip(ops.split(u_x + u_h), ops.split(params["gain"]), ops.split(params["b"]), strict=True)
            i, f, g, o = (norm(*part) for part in parts)
        c = ops.sigmoid(f) * c + ops.sigmoid(i) * _times(candidate, ops.tanh(g))
        normalized = norm(c, params["gain_c"], params["shift_c"])
        return ops.sigmoid(o) * ops.tanh(normalized), normalized if cell.carry == "normalized" else c

    return step


def refuse(by, cell, noise):
    """Complain about noise inside of a cell that the built-in one cannot have."""
    inside = isinstance(cell, GRU) and [place for place in ("candidate", "recurrent") if place in noise]
    gated = [place for place in ("input", "recurrent") if place in noise and noise[place].gain.ndim > 3]
    if inside:  # a GRU's products and its carried state see the same h
        raise MissingError(f"{NAMES[by]} lets nobody in between to have noise at {inside[0]!r} in {cell!r}")
    if gated:
        raise MissingError(f"{NAMES[by]} cannot have a mask for each gate apart at {gated[0]!r}; Keras' layers can")
