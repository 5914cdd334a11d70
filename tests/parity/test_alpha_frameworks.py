"""Alpha dropout and SELU against the frameworks' own layers on their own masks.

Neither framework shows the mask. A layer that acts on zeros does: a kept zero becomes b > 0, a dropped one
a * alpha' + b < 0. `regbook.replay` does it: float64 within 1e-12, float32 within 1e-6, every step of a training run
within 1e-9.
"""

import numpy as np
import pytest

from regbook import datasets, replay
from regbook.replay.agreement import TOLERANCE
from reglib.layers import activations
from reglib.nets.mlp import MLP
from reglib.noise import masks
from reglib.noise.affine import apply, apply_backward
from reglib.noise.kinds import Alpha
from reglib.train.optim import SGD
from reglib.train.technique import Technique

keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")
torch = pytest.importorskip("torch")

RATES = [0.1, 0.375, 0.5, 0.8]
SHAPE = (7, 5, 6, 4)
X, GRAD = np.random.default_rng(5).normal(size=(2, *SHAPE))


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("rate", RATES)
def test_alpha_dropout(rate, dtype):
    layers = torch.nn.AlphaDropout(rate), keras.layers.AlphaDropout(rate, dtype=dtype)
    replay.noise_parity(Alpha(rate), X.astype(dtype), GRAD.astype(dtype), *layers)


def test_constants_of_float64_do_in_float32():
    x, grad = X.astype(np.float32), GRAD.astype(np.float32)
    done = replay.layer(torch.nn.AlphaDropout(0.1), x, grad)
    noise = Alpha(0.1).given(done.mask)
    assert noise.gain.dtype == noise.offset.dtype == np.float64
    replay.agree({"output": {"PyTorch": (apply(noise, x), done.output)}})
    replay.agree({"gradient": {"PyTorch": (apply_backward(noise, grad), done.gradient)}})


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("shape", [SHAPE, (7, 6, 5), (7, 3, 4, 2, 5)])
def test_torch_feature_alpha_dropout_drops_whole_channels(shape, dtype):
    """One draw for all positions of a channel; PyTorch has the channels in front, (B, C, ...)."""
    x, grad = np.random.default_rng(5).normal(size=(2, *shape)).astype(dtype)
    kind = Alpha(0.375, shared=tuple(range(1 - x.ndim, -1)))
    replay.noise_parity(kind, x, grad, torch.nn.FeatureAlphaDropout(0.375))


@pytest.mark.parametrize("shared", [(-3, -2), (-2, -1), -4])
def test_keras_shares_a_draw_by_the_shape_of_the_noise(shared):
    shape = masks.noise_shape(SHAPE, shared)
    layer = keras.layers.AlphaDropout(0.375, noise_shape=shape, dtype="float64")
    replay.noise_parity(Alpha(0.375, shared), X, GRAD, layer)


def test_test_time_is_the_identity():
    for layer in (torch.nn.AlphaDropout(0.375), torch.nn.FeatureAlphaDropout(0.375)):
        np.testing.assert_array_equal(layer.eval()(torch.tensor(X)).numpy(), X)
    np.testing.assert_array_equal(keras.layers.AlphaDropout(0.375, dtype="float64")(X).numpy(), X)
    assert Alpha(0.375).expected(SHAPE) is None


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_selu(dtype):
    x, grad = X.astype(dtype), GRAD.astype(dtype)
    tensor, variable = torch.tensor(x, requires_grad=True), tf.Variable(x)
    in_torch = torch.selu(tensor)
    in_torch.backward(torch.tensor(grad))
    with tf.GradientTape() as tape:
        in_keras = keras.activations.selu(variable)
    keras_grad = tape.gradient(in_keras, variable, output_gradients=tf.constant(grad)).numpy()
    ours = activations.selu(x)
    back = activations.selu_backward(grad, ours)
    replay.agree({"output": {"PyTorch": (ours, in_torch.detach()), "Keras": (ours, in_keras.numpy())}})
    replay.agree({"gradient": {"PyTorch": (back, tensor.grad), "Keras": (back, keras_grad)}})


def test_the_start_has_the_variance_of_keras_lecun_normal():
    """Keras cuts its normal distribution off at two standard deviations and makes up for the lost variance."""
    theirs = keras.initializers.LecunNormal(seed=0)((400, 500))
    ours = MLP((400, 500), "selu").init(np.random.default_rng(0))["w1"]
    for weights in (keras.ops.convert_to_numpy(theirs), ours):
        assert np.var(weights) == pytest.approx(1 / 400, rel=0.02)


def test_training_runs():
    """Forty steps of two SELU layers, each with alpha dropout: every loss, and the parameters at the end."""
    digits, net = datasets.digits(), MLP((64, 24, 16, 10), "selu")
    pixels = (digits.x - digits.x.mean()) / digits.x.std()
    first = net.init(np.random.default_rng(0))
    rows = np.random.default_rng(1).integers(len(digits.y), size=(40, 32))
    technique = Technique(noise={"hidden1": Alpha(0.25), "hidden2": Alpha(0.25)})
    runs = replay.training_parity(net, first, technique, SGD(0.125), rows, (pixels, digits.y))
    for name in ("PyTorch", "Keras"):
        replay.agree({"parameters": {name: (runs.params["NumPy"], runs.params[name])}}, 1e-9)
