"""The tabs of the card of alpha dropout: units are dropped in training and not in evaluation, from a normal start."""

import keras
import numpy as np
import pytest
import torch

from regbook import replay
from reglib.noise.kinds import Alpha
from reglib.train.technique import value_and_grads
from tests.cards import harness

torch_tab, keras_tab, numpy_tab = harness.run("variants/alpha")
NET = numpy_tab.net


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_layers_agree_on_the_same_mask(dtype):
    h, grad = np.random.default_rng(1).normal(size=(2, 50, 64)).astype(dtype)
    theirs = torch_tab.net[2], harness.keras_layer(keras_tab.net, keras.layers.AlphaDropout, dtype)
    replay.noise_parity(numpy_tab.alpha.noise["hidden1"], h, grad, *theirs)


def test_all_start_from_lecun_normal_weights():
    # 4,096 weights of variance 1/64: the mean square has a relative standard deviation of sqrt(2 / 4096).
    rng = np.random.default_rng(2)
    first = torch_tab.net[0].weight.detach().numpy(), NET.init(rng)["w1"]
    for weights in first:
        assert 64 * np.mean(weights**2) == pytest.approx(1, abs=5 * np.sqrt(2 / 4096))
    for layer in keras_tab.net.layers:
        if isinstance(layer, keras.layers.Dense):
            assert layer.kernel_initializer.__class__.__name__ == "LecunNormal"


def test_torch_whole_step_on_its_own_mask():
    net, x, y = torch_tab.net, torch_tab.x, torch_tab.y
    seen, _, theirs = harness.torch_step(net, net[2], torch.zeros(50, 64), x, y)
    kept = seen > Alpha(0.1).given(np.zeros(1, bool)).offset / 2
    noise = {"hidden1": Alpha(0.1).given(kept)}
    params = harness.from_torch(net.parameters())
    mine = value_and_grads(NET, params, x.double().numpy(), y.numpy(), noise=noise)[1]
    assert 0.85 < kept.mean() < 0.95
    harness.assert_agree(theirs, mine)


def test_the_gradients_in_torch_are_those_of_noise():
    harness.assert_gradients_of_noise(torch_tab, NET)


def test_torch_and_keras_evaluate_without_noise():
    harness.assert_both_evaluated_without_noise(torch_tab, keras_tab, NET)


def test_numpy_trained_with_alpha_dropout_and_evaluates_without():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((50, 64)), rng.integers(10, size=50)
    start = NET.init(rng)
    noise = {"hidden1": Alpha(0.1).draw(rng, (50, 64))}
    harness.assert_took_a_noisy_step(numpy_tab, x, y, start, noise, 0.01)
