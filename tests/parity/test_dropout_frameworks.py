"""Dropout against the frameworks' own layers on their own masks: outputs, input gradients, whole training runs.

`regbook.replay` runs them: float64 within 1e-12, float32 within 1e-6, every step of a training run within 1e-9.
"""

import numpy as np
import pytest

from regbook import datasets, replay
from regbook.replay.agreement import TOLERANCE
from reglib.nets.mlp import MLP
from reglib.noise import masks
from reglib.noise.affine import apply, apply_backward
from reglib.noise.kinds import Bernoulli, Gaussian
from reglib.train.optim import SGD
from reglib.train.technique import Technique

keras = pytest.importorskip("keras")
torch = pytest.importorskip("torch")

RATES = [0.1, 0.375, 0.5, 0.8]
SHAPE = (7, 5, 6, 4)
X, GRAD = np.random.default_rng(5).normal(size=(2, *SHAPE))


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("rate", RATES)
def test_dropout(rate, dtype):
    layers = torch.nn.Dropout(rate), keras.layers.Dropout(rate, dtype=dtype)
    replay.noise_parity(Bernoulli(rate), X.astype(dtype), GRAD.astype(dtype), *layers)


def test_a_gain_of_float64_does_in_float32():
    x, grad = X.astype(np.float32), GRAD.astype(np.float32)
    done = replay.layer(torch.nn.Dropout(0.1), x, grad)
    noise = Bernoulli(0.1).given(done.mask)
    assert noise.gain.dtype == np.float64
    replay.agree({"output": {"PyTorch": (apply(noise, x), done.output)}})
    replay.agree({"gradient": {"PyTorch": (apply_backward(noise, grad), done.gradient)}})


@pytest.mark.parametrize(("shared", "spatial"), [(-2, False), ((-4, -3), False), ((-3, -2), False), ((-3, -2), True)])
def test_masks_that_are_shared_along_axes(shared, spatial):
    """Keras writes the shape of a mask as `masks.noise_shape` does; SpatialDropout2D shares rows and columns."""
    shape = masks.noise_shape(SHAPE, shared)
    options = {"dtype": "float64"} | ({} if spatial else {"noise_shape": shape})
    layer = (keras.layers.SpatialDropout2D if spatial else keras.layers.Dropout)(0.5, **options)
    kind = Bernoulli(0.5, shared)
    replay.noise_parity(kind, X, GRAD, layer)
    assert replay.layer(layer, X, GRAD).noise(kind).gain.shape == shape
    assert kind.draw(np.random.default_rng(0), SHAPE).gain.shape == shape


def test_torch_drops_channels():
    """torch.nn.Dropout2d has the channels in front: (B, C, rows, columns)."""
    done = replay.layer(torch.nn.Dropout2d(0.5), X, GRAD)
    noise = done.noise(Bernoulli(0.5, shared=(-2, -1)))
    assert noise.gain.shape == (7, 5, 1, 1)
    replay.agree({"output": {"PyTorch": (apply(noise, X), done.output)}})
    replay.agree({"gradient": {"PyTorch": (apply_backward(noise, GRAD), done.gradient)}})


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_keras_gaussian_dropout(dtype):
    layer = keras.layers.GaussianDropout(0.375, dtype=dtype)
    replay.noise_parity(Gaussian(0.375), X.astype(dtype), GRAD.astype(dtype), layer)


def test_test_time_is_the_identity_in_the_inverted_form():
    np.testing.assert_array_equal(torch.nn.Dropout(0.375).eval()(torch.tensor(X)).numpy(), X)
    np.testing.assert_array_equal(keras.layers.Dropout(0.375, dtype="float64")(X).numpy(), X)
    assert Bernoulli(0.375).expected(SHAPE) is None


def test_the_unscaled_form_is_the_frameworks_times_the_probability_to_keep():
    done, kind = replay.layer(torch.nn.Dropout(0.375), X, GRAD), Bernoulli(0.375, scaled=False)
    noise = done.noise(kind)
    replay.agree({"output": {"PyTorch": (apply(noise, X), 0.625 * done.output)}})
    replay.agree({"gradient": {"PyTorch": (apply_backward(noise, GRAD), 0.625 * done.gradient)}})
    np.testing.assert_allclose(apply(kind.expected(SHAPE), X), 0.625 * X, rtol=1e-12)


@pytest.mark.parametrize("optimizer", [SGD(0.125), SGD(0.125, momentum=0.5)])
def test_training_runs(optimizer):
    """Forty steps with dropout on inputs and hidden units: every loss, and the parameters at the end."""
    digits, net = datasets.digits(), MLP((64, 24, 10))
    first = net.init(np.random.default_rng(0))
    rows = np.random.default_rng(1).integers(len(digits.y), size=(40, 32))
    technique = Technique(noise={"input": Bernoulli(0.25), "hidden1": Bernoulli(0.5)})
    runs = replay.training_parity(net, first, technique, optimizer, rows, (digits.x, digits.y))
    assert list(runs) == ["NumPy", "PyTorch", "Keras"]
    for name in ("PyTorch", "Keras"):
        replay.agree({"parameters": {name: (runs.params["NumPy"], runs.params[name])}}, 1e-9)
