"""Recurrent networks: against a step-by-step reference at every place of noise, gradients, replicas, edges, errors."""

import numpy as np
import pytest

from reglib import gradcheck
from reglib.layers import _sequence, recurrent
from reglib.layers.cells import GRU, LSTM, RNN
from reglib.layers.layer_norm_lstm import LayerNormLSTM
from reglib.layers.recurrent import Noise
from tests.conftest import exactly
from tests.reglib.layers.recurrent_reference import CASES, CELLS, B, D, H, T, noise_at, problem, run, some_steps


def as_tuple(state):
    return state if isinstance(state, tuple) else (state,)


def gradients_agree(cell, params, x, state, noise=None, steps=None, directions=2):
    """Check every gradient of a random function of all outputs and of the final state."""
    rng = np.random.default_rng(9)
    output, final, _ = recurrent.forward(cell, params, x, state, noise=noise, steps=steps)
    weights = [rng.standard_normal(a.shape) for a in (output, *as_tuple(final))]
    names = [*cell.shapes(1, 1), "x", "h0", "c0"][: len(params) + 1 + len(as_tuple(state))]

    def unpack(p):
        start = tuple(p[name] for name in names[len(params) + 1 :])
        return [p[name] for name in names[: len(params)]], p["x"], start if cell.memory else start[0]

    def value(p):
        output, final, _ = recurrent.forward(cell, *unpack(p), noise=noise, steps=steps)
        return sum(np.sum(w * a) for w, a in zip(weights, (output, *as_tuple(final)), strict=True))

    def gradient(p):
        _, _, cache = recurrent.forward(cell, *unpack(p), noise=noise, steps=steps)
        grad_final = tuple(weights[1:]) if cell.memory else weights[1]
        grad_x, grads, grad_state = recurrent.backward(cache, weights[0], grad_final)
        return dict(zip(names, [*grads, grad_x, *as_tuple(grad_state)], strict=True))

    point = dict(zip(names, [*params, x, *as_tuple(state)], strict=True))
    gradcheck.check(value, gradient, point, rng, directions=directions, tolerance=2e-6)


def test_an_lstm_by_hand():
    params = [np.log([[3.0, 1.0, 2.0, 1 / 3]]), np.log([[1.0, 3.0, 1.0, 1.0]]), np.log([1.0, 1.0, 2.0, 1.0])]
    # x = 1, h = 1, c = 2: i = sigma(ln 3) = 3/4, f = sigma(ln 3) = 3/4, g = tanh(ln 4) = 15/17, o = sigma(-ln 3) = 1/4
    x, state = np.ones((1, 1, 1)), (np.ones((1, 1)), np.full((1, 1), 2.0))
    output, (h, c), _ = recurrent.forward(LSTM(), params, x, state)
    np.testing.assert_allclose(c, 0.75 * 2 + 0.75 * 15 / 17, rtol=1e-15)
    np.testing.assert_allclose(h, np.tanh(0.75 * 2 + 0.75 * 15 / 17) / 4, rtol=1e-15)
    np.testing.assert_array_equal(output[0], h)


@pytest.mark.parametrize("reset_after", [True, False])
def test_a_gru_by_hand(reset_after):
    params = [np.log([[3.0, 1.0, 2.0]]), np.log([[1.0, 3.0, 2.0]]), np.log([1.0, 1.0, 3.0]), np.log([4.0])]
    # h = 2: r = 3/4, z = sigma(2 ln 3) = 9/10; n = tanh(ln 6 + r (2 ln 2 + ln 4)) or tanh(ln 6 + 2 r ln 2)
    output, h, _ = recurrent.forward(
        GRU(reset_after=reset_after), params[: 3 + reset_after], np.ones((1, 1, 1)), np.full((1, 1), 2.0)
    )
    inner = np.log(6) + 0.75 * (4 if reset_after else 2) * np.log(2)
    np.testing.assert_allclose(h, 0.9 * 2 + 0.1 * np.tanh(inner), rtol=1e-15)
    np.testing.assert_array_equal(output[0], h)


def test_an_elman_network_by_hand():
    params = [np.log([[2.0]]), np.log([[3.0]]), np.log([5.0])]
    output, h, _ = recurrent.forward(RNN(), params, np.array([[[1.0], [2.0]]]), np.array([[-1.0]]))
    first = (100 / 9 - 1) / (100 / 9 + 1)  # tanh(ln 10/3)
    np.testing.assert_allclose(output[0, :, 0], [first, np.tanh(np.log(20) + first * np.log(3))], rtol=1e-15)
    np.testing.assert_array_equal(h, output[:, -1])


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


@pytest.mark.parametrize("place", ["none", "all", "zone numbers", "state_h"])
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


LEADS = [((3,), (3,)), ((), (3,)), ((3,), ()), ((2, 2), (2, 2)), ((), (2, 2)), ((2, 2), ())]


@pytest.mark.parametrize(("x_leads", "leads"), LEADS)
@pytest.mark.parametrize("name", CELLS)
def test_replicas_are_a_loop_over_models(name, x_leads, leads):
    cell = CELLS[name]
    whole = x_leads or leads
    params = problem(cell, leads=leads)[0]
    x = problem(cell, leads=x_leads)[1]
    state = problem(cell, leads=whole)[2]
    noise = noise_at("all", cell, leads=whole)
    steps = some_steps()
    output, final, cache = recurrent.forward(cell, params, x, state, noise=noise, steps=steps)
    rng = np.random.default_rng(3)
    grad_output = rng.standard_normal(output.shape)
    grad_final = tuple(rng.standard_normal(part.shape) for part in as_tuple(final))
    grads = recurrent.backward(cache, grad_output, grad_final if cell.memory else grad_final[0])
    sum_x, sum_params = np.zeros(x.shape), [np.zeros(p.shape) for p in params]
    for s in np.ndindex(whole):
        in_x, in_params = (s if x_leads else ()), (s if leads else ())
        one_noise = Noise(**{k: m[s] for k, m in vars(noise).items() if m is not None})
        one_state = tuple(part[s] for part in as_tuple(state))
        one, last, one_cache = recurrent.forward(
            cell, [p[in_params] for p in params], x[in_x], one_state if cell.memory else one_state[0],
            noise=one_noise, steps=steps,
        )  # fmt: skip
        np.testing.assert_allclose(output[s], one, rtol=0, atol=1e-13)
        one_final = tuple(part[s] for part in grad_final)
        one_x, one_params, one_start = recurrent.backward(
            one_cache, grad_output[s], one_final if cell.memory else one_final[0]
        )
        for part, one_part in zip(as_tuple(final), as_tuple(last), strict=True):
            np.testing.assert_allclose(part[s], one_part, rtol=0, atol=1e-13)
        for part, one_part in zip(as_tuple(grads[2]), as_tuple(one_start), strict=True):
            np.testing.assert_allclose(part[s], one_part, rtol=0, atol=1e-11)
        sum_x[in_x] += one_x
        for total, gradient in zip(sum_params, one_params, strict=True):
            total[in_params] += gradient
    np.testing.assert_allclose(grads[0], sum_x, rtol=0, atol=1e-11)
    for total, gradient in zip(sum_params, grads[1], strict=True):
        np.testing.assert_allclose(gradient, total, rtol=0, atol=1e-11)


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
    for together in (3, 2, 1):
        monkeypatch.setattr(_sequence, "GROUP_BYTES", together * size)
        original = type(cell).step
        seen.clear()
        monkeypatch.setattr(
            type(cell), "step", lambda self, w, a, *rest, f=original: (seen.append(len(a)), f(self, w, a, *rest))[1]
        )
        output, final, cache = recurrent.forward(cell, params, x, state, noise=noise)
        monkeypatch.setattr(type(cell), "step", original)
        assert sorted(seen) == sorted({3: [3] * T, 2: [2] * T + [1] * T, 1: [1] * 3 * T}[together])
        grad_x, grads, start = recurrent.backward(cache, np.cos(output), final)
        results.append([output, *as_tuple(final), cache.h, grad_x, *grads, *as_tuple(start)])
    for other in results[1:]:
        for array, same in zip(other, results[0], strict=True):
            np.testing.assert_allclose(array, same, rtol=0, atol=1e-12)


def test_a_step_mask_may_differ_between_replicas():
    params, x, state = problem(LSTM(), leads=(2,))
    steps = np.stack([some_steps(), some_steps()[::-1]])
    output, _, _ = recurrent.forward(LSTM(), params, x, state, steps=steps)
    for s in range(2):
        one, _, _ = recurrent.forward(
            LSTM(), [p[s] for p in params], x[s], tuple(part[s] for part in state), steps=steps[s]
        )
        np.testing.assert_allclose(output[s], one, rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    "field", ["input", "recurrent", "candidate", "state_h", "state_c", "zone_h", "zone_c", "output"]
)
@pytest.mark.parametrize("axis", [0, 1, 2, 3])
def test_an_axis_of_length_one_is_shared(field, axis):
    params, x, state = problem(LSTM(), leads=(2,))
    mask = getattr(noise_at("input" if field == "input" else "all", LSTM(), leads=(2,)), field)
    if mask.ndim == 5:
        mask = mask[..., 0, :]
    short = mask.take([0], axis)
    long = np.repeat(short, mask.shape[axis], axis)
    results = [recurrent.forward(LSTM(), params, x, state, noise=Noise(**{field: m})) for m in (short, long)]
    np.testing.assert_allclose(results[0][0], results[1][0], rtol=0, atol=1e-15)
    grads = [recurrent.backward(cache, np.ones_like(output)) for output, _, cache in results]
    for one, other in zip(*(g[1] for g in grads), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-12)


@pytest.mark.parametrize("field", ["input", "recurrent"])
def test_masks_of_gates_that_are_equal_are_one_mask(field):
    params, x, state = problem(GRU())
    mask = getattr(noise_at(field, GRU()), field)
    tied = recurrent.forward(GRU(), params, x, state, noise=Noise(**{field: mask}))
    gates = np.repeat(mask[..., None, :], 3, axis=-2)
    untied = recurrent.forward(GRU(), params, x, state, noise=Noise(**{field: gates}))
    np.testing.assert_allclose(tied[0], untied[0], rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", CELLS)
def test_one_step_is_a_sequence_of_one(name):
    cell = CELLS[name]
    for leads in ((), (2,)):
        params, x, state = problem(cell, leads=leads, sizes=(B, 1, D, H))
        noise = noise_at("all", cell, leads=leads, sizes=(B, 1, D, H))
        squeezed = Noise(
            **{k: m[(slice(None),) * (len(leads) + 1) + (0,)] for k, m in vars(noise).items() if m is not None}
        )
        output, final, cache = recurrent.forward(cell, params, x, state, noise=noise)
        one, one_final, one_cache = recurrent.step(cell, params, x[..., 0, :], state, noise=squeezed)
        assert one.shape == (*leads, B, H)
        np.testing.assert_array_equal(one, output[..., 0, :])
        for ours, theirs in zip(as_tuple(one_final), as_tuple(final), strict=True):
            np.testing.assert_array_equal(ours, theirs)
        grads = recurrent.backward(cache, 2 * output, final)
        one_grads = recurrent.step_backward(one_cache, 2 * one, one_final)
        assert one_grads[0].shape == (*leads, B, D)
        np.testing.assert_array_equal(one_grads[0], grads[0][..., 0, :])
        for ours, theirs in zip(one_grads[1], grads[1], strict=True):
            np.testing.assert_array_equal(ours, theirs)
        for ours, theirs in zip(as_tuple(one_grads[2]), as_tuple(grads[2]), strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_one_step_shared_by_replicas_and_a_number_for_zoneout():
    params, x, state = problem(LSTM(), leads=(3,))
    shared = x[0, :, 0]
    noise = Noise(zone_h=0.25, recurrent=np.full((3, B, H), 2.0))
    output, (h, _), cache = recurrent.step(LSTM(), params, shared, state, noise=noise)
    assert output.shape == (3, B, H)
    plain, _, _ = recurrent.step(LSTM(), params, shared, state, noise=Noise(recurrent=noise.recurrent))
    np.testing.assert_allclose(h, 0.25 * state[0] + 0.75 * plain, rtol=1e-14)
    grad_x, _, _ = recurrent.step_backward(cache, grad_state=state)
    assert grad_x.shape == shared.shape


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
    for one, two, three in zip(grads[0][1], grads[1][1], both[1], strict=True):
        np.testing.assert_allclose(one + two, three, rtol=0, atol=1e-12)
    assert not recurrent.backward(cache)[0].any()


def test_backward_twice_gives_the_same_and_nothing_changes_in_place():
    for cell in CELLS.values():
        params, x, state = problem(cell)
        noise = noise_at("all", cell)
        arguments = [*params, x, *as_tuple(state), *(m for m in vars(noise).values() if m is not None)]
        before = [array.copy() for array in arguments]
        output, _, cache = recurrent.forward(cell, params, x, state, noise=noise, steps=some_steps())
        first = recurrent.backward(cache, np.cos(output))
        second = recurrent.backward(cache, np.cos(output))
        np.testing.assert_array_equal(first[0], second[0])
        for one, two in zip(first[1], second[1], strict=True):
            np.testing.assert_array_equal(one, two)
        for array, copy in zip(arguments, before, strict=True):
            np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("name", CELLS)
def test_dtype_follows(name):
    cell = CELLS[name]
    params, x, state = problem(cell)
    noise = noise_at("all", cell)
    exact = recurrent.forward(cell, params, x, state, noise=noise, steps=some_steps())[0]
    params, x = [p.astype(np.float32) for p in params], x.astype(np.float32)
    output, final, cache = recurrent.forward(cell, params, x, state, noise=noise, steps=some_steps())
    grad_x, grads, grad_state = recurrent.backward(cache, np.ones(output.shape), final)
    for array in (output, *as_tuple(final), cache.h, grad_x, *grads, *as_tuple(grad_state)):
        assert array.dtype == np.float32
    np.testing.assert_allclose(output, exact, rtol=0, atol=1e-4)


def test_float32_meets_float64_in_float64():
    params, x, _ = problem(LSTM())
    low = [p.astype(np.float32) for p in params]
    low_x = x.astype(np.float32)
    for mixed in ((low, x), (params, low_x), ([params[0], *low[1:]], low_x), ([low[0], *params[1:]], low_x)):
        output, (h, c), cache = recurrent.forward(LSTM(), *mixed)
        grad_x, grads, start = recurrent.backward(cache, output, (h, c))
        assert {a.dtype for a in (output, h, c, grad_x, *grads, *start)} == {np.dtype(np.float64)}
        before = recurrent.forward(LSTM(), [p.astype(float) for p in mixed[0]], mixed[1].astype(float))
        np.testing.assert_array_equal(output, before[0])


@pytest.mark.parametrize("name", CELLS)
def test_a_float32_network_rounds_what_it_is_given_first(name):
    cell = CELLS[name]
    params, x, state = problem(cell)
    params, x = [p.astype(np.float32) for p in params], x.astype(np.float32)
    results = []
    for given in (as_tuple(state), tuple(part.astype(np.float32) for part in as_tuple(state))):
        start = given if cell.memory else given[0]
        output, _, cache = recurrent.forward(cell, params, x, start)
        grad_output = np.resize(given[0], output.shape)
        grad_x, grads, grad_state = recurrent.backward(cache, grad_output, start)
        results.append([output, grad_x, *grads, *as_tuple(grad_state)])
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", CELLS)
def test_dtype_follows_without_a_state_and_its_gradient(name):
    cell = CELLS[name]
    params, x, _ = problem(cell)
    output, final, cache = recurrent.forward(cell, [p.astype(np.float32) for p in params], x.astype(np.float32))
    _, grads, start = recurrent.backward(cache, output)
    assert {a.dtype for a in (output, *as_tuple(final), *grads, *as_tuple(start))} == {np.dtype(np.float32)}


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("sizes", [(0, T, D, H), (B, 0, D, H), (0, 0, D, H), (1, 1, 1, 1)])
def test_empty_and_tiny_sequences(name, sizes):
    cell = CELLS[name]
    for leads in ((), (2,)):
        params, x, state = problem(cell, sizes=sizes, leads=leads)
        output, final, cache = recurrent.forward(
            cell,
            params,
            x,
            state,
            noise=noise_at("all", cell, sizes=sizes, leads=leads),
            steps=np.ones(sizes[:2], bool),
        )
        assert output.shape == (*leads, *sizes[:2], sizes[3])
        grad_x, grads, grad_state = recurrent.backward(cache, output, final)
        assert grad_x.shape == x.shape
        assert [g.shape for g in grads] == [p.shape for p in params]
        if sizes[1] == 0:
            for ours, start, gradient in zip(as_tuple(final), as_tuple(state), as_tuple(grad_state), strict=True):
                np.testing.assert_array_equal(ours, start)
                np.testing.assert_array_equal(gradient, start)
        if 0 in sizes:
            assert not any(g.any() for g in grads)


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru after", "layer norm"])
def test_two_thousand_steps(name):
    cell = CELLS[name]
    sizes = (2, 2000, D, H)
    params, x, _ = problem(cell, sizes=sizes)
    output, _, cache = recurrent.forward(cell, params, x)
    np.testing.assert_allclose(output, run(cell, params, x)[0], rtol=0, atol=1e-9)
    grad_x, grads, _ = recurrent.backward(cache, output)
    assert np.isfinite(grad_x).all()
    assert all(np.isfinite(g).all() for g in grads)


def test_memory_of_a_long_sequence_is_a_few_times_its_gates():
    import tracemalloc

    params, x, _ = problem(LSTM(), sizes=(4, 2000, 8, 16))
    gates = 4 * 2000 * 4 * 16 * 8
    tracemalloc.start()
    output, _, cache = recurrent.forward(LSTM(), params, x)
    recurrent.backward(cache, output)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * gates


@pytest.mark.parametrize("cell", CELLS.values())
def test_parameters_are_drawn_in_the_shapes_of_the_cell(cell):
    params = recurrent.init(np.random.default_rng(0), cell, 3, 50, forget_bias=2.5, replicas=(2, 4), dtype=np.float32)
    names = list(cell.shapes(3, 50))
    assert [p.shape for p in params] == [(2, 4, *shape) for shape in cell.shapes(3, 50).values()]
    for name, p in zip(names, params, strict=True):
        assert p.dtype == np.float32
        if name.startswith("w"):
            limit = 1 / np.sqrt(50)
            assert 0.98 * limit < p.max() <= limit
            assert -limit <= p.min() < -0.98 * limit
            assert abs(p.mean()) < 0.05 * limit
        elif name.startswith("gain"):
            assert (p == 1).all()
        elif name == "b" and cell.memory:
            assert (p[..., 50:100] == 2.5).all()
            assert (p[..., :50] == 0).all()
            assert (p[..., 100:] == 0).all()
        else:
            assert (p == 0).all()
    assert recurrent.init(np.random.default_rng(0), cell, 3, 50)[2].dtype == np.float64


def test_the_forget_bias_is_one_by_default():
    assert recurrent.init(np.random.default_rng(0), LSTM(), 2, 1)[2].tolist() == [0, 1, 0, 0]


def test_init_names_what_is_wrong():
    rng = np.random.default_rng(0)
    with pytest.raises(TypeError, match=r"^rng must be a numpy"):
        recurrent.init(0, LSTM(), 2, 3)
    with pytest.raises(
        TypeError, match=r"^cell must be a cell such as LSTM\(\), from reglib.layers.cells; got <class "
    ):
        recurrent.init(rng, LSTM, 2, 3)
    with pytest.raises(
        TypeError, match=r"^cell must be a cell such as LSTM\(\), from reglib.layers.cells; got 'lstm'$"
    ):
        recurrent.init(rng, "lstm", 2, 3)
    with pytest.raises(ValueError, match=exactly("inputs must be at least 1, got 0")):
        recurrent.init(rng, LSTM(), 0, 3)
    with pytest.raises(ValueError, match=exactly("hidden must be at least 1, got 0")):
        recurrent.init(rng, LSTM(), 2, 0)
    with pytest.raises(TypeError, match=r"^forget_bias must be a real number"):
        recurrent.init(rng, LSTM(), 2, 3, forget_bias="one")
    with pytest.raises(ValueError, match=exactly("replicas must be at least 1, got 0")):
        recurrent.init(rng, LSTM(), 2, 3, replicas=(0,))


def refused(error, message, cell=None, *, params=None, x=None, state=None, **keywords):
    cell = LSTM() if cell is None else cell
    good = problem(cell)
    with pytest.raises(error, match=exactly(message)):
        recurrent.forward(cell, good[0] if params is None else params, good[1] if x is None else x, state, **keywords)


def test_bad_parameters_and_inputs_are_named():
    w_x, w_h, b = problem(LSTM())[0]
    refused(ValueError, "x must have shape (..., B, T, D), got (4, 2)", x=np.ones((4, 2)))
    refused(ValueError, "params must be the list [w_x, w_h, b] of LSTM, got 2 arrays", params=[w_x, w_h])
    refused(ValueError, "params must be the list [w_x, w_h, b] of LSTM, got ndarray", params=w_x)
    refused(ValueError, "params must be the list [w_x, w_h, b, b_h] of GRU, got 3 arrays", GRU(), params=[w_x, w_h, b])
    refused(ValueError, "w_h must have shape (..., H, 4H) for LSTM, got (5,)", params=[w_x, w_h[:, 0], b])
    refused(ValueError, "w_h must have shape (..., H, 4H) for LSTM, got (5, 19)", params=[w_x, w_h[:, 1:], b])
    refused(ValueError, "w_h must have shape (..., H, H) for RNN, got (5, 20)", RNN(), params=[w_x, w_h, b])
    tail = "for LSTM with x of 2 inputs and w_h of shape (5, 20); got"
    refused(ValueError, f"w_x must have shape (2, 20) {tail} (3, 20)", params=[np.ones((3, 20)), w_h, b])
    refused(ValueError, f"b must have shape (20,) {tail} (1, 20)", params=[w_x, w_h, b[None]])
    refused(
        ValueError,
        "w_x must have shape (2, 20) for LSTM with x of 3 inputs and w_h of shape (5, 20); got (2, 20)".replace(
            "(2, 20) for", "(3, 20) for"
        ),
        x=np.ones((B, T, 3)),
    )
    refused(
        ValueError,
        "the leading axes of x and the parameters must be the same replicas, or one of them must have none; "
        "got x of shape (3, 3, 4, 2) and w_x of shape (2, 2, 20)",
        params=problem(LSTM(), leads=(2,))[0],
        x=np.ones((3, B, T, D)),
    )
    with pytest.raises(TypeError, match=r"^w_h must hold floating-point numbers"):
        recurrent.forward(LSTM(), [w_x, np.ones((5, 20), int), b], np.ones((B, T, D)))
    with pytest.raises(TypeError, match=r"^x must hold floating-point numbers"):
        recurrent.forward(LSTM(), [w_x, w_h, b], np.ones((B, T, D), int))
    with pytest.raises(TypeError, match=r"^cell must be a cell such as LSTM\(\)"):
        recurrent.forward(LSTM, [w_x, w_h, b], np.ones((B, T, D)))


def test_wrong_states_are_named():
    h = np.zeros((B, H))
    refused(TypeError, "state must be a pair (h, c) for LSTM, got one ndarray", state=h)
    refused(TypeError, "state must be a pair (h, c) for LSTM, got a tuple of 3", state=(h, h, h))
    refused(TypeError, "state must be a pair (h, c) for LSTM, got a list of 1", state=[h])
    refused(TypeError, "state must be one array h for GRU, got a tuple of 2", GRU(), state=(h, h))
    refused(ValueError, "h of state must have shape (3, 5), got (3, 4)", state=(h[:, 1:], h))
    refused(ValueError, "c of state must have shape (3, 5), got (5,)", state=(h, h[0]))
    refused(ValueError, "h of state must have shape (3, 5), got (1, 3, 5)", RNN(), state=h[None])
    with pytest.raises(TypeError, match=r"^c of state must hold floating-point numbers"):
        recurrent.forward(LSTM(), *problem(LSTM())[:2], (h, np.zeros((B, H), int)))
    params, x, _ = problem(LSTM(), leads=(2,))
    with pytest.raises(ValueError, match=exactly("h of state must have shape (2, 3, 5), got (3, 5)")):
        recurrent.forward(LSTM(), params, x, (h, h))
    output, _, _ = recurrent.forward(LSTM(), params, x, [np.zeros((2, B, H))] * 2)
    assert output.shape == (2, B, T, H)


def test_wrong_gradients_are_named():
    params, x, state = problem(LSTM())
    output, _, cache = recurrent.forward(LSTM(), params, x, state)
    with pytest.raises(
        ValueError, match=exactly("grad_output must have the shape of the output, (3, 4, 5); got (3, 5)")
    ):
        recurrent.backward(cache, output[:, 0])
    with pytest.raises(TypeError, match=r"^grad_output must hold floating-point numbers"):
        recurrent.backward(cache, np.ones((B, T, H), int))
    with pytest.raises(TypeError, match=exactly("grad_state must be a pair (h, c) for LSTM, got one ndarray")):
        recurrent.backward(cache, output, state[0])
    with pytest.raises(ValueError, match=exactly("c of grad_state must have shape (3, 5), got (5,)")):
        recurrent.backward(cache, output, (state[0], state[1][0]))


def test_one_step_names_what_is_wrong():
    params, _, state = problem(LSTM())
    with pytest.raises(ValueError, match=exactly("x must have shape (..., B, D), got (2,)")):
        recurrent.step(LSTM(), params, np.ones(2), state)
    with pytest.raises(TypeError, match=r"^x must hold floating-point numbers"):
        recurrent.step(LSTM(), params, np.ones((B, D), int), state)
    with pytest.raises(TypeError, match=exactly("noise must be a Noise, got 0.5")):
        recurrent.step(LSTM(), params, np.ones((B, D)), state, noise=0.5)
    with pytest.raises(
        ValueError, match=exactly("noise.recurrent must have 3 axes, for it acts on (3, 1, 5); got shape (5,)")
    ):
        recurrent.step(LSTM(), params, np.ones((B, D)), state, noise=Noise(recurrent=np.ones(H)))


def test_nan_is_passed_on():
    params, x, state = problem(LayerNormLSTM())
    x[1, 2, 0] = np.nan
    output, _, _ = recurrent.forward(LayerNormLSTM(), params, x, state)
    assert np.isfinite(output[[0, 2]]).all()
    assert np.isfinite(output[1, :2]).all()
    assert np.isnan(output[1, 2:]).all()


def test_nan_in_a_parameter_a_state_a_mask_or_a_gradient_is_passed_on():
    for position in range(3):
        params, x, state = problem(LSTM())
        params[position][...] = np.nan
        assert np.isnan(recurrent.forward(LSTM(), params, x, state)[0]).all()
    params, x, (h, c) = problem(LSTM())
    nan = np.full((B, H), np.nan)
    assert np.isnan(recurrent.forward(LSTM(), params, x, (nan, c))[0]).all()
    assert np.isnan(recurrent.forward(LSTM(), params, x, (h, nan))[0]).all()
    assert np.isnan(recurrent.step(LSTM(), params, np.full((B, D), np.nan), (h, c))[0]).all()
    mask = np.full((B, T, H), np.nan)
    output, final, cache = recurrent.forward(LSTM(), params, x, (h, c), noise=Noise(output=mask))
    assert np.isnan(output).all()
    assert np.isnan(recurrent.backward(cache, mask)[0]).all()
    assert np.isnan(recurrent.backward(cache, None, (nan, final[1]))[0]).all()
