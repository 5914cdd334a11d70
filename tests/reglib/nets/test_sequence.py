"""The recurrent layer with its readout: by hand, gradients under noise and padding, what stands in padding, errors."""

import numpy as np
import pytest

from reglib import gradcheck
from reglib.layers import recurrent
from reglib.layers.cells import GRU, LSTM, RNN
from reglib.layers.layer_norm_lstm import LayerNormLSTM
from reglib.nets.sequence import READOUTS, Sequence
from reglib.noise import places
from reglib.noise.affine import Noise
from reglib.noise.kinds import Additive, Alpha, Bernoulli, Zoneout
from reglib.train.loop import train
from reglib.train.losses import softmax_cross_entropy, squared_error
from reglib.train.optim import Adam
from reglib.train.technique import value_and_grads
from tests.conftest import exactly

B, T, D, H, C = 5, 4, 3, 6, 4
STEPS = np.arange(T) < np.array([4, 2, 1, 3, 4])[:, None]
CELLS = [RNN(), LSTM(), GRU(), GRU(reset_after=False), LayerNormLSTM(), LayerNormLSTM(norm="gates")]
LOSSES = [softmax_cross_entropy, squared_error]


def problem(readout="last", loss=softmax_cross_entropy, replicas=(), cell=None):
    rng = np.random.default_rng(3)
    net = Sequence(LSTM() if cell is None else cell, D, H, C, readout)
    params = {name: p + 0.1 * rng.standard_normal(p.shape) for name, p in net.init(rng, replicas=replicas).items()}
    shape = (B,) if readout == "last" else (B, T)
    targets = rng.standard_normal((*shape, C)) if loss is squared_error else rng.integers(0, C, shape)
    return net, params, rng.standard_normal((B, T, D)), targets


def of_cell(net, params):
    return {name: params[name] for name in net.cell.shapes(1, 1)}


def test_init_is_the_cell_then_the_readout():
    rng, again = np.random.default_rng(0), np.random.default_rng(0)
    params = Sequence(LSTM(), D, 9, C, forget_bias=0.5).init(rng, replicas=(50,))
    assert list(params) == ["w_x", "w_h", "b", "w_out", "b_out"]
    cell = recurrent.init(again, LSTM(), D, 9, forget_bias=0.5, replicas=(50,))
    for name, array in cell.items():
        np.testing.assert_array_equal(params[name], array)
    np.testing.assert_array_equal(params["w_out"], again.uniform(-1, 1, (50, 9, C)) / 3)
    np.testing.assert_array_equal(params["b_out"], np.zeros((50, C)))
    assert (Sequence(LSTM(), D, H, C).init(rng)["b"][H : 2 * H] == 1).all()
    single = Sequence(RNN(), D, H, C).init(rng, dtype=np.float32)
    assert {p.dtype for p in single.values()} == {np.dtype(np.float32)}
    assert [p.shape for p in single.values()] == [(D, H), (H, H), (H,), (H, C), (C,)]


@pytest.mark.parametrize("cell", CELLS)
def test_names_and_places_are_those_of_the_cell(cell):
    net, params, x, _ = problem(cell=cell, replicas=(2,))
    assert net.names() == tuple(params) == (*cell.shapes(1, 1), "w_out", "b_out")
    expected = {"input": (2, B, T, D)} | dict.fromkeys(("recurrent", "candidate", "state_h"), (2, B, T, H))
    expected |= dict.fromkeys(("state_c", "zone_h", "zone_c", "output"), (2, B, T, H))
    if not cell.memory:
        del expected["state_c"], expected["zone_c"]
    if not cell.candidate:
        del expected["candidate"]
    assert net.places(params, x) == expected
    assert list(net.places(params, x)) == list(expected)


@pytest.mark.parametrize("cell", CELLS)
def test_forward_is_what_it_says(cell):
    net, params, x, _ = problem("last", cell=cell)
    output, _, _ = recurrent.forward(cell, of_cell(net, params), x)
    last, every = net.logits(params, x), Sequence(cell, D, H, C, "every").logits(params, x)
    assert last.shape == (B, C)
    assert every.shape == (B, T, C)
    np.testing.assert_allclose(every, output @ params["w_out"] + params["b_out"], rtol=1e-12)
    np.testing.assert_allclose(last, every[:, -1], rtol=1e-12)


def test_the_last_step_of_a_short_sequence_is_its_own_last_step():
    net, params, x, _ = problem()
    padded = net.logits(params, x, steps=STEPS)
    for row, length in enumerate(STEPS.sum(axis=1)):
        np.testing.assert_allclose(padded[row], net.logits(params, x[row : row + 1, :length])[0], rtol=1e-12)


# Gradients

KINDS = dict.fromkeys(("recurrent", "candidate", "state_h", "state_c"), Bernoulli(0.4)) | {
    "input": Alpha(0.4),
    "zone_h": Zoneout(0.4),
    "output": Additive(0.4),
}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("steps", [None, STEPS])
@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("replicas", [(), (2,)])
def test_gradients_under_noise(readout, loss, steps, replicas):
    net, params, x, targets = problem(readout, loss, replicas)
    rng = np.random.default_rng(5)
    noise = places.draw(rng, KINDS, net.places(params, x))
    assert noise["input"].offset is not None
    assert noise["output"].offset is not None

    def run(p):
        return value_and_grads(net, p, x, targets, noise=noise, loss=loss, steps=steps)

    assert np.shape(run(params)[0]) == replicas
    expected, _ = net.cost(loss, net.logits(params, x, noise=noise, steps=steps), targets, steps=steps)
    np.testing.assert_allclose(run(params)[0], expected, rtol=1e-14)
    gradcheck.check(lambda p: run(p)[0].sum(), lambda p: run(p)[1], params, rng, tolerance=1e-5)


@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("cell", CELLS)
def test_everything_is_the_parameters_the_input_and_the_noise(cell, readout):
    net, params, x, _ = problem(readout, cell=cell)
    rng = np.random.default_rng(5)
    kinds = {place: kind for place, kind in KINDS.items() if place in net.places(params, x)}
    drawn = places.draw(rng, kinds, net.places(params, x))
    cotangent = np.random.default_rng(6).standard_normal(net.logits(params, x).shape)
    whole = {place: Noise(1 + 0.3 * rng.standard_normal(shape)) for place, shape in net.places(params, x).items()}
    for noise in (drawn, whole):

        def value(point, noise=noise):
            gains = {place: Noise(point.get(place, entry.gain), entry.offset) for place, entry in noise.items()}
            return np.sum(cotangent * net.logits(params, point["x"], noise=gains, steps=STEPS))

        def gradient(point, noise=noise):
            gains = {place: Noise(point.get(place, entry.gain), entry.offset) for place, entry in noise.items()}
            _, cache = net.forward(params, point["x"], noise=gains, steps=STEPS)
            found = net.backward(params, cache, cotangent, everything=True)
            assert {place: entry.gain.shape for place, entry in found.noise.items()} == net.places(params, x)
            for key, array in net.backward(params, cache, cotangent).items():
                np.testing.assert_array_equal(found.params[key], array)
            assert (found.x[~STEPS] == 0).all()
            return {"x": found.x} | {place: found.noise[place].gain for place in point if place != "x"}

        point = {"x": x} | {place: entry.gain for place, entry in noise.items() if entry.gain is not None}
        gradcheck.check(value, gradient, point, np.random.default_rng(7), tolerance=1e-5)


# The loss


def test_the_loss_of_the_last_step_is_the_loss_and_every_step_keeps_the_dtype():
    last, _, _, labels = problem()
    every = Sequence(LSTM(), D, H, C, "every")
    logits = np.random.default_rng(1).standard_normal((B, C), dtype=np.float32)
    expected, expected_grad = softmax_cross_entropy(logits, labels)
    for steps in (None, STEPS):
        value, grad = last.cost(softmax_cross_entropy, logits, labels, steps=steps)
        assert value == expected
        np.testing.assert_array_equal(grad, expected_grad)
    logits, labels = np.repeat(logits[:, None], T, axis=1), np.repeat(labels[:, None], T, axis=1)
    for steps in (None, STEPS):
        value, grad = every.cost(softmax_cross_entropy, logits, labels, steps=steps)
        assert value.dtype == grad.dtype == np.float32
        assert grad.shape == logits.shape


@pytest.mark.parametrize("loss", LOSSES)
def test_the_loss_at_every_step_is_the_mean_over_the_steps_that_there_are(loss):
    net, params, x, targets = problem("every", loss)
    logits = net.logits(params, x, steps=STEPS)
    expected, expected_grad = loss(logits[STEPS], targets[STEPS])
    value, grad = net.cost(loss, logits, targets, steps=STEPS)
    assert value == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(grad[STEPS], expected_grad, rtol=1e-12)
    assert not grad[~STEPS].any()
    whole, _ = loss(logits.reshape(B * T, C), targets.reshape(B * T, *targets.shape[2:]))
    assert net.cost(loss, logits, targets)[0] == pytest.approx(whole, rel=1e-12)
    assert abs(whole - expected) > 1e-3


def test_classes_as_probabilities_at_every_step():
    net, params, x, labels = problem("every")
    hard = value_and_grads(net, params, x, labels, steps=STEPS)
    soft = value_and_grads(net, params, x, np.eye(C)[labels], steps=STEPS)
    assert soft[0] == pytest.approx(hard[0], rel=1e-13)
    for name, gradient in hard[1].items():
        np.testing.assert_allclose(soft[1][name], gradient, rtol=1e-11, atol=1e-15)


# Padding


@pytest.mark.parametrize("padding", [0.0, 9.0, 1e200, np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("noisy", [False, True])
def test_what_stands_in_padded_steps_reaches_neither_loss_nor_gradients(noisy, cell, readout, padding):
    net, params, x, labels = problem(readout, cell=cell, replicas=(2,))
    own = dict.fromkeys(("recurrent", "state_h"), Bernoulli(0.4))
    kinds = own | {"input": Alpha(0.4), "zone_h": Zoneout(0.4), "output": Additive(0.3)} if noisy else {}
    noise = places.draw(np.random.default_rng(5), kinds, net.places(params, x))
    wrong = labels if readout == "last" else np.where(STEPS, labels, -100)
    results = []
    for inputs, y in ((x, labels), (np.where(STEPS[..., None], x, padding), wrong)):
        logits, cache = net.forward(params, inputs, noise=noise, steps=STEPS)
        value, grad = net.cost(softmax_cross_entropy, logits, y, steps=STEPS)
        results.append((value, net.backward(params, cache, grad, everything=True)))
    (value, grads), (padded_value, padded) = results
    np.testing.assert_array_equal(padded_value, value)
    np.testing.assert_array_equal(padded.x, grads.x)
    for name, gradient in grads.params.items():
        np.testing.assert_array_equal(padded.params[name], gradient)
        assert np.isfinite(gradient).all()


def test_padding_of_masks_of_their_own_and_in_targets_that_are_numbers():
    """An untied mask acts inside of the layer, on an input whose padding is already gone."""
    net, params, x, targets = problem("every", squared_error)
    kinds = {"input": Bernoulli(0.4, gates=4), "recurrent": Bernoulli(0.4, gates=4)}
    noise = places.draw(np.random.default_rng(5), kinds, net.places(params, x))
    there = STEPS[..., None]
    options = {"noise": noise, "loss": squared_error, "steps": STEPS}
    value, grads = value_and_grads(net, params, x, targets, **options)
    padded = np.where(there, x, np.nan), np.where(there, targets, np.nan)
    again, padded_grads = value_and_grads(net, params, *padded, **options)
    assert again == value
    for name, gradient in grads.items():
        np.testing.assert_array_equal(padded_grads[name], gradient)


@pytest.mark.parametrize("readout", READOUTS)
def test_a_replica_is_safe_from_its_own_padding_in_inputs_that_all_share(readout):
    """Where one replica has a step and another one has none, NaN is the first one's alone."""
    net, params, x, labels = problem(readout, replicas=(2,))
    steps = np.stack([STEPS, np.ones_like(STEPS)])
    x = np.where(STEPS[..., None], x, np.nan)
    value, grads = value_and_grads(net, params, x, labels, steps=steps)
    one = {name: p[0] for name, p in params.items()}
    alone, alone_grads = value_and_grads(net, one, x, labels, steps=STEPS)
    assert value[0] == pytest.approx(alone, rel=1e-13)
    assert np.isnan(value[1])
    for name, gradient in alone_grads.items():
        np.testing.assert_allclose(grads[name][0], gradient, rtol=1e-11, atol=1e-15)


# Replicas


@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("loss", LOSSES)
def test_replicas_are_a_loop_over_models(readout, loss):
    net, params, x, targets = problem(readout, loss, (3,))
    xs = np.stack([x, -x, x + 1])
    several = np.stack([targets, targets[::-1], targets])
    steps = np.stack([STEPS, STEPS[::-1], np.ones_like(STEPS)])
    kinds = dict.fromkeys(("recurrent", "output"), Bernoulli(0.3))
    noise = places.draw(np.random.default_rng(6), kinds, net.places(params, xs))
    value, grads = value_and_grads(net, params, xs, several, noise=noise, steps=steps, loss=loss)
    for s in range(3):
        own = {place: Noise(entry.gain[s]) for place, entry in noise.items()}
        one = {name: p[s] for name, p in params.items()}
        options = {"noise": own, "steps": steps[s], "loss": loss}
        alone, alone_grads = value_and_grads(net, one, xs[s], several[s], **options)
        assert value[s] == pytest.approx(alone, rel=1e-12)
        for name, gradient in alone_grads.items():
            np.testing.assert_allclose(grads[name][s], gradient, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("steps", [None, STEPS])
def test_shared_data_and_data_of_their_own_alike(readout, steps):
    net, params, x, labels = problem(readout, replicas=(2,))
    shared, _ = value_and_grads(net, params, x, labels, steps=steps)
    own, _ = value_and_grads(
        net, params, np.stack([x, x]), np.stack([labels] * 2), steps=None if steps is None else np.stack([steps] * 2)
    )
    np.testing.assert_allclose(shared, own, rtol=1e-14)


# Zoneout at inference, and the rest


def test_zoneout_at_inference():
    net, params, x, _ = problem("every")
    kinds = {"zone_h": Zoneout(0.5), "zone_c": Zoneout(0.25), "input": Bernoulli(0.5)}
    noise = places.expected(kinds, net.places(params, x))
    assert list(noise) == ["zone_h", "zone_c"]
    logits = net.logits(params, x, noise=noise)
    plain = net.logits(params, x)
    h, c = np.zeros((B, H)), np.zeros((B, H))
    for t in range(T):
        new, (_, new_c), _ = recurrent.step(LSTM(), of_cell(net, params), x[:, t], (h, c))
        h, c = 0.5 * h + 0.5 * new, 0.25 * c + 0.75 * new_c
        np.testing.assert_allclose(logits[:, t], h @ params["w_out"] + params["b_out"], rtol=1e-12)
    assert np.abs(logits - plain).max() > 1e-3


def test_it_learns_and_stays_float32():
    rng = np.random.default_rng(2)
    x = rng.standard_normal((40, 6, 1)).astype(np.float32)
    labels = (x[:, 1, 0] > 0).astype(int)
    net = Sequence(GRU(), 1, 8, 2)
    run = train(net, net.init(rng, dtype=np.float32), Adam(0.02), [np.arange(40)] * 80, data=(x, labels))
    assert run.losses[-1] < 0.3 * run.losses[0]
    assert {p.dtype for p in run.params.values()} == {np.dtype(np.float32)}


def test_nothing_changes_in_place():
    net, params, x, labels = problem("every")
    kept = [array.copy() for array in (*params.values(), x, labels, STEPS)]
    value_and_grads(net, params, x, labels, steps=STEPS)
    for array, before in zip((*params.values(), x, labels, STEPS), kept, strict=True):
        np.testing.assert_array_equal(array, before)


# Errors


def test_bad_options_are_named():
    for name in ("inputs", "hidden", "outputs"):
        with pytest.raises(ValueError, match=exactly(f"{name} must be at least 1, got 0")):
            Sequence(LSTM(), **({"inputs": D, "hidden": H, "outputs": C} | {name: 0}))
    with pytest.raises(ValueError, match=exactly("readout must be one of 'last', 'every'; got 'first'")):
        Sequence(LSTM(), D, H, C, "first")
    with pytest.raises(TypeError, match=r"^cell must be a cell such as LSTM\(\), from reglib.layers.cells; got <class"):
        Sequence(LSTM, D, H, C)
    with pytest.raises(TypeError, match=r"^forget_bias must be a real number"):
        Sequence(LSTM(), D, H, C, forget_bias="one")


@pytest.mark.parametrize("readout", READOUTS)
def test_sequences_without_a_step_are_named(readout):
    net, params, x, _ = problem(readout, replicas=(2,))
    with pytest.raises(ValueError, match=exactly("x must have at least one step, got shape (5, 0, 3)")):
        net.forward(params, x[:, :0])


def test_a_batch_without_a_step_is_named():
    net, params, x, labels = problem("every", replicas=(2,))
    nowhere = np.zeros_like(STEPS)
    for steps in (nowhere, np.stack([STEPS, nowhere])):
        with pytest.raises(ValueError, match=exactly("steps must have at least one step in every batch, got none")):
            value_and_grads(net, params, x, labels, steps=steps)
    # after the last step, it is the initial state that is read
    last = problem("last", replicas=(2,))[0]
    logits = last.logits(params, x, steps=nowhere)
    np.testing.assert_array_equal(logits, np.broadcast_to(params["b_out"][:, None], (2, B, C)))


def test_targets_and_steps_that_do_not_fit_are_named():
    net, params, x, labels = problem("every", replicas=(2,))
    with pytest.raises(
        ValueError, match=exactly("y must have shape (2, 5, 4), or (5, 4) for all replicas; got (5, 3)")
    ):
        value_and_grads(net, params, x, labels[:, :3])
    message = exactly("y must have shape (2, 5, 4, 4), or (5, 4, 4) for all replicas; got (5, 4, 3)")
    with pytest.raises(ValueError, match=message):
        value_and_grads(net, params, x, np.ones((B, T, 3)), loss=squared_error)
    with pytest.raises(
        ValueError, match=exactly("steps must have shape (2, 5, 4), or (5, 4) for all replicas; got (4,)")
    ):
        value_and_grads(net, params, x, labels, steps=STEPS[0])
    for readout in READOUTS:
        net, params, x, _ = problem(readout)
        logits, cache = net.forward(params, x)
        message = f"grad must have the shape of the logits, {logits.shape}; got {logits[:1].shape}"
        with pytest.raises(ValueError, match=exactly(message)):
            net.backward(params, cache, logits[:1])
        message = f"grad must have the shape of the logits, {logits.shape}; got {logits.swapaxes(0, 1).shape}"
        with pytest.raises(ValueError, match=exactly(message)):
            net.backward(params, cache, logits.swapaxes(0, 1))
