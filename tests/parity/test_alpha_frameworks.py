"""Alpha dropout and SELU against the frameworks' own layers on their own masks.

Neither framework shows the mask. A layer that acts on zeros does: a kept zero becomes b > 0, a dropped one
a * alpha' + b < 0. float64 within 1e-12, float32 within 1e-6, every step of a training run within 1e-9.
"""

from unittest import mock

import numpy as np
import pytest

from regbook import datasets
from reglib.layers import activations
from reglib.nets import mlp
from reglib.noise import dropout, masks
from reglib.train import loop, optim
from tests.parity.replay import TOLERANCE, agree, both, in_keras, in_torch, own_part

keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")
torch = pytest.importorskip("torch")

RATES = [0.1, 0.375, 0.5, 0.8]
SHAPE = (7, 5, 6, 4)


def check(zeros, output, grad_x, x, grad, rate, shape=None):
    """Compare `alpha` under a framework's mask, of the shape ``shape``, with what the framework did."""
    mask = own_part(zeros > 0, zeros.shape if shape is None else shape)
    agree(dropout.alpha(x, mask, rate), output, str(x.dtype))
    agree(dropout.alpha_backward(grad, mask, rate), grad_x, str(x.dtype))


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("rate", RATES)
def test_torch_alpha_dropout(rate, dtype):
    x, grad = both(SHAPE, dtype)
    check(*in_torch(torch.nn.AlphaDropout(rate), x, grad, 0.0), x, grad, rate)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("rate", RATES)
def test_keras_alpha_dropout(rate, dtype):
    x, grad = both(SHAPE, dtype)
    check(*in_keras(keras.layers.AlphaDropout(rate, seed=1, dtype=dtype), x, grad, 0.0), x, grad, rate)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("shape", [SHAPE, (7, 5, 6), (7, 5, 3, 4, 2)])
def test_torch_feature_alpha_dropout_has_channels_in_front(shape, dtype):
    """(B, C, ...): one draw for all positions of a channel."""
    x, grad = both(shape, dtype)
    shared = masks.noise_shape(shape, tuple(range(2, len(shape))))
    check(*in_torch(torch.nn.FeatureAlphaDropout(0.375), x, grad, 0.0), x, grad, 0.375, shared)


@pytest.mark.parametrize("shared", [(1, 2), (2, 3), 0])
def test_keras_shares_a_draw_by_the_shape_of_the_noise(shared):
    x, grad = both(SHAPE, "float64")
    shape = masks.noise_shape(SHAPE, shared)
    layer = keras.layers.AlphaDropout(0.375, noise_shape=shape, seed=1, dtype="float64")
    check(*in_keras(layer, x, grad, 0.0), x, grad, 0.375, shape)


def test_test_time_is_the_identity():
    x, _ = both(SHAPE, "float64")
    for layer in (torch.nn.AlphaDropout(0.375), torch.nn.FeatureAlphaDropout(0.375)):
        np.testing.assert_array_equal(layer.eval()(torch.tensor(x)).numpy(), x)
    np.testing.assert_array_equal(keras.layers.AlphaDropout(0.375, dtype="float64")(x).numpy(), x)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_selu(dtype):
    x, grad = both(SHAPE, dtype)
    tensor, variable = torch.tensor(x, requires_grad=True), tf.Variable(x)
    in_torch = torch.selu(tensor)
    in_torch.backward(torch.tensor(grad))
    with tf.GradientTape() as tape:
        in_keras = keras.activations.selu(variable)
    keras_grad = tape.gradient(in_keras, variable, output_gradients=tf.constant(grad)).numpy()
    ours = activations.selu(x)
    for output, grad_x in ((in_torch.detach().numpy(), tensor.grad.numpy()), (in_keras.numpy(), keras_grad)):
        agree(ours, output, dtype)
        agree(activations.selu_backward(grad, ours), grad_x, dtype)


def test_the_start_has_the_variance_of_keras_lecun_normal():
    """Keras cuts its normal distribution off at two standard deviations and makes up for the lost variance."""
    theirs = keras.initializers.LecunNormal(seed=0)((400, 500))
    ours = mlp.init(np.random.default_rng(0), (400, 500), activation="selu")[0]
    for weights in (keras.ops.convert_to_numpy(theirs), ours):
        assert np.var(weights) == pytest.approx(1 / 400, rel=0.02)


RATE, STEPS, BATCH = 0.25, 40, 32


@pytest.fixture(scope="module")
def digits_run():
    """The start, the batches, and PyTorch's run with two SELU layers and alpha dropout: losses, masks, parameters."""
    digits = datasets.digits()
    pixels = (digits.x - digits.x.mean()) / digits.x.std()
    first = mlp.init(np.random.default_rng(0), (64, 24, 16, 10), activation="selu")
    rows = np.random.default_rng(1).integers(len(digits.y), size=(STEPS, BATCH))
    params = [torch.tensor(p, requires_grad=True) for p in first]
    layer, sgd, losses, drawn = torch.nn.AlphaDropout(RATE), torch.optim.SGD(params, lr=0.125), [], []
    torch.manual_seed(0)
    for batch in rows:
        h = torch.tensor(pixels[batch])
        for w, b in (params[:2], params[2:4]):
            h = torch.selu(h @ w + b)
            state = torch.get_rng_state()
            drawn.append(layer(torch.zeros_like(h)).numpy() > 0)
            torch.set_rng_state(state)
            h = layer(h)
        loss = torch.nn.functional.cross_entropy(h @ params[4] + params[5], torch.tensor(digits.y[batch]))
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        losses.append(loss.item())
    return pixels, digits.y, first, rows, drawn, np.array(losses), [p.detach().numpy() for p in params]


def numpy_run(digits_run):
    pixels, labels, first, rows, drawn, *_ = digits_run
    given = iter(drawn)

    def step(params, x, y):
        noise = [None, *(dropout.alpha_gain_and_offset(next(given), RATE) for _ in range(2))]
        return mlp.loss_and_grads(params, x, y, activation="selu", noise=noise)

    return loop.train(first, step, optim.SGD(0.125), rows, data=(pixels, labels))


def test_training_run_of_torch(digits_run):
    *_, losses, last = digits_run
    run = numpy_run(digits_run)
    assert np.abs(run.losses - losses).max() < 1e-9
    for ours, theirs in zip(run.params, last, strict=True):
        assert np.abs(ours - theirs).max() < 1e-9


def test_training_run_of_keras(digits_run):
    pixels, labels, first, rows, drawn, *_ = digits_run
    dtype, stack = {"dtype": "float64"}, [keras.Input((64,), dtype="float64")]
    for units in (24, 16):
        stack += [keras.layers.Dense(units, "selu", **dtype), keras.layers.AlphaDropout(RATE, **dtype)]
    model = keras.Sequential([*stack, keras.layers.Dense(10, **dtype)])
    model.set_weights(first)
    losses, numbers = [], (tf.constant(mask.astype(float)) for mask in drawn)
    with mock.patch("keras.src.backend.random.uniform", side_effect=numbers):
        for batch in rows:
            with tf.GradientTape() as tape:
                logits = model(pixels[batch], training=True)
                costs = keras.losses.sparse_categorical_crossentropy(labels[batch], logits, from_logits=True)
                loss = tf.reduce_mean(costs)
            weights = [weight.value for weight in model.trainable_weights]
            for weight, grad in zip(weights, tape.gradient(loss, weights), strict=True):
                weight.assign_sub(0.125 * grad)
            losses.append(float(loss))
    assert np.abs(numpy_run(digits_run).losses - losses).max() < 1e-9
