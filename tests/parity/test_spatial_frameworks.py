"""Spatial dropout against the frameworks' own layers, in 1, 2 and 3 dimensions, and where their axes set traps.

`regbook.replay` runs them on their own masks: float64 within 1e-12, float32 within 1e-6, every step of a training run
within 1e-9.
"""

import numpy as np
import pytest

from regbook import datasets, replay
from regbook.replay.agreement import TOLERANCE
from reglib.convert.layouts import spatial_noise_shape
from reglib.nets.convnet import ConvNet
from reglib.noise.affine import apply, apply_backward
from reglib.noise.kinds import Bernoulli
from reglib.train.optim import SGD
from reglib.train.technique import Technique

keras = pytest.importorskip("keras")
torch = pytest.importorskip("torch")

RATE, SIZES = 0.375, {1: (9,), 2: (5, 6), 3: (3, 4, 5)}
each = pytest.mark.parametrize(
    ("dimensions", "dtype"), [(dimensions, dtype) for dimensions in SIZES for dtype in TOLERANCE]
)


def both(dimensions, dtype, channels):
    """Return activations with 4 channels, and the gradient with respect to what dropout makes of them."""
    shape = (6, 4, *SIZES[dimensions]) if channels == "first" else (6, *SIZES[dimensions], 4)
    return np.random.default_rng(5).normal(size=(2, *shape)).astype(dtype)


def positions(dimensions, channels):
    """Return the axes along which a channel has one draw."""
    return tuple(range(-1 - dimensions, -1)) if channels == "last" else tuple(range(-dimensions, 0))


def check_in_its_own_layout(layer, dimensions, dtype, channels):
    """The framework's mask has our shape, and under it output and gradient are ours."""
    x, grad = both(dimensions, dtype, channels)
    kind, done = Bernoulli(RATE, positions(dimensions, channels)), replay.layer(layer, x, grad)
    noise = done.noise(kind)
    assert noise.gain.shape == spatial_noise_shape(x.shape, channels)
    assert kind.draw(np.random.default_rng(0), x.shape).gain.shape == noise.gain.shape
    replay.agree({"output": {done.framework: (apply(noise, x), done.output)}})
    replay.agree({"gradient": {done.framework: (apply_backward(noise, grad), done.gradient)}})


@each
def test_whole_channels(dimensions, dtype):
    layers = [getattr(torch.nn, f"Dropout{dimensions}d")(RATE)]
    layers += [getattr(keras.layers, f"SpatialDropout{dimensions}D")(RATE, dtype=dtype)]
    kind = Bernoulli(RATE, positions(dimensions, "last"))
    replay.noise_parity(kind, *both(dimensions, dtype, "last"), *layers)
    check_in_its_own_layout(layers[0], dimensions, dtype, "first")
    check_in_its_own_layout(layers[1], dimensions, dtype, "last")


@pytest.mark.parametrize("dimensions", [2, 3])
def test_keras_channels_first(dimensions):
    layer = getattr(keras.layers, f"SpatialDropout{dimensions}D")
    layer = layer(RATE, data_format="channels_first", dtype="float64")
    check_in_its_own_layout(layer, dimensions, "float64", "first")


def test_keras_has_no_channels_first_for_sequences():
    with pytest.raises(TypeError):
        keras.layers.SpatialDropout1D(RATE, data_format="channels_first")


def draws(out):
    """Return along which axes a layer's output varies, when its input was all ones."""
    return tuple(bool((out != out.select(axis, 0).unsqueeze(axis)).any()) for axis in range(out.ndim))


def test_dropout2d_takes_three_axes_for_sequences_and_warns():
    torch.manual_seed(0)
    with pytest.warns(UserWarning, match="3D input to dropout2d"):
        out = torch.nn.Dropout2d(0.5)(torch.ones(20, 6, 5))
    assert draws(out) == (True, True, False)


def test_dropout1d_takes_two_axes_for_one_example_and_drops_rows():
    torch.manual_seed(0)
    assert draws(torch.nn.Dropout1d(0.5)(torch.ones(20, 6))) == (True, False)
    with pytest.raises(ValueError, match="incompatible with the layer"):
        keras.layers.SpatialDropout1D(0.5)(np.ones((20, 6)), training=True)


def test_dropout2d_on_channels_last_drops_rows_of_pixels():
    torch.manual_seed(0)
    assert draws(torch.nn.Dropout2d(0.5)(torch.ones(20, 8, 8, 3))) == (True, True, False, False)


def test_training_runs():
    """Thirty steps with whole channels dropped behind both convolutions: every loss, and the parameters at the end."""
    digits, net = datasets.digits(), ConvNet((1, 4, 6, 10))
    images, first = digits.x.reshape(-1, 8, 8, 1), net.init(np.random.default_rng(0))
    rows = np.random.default_rng(1).integers(len(images), size=(30, 32))
    channels = Bernoulli(RATE, shared=(-3, -2))
    technique = Technique(noise={"maps1": channels, "maps2": channels})
    runs = replay.training_parity(net, first, technique, SGD(0.125), rows, (images, digits.y))
    for name in ("PyTorch", "Keras"):
        replay.agree({"parameters": {name: (runs.params["NumPy"], runs.params[name])}}, 1e-9)
