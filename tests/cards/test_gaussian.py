"""The tabs of the card of Gaussian dropout: units are noisy in training and not in evaluation."""

import keras
import numpy as np
import pytest
import torch

from regbook import replay
from regkit.torch import GaussianDropout
from reglib.noise.affine import Noise
from reglib.noise.kinds import Gaussian
from reglib.train.technique import value_and_grads
from tests import statistical
from tests.cards.harness import run

torch_tab, keras_tab, numpy_tab = run("variants/gaussian")
NET, ORDER = numpy_tab.net, ("w1", "b1", "w2", "b2")


def as_reglib(weights):
    return {name: np.asarray(w, float) for name, w in zip(ORDER, weights, strict=True)}


def from_torch(tensors):
    return as_reglib([tensor.detach().numpy().T for tensor in tensors])


def keras_layer():
    return next(layer for layer in keras_tab.net.layers if isinstance(layer, keras.layers.GaussianDropout))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_layers_agree_on_the_same_noise(dtype):
    h, grad = np.random.default_rng(1).normal(size=(2, 50, 32)).astype(dtype)
    theirs = keras.layers.GaussianDropout.from_config(keras_layer().get_config() | {"dtype": np.dtype(dtype).name})
    replay.noise_parity(numpy_tab.noisy.noise["hidden1"], h, grad, torch_tab.net[2], theirs)


def test_the_noise_in_all_tabs_has_the_variance_of_dropout():
    for drawn in (
        torch_tab.net[2].draw(torch.ones(400, 400, dtype=torch.float64)).numpy(),
        np.asarray(keras_layer()(np.ones((400, 400), np.float32), training=True), float),
        Gaussian(0.5).draw(np.random.default_rng(2), (400, 400)).gain,
    ):
        statistical.assert_mean(drawn.ravel(), 1, 1)
        statistical.assert_normal_variance(drawn.ravel(), 1)


def test_torch_whole_step_on_its_own_noise():
    net, x, y = torch_tab.net, torch_tab.x, torch_tab.y
    assert isinstance(net[2], GaussianDropout)
    params = from_torch(net.parameters())
    net.train()
    try:
        torch.manual_seed(3)
        gain = net[2](torch.ones(50, 32)).double().numpy()
        torch.manual_seed(3)
        grads = torch.autograd.grad(torch.nn.functional.cross_entropy(net(x), y), list(net.parameters()))
    finally:
        net.eval()
    noise = {"hidden1": Noise(gain)}
    mine = value_and_grads(NET, params, x.double().numpy(), y.numpy(), noise=noise)[1]
    for name, theirs in from_torch(grads).items():
        np.testing.assert_allclose(theirs, mine[name], rtol=0, atol=1e-6, err_msg=name)


def test_the_gradients_in_torch_are_those_of_noise():
    # The card's own backward pass: without noise the gradients would be others.
    params = from_torch(torch_tab.net.parameters())
    plain = value_and_grads(NET, params, torch_tab.x.double().numpy(), torch_tab.y.numpy())[1]
    assert np.abs(torch_tab.net[3].weight.grad.numpy().T - plain["w2"]).max() > 1e-3


def test_torch_and_keras_evaluate_without_noise():
    assert not torch_tab.net.training
    logits = NET.logits(from_torch(torch_tab.net.parameters()), torch_tab.x.double().numpy())
    np.testing.assert_array_equal(torch_tab.prediction, logits.argmax(axis=1))
    logits = NET.logits(as_reglib(keras_tab.net.get_weights()), np.asarray(keras_tab.x, float))
    np.testing.assert_array_equal(keras_tab.prediction, logits.argmax(axis=1))


def test_numpy_trained_with_noise_and_evaluates_without():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((50, 64)), rng.integers(10, size=50)
    start = NET.init(rng)
    noise = {"hidden1": Gaussian(0.5).draw(rng, (50, 32))}
    value, grads = value_and_grads(NET, start, x, y, noise=noise)
    assert numpy_tab.run.losses == pytest.approx([value], abs=1e-12)
    for name in ORDER:
        np.testing.assert_allclose(numpy_tab.run.params[name], start[name] - 0.05 * grads[name], atol=1e-12)
    np.testing.assert_array_equal(numpy_tab.prediction, NET.logits(numpy_tab.run.params, x).argmax(axis=1))
