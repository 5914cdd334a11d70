"""Dropout against the frameworks' own layers on their own masks: outputs, input gradients, whole training runs.

The masks are replayed: put the random state back, let the layer act on ones, put it back again, and let it act on the
data. float64 within 1e-12, float32 within 1e-6, every step of a training run within 1e-9.
"""

from unittest import mock

import numpy as np
import pytest

from regbook import datasets
from reglib.nets import mlp
from reglib.noise import dropout, masks
from reglib.train import loop, optim
from tests.parity.replay import TOLERANCE, agree, both, in_keras, in_torch, own_part

keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")
torch = pytest.importorskip("torch")

RATES = [0.1, 0.375, 0.5, 0.8]
SHAPE = (7, 5, 6, 4)


def check_bernoulli(ones, output, grad_x, x, grad, rate, shape=None):
    """Compare `dropout` under a framework's mask, of the shape ``shape``, with what the framework did."""
    mask = own_part(ones > 0, ones.shape if shape is None else shape)
    agree(dropout.dropout(x, mask, rate), output, str(x.dtype))
    agree(dropout.dropout_backward(grad, mask, rate), grad_x, str(x.dtype))


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("rate", RATES)
def test_torch_dropout(rate, dtype):
    x, grad = both(SHAPE, dtype)
    check_bernoulli(*in_torch(torch.nn.Dropout(rate), x, grad), x, grad, rate)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("rate", RATES)
def test_keras_dropout(rate, dtype):
    x, grad = both(SHAPE, dtype)
    check_bernoulli(*in_keras(keras.layers.Dropout(rate, seed=1, dtype=dtype), x, grad), x, grad, rate)


@pytest.mark.parametrize(
    ("shared", "spatial"),
    [(2, False), ((0, 1), False), ((1, 2), False), ((1, 2), True)],
)
def test_masks_that_are_shared_along_axes(shared, spatial):
    """Keras writes the shape of a mask as `masks.noise_shape` does; SpatialDropout2D shares rows and columns."""
    x, grad = both(SHAPE, "float64")
    shape = masks.noise_shape(x.shape, shared)
    if spatial:
        layer = keras.layers.SpatialDropout2D(0.5, seed=1, dtype="float64")
    else:
        layer = keras.layers.Dropout(0.5, noise_shape=shape, seed=1, dtype="float64")
    check_bernoulli(*in_keras(layer, x, grad), x, grad, 0.5, shape)


def test_torch_drops_channels():
    """torch.nn.Dropout2d has the channels in front: (B, C, rows, columns)."""
    x, grad = both(SHAPE, "float64")
    check_bernoulli(*in_torch(torch.nn.Dropout2d(0.5), x, grad), x, grad, 0.5, masks.noise_shape(x.shape, (2, 3)))


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_keras_gaussian_dropout(dtype):
    x, grad = both(SHAPE, dtype)
    noise, output, grad_x = in_keras(keras.layers.GaussianDropout(0.375, seed=1, dtype=dtype), x, grad)
    assert len(np.unique(noise)) > 700
    agree(dropout.gaussian(x, noise), output, dtype)
    agree(dropout.gaussian_backward(grad, noise), grad_x, dtype)


def test_test_time_is_the_identity_in_the_inverted_form():
    x, _ = both(SHAPE, "float64")
    np.testing.assert_array_equal(torch.nn.Dropout(0.375).eval()(torch.tensor(x)).numpy(), x)
    np.testing.assert_array_equal(keras.layers.Dropout(0.375, dtype="float64")(x).numpy(), x)


def test_the_unscaled_form_is_the_frameworks_times_the_probability_to_keep():
    x, grad = both(SHAPE, "float64")
    ones, output, grad_x = in_torch(torch.nn.Dropout(0.375), x, grad)
    agree(dropout.unscaled(x, ones > 0), 0.625 * output, "float64")
    agree(dropout.unscaled_backward(grad, ones > 0), 0.625 * grad_x, "float64")
    agree(dropout.unscaled_test(x, 0.375), 0.625 * x, "float64")


RATE_IN, RATE_HIDDEN, STEPS, BATCH = 0.25, 0.5, 40, 32


@pytest.fixture(scope="module")
def digits_run():
    """The start, the batches, and PyTorch's run with dropout on inputs and hidden units: losses, masks, parameters."""
    digits = datasets.digits()
    first = mlp.init(np.random.default_rng(0), (64, 24, 10))
    rows = np.random.default_rng(1).integers(len(digits.y), size=(STEPS, BATCH))
    layers = [torch.nn.Linear(64, 24), torch.nn.ReLU(), torch.nn.Dropout(RATE_HIDDEN), torch.nn.Linear(24, 10)]
    net = torch.nn.Sequential(torch.nn.Dropout(RATE_IN), *layers).double()
    with torch.no_grad():
        for linear, w, b in zip((net[1], net[4]), first[::2], first[1::2], strict=True):
            linear.weight.copy_(torch.tensor(w.T))
            linear.bias.copy_(torch.tensor(b))
    sgd, losses, drawn = torch.optim.SGD(net.parameters(), lr=0.125), [], []
    torch.manual_seed(0)
    for batch in rows:
        state = torch.get_rng_state()
        ones = [torch.ones(BATCH, units, dtype=torch.float64) for units in (64, 24)]
        drawn.append([net[0](ones[0]).numpy() > 0, net[3](ones[1]).numpy() > 0])
        torch.set_rng_state(state)
        loss = torch.nn.functional.cross_entropy(net(torch.tensor(digits.x[batch])), torch.tensor(digits.y[batch]))
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        losses.append(loss.item())
    last = [array for linear in (net[1], net[4]) for array in (linear.weight.detach().numpy().T, linear.bias.detach())]
    return digits, first, rows, drawn, np.array(losses), last


def numpy_run(digits_run):
    digits, first, rows, drawn, _, _ = digits_run
    given = iter(drawn)

    def step(params, x, y):
        visible, hidden = next(given)
        noise = [dropout.multiplier(visible, RATE_IN), dropout.multiplier(hidden, RATE_HIDDEN)]
        return mlp.loss_and_grads(params, x, y, noise=noise)

    return loop.train(first, step, optim.SGD(0.125), rows, data=(digits.x, digits.y))


def test_training_run_of_torch(digits_run):
    *_, losses, last = digits_run
    run = numpy_run(digits_run)
    assert np.abs(run.losses - losses).max() < 1e-9
    for ours, theirs in zip(run.params, last, strict=True):
        assert np.abs(ours - np.asarray(theirs)).max() < 1e-9


def test_training_run_of_keras(digits_run):
    digits, first, rows, drawn, _, _ = digits_run
    dtype = {"dtype": "float64"}
    layers = [keras.layers.Dense(24, "relu", **dtype), keras.layers.Dropout(RATE_HIDDEN, **dtype)]
    layers = [keras.layers.Dropout(RATE_IN, **dtype), *layers, keras.layers.Dense(10, **dtype)]
    model = keras.Sequential([keras.Input((64,), dtype="float64"), *layers])
    model.set_weights(first)
    flat, losses = iter([mask for pair in drawn for mask in pair]), []
    draw = lambda inputs, rate, **_: inputs * (next(flat) / (1 - rate))  # noqa: E731
    with mock.patch("keras.src.backend.random.dropout", draw):
        for batch in rows:
            with tf.GradientTape() as tape:
                logits = model(digits.x[batch], training=True)
                costs = keras.losses.sparse_categorical_crossentropy(digits.y[batch], logits, from_logits=True)
                loss = tf.reduce_mean(costs)
            weights = [weight.value for weight in model.trainable_weights]
            for weight, grad in zip(weights, tape.gradient(loss, weights), strict=True):
                weight.assign_sub(0.125 * grad)
            losses.append(float(loss))
    assert np.abs(numpy_run(digits_run).losses - losses).max() < 1e-9
