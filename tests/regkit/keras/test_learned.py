"""Learned Gaussian dropout against reglib's formulas on the same numbers, and all that Keras does with a layer."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from regkit.keras import LearnedGaussianDropout
from regkit.keras.learned import kl
from reglib.nets import variational
from reglib.nets.mlp import MLP
from tests.conftest import exactly
from tests.statistical import assert_distribution, assert_mean, assert_normal_variance

# Keras 3.15 saves with numpy.array(variable).
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

B, D, H, C, N = 8, 3, 5, 4, 100
TOLERANCE = 1e-12


def test_the_divergence_and_its_gradient():
    log_alpha = np.linspace(-30, 12, 57)
    x = tf.constant(log_alpha)
    with tf.GradientTape() as tape:
        tape.watch(x)
        values = kl(x)
    np.testing.assert_allclose(values, variational.kl(log_alpha), rtol=1e-12, atol=1e-14)
    gradient = tape.gradient(values, x)
    np.testing.assert_allclose(gradient, variational.kl_gradient(log_alpha), rtol=1e-11, atol=1e-14)
    assert kl(tf.zeros((2, 3))).shape == (2, 3)


def test_the_divergence_in_half_precision():
    for dtype, tolerance in (("float32", 1e-5), ("float16", 0.02), ("bfloat16", 0.1)):
        value = kl(tf.constant([-3.0, 0.0, 3.0], dtype))
        assert value.dtype == dtype
        np.testing.assert_allclose(
            tf.cast(value, "float64"), variational.kl(np.array([-3.0, 0.0, 3.0])), rtol=tolerance
        )


def network(per_unit):
    """Return a network with a layer behind each of two hidden ones, in float64."""
    options = {"examples": N / 0.7, "rate": 0.4, "per_unit": per_unit, "dtype": "float64"}
    layers = [keras.Input((D,), dtype="float64")]
    for _ in range(2):
        layers += [keras.layers.Dense(H, "relu", dtype="float64"), LearnedGaussianDropout(**options)]
    return keras.Sequential([*layers, keras.layers.Dense(C, dtype="float64")])


@pytest.mark.parametrize("per_unit", [False, True])
def test_the_objective_and_its_gradients(per_unit):
    """Loss and penalty of a classifier, and the gradients of all weights and strengths, on the same numbers."""
    rng, model, net = np.random.default_rng(0), network(per_unit), MLP((D, H, H, C))
    params = net.init(rng)
    params = {name: p + 0.3 * rng.standard_normal(p.shape) for name, p in params.items()}
    for layer in (1, 2):
        params[f"log_alpha{layer}"] = rng.standard_normal(H if per_unit else 1)
    order = ["w1", "b1", "log_alpha1", "w2", "b2", "log_alpha2", "w3", "b3"]
    x, labels, epsilon = rng.standard_normal((B, D)), rng.integers(0, C, B), list(rng.standard_normal((2, B, H)))
    for variable, name in zip(model.trainable_variables, order, strict=True):
        variable.assign(params[name])
    for layer, numbers in zip((model.layers[1], model.layers[3]), epsilon, strict=True):
        layer.draw = lambda like, numbers=numbers: tf.constant(numbers, like.dtype)
    with tf.GradientTape() as tape:
        logits = model(x, training=True)
        cross_entropy = keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
        loss = tf.reduce_mean(cross_entropy) + sum(model.losses)
    grads = tape.gradient(loss, [variable.value for variable in model.trainable_variables])
    expected, ours = variational.loss_and_grads(net, params, x, labels, epsilon, examples=N, weight=0.7)
    assert abs(loss - expected) <= TOLERANCE
    for name, grad in zip(order, grads, strict=True):
        assert grad.shape == ours[name].shape
        assert np.abs(grad - ours[name]).max() <= TOLERANCE, name
    evaluated = tf.reduce_mean(
        keras.losses.sparse_categorical_crossentropy(labels, model(x, training=False), from_logits=True)
    )
    assert abs(evaluated - loss) > 1e-3


def test_at_evaluation_nothing_happens():
    layer, x = LearnedGaussianDropout(examples=N, rate=0.4), np.random.default_rng(0).standard_normal((B, H))
    np.testing.assert_array_equal(layer(x.astype("float32"), training=False), x.astype("float32"))
    np.testing.assert_array_equal(layer(x.astype("float32")), x.astype("float32"))


@pytest.mark.parametrize("per_unit", [False, True])
def test_the_start(per_unit):
    """The variance of dropout at the rate; the divergence counts every unit, whether they share alpha or not."""
    layer = LearnedGaussianDropout(examples=N, rate=0.25, per_unit=per_unit, dtype="float64")
    layer.build((None, 7, H))
    assert layer.log_alpha.shape == (H if per_unit else 1,)
    log_alpha = np.log(0.25 / 0.75)
    np.testing.assert_allclose(layer.log_alpha.numpy(), log_alpha, atol=1e-6)  # through float32: Keras' Constant
    (penalty,) = layer.losses
    np.testing.assert_allclose(penalty, H * variational.kl(log_alpha) / N, rtol=1e-6)


@pytest.mark.parametrize("graph", [False, True])
def test_the_noise_is_normal(graph):
    rate, layer = 0.2, LearnedGaussianDropout(examples=N, rate=0.2, seed=1)
    x = tf.ones((300, 200))
    layer.build(x.shape)
    call = tf.function(lambda: layer(x, training=True)) if graph else lambda: layer(x, training=True)
    noise, again = ((call().numpy() - 1) / np.sqrt(rate / (1 - rate)) for _ in range(2))
    assert_mean(noise, 0, 1)
    assert_normal_variance(noise, 1)
    assert_distribution(noise[:50], stats.norm)
    assert_mean(noise * again, 0, 1)


def model_of(examples=64, **options):
    return keras.Sequential(
        [
            keras.Input((D,)),
            keras.layers.Dense(16, "relu"),
            LearnedGaussianDropout(examples, **options),
            keras.layers.Dense(1),
        ]
    )


def data():
    x = np.random.default_rng(0).standard_normal((64, D)).astype("float32")
    return x, x.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(("jit_compile", "examples"), [(False, 1e12), (True, 1e12), (True, 64)])
def test_a_compiled_fit(jit_compile, examples):
    """The loss alone drives the strength down."""
    keras.utils.set_random_seed(0)
    model, (x, y) = model_of(examples), data()
    model.compile(keras.optimizers.Adam(0.01), "mse", jit_compile=jit_compile)
    start = model.layers[1].log_alpha.numpy().item()
    losses = model.fit(x, y, batch_size=16, epochs=30, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    if examples == 1e12:
        assert model.layers[1].log_alpha.numpy().item() < start - 0.1


def test_the_divergence_pulls_the_strength_up():
    """By the gradient of 16 KL(alpha) / 64, if the loss is 0."""
    model, (x, _) = model_of(), data()
    model.compile(keras.optimizers.SGD(0.5), lambda y, p: 0 * p)
    model.fit(x, np.zeros((64, 1)), batch_size=64, epochs=1, verbose=0)
    step = -0.5 * 16 * variational.kl_gradient(0.0) / 64
    assert step > 0
    assert model.layers[1].log_alpha.numpy().item() == pytest.approx(step, rel=1e-5)


def test_evaluate_reports_the_divergence():
    model, (x, y) = model_of(), data()
    model.compile("sgd", "mse", metrics=["mse"])
    results = model.evaluate(x, y, verbose=0, return_dict=True)
    assert results["loss"] - results["mse"] == pytest.approx(16 * variational.kl(0.0) / 64, rel=1e-4)


def test_a_layer_that_is_called_twice_counts_once():
    layer, inputs = LearnedGaussianDropout(examples=N), keras.Input((H,))
    model = keras.Model(inputs, layer(layer(inputs)))
    model(np.ones((B, H)))
    assert len(model.losses) == 1


def test_save_and_load(tmp_path):
    model, (x, _) = model_of(per_unit=True, rate=0.3, seed=4), data()
    model.layers[1].log_alpha.assign(np.random.default_rng(1).standard_normal(16))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.layers[1].get_config() == model.layers[1].get_config()
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
    np.testing.assert_array_equal(loaded(x, training=True), model(x, training=True))
    np.testing.assert_array_equal(loaded.losses, model.losses)


@pytest.mark.parametrize("policy", ["float64", "float16", "mixed_float16", "mixed_bfloat16"])
def test_the_noise_has_the_dtype_of_the_policy(policy):
    layer = LearnedGaussianDropout(examples=N, dtype=policy)
    y = layer(np.ones((B, H), "float32"), training=True)
    assert y.dtype == layer.compute_dtype
    assert layer.log_alpha.dtype == layer.variable_dtype
    assert np.isfinite(np.asarray(y, "float64")).all()
    assert np.isfinite(float(layer.losses[0]))


def test_padding_goes_on():
    inputs = keras.layers.Masking()(tf.zeros((2, 3, H)))
    assert LearnedGaussianDropout(examples=N)(inputs)._keras_mask is not None


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"rate": 0}, "rate must be a number in (0, 1), got 0"),
        ({"rate": 1.0}, "rate must be a number in (0, 1), got 1.0"),
        ({"rate": float("nan")}, "rate must be a number in (0, 1), got nan"),
        ({"examples": 0}, "examples must be a number in (0, inf), got 0"),
    ],
)
def test_arguments_that_are_none(options, expected):
    with pytest.raises(ValueError, match=exactly(expected)):
        LearnedGaussianDropout(**{"examples": N} | options)


def test_arguments_that_are_no_numbers():
    with pytest.raises(TypeError, match=exactly("examples must be a number in (0, inf), got 'all'")):
        LearnedGaussianDropout(examples="all")
