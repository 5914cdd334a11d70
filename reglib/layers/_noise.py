"""Noise in recurrent networks: which array multiplies at which place, and on what schedule.

`reglib.layers.recurrent` uses it; nothing here draws (`reglib.noise.masks` does).
"""

from dataclasses import dataclass, fields, replace

import numpy as np

from reglib._validate import float_array


@dataclass(frozen=True)
class Noise:
    r"""What multiplies, and where: dropout by place. Every field is None or a mask.

    A mask has one axis for each of the sequence, (..., B, T, H), replica axes included; length 1 shares it along that
    axis. Its time axis decides the schedule: T for a draw at every step, 1 for one draw a sequence. For `step` there
    is no time axis. Masks of dropout are multipliers, scaled by whoever draws them (`reglib.noise.dropout.multiplier`).

    - ``input`` and ``output``: the non-recurrent connections alone, per step in Zaremba et al. (2014).
    - ``recurrent``: on h_{t-1} as the products see it, not on the h that is carried on. Once a sequence it is the
      variational dropout of Gal and Ghahramani (2016), together with such an ``input``. With one more axis before the
      last, (..., B, T, gates, H), each gate has its own mask ("untied"), as in Keras' ``recurrent_dropout``; ``input``
      may have it too.
    - ``candidate``: on the candidate g of an LSTM, or n of a GRU, alone (Semeniuta et al. 2016).
    - ``state_h``, ``state_c``: on the state that leaves the step, not on its output, as in TensorFlow's
      ``DropoutWrapper``.
    - ``zone_h``, ``zone_c``: zoneout (Krueger et al. 2017). True keeps the old value. A number in [0, 1], or an array
      of them, mixes old and new: with the probability of True that is what zoneout does at inference. The h of the
      step is computed from the new c before it is zoned out.
    """

    input: np.ndarray | None = None
    recurrent: np.ndarray | None = None
    candidate: np.ndarray | None = None
    state_h: np.ndarray | None = None
    state_c: np.ndarray | None = None
    zone_h: np.ndarray | float | None = None
    zone_c: np.ndarray | float | None = None
    output: np.ndarray | None = None


GATED = ("input", "recurrent")
ZONES = ("zone_h", "zone_c")


def enter(noise, steps, cell, layout, inputs, hidden):
    """Return the noise in the inner layout, checked, with the step mask in it.

    Parameters
    ----------
    noise : Noise
    steps : ndarray of bool or None
        Where it is False, zoneout keeps everything and state dropout nothing drops: the state is carried on.
    cell : RNN, LSTM, GRU or LayerNormLSTM
    layout : Layout
    inputs, hidden : int
        D and H.

    Returns
    -------
    Noise
        Its arrays are (S, T, B, K), or (S, T, gates, B, K) with one mask a gate.
    """
    if not isinstance(noise, Noise):
        raise TypeError(f"noise must be a Noise, got {noise!r}")
    inside = {}
    for name in (field.name for field in fields(noise)):
        value = getattr(noise, name)
        if value is not None:
            _check_place(name, cell)
            mask = _zone(name, value) if name in ZONES else float_array(f"noise.{name}", value, finite=False)
            width = inputs if name == "input" else hidden
            inside[name] = layout.enter_mask(_checked(name, mask, cell, layout, width).astype(layout.dtype))
    if steps is not None:
        inside |= _carried(inside, _steps(steps, layout), cell, layout.dtype)
    return Noise(**inside)


def one_step(noise, leads):
    """Return the noise of one step with a time axis of length 1 after ``leads`` leading axes and the batch."""
    if not isinstance(noise, Noise):
        raise TypeError(f"noise must be a Noise, got {noise!r}")
    present = {field.name: getattr(noise, field.name) for field in fields(noise)}
    return replace(noise, **{k: np.expand_dims(m, leads + 1) for k, m in present.items() if np.ndim(m) > leads + 1})


def _check_place(name, cell):
    """Complain about a place that the cell does not have."""
    if (name == "candidate" and not cell.candidate) or (name.endswith("_c") and not cell.memory):
        what = "a candidate beside its state" if name == "candidate" else "a memory c"
        raise ValueError(f"noise.{name} needs {what}, which {type(cell).__name__} does not have")


def _zone(name, value):
    """Return zoneout as floats: bools, or numbers in [0, 1]."""
    mask = np.asarray(value)
    if mask.dtype != bool and (mask.dtype.kind != "f" or not ((mask >= 0) & (mask <= 1)).all()):
        raise TypeError(
            f"noise.{name} must be of bool (True keeps the old value), or floats in [0, 1]; got {mask.dtype}"
        )
    return mask


def _checked(name, mask, cell, layout, width):
    """Return a mask whose axes are those of the sequence, or one more for the gates."""
    if mask.ndim == 0 and name in ZONES:
        return mask
    shape, time = layout.outside(width), len(layout.leads) + 1
    if name in GATED and mask.ndim == len(shape) + 1:
        shape = (*shape[:-1], cell.gates, width)
    if mask.ndim != len(shape):
        raise ValueError(f"noise.{name} must have {len(shape)} axes, for it acts on {shape}; got shape {mask.shape}")
    if mask.shape[time] not in (1, layout.steps):
        raise ValueError(
            f"noise.{name} must have {layout.steps} entries along time, one a step, or 1 for the whole sequence; "
            f"got {mask.shape[time]} in shape {mask.shape}"
        )
    gates_wrong = len(shape) > time + 2 and mask.shape[-2] != cell.gates
    if gates_wrong or any(length not in (1, full) for length, full in zip(mask.shape, shape, strict=True)):
        raise ValueError(f"noise.{name} must broadcast to {shape} without enlarging it, got shape {mask.shape}")
    return mask


def _steps(steps, layout):
    """Return the step mask inside, (S, T, B, 1)."""
    steps = np.asarray(steps)
    if steps.dtype != bool:
        raise TypeError(f"steps must be of bool, False where there is no step; got {steps.dtype}")
    own, whole = (layout.batch, layout.steps), (*layout.leads, layout.batch, layout.steps)
    if steps.shape not in (own, whole):
        raise ValueError(f"steps must have shape {whole}, or {own} for all replicas; got {steps.shape}")
    return steps.reshape(layout.replicas if steps.shape == whole else 1, *own, 1).swapaxes(1, 2)


def _carried(inside, steps, cell, dtype):
    """Return the noise that carries the state on where there is no step."""
    zones = ("zone_h", "zone_c") if cell.memory else ("zone_h",)
    carried = {name: np.where(steps, inside.get(name, dtype.type(0)), dtype.type(1)) for name in zones}
    for name in ("state_h", "state_c"):
        if name in inside:
            carried[name] = np.where(steps, inside[name], dtype.type(1))
    return carried
