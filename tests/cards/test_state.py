"""The tabs of the card of state dropout: h is masked on its way to the next step in training, and not in evaluation."""

import copy

import keras
import numpy as np
import pytest
import torch

from reglib.convert.layouts import lstm_torch_to_keras
from reglib.layers import recurrent
from reglib.layers.cells import LSTM
from reglib.noise.kinds import Bernoulli
from reglib.train.optim import SGD
from reglib.train.technique import Technique, start, step
from tests.cards.harness import run

torch_tab, keras_tab, numpy_tab = run("variants/state")
B, T, H, RATE = 20, 15, 32, 0.3
KIND = Bernoulli(RATE)


@pytest.fixture
def mask():
    return np.random.default_rng(4).random((B, T, H)) >= RATE


def ours(weights, x, mask=None):
    """Return reglib's parameters and what its LSTM makes of x under a mask on the carried h, with the cache."""
    params = dict(zip(("w_x", "w_h", "b"), (np.asarray(w, float) for w in weights), strict=True))
    noise = None if mask is None else {"state_h": KIND.given(mask)}
    return params, recurrent.forward(LSTM(), params, np.asarray(x, float), noise=noise)


def torch_weights(lstm):
    return lstm_torch_to_keras(*(w.detach().numpy() for w in lstm.parameters()))


def test_all_tabs_mask_h_alone_and_scale():
    assert numpy_tab.how["technique"].noise == {"state_h": KIND}
    assert torch_tab.lstm.rates == {"state_h": RATE}
    assert torch_tab.lstm.scaled
    cell = keras_tab.lstm.cell
    assert (cell.state_h, cell.state_c, cell.scaled) == (RATE, 0, True)


def test_torch_agrees_on_the_same_mask(mask):
    lstm = copy.deepcopy(torch_tab.lstm).double().train()
    lstm.draw = lambda place, shape: torch.tensor(mask.swapaxes(0, 1).astype(float))
    x = torch_tab.x.double().requires_grad_()
    y, _ = lstm(x)
    params, (mine, _, cache) = ours(torch_weights(lstm), torch_tab.x, mask)
    pull = np.random.default_rng(5).normal(size=mine.shape)
    y.backward(torch.tensor(pull))
    grad_x, grads, _ = recurrent.backward(cache, pull)
    np.testing.assert_allclose(y.detach(), mine, rtol=0, atol=1e-12)
    np.testing.assert_allclose(x.grad, grad_x, rtol=0, atol=1e-12)
    theirs = {"w_x": lstm.weight_ih_l0.grad.T, "w_h": lstm.weight_hh_l0.grad.T, "b": lstm.bias_ih_l0.grad}
    for name in params:
        np.testing.assert_allclose(theirs[name], grads[name], rtol=0, atol=1e-11, err_msg=name)


def test_keras_agrees_on_the_same_mask(mask):
    config = keras_tab.lstm.cell.get_config() | {"dtype": "float64"}
    layer = keras.layers.RNN(type(keras_tab.lstm.cell).from_config(config), return_sequences=True, dtype="float64")
    layer.build((B, T, 6))
    layer.set_weights(keras_tab.lstm.get_weights())
    steps = iter(mask.swapaxes(0, 1).astype(float))
    layer.cell.draw = lambda place, like: keras.ops.convert_to_tensor(next(steps))
    calls = [layer.cell.call(keras_tab.x[:, 0].numpy().astype(float), layer.cell.get_initial_state(B), training=True)]
    x = np.asarray(keras_tab.x, float)
    for t in range(1, T):
        calls.append(layer.cell.call(x[:, t], calls[-1][1], training=True))
    outputs = np.stack([output for output, _ in calls], axis=1)
    _, (mine, _, _) = ours(layer.get_weights(), x, mask)
    np.testing.assert_allclose(outputs, mine, rtol=0, atol=1e-12)


def test_torch_evaluates_without_a_mask_and_trained_with_one():
    assert not torch_tab.lstm.training
    _, (y, _, _) = ours(torch_weights(torch_tab.lstm), torch_tab.x)
    w, b = (p.detach().numpy().astype(float) for p in torch_tab.readout.parameters())
    np.testing.assert_array_equal(torch_tab.prediction, (y[:, -1] @ w.T + b).argmax(axis=1))
    assert np.abs(torch_tab.logits.detach().numpy() - (y[:, -1] @ w.T + b)).max() > 1e-3


def test_keras_evaluates_without_a_mask():
    *lstm, w, b = keras_tab.net.get_weights()
    _, (y, _, _) = ours(lstm, keras_tab.x)
    np.testing.assert_array_equal(keras_tab.prediction, (y[:, -1] @ w + b).argmax(axis=1))


def test_numpy_trained_with_a_mask_and_evaluates_without():
    rng, net = np.random.default_rng(0), numpy_tab.net
    x, y = rng.standard_normal((B, T, 6)), rng.integers(4, size=B)
    technique, sgd = Technique(noise={"state_h": KIND}), SGD(0.1)
    begin = start(technique, sgd, net.init(rng))
    value, state = step(net, technique, sgd, begin, (x, y), rng)
    assert numpy_tab.run.losses == pytest.approx([value], abs=1e-12)
    for name, mine in state.params.items():
        np.testing.assert_allclose(numpy_tab.run.params[name], mine, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(numpy_tab.prediction, net.logits(state.params, x).argmax(axis=1))
