"""Spatial dropout against the frameworks' own layers, in 1, 2 and 3 dimensions, and where their axes set traps.

The masks are replayed: put the random state back, let the layer act on ones, put it back again, and let it act on the
data. float64 within 1e-12, float32 within 1e-6, every step of a training run within 1e-9.
"""

from unittest import mock

import numpy as np
import pytest

from regbook import datasets
from reglib.convert.layouts import spatial_noise_shape
from reglib.nets import convnet
from reglib.noise import dropout
from reglib.train import loop, optim
from tests.parity.replay import TOLERANCE, agree, in_keras, in_torch, own_part

keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")
torch = pytest.importorskip("torch")

RATE, SIZES = 0.375, {1: (9,), 2: (5, 6), 3: (3, 4, 5)}
each = pytest.mark.parametrize(
    ("dimensions", "dtype"), [(dimensions, dtype) for dimensions in SIZES for dtype in TOLERANCE]
)


def both(dimensions, dtype, channels):
    """Return activations with 4 channels, and the gradient with respect to what dropout makes of them."""
    shape = (6, 4, *SIZES[dimensions]) if channels == "first" else (6, *SIZES[dimensions], 4)
    return np.random.default_rng(5).normal(size=(2, *shape)).astype(dtype)


def check(replayed, x, grad, channels):
    """The framework's mask has our shape, and under it output and gradient are ours."""
    ones, output, grad_x = replayed
    mask = own_part(ones > 0, spatial_noise_shape(x.shape, channels))
    agree(dropout.dropout(x, mask, RATE), output, str(x.dtype))
    agree(dropout.dropout_backward(grad, mask, RATE), grad_x, str(x.dtype))


@each
def test_torch(dimensions, dtype):
    x, grad = both(dimensions, dtype, "first")
    check(in_torch(getattr(torch.nn, f"Dropout{dimensions}d")(RATE), x, grad), x, grad, "first")


@each
def test_keras(dimensions, dtype):
    x, grad = both(dimensions, dtype, "last")
    layer = getattr(keras.layers, f"SpatialDropout{dimensions}D")(RATE, seed=1, dtype=dtype)
    check(in_keras(layer, x, grad), x, grad, "last")


@pytest.mark.parametrize("dimensions", [2, 3])
def test_keras_channels_first(dimensions):
    x, grad = both(dimensions, "float64", "first")
    layer = getattr(keras.layers, f"SpatialDropout{dimensions}D")
    layer = layer(RATE, data_format="channels_first", seed=1, dtype="float64")
    check(in_keras(layer, x, grad), x, grad, "first")


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


STEPS, BATCH = 30, 32


@pytest.fixture(scope="module")
def digits_run():
    """The start, the batches, and PyTorch's run with Dropout2d behind both convolutions: losses, masks, parameters."""
    digits = datasets.digits()
    images = digits.x.reshape(-1, 8, 8, 1)
    start = convnet.init(np.random.default_rng(0), (1, 4, 6, 10))
    rows = np.random.default_rng(1).integers(len(images), size=(STEPS, BATCH))
    convolutions = [torch.nn.Conv2d(1, 4, 3, padding=1), torch.nn.Conv2d(4, 6, 3, padding=1)]
    dense, noisy, drawn, losses = torch.nn.Linear(6, 10), torch.nn.Dropout2d(RATE), [], []
    layers = [layer.double() for layer in (*convolutions, dense)]
    with torch.no_grad():
        for layer, w, b in zip(layers, start[::2], start[1::2], strict=True):
            layer.weight.copy_(torch.tensor(w.T if w.ndim == 2 else w.transpose(3, 2, 0, 1)))
            layer.bias.copy_(torch.tensor(b))

    def drop(maps):
        state = torch.get_rng_state()
        drawn.append(noisy(torch.ones_like(maps)).detach().numpy()[:, :, :1, :1].transpose(0, 2, 3, 1) > 0)
        torch.set_rng_state(state)
        return noisy(maps)

    sgd = torch.optim.SGD([p for layer in layers for p in layer.parameters()], lr=0.125)
    torch.manual_seed(0)
    for batch in rows:
        maps = drop(torch.relu(layers[0](torch.tensor(images[batch].transpose(0, 3, 1, 2)))))
        maps = drop(torch.relu(layers[1](torch.nn.functional.max_pool2d(maps, 2))))
        loss = torch.nn.functional.cross_entropy(dense(maps.mean(dim=(2, 3))), torch.tensor(digits.y[batch]))
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        losses.append(loss.item())
    last = [p.detach().numpy() for layer in layers for p in (layer.weight, layer.bias)]
    last = [p.transpose(2, 3, 1, 0) if p.ndim == 4 else p.T for p in last]
    return (images, digits.y), start, rows, drawn, np.array(losses), last


def numpy_run(digits_run):
    data, start, rows, drawn, _, _ = digits_run
    given = iter(drawn)

    def step(params, x, labels):
        noise = [None, *(dropout.multiplier(next(given), RATE) for _ in range(2))]
        return convnet.loss_and_grads(params, x, labels, noise=noise)

    return loop.train(start, step, optim.SGD(0.125), rows, data=data)


def test_training_run_of_torch(digits_run):
    *_, losses, last = digits_run
    run = numpy_run(digits_run)
    assert np.abs(run.losses - losses).max() < 1e-9
    for ours, theirs in zip(run.params, last, strict=True):
        assert np.abs(ours - theirs).max() < 1e-9


def test_training_run_of_keras(digits_run):
    (images, labels), start, rows, drawn, _, _ = digits_run
    kind, dtype, stack = keras.layers, {"dtype": "float64"}, [keras.Input((8, 8, 1), dtype="float64")]
    for channels in (4, 6):
        stack += [kind.Conv2D(channels, 3, padding="same", activation="relu", **dtype)]
        stack += [kind.SpatialDropout2D(RATE, **dtype)]
        stack += [kind.MaxPooling2D(2, **dtype)] if channels == 4 else [kind.GlobalAveragePooling2D(**dtype)]
    model = keras.Sequential([*stack, kind.Dense(10, **dtype)])
    model.set_weights(start)
    given, losses = iter(drawn), []

    def draw(inputs, rate, noise_shape=None, seed=None):
        mask = next(given)
        assert tuple(noise_shape) == mask.shape
        return inputs * (mask / (1 - rate))

    with mock.patch("keras.src.backend.random.dropout", draw):
        for batch in rows:
            with tf.GradientTape() as tape:
                logits = model(images[batch], training=True)
                costs = keras.losses.sparse_categorical_crossentropy(labels[batch], logits, from_logits=True)
                loss = tf.reduce_mean(costs)
            weights = [weight.value for weight in model.trainable_weights]
            for weight, grad in zip(weights, tape.gradient(loss, weights), strict=True):
                weight.assign_sub(0.125 * grad)
            losses.append(float(loss))
    assert np.abs(numpy_run(digits_run).losses - losses).max() < 1e-9
