"""The tabs of the card of Monte Carlo dropout: one prediction without noise, and the mean of 50 with it."""

import keras
import numpy as np
import pytest
import torch

from regbook import replay
from reglib.layers.activations import softmax
from reglib.noise.affine import Noise
from reglib.noise.kinds import Bernoulli
from tests.cards import harness

TABS = harness.run("beyond/two-masks")
torch_tab, keras_tab, numpy_tab = TABS
NET, PASSES = numpy_tab.net, 50


def params(tab):
    """Return a tab's weights in reglib's layout, as float64."""
    return tab.params if tab is numpy_tab else harness.weights(tab)


def array(values):
    return np.asarray(values.detach() if isinstance(values, torch.Tensor) else values, float)


each_tab = pytest.mark.parametrize("tab", TABS, ids=["torch", "keras", "numpy"])


@each_tab
def test_the_one_is_taken_without_noise(tab):
    expected = softmax(NET.logits(params(tab), array(tab.x)))
    np.testing.assert_allclose(array(tab.one), expected, rtol=0, atol=1e-12 if tab is numpy_tab else 1e-6)


@each_tab
def test_the_mean_is_that_of_50_passes_with_noise(tab):
    # Beside 2,000 passes of ours: the mean of 50 lies within 6 standard errors of theirs, and no single pass would.
    x, rng = array(tab.x), np.random.default_rng(1)
    noise = {"hidden1": Bernoulli(0.5).draw(rng, (2000, 20, 128))}
    passes = softmax(NET.logits(params(tab), x, noise=noise))
    off = (array(tab.mean) - passes.mean(axis=0)) / (passes.std(axis=0) / np.sqrt(PASSES))
    assert array(tab.mean).shape == (20, 10)
    np.testing.assert_allclose(array(tab.mean).sum(axis=-1), 1, atol=1e-6)
    assert np.abs(off).max() < 6
    assert 0.6 < np.sqrt((off**2).mean()) < 1.5  # one pass would have about 7, and other noise another mean


def test_torch_switches_on_dropout_alone():
    modes = {type(module).__name__: module.training for module in torch_tab.net.modules()}
    assert modes == {"Sequential": False, "Linear": False, "ReLU": False, "Dropout": True}


def test_torch_mean_on_its_own_masks():
    net, x = torch_tab.net, torch_tab.x
    torch.manual_seed(3)
    gains = torch.stack([net[2](torch.ones(20, 128)) for _ in range(4)]).double().numpy()
    torch.manual_seed(3)
    theirs = torch.stack([net(x).softmax(dim=-1) for _ in range(4)]).mean(dim=0)
    passes = softmax(NET.logits(params(torch_tab), array(x), noise={"hidden1": Noise(gains)}))
    np.testing.assert_allclose(array(theirs), passes.mean(axis=0), rtol=0, atol=1e-6)
    assert set(np.unique(gains)) == {0.0, 2.0}


def test_keras_networks_share_their_weights():
    net, noisy = keras_tab.net, keras_tab.noisy
    assert all(a is b for a, b in zip(net.weights, noisy.weights, strict=True))
    assert not np.array_equal(noisy(keras_tab.x), noisy(keras_tab.x))
    np.testing.assert_array_equal(net(keras_tab.x), net(keras_tab.x))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_layers_agree_on_the_same_mask(dtype):
    h, grad = np.random.default_rng(2).normal(size=(2, 8, 20, 128)).astype(dtype)
    theirs = keras.layers.Dropout.from_config(keras_tab.drop.get_config() | {"dtype": np.dtype(dtype).name})
    replay.noise_parity(Bernoulli(0.5), h, grad, torch_tab.net[2], theirs)
