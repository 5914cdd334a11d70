"""The tabs of the card of recurrent dropout: the candidate is masked in training, at every step, and never else."""

import keras
import numpy as np
import pytest
import torch

from regbook import replay
from regkit.keras import CandidateDropoutLSTMCell
from regkit.torch import NoisyLSTM
from reglib.layers.cells import LSTM
from reglib.nets.sequence import Sequence
from reglib.noise.kinds import Bernoulli
from reglib.train.technique import value_and_grads
from tests.cards.harness import run

torch_tab, keras_tab, numpy_tab = run("variants/recurrent")
B, T, D, H = 16, 20, 8, 32
NET, KIND = Sequence(LSTM(), D, H, 10), Bernoulli(0.25)
TOLERANCE = {"float64": 1e-12, "float32": 1e-6}


def problem(dtype):
    """Return parameters with all entries unlike, inputs, gradients of the output, and noise on the candidate."""
    rng = np.random.default_rng(1)
    params = {name: p + 0.1 * rng.standard_normal(p.shape) for name, p in NET.init(rng).items()}
    params = {name: p.astype(dtype).astype(float) for name, p in params.items()}
    x, grad = (rng.standard_normal((B, T, width)).astype(dtype).astype(float) for width in (D, H))
    return params, x, grad, KIND.draw(rng, (B, T, H))


def of_cell(params):
    return {name: params[name] for name in ("w_x", "w_h", "b")}


def in_numpy(params, x, grad, noise):
    """Return output and gradients of reglib's layer."""
    done = replay.sequence("numpy", LSTM(), of_cell(params), x, grad, noise={"candidate": noise})
    return done.output, done.grad_x, *done.grads.values()


def scaled(found, expected, dtype):
    """Compare arrays relative to the largest entry of each."""
    for theirs, own in zip(found, expected, strict=True):
        size = max(1.0, np.abs(own).max())
        np.testing.assert_allclose(np.asarray(theirs) / size, own / size, rtol=0, atol=TOLERANCE[dtype])


def from_torch(named, dtype=np.float64):
    """Return parameters of the card's two modules by reglib's names and in its layout."""
    w_x, w_h, b, b_h, w_out, b_out = (w.detach().numpy().astype(dtype) for w in named)
    return {"w_x": w_x.T, "w_h": w_h.T, "b": b + b_h, "w_out": w_out.T, "b_out": b_out}


def torch_parameters():
    return [*torch_tab.lstm.parameters(), *torch_tab.readout.parameters()]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_torch_layer_on_the_same_mask(dtype):
    params, x, grad, noise = problem(dtype)
    lstm = NoisyLSTM(D, H, batch_first=True, dtype=getattr(torch, dtype), **torch_tab.lstm.rates)
    own = [params["w_x"].T, params["w_h"].T, params["b"], 0 * params["b"]]
    for parameter, value in zip(lstm.parameters(), own, strict=True):
        parameter.data = torch.tensor(value, dtype=parameter.dtype)
    kept = torch.tensor((noise.gain > 0).swapaxes(0, 1).copy()).to(lstm.weight_hh_l0.dtype)
    lstm.draw = lambda place, shape: {"candidate": kept}[place]
    inputs = torch.tensor(x, dtype=kept.dtype, requires_grad=True)
    output, _ = lstm(inputs, None)
    output.backward(torch.tensor(grad, dtype=kept.dtype))
    w_x, w_h, b, _ = (parameter.grad.numpy() for parameter in lstm.parameters())
    scaled((output.detach(), inputs.grad, w_x.T, w_h.T, b), in_numpy(params, x, grad, noise), dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_keras_cell_on_the_same_mask(dtype):
    import tensorflow as tf

    params, x, grad, noise = problem(dtype)
    cell = CandidateDropoutLSTMCell.from_config(keras_tab.cell.get_config() | {"dtype": dtype})
    layer = keras.layers.RNN(cell, return_sequences=True, unroll=True, dtype=dtype)
    layer.build(x.shape)
    layer.set_weights(list(of_cell(params).values()))
    kept, step = (noise.gain > 0).astype(dtype), iter(range(T))
    cell.draw = lambda place, like: tf.constant({"candidate": kept}[place][:, next(step)])
    inputs = tf.Variable(x.astype(dtype))
    with tf.GradientTape() as tape:
        output = layer(inputs, training=True)
        loss = tf.reduce_sum(output * grad.astype(dtype))
    found = tape.gradient(loss, [inputs, *(w.value for w in layer.trainable_weights)])
    scaled((output, *found), in_numpy(params, x, grad, noise), dtype)


def test_the_rate_is_that_of_the_card():
    assert torch_tab.lstm.rates == {"candidate": 0.25}
    assert keras_tab.cell.candidate == 0.25
    assert numpy_tab.how["technique"].noise == {"candidate": KIND}
    assert torch_tab.lstm.once == NoisyLSTM(1, 1).once
    assert "candidate" not in torch_tab.lstm.once


def test_torch_whole_step_on_a_known_mask(monkeypatch):
    kept = (np.random.default_rng(3).random((T, B, H)) < 0.75) * 1.0
    monkeypatch.setattr(torch_tab.lstm, "draw", lambda place, shape: torch.tensor(kept, dtype=torch.float32))
    torch_tab.lstm.train()
    try:
        logits = torch_tab.readout(torch_tab.lstm(torch_tab.x)[0][:, -1])
        loss = torch.nn.functional.cross_entropy(logits, torch_tab.y)
        grads = torch.autograd.grad(loss, torch_parameters())
    finally:
        torch_tab.lstm.eval()
    noise = {"candidate": KIND.given(kept.swapaxes(0, 1) > 0)}
    params, x = from_torch(torch_parameters()), torch_tab.x.double().numpy()
    value, mine = value_and_grads(NET, params, x, torch_tab.y.numpy(), noise=noise)
    assert loss.item() == pytest.approx(value, abs=1e-6)
    theirs = from_torch(grads)
    theirs["b"] = theirs["b"] / 2  # both biases have the whole gradient
    for own, name in zip(mine.values(), theirs, strict=True):
        np.testing.assert_allclose(theirs[name], own, rtol=0, atol=1e-6, err_msg=name)


def test_the_gradients_in_torch_are_those_of_noise():
    # The card's own backward pass: without noise the gradients would be others.
    params, x = from_torch(torch_parameters()), torch_tab.x.double().numpy()
    plain = value_and_grads(NET, params, x, torch_tab.y.numpy())[1]
    assert np.abs(torch_tab.readout.weight.grad.numpy().T - list(plain.values())[3]).max() > 1e-3


def test_torch_and_keras_evaluate_without_noise():
    assert not torch_tab.lstm.training
    logits = NET.logits(by_name(from_torch(torch_parameters())), torch_tab.x.double().numpy())
    np.testing.assert_array_equal(torch_tab.prediction, logits.argmax(axis=1))
    weights = dict(enumerate(np.asarray(w, float) for w in keras_tab.net.get_weights()))
    logits = NET.logits(by_name(weights), np.asarray(keras_tab.x, float))
    np.testing.assert_array_equal(keras_tab.prediction, logits.argmax(axis=1))


def by_name(params):
    """Return parameters, given in reglib's order, by its names."""
    return dict(zip(NET.init(np.random.default_rng(0)), params.values(), strict=True))


def test_keras_trains_with_noise_and_a_new_mask_at_every_step():
    x = np.ones((2000, 2, D))
    first, second = (np.asarray(keras_tab.cell.draw("candidate", np.ones((2000, H)))) for _ in range(2))
    assert abs(first.mean() - 0.75) < 0.01
    assert abs((first == second).mean() - (0.75**2 + 0.25**2)) < 0.02
    layer = keras_tab.net.layers[0]
    noisy, quiet = (np.asarray(layer(x, training=training)) for training in (True, False))
    assert np.ptp(quiet, axis=0).max() < 1e-5
    assert np.ptp(noisy, axis=0).min() > 1e-3


def test_numpy_trained_with_noise_and_evaluates_without():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((B, T, D)), rng.integers(10, size=B)
    start = NET.init(rng)
    noise = {"candidate": KIND.draw(rng, (B, T, H))}
    value, grads = value_and_grads(NET, start, x, y, noise=noise)
    assert numpy_tab.run.losses == pytest.approx([value], abs=1e-12)
    for name in start:
        np.testing.assert_allclose(numpy_tab.run.params[name], start[name] - 0.1 * grads[name], atol=1e-12)
    np.testing.assert_array_equal(numpy_tab.prediction, NET.logits(numpy_tab.run.params, x).argmax(axis=1))
