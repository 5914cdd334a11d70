"""The recurrent layer with its readout: by hand, gradients under noise and padding, replicas, errors."""

import numpy as np
import pytest

from reglib import gradcheck
from reglib.layers import recurrent
from reglib.layers.cells import GRU, LSTM, RNN
from reglib.nets import sequence
from reglib.noise.places import Noise
from reglib.train import loop, optim
from reglib.train.losses import softmax_cross_entropy, squared_error
from tests.conftest import exactly

B, T, D, H, C = 5, 4, 3, 6, 4
STEPS = np.arange(T) < np.array([4, 2, 1, 3, 4])[:, None]


def problem(readout, loss, replicas=(), cell=None):
    rng = np.random.default_rng(3)
    cell = LSTM() if cell is None else cell
    params = sequence.init(rng, cell, D, H, C, replicas=replicas)
    params = [p + 0.1 * rng.standard_normal(p.shape) for p in params]
    shape = (B,) if readout == "last" else (B, T)
    targets = rng.standard_normal((*shape, C)) if loss is squared_error else rng.integers(0, C, shape)
    return cell, params, rng.standard_normal((B, T, D)), targets


def test_init_is_the_cell_then_the_readout():
    rng = np.random.default_rng(0)
    params = sequence.init(rng, LSTM(), D, 9, C, replicas=(50,), forget_bias=0.5)
    again = np.random.default_rng(0)
    cell = recurrent.init(again, LSTM(), D, 9, forget_bias=0.5, replicas=(50,))
    for ours, theirs in zip(params, cell, strict=False):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(params[-2], again.uniform(-1, 1, (50, 9, C)) / 3)
    np.testing.assert_array_equal(params[-1], np.zeros((50, C)))
    assert (sequence.init(rng, LSTM(), D, H, C)[2][H : 2 * H] == 1).all()
    single = sequence.init(rng, RNN(), D, H, C, dtype=np.float32)
    assert {p.dtype for p in single} == {np.dtype(np.float32)}
    assert [p.shape for p in single] == [(D, H), (H, H), (H,), (H, C), (C,)]


@pytest.mark.parametrize("cell", [RNN(), LSTM(), GRU()])
def test_forward_is_what_it_says(cell):
    _, params, x, _ = problem("last", squared_error, cell=cell)
    output, _, _ = recurrent.forward(cell, params[:-2], x)
    last, _ = sequence.forward(cell, params, x)
    every, _ = sequence.forward(cell, params, x, readout="every")
    assert last.shape == (B, C)
    assert every.shape == (B, T, C)
    np.testing.assert_allclose(every, output @ params[-2] + params[-1], rtol=1e-12)
    np.testing.assert_allclose(last, every[:, -1], rtol=1e-12)


def test_the_last_step_of_a_short_sequence_is_its_own_last_step():
    cell, params, x, _ = problem("last", squared_error)
    padded, _ = sequence.forward(cell, params, x, steps=STEPS)
    for row, length in enumerate(STEPS.sum(axis=1)):
        alone, _ = sequence.forward(cell, params, x[row : row + 1, :length])
        np.testing.assert_allclose(padded[row], alone[0], rtol=1e-12)


@pytest.mark.parametrize("loss", [softmax_cross_entropy, squared_error])
@pytest.mark.parametrize("steps", [None, STEPS])
@pytest.mark.parametrize("readout", ["last", "every"])
@pytest.mark.parametrize("replicas", [(), (2,)])
def test_gradients_under_noise(readout, loss, steps, replicas):
    cell, params, x, targets = problem(readout, loss, replicas)
    rng = np.random.default_rng(5)
    places = dict.fromkeys(("input", "recurrent", "candidate", "state_h", "state_c", "zone_h", "output"), 0.4)
    noise = recurrent.draw_noise(rng, cell, params, B, T, **places)
    assert (noise.output == 0).any()

    def run(p):
        options = {"readout": readout, "noise": noise, "steps": steps, "loss": loss}
        return sequence.loss_and_grads(cell, p, x, targets, **options)

    assert np.shape(run(params)[0]) == replicas
    logits, _ = sequence.forward(cell, params, x, readout=readout, noise=noise, steps=steps)
    expected = sequence.mean_loss(logits, targets, readout=readout, steps=steps, loss=loss)
    np.testing.assert_allclose(run(params)[0], expected, rtol=1e-14)
    gradcheck.check(lambda p: run(p)[0].sum(), lambda p: run(p)[1], params, rng, tolerance=1e-5)


def test_the_loss_is_that_of_the_last_step_by_default_and_keeps_the_dtype():
    _, _, _, labels = problem("last", softmax_cross_entropy)
    logits = np.random.default_rng(1).standard_normal((B, C), dtype=np.float32)
    assert sequence.mean_loss(logits, labels) == softmax_cross_entropy(logits, labels)[0]
    every, labels = np.repeat(logits[:, None], T, axis=1), np.repeat(labels[:, None], T, axis=1)
    for steps in (None, STEPS):
        assert sequence.mean_loss(every, labels, readout="every", steps=steps).dtype == np.float32


@pytest.mark.parametrize("loss", [softmax_cross_entropy, squared_error])
def test_the_loss_at_every_step_is_the_mean_over_the_steps_that_there_are(loss):
    cell, params, x, targets = problem("every", loss)
    logits, _ = sequence.forward(cell, params, x, readout="every", steps=STEPS)
    expected, _ = loss(logits[STEPS], targets[STEPS])
    value, _ = sequence.loss_and_grads(cell, params, x, targets, readout="every", steps=STEPS, loss=loss)
    assert value == pytest.approx(expected, rel=1e-12)
    options = {"readout": "every", "steps": STEPS, "loss": loss}
    assert sequence.mean_loss(logits, targets, **options) == pytest.approx(expected, rel=1e-12)
    whole, _ = loss(logits.reshape(B * T, C), targets.reshape(B * T, *targets.shape[2:]))
    assert sequence.mean_loss(logits, targets, readout="every", loss=loss) == pytest.approx(whole, rel=1e-12)
    assert abs(whole - expected) > 1e-3


def test_what_stands_beyond_a_sequence_has_no_influence():
    cell, params, x, labels = problem("every", softmax_cross_entropy)
    other, wrong = np.where(STEPS[..., None], x, 9.0), np.where(STEPS, labels, (labels + 1) % C)
    results = [
        (*sequence.loss_and_grads(cell, params, *data, readout="every", steps=STEPS), *data)
        for data in ((x, labels), (other, wrong))
    ]
    assert results[0][0] == pytest.approx(results[1][0], rel=1e-14)
    for one, two in zip(results[0][1], results[1][1], strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-12)
    shares = [sequence.accuracy(cell, params, *r[2:], readout="every", steps=STEPS) for r in results]
    assert shares[0] == shares[1]


@pytest.mark.parametrize("readout", ["last", "every"])
@pytest.mark.parametrize("loss", [softmax_cross_entropy, squared_error])
def test_replicas_are_a_loop_over_models(readout, loss):
    cell, params, x, targets = problem(readout, loss, (3,))
    rng = np.random.default_rng(6)
    xs = np.stack([x, -x, x + 1])
    several = np.stack([targets, targets[::-1], targets])
    steps = np.stack([STEPS, STEPS[::-1], np.ones_like(STEPS)])
    noise = recurrent.draw_noise(rng, cell, params, B, T, recurrent=0.3, output=0.3)
    value, grads = sequence.loss_and_grads(
        cell, params, xs, several, readout=readout, noise=noise, steps=steps, loss=loss
    )
    for s in range(3):
        own = Noise(recurrent=noise.recurrent[s], output=noise.output[s])
        options = {"readout": readout, "noise": own, "steps": steps[s], "loss": loss}
        one = [p[s] for p in params]
        alone, alone_grads = sequence.loss_and_grads(cell, one, xs[s], several[s], **options)
        assert value[s] == pytest.approx(alone, rel=1e-12)
        for g, h in zip(grads, alone_grads, strict=True):
            np.testing.assert_allclose(g[s], h, rtol=1e-10, atol=1e-14)
        if loss is softmax_cross_entropy:
            shares = sequence.accuracy(cell, params, xs, several, readout=readout, steps=steps)
            assert shares[s] == sequence.accuracy(cell, one, xs[s], several[s], readout=readout, steps=steps[s])


def test_shared_data_and_data_of_their_own_alike():
    for readout in sequence.READOUTS:
        cell, params, x, labels = problem(readout, softmax_cross_entropy, (2,))
        shared, _ = sequence.loss_and_grads(cell, params, x, labels, readout=readout)
        own, _ = sequence.loss_and_grads(cell, params, np.stack([x, x]), np.stack([labels, labels]), readout=readout)
        np.testing.assert_allclose(shared, own, rtol=1e-14)


def test_accuracy_by_hand():
    cell, params, x, _ = problem("last", softmax_cross_entropy)
    params = [np.zeros_like(p) for p in params]
    params[-1][:] = (0, 2, 1, 0)
    assert sequence.accuracy(cell, params, x, [1, 0, 1, 1, 1]) == 0.8
    labels = np.ones((B, T), int)
    labels[0, 0] = 0
    assert sequence.accuracy(cell, params, x, labels, readout="every") == 19 / 20
    assert sequence.accuracy(cell, params, x, labels, readout="every", steps=STEPS) == 13 / 14


def test_accuracy_of_short_sequences_and_of_replicas():
    cell, params, x, _ = problem("last", softmax_cross_entropy, (2,))
    logits, _ = sequence.forward(cell, params, x, steps=STEPS)
    labels = logits.argmax(axis=-1)
    assert sequence.accuracy(cell, params, x, labels, steps=STEPS).tolist() == [1, 1]
    assert (sequence.forward(cell, params, x)[0].argmax(axis=-1) != labels).any()
    every = sequence.forward(cell, params, x, readout="every")[0].argmax(axis=-1)
    shares = sequence.accuracy(cell, params, x, every[0], readout="every")
    assert shares.tolist() == [1, (every[1] == every[0]).mean()]
    assert sequence.accuracy(cell, params, x, labels[0])[0] == (every[0][:, -1] == labels[0]).mean()


def test_zoneout_at_inference():
    cell, params, x, _ = problem("last", softmax_cross_entropy)
    noise = Noise(zone_h=0.5, zone_c=0.25)
    logits, _ = sequence.forward(cell, params, x, noise=noise)
    plain, _ = sequence.forward(cell, params, x)
    assert np.abs(logits - plain).max() > 1e-3
    assert sequence.accuracy(cell, params, x, logits.argmax(axis=-1), noise=noise) == 1


def test_it_learns_and_stays_float32():
    rng = np.random.default_rng(2)
    x = rng.standard_normal((40, 6, 1)).astype(np.float32)
    labels = (x[:, 1, 0] > 0).astype(int)
    start = sequence.init(rng, GRU(), 1, 8, 2, dtype=np.float32)

    def step(params, rows):
        return sequence.loss_and_grads(GRU(), params, x[rows], labels[rows])

    assert {g.dtype for g in step(start, np.arange(40))[1]} == {np.dtype(np.float32)}
    run = loop.train(start, step, optim.Adam(0.02), [np.arange(40)] * 80)
    assert run.losses[-1] < 0.3 * run.losses[0]
    assert {p.dtype for p in run.params} == {np.dtype(np.float32)}


def test_nothing_changes_in_place():
    cell, params, x, labels = problem("every", softmax_cross_entropy)
    kept = [array.copy() for array in (*params, x, labels)]
    sequence.loss_and_grads(cell, params, x, labels, readout="every", steps=STEPS)
    for array, before in zip((*params, x, labels), kept, strict=True):
        np.testing.assert_array_equal(array, before)


def test_bad_input_is_named():
    cell, params, x, labels = problem("every", softmax_cross_entropy, (2,))
    with pytest.raises(TypeError, match=r"^rng must be a numpy.random.Generator"):
        sequence.init(0, cell, D, H, C)
    with pytest.raises(ValueError, match=exactly("outputs must be at least 1, got 0")):
        sequence.init(np.random.default_rng(0), cell, D, H, 0)
    message = exactly("readout must be one of 'last', 'every'; got 'first'")
    for call in (sequence.forward, lambda *a, **k: sequence.accuracy(*a, labels, **k)):
        with pytest.raises(ValueError, match=message):
            call(cell, params, x, readout="first")
    with pytest.raises(ValueError, match=message):
        sequence.mean_loss(x, labels, readout="first")
    with pytest.raises(ValueError, match=exactly("x must have at least one step, got shape (5, 0, 3)")):
        sequence.forward(cell, params, x[:, :0])
    message = exactly("targets must have shape (2, 5, 4), or (5, 4) for all replicas; got (5, 3)")
    with pytest.raises(ValueError, match=message):
        sequence.loss_and_grads(cell, params, x, labels[:, :3], readout="every")
    message = exactly("targets must have shape (2, 5, 4, 4), or (5, 4, 4) for all replicas; got (5, 4, 3)")
    with pytest.raises(ValueError, match=message):
        sequence.loss_and_grads(cell, params, x, np.ones((B, T, 3)), readout="every", loss=squared_error)
    with pytest.raises(ValueError, match=exactly("targets must have shape (2, 5), or (5,) for all replicas; got (2,)")):
        sequence.accuracy(cell, params, x, labels[0, :2])
