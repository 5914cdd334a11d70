"""The proximal step against reglib's, step by step, and inside of all that Keras does with an optimizer."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from regkit.keras import ProximalL1
from reglib.train.losses import softmax_cross_entropy
from reglib.weights.penalties import L1
from tests.conftest import exactly

# Keras 3.15 saves with numpy.array(variable).
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

B, D, C = 32, 12, 3
TOLERANCE = 1e-12


@pytest.fixture
def float64():
    """Let the learning rate, too, be float64: a variable of the optimizer has Keras' default type."""
    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    yield
    keras.config.set_floatx(before)


def data(seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((B, D))
    return x, (x[:, :C] + 0.1 * rng.standard_normal((B, C))).argmax(axis=1)


def model_of(dtype="float64"):
    layers = [keras.Input((D,), dtype="float64"), keras.layers.Dense(C, dtype=dtype, name="readout")]
    return keras.Sequential(layers)


def loss_of(dtype="float64"):
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True, dtype=dtype)


def by_hand(model, x, labels, rates, l1):
    """Return weight and bias after proximal gradient steps at the given rates, from reglib's own parts."""
    w, b = (variable.numpy().astype("float64") for variable in model.trainable_variables)
    for rate in rates:
        _, grad = softmax_cross_entropy(x @ w + b, labels)
        w, b = L1(l1).prox(w - rate * (x.T @ grad), rate), b - rate * grad.sum(axis=0)
    return w, b


def fitted(model, optimizer, x, labels, epochs, **options):
    model.compile(optimizer, loss_of(), **options)
    model.fit(x, labels, batch_size=B, epochs=epochs, shuffle=False, verbose=0)
    return [variable.numpy() for variable in model.trainable_variables]


def agree(theirs, ours):
    assert max(np.abs(one - other).max() for one, other in zip(theirs, ours, strict=True)) <= TOLERANCE
    np.testing.assert_array_equal(theirs[0] == 0, ours[0] == 0)
    assert 0.1 < np.mean(theirs[0] == 0) < 0.95
    assert not (theirs[1] == 0).any()  # the bias is not penalized


@pytest.mark.parametrize(
    "options", [{}, {"jit_compile": True}, {"steps_per_execution": 5}, {"run_eagerly": True}], ids=str
)
def test_fit(float64, options):
    """The weights after 30 steps are those of reglib's proximal gradient method, zeros included."""
    (x, labels), model = data(), model_of()
    expected = by_hand(model, x, labels, [0.5] * 30, 0.05)
    if "steps_per_execution" in options:  # five batches an epoch, all alike
        model.compile(ProximalL1(0.5, l1=0.05), loss_of(), **options)
        model.fit(np.tile(x, (5, 1)), np.tile(labels, 5), batch_size=B, epochs=6, shuffle=False, verbose=0)
        agree([variable.numpy() for variable in model.trainable_variables], expected)
    else:
        agree(fitted(model, ProximalL1(0.5, l1=0.05), x, labels, 30, **options), expected)


def test_a_schedule_counts_from_the_step_itself(float64):
    """Each proximal step has the rate of its gradient step, not of the next one."""
    (x, labels), model, boundaries = data(), model_of(), [9, 19]
    rates = [0.5] * 10 + [0.0625] * 10 + [1.0] * 10
    expected = by_hand(model, x, labels, rates, 0.05)
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay(boundaries, [0.5, 0.0625, 1.0])
    agree(fitted(model, ProximalL1(schedule, l1=0.05), x, labels, 30), expected)


def test_a_rate_that_a_callback_changes(float64):
    (x, labels), model = data(), model_of()
    expected = by_hand(model, x, labels, [0.5] * 10 + [0.125] * 20, 0.05)
    model.compile(ProximalL1(0.5, l1=0.05), loss_of())
    callback = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.5 if epoch < 10 else 0.125)
    model.fit(x, labels, batch_size=B, epochs=30, shuffle=False, verbose=0, callbacks=[callback])
    agree([variable.numpy() for variable in model.trainable_variables], expected)


def test_gradient_accumulation(float64):
    """One proximal step for two halves of a batch, not two."""
    (x, labels), model = data(), model_of()
    expected = by_hand(model, x, labels, [0.5] * 20, 0.05)
    model.compile(ProximalL1(0.5, l1=0.05, gradient_accumulation_steps=2), loss_of())
    model.fit(x, labels, batch_size=B // 2, epochs=20, shuffle=False, verbose=0)
    agree([variable.numpy() for variable in model.trainable_variables], expected)


def looped(model, optimizer, x, labels, steps):
    """Return weight and bias after a training loop of one's own, on the whole batch."""
    loss, weights = loss_of(), model.trainable_variables
    optimizer.build(weights)

    @tf.function
    def run():
        for _ in tf.range(steps):
            with tf.GradientTape() as tape:
                value = loss(labels, model(x, training=True))
            optimizer.apply(tape.gradient(value, [variable.value for variable in weights]), weights)

    run()
    return [variable.numpy() for variable in weights]


def test_your_own_loop(float64):
    (x, labels), model = data(), model_of()
    expected = by_hand(model, x, labels, [0.5] * 30, 0.05)
    agree(looped(model, ProximalL1(0.5, l1=0.05), x, labels, 30), expected)


def test_the_limit_is_a_minimum():
    """At weights of 0 the gradient is at most l1, elsewhere it is -l1 sign(w): the conditions of the lasso."""
    (x, labels), model, l1 = data(), model_of(), 0.03125
    w, b = looped(model, ProximalL1(0.5, l1=l1), x, labels, 5000)
    _, grad = softmax_cross_entropy(x @ w + b, labels)
    slope = x.T @ grad
    assert 0.2 < np.mean(w == 0) < 0.95
    assert np.abs(slope[w == 0]).max() <= l1
    np.testing.assert_allclose(slope[w != 0], -l1 * np.sign(w[w != 0]), atol=1e-6)


def test_a_regularizer_of_keras_leaves_no_zeros():
    (x, labels), model = data(), model_of("float32")
    model.layers[0].kernel.regularizer = keras.regularizers.L1(0.05)
    w, _ = fitted(model, keras.optimizers.SGD(0.5), x, labels, 60)
    assert not (w == 0).any()
    assert np.mean(np.abs(w) < 0.5 * 0.05) > 0.2


def test_weight_decay_makes_an_elastic_net(float64):
    """Keras decays in front of the gradient step."""
    (x, labels), model = data(), model_of()
    w, b = (variable.numpy() for variable in model.trainable_variables)
    for _ in range(20):
        _, grad = softmax_cross_entropy(x @ w + b, labels)
        w, b = (1 - 0.5 * 0.125) * w - 0.5 * (x.T @ grad), (1 - 0.5 * 0.125) * b - 0.5 * grad.sum(axis=0)
        w = L1(0.03125).prox(w, 0.5)
    agree(fitted(model, ProximalL1(0.5, l1=0.03125, weight_decay=0.125), x, labels, 20), (w, b))


def test_no_strength_is_sgd(float64):
    (x, labels), models = data(), [model_of(), model_of()]
    models[1].set_weights(models[0].get_weights())
    one = fitted(models[0], ProximalL1(0.5, l1=0), x, labels, 10)
    other = fitted(models[1], keras.optimizers.SGD(0.5), x, labels, 10)
    assert all((a == b).all() for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision(policy):
    """With the wrapper that scales the loss."""
    (x, labels), model, optimizer = data(), model_of(policy), ProximalL1(0.5, l1=0.05)
    model.compile(keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=64.0), loss_of("float32"))
    model.fit(x, labels, batch_size=B, epochs=30, verbose=0)
    assert model.layers[0].kernel.dtype == "float32"
    assert 0.1 < np.mean(model.layers[0].kernel.numpy() == 0) < 0.95


def several():
    """Return a model with many kinds of weights."""
    layers = [
        keras.Input((None,), dtype="int32"),
        keras.layers.Embedding(5, 4),
        keras.layers.GRU(3, name="recurrent"),
        keras.layers.LayerNormalization(),
        keras.layers.Dense(2, name="readout"),
    ]
    return keras.Sequential(layers)


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        ("kernel", {"recurrent/gru_cell/kernel", "recurrent/gru_cell/recurrent_kernel", "readout/kernel"}),
        ("recurrent_kernel", {"recurrent/gru_cell/recurrent_kernel"}),
        ("readout/kernel", {"readout/kernel"}),
        (["embeddings", "readout/kernel"], {"embedding/embeddings", "readout/kernel"}),
    ],
    ids=["kernel", "recurrent kernel", "path", "two"],
)
def test_which_variables(on, expected):
    """Without a gradient, only what is penalized moves."""
    keras.utils.clear_session()
    model, optimizer = several(), ProximalL1(0.5, l1=0.125, on=on)
    for variable in model.trainable_variables:
        variable.assign(np.full(variable.shape, 2.0))
    optimizer.apply([tf.zeros_like(v.value) for v in model.trainable_variables], model.trainable_variables)
    paths = {v.path.partition("/")[2] for v in model.trainable_variables if (v.numpy() == 2.0 - 0.5 * 0.125).all()}
    assert paths == expected
    still = [v for v in model.trainable_variables if v.path.partition("/")[2] not in expected]
    assert all((v.numpy() == 2.0).all() for v in still)


def test_save_and_load(tmp_path):
    (x, labels), model = data(), model_of()
    fitted(model, ProximalL1(0.5, l1=0.05, on=("kernel",)), x, labels, 5)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.optimizer, ProximalL1)
    assert loaded.optimizer.get_config() == model.optimizer.get_config()
    assert loaded.optimizer.on == ("kernel",)
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
    for one in (model, loaded):
        one.compile(one.optimizer, loss_of())  # Keras saves no dtype of a loss
        one.fit(x, labels, batch_size=B, epochs=5, shuffle=False, verbose=0)
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))


def test_arguments_that_are_none():
    for value in (-0.1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=exactly(f"l1 must be a number in [0, inf), got {value!r}")):
            ProximalL1(l1=value)
    with pytest.raises(TypeError, match=exactly("l1 must be a number in [0, inf), got '1'")):
        ProximalL1(l1="1")
    with pytest.raises(ValueError, match=exactly("momentum must be 0, got 0.9")):
        ProximalL1(momentum=0.9)
    model = model_of()
    with pytest.raises(
        ValueError, match=r"^on must end a path among .*readout/kernel, .*readout/bias; got \('gamma',\)$"
    ):
        ProximalL1(on="gamma").build(model.trainable_variables)
