"""Noise of a recurrent layer: where it acts, what a schedule means, and what is refused."""

import numpy as np
import pytest

from reglib.layers import recurrent
from reglib.layers._noise import PLACES, places_of
from reglib.layers.cells import GRU, LSTM, RNN
from reglib.noise import places
from reglib.noise.affine import Noise
from reglib.noise.kinds import Additive, Alpha, Bernoulli, Gaussian, Zoneout
from tests.conftest import exactly
from tests.reglib.layers.recurrent_reference import B, D, H, T, noise_at, problem, some_steps, taken

SCHEDULE = "4 entries along time, one a step, or 1 for the whole sequence"
INSIDE = ("recurrent", "candidate", "state_h", "state_c", "zone_h", "zone_c")


def refused(error, message, cell, noise=None, leads=(), **keywords):
    params, x, _ = problem(cell, leads=leads)
    with pytest.raises(error, match=exactly(message)):
        recurrent.forward(cell, params, x, noise=noise, **keywords)


def outputs(cell, params, x, state, **keywords):
    return recurrent.forward(cell, params, x, state, **keywords)[0]


# Places


def test_the_places_of_each_cell_in_the_order_of_their_draws():
    assert PLACES == ("input", "recurrent", "candidate", "state_h", "state_c", "zone_h", "zone_c", "output")
    assert places_of(LSTM()) == PLACES
    assert places_of(GRU()) == ("input", "recurrent", "candidate", "state_h", "zone_h", "output")
    assert places_of(RNN()) == ("input", "recurrent", "state_h", "zone_h", "output")


@pytest.mark.parametrize(("x_leads", "leads"), [((), ()), ((2,), ()), ((), (2,)), ((2,), (2,))])
def test_the_shapes_of_the_places(x_leads, leads):
    for cell in (RNN(), GRU(), LSTM()):
        params, x = problem(cell, leads=leads)[0], problem(cell, leads=x_leads)[1]
        shapes = recurrent.places(cell, params, x)
        both = x_leads or leads
        expected = {place: (*both, B, T, D if place == "input" else H) for place in places_of(cell)}
        assert shapes == expected
        assert list(shapes) == list(expected)


# What is refused


def test_noise_of_a_wrong_schedule_is_refused():
    for place in (*INSIDE, "output"):
        message = f"the noise at {place!r} must have {SCHEDULE}; got 3 in shape (3, 3, 5)"
        refused(ValueError, message, LSTM(), {place: Noise(np.ones((B, 3, H)))})
    for place in ("input", "output"):
        width = D if place == "input" else H
        message = f"the noise at {place!r} must have {SCHEDULE}; got 5 in shape (3, 5, {width})"
        refused(ValueError, message, LSTM(), {place: Noise(offset=np.ones((B, 5, width)))})
    message = f"the noise at 'input' must have {SCHEDULE}; got 5 in shape (2, 3, 5, 4, 2)"
    refused(ValueError, message, LSTM(), {"input": Noise(np.ones((2, B, 5, 4, D)))}, leads=(2,))


def test_noise_of_a_wrong_number_of_axes_is_refused():
    message = "the noise at {!r} must have {} axes, for it acts on {}; got shape {}"
    cases = [
        ("recurrent", (B, H), (), (B, T, H)),
        ("recurrent", (B, T, H), (2,), (2, B, T, H)),
        ("candidate", (B, T, 4, H), (), (B, T, H)),
        ("state_h", (B, T, 4, H), (), (B, T, H)),
        ("output", (B, T, 4, H), (), (B, T, H)),
        ("zone_h", (H,), (), (B, T, H)),
        ("input", (1, B, T, 4, D), (), (B, T, D)),
        ("output", (2, B, T, H), (), (B, T, H)),
    ]
    for place, shape, leads, acts in cases:
        text = message.format(place, len(acts), acts, shape)
        refused(ValueError, text, LSTM(), {place: Noise(np.ones(shape))}, leads)
    text = message.format("output", 3, (B, T, H), (T, H))
    refused(ValueError, text, LSTM(), {"output": Noise(offset=np.ones((T, H)))})


def test_noise_that_does_not_fit_is_refused():
    cases = [
        (LSTM(), "output", (B + 1, T, H), (B, T, H)),
        (LSTM(), "output", (B, T, D), (B, T, H)),
        (LSTM(), "input", (B, T, H), (B, T, D)),
        (LSTM(), "recurrent", (B, T, 3, H), (B, T, 4, H)),
        (LSTM(), "recurrent", (B, T, 1, H), (B, T, 4, H)),
        (GRU(), "recurrent", (B, T, 4, H), (B, T, 3, H)),
        (GRU(), "input", (B, T, 3, H), (B, T, 3, D)),
        (LSTM(), "state_c", (B, 1, 0), (B, T, H)),
    ]
    for cell, place, shape, full in cases:
        message = f"the noise at {place!r} must broadcast to {full} without enlarging it, got shape {shape}"
        refused(ValueError, message, cell, {place: Noise(np.ones(shape))})


def test_places_that_a_cell_does_not_have_are_refused():
    noise = Noise(np.ones((B, T, H)))
    message = "noise at 'candidate' needs a candidate beside its state, which RNN does not have"
    refused(ValueError, message, RNN(), {"candidate": noise})
    for cell in (RNN(), GRU()):
        for place in ("state_c", "zone_c"):
            message = f"noise at {place!r} needs a memory c, which {type(cell).__name__} does not have"
            refused(ValueError, message, cell, {place: noise})
    message = f"a place of noise must be one of {', '.join(map(repr, PLACES))}; got 'hidden1'"
    refused(ValueError, message, LSTM(), {"hidden1": noise})


def test_what_is_no_noise_is_refused():
    refused(TypeError, "noise must be a dict by place, got 0.5", LSTM(), 0.5)
    refused(TypeError, f"noise must be a dict by place, got {Noise(0.5)!r}", LSTM(), Noise(0.5))
    refused(
        TypeError,
        "the noise at 'recurrent' must be a Noise, got an array of shape (3, 4, 5)",
        LSTM(),
        {"recurrent": np.ones((B, T, H))},
    )
    refused(TypeError, f"the noise at 'zone_h' must be a Noise, got {Zoneout(0.5)!r}", LSTM(), {"zone_h": Zoneout(0.5)})


@pytest.mark.parametrize("place", INSIDE)
def test_inside_of_the_steps_there_is_no_offset(place):
    message = f"the noise at {place!r} must have a gain alone; an offset acts at input and output only"
    refused(ValueError, message, LSTM(), {place: Noise(offset=np.ones((B, T, H)))})
    refused(ValueError, message, LSTM(), {place: Noise(np.ones((B, T, H)), np.zeros((B, T, H)))})


def test_an_offset_beside_one_mask_a_gate_is_refused():
    """There is no one input to add it to: each gate sees an input of its own."""
    gates = np.ones((B, T, 4, D))
    message = "the noise at 'input' must have no offset beside one mask a gate"
    refused(ValueError, message, LSTM(), {"input": Noise(gates, np.ones((B, T, D)))})
    message = "the noise at 'input' must have 3 axes, for it acts on (3, 4, 2); got shape (3, 4, 4, 2)"
    refused(ValueError, message, LSTM(), {"input": Noise(offset=gates)})


def test_step_masks_are_checked():
    message = "steps must be of bool, False where there is no step; got float64"
    refused(TypeError, message, LSTM(), steps=np.ones((B, T)))
    message = "steps must have shape (3, 4), or (3, 4) for all replicas; got (4, 3)"
    refused(ValueError, message, LSTM(), steps=np.ones((T, B), bool))
    message = "steps must have shape (2, 3, 4), or (3, 4) for all replicas; got (1, 3, 4)"
    refused(ValueError, message, LSTM(), leads=(2,), steps=np.ones((1, B, T), bool))


# What a schedule and a shared axis mean


PARTS = [(place, "gain") for place in PLACES] + [("input", "offset"), ("output", "offset")]


@pytest.mark.parametrize(("place", "part"), PARTS)
@pytest.mark.parametrize("axis", [0, 1, 2, 3])
def test_an_axis_of_length_one_is_shared(place, part, axis):
    params, x, state = problem(LSTM(), leads=(2,))
    shape = recurrent.places(LSTM(), params, x)[place]
    short = np.random.default_rng(2).random(tuple(1 if k == axis else length for k, length in enumerate(shape)))
    results = []
    for array in (short, np.repeat(short, shape[axis], axis), np.broadcast_to(short, shape)):
        output, _, cache = recurrent.forward(LSTM(), params, x, state, noise={place: Noise(**{part: array})})
        results.append((output, recurrent.backward(cache, np.ones_like(output))[1]))
    for output, grads in results[1:]:
        np.testing.assert_allclose(output, results[0][0], rtol=0, atol=1e-15)
        for name, gradient in grads.items():
            np.testing.assert_allclose(gradient, results[0][1][name], rtol=0, atol=1e-12)


@pytest.mark.parametrize("place", PLACES)
def test_a_single_number_is_the_same_for_all(place):
    params, x, state = problem(LSTM(), leads=(2,))
    number = outputs(LSTM(), params, x, state, noise={place: Noise(0.7)})
    array = outputs(
        LSTM(), params, x, state, noise={place: Noise(np.full((2, B, T, D if place == "input" else H), 0.7))}
    )
    np.testing.assert_allclose(number, array, rtol=0, atol=1e-15)


@pytest.mark.parametrize("place", ["input", "recurrent"])
def test_masks_of_gates_that_are_equal_are_one_mask(place):
    params, x, state = problem(GRU())
    mask = noise_at(place, GRU())[place].gain
    tied = outputs(GRU(), params, x, state, noise={place: Noise(mask)})
    untied = outputs(GRU(), params, x, state, noise={place: Noise(np.repeat(mask[..., None, :], 3, axis=-2))})
    np.testing.assert_allclose(tied, untied, rtol=0, atol=1e-14)


def test_one_mask_a_sequence_is_the_same_at_every_step():
    params, x, state = problem(LSTM())
    for place in PLACES:
        once = np.random.default_rng(4).random((B, 1, D if place == "input" else H))
        one, other = (
            outputs(LSTM(), params, x, state, noise={place: Noise(mask)}) for mask in (once, np.repeat(once, T, axis=1))
        )
        np.testing.assert_array_equal(one, other)


# Where it acts


def test_the_input_is_replaced_by_gain_times_input_plus_offset():
    """For one model, for several, and for an x that they share; so does the gradient of x."""
    rng = np.random.default_rng(6)
    for x_leads, leads in (((), ()), ((2,), (2,)), ((), (2,)), ((2,), ())):
        both = x_leads or leads
        params, x = problem(GRU(), leads=leads)[0], problem(GRU(), leads=x_leads)[1]
        gain, offset = rng.standard_normal((*both, B, T, D)), rng.standard_normal((*both, B, 1, D))
        output, _, cache = recurrent.forward(GRU(), params, x, noise={"input": Noise(gain, offset)})
        expected, _, plain = recurrent.forward(GRU(), params, gain * x + offset)
        np.testing.assert_allclose(output, expected, rtol=0, atol=1e-14)
        (grad_x, grads, _), (through, plain_grads, _) = (recurrent.backward(c, np.cos(output)) for c in (cache, plain))
        expected_x = gain * through
        expected_x = expected_x.sum(axis=0) if expected_x.ndim > x.ndim else expected_x
        np.testing.assert_allclose(grad_x, expected_x, rtol=0, atol=1e-13)
        for name, gradient in plain_grads.items():
            np.testing.assert_allclose(grads[name], gradient, rtol=0, atol=1e-13)


def test_the_output_is_replaced_and_the_carried_state_is_not():
    params, x, state = problem(LSTM())
    rng = np.random.default_rng(7)
    gain, offset = rng.standard_normal((B, T, H)), rng.standard_normal((1, T, H))
    output, final, cache = recurrent.forward(LSTM(), params, x, state, noise={"output": Noise(gain, offset)})
    plain, plain_final, plain_cache = recurrent.forward(LSTM(), params, x, state)
    np.testing.assert_allclose(output, gain * plain + offset, rtol=0, atol=1e-15)
    np.testing.assert_array_equal(cache.h, plain_cache.h)
    for one, other in zip(final, plain_final, strict=True):
        np.testing.assert_array_equal(one, other)
    one, other = recurrent.backward(cache, np.ones((B, T, H)))[0], recurrent.backward(plain_cache, gain)[0]
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-14)


def test_dropping_the_candidate_keeps_the_memory_and_dropping_the_state_does_not():
    params, x, state = problem(LSTM())
    params["b"][H : 2 * H] = 100  # forget nothing
    zeros = Noise(np.zeros((B, T, H)))
    _, (_, c), _ = recurrent.forward(LSTM(), params, x, state, noise={"candidate": zeros})
    np.testing.assert_array_equal(c, state[1])
    _, (_, c), _ = recurrent.forward(LSTM(), params, x, state, noise={"state_c": zeros})
    assert not c.any()


def test_state_dropout_acts_on_what_is_carried_not_on_the_output():
    params, x, state = problem(LSTM())
    mask = np.ones((B, T, H))
    mask[:, -1] = 0
    output, (h, _), _ = recurrent.forward(LSTM(), params, x, state, noise={"state_h": Noise(mask)})
    np.testing.assert_array_equal(output, outputs(LSTM(), params, x, state))
    assert not h.any()


# Zoneout


def test_zoneout_of_nothing_and_of_everything():
    params, x, state = problem(LSTM())
    plain = outputs(LSTM(), params, x, state)
    for new in (
        Noise(1.0),
        Noise(np.ones((B, T, H))),
        Noise(np.ones((1, 1, 1))),
        Zoneout(0.5).given(np.zeros((B, T, H))),
    ):
        np.testing.assert_array_equal(outputs(LSTM(), params, x, state, noise={"zone_h": new, "zone_c": new}), plain)
    for old in (Noise(0.0), Noise(np.zeros((B, T, H))), Zoneout(0.5).given(np.ones((B, T, H), bool))):
        output, (h, c), _ = recurrent.forward(LSTM(), params, x, state, noise={"zone_h": old, "zone_c": old})
        np.testing.assert_array_equal(output, np.repeat(state[0][:, None], T, axis=1))
        np.testing.assert_array_equal(h, state[0])
        np.testing.assert_array_equal(c, state[1])


def test_the_expectation_of_zoneout_is_one_step_of_its_mean():
    params, x, state = problem(LSTM())
    kinds = {"zone_h": Zoneout(0.25), "zone_c": Zoneout(0.5)}
    noise = places.expected(kinds, recurrent.places(LSTM(), params, x))
    mixed, (_, mixed_c), _ = recurrent.step(LSTM(), params, x[:, 0], state, noise=noise)
    new, (_, new_c), _ = recurrent.step(LSTM(), params, x[:, 0], state)
    np.testing.assert_allclose(mixed, 0.25 * state[0] + 0.75 * new, rtol=1e-14)
    np.testing.assert_allclose(mixed_c, 0.5 * state[1] + 0.5 * new_c, rtol=1e-14)


def test_one_number_a_replica_for_zoneout():
    params, x, state = problem(LSTM(), leads=(2,))
    rates = np.array([0.1, 0.6])
    shapes = recurrent.places(LSTM(), params, x)
    output = outputs(LSTM(), params, x, state, noise=places.expected({"zone_c": Zoneout(rates)}, shapes))
    for s in range(2):
        own = {name: p[s] for name, p in params.items()}, x[s], tuple(part[s] for part in state)
        one = outputs(LSTM(), *own, noise={"zone_c": Noise(1 - rates[s])})
        np.testing.assert_allclose(output[s], one, rtol=0, atol=1e-15)


# Drawn noise

DRAWN = dict.fromkeys(("recurrent", "candidate", "state_h", "state_c"), Bernoulli(0.5))
DRAWN |= {"input": Alpha(0.5), "zone_h": Zoneout(0.5), "zone_c": Zoneout(0.5), "output": Additive(0.5)}


@pytest.mark.parametrize("shared", [(), -2])
@pytest.mark.parametrize("untied", [True, False])
def test_drawn_noise_has_the_shapes_of_its_schedule_and_fits(shared, untied):
    params, x, state = problem(LSTM(), leads=(2,))
    kinds = dict.fromkeys(PLACES, Bernoulli(0.5, shared)) | dict.fromkeys(("zone_h", "zone_c"), Zoneout(0.5, shared))
    if untied:
        kinds |= dict.fromkeys(("input", "recurrent"), Bernoulli(0.5, shared, gates=4))
    noise = places.draw(np.random.default_rng(0), kinds, recurrent.places(LSTM(), params, x), np.float32)
    assert list(noise) == list(PLACES)
    for place, entry in noise.items():
        own = (4,) if untied and place in ("input", "recurrent") else ()
        assert entry.gain.shape == (2, B, 1 if shared else T, *own, D if place == "input" else H)
        assert entry.gain.dtype == np.float32
        assert set(np.unique(entry.gain)) == ({0, 1} if place in ("zone_h", "zone_c") else {0, 2})
    recurrent.forward(LSTM(), params, x, state, noise=noise)


@pytest.mark.parametrize("kind", [Bernoulli(0.5), Gaussian(0.5), Additive(0.5), Alpha(0.5)])
@pytest.mark.parametrize("place", ["input", "output"])
def test_every_kind_acts_on_the_input_and_on_the_output(place, kind):
    params, x, state = problem(LSTM())
    noise = places.draw(np.random.default_rng(0), {place: kind}, recurrent.places(LSTM(), params, x))
    gain, offset = noise[place].gain, noise[place].offset
    gain, offset = 1.0 if gain is None else gain, 0.0 if offset is None else offset
    output = outputs(LSTM(), params, x, state, noise=noise)
    if place == "input":
        expected = outputs(LSTM(), params, gain * x + offset, state)
    else:
        expected = gain * outputs(LSTM(), params, x, state) + offset
    np.testing.assert_allclose(output, expected, rtol=0, atol=1e-14)
    assert np.abs(output - outputs(LSTM(), params, x, state)).max() > 1e-2


def test_drawn_noise_drops_at_the_rate_of_each_replica():
    params = problem(LSTM(), leads=(2,))[0]
    rates = np.array([0.2, 0.7])
    shapes = recurrent.places(LSTM(), params, np.ones((50, 80, D)))
    kinds = {"candidate": Bernoulli(rates), "zone_h": Zoneout(0.25), "recurrent": Bernoulli(0.0)}
    noise = places.draw(np.random.default_rng(1), kinds, shapes)
    for s in range(2):
        assert set(np.unique(noise["candidate"].gain[s]).round(12)) == {0, round(1 / (1 - rates[s]), 12)}
        assert abs((noise["candidate"].gain[s] == 0).mean() - rates[s]) < 0.02  # 6 deviations
    assert abs((noise["zone_h"].gain == 0).mean() - 0.25) < 0.02
    assert list(noise) == ["candidate", "zone_h"]


def test_padding_and_noise_at_every_place_are_the_sequences_alone():
    """A short sequence in a batch, with its noise cut to its length, ends as it would alone."""
    params, x, state = problem(LSTM())
    steps, noise = some_steps(), places.draw(np.random.default_rng(3), DRAWN, recurrent.places(LSTM(), params, x))
    output, (h, c), _ = recurrent.forward(LSTM(), params, x, state, noise=noise, steps=steps)
    for b in range(B):
        row, there = slice(b, b + 1), np.flatnonzero(steps[b])
        own = taken(taken(noise, row), (slice(None), there))
        alone, (one_h, one_c), _ = recurrent.forward(
            LSTM(), params, x[row, there], tuple(part[row] for part in state), noise=own
        )
        np.testing.assert_allclose(output[b, there], alone[0], rtol=0, atol=1e-14)
        np.testing.assert_allclose(h[b], one_h[0], rtol=0, atol=1e-14)
        np.testing.assert_allclose(c[b], one_c[0], rtol=0, atol=1e-14)
