"""Noise inside a recurrent layer: checked, laid out for the steps, and with the padding in it."""

from dataclasses import dataclass, fields

import numpy as np

from reglib._validate import as_array, by_place
from reglib.noise.affine import Noise

GATED = ("input", "recurrent")
ZONES = ("zone_h", "zone_c")
# These act outside of the steps, on the whole sequence, and may have an offset; an input with a mask a gate may not.
OUTSIDE = ("input", "output")


@dataclass(frozen=True, eq=False)
class Gains:
    """What multiplies at each place inside of the steps, (S, T, B, K) or (S, T, gates, B, K); None for no noise.

    At ``zone_h`` and ``zone_c`` it is the share of the new value.
    """

    input: np.ndarray | None = None
    recurrent: np.ndarray | None = None
    candidate: np.ndarray | None = None
    state_h: np.ndarray | None = None
    state_c: np.ndarray | None = None
    zone_h: np.ndarray | None = None
    zone_c: np.ndarray | None = None
    output: np.ndarray | None = None


PLACES = tuple(field.name for field in fields(Gains))


def places_of(cell):
    """Return the names of the places that a cell has."""
    return tuple(place for place in PLACES if not _lacks(place, cell))


def checked(noise, cell):
    """Return noise by place, a dict; complain about what is none and about places that the cell does not have."""
    noise = {} if noise is None else noise
    by_place("noise", noise, PLACES, Noise, "a Noise")
    for place, entry in noise.items():
        if lacks := _lacks(place, cell):
            raise ValueError(
                f"noise at {place!r} needs {lacks}, which {type(cell).__name__} does not have"
            )
        if entry.offset is not None and place not in OUTSIDE:
            raise ValueError(
                f"the noise at {place!r} must have a gain alone; an offset acts at input and output only"
            )
    return noise


def enter(noise, steps, cell, layout, inputs, hidden):
    """Return the gains in the inner layout, with the step mask in them.

    Parameters
    ----------
    noise : dict of Noise
        From `checked`.
    steps : ndarray of bool, (S or 1, T, B, 1), or None
        Where it is False, the old state is kept and nothing of it dropped: it is carried on.
    cell : RNN, LSTM, GRU or LayerNormLSTM
    layout : Layout
    inputs, hidden : int
        D and H.

    Returns
    -------
    Gains
    """
    inside = {}
    for place, entry in noise.items():
        width = inputs if place == "input" else hidden
        if entry.gain is not None:
            _check_shape(
                place, entry.gain, cell, layout, width, untied=place in GATED
            )
        if entry.offset is not None:
            _check_shape(place, entry.offset, cell, layout, width)
            if gated(entry, layout.leads):
                raise ValueError(
                    f"the noise at {place!r} must have no offset beside one mask a gate"
                )
        if entry.gain is not None and (
            place not in OUTSIDE or gated(entry, layout.leads)
        ):
            inside[place] = layout.enter_mask(entry.gain.astype(layout.dtype))
    if steps is not None:
        inside |= _carried(inside, steps, cell, layout.dtype)
    return Gains(**inside)


def gated(entry, leads):
    """Return whether noise has one mask a gate, on an axis of its own before the last."""
    return entry.gain is not None and entry.gain.ndim == len(leads) + 4


def enter_steps(steps, layout):
    """Return the step mask inside, (S, T, B, 1), or (1, T, B, 1) where all replicas share it; None for None."""
    if steps is None:
        return None
    steps = as_array("steps", steps)
    if steps.dtype != bool:
        raise TypeError(
            f"steps must be of bool, False where there is no step; got {steps.dtype}"
        )
    own, whole = (
        (layout.batch, layout.steps),
        (*layout.leads, layout.batch, layout.steps),
    )
    if steps.shape not in (own, whole):
        raise ValueError(
            f"steps must have shape {whole}, or {own} for all replicas; got {steps.shape}"
        )
    return steps.reshape(
        layout.replicas if steps.shape == whole else 1, *own, 1
    ).swapaxes(1, 2)


def one_step(noise, leads):
    """Return the noise of one step with a time axis of length 1 after ``leads`` leading axes and the batch."""

    def with_time(part):
        return (
            np.expand_dims(part, leads + 1)
            if part is not None and part.ndim > leads + 1
            else part
        )

    return {
        place: Noise(with_time(entry.gain), with_time(entry.offset))
        for place, entry in noise.items()
    }


def _lacks(place, cell):
    """Return what a place needs and the cell does not have, in words; None when nothing is missing."""
    if place == "candidate" and not cell.candidate:
        return "a candidate beside its state"
    return "a memory c" if place.endswith("_c") and not cell.memory else None


def _check_shape(place, part, cell, layout, width, *, untied=False):
    """Complain about noise whose axes are not those of the sequence, or, where it may be ``untied``, one more."""
    if part.ndim == 0:
        return
    shape, time = layout.outside(width), len(layout.leads) + 1
    if untied and part.ndim == len(shape) + 1:
        shape = (*shape[:-1], cell.gates, width)
    if part.ndim != len(shape):
        raise ValueError(
            f"the noise at {place!r} must have {len(shape)} axes, for it acts on {shape}; got shape {part.shape}"
        )
    if part.shape[time] not in (1, layout.steps):
        raise ValueError(
            f"the noise at {place!r} must have {layout.steps} entries along time, one a step, or 1 for the whole "
            f"sequence; got {part.shape[time]} in shape {part.shape}"
        )
    gates_wrong = len(shape) > time + 2 and part.shape[-2] != cell.gates
    if gates_wrong or any(
        length not in (1, full)
        for length, full in zip(part.shape, shape, strict=True)
    ):
        raise ValueError(
            f"the noise at {place!r} must broadcast to {shape} without enlarging it, got shape {part.shape}"
        )


def _carried(inside, steps, cell, dtype):
    """Return the gains that carry the state on where there is no step."""
    zones = ZONES if cell.memory else ("zone_h",)
    carried = {
        name: np.where(steps, inside.get(name, dtype.type(1)), dtype.type(0))
        for name in zones
    }
    for name in ("state_h", "state_c"):
        if name in inside:
            carried[name] = np.where(steps, inside[name], dtype.type(1))
    return carried
