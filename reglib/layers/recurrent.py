r"""Recurrent networks over whole sequences, backpropagation through time, and noise at every place.

Sequences have shape (..., B, T, D): batch, steps, inputs, with leading axes for replicas as in `reglib.layers.dense`.
A cell (`reglib.layers.cells`, `reglib.layers.layer_norm_lstm`) computes one step; everything around it is here, the
same for every cell. With y_t the output and (h_t, c_t) the state that is carried on (c for an LSTM only), step t does::

    h'_t, c'_t = cell(input * x_t, recurrent * h_{t-1}, h_{t-1}, c_{t-1}; candidate),
    y_t = zone_h h'_t + (1 - zone_h) h_{t-1},
    h_t = state_h y_t,
    c_t = state_c (zone_c c'_t + (1 - zone_c) c_{t-1}),

and returns output * y_t. The words are the places of noise, and stand for its gain; without noise y_t = h_t = h'_t
and c_t = c'_t.

- ``input`` and ``output``: the non-recurrent connections alone, per step in Zaremba et al. (2014). Here noise may have
  an offset, too.
- ``recurrent``: on h_{t-1} as the products see it, not on the h that is carried on. Once a sequence it is the
  variational dropout of Gal and Ghahramani (2016), together with such an ``input``. With one more axis before the
  last, (..., B, T, gates, H), each gate has its own mask ("untied"), as in Keras' ``recurrent_dropout``; ``input``
  may have it too.
- ``candidate``: on the candidate g of an LSTM, or n of a GRU, alone (Semeniuta et al. 2016).
- ``state_h``, ``state_c``: on the state that leaves the step, not on its output, as in TensorFlow's
  ``DropoutWrapper``.
- ``zone_h``, ``zone_c``: zoneout (Krueger et al. 2017). The gain is the share of the new value, 0 where the old one is
  kept. The h of the step is computed from the new c before it is zoned out.

Noise has one axis for each of the sequence, (..., B, T, K), replica axes included; length 1 shares it along that axis.
Its time axis decides the schedule: T for a draw at every step, 1 for one draw a sequence. For `step` there is no time
axis.

Where there is no step (``steps``), the state is carried on, whatever the noise, and y_t = h_{t-1}; what x holds there
reaches nothing. A sequence of no steps at all, T = 0, is legal: its final state is its initial state.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from reglib._replicas import drawn
from reglib._validate import (
    boolean,
    float_array,
    float_type,
    instance,
    integer,
    number,
)
from reglib.layers._noise import (
    Gains,
    checked,
    enter,
    enter_steps,
    one_step,
    places_of,
)
from reglib.layers._noise_gradients import (
    input_gradient,
    noise_gradients,
    note,
    room,
)
from reglib.layers._sequence import (
    Layout,
    checked_cell,
    checked_params,
    enter_gradient,
    groups,
    leading_axes,
    leave_state,
    masked,
    masked_backward,
    merged,
    of_group,
    start_state,
)
from reglib.noise.affine import apply


@dataclass(frozen=True)
class Cache:
    """What `backward` needs of `forward`. Arrays have the inner layout (S, T, B, K); `h` and `c` show the states.

    ``cell`` and ``params`` are those of `forward`; ``layout``, ``x``, ``gains`` and ``there``, the step mask, are its
    checked arguments, and ``noise`` is its own; ``weights``, ``gates``, ``keep`` and ``states`` hold what the steps
    use and compute. ``real`` is x outside, without its noise and its padding, and ``shapes`` are those of the
    parameters, by name.
    """

    cell: Any
    params: list
    layout: Layout
    x: np.ndarray
    gains: Gains
    noise: dict
    weights: tuple
    gates: np.ndarray
    keep: tuple
    states: tuple
    there: np.ndarray | None
    real: np.ndarray
    shapes: dict

    @property
    def h(self):
        """The carried h after every step, (..., B, T, H): under state dropout not the same as the output."""
        return self.layout.leave(self.states[0][:, 1:])

    @property
    def c(self):
        """The carried c after every step, (..., B, T, H); None for a cell without it."""
        return (
            self.layout.leave(self.states[1][:, 1:])
            if self.cell.memory
            else None
        )

    def of(self, group):
        """Return the cache of some replicas, a slice: views of the arrays that are not shared."""

        def own(arrays):
            return tuple(
                of_group(array, group, self.layout.replicas)
                for array in arrays
            )

        return replace(
            self,
            gains=Gains(*own(vars(self.gains).values())),
            weights=own(self.weights),
            gates=self.gates[group],
            keep=own(self.keep),
            states=own(self.states),
        )


def init(
    rng,
    cell,
    inputs,
    hidden,
    *,
    forget_bias=1.0,
    replicas=(),
    dtype=np.float64,
):
    """Draw the parameters of a cell: weights from U(-1 / sqrt(H), 1 / sqrt(H)), as PyTorch does.

    Biases start at 0, but for the forget gate of an LSTM at ``forget_bias`` (1 after Jozefowicz et al. 2015; PyTorch
    has no such default). Gains of layer normalization start at 1.

    Parameters
    ----------
    rng : numpy.random.Generator, or list of them
        A list holds one a replica, each of which draws what it would draw alone.
    cell : a cell of `reglib.layers.cells` or `reglib.layers.layer_norm_lstm`
    inputs : int
        D.
    hidden : int
        H.
    forget_bias : float
    replicas : tuple of int
        Leading axes, ``(S,)`` for S models drawn independently; left out where ``rng`` is a list.
    dtype : numpy.float64 or numpy.float32

    Returns
    -------
    dict of ndarray
        With the names and the shapes of ``cell.shapes(inputs, hidden)``, after the replica axes.
    """
    checked_cell(cell)
    inputs, hidden = (
        integer("inputs", inputs, low=1),
        integer("hidden", hidden, low=1),
    )
    forget_bias, dtype = number("forget_bias", forget_bias), float_type(dtype)

    def draw(rng, replicas):
        params = {}
        for name, shape in cell.shapes(inputs, hidden).items():
            shape = (*replicas, *shape)
            if name.startswith("w"):
                array = rng.uniform(-1, 1, shape) / np.sqrt(hidden)
            else:
                array = np.full(shape, float(name.startswith("gain")))
                if name == "b" and cell.memory:
                    array[..., hidden : 2 * hidden] = forget_bias
            params[name] = array.astype(dtype)
        return params

    return drawn(draw, rng, replicas)


def places(cell, params, x):
    """Return the shape of the activations at each place of noise that the cell has, for `reglib.noise.places.draw`.

    ``cell``, ``params`` and ``x`` are those of `forward`; every shape is (..., B, T, D or H).
    """
    x, params = _checked(cell, params, x)
    leads = params["w_x"].shape[:-2] or x.shape[:-3]
    (batch, steps, inputs), hidden = x.shape[-3:], params["w_h"].shape[-2]
    return {
        place: (*leads, batch, steps, inputs if place == "input" else hidden)
        for place in places_of(cell)
    }


def forward(cell, params, x, state=None, *, noise=None, steps=None):
    """Run a cell over whole sequences.

    Parameters
    ----------
    cell : a cell of `reglib.layers.cells` or `reglib.layers.layer_norm_lstm`
    params : dict of ndarray
        As ``cell.shapes`` says, each with the same leading axes.
    x : ndarray, (..., B, T, D)
        With the leading axes of the parameters; x without them is shared by all replicas, and so are parameters
        without them.
    state : ndarray or (ndarray, ndarray), optional
        The initial h, or (h, c) for an LSTM, each (..., B, H); zeros by default.
    noise : dict of Noise, optional
        By place.
    steps : ndarray of bool, optional
        (..., B, T) or (B, T), False where the sequence has no step: padding. What x holds there does not matter.

    Returns
    -------
    output : ndarray, (..., B, T, H)
        Not to be changed in place: without noise it is a view of the states that the cache needs.
    state : ndarray or (ndarray, ndarray)
        The final state, in the form of the argument.
    cache : Cache
        For `backward`; its ``h`` and ``c`` are the carried states.

    Raises
    ------
    TypeError
        For arrays of another kind of numbers, and a state of another form.
    ValueError
        For shapes that do not fit together, noise of another schedule than T or 1, and noise at a place that the
        cell does not have.
    """
    cache = _prepared(cell, params, x, state, noise, steps)
    h, layout, at = cache.states[0], cache.layout, cache.gains
    y = h[:, 1:] if at.state_h is None else np.empty_like(h[:, 1:])
    for group in _groups(cache):
        _forward(cache.of(group), y[group])
    y = apply(cache.noise.get("output"), layout.leave(y))
    return (
        y,
        leave_state(
            [array[:, -1] for array in cache.states], cache.cell, layout
        ),
        cache,
    )


def _forward(cache, y):
    """Run the steps of some replicas: fill y, and the cache with the gates and the states."""
    cell, at = cache.cell, cache.gains
    h, c = cache.states if cell.memory else (cache.states[0], None)
    for t in range(y.shape[1]):
        old_h, old_c = h[:, t], _at(c, t)
        new_h, new_c = y[:, t], _at(c, t + 1)
        h_in = masked(old_h, _at(at.recurrent, t))
        keep = [array[:, t] for array in cache.keep]
        cell.step(
            cache.weights,
            cache.gates[:, t],
            h_in,
            old_h,
            old_c,
            _at(at.candidate, t),
            new_h,
            new_c,
            keep,
        )
        _zone(_at(at.zone_h, t), old_h, new_h)
        _zone(_at(at.zone_c, t), old_c, new_c)
        if at.state_h is not None:
            np.multiply(new_h, at.state_h[:, t], out=h[:, t + 1])
        if at.state_c is not None:
            new_c *= at.state_c[:, t]


def backward(
    cache, grad_output=None, grad_state=None, *, everything=False
) -> Any:
    """Backpropagation through time: the gradients of x, of all parameters, and of the initial state.

    Parameters
    ----------
    cache : Cache
        From `forward`; it holds the noise, so the backward pass cannot use another one.
    grad_output : ndarray, (..., B, T, H), optional
        The gradient with respect to the output; zeros by default.
    grad_state : ndarray or (ndarray, ndarray), optional
        The gradient with respect to the final state, in its form; zeros by default.
    everything : bool
        Return the gradients with respect to the noise, too.

    Returns
    -------
    grad_x : ndarray
        In the shape of x.
    grads : dict of ndarray
        In the shapes of the parameters.
    grad_state : ndarray or (ndarray, ndarray)
        With respect to the initial state, each (..., B, H), even when the initial state was left out.
    grad_noise : dict of Noise
        Only with ``everything``: of the gain at every place of the cell, and of the offset at ``input`` and
        ``output``, in the shape of the activations. Under one mask a gate it is (..., B, T, gates, K), and that of
        the input has no offset. For an x that replicas share, and without noise there, it is summed over them.
    """
    instance("cache", cache, Cache, "that of forward")
    boolean("everything", everything)
    cell, layout, h = cache.cell, cache.layout, cache.states[0]
    hidden = h.shape[-1]
    grad_y = enter_gradient(
        grad_output, layout, hidden, cache.noise.get("output")
    )
    ends = start_state("grad_state", grad_state, cell, layout, hidden)
    starts = [np.empty_like(end) for end in ends]
    grad_a = np.empty(
        layout.inside((cell.gates + cell.scratch) * hidden), layout.dtype
    )
    noted = room(cache) if everything else {}
    for group in _groups(cache):
        grad_start = _backward(
            cache.of(group),
            _of(grad_y, group),
            [end[group] for end in ends],
            grad_a[group],
            {place: array[group] for place, array in noted.items()},
        )
        for start, gradient in zip(starts, grad_start, strict=True):
            start[group] = gradient
    seen, grads = cell.gradients(
        cache.params,
        cache.x,
        cache.gains.input,
        h[:, :-1],
        cache.gains.recurrent,
        cache.gates,
        cache.keep,
        grad_a,
    )
    grads = {
        name: grad.reshape(shape)
        for (name, shape), grad in zip(
            cache.shapes.items(), grads, strict=True
        )
    }
    found = input_gradient(cache, seen), grads
    found = *found, leave_state(starts, cell, layout)
    if everything:
        return *found, noise_gradients(cache, noted, seen, grad_output)
    return found


def _backward(cache, grad_y, grad_end, grad_a, noted):
    """Run the steps of some replicas backwards: fill grad_a and noted, return the gradient of their initial state."""
    cell, at = cache.cell, cache.gains
    h, c = cache.states if cell.memory else (cache.states[0], None)
    grad_h, grad_c = grad_end if cell.memory else (grad_end[0], None)
    for t in reversed(range(grad_a.shape[1])):
        old_h, old_c, mask = h[:, t], _at(c, t), _at(at.recurrent, t)
        gates, keep = cache.gates[:, t], [array[:, t] for array in cache.keep]
        after_h, after_c = grad_h, grad_c
        grad_h = grad_h if at.state_h is None else grad_h * at.state_h[:, t]
        grad_c = grad_c if at.state_c is None else grad_c * at.state_c[:, t]
        grad_h = grad_h if grad_y is None else grad_h + grad_y[:, t]
        zoned_h, zoned_c = grad_h, grad_c
        grad_h, around_h = _zone_backward(_at(at.zone_h, t), grad_h)
        grad_c, around_c = _zone_backward(_at(at.zone_c, t), grad_c)
        h_in, candidate = masked(old_h, mask), _at(at.candidate, t)
        grad_in, grad_h, grad_c = cell.step_backward(
            cache.weights,
            gates,
            h_in,
            old_h,
            old_c,
            candidate,
            keep,
            grad_h,
            grad_c,
            grad_a[:, t],
            _at(noted.get("candidate"), t),
        )
        if noted:
            note(
                noted,
                t,
                recurrent=grad_in,
                state_h=after_h,
                state_c=after_c,
                zone_h=zoned_h,
                zone_c=zoned_c,
            )
        grad_h = _sum(masked_backward(grad_in, mask), grad_h, around_h)
        grad_c = _sum(grad_c, around_c)
    return (grad_h, grad_c) if cell.memory else (grad_h,)


def step(cell, params, x, state=None, *, noise=None):
    """Run a cell for one step: `forward` for sequences of length 1, without the time axis.

    ``cell``, ``params`` and ``state`` are those of `forward`; ``x`` is (..., B, D), and the arrays of ``noise`` are
    (..., B, H), or (..., B, gates, H). Returns the output (..., B, H), the new state, and the cache that
    `step_backward` needs.
    """
    x = float_array("x", x, finite=False)
    if x.ndim < 2:
        raise ValueError(f"x must have shape (..., B, D), got {x.shape}")
    checked_cell(cell)
    leads = x.shape[:-2] or checked_params(cell, params, x)["w_x"].shape[:-2]
    noise = one_step(checked(noise, cell), len(leads))
    output, state, cache = forward(
        cell, params, x[..., None, :], state, noise=noise
    )
    return output[..., 0, :], state, cache


def step_backward(cache, grad_output=None, grad_state=None):
    """Return the gradients of x, of all parameters and of the state before the step, through `step`.

    ``cache`` comes from `step`; ``grad_output`` is (..., B, H), and ``grad_state`` has the form of the state.
    """
    if grad_output is not None:
        grad_output = np.atleast_1d(
            float_array("grad_output", grad_output, finite=False)
        )[..., None, :]
    grad_x, grads, grad_state = backward(cache, grad_output, grad_state)
    return grad_x[..., 0, :], grads, grad_state


def _checked(cell, params, x):
    """Return sequences and the parameters of a cell, as arrays whose shapes fit together."""
    checked_cell(cell)
    x = float_array("x", x, finite=False)
    if x.ndim < 3:
        raise ValueError(f"x must have shape (..., B, T, D), got {x.shape}")
    return x, checked_params(cell, params, x)


def _prepared(cell, params, x, state, noise, steps):
    """Check the arguments of `forward` and lay them out: a cache whose arrays wait to be filled."""
    x, params = _checked(cell, params, x)
    leads, hidden = leading_axes(x, params["w_x"]), params["w_h"].shape[-2]
    batch, length = x.shape[-3:-1]
    layout = Layout(leads, batch, length, np.result_type(x, *params.values()))
    noise, there = checked(noise, cell), enter_steps(steps, layout)
    gains = enter(noise, there, cell, layout, x.shape[-1], hidden)
    own = len(params["w_x"].shape[:-2])
    flat = [
        merged(array, array.ndim - own, layout.dtype)
        for array in params.values()
    ]
    real = (
        x
        if steps is None
        else np.where(np.asarray(steps)[..., None], x, x.dtype.type(0))
    )
    inside = layout.enter(
        real if gains.input is not None else apply(noise.get("input"), real)
    )
    tied = gains.recurrent is None or gains.recurrent.ndim == 4
    states = tuple(
        np.empty(layout.inside(hidden, extra=1), layout.dtype)
        for _ in range(1 + cell.memory)
    )
    for array, start in zip(
        states, start_state("state", state, cell, layout, hidden), strict=True
    ):
        array[:, 0] = start
    return Cache(
        cell=cell,
        params=flat,
        layout=layout,
        x=inside,
        gains=gains,
        noise=noise,
        weights=cell.prepare(flat, tied),
        gates=cell.project(flat, inside, gains.input),
        keep=tuple(
            np.empty(layout.inside(width), layout.dtype)
            for width in cell.kept(hidden)
        ),
        states=states,
        there=there,
        real=real,
        shapes={name: array.shape for name, array in params.items()},
    )


def _groups(cache):
    """Return the groups of replicas that take their steps together."""
    return groups(cache.layout.replicas, cache.gates[0, :1].nbytes)


def _of(array, group):
    """Return the part of a group, None of None."""
    return None if array is None else array[group]


def _at(mask, t):
    """Return the mask of step t."""
    return None if mask is None else mask[:, t]


def _zone(share, old, new):
    """Do new = share * new + (1 - share) * old."""
    if share is not None:
        new *= share
        new += (1 - share) * old


def _zone_backward(share, grad):
    """Return the gradient of the new value, and that of the old one, None where there is no zoneout."""
    return (
        (grad, None) if share is None else (grad * share, grad * (1 - share))
    )


def _sum(*grads):
    """Return the sum of those gradients that are not None; None for none."""
    grads = [grad for grad in grads if grad is not None]
    return sum(grads[1:], start=grads[0]) if grads else None
