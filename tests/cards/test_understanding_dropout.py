"""The tabs of the card of Understanding dropout: one derived loss in three frameworks, near the mean of their noise."""

import keras
import numpy as np
import pytest
import torch

from regbook import replay
from reglib.noise import expected
from reglib.noise.kinds import Bernoulli
from tests.cards.harness import run

TABS = run("dropout/understanding-dropout")
torch_tab, keras_tab, numpy_tab = TABS
W, X, Y, RATE = numpy_tab.w, numpy_tab.x, numpy_tab.y, numpy_tab.p
each_tab = pytest.mark.parametrize("tab", TABS, ids=["torch", "keras", "numpy"])


def penalty(tab):
    """Return the penalty that a tab computes; the one in NumPy calls reglib within its last line."""
    return float(getattr(tab, "penalty", expected.penalty(W, X, RATE)))


@each_tab
def test_all_have_the_same_data(tab):
    for name in ("x", "y", "w"):
        np.testing.assert_allclose(np.asarray(getattr(tab, name)), getattr(numpy_tab, name), rtol=0, atol=1e-12)


@each_tab
def test_plain_loss_plus_penalty_is_the_derived_loss(tab):
    assert float(tab.plain) == pytest.approx(np.mean((X @ W - Y) ** 2) / 2, abs=1e-12)
    assert float(tab.plain) + penalty(tab) == pytest.approx(float(expected.expected_loss(W, X, Y, RATE)), abs=1e-12)


@each_tab
def test_the_mean_over_2000_masks_is_near_it(tab):
    # Of one mask, by simulation; the mean of 2,000 has this standard deviation over the root of 2,000.
    gains = Bernoulli(RATE).draw(np.random.default_rng(1), (2000, 50, 4)).gain
    spread = (((gains * X) @ W - Y) ** 2).mean(axis=-1).std() / 2
    derived = expected.expected_loss(W, X, Y, RATE)
    assert abs(float(tab.noisy) - derived) < 5 * spread / np.sqrt(2000)
    assert abs(float(tab.noisy) - float(tab.plain)) > 50 * spread / np.sqrt(2000)


def test_the_dropout_of_each_is_off_where_the_plain_loss_is_taken():
    assert not torch_tab.drop.training
    np.testing.assert_array_equal(keras_tab.drop(keras_tab.x), np.asarray(keras_tab.x))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_layers_agree_on_the_same_mask(dtype):
    x, grad = np.random.default_rng(2).normal(size=(2, 50, 4)).astype(dtype)
    theirs = keras.layers.Dropout.from_config(keras_tab.drop.get_config() | {"dtype": np.dtype(dtype).name})
    replay.noise_parity(Bernoulli(RATE), x, grad, torch.nn.Dropout(torch_tab.drop.p), theirs)
