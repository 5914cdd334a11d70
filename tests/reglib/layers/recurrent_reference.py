"""Recurrent networks written out gate by gate and step by step, not for speed: what the fast code must equal.

One model, no replicas: x is (B, T, D), masks are (B, T, H), or (B, T, G, H) for one mask a gate.
"""

import numpy as np

from reglib.layers.cells import GRU, LSTM, RNN
from reglib.layers.layer_norm_lstm import LayerNormLSTM
from reglib.layers.recurrent import Noise, init

B, T, D, H = 3, 4, 2, 5

CELLS = {
    "rnn": RNN(),
    "lstm": LSTM(),
    "gru after": GRU(),
    "gru before": GRU(reset_after=False),
    "layer norm": LayerNormLSTM(epsilon=0.01),
    "layer norm, carried": LayerNormLSTM(epsilon=0.02, carry="normalized"),
    "layer norm of gates": LayerNormLSTM(epsilon=0.03, norm="gates"),
    "layer norm of gates, carried": LayerNormLSTM(epsilon=0.04, norm="gates", carry="normalized"),
}
PLACES = [
    "none", "input", "input sequence", "input gates", "recurrent", "recurrent sequence", "recurrent gates",
    "recurrent gates sequence", "candidate", "state_h", "state_h sequence", "state_c", "zone_h", "zone_c",
    "zone numbers", "output", "all",
]  # fmt: skip


def sigma(a):
    return 1 / (1 + np.exp(-a))


def norm(u, gain, shift, epsilon):
    return gain * (u - u.mean(-1, keepdims=True)) / np.sqrt(u.var(-1, keepdims=True) + epsilon) + shift


def gate_products(x, w, masks, gates):
    """Return x W for each gate, with the gate's own mask on x."""
    return [(x * masks[k]) @ w for k, w in enumerate(np.split(w, gates, axis=-1))]


def one_step(cell, params, x, h, c, input_masks, masks, candidate):
    """Return the new h and c of one step; ``masks`` holds one mask on h for each gate."""
    gx = gate_products(x, params[0], input_masks, cell.gates)
    gh = gate_products(h, params[1], masks, cell.gates)
    b = np.split(params[2], cell.gates)
    if isinstance(cell, RNN):
        return np.tanh(gx[0] + gh[0] + b[0]), None
    if isinstance(cell, GRU):
        r, z = (sigma(gx[k] + gh[k] + b[k]) for k in range(2))
        if cell.reset_after:
            n = np.tanh(gx[2] + b[2] + r * (gh[2] + params[3]))
        else:
            n = np.tanh(gx[2] + b[2] + (r * h * masks[2]) @ params[1][:, 2 * H :])
        return (1 - z) * n * candidate + z * h, None
    if isinstance(cell, LSTM):
        a = [gx[k] + gh[k] + b[k] for k in range(4)]
    elif cell.norm == "products":
        _, _, bias, gain_x, shift_x, gain_h, shift_h, _, _ = params
        sums = norm(np.concatenate(gx, -1), gain_x, shift_x, cell.epsilon)
        sums = sums + norm(np.concatenate(gh, -1), gain_h, shift_h, cell.epsilon) + bias
        a = np.split(sums, 4, axis=-1)
    else:
        gains = np.split(params[3], 4)
        a = [norm(gx[k] + gh[k], gains[k], b[k], cell.epsilon) for k in range(4)]
    c = sigma(a[1]) * c + sigma(a[0]) * np.tanh(a[2]) * candidate
    if isinstance(cell, LSTM):
        return sigma(a[3]) * np.tanh(c), c
    normalized = norm(c, params[-2], params[-1], cell.epsilon)
    return sigma(a[3]) * np.tanh(normalized), normalized if cell.carry == "normalized" else c


def at(mask, t, gates=None):
    """Return a mask of step t; with ``gates``, a list of one for each."""
    if mask is None:
        return [1.0] * gates if gates else 1.0
    mask = np.asarray(mask, float)
    mask = mask[:, t if mask.shape[1] > 1 else 0]
    if gates is None:
        return mask
    return [mask[:, k] for k in range(gates)] if mask.ndim == 3 else [mask] * gates


def zone(value, t):
    if value is None:
        return 0.0
    return value if np.ndim(value) == 0 else at(value, t)


def run(cell, params, x, state=None, noise=None, steps=None):
    """Return the outputs, and the states h and c after every step."""
    noise = Noise() if noise is None else noise
    batch, hidden = len(x), params[1].shape[0]
    parts = (state if cell.memory else (state, None)) if state is not None else (np.zeros((batch, hidden)),) * 2
    h, c = parts
    outputs, hs, cs = [], [], []
    for t in range(x.shape[1]):
        masks = at(noise.recurrent, t, cell.gates)
        inputs = at(noise.input, t, cell.gates)
        new_h, new_c = one_step(cell, params, x[:, t], h, c, inputs, masks, at(noise.candidate, t))
        y = zone(noise.zone_h, t) * h + (1 - zone(noise.zone_h, t)) * new_h
        new_h = y * at(noise.state_h, t)
        if cell.memory:
            new_c = (zone(noise.zone_c, t) * c + (1 - zone(noise.zone_c, t)) * new_c) * at(noise.state_c, t)
        if steps is not None:
            there = steps[:, t, None]
            y, new_h = np.where(there, y, h), np.where(there, new_h, h)
            new_c = np.where(there, new_c, c) if cell.memory else None
        h, c = new_h, new_c
        outputs.append(y * at(noise.output, t))
        hs.append(h)
        cs.append(c)
    return np.stack(outputs, 1), np.stack(hs, 1), np.stack(cs, 1) if cell.memory else None


def problem(cell, seed=0, leads=(), sizes=(B, T, D, H)):
    """Return parameters away from zero, inputs and an initial state."""
    rng = np.random.default_rng(seed)
    batch, steps, inputs, hidden = sizes
    params = [p + 0.5 * rng.standard_normal(p.shape) for p in init(rng, cell, inputs, hidden, replicas=leads)]
    x = rng.standard_normal((*leads, batch, steps, inputs))
    state = tuple(0.7 * rng.standard_normal((*leads, batch, hidden)) for _ in range(1 + cell.memory))
    return params, x, state if cell.memory else state[0]


def multiplier(rng, shape):
    """Draw a mask of zeros and of 1 / keep, with at least one of each where there are two."""
    mask = (rng.random(shape) < 0.6) / 0.6
    mask.reshape(-1)[: min(2, mask.size)] = [0, 1 / 0.6][: mask.size]
    return mask


def noise_at(place, cell, seed=1, leads=(), sizes=(B, T, D, H)):
    """Draw noise at a place for a cell; None where the cell has no such place."""
    rng = np.random.default_rng(seed)
    batch, steps, inputs, hidden = sizes
    once, each = (*leads, batch, 1), (*leads, batch, steps)
    draw = {
        "none": lambda: {},
        "input": lambda: {"input": multiplier(rng, (*each, inputs))},
        "input sequence": lambda: {"input": multiplier(rng, (*once, inputs))},
        "input gates": lambda: {"input": multiplier(rng, (*each, cell.gates, inputs))},
        "recurrent": lambda: {"recurrent": multiplier(rng, (*each, hidden))},
        "recurrent sequence": lambda: {"recurrent": multiplier(rng, (*once, hidden))},
        "recurrent gates": lambda: {"recurrent": multiplier(rng, (*each, cell.gates, hidden))},
        "recurrent gates sequence": lambda: {"recurrent": multiplier(rng, (*once, cell.gates, hidden))},
        "candidate": lambda: {"candidate": multiplier(rng, (*each, hidden))},
        "state_h": lambda: {"state_h": multiplier(rng, (*each, hidden))},
        "state_h sequence": lambda: {"state_h": multiplier(rng, (*once, hidden))},
        "state_c": lambda: {"state_c": multiplier(rng, (*each, hidden))},
        "zone_h": lambda: {"zone_h": rng.random((*each, hidden)) < 0.4},
        "zone_c": lambda: {"zone_c": rng.random((*each, hidden)) < 0.4},
        "zone numbers": lambda: {"zone_h": 0.3} | ({"zone_c": 0.2} if cell.memory else {}),
        "output": lambda: {"output": multiplier(rng, (*each, hidden))},
    }
    if place != "all":
        chosen = draw[place]()
    else:
        chosen = draw["input gates"]() | draw["recurrent gates"]() | draw["state_h"]() | draw["zone_h"]()
        chosen |= draw["candidate"]() | draw["state_c"]() | draw["zone_c"]() | draw["output"]()
        chosen = {name: mask for name, mask in chosen.items() if allowed(name, cell)}
    return Noise(**chosen) if all(allowed(name, cell) for name in chosen) else None


def allowed(name, cell):
    return not ((name == "candidate" and not cell.candidate) or (name.endswith("_c") and not cell.memory))


CASES = [(name, place) for name, cell in CELLS.items() for place in PLACES if noise_at(place, cell) is not None]


def some_steps(batch=B, steps=T):
    """Draw a step mask: lengths that differ, and one hole."""
    lengths = np.random.default_rng(5).permutation(np.arange(1, batch + 1)) + steps - batch
    mask = np.arange(steps) < lengths[:, None]
    mask[0, 0] = False
    return mask
