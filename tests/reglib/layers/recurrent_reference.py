"""Recurrent networks written out gate by gate and step by step, not for speed: what the fast code must equal.

One model, no replicas: x is (B, T, D), noise is (B, T, H), or (B, T, G, H) for one mask a gate.
"""

import numpy as np

from reglib.layers.cells import GRU, LSTM, RNN
from reglib.layers.layer_norm_lstm import LayerNormLSTM
from reglib.layers.recurrent import init
from reglib.noise.affine import Noise

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
    "none", "input", "input sequence", "input gates", "input affine", "input offset", "recurrent", "recurrent sequence",
    "recurrent gates", "recurrent gates sequence", "candidate", "state_h", "state_h sequence", "state_c", "zone_h",
    "zone_c", "zone numbers", "output", "output affine", "output offset", "all",
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
    gx = gate_products(x, params["w_x"], input_masks, cell.gates)
    gh = gate_products(h, params["w_h"], masks, cell.gates)
    b = np.split(params["b"], cell.gates)
    if isinstance(cell, RNN):
        return np.tanh(gx[0] + gh[0] + b[0]), None
    if isinstance(cell, GRU):
        r, z = (sigma(gx[k] + gh[k] + b[k]) for k in range(2))
        if cell.reset_after:
            n = np.tanh(gx[2] + b[2] + r * (gh[2] + params["b_h"]))
        else:
            n = np.tanh(gx[2] + b[2] + (r * h * masks[2]) @ params["w_h"][:, 2 * H :])
        return (1 - z) * n * candidate + z * h, None
    if isinstance(cell, LSTM):
        a = [gx[k] + gh[k] + b[k] for k in range(4)]
    elif cell.norm == "products":
        sums = norm(np.concatenate(gx, -1), params["gain_x"], params["shift_x"], cell.epsilon)
        sums = sums + norm(np.concatenate(gh, -1), params["gain_h"], params["shift_h"], cell.epsilon) + params["b"]
        a = np.split(sums, 4, axis=-1)
    else:
        gains = np.split(params["gain"], 4)
        a = [norm(gx[k] + gh[k], gains[k], b[k], cell.epsilon) for k in range(4)]
    c = sigma(a[1]) * c + sigma(a[0]) * np.tanh(a[2]) * candidate
    if isinstance(cell, LSTM):
        return sigma(a[3]) * np.tanh(c), c
    normalized = norm(c, params["gain_c"], params["shift_c"], cell.epsilon)
    return sigma(a[3]) * np.tanh(normalized), normalized if cell.carry == "normalized" else c


def at(noise, place, t, part="gain"):
    """Return a part of the noise at a place and a step: one that does nothing where there is none."""
    array = getattr(noise[place], part) if place in noise else None
    if array is None or array.ndim == 0:
        return {"gain": 1.0, "offset": 0.0}[part] if array is None else array
    return array[:, t if array.shape[1] > 1 else 0]


def for_gates(mask, gates):
    """Return one mask for each gate."""
    return [mask[:, k] for k in range(gates)] if np.ndim(mask) == 3 else [mask] * gates


def run(cell, params, x, state=None, noise=None, steps=None):
    """Return the outputs, and the states h and c after every step."""
    noise = {} if noise is None else noise
    batch, hidden = len(x), params["w_h"].shape[0]
    parts = (state if cell.memory else (state, None)) if state is not None else (np.zeros((batch, hidden)),) * 2
    h, c = parts
    outputs, hs, cs = [], [], []
    for t in range(x.shape[1]):
        masks, inputs = (for_gates(at(noise, place, t), cell.gates) for place in ("recurrent", "input"))
        seen = x[:, t]
        if np.ndim(at(noise, "input", t)) < 3:
            seen, inputs = at(noise, "input", t) * seen + at(noise, "input", t, "offset"), [1.0] * cell.gates
        new_h, new_c = one_step(cell, params, seen, h, c, inputs, masks, at(noise, "candidate", t))
        share_h, share_c = at(noise, "zone_h", t), at(noise, "zone_c", t)
        y = share_h * new_h + (1 - share_h) * h
        new_h = y * at(noise, "state_h", t)
        if cell.memory:
            new_c = (share_c * new_c + (1 - share_c) * c) * at(noise, "state_c", t)
        if steps is not None:
            there = steps[:, t, None]
            y, new_h = np.where(there, y, h), np.where(there, new_h, h)
            new_c = np.where(there, new_c, c) if cell.memory else None
        h, c = new_h, new_c
        outputs.append(at(noise, "output", t) * y + at(noise, "output", t, "offset"))
        hs.append(h)
        cs.append(c)
    return np.stack(outputs, 1), np.stack(hs, 1), np.stack(cs, 1) if cell.memory else None


def problem(cell, seed=0, leads=(), sizes=(B, T, D, H)):
    """Return parameters away from zero, inputs and an initial state."""
    rng = np.random.default_rng(seed)
    batch, steps, inputs, hidden = sizes
    params = init(rng, cell, inputs, hidden, replicas=leads)
    params = {name: p + 0.5 * rng.standard_normal(p.shape) for name, p in params.items()}
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
    zone = lambda: Noise(1.0 - (rng.random((*each, hidden)) < 0.4))  # noqa: E731
    affine = lambda width: Noise(multiplier(rng, (*each, width)), rng.standard_normal((*each, width)))  # noqa: E731
    draw = {
        "none": lambda: {},
        "input": lambda: {"input": Noise(multiplier(rng, (*each, inputs)))},
        "input sequence": lambda: {"input": Noise(multiplier(rng, (*once, inputs)))},
        "input gates": lambda: {"input": Noise(multiplier(rng, (*each, cell.gates, inputs)))},
        "input affine": lambda: {"input": affine(inputs)},
        "input offset": lambda: {"input": Noise(offset=rng.standard_normal((*once, inputs)))},
        "recurrent": lambda: {"recurrent": Noise(multiplier(rng, (*each, hidden)))},
        "recurrent sequence": lambda: {"recurrent": Noise(multiplier(rng, (*once, hidden)))},
        "recurrent gates": lambda: {"recurrent": Noise(multiplier(rng, (*each, cell.gates, hidden)))},
        "recurrent gates sequence": lambda: {"recurrent": Noise(multiplier(rng, (*once, cell.gates, hidden)))},
        "candidate": lambda: {"candidate": Noise(multiplier(rng, (*each, hidden)))},
        "state_h": lambda: {"state_h": Noise(multiplier(rng, (*each, hidden)))},
        "state_h sequence": lambda: {"state_h": Noise(multiplier(rng, (*once, hidden)))},
        "state_c": lambda: {"state_c": Noise(multiplier(rng, (*each, hidden)))},
        "zone_h": lambda: {"zone_h": zone()},
        "zone_c": lambda: {"zone_c": zone()},
        "zone numbers": lambda: {"zone_h": Noise(0.7)} | ({"zone_c": Noise(0.8)} if cell.memory else {}),
        "output": lambda: {"output": Noise(multiplier(rng, (*each, hidden)))},
        "output affine": lambda: {"output": affine(hidden)},
        "output offset": lambda: {"output": Noise(offset=rng.standard_normal((*each, hidden)))},
    }
    if place != "all":
        chosen = draw[place]()
    else:
        chosen = draw["input gates"]() | draw["recurrent gates"]() | draw["state_h"]() | draw["zone_h"]()
        chosen |= draw["candidate"]() | draw["state_c"]() | draw["zone_c"]() | draw["output affine"]()
        chosen = {name: noise for name, noise in chosen.items() if allowed(name, cell)}
    return chosen if all(allowed(name, cell) for name in chosen) else None


def allowed(name, cell):
    return not ((name == "candidate" and not cell.candidate) or (name.endswith("_c") and not cell.memory))


def taken(noise, index):
    """Return the noise at an index of its arrays, the part of one replica for instance."""
    parts = ((place, entry.gain, entry.offset) for place, entry in noise.items())
    return {
        place: Noise(*(part if part is None or part.ndim == 0 else part[index] for part in pair))
        for place, *pair in parts
    }


CASES = [(name, place) for name, cell in CELLS.items() for place in PLACES if noise_at(place, cell) is not None]


def some_steps(batch=B, steps=T):
    """Draw a step mask: lengths that differ, and one hole."""
    lengths = np.random.default_rng(5).permutation(np.arange(1, batch + 1)) + steps - batch
    mask = np.arange(steps) < lengths[:, None]
    mask[0, 0] = False
    return mask
