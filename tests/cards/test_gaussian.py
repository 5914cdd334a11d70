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
from tests.cards import harness

torch_tab, keras_tab, numpy_tab = harness.run("variants/gaussian")
NET = numpy_tab.net


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_layers_agree_on_the_same_noise(dtype):
    h, grad = np.random.default_rng(1).normal(size=(2, 50, 32)).astype(dtype)
    theirs = torch_tab.net[2], harness.keras_layer(keras_tab.net, keras.layers.GaussianDropout, dtype)
    replay.noise_parity(numpy_tab.noisy.noise["hidden1"], h, grad, *theirs)


def test_the_noise_in_all_tabs_has_the_variance_of_dropout():
    layer = harness.keras_layer(keras_tab.net, keras.layers.GaussianDropout, np.float32)
    for drawn in (
        torch_tab.net[2].draw(torch.ones(400, 400, dtype=torch.float64)).numpy(),
        np.asarray(layer(np.ones((400, 400), np.float32), training=True), float),
        Gaussian(0.5).draw(np.random.default_rng(2), (400, 400)).gain,
    ):
        statistical.assert_mean(drawn.ravel(), 1, 1)
        statistical.assert_normal_variance(drawn.ravel(), 1)


def test_torch_whole_step_on_its_own_noise():
    net, x, y = torch_tab.net, torch_tab.x, torch_tab.y
    assert isinstance(net[2], GaussianDropout)
    gain, _, theirs = harness.torch_step(net, net[2], torch.ones(50, 32), x, y)
    noise, params = {"hidden1": Noise(gain)}, harness.from_torch(net.parameters())
    harness.assert_agree(theirs, value_and_grads(NET, params, x.double().numpy(), y.numpy(), noise=noise)[1])


def test_the_gradients_in_torch_are_those_of_noise():
    harness.assert_gradients_of_noise(torch_tab, NET)


def test_torch_and_keras_evaluate_without_noise():
    harness.assert_both_evaluated_without_noise(torch_tab, keras_tab, NET)


def test_numpy_trained_with_noise_and_evaluates_without():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((50, 64)), rng.integers(10, size=50)
    start = NET.init(rng)
    noise = {"hidden1": Gaussian(0.5).draw(rng, (50, 32))}
    harness.assert_took_a_noisy_step(numpy_tab, x, y, start, noise, 0.05)
