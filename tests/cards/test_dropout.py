"""The tabs of the dropout card: units are dropped in training and not in evaluation, and all three do the same."""

import keras
import numpy as np
import pytest
import torch

from regbook import replay
from reglib.noise.affine import Noise
from reglib.noise.kinds import Bernoulli
from reglib.train.technique import value_and_grads
from tests.cards.harness import run

torch_tab, keras_tab, numpy_tab = run("dropout/dropout")
NET, RATE, STEP = numpy_tab.net, 0.5, 0.05
ORDER = ("w1", "b1", "w2", "b2")


def as_reglib(weights):
    """Return arrays in reglib's layout as float64, by name."""
    return {name: np.asarray(w, float) for name, w in zip(ORDER, weights, strict=True)}


def from_torch(tensors):
    return as_reglib([tensor.detach().numpy().T for tensor in tensors])


def agrees(mine, theirs):
    """Check two dicts of float32 arrays within 1e-6."""
    for name, array in mine.items():
        np.testing.assert_allclose(theirs[name], array, rtol=0, atol=1e-6, err_msg=name)


def without_dropout(params, x, y):
    """Return the gradients that a step without dropout would have taken."""
    return value_and_grads(NET, params, np.asarray(x, float), np.asarray(y))[1]


def test_torch_trained_with_dropout():
    # After one step SGD's momentum is the gradient, and the weights before it are known.
    gradients = from_torch([torch_tab.optimizer.state[w]["momentum_buffer"] for w in torch_tab.net.parameters()])
    now = from_torch(torch_tab.net.parameters())
    before = {name: now[name] + STEP * gradients[name] for name in now}
    plain = without_dropout(before, torch_tab.x, torch_tab.y)
    assert np.abs(gradients["w2"] - plain["w2"]).max() > 1e-3
    assert all(w.grad is None for w in torch_tab.net.parameters()), "the next step would add to these gradients"


def test_torch_evaluates_without_dropout():
    assert not torch_tab.net.training
    params = from_torch(torch_tab.net.parameters())
    logits = NET.logits(params, torch_tab.x.double().numpy())
    np.testing.assert_array_equal(torch_tab.prediction, logits.argmax(axis=1))


def test_torch_whole_step_on_its_own_mask():
    net, x, y = torch_tab.net, torch_tab.x, torch_tab.y
    params = from_torch(net.parameters())
    net.train()
    try:
        torch.manual_seed(3)
        gain = net[2](torch.ones(50, 128)).double().numpy()
        torch.manual_seed(3)
        loss = torch.nn.functional.cross_entropy(net(x), y)
        grads = torch.autograd.grad(loss, list(net.parameters()))
    finally:
        net.eval()
    noise = {"hidden1": Noise(gain)}
    value, mine = value_and_grads(NET, params, x.double().numpy(), y.numpy(), noise=noise)
    assert set(np.unique(gain)) == {0.0, 2.0}
    assert value == pytest.approx(loss.item(), abs=1e-6)
    agrees(mine, from_torch(grads))


def test_keras_trained_with_dropout():
    # Keras keeps -(learning rate) * gradient.
    momentums = [np.asarray(m, float) for m in keras_tab.net.optimizer.momentums]
    gradients = as_reglib([-m / STEP for m in momentums])
    now = as_reglib(keras_tab.net.get_weights())
    before = {name: now[name] + STEP * gradients[name] for name in now}
    plain = without_dropout(before, keras_tab.x, keras_tab.y)
    assert np.abs(gradients["w2"] - plain["w2"]).max() > 1e-3


def test_keras_evaluates_without_dropout_unless_told():
    logits = NET.logits(as_reglib(keras_tab.net.get_weights()), np.asarray(keras_tab.x, float))
    np.testing.assert_array_equal(keras_tab.prediction, logits.argmax(axis=1))
    np.testing.assert_allclose(keras_tab.net(keras_tab.x), logits, rtol=0, atol=1e-5)
    assert np.abs(np.asarray(keras_tab.noisy) - logits).max() > 0.1


def test_numpy_trained_with_dropout():
    rng = np.random.default_rng(0)
    x, y = rng.random((50, 64)), rng.integers(10, size=50)
    start = NET.init(rng)
    noise = {"hidden1": Bernoulli(RATE).draw(rng, (50, 128))}
    value, grads = value_and_grads(NET, start, x, y, noise=noise)
    assert numpy_tab.run.losses == pytest.approx([value], abs=1e-12)
    for name in ORDER:
        np.testing.assert_allclose(numpy_tab.run.params[name], start[name] - STEP * grads[name], atol=1e-12)


def test_numpy_evaluates_without_dropout():
    p = numpy_tab.run.params
    logits = np.maximum(numpy_tab.x @ p["w1"] + p["b1"], 0) @ p["w2"] + p["b2"]
    np.testing.assert_array_equal(numpy_tab.prediction, logits.argmax(axis=1))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_layers_agree_on_the_same_mask(dtype):
    h, grad = np.random.default_rng(1).normal(size=(2, 50, 128)).astype(dtype)
    mine = numpy_tab.dropout.noise["hidden1"]
    theirs = next(layer for layer in keras_tab.net.layers if isinstance(layer, keras.layers.Dropout))
    theirs = type(theirs).from_config(theirs.get_config() | {"dtype": np.dtype(dtype).name})
    replay.noise_parity(mine, h, grad, torch_tab.net[2], theirs)
