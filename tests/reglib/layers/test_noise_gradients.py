"""The gradients of a recurrent layer with respect to its noise: checked at every place of every cell."""

import numpy as np
import pytest

from reglib import gradcheck
from reglib.layers import _sequence, recurrent
from reglib.layers._noise import OUTSIDE, places_of
from reglib.layers.cells import GRU, LSTM, RNN
from reglib.noise.affine import Noise
from tests.reglib.layers.recurrent_reference import CELLS, B, D, H, T, problem, some_steps


def full(cell, leads=(), untied=(), offset=True, seed=4):
    """Return smooth noise of full shape at every place of a cell; one mask a gate at the places ``untied``."""
    rng, found = np.random.default_rng(seed), {}
    for place in places_of(cell):
        shape = (*leads, B, T, D if place == "input" else H)
        gates = (*shape[:-1], cell.gates, shape[-1]) if place in untied else shape
        gain = 1 + 0.3 * rng.standard_normal(gates)
        affine = offset and place in OUTSIDE and place not in untied
        found[place] = Noise(gain, 0.3 * rng.standard_normal(shape) if affine else None)
    return found


def flat(noise):
    """Return the parts of noise by place and name."""
    return {
        f"{place} {part}": getattr(entry, part)
        for place, entry in noise.items()
        for part in ("gain", "offset")
        if getattr(entry, part) is not None
    }


def made(parts):
    """Return noise from its parts."""
    found = {}
    for name, array in parts.items():
        place, part = name.split()
        found[place] = Noise(**{**vars(found.get(place, Noise())), part: array})
    return found


def backward(cell, params, x, state, noise, steps=None, everything=True):
    """Return what `backward` gives for a weighted sum of outputs and final state; and that sum."""
    rng = np.random.default_rng(8)
    output, final, cache = recurrent.forward(cell, params, x, state, noise=noise, steps=steps)
    finals = final if cell.memory else (final,)
    weights = [rng.standard_normal(part.shape).astype(part.dtype) for part in (output, *finals)]
    ends = tuple(weights[1:]) if cell.memory else weights[1]
    found = recurrent.backward(cache, weights[0], ends, everything=everything)
    return found, sum(np.sum(w * part) for w, part in zip(weights, (output, *finals), strict=True))


def agree(cell, given, noise, steps=None):
    """Check the gradient with respect to every entry of the noise in random directions."""
    point = flat(noise)

    def value(parts):
        return backward(cell, *given, made(parts), steps)[1]

    def gradient(parts):
        *_, found = backward(cell, *given, made(parts), steps)[0]
        assert list(found) == list(places_of(cell))
        assert flat(found).keys() == point.keys()
        return flat(found)

    gradcheck.check(value, gradient, point, np.random.default_rng(9), directions=2, tolerance=2e-6)


@pytest.mark.parametrize("untied", [(), ("input",), ("recurrent",), ("input", "recurrent")])
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("name", CELLS)
def test_the_gradients_of_the_noise_at_every_place(name, padded, untied):
    cell = CELLS[name]
    agree(cell, problem(cell), full(cell, untied=untied), some_steps() if padded else None)


@pytest.mark.parametrize("place", places_of(LSTM()))
@pytest.mark.parametrize("name", CELLS)
def test_the_gradient_at_one_place_when_all_others_have_no_noise(name, place):
    cell = CELLS[name]
    if place in places_of(cell):
        noise, given = full(cell)[place], problem(cell)
        for part in ("gain", "offset"):
            if getattr(noise, part) is None:
                continue

            def value(array, part=part):
                return backward(cell, *given, {place: Noise(**{part: array})})[1]

            def gradient(array, part=part):
                *_, found = backward(cell, *given, {place: Noise(**{part: array})})[0]
                return getattr(found[place], part)

            gradcheck.check(value, gradient, getattr(noise, part), np.random.default_rng(9), tolerance=2e-6)


@pytest.mark.parametrize("name", CELLS)
def test_where_units_are_dropped_and_kept_the_gradient_is_that_of_bringing_them_back(name):
    """A gain of 0 hides a unit from everything but the gradient with respect to that gain."""
    cell, given = CELLS[name], problem(CELLS[name])
    noise = {place: Noise(np.round(np.clip(entry.gain - 0.5, 0, 1))) for place, entry in full(cell).items()}
    assert all(set(np.unique(entry.gain)) == {0, 1} for entry in noise.values())
    *_, found = backward(cell, *given, noise)[0]
    for place, entry in noise.items():
        for index in (np.argwhere(entry.gain == 0)[3], np.argwhere(entry.gain == 1)[5]):
            sums = []
            for change in (1e-6, -1e-6):
                gain = entry.gain.copy()
                gain[tuple(index)] += change
                sums.append(backward(cell, *given, noise | {place: Noise(gain)})[1])
            slope = (sums[0] - sums[1]) / 2e-6
            assert found[place].gain[tuple(index)] == pytest.approx(slope, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("name", CELLS)
def test_without_noise_the_gradients_are_those_at_gain_one_and_offset_zero(name, padded):
    cell, given, steps = CELLS[name], problem(CELLS[name]), some_steps() if padded else None
    ones = {
        place: Noise(np.ones_like(entry.gain), None if entry.offset is None else np.zeros_like(entry.offset))
        for place, entry in full(cell).items()
    }
    (*_, without), (*_, at_one) = (backward(cell, *given, noise, steps)[0] for noise in (None, ones))
    assert flat(without).keys() == flat(at_one).keys()
    for key, array in flat(at_one).items():
        np.testing.assert_allclose(flat(without)[key], array, rtol=0, atol=1e-12, err_msg=key)


@pytest.mark.parametrize("name", CELLS)
def test_where_there_is_no_step_only_the_output_has_a_gradient(name):
    cell, steps = CELLS[name], some_steps()
    *_, found = backward(cell, *problem(cell), full(cell), steps)[0]
    for key, array in flat(found).items():
        if key.startswith("output"):
            assert (array[~steps] != 0).any()
        else:
            assert (array[~steps] == 0).all(), key
        assert (array[steps] != 0).any(), key


@pytest.mark.parametrize("untied", [(), ("input", "recurrent")])
@pytest.mark.parametrize(("x_leads", "leads"), [((3,), (3,)), ((), (3,)), ((3,), ()), ((), (2, 2))])
@pytest.mark.parametrize("together", [1, 2])
def test_replicas_are_a_loop_over_models(monkeypatch, together, x_leads, leads, untied):
    for cell in (RNN(), LSTM(), GRU(reset_after=False)):
        both, steps = x_leads or leads, some_steps()
        monkeypatch.setattr(_sequence, "GROUP_BYTES", together * B * H * cell.gates * 8)
        params, x = problem(cell, leads=leads)[0], problem(cell, leads=x_leads)[1]
        state, noise = problem(cell, leads=both)[2], full(cell, both, untied)
        states = state if cell.memory else (state,)
        output, _, cache = recurrent.forward(cell, params, x, state, noise=noise, steps=steps)
        grad_x, *_, found = recurrent.backward(cache, np.cos(output), everything=True)
        total = np.zeros((*both, B, T, D))
        for s in np.ndindex(both):
            own = tuple(part[s] for part in states)
            one = {name: p[s] for name, p in params.items()} if leads else params
            alone, _, cache = recurrent.forward(
                cell,
                one,
                x[s] if x_leads else x,
                own if cell.memory else own[0],
                noise={
                    place: Noise(e.gain[s], None if e.offset is None else e.offset[s]) for place, e in noise.items()
                },
                steps=steps,
            )
            total[s], *_, expected = recurrent.backward(cache, np.cos(alone), everything=True)
            for key, array in flat(expected).items():
                np.testing.assert_allclose(flat(found)[key][s], array, rtol=0, atol=1e-12, err_msg=key)
        expected_x = total if x_leads else total.sum(axis=tuple(range(len(both))))
        np.testing.assert_allclose(grad_x, expected_x, rtol=0, atol=1e-12)


def test_without_noise_on_an_input_that_replicas_share_its_gradient_is_the_sum():
    cell = LSTM()
    params, _, state = problem(cell, leads=(2,))
    x = problem(cell)[1]
    noise = full(cell, (2,))
    without = {place: entry for place, entry in noise.items() if place != "input"}
    ones = without | {"input": Noise(np.ones((2, B, T, D)), np.zeros((2, B, T, D)))}
    (*_, shared), (*_, apart) = (backward(cell, params, x, state, given)[0] for given in (without, ones))
    for part in ("gain", "offset"):
        assert getattr(shared["input"], part).shape == (B, T, D)
        expected = getattr(apart["input"], part).sum(axis=0)
        np.testing.assert_allclose(getattr(shared["input"], part), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", CELLS)
def test_asking_for_the_noise_changes_nothing_else_and_keeps_the_dtype(name):
    cell = CELLS[name]
    params, x, state = problem(cell)
    params, x = {key: p.astype(np.float32) for key, p in params.items()}, x.astype(np.float32)
    noise = full(cell)  # in float64
    kept = {key: array.copy() for key, array in flat(noise).items()}
    asked, plain = (
        backward(cell, params, x, state, noise, some_steps(), everything)[0] for everything in (True, False)
    )
    assert len(plain) == 3
    np.testing.assert_array_equal(asked[0], plain[0])
    for key, gradient in plain[1].items():
        np.testing.assert_array_equal(asked[1][key], gradient)
    np.testing.assert_array_equal(asked[2], plain[2])
    assert {array.dtype for array in flat(asked[3]).values()} == {np.dtype(np.float32)}
    for key, array in flat(noise).items():
        np.testing.assert_array_equal(array, kept[key])


@pytest.mark.parametrize("name", CELLS)
def test_a_missing_gradient_of_the_output_is_zeros_and_no_step_has_no_gradient(name):
    cell = CELLS[name]
    params, x, state = problem(cell)
    output, final, cache = recurrent.forward(cell, params, x, state, noise=full(cell))
    *_, missing = recurrent.backward(cache, None, final, everything=True)
    *_, zeros = recurrent.backward(cache, np.zeros_like(output), final, everything=True)
    for key, array in flat(zeros).items():
        np.testing.assert_array_equal(flat(missing)[key], array)
    assert not missing["output"].gain.any()
    assert missing["recurrent"].gain.any()
    _, final, cache = recurrent.forward(cell, params, x[:, :0], state)
    *_, empty = recurrent.backward(cache, None, final, everything=True)
    widths = {place: D if place == "input" else H for place in places_of(cell)}
    assert {place: entry.gain.shape for place, entry in empty.items()} == {
        place: (B, 0, width) for place, width in widths.items()
    }


def test_not_asked_for_it_the_backward_pass_takes_no_step_again(monkeypatch):
    cell, taken = LSTM(), []
    original = LSTM.step
    monkeypatch.setattr(LSTM, "step", lambda self, *rest: (taken.append(1), original(self, *rest))[1])
    for everything, count in ((False, T), (True, 2 * T)):
        taken.clear()
        backward(cell, *problem(cell), full(cell), everything=everything)
        assert len(taken) == count


@pytest.mark.parametrize("untied", [(), ("input",)])
def test_the_gradient_of_x_goes_through_its_noise(untied):
    cell = GRU()
    params, x, state = problem(cell)
    noise, rng = full(cell, untied=untied), np.random.default_rng(9)

    def value(x):
        return backward(cell, params, x, state, noise)[1]

    def gradient(x):
        return backward(cell, params, x, state, noise)[0][0]

    gradcheck.check(value, gradient, x, rng, directions=2, tolerance=2e-6)


def test_a_gradient_in_float64_is_rounded_for_a_network_in_float32():
    params, x, _ = problem(GRU())
    output, _, cache = recurrent.forward(
        GRU(), {name: p.astype(np.float32) for name, p in params.items()}, x.astype(np.float32)
    )
    *_, found = recurrent.backward(cache, np.cos(output.astype(float)), everything=True)
    assert {array.dtype for array in flat(found).values()} == {np.dtype(np.float32)}
