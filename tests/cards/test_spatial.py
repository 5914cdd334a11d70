"""The tabs of the card of spatial dropout: whole channels are dropped in training and none in evaluation."""

import keras
import numpy as np
import pytest
import torch

from regbook import replay
from reglib.noise.kinds import Bernoulli
from tests.cards.harness import assert_took_a_noisy_step, keras_layer, run

torch_tab, keras_tab, numpy_tab = run("variants/spatial")
NET = numpy_tab.net


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_layers_agree_on_the_same_mask(dtype):
    maps, grad = np.random.default_rng(1).normal(size=(2, 50, 8, 8, 8)).astype(dtype)
    kind = numpy_tab.channels.noise["maps1"]
    assert kind == Bernoulli(0.1, (-3, -2))
    theirs = torch_tab.maps[2], keras_layer(keras_tab.net, keras.layers.SpatialDropout2D, dtype)
    replay.noise_parity(kind, maps, grad, *theirs)


def test_torch_drops_whole_channels_in_training():
    layer, ones = torch_tab.maps[2].train(), torch.ones(200, 8, 5, 5)
    try:
        dropped = layer(ones) == 0
    finally:
        layer.eval()
    assert torch.equal(dropped, dropped[:, :, :1, :1].expand_as(dropped))
    # 1,600 channels with a rate of 0.1: five standard deviations of the share.
    assert dropped.double().mean().item() == pytest.approx(0.1, abs=5 * (0.09 / 1600) ** 0.5)


def test_torch_trained_under_noise():
    net, x, y = torch_tab.net, torch_tab.x, torch_tab.y
    given = [w.grad.clone() for w in net.parameters()]
    assert not net.training
    loss = torch.nn.functional.cross_entropy(net(x), y)
    plain = torch.autograd.grad(loss, list(net.parameters()))
    assert max((a - b).abs().max().item() for a, b in zip(given, plain, strict=True)) > 1e-4


def by_hand(weights, x):
    """Return the class of images (B, 8, 8, 1) by the network of the tabs, without noise; kernels in Keras' layout."""
    kernel, bias, dense, last = (np.asarray(w, float) for w in weights)
    padded = np.pad(np.asarray(x, float), ((0, 0), (1, 1), (1, 1), (0, 0)))
    maps = sum(padded[:, i : i + 8, j : j + 8] @ kernel[i, j] for i in range(3) for j in range(3)) + bias
    return (np.maximum(maps, 0).reshape(len(x), -1) @ dense + last).argmax(axis=1)


def test_keras_evaluates_without_noise():
    np.testing.assert_array_equal(keras_tab.prediction, by_hand(keras_tab.net.get_weights(), keras_tab.x))


def test_torch_evaluates_without_noise():
    kernel, bias, dense, last = (w.detach().numpy() for w in torch_tab.net.parameters())
    dense = dense.reshape(10, 8, 8, 8).transpose(2, 3, 1, 0).reshape(-1, 10)  # channels last
    weights = kernel.transpose(2, 3, 1, 0), bias, dense, last
    images = torch_tab.x.numpy().transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(torch_tab.prediction, by_hand(weights, images))


def test_numpy_trained_under_noise_and_evaluates_without():
    rng = np.random.default_rng(0)
    x, y = rng.random((50, 8, 8, 1)), rng.integers(10, size=50)
    start = NET.init(rng)
    noise = {"maps1": Bernoulli(0.1, (-3, -2)).draw(rng, (50, 8, 8, 8))}
    assert_took_a_noisy_step(numpy_tab, x, y, start, noise, 0.05)
