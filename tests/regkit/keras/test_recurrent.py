"""The cells against reglib on the same masks, float64 within 1e-12; their noise; and what Keras does with a cell."""

import itertools
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

import regkit.keras
from regkit.keras import (
    CandidateDropoutGRUCell,
    CandidateDropoutLSTMCell,
    LayerNormLSTMCell,
    StateDropoutLSTMCell,
    ZoneoutLSTMCell,
)
from reglib.layers import recurrent
from reglib.layers.cells import GRU, LSTM
from reglib.layers.layer_norm_lstm import LayerNormLSTM
from reglib.noise.affine import Noise
from reglib.noise.kinds import Bernoulli, Zoneout
from tests.conftest import exactly
from tests.statistical import assert_independent_neighbors, assert_mean, assert_probability

# Keras 3.15 saves with numpy.array(variable).
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

B, T, D, H = 4, 9, 3, 5
STEPS = np.arange(T) < np.array([9, 5, 2, 1])[:, None]
TOLERANCE = 1e-12
ALL = (CandidateDropoutLSTMCell, CandidateDropoutGRUCell, LayerNormLSTMCell, StateDropoutLSTMCell, ZoneoutLSTMCell)
NORMALIZED = {"carry": "normalized", "epsilon": 1e-3}
# Their class, its options, our cell, and what acts at the places.
CASES = [
    (CandidateDropoutLSTMCell, {}, LSTM(), {"candidate": Bernoulli(0.3)}),
    (CandidateDropoutGRUCell, {}, GRU(), {"candidate": Bernoulli(0.3)}),
    (LayerNormLSTMCell, {}, LayerNormLSTM(), {"candidate": Bernoulli(0.3)}),
    (LayerNormLSTMCell, NORMALIZED, LayerNormLSTM(**NORMALIZED), {"candidate": Bernoulli(0.3)}),
    (StateDropoutLSTMCell, {}, LSTM(), {p: Bernoulli(0.3, scaled=False) for p in ("state_h", "state_c")}),
    (StateDropoutLSTMCell, {"scaled": True}, LSTM(), {"state_h": Bernoulli(0.3), "state_c": Bernoulli(0.1)}),
    (ZoneoutLSTMCell, {}, LSTM(), {"zone_h": Zoneout(0.1), "zone_c": Zoneout(0.6)}),
]
SINGLE = [(*case[:3], {place: kind}) for case in CASES for place, kind in case[3].items() if len(case[3]) > 1]


def problem(cell, seed=0):
    """Return asymmetric parameters, inputs, an initial state, and gradients of the output and of the final state."""
    rng = np.random.default_rng(seed)
    params = {name: p + 0.3 * rng.standard_normal(p.shape) for name, p in recurrent.init(rng, cell, D, H).items()}
    x, grad = rng.standard_normal((2, B, T, max(D, H)))
    start, grad_end = rng.standard_normal((2, 1 + cell.memory, B, H))
    return params, x[..., :D], start, grad[..., :H], grad_end


def theirs_of(params, cell):
    """Return our parameters as the weights of a cell of Keras: for a GRU the gates z, r, n and two biases."""
    if not isinstance(cell, GRU):
        return list(params.values())
    w_x, w_h, b = (swapped(params[name]) for name in ("w_x", "w_h", "b"))
    return [w_x, w_h, np.stack([b, np.concatenate([np.zeros(2 * H), params["b_h"]])])]


def ours_of(weights, cell):
    """Return weights of a cell of Keras, or their gradients, in the order of our parameters."""
    weights = [np.asarray(weight) for weight in weights]
    if not isinstance(cell, GRU):
        return weights
    w_x, w_h, (b, b_h) = weights
    return [swapped(w_x), swapped(w_h), swapped(b), b_h[2 * H :]]


def swapped(array):
    """Change the order r, z, n of the gates of a GRU to z, r, n, or back."""
    first, second, third = np.split(array, 3, axis=-1)
    return np.concatenate([second, first, third], axis=-1)


def made(kind, options, places, **more):
    """Return a cell whose rates are those of the kinds of noise at its places."""
    return kind(H, **options, **{place: float(noise.rate) for place, noise in places.items()}, **more)


def fed(cell, masks):
    """Give masks (B, T, H) by place to a cell, one a step in place of its own draws; return the cell."""
    steps = {place: itertools.count() for place in masks}
    cell.draw = lambda place, like: tf.constant(masks[place][:, next(steps[place])], like.dtype)
    return cell


def theirs(cell, ours, params, x, start, grad, grad_end, *, training, steps=None):
    """Return output, final state, and the gradients of x, of the parameters and of the initial state, from Keras."""
    layer = keras.layers.RNN(cell, return_sequences=True, return_state=True, unroll=True, dtype="float64")
    layer.build((B, T, D))
    layer.set_weights(theirs_of(params, ours))
    x, start = tf.constant(x), [tf.constant(state) for state in start]
    with tf.GradientTape() as tape:
        tape.watch([x, start])
        output, *end = layer(x, initial_state=start, mask=steps, training=training)
        total = tf.reduce_sum(output * grad)
        for state, upstream in zip(end, grad_end, strict=True):
            total += tf.reduce_sum(state * upstream)
    grad_x, grads, grad_start = tape.gradient(total, [x, [w.value for w in layer.trainable_variables], start])
    return [output, *end, grad_x, *ours_of(grads, ours), *grad_start]


def mine(ours, params, x, start, grad, grad_end, noise, *, steps=None):
    """Return the same from reglib."""
    several = isinstance(start, np.ndarray) and len(start) > 1
    state = tuple(start) if several else start[0]
    output, end, cache = recurrent.forward(ours, params, x, state, noise=noise, steps=steps)
    grad_x, grads, begin = recurrent.backward(cache, grad, tuple(grad_end) if several else grad_end[0])
    return [output, *(end if several else [end]), grad_x, *grads.values(), *(begin if several else [begin])]


def largest_difference(a, b):
    assert len(a) == len(b)
    assert [np.shape(one) for one in a] == [np.shape(other) for other in b]
    return max(np.abs(one - np.asarray(other)).max() for one, other in zip(a, b, strict=True))


def given(places, seed=1):
    """Return masks (B, T, H) of 0 and 1 by place, and the noise that reglib makes of them."""
    rng = np.random.default_rng(seed)
    masks = {place: rng.random((B, T, H)) >= kind.rate for place, kind in places.items()}
    # reglib's zoneout says with a 1 where the old value is kept.
    noise = {p: kind.given(~masks[p] if isinstance(kind, Zoneout) else masks[p]) for p, kind in places.items()}
    return masks, noise


@pytest.mark.parametrize("case", CASES + SINGLE, ids=str)
def test_training_on_the_same_masks(case):
    kind, options, ours, places = case
    arguments, (masks, noise) = problem(ours), given(places)
    cell = fed(made(kind, options, places, dtype="float64"), masks)
    got, expected = theirs(cell, ours, *arguments, training=True), mine(ours, *arguments, noise)
    assert largest_difference(got, expected) <= TOLERANCE
    assert largest_difference(got, mine(ours, *arguments, {})) > 1e-2  # the masks matter


@pytest.mark.parametrize("case", CASES, ids=str)
def test_padded_steps(case):
    """At padded steps the state goes on, whatever the noise, and what x holds there reaches nothing."""
    kind, options, ours, places = case
    params, x, start, grad, grad_end = problem(ours)
    grad = np.where(STEPS[..., None], grad, 0)  # what Keras and reglib output at padded steps differs
    arguments, (masks, noise) = (params, x, start, grad, grad_end), given(places)
    cell = fed(made(kind, options, places, dtype="float64"), masks)
    output, *got = theirs(cell, ours, *arguments, training=True, steps=STEPS)
    expected_output, *expected = mine(ours, *arguments, noise, steps=STEPS)
    assert np.abs(output - expected_output)[STEPS].max() <= TOLERANCE
    assert largest_difference(got, expected) <= TOLERANCE


@pytest.mark.parametrize("case", CASES, ids=str)
def test_evaluation_has_the_expected_noise(case):
    kind, options, ours, places = case
    arguments = problem(ours)
    means = {place: kind.expected() for place, kind in places.items()}
    noise = {place: Noise(np.full((1, 1, 1), mean.gain)) for place, mean in means.items() if mean is not None}
    cell = made(kind, options, places, dtype="float64")
    got = theirs(cell, ours, *arguments, training=False)
    assert largest_difference(got, mine(ours, *arguments, noise)) <= TOLERANCE


def test_what_changes_at_evaluation():
    """Nothing for scaled noise; a factor for state dropout without scaling, and for zoneout."""
    changed = {}
    for kind, options, _, places in CASES:
        means = {place: noise.expected() for place, noise in places.items()}
        changed[kind, options.get("scaled", False)] = any(mean is not None for mean in means.values())
    assert changed == {(kind, False): kind in (StateDropoutLSTMCell, ZoneoutLSTMCell) for kind in ALL} | {
        (StateDropoutLSTMCell, True): False
    }


def test_the_layer_norm_cell_of_tensorflow_addons():
    """Its numbers, stored: output, states and every gradient."""
    file = pathlib.Path(__file__).parents[2] / "parity" / "fixtures" / "tfa_layer_norm_lstm.npz"
    with np.load(file) as stored:
        numbers = {name.split("/")[1]: array for name, array in stored.items() if name.startswith("plain/")}
    names = ("w_x", "w_h", "b", "gain_x", "shift_x", "gain_h", "shift_h", "gain_c", "shift_c")
    params, start = {name: numbers[name] for name in names}, np.stack([numbers["h"], numbers["c"]])
    upstream = numbers["upstream_output"], np.stack([numbers["upstream_h"], numbers["upstream_c"]])
    cell = LayerNormLSTMCell(params["w_h"].shape[0], **NORMALIZED, dtype="float64")
    got = theirs(cell, LayerNormLSTM(**NORMALIZED), params, numbers["x"], start, *upstream, training=True)
    expected = [numbers[name] for name in ("output", "final_h", "final_c")]
    expected += [numbers[f"grad_{name}"] for name in ("x", *names, "h", "c")]
    assert largest_difference(got, expected) <= TOLERANCE


@pytest.mark.parametrize("kind", [kind for kind in ALL if kind is not LayerNormLSTMCell])
@pytest.mark.parametrize("options", [{}, {"use_bias": False}, {"activation": "relu", "recurrent_activation": "linear"}])
def test_at_rate_0_it_is_the_layer_of_keras(kind, options):
    """With its weights, in its order."""
    layer = (keras.layers.GRU if kind is CandidateDropoutGRUCell else keras.layers.LSTM)(H, **options, dtype="float64")
    x = np.random.default_rng(0).standard_normal((B, T, D))
    expected = layer(x)
    rnn = keras.layers.RNN(kind(H, **options, dtype="float64"), dtype="float64")
    rnn.build(x.shape)
    rnn.set_weights(layer.get_weights())
    assert np.abs(rnn(x, training=True) - expected).max() <= TOLERANCE


def test_keras_own_masks_beside_ours():
    """State dropout and zoneout leave ``dropout`` and ``recurrent_dropout`` to Keras: one mask a sequence."""
    x = tf.ones((B, T, D))
    for kind in (StateDropoutLSTMCell, ZoneoutLSTMCell):
        cells = [made(H, dropout=0.5, recurrent_dropout=0.5, seed=3) for made in (keras.layers.LSTMCell, kind)]
        layers = [keras.layers.RNN(cell) for cell in cells]
        for layer in layers:
            layer.build(x.shape)
        layers[1].set_weights(layers[0].get_weights())
        one, other = (layer(x, training=True).numpy() for layer in layers)
        np.testing.assert_allclose(one, other, rtol=1e-6)
        again = layers[1](x, training=True).numpy()
        assert np.abs(again - other).max() > 1e-3  # and a new one for the next


LARGE = 50.0
# Sums for the gates i, f, g, o that hold them still: 1 where LARGE, 0 where -LARGE.
WRITES_ONLY = (LARGE, -LARGE, LARGE, LARGE)
KEEPS_ONLY = (-LARGE, LARGE, LARGE, LARGE)
COUNTS = (LARGE, LARGE, LARGE, LARGE)


def held(cell, gates):
    """Return a layer of a cell whose gates hold still, its weights 0 and its biases those of the ``gates``."""
    layer = keras.layers.RNN(cell, return_sequences=True, return_state=True)
    layer.build((None, None, 1))
    kernel, recurrent_kernel, bias = cell.trainable_variables[:3]
    for variable in (kernel, recurrent_kernel):
        variable.assign(np.zeros(variable.shape))
    bias.assign(np.repeat(gates, cell.units))
    return layer


@pytest.fixture(params=["eager", "graph", "compiled by XLA", "unrolled"])
def run(request):
    """Return a way to run a layer in training mode."""

    def run(layer, *arguments, **options):
        layer.unroll = request.param == "unrolled"
        if request.param in ("eager", "unrolled"):
            return layer(*arguments, **options, training=True)
        compiled = request.param == "compiled by XLA"
        return tf.function(lambda: layer(*arguments, **options, training=True), jit_compile=compiled)()

    return run


def test_the_mask_of_the_candidate_is_drawn_anew_for_each_step_example_and_unit(run):
    """With h = tanh(m / (1 - rate)), the output shows the mask."""
    rate, layer = 0.3, held(CandidateDropoutLSTMCell(40, candidate=0.3, seed=1), WRITES_ONLY)
    kept = np.asarray(run(layer, tf.zeros((50, 60, 1)))[0]) > 0.5
    assert_probability(kept.sum(), kept.size, 1 - rate)
    for axis in range(3):
        assert_independent_neighbors(kept, axis)
    again = np.asarray(run(layer, tf.zeros((50, 60, 1)))[0]) > 0.5
    assert_probability((again == kept).sum(), kept.size, rate**2 + (1 - rate) ** 2)


def test_the_noise_on_the_candidate_has_mean_1_and_the_variance_of_dropout(run):
    rate, layer = 0.3, held(CandidateDropoutLSTMCell(50, candidate=0.3, seed=2), WRITES_ONLY)
    gain = np.arctanh(np.asarray(run(layer, tf.zeros((50, 40, 1)))[0]))
    assert_mean(gain, 1, np.sqrt(rate / (1 - rate)))
    fourth = rate + (1 - rate) * (rate / (1 - rate)) ** 4  # of gain - 1, for the variance of its square
    variance = rate / (1 - rate)
    assert_mean((gain - 1) ** 2, variance, np.sqrt(fourth - variance**2))


@pytest.mark.parametrize("scaled", [False, True])
def test_state_dropout_is_drawn_anew_at_every_step(run, scaled):
    """A share (1 - rate)^T of the memories survives T steps, as large as they were, or (1 - rate)^-T as large."""
    rate, steps, batch = 0.2, 6, 400
    layer = held(StateDropoutLSTMCell(50, state_c=rate, scaled=scaled, seed=3), KEEPS_ONLY)
    start = [tf.zeros((batch, 50)), tf.ones((batch, 50))]
    _, _, c = run(layer, tf.zeros((batch, steps, 1)), initial_state=start)
    c = np.asarray(c)
    alive = c > 0.5  # what is written at a closed gate is not quite nothing
    assert_probability(alive.sum(), c.size, (1 - rate) ** steps)
    np.testing.assert_allclose(c[alive], (1 - rate) ** -steps if scaled else 1.0, rtol=1e-5)


def test_the_state_h_of_state_dropout_is_not_the_output(run):
    rate, layer = 0.2, held(StateDropoutLSTMCell(50, state_h=0.2, seed=4), WRITES_ONLY)
    output, h, _ = (np.asarray(a) for a in run(layer, tf.zeros((300, 3, 1))))
    assert (output > 0.5).all()
    assert_probability((h > 0).sum(), h.size, 1 - rate)
    np.testing.assert_array_equal(h[h > 0], output[:, -1][h > 0])


def test_zoneout_is_drawn_anew_at_every_step(run):
    """Where each step adds 1 to c, it is the number of steps that were taken: binomial."""
    rate, steps, layer = 0.4, 5, held(ZoneoutLSTMCell(50, zone_c=0.4, seed=5), COUNTS)
    c = np.asarray(run(layer, tf.zeros((400, steps, 1)))[2])
    mean, variance = steps * (1 - rate), steps * rate * (1 - rate)
    assert_mean(c, mean, np.sqrt(variance))
    fourth = variance * (1 + 3 * (steps - 2) * rate * (1 - rate))  # the central moment of a binomial number
    assert_mean((c - mean) ** 2, variance, np.sqrt(fourth - variance**2))
    for taken in (0, steps):
        p = rate if taken == 0 else 1 - rate
        assert_probability((np.abs(c - taken) < 0.5).sum(), c.size, p**steps)


def test_h_and_c_are_zoned_out_apart():
    rate, layer = 0.5, held(ZoneoutLSTMCell(50, zone_h=0.5, zone_c=0.5, seed=6), WRITES_ONLY)
    _, h, c = (np.asarray(a) > 0.5 for a in layer(tf.zeros((400, 1, 1)), training=True))
    assert_probability((h == c).sum(), h.size, rate)


def rates(kind):
    """Return a rate for each place of a class."""
    names = {StateDropoutLSTMCell: ("state_h", "state_c"), ZoneoutLSTMCell: ("zone_h", "zone_c")}
    return dict.fromkeys(names.get(kind, ("candidate",)), 0.25)


def model_of(kind, **options):
    """Return a small model: sequences with padding, two layers of the cell, a number."""
    layers = [
        keras.Input((None, D)),
        keras.layers.Masking(),
        keras.layers.RNN(kind(H, **rates(kind), **options), return_sequences=True),
        keras.layers.RNN(kind(H, **rates(kind), **options)),
        keras.layers.Dense(1),
    ]
    return keras.Sequential(layers)


def batch(seed=0):
    x = np.random.default_rng(seed).standard_normal((16, T, D)).astype("float32")
    x[:4, 6:] = 0
    return x, x[..., 0].sum(axis=1, keepdims=True)


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("jit_compile", [False, True])
def test_a_compiled_fit(kind, jit_compile):
    keras.utils.set_random_seed(0)
    model, (x, y) = model_of(kind), batch()
    model.compile(keras.optimizers.Adam(0.02), "mse", jit_compile=jit_compile)
    before = model.get_weights()
    losses = model.fit(x, y, batch_size=8, epochs=12, verbose=0).history["loss"]
    assert np.isfinite(losses).all()
    assert losses[-1] < 0.9 * losses[0]
    trainable = [w.path for w in model.trainable_variables]
    still = [w.path for w, old in zip(model.weights, before, strict=True) if np.array_equal(w.numpy(), old)]
    assert not set(still) & set(trainable)


@pytest.mark.parametrize("kind", ALL)
def test_a_call_in_a_function(kind):
    model, (x, _) = model_of(kind), batch()
    call = tf.function(lambda x, training: model(x, training=training))
    first, second = call(x, True).numpy(), call(x, True).numpy()
    assert np.abs(first - second).max() > 1e-4
    np.testing.assert_allclose(call(x, False), model(x, training=False), atol=1e-6)
    np.testing.assert_array_equal(call(x, False), call(x, False))


@pytest.mark.parametrize("kind", ALL)
def test_in_both_directions_and_stacked(kind):
    x = np.random.default_rng(0).standard_normal((B, T, D)).astype("float32")
    both = keras.layers.Bidirectional(keras.layers.RNN(kind(H, **rates(kind)), return_sequences=True))
    assert both(x, training=True).shape == (B, T, 2 * H)
    np.testing.assert_array_equal(both(x)[..., :H], both.forward_layer(x))
    cells = [kind(H, **rates(kind)) for _ in range(2)]
    stacked = keras.layers.RNN(cells)
    first, second = keras.layers.RNN(cells[0], return_sequences=True), keras.layers.RNN(cells[1])
    np.testing.assert_allclose(stacked(x), second(first(x)), atol=1e-6)
    assert np.abs(stacked(x, training=True) - stacked(x)).max() > 1e-4


@pytest.mark.parametrize("kind", ALL)
def test_save_and_load(kind, tmp_path):
    options = {StateDropoutLSTMCell: {"scaled": True}, LayerNormLSTMCell: NORMALIZED}.get(kind, {})
    model, (x, _) = model_of(kind, **options, seed=3), batch()
    before = model.get_layer(index=1).cell.get_config()
    assert before.items() >= (rates(kind) | options).items()
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.get_layer(index=1).cell.get_config() == before
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
    np.testing.assert_array_equal(
        loaded(x, training=True), model(x, training=True)
    )  # from the seed: Keras saves no generator


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("policy", ["float64", "float16", "mixed_float16", "mixed_bfloat16"])
def test_the_noise_has_the_dtype_of_the_policy(kind, policy):
    cell, drawn = kind(H, **rates(kind), dtype=policy), []
    original = cell.draw
    cell.draw = lambda place, like: drawn.append(original(place, like)) or drawn[-1]
    layer = keras.layers.RNN(cell, dtype=policy, return_state=True)
    compute = layer.compute_dtype
    results = layer(np.ones((B, T, D), "float32"), training=True)
    assert {result.dtype.name for result in results} == {compute}
    assert drawn
    assert {mask.dtype.name for mask in drawn} == {compute}
    assert all(np.isfinite(np.asarray(result, "float64")).all() for result in results)
    assert {weight.dtype for weight in cell.trainable_variables} == {layer.variable_dtype}


@pytest.mark.parametrize("policy", ["float16", "bfloat16"])
def test_a_small_rate_is_right_in_half_precision(policy):
    """Uniform numbers in bfloat16 are multiples of 1/128: below 0.002 would be one in 128 of them."""
    rate, cell = 0.002, CandidateDropoutLSTMCell(1, candidate=0.002, seed=1, dtype=policy)
    kept = np.asarray(cell.draw("candidate", tf.ones((1000, 300), policy)), "float32")
    assert_probability(kept.sum(), kept.size, 1 - rate)


@pytest.mark.parametrize("kind", ALL)
def test_stateful(kind):
    """Two halves of a sequence one after the other, and the whole."""
    cell = kind(H, **rates(kind), dtype="float64")
    once, twice = keras.layers.RNN(cell, dtype="float64"), keras.layers.RNN(cell, stateful=True, dtype="float64")
    x = np.random.default_rng(0).standard_normal((B, T, D))
    whole = once(x)
    twice(x[:, :4])
    np.testing.assert_allclose(twice(x[:, 4:]), whole, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("kind", ALL)
def test_a_seed_decides(kind):
    x = np.ones((B, T, D), "float32")
    layers = [keras.layers.RNN(kind(H, **rates(kind), seed=seed)) for seed in (7, 7, 8)]
    for layer in layers:
        layer.build(x.shape)
        layer.set_weights(layers[0].get_weights())
    same, again, other = (layer(x, training=True).numpy() for layer in layers)
    np.testing.assert_array_equal(same, again)
    assert np.abs(other - same).max() > 1e-4


@pytest.mark.parametrize(("kind", "place"), [(kind, place) for kind in ALL for place in rates(kind)])
def test_rates_that_are_none(kind, place):
    for value in (1.0, -0.1, 1.5, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=exactly(f"{place} must be a number in [0, 1), got {value!r}")):
            kind(H, **{place: value})
    for value in ("0.5", None, True, [0.5]):
        with pytest.raises(TypeError, match=exactly(f"{place} must be a number in [0, 1), got {value!r}")):
            kind(H, **{place: value})
    assert getattr(kind(H, **{place: np.float32(0.5)}), place) == 0.5


@pytest.mark.parametrize("name", ["dropout", "recurrent_dropout"])
@pytest.mark.parametrize("kind", ALL[:3])
def test_the_candidate_alone_is_dropped(kind, name):
    message = f"{name} must be 0, got 0.2: {kind.__name__} drops the candidate alone; "
    message += "for the inputs put keras.layers.SpatialDropout1D before the RNN"
    with pytest.raises(ValueError, match=exactly(message)):
        kind(H, **{name: 0.2})


def test_other_arguments_that_are_none():
    with pytest.raises(ValueError, match=exactly("carry must be one of 'raw', 'normalized'; got 'both'")):
        LayerNormLSTMCell(H, carry="both")
    with pytest.raises(ValueError, match=exactly("epsilon must be a number in (0, inf), got 0")):
        LayerNormLSTMCell(H, epsilon=0)
    with pytest.raises(ValueError, match=exactly("reset_after must be True, got False")):
        CandidateDropoutGRUCell(H, reset_after=False)


def test_what_the_package_says_of_keras():
    """SpatialDropout1D is one mask a sequence, and so is LSTM(dropout=); GaussianDropout(1) fails at its first call."""
    x = tf.ones((200, 5, 30))
    locked = np.asarray(keras.layers.SpatialDropout1D(0.5, seed=1)(x, training=True))
    assert (locked == locked[:, :1]).all()
    assert_probability((locked[:, 0] > 0).sum(), locked[:, 0].size, 0.5)
    noisy = np.asarray(keras.layers.GaussianDropout(0.5, seed=1)(x, training=True))
    assert_mean(noisy, 1, 1)
    half = keras.layers.GaussianDropout(0.5, seed=1, dtype="float16")
    assert half(tf.ones((2, 2), "float16"), training=True).dtype == "float16"
    with pytest.raises(ZeroDivisionError):
        keras.layers.GaussianDropout(1.0)(x, training=True)
    cell = keras.layers.LSTMCell(3, dropout=0.5, seed=1)
    state = cell.get_initial_state(200)
    first, second = (cell(tf.ones((200, 8)), state, training=True)[0].numpy() for _ in range(2))
    np.testing.assert_array_equal(first, second)
    cell.reset_dropout_mask()
    assert np.abs(cell(tf.ones((200, 8)), state, training=True)[0].numpy() - first).max() > 1e-3


def test_all_that_is_promised_is_there():
    assert all(hasattr(regkit.keras, name) for name in regkit.keras.__all__)
    for name in regkit.keras.__all__:
        assert f"``{name}``" in regkit.keras.__doc__
        assert keras.saving.get_registered_object(f"regkit>{name}") is getattr(regkit.keras, name)
