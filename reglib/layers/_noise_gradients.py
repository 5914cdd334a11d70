"""The gradients of a recurrent layer with respect to its noise, of what its backward pass notes on the way.

With the equations at the head of `reglib.layers.recurrent`, and G(v) for the gradient with respect to v::

    input       G(seen x) * x          G(seen x) for an offset
    recurrent   G(seen h) * h_{t-1}
    candidate   G(candidate * g) * g, which the cell writes
    zone_h      G(y_t) * (h'_t - h_{t-1})
    zone_c      G(c_t / state_c) * (c'_t - c_{t-1})
    state_h     G(h_t) * y_t
    state_c     G(c_t) * c_t / state_c
    output      G(output) * y_t        G(output) for an offset

h'_t and c'_t, which zoneout has overwritten, are computed again. Where there is no step, only the output's noise acts.
"""

import numpy as np

from reglib.layers._noise import OUTSIDE, places_of
from reglib.layers._sequence import masked
from reglib.noise.affine import Noise, apply_backward, noise_gradient

# Where the state is carried on instead if there is no step.
CARRIED = ("state_h", "state_c", "zone_h", "zone_c")


def room(cache):
    """Return arrays for the gradients that the steps note, by place inside of them, in the inner layout."""
    cell, layout, hidden = cache.cell, cache.layout, cache.states[0].shape[-1]
    shape = layout.inside(hidden)
    shapes = {
        place: shape for place in places_of(cell) if place not in OUTSIDE
    }
    if _untied(cache.gains.recurrent):
        shapes["recurrent"] = (*shape[:2], cell.gates, *shape[2:])
    return {
        place: np.empty(shape, layout.dtype) for place, shape in shapes.items()
    }


def note(noted, t, **grads):
    """Write down the gradients of step t, by place; those at places that the cell does not have are left out."""
    for place, grad in grads.items():
        if place in noted:
            noted[place][:, t] = grad


def input_gradient(cache, seen):
    """Return the gradient of x in its shape, from that of x as the products see it: through the noise."""
    if _untied(cache.gains.input):
        seen = (seen * cache.gains.input).sum(axis=2)
    grad = _leave_input(cache, seen)
    if cache.gains.input is None:
        grad = apply_backward(cache.noise.get("input"), grad)
    return grad.sum(axis=tuple(range(grad.ndim - cache.real.ndim)))


def noise_gradients(cache, noted, seen, grad_output):
    """Return the gradients with respect to the noise, a `Noise` by place.

    ``noted`` are the arrays of `room`, filled; ``seen`` is the gradient of x as the products see it, ``grad_output``
    that of the output, None for zeros.
    """
    layout, old, new = cache.layout, _old(cache.states), _new(cache)
    zoned = {
        part: _mixed(
            getattr(cache.gains, f"zone_{part}"), old[part], new[part]
        )
        for part in new
    }
    factors = {
        "recurrent": old["h"][:, :, None]
        if _untied(cache.gains.recurrent)
        else old["h"],
        "candidate": 1,
    }
    for part in new:
        factors[f"zone_{part}"] = new[part] - old[part]
        factors[f"state_{part}"] = zoned[part]
    found = {"input": _of_input(cache, seen)}
    for place, grad in noted.items():
        gain = grad * factors[place]
        if place in CARRIED and cache.there is not None:
            gain = np.where(cache.there, gain, gain.dtype.type(0))
        found[place] = Noise(layout.leave(gain))
    y = layout.leave(zoned["h"])
    if grad_output is None:
        grad_output = np.zeros_like(y)
    found["output"] = noise_gradient(np.asarray(grad_output, layout.dtype), y)
    return found


def _of_input(cache, seen):
    """Return the gradient with respect to the noise of the input."""
    if _untied(cache.gains.input):
        return Noise(cache.layout.leave(seen * cache.x[:, :, None]))
    return noise_gradient(_leave_input(cache, seen), cache.real)


def _leave_input(cache, seen):
    """Return (S, T, B, D) as (..., B, T, D), summed over the replicas where they share what they see."""
    if len(cache.x) < len(seen):
        seen = seen.sum(axis=0)
        return seen.swapaxes(0, 1)
    return cache.layout.leave(seen)


def _untied(gain):
    """Return whether a gain inside has one mask a gate."""
    return gain is not None and gain.ndim == 5


def _old(states):
    """Return the states before every step, by name."""
    return {
        part: array[:, :-1] for part, array in zip("hc", states, strict=False)
    }


def _new(cache):
    """Return the states that the cell computes at every step from the ones before, by name."""
    cell, at, old = cache.cell, cache.gains, _old(cache.states)
    new = {part: np.empty_like(array) for part, array in old.items()}
    gates = cell.project(cache.params, cache.x, at.input)
    for t in range(cache.layout.steps):
        h, c = old["h"][:, t], _at(old.get("c"), t)
        cell.step(
            cache.weights,
            gates[:, t],
            masked(h, _at(at.recurrent, t)),
            h,
            c,
            _at(at.candidate, t),
            new["h"][:, t],
            _at(new.get("c"), t),
            [np.empty_like(array[:, t]) for array in cache.keep],
        )
    return new


def _mixed(share, old, new):
    """Return share * new + (1 - share) * old, the new one where there is no zoneout."""
    return new if share is None else share * new + (1 - share) * old


def _at(array, t):
    """Return an array's step t, None of None."""
    return None if array is None else array[:, t]
