"""Recurrent networks: against a step-by-step reference at every place of noise, gradients, replicas, edges."""

import tracemalloc

import numpy as np
import pytest

from reglib import gradcheck
from reglib.layers import _sequence, recurrent
from reglib.layers.cells import GRU, LSTM, RNN
from reglib.layers.layer_norm_lstm import LayerNormLSTM
from reglib.noise.affine import Noise
from tests.reglib.layers.recurrent_reference import (
    CASES,
    CELLS,
    B,
    D,
    H,
    T,
    noise_at,
    problem,
    run,
    some_steps,
    taken,
)


def as_tuple(state):
    return state if isinstance(state, tuple) else (state,)


def of_replica(params, index):
    return {name: p[index] for name, p in params.items()}


def whole(cell, params, x, state=None, grad_output=np.cos, grad_final=None, **options):
    """Run a cell forward and backward: everything that comes out, by name. By default the final state is its gradient.

    ``grad_output`` is a function of the output.
    """
    output, final, cache = recurrent.forward(cell, params, x, state, **options)
    grad_final = final if grad_final is None else grad_final
    grad_x, grads, start = recurrent.backward(cache, grad_output(output), grad_final)
    found = {"output": output, "x": grad_x, "carried h": cache.h} | {f"grad {name}": g for name, g in grads.items()}
    for name, parts in (("final", final), ("start", start)):
        found |= {f"{name} {part}": array for part, array in zip("hc", as_tuple(parts), strict=False)}
    return found | ({"carried c": cache.c} if cell.memory else {})


def same(one, other, atol=0.0):
    assert one.keys() == other.keys()
    for name, array in one.items():
        np.testing.assert_allclose(array, other[name], rtol=0, atol=atol, err_msg=name)


def gradients_agree(cell, params, x, state, noise=None, steps=None, directions=2):
    """Check every gradient of a random function of all outputs and of the final state."""
    rng = np.random.default_rng(9)
    output, final, _ = recurrent.forward(cell, params, x, state, noise=noise, steps=steps)
    weights = [rng.standard_normal(a.shape) for a in (output, *as_tuple(final))]
    starts = ("h0", "c0")[: len(as_tuple(state))]

    def unpack(point):
        start = tuple(point[name] for name in starts)
        return {name: point[name] for name in params}, point["x"], start if cell.memory else start[0]

    def value(point):
        output, final, _ = recurrent.forward(cell, *unpack(point), noise=noise, steps=steps)
        return sum(np.sum(w * a) for w, a in zip(weights, (output, *as_tuple(final)), strict=True))

    def gradient(point):
        _, _, cache = recurrent.forward(cell, *unpack(point), noise=noise, steps=steps)
        grad_final = tuple(weights[1:]) if cell.memory else weights[1]
        grad_x, grads, start = recurrent.backward(cache, weights[0], grad_final)
        assert list(grads) == list(params)
        return grads | {"x": grad_x} | dict(zip(starts, as_tuple(start), strict=True))

    point = params | {"x": x} | dict(zip(starts, as_tuple(state), strict=True))
    gradcheck.check(value, gradient, point, rng, directions=directions, tolerance=2e-6)


# By hand


def test_an_lstm_by_hand():
    params = {
        "w_x": np.log([[3.0, 1.0, 2.0, 1 / 3]]),
        "w_h": np.log([[1.0, 3.0, 1.0, 1.0]]),
        "b": np.log([1.0, 1.0, 2.0, 1.0]),
    }
    # x = 1, h = 1, c = 2: i = sigma(ln 3) = 3/4, f = sigma(ln 3) = 3/4, g = tanh(ln 4) = 15/17, o = sigma(-ln 3) = 1/4
    x, state = np.ones((1, 1, 1)), (np.ones((1, 1)), np.full((1, 1), 2.0))
    output, (h, c), _ = recurrent.forward(LSTM(), params, x, state)
    np.testing.assert_allclose(c, 0.75 * 2 + 0.75 * 15 / 17, rtol=1e-15)
    np.testing.assert_allclose(h, np.tanh(0.75 * 2 + 0.75 * 15 / 17) / 4, rtol=1e-15)
    np.testing.assert_array_equal(output[0], h)


@pytest.mark.parametrize("reset_after", [True, False])
def test_a_gru_by_hand(reset_after):
    params = {"w_x": np.log([[3.0, 1.0, 2.0]]), "w_h": np.log([[1.0, 3.0, 2.0]]), "b": np.log([1.0, 1.0, 3.0])}
    params |= {"b_h": np.log([4.0])} if reset_after else {}
    # h = 2: r = 3/4, z = sigma(2 ln 3) = 9/10; n = tanh(ln 6 + r (2 ln 2 + ln 4)) or tanh(ln 6 + 2 r ln 2)
    x, state = np.ones((1, 1, 1)), np.full((1, 1), 2.0)
    output, h, _ = recurrent.forward(GRU(reset_after=reset_after), params, x, state)
    inner = np.log(6) + 0.75 * (4 if reset_after else 2) * np.log(2)
    np.testing.assert_allclose(h, 0.9 * 2 + 0.1 * np.tanh(inner), rtol=1e-15)
    np.testing.assert_array_equal(output[0], h)


def test_an_elman_network_by_hand():
    params = {"w_x": np.log([[2.0]]), "w_h": np.log([[3.0]]), "b": np.log([5.0])}
    output, h, _ = recurrent.forward(RNN(), params, np.array([[[1.0], [2.0]]]), np.array([[-1.0]]))
    first = (100 / 9 - 1) / (100 / 9 + 1)  # tanh(ln 10/3)
    np.testing.assert_allclose(output[0, :, 0], [first, np.tanh(np.log(20) + first * np.log(3))], rtol=1e-15)
    np.testing.assert_array_equal(h, output[:, -1])


# Against the reference


@pytest.mark.parametrize(("name", "place"), CASES)
def test_forward_is_the_reference_at_every_place(name, place):
    cell, noise = CELLS[name], noise_at(place, CELLS[name])
    params, x, state = problem(cell)
    outputs, hs, cs = run(cell, params, x, state, noise)
    output, final, cache = recurrent.forward(cell, params, x, state, noise=noise)
    np.testing.assert_allclose(output, outputs, rtol=0, atol=1e-13)
    np.testing.assert_allclose(cache.h, hs, rtol=0, atol=1e-13)
    np.testing.assert_allclose(as_tuple(final)[0], hs[:, -1], rtol=0, atol=1e-13)
    if cell.memory:
        np.testing.assert_allclose(cache.c, cs, rtol=0, atol=1e-13)
        np.testing.assert_allclose(final[1], cs[:, -1], rtol=0, atol=1e-13)
    else:
        assert cache.c is None


@pytest.mark.parametrize(("name", "place"), CASES)
def test_gradients_at_every_place(name, place):
    cell = CELLS[name]
    gradients_agree(cell, *problem(cell), noise=noise_at(place, cell))


@pytest.mark.parametrize("place", ["none", "all", "zone numbers", "state_h", "input affine", "output offset"])
@pytest.mark.parametrize("name", CELLS)
def test_steps_that_are_not_there_carry_the_state(name, place):
    cell, noise, steps = CELLS[name], noise_at(place, CELLS[name]), some_steps()
    params, x, state = problem(cell)
    outputs, hs, cs = run(cell, params, x, state, noise, steps)
    output, final, cache = recurrent.forward(cell, params, x, state, noise=noise, steps=steps)
    np.testing.assert_allclose(output, outputs, rtol=0, atol=1e-13)
    np.testing.assert_allclose(cache.h, hs, rtol=0, atol=1e-13)
    if cell.memory:
        np.testing.assert_allclose(final[1], cs[:, -1], rtol=0, atol=1e-13)
    gradients_agree(cell, params, x, state, noise, steps)


def test_a_shorter_sequence_ends_as_if_it_had_been_run_alone():
    params, x, state = problem(LSTM())
    steps = np.arange(T) < np.array([[2], [T], [1]])
    _, (h, c), cache = recurrent.forward(LSTM(), params, x, state, steps=steps)
    for b, length in enumerate(steps.sum(axis=1)):
        alone = tuple(part[b : b + 1] for part in state)
        _, (one_h, one_c), _ = recurrent.forward(LSTM(), params, x[b : b + 1, :length], alone)
        np.testing.assert_allclose(h[b], one_h[0], rtol=1e-14)
        np.testing.assert_allclose(c[b], one_c[0], rtol=1e-14)
    grad_x, _, _ = recurrent.backward(cache, np.ones((B, T, H)))
    assert (grad_x[~steps] == 0).all()
    assert (grad_x[steps] != 0).all()


@pytest.mark.parametrize("padding", [0.0, 1e200, -np.inf, np.nan])
@pytest.mark.parametrize("place", ["none", "all", "input affine", "input sequence"])
@pytest.mark.parametrize("name", CELLS)
def test_what_x_holds_where_there_is_no_step_reaches_nothing(name, place, padding):
    cell, steps = CELLS[name], some_steps()
    for leads in ((), (2,)):
        params, _, state = problem(cell, leads=leads)
        x = problem(cell)[1]
        padded = np.where(steps[..., None], x, padding)
        options = {"noise": noise_at(place, cell, leads=leads), "steps": steps}
        same(whole(cell, params, padded, state, **options), whole(cell, params, x, state, **options))


# Replicas

LEADS = [((3,), (3,)), ((), (3,)), ((3,), ()), ((2, 2), (2, 2)), ((), (2, 2)), ((2, 2), ())]


@pytest.mark.parametrize(("x_leads", "leads"), LEADS)
@pytest.mark.parametrize("place", ["all", "input affine"])
@pytest.mark.parametrize("name", CELLS)
def test_replicas_are_a_loop_over_models(name, place, x_leads, leads):
    cell, whole_leads = CELLS[name], x_leads or leads
    params, x, state = (problem(cell, leads=axes)[k] for k, axes in enumerate((leads, x_leads, whole_leads)))
    noise, steps = noise_at(place, cell, leads=whole_leads), some_steps()
    found = whole(cell, params, x, state, noise=noise, steps=steps)
    total = {name: np.zeros_like(array) for name, array in found.items()}
    for s in np.ndindex(whole_leads):
        one_state = tuple(part[s] for part in as_tuple(state))
        one_state = one_state if cell.memory else one_state[0]
        one = whole(
            cell,
            of_replica(params, s) if leads else params,
            x[s] if x_leads else x,
            one_state,
            noise=taken(noise, s),
            steps=steps,
        )
        for key, array in one.items():
            shared = (key == "x" and not x_leads) or (key.startswith("grad ") and not leads)
            total[key][() if shared else s] += array
    same(found, total, atol=1e-11)


def test_groups_of_replicas():
    assert _sequence.groups(5, _sequence.GROUP_BYTES // 2) == [slice(0, 2), slice(2, 4), slice(4, 6)]
    assert _sequence.groups(2, _sequence.GROUP_BYTES + 1) == [slice(0, 1), slice(1, 2)]
    assert _sequence.groups(3, 0) == [slice(0, _sequence.GROUP_BYTES)]


@pytest.mark.parametrize(("x_leads", "leads"), [((3,), (3,)), ((3,), ()), ((), (3,))])
@pytest.mark.parametrize("place", ["none", "all", "zone numbers"])
@pytest.mark.parametrize("name", CELLS)
def test_the_grouping_of_replicas_changes_nothing(monkeypatch, name, place, x_leads, leads):
    cell = CELLS[name]
    params, x = problem(cell, leads=leads)[0], problem(cell, leads=x_leads)[1]
    state = problem(cell, leads=(3,))[2]
    noise = noise_at(place, cell, leads=(3,))
    results, seen = [], []
    size = B * H * cell.gates * 8
    original = type(cell).step
    monkeypatch.setattr(
        type(cell), "step", lambda self, w, a, *rest: (seen.append(len(a)), original(self, w, a, *rest))[1]
    )
    for together in (3, 2, 1):
        monkeypatch.setattr(_sequence, "GROUP_BYTES", together * size)
        seen.clear()
        results.append(whole(cell, params, x, state, noise=noise))
        assert sorted(seen) == sorted({3: [3] * T, 2: [2] * T + [1] * T, 1: [1] * 3 * T}[together])
    for other in results[1:]:
        same(other, results[0], atol=1e-12)


def test_a_step_mask_may_differ_between_replicas():
    steps = np.stack([some_steps(), some_steps()[::-1]])
    for x_leads in ((2,), ()):
        params, _, state = problem(LSTM(), leads=(2,))
        x = problem(LSTM(), leads=x_leads)[1]
        found = whole(LSTM(), params, x, state, steps=steps)
        for s in range(2):
            own = tuple(part[s] for part in state)
            one = whole(LSTM(), of_replica(params, s), x[s] if x_leads else x, own, steps=steps[s])
            np.testing.assert_allclose(found["output"][s], one["output"], rtol=0, atol=1e-14)
            np.testing.assert_allclose(found["grad w_x"][s], one["grad w_x"], rtol=0, atol=1e-12)


# One step


@pytest.mark.parametrize("place", ["all", "input affine", "zone numbers"])
@pytest.mark.parametrize("name", CELLS)
def test_one_step_is_a_sequence_of_one(name, place):
    cell = CELLS[name]
    for leads in ((), (2,)):
        params, x, state = problem(cell, leads=leads, sizes=(B, 1, D, H))
        noise = noise_at(place, cell, leads=leads, sizes=(B, 1, D, H))
        squeezed = taken(noise, (slice(None),) * (len(leads) + 1) + (0,))
        output, final, cache = recurrent.forward(cell, params, x, state, noise=noise)
        one, one_final, one_cache = recurrent.step(cell, params, x[..., 0, :], state, noise=squeezed)
        assert one.shape == (*leads, B, H)
        np.testing.assert_array_equal(one, output[..., 0, :])
        grads = recurrent.backward(cache, 2 * output, final)
        one_grads = recurrent.step_backward(one_cache, 2 * one, one_final)
        np.testing.assert_array_equal(one_grads[0], grads[0][..., 0, :])
        same(one_grads[1], grads[1])
        for mine, theirs in ((one_final, final), (one_grads[2], grads[2])):
            for ours, part in zip(as_tuple(mine), as_tuple(theirs), strict=True):
                np.testing.assert_array_equal(ours, part)


def test_one_step_shared_by_replicas_and_a_number_for_zoneout():
    params, x, state = problem(LSTM(), leads=(3,))
    shared, recurrent_noise = x[0, :, 0], Noise(np.full((3, B, H), 2.0))
    noise = {"zone_h": Noise(0.75), "recurrent": recurrent_noise}
    output, (h, _), cache = recurrent.step(LSTM(), params, shared, state, noise=noise)
    assert output.shape == (3, B, H)
    plain, _, _ = recurrent.step(LSTM(), params, shared, state, noise={"recurrent": recurrent_noise})
    np.testing.assert_allclose(h, 0.25 * state[0] + 0.75 * plain, rtol=1e-14)
    grad_x, _, _ = recurrent.step_backward(cache, grad_state=state)
    assert grad_x.shape == shared.shape


# What is left out, what stays, what type it has


@pytest.mark.parametrize("name", CELLS)
def test_missing_gradients_and_a_missing_state_are_zeros(name):
    cell = CELLS[name]
    params, x, state = problem(cell)
    zeros = tuple(0 * part for part in as_tuple(state))
    output, final, cache = recurrent.forward(cell, params, x)
    other, _, _ = recurrent.forward(cell, params, x, zeros if cell.memory else zeros[0])
    np.testing.assert_array_equal(output, other)
    grads = [recurrent.backward(cache, output), recurrent.backward(cache, None, final)]
    both = recurrent.backward(cache, output, final)
    np.testing.assert_allclose(grads[0][0] + grads[1][0], both[0], rtol=0, atol=1e-13)
    same({key: grads[0][1][key] + grads[1][1][key] for key in params}, both[1], atol=1e-12)
    assert not recurrent.backward(cache)[0].any()


@pytest.mark.parametrize("place", ["all", "input affine"])
@pytest.mark.parametrize("name", CELLS)
def test_backward_twice_gives_the_same_and_nothing_changes_in_place(name, place):
    cell = CELLS[name]
    params, x, state = problem(cell)
    noise = noise_at(place, cell)
    parts = [part for entry in noise.values() for part in (entry.gain, entry.offset) if part is not None]
    arguments = [*params.values(), x, *as_tuple(state), *parts]
    before = [array.copy() for array in arguments]
    output, _, cache = recurrent.forward(cell, params, x, state, noise=noise, steps=some_steps())
    first, second = (recurrent.backward(cache, np.cos(output)) for _ in range(2))
    np.testing.assert_array_equal(first[0], second[0])
    same(first[1], second[1])
    for array, copy in zip(arguments, before, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("place", ["all", "input affine"])
@pytest.mark.parametrize("name", CELLS)
def test_dtype_follows(name, place):
    cell = CELLS[name]
    params, x, state = problem(cell)
    options = {"noise": noise_at(place, cell), "steps": some_steps()}
    exact = whole(cell, params, x, state, **options)
    low = {key: p.astype(np.float32) for key, p in params.items()}
    for start in (state, None):
        found = whole(cell, low, x.astype(np.float32), start, **options)
        assert {array.dtype for array in found.values()} == {np.dtype(np.float32)}
        if start is not None:
            np.testing.assert_allclose(found["output"], exact["output"], rtol=0, atol=1e-4)


def test_float32_meets_float64_in_float64():
    params, x, _ = problem(LSTM())
    low, low_x = {name: p.astype(np.float32) for name, p in params.items()}, x.astype(np.float32)
    mixed = [(low, x), (params, low_x), (low | {"w_x": params["w_x"]}, low_x), (params | {"w_x": low["w_x"]}, low_x)]
    for given, inputs in mixed:
        found = whole(LSTM(), given, inputs)
        assert {array.dtype for array in found.values()} == {np.dtype(np.float64)}
        wide = {name: p.astype(float) for name, p in given.items()}
        np.testing.assert_array_equal(found["output"], recurrent.forward(LSTM(), wide, inputs.astype(float))[0])


@pytest.mark.parametrize("name", CELLS)
def test_a_float32_network_rounds_what_it_is_given_first(name):
    cell = CELLS[name]
    params, x, state = problem(cell)
    params, x = {key: p.astype(np.float32) for key, p in params.items()}, x.astype(np.float32)
    results = []
    for given in (as_tuple(state), tuple(part.astype(np.float32) for part in as_tuple(state))):
        start, grad = given if cell.memory else given[0], np.resize(given[0], (B, T, H))
        results.append(whole(cell, params, x, start, lambda _, grad=grad: grad, start))
    same(*results)


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("sizes", [(0, T, D, H), (B, 0, D, H), (0, 0, D, H), (1, 1, 1, 1)])
def test_empty_and_tiny_sequences(name, sizes):
    cell = CELLS[name]
    for leads, place in (((), "all"), ((2,), "all"), ((2,), "input affine")):
        params, x, state = problem(cell, sizes=sizes, leads=leads)
        options = {"noise": noise_at(place, cell, sizes=sizes, leads=leads), "steps": np.ones(sizes[:2], bool)}
        found = whole(cell, params, x, state, **options)
        assert found["output"].shape == (*leads, *sizes[:2], sizes[3])
        assert found["x"].shape == x.shape
        grads = {key: found[f"grad {key}"] for key in params}
        assert [g.shape for g in grads.values()] == [p.shape for p in params.values()]
        if sizes[1] == 0:
            for part, start in zip("hc", as_tuple(state), strict=False):
                np.testing.assert_array_equal(found[f"final {part}"], start)
                np.testing.assert_array_equal(found[f"start {part}"], start)
        if 0 in sizes:
            assert not any(g.any() for g in grads.values())


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru after", "layer norm"])
def test_two_thousand_steps(name):
    cell = CELLS[name]
    params, x, _ = problem(cell, sizes=(2, 2000, D, H))
    found = whole(cell, params, x, grad_output=lambda output: output)
    np.testing.assert_allclose(found["output"], run(cell, params, x)[0], rtol=0, atol=1e-9)
    assert all(np.isfinite(array).all() for array in found.values())


def test_memory_of_a_long_sequence_is_a_few_times_its_gates():
    params, x, _ = problem(LSTM(), sizes=(4, 2000, 8, 16))
    gates = 4 * 2000 * 4 * 16 * 8
    tracemalloc.start()
    output, _, cache = recurrent.forward(LSTM(), params, x)
    recurrent.backward(cache, output)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * gates


# Not a number


def test_nan_is_passed_on():
    params, x, state = problem(LayerNormLSTM())
    x[1, 2, 0] = np.nan
    output, _, _ = recurrent.forward(LayerNormLSTM(), params, x, state)
    assert np.isfinite(output[[0, 2]]).all()
    assert np.isfinite(output[1, :2]).all()
    assert np.isnan(output[1, 2:]).all()


def test_nan_in_a_parameter_a_state_a_mask_or_a_gradient_is_passed_on():
    for name in ("w_x", "w_h", "b"):
        params, x, state = problem(LSTM())
        params[name][...] = np.nan
        assert np.isnan(recurrent.forward(LSTM(), params, x, state)[0]).all()
    params, x, (h, c) = problem(LSTM())
    nan, mask = np.full((B, H), np.nan), np.full((B, T, H), np.nan)
    assert np.isnan(recurrent.forward(LSTM(), params, x, (nan, c))[0]).all()
    assert np.isnan(recurrent.forward(LSTM(), params, x, (h, nan))[0]).all()
    assert np.isnan(recurrent.step(LSTM(), params, np.full((B, D), np.nan), (h, c))[0]).all()
    output, final, cache = recurrent.forward(LSTM(), params, x, (h, c), noise={"output": Noise(mask)})
    assert np.isnan(output).all()
    assert np.isnan(recurrent.backward(cache, mask)[0]).all()
    assert np.isnan(recurrent.backward(cache, None, (nan, final[1]))[0]).all()
