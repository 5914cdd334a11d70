"""Applying a mask: values by hand, gradients by central differences, and what must be refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reglib import gradcheck
from reglib.layers import activations
from reglib.nets import mlp
from reglib.noise import dropout, masks
from tests.conftest import exactly


def rng():
    return np.random.default_rng(6)


X = np.array([[1.0, -2.0, 3.0], [4.0, 5.0, -6.0]])
MASK = np.array([[True, False, True], [False, True, True]])
KEPT = np.array([[1.0, 0.0, 3.0], [0.0, 5.0, -6.0]])
NOISE = np.array([[0.5, 2.0, -1.0], [0.0, 1.0, 3.0]])


def test_values_by_hand():
    for apply in (dropout.dropout, dropout.dropout_backward):
        np.testing.assert_allclose(apply(X, MASK, 0.2), KEPT * 1.25, rtol=1e-15)
        np.testing.assert_array_equal(apply(X, MASK, 0), KEPT)
    for apply in (dropout.unscaled, dropout.unscaled_backward):
        np.testing.assert_array_equal(apply(X, MASK), KEPT)
    np.testing.assert_allclose(dropout.unscaled_test(X, 0.2), 0.8 * X, rtol=1e-15)
    for apply in (dropout.gaussian, dropout.gaussian_backward):
        np.testing.assert_array_equal(apply(X, NOISE), [[0.5, -4, -3], [0, 5, -18]])
    np.testing.assert_array_equal(dropout.additive(X, NOISE), [[1.5, 0, 2], [4, 6, -3]])
    np.testing.assert_array_equal(dropout.additive_backward(X, NOISE), X)
    np.testing.assert_array_equal(dropout.multiplier(MASK, 0.75), [[4, 0, 4], [0, 4, 4]])
    assert dropout.multiplier(MASK, 0.75).dtype == np.float64


def test_alpha_by_hand():
    alpha_prime = -1.0507009873554805 * 1.6732632423543772
    assert pytest.approx(alpha_prime, rel=1e-15) == dropout.ALPHA_PRIME
    a, b = dropout.alpha_constants(0.25)
    assert a == pytest.approx((0.75 * (1 + 0.25 * alpha_prime**2)) ** -0.5, rel=1e-14)
    assert b == pytest.approx(-a * 0.25 * alpha_prime, rel=1e-14)
    expected = a * np.where(MASK, X, alpha_prime) + b
    np.testing.assert_allclose(dropout.alpha(X, MASK, 0.25), expected, rtol=1e-14)
    np.testing.assert_allclose(dropout.alpha_backward(X, MASK, 0.25), a * KEPT, rtol=1e-14)
    gain, offset = dropout.alpha_gain_and_offset(MASK, 0.25)
    np.testing.assert_allclose(gain, a * MASK, rtol=1e-14)
    np.testing.assert_allclose(offset, np.where(MASK, b, a * alpha_prime + b), rtol=1e-14)
    assert gain.dtype == offset.dtype == np.float64
    assert dropout.alpha_constants(0) == (1, 0)
    np.testing.assert_array_equal(dropout.alpha(X, MASK, 0), np.where(MASK, X, alpha_prime))


@pytest.mark.parametrize(("mean", "variance"), [(0.0, 1.0), (0.4, 2.5), (-3.0, 0.1)])
@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.9])
def test_alpha_keeps_mean_and_variance(mean, variance, rate):
    values = mean + np.sqrt(variance) * np.array([1.0, -1.0])  # a distribution with these moments
    kept = dropout.alpha(values, np.ones(2, bool), rate, mean=mean, variance=variance)
    gone = dropout.alpha(values, np.zeros(2, bool), rate, mean=mean, variance=variance)
    probability = np.repeat([(1 - rate) / 2, rate / 2], 2)
    outcomes = np.concatenate([kept, gone])
    assert probability @ outcomes == pytest.approx(mean, rel=1e-12, abs=1e-12)
    assert probability @ (outcomes - mean) ** 2 == pytest.approx(variance, rel=1e-12)


def test_alpha_has_one_rate_a_replica():
    rates = np.array([0.0, 0.3])
    x, mask = np.stack([X, X]), np.stack([MASK, MASK])
    for s in range(2):
        for both, alone in (
            (dropout.alpha(x, mask, rates)[s], dropout.alpha(X, MASK, rates[s])),
            (dropout.alpha_backward(x, mask, rates)[s], dropout.alpha_backward(X, MASK, rates[s])),
        ):
            np.testing.assert_allclose(both, alone, rtol=1e-14)
    a, b = dropout.alpha_constants(rates, mean=0.5, variance=2.0)
    for s in range(2):
        assert (a[s], b[s]) == pytest.approx(dropout.alpha_constants(rates[s], mean=0.5, variance=2.0), rel=1e-14)
    np.testing.assert_allclose(
        dropout.alpha(x, mask, rates, mean=0.5, variance=2.0)[1],
        dropout.alpha(X, MASK, 0.3, mean=0.5, variance=2.0),
        rtol=1e-14,
    )


def test_alpha_with_a_shared_mask_drops_features():
    x, mask = np.arange(24.0).reshape(2, 3, 4), np.array([True, False, True, True])
    full = np.broadcast_to(mask, x.shape)
    np.testing.assert_allclose(dropout.alpha(x, mask, 0.3), dropout.alpha(x, full, 0.3), rtol=1e-15)


@pytest.mark.parametrize(("shared", "channel_axis"), [((2, 3), 1), ((1, 2), 3), (1, 2)])
def test_alpha_drops_channels_wherever_their_axis_is(shared, channel_axis):
    x = rng().standard_normal((50, 9, 8, 7) if channel_axis != 2 or shared != 1 else (50, 9, 8))
    mask = masks.bernoulli(rng(), masks.noise_shape(x.shape, shared), 0.4)
    y, grad = dropout.alpha(x, mask, 0.4), dropout.alpha_backward(x, mask, 0.4)
    a, b = dropout.alpha_constants(0.4)
    for example in range(50):
        for channel in range(x.shape[channel_axis]):
            piece = (example, *(slice(None),) * (channel_axis - 1), channel)
            if mask[example].ravel()[channel]:
                np.testing.assert_allclose(y[piece], a * x[piece] + b, rtol=1e-12, atol=1e-14)
                np.testing.assert_allclose(grad[piece], a * x[piece], rtol=1e-12)
            else:
                np.testing.assert_allclose(y[piece], a * dropout.ALPHA_PRIME + b, rtol=1e-12)
                np.testing.assert_array_equal(grad[piece], 0)


def through_layers(noise, depth=32, width=200):
    """Mean and variance of SELU units after many layers with LeCun-normal weights, with noise behind each layer."""
    draw = rng()
    h = draw.standard_normal((400, width))
    for _ in range(depth):
        w, _ = mlp.init(draw, (width, width), activation="selu")
        h = noise(draw, activations.selu(h @ w))
    return h.mean(), h.var()


@pytest.mark.parametrize("rate", [0.1, 0.3])
def test_alpha_dropout_keeps_mean_and_variance_through_32_layers(rate):
    """Of an infinitely wide network both would be kept exactly; 200 units wander a little."""
    mean, variance = through_layers(lambda draw, h: dropout.alpha(h, masks.bernoulli(draw, h.shape, rate), rate))
    assert abs(mean) < 0.1
    assert abs(variance - 1) < 0.2
    _, plain = through_layers(lambda draw, h: dropout.dropout(h, masks.bernoulli(draw, h.shape, rate), rate))
    assert plain - 1 > 0.4


def test_bad_input_of_alpha():
    for rate in (-0.1, 1, np.nan):
        with pytest.raises(ValueError, match=exactly(f"rate must be a finite number in [0, 1), got {rate!r}")):
            dropout.alpha_constants(rate)
    with pytest.raises(ValueError, match=exactly("variance must be a finite number in (0, inf], got 0.0")):
        dropout.alpha(X, MASK, 0.5, variance=0.0)
    with pytest.raises(ValueError, match=exactly("variance must be a finite number in (0, inf], got -1.0")):
        dropout.alpha_backward(X, MASK, 0.5, variance=-1.0)
    with pytest.raises(ValueError, match=exactly("mean must be a finite number in [-inf, inf], got nan")):
        dropout.alpha_constants(0.5, mean=np.nan)
    with pytest.raises(TypeError, match=r"^mean must be a single number"):
        dropout.alpha_constants(0.5, mean=np.zeros(2))
    message = "rate has shape (3,), one number a replica, so the mask must have shape (3, ...); got (2, 3)"
    with pytest.raises(ValueError, match=exactly(message)):
        dropout.alpha(X, MASK, np.full(3, 0.5))
    with pytest.raises(TypeError, match=r"^mask must be of bool, or of floats"):
        dropout.alpha_gain_and_offset(MASK.astype(int), 0.5)


def test_a_mask_of_floats_is_a_mask():
    np.testing.assert_array_equal(dropout.dropout(X, MASK.astype(float), 0.2), dropout.dropout(X, MASK, 0.2))
    np.testing.assert_array_equal(dropout.unscaled(X, MASK.astype(np.float32)), KEPT)
    np.testing.assert_array_equal(dropout.multiplier(MASK.astype(float), 0.75), dropout.multiplier(MASK, 0.75))


@pytest.mark.parametrize("shape", [(2, 3), (1, 3), (2, 1), (3,), (1,), ()])
def test_a_shared_mask_broadcasts(shape):
    mask = masks.bernoulli(rng(), shape, 0.5)
    np.testing.assert_array_equal(dropout.dropout(X, mask, 0.5), 2 * X * mask)
    noise = masks.gaussian(rng(), shape, 0.5)
    np.testing.assert_allclose(dropout.gaussian(X, noise), X * noise, rtol=1e-15)
    np.testing.assert_allclose(dropout.additive(X, noise), X + noise, rtol=1e-15)
    np.testing.assert_array_equal(dropout.additive_backward(X, noise), X)


def test_one_rate_a_replica():
    rates = np.array([0.0, 0.5])
    x, mask = np.ones((2, 2, 3)), np.stack([MASK, MASK])
    for apply in (dropout.dropout, dropout.dropout_backward):
        np.testing.assert_array_equal(apply(x, mask, rates), np.stack([MASK, 2 * MASK]))
    np.testing.assert_array_equal(dropout.multiplier(mask, rates), np.stack([MASK, 2 * MASK]))
    np.testing.assert_array_equal(dropout.unscaled_test(x, rates), np.stack([np.ones((2, 3)), np.full((2, 3), 0.5)]))
    message = "rate has shape (3,), one number a replica, so the array must have shape (3, ...); got (2, 3)"
    for call in (
        lambda: dropout.dropout(X, MASK, np.full(3, 0.5)),
        lambda: dropout.dropout_backward(X, MASK, np.full(3, 0.5)),
        lambda: dropout.unscaled_test(X, np.full(3, 0.5)),
        lambda: dropout.multiplier(MASK, np.full(3, 0.5)),
    ):
        with pytest.raises(ValueError, match=exactly(message)):
            call()


@given(st.floats(0, 0.9), st.integers(0, 2**32))
def test_the_mean_over_all_masks_is_the_input(rate, seed):
    x = np.random.default_rng(seed).standard_normal(5)
    every = masks.all_masks(5)
    weights = masks.probabilities(every, rate)
    outputs = dropout.dropout(np.broadcast_to(x, every.shape), every, rate)
    np.testing.assert_allclose(weights @ outputs, x, rtol=1e-10, atol=1e-12)
    variance = weights @ (outputs - x) ** 2
    np.testing.assert_allclose(variance, x**2 * rate / (1 - rate), rtol=1e-10, atol=1e-12)
    original = dropout.unscaled(np.broadcast_to(x, every.shape), every)
    np.testing.assert_allclose(weights @ original, dropout.unscaled_test(x, rate), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("forward", "backward"),
    [
        (lambda x: dropout.dropout(x, MASK, 0.3), lambda grad: dropout.dropout_backward(grad, MASK, 0.3)),
        (lambda x: dropout.unscaled(x, MASK), lambda grad: dropout.unscaled_backward(grad, MASK)),
        (lambda x: dropout.gaussian(x, NOISE), lambda grad: dropout.gaussian_backward(grad, NOISE)),
        (lambda x: dropout.additive(x, NOISE), lambda grad: dropout.additive_backward(grad, NOISE)),
        (
            lambda x: dropout.alpha(x, MASK, 0.3, mean=0.5, variance=2.0),
            lambda grad: dropout.alpha_backward(grad, MASK, 0.3, mean=0.5, variance=2.0),
        ),
    ],
)
def test_gradients_match_central_differences(forward, backward):
    gradcheck.check_vector(lambda p: forward(p["x"]), lambda c, p: {"x": backward(c)}, {"x": X}, rng())


def test_the_dtype_is_that_of_the_input_and_nothing_changes_in_place():
    x, kept = X.astype(np.float32), X.astype(np.float32)
    mask, noise = MASK.copy(), NOISE.copy()
    for y in (
        dropout.dropout(x, mask, 0.2),
        dropout.dropout(x, mask.astype(float), 0.2),
        dropout.dropout_backward(x, mask, np.float64(0.2)),
        dropout.unscaled(x, mask.astype(float)),
        dropout.unscaled_backward(x, mask.astype(float)),
        dropout.unscaled_test(x, np.float64(0.2)),
        dropout.gaussian(x, noise),
        dropout.gaussian_backward(x, noise),
        dropout.additive(x, noise),
        dropout.additive_backward(x, noise),
        dropout.multiplier(mask, 0.2, np.float32),
        dropout.alpha(x, mask, 0.2),
        dropout.alpha_backward(x, mask, np.float64(0.2)),
        *dropout.alpha_gain_and_offset(mask, 0.2, np.float32),
        dropout.dropout(x[None], mask[None], np.array([0.2])),
    ):
        assert y.dtype == np.float32
    for array, before in ((x, kept), (mask, MASK), (noise, NOISE)):
        np.testing.assert_array_equal(array, before)


def test_errors_in_the_numbers_are_passed_on_not_hidden():
    x = np.array([np.nan, np.inf, 1.0])
    np.testing.assert_array_equal(dropout.dropout(x, np.array([True, True, False]), 0.5), [np.nan, np.inf, 0])
    np.testing.assert_array_equal(dropout.dropout_backward(x, np.array([True, True, False]), 0.5), [np.nan, np.inf, 0])
    for apply in (dropout.unscaled, dropout.unscaled_backward):
        np.testing.assert_array_equal(apply(x, np.array([True, True, False])), [np.nan, np.inf, 0])
    np.testing.assert_array_equal(dropout.unscaled_test(x, 0.5), [np.nan, np.inf, 0.5])
    for apply in (dropout.gaussian, dropout.gaussian_backward):
        np.testing.assert_array_equal(apply(x, np.ones(3)), x)
    for apply in (dropout.additive, dropout.additive_backward):
        np.testing.assert_array_equal(apply(x, np.zeros(3)), x)
    for apply in (dropout.alpha, dropout.alpha_backward):
        np.testing.assert_array_equal(np.isfinite(apply(x, np.ones(3, bool), 0.5)), [False, False, True])


FORWARD = {
    "alpha": lambda x, mask: dropout.alpha(x, mask, 0.5),
    "dropout": lambda x, mask: dropout.dropout(x, mask, 0.5),
    "unscaled": dropout.unscaled,
}
BACKWARD = {
    "alpha_backward": lambda x, mask: dropout.alpha_backward(x, mask, 0.5),
    "dropout_backward": lambda x, mask: dropout.dropout_backward(x, mask, 0.5),
    "unscaled_backward": dropout.unscaled_backward,
}


@pytest.mark.parametrize("name", [*FORWARD, *BACKWARD])
def test_masks_that_do_not_fit_are_refused(name):
    call, argument = (FORWARD[name], "x") if name in FORWARD else (BACKWARD[name], "grad")
    for shape in ((3, 2), (4,), (2, 2, 3), (1, 2, 3)):
        message = f"mask must broadcast to {argument} of shape (2, 3) without enlarging it, got {shape}"
        with pytest.raises(ValueError, match=exactly(message)):
            call(X, np.ones(shape, bool))
    message = f"mask must broadcast to {argument} of shape (1, 3) without enlarging it, got (2, 3)"
    with pytest.raises(ValueError, match=exactly(message)):
        call(X[:1], MASK)
    for wrong, dtype in (
        (MASK.astype(int), "int64"),
        (MASK * 1j, "complex128"),
        (MASK.astype(object), "object"),
        (MASK * 0.5, "float64"),
        (MASK * np.nan, "float64"),
    ):
        message = f"mask must be of bool, or of floats that are all 0 or 1 (True keeps, False drops); got {dtype}"
        with pytest.raises(TypeError, match=exactly(message)):
            call(X, wrong)
    for wrong in (X.astype(int), X.astype(complex), X.astype(object), X > 0):
        with pytest.raises(
            TypeError, match=rf"^{argument} must hold floating-point numbers .* got dtype {wrong.dtype};"
        ):
            call(wrong, MASK)


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (dropout.gaussian, "x"),
        (dropout.gaussian_backward, "grad"),
        (dropout.additive, "x"),
        (dropout.additive_backward, "grad"),
    ],
)
def test_noise_that_does_not_fit_is_refused(call, argument):
    message = f"noise must broadcast to {argument} of shape (2, 3) without enlarging it, got (1, 2, 3)"
    with pytest.raises(ValueError, match=exactly(message)):
        call(X, NOISE[None])
    with pytest.raises(TypeError, match=r"^noise must hold floating-point numbers"):
        call(X, MASK)
    with pytest.raises(ValueError, match=exactly("noise must be finite, got 1 NaN or infinite values in shape (2,)")):
        call(X[:, :2], np.array([1.0, np.inf]))
    with pytest.raises(TypeError, match=rf"^{argument} must hold floating-point numbers .* got dtype int64;"):
        call(X.astype(int), NOISE)


def test_rates_outside_the_interval_are_refused():
    for rate in (-0.1, 1, np.nan):
        message = exactly(f"rate must be a finite number in [0, 1), got {rate!r}")
        for call in (
            lambda rate=rate: dropout.dropout(X, MASK, rate),
            lambda rate=rate: dropout.dropout_backward(X, MASK, rate),
            lambda rate=rate: dropout.unscaled_test(X, rate),
            lambda rate=rate: dropout.multiplier(MASK, rate),
        ):
            with pytest.raises(ValueError, match=message):
                call()
    with pytest.raises(TypeError, match=r"^x must hold floating-point numbers"):
        dropout.unscaled_test(X.astype(int), 0.5)
    with pytest.raises(TypeError, match=r"^mask must be of bool, or of floats"):
        dropout.multiplier(MASK.astype(int), 0.5)
