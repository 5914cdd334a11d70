"""The tabs of the dropout card: units are dropped in training and not in evaluation, and all three do the same."""

import keras
import numpy as np
import pytest
import torch

from regbook import replay
from reglib.noise.affine import Noise
from reglib.noise.kinds import Bernoulli
from reglib.train.technique import value_and_grads
from tests.cards import harness

torch_tab, keras_tab, numpy_tab = harness.run("dropout/dropout")
NET, RATE, STEP = numpy_tab.net, 0.5, 0.05


def without_dropout(params, x, y):
    """Return the gradients that a step without dropout would have taken."""
    return value_and_grads(NET, params, np.asarray(x, float), np.asarray(y))[1]


def test_torch_trained_with_dropout():
    # After one step SGD's momentum is the gradient, and the weights before it are known.
    state = torch_tab.optimizer.state
    gradients = harness.from_torch([state[w]["momentum_buffer"] for w in torch_tab.net.parameters()])
    now = harness.weights(torch_tab)
    before = {name: now[name] + STEP * gradients[name] for name in now}
    plain = without_dropout(before, torch_tab.x, torch_tab.y)
    assert np.abs(gradients["w2"] - plain["w2"]).max() > 1e-3
    assert all(w.grad is None for w in torch_tab.net.parameters()), "the next step would add to these gradients"


def test_torch_and_keras_evaluate_without_dropout():
    harness.assert_both_evaluated_without_noise(torch_tab, keras_tab, NET)


def test_torch_whole_step_on_its_own_mask():
    net, x, y = torch_tab.net, torch_tab.x, torch_tab.y
    gain, loss, theirs = harness.torch_step(net, net[2], torch.ones(50, 128), x, y)
    noise, params = {"hidden1": Noise(gain)}, harness.from_torch(net.parameters())
    value, mine = value_and_grads(NET, params, x.double().numpy(), y.numpy(), noise=noise)
    assert set(np.unique(gain)) == {0.0, 2.0}
    assert value == pytest.approx(loss, abs=1e-6)
    harness.assert_agree(theirs, mine)


def test_keras_trained_with_dropout():
    # Keras keeps -(learning rate) * gradient.
    momentums = [np.asarray(m, float) for m in keras_tab.net.optimizer.momentums]
    gradients = harness.named([-m / STEP for m in momentums])
    now = harness.weights(keras_tab)
    before = {name: now[name] + STEP * gradients[name] for name in now}
    plain = without_dropout(before, keras_tab.x, keras_tab.y)
    assert np.abs(gradients["w2"] - plain["w2"]).max() > 1e-3


def test_keras_called_by_itself_drops_if_told():
    logits = NET.logits(harness.weights(keras_tab), np.asarray(keras_tab.x, float))
    np.testing.assert_allclose(keras_tab.net(keras_tab.x), logits, rtol=0, atol=1e-5)
    assert np.abs(np.asarray(keras_tab.noisy) - logits).max() > 0.1


def test_numpy_trained_with_dropout_and_evaluates_without():
    rng = np.random.default_rng(0)
    x, y = rng.random((50, 64)), rng.integers(10, size=50)
    start = NET.init(rng)
    noise = {"hidden1": Bernoulli(RATE).draw(rng, (50, 128))}
    harness.assert_took_a_noisy_step(numpy_tab, x, y, start, noise, STEP)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_layers_agree_on_the_same_mask(dtype):
    h, grad = np.random.default_rng(1).normal(size=(2, 50, 128)).astype(dtype)
    theirs = torch_tab.net[2], harness.keras_layer(keras_tab.net, keras.layers.Dropout, dtype)
    replay.noise_parity(numpy_tab.dropout.noise["hidden1"], h, grad, *theirs)
