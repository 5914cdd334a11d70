"""The tabs of the card of variational dropout: noise and divergence in training, neither in evaluation."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import torch

from regbook import replay
from regkit.keras import LearnedGaussianDropout as KerasLayer
from regkit.torch import LearnedGaussianDropout as TorchLayer
from reglib.nets import variational
from reglib.noise.kinds import Gaussian
from tests.cards import harness

torch_tab, keras_tab, numpy_tab = harness.run("variants/variational")
NET, ORDER = numpy_tab.net, ("w1", "b1", "log_alpha1", "w2", "b2")
PLAIN = tuple(NET.names())


def logits(params, x):
    return NET.logits({name: params[name] for name in PLAIN}, x)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_layers_agree_on_the_same_noise(dtype):
    h, grad = np.random.default_rng(1).normal(size=(2, 50, 32)).astype(dtype)
    theirs = KerasLayer.from_config(keras_tab.noise.get_config() | {"dtype": np.dtype(dtype).name})
    mine = TorchLayer(32, dtype=torch.float64 if dtype is np.float64 else torch.float32)
    replay.noise_parity(Gaussian(0.5), h, grad, mine, theirs)


def test_all_start_at_a_rate_of_one_half():
    assert torch_tab.noise.log_alpha.item() == 0
    assert keras_tab.noise.rate == 0.5
    np.testing.assert_array_equal(numpy_tab.start["log_alpha1"], [0.0])


def test_torch_whole_step_on_its_own_noise():
    # The card's lines once more under a seed, with the draw noted: all gradients are those of reglib's objective.
    code = harness.tabs("variants/variational")["PyTorch"]
    before, after = code.split("net.train()")
    torch.manual_seed(3)
    again = harness.run_code(before)
    state = torch.get_rng_state()
    epsilon = again.noise.draw(torch.empty(50, 32)).double().numpy()
    torch.set_rng_state(state)
    again = harness.run_code("net.train()" + after, given=again)
    params, x, y = harness.from_torch(again.net.parameters(), ORDER), again.x.double().numpy(), again.y.numpy()
    params = {name: params[name] for name in (*PLAIN, "log_alpha1")}
    mine = variational.loss_and_grads(NET, params, x, y, [epsilon], examples=50)[1]
    theirs = harness.from_torch([tensor.grad for tensor in again.net.parameters()], ORDER)
    harness.assert_agree(theirs, {name: mine[name] for name in ORDER}, 2e-6)
    assert abs(mine["log_alpha1"][0]) > 0.1


def test_torch_and_keras_evaluate_without_noise():
    assert not torch_tab.net.training
    mine = logits(harness.from_torch(torch_tab.net.parameters(), ORDER), torch_tab.x.double().numpy())
    np.testing.assert_array_equal(torch_tab.prediction, mine.argmax(axis=1))
    mine = logits(harness.named(keras_tab.net.get_weights(), ORDER), np.asarray(keras_tab.x, float))
    np.testing.assert_array_equal(keras_tab.prediction, mine.argmax(axis=1))


def test_keras_trains_the_strength_with_the_divergence_of_the_training_set():
    found = float(tf.add_n(keras_tab.net.losses))
    assert found == pytest.approx(32 * variational.kl(float(keras_tab.noise.log_alpha[0])) / 50, rel=1e-5)
    assert float(keras_tab.noise.log_alpha[0]) != 0  # the card's step moved it
    assert any(weight is keras_tab.noise.log_alpha for weight in keras_tab.net.trainable_variables)
    assert isinstance(keras_tab.noise, keras.layers.Layer)


def test_numpy_trained_with_noise_and_evaluates_without():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((50, 64)), rng.integers(10, size=50)
    start = variational.start(NET.init(rng), 0.5)
    value, grads = variational.loss_and_grads(NET, start, x, y, [rng.standard_normal((50, 32))], examples=50)
    assert numpy_tab.run.losses == pytest.approx([value], abs=1e-12)
    harness.assert_agree(numpy_tab.run.params, {name: start[name] - 0.05 * grads[name] for name in ORDER}, 1e-12)
    np.testing.assert_array_equal(numpy_tab.prediction, logits(numpy_tab.run.params, x).argmax(axis=1))
