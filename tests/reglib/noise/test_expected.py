"""The penalty of dropout on a linear model: against every mask, against ridge, against central differences."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reglib import gradcheck
from reglib.noise import expected, masks
from tests.conftest import exactly


def problem(seed=0, n=3, d=4):
    rng = np.random.default_rng(seed)
    return rng.standard_normal(d), rng.standard_normal((n, d)) + 0.5, rng.standard_normal(n)


def over_all_masks(function, rate, d):
    every = masks.all_masks(d)
    return np.tensordot(masks.probabilities(every, rate), np.array([function(mask) for mask in every]), axes=1)


@given(st.integers(0, 2**32), st.floats(0, 0.9), st.booleans())
def test_the_loss_and_its_gradient_are_the_means_over_all_masks(seed, rate, inverted):
    w, x, y = problem(seed)
    scale = 1 / (1 - rate) if inverted else 1.0

    def loss(mask):  # the same mask for all examples: the mean is the same, for the loss is a sum over them
        return ((y - (x * mask * scale) @ w) ** 2).sum() / (2 * len(y))

    def gradient(mask):
        thinned = x * mask * scale
        return -(y - thinned @ w) @ thinned / len(y)

    got = expected.expected_loss(w, x, y, rate, inverted=inverted)
    assert got == pytest.approx(over_all_masks(loss, rate, 4), rel=1e-9)
    np.testing.assert_allclose(
        expected.expected_gradient(w, x, y, rate, inverted=inverted),
        over_all_masks(gradient, rate, 4),
        rtol=1e-8,
        atol=1e-10,
    )


def test_one_rate_for_each_input():
    w, x, y = problem()
    rates = np.array([0.1, 0.5, 0.0, 0.8])

    def loss(mask):
        return ((y - (x * mask / (1 - rates)) @ w) ** 2).sum() / (2 * len(y))

    assert expected.expected_loss(w, x, y, rates) == pytest.approx(over_all_masks(loss, rates, 4), rel=1e-12)


def test_by_hand():
    w, x, y = np.array([2.0, -1.0]), np.array([[1.0, 2.0], [3.0, 0.0]]), np.array([1.0, 2.0])
    assert expected.penalty(w, x, 0.2) == pytest.approx(0.25 * (4 * 10 + 1 * 4) / 4)
    assert expected.penalty(w, x, 0.2, inverted=False) == pytest.approx(0.16 * (4 * 10 + 1 * 4) / 4)
    assert expected.expected_loss(w, x, y, 0.2) == pytest.approx((1 + 16) / 4 + 2.75)
    assert expected.expected_loss(w, x, y, 0.2, inverted=False) == pytest.approx(
        (1 + (2 - 4.8) ** 2) / 4 + 0.16 * 44 / 4
    )
    assert expected.expected_loss(w, x, y, 0) == (1 + 16) / 4


def test_inverted_is_the_default():
    w, x, y = problem()
    for function in (expected.expected_loss, expected.expected_gradient):
        np.testing.assert_array_equal(function(w, x, y, 0.3), function(w, x, y, 0.3, inverted=True))
        assert not np.allclose(function(w, x, y, 0.3), function(w, x, y, 0.3, inverted=False))


def test_gate_moments():
    mean, variance = expected.gate_moments(np.array([0.0, 0.2, 0.5, 0.8]))
    np.testing.assert_array_equal(mean, 1)
    np.testing.assert_allclose(variance, [0, 0.25, 1, 4], rtol=1e-14)
    mean, variance = expected.gate_moments(np.array([0.0, 0.2, 0.5, 0.8]), inverted=False)
    np.testing.assert_allclose(mean, [1, 0.8, 0.5, 0.2], rtol=1e-14)
    np.testing.assert_allclose(variance, [0, 0.16, 0.25, 0.16], rtol=1e-14)


@pytest.mark.parametrize("inverted", [True, False])
@pytest.mark.parametrize("rate", [0.3, np.array([0.1, 0.5, 0.0, 0.8])])
def test_gradient_matches_central_differences_and_vanishes_at_the_solution(inverted, rate):
    w, x, y = problem(n=9)
    gradcheck.check(
        lambda w: expected.expected_loss(w, x, y, rate, inverted=inverted),
        lambda w: expected.expected_gradient(w, x, y, rate, inverted=inverted),
        w,
        np.random.default_rng(1),
    )
    best = expected.solution(x, y, rate, inverted=inverted)
    gradient = expected.expected_gradient(best, x, y, rate, inverted=inverted)
    np.testing.assert_allclose(gradient, 0, atol=1e-12)


def test_the_two_forms_are_one_model():
    _, x, y = problem(n=9)
    unscaled = expected.solution(x, y, 0.7, inverted=False)
    np.testing.assert_allclose(0.3 * unscaled, expected.solution(x, y, 0.7), rtol=1e-10)


def test_bad_input_is_named():
    w, x, y = problem()
    calls = {
        "expected_loss": lambda w, x, y, r: expected.expected_loss(w, x, y, r),
        "expected_gradient": lambda w, x, y, r: expected.expected_gradient(w, x, y, r),
        "penalty": lambda w, x, y, r: expected.penalty(w, x, r),
        "solution": lambda w, x, y, r: expected.solution(x, y, r),
    }
    for name, call in calls.items():
        with pytest.raises(ValueError, match=exactly("rate must be a finite number in [0, 1), got 1.0")):
            call(w, x, y, 1.0)
        message = "rate must be a number or have shape (4,), one for each input; got (3,)"
        with pytest.raises(ValueError, match=exactly(message)):
            call(w, x, y, np.full(3, 0.5))
        with pytest.raises(ValueError, match=exactly("x must have 2 axes, got shape (4,)")):
            call(w, x[0], y, 0.5)
        with pytest.raises(ValueError, match=exactly("x must have shape (N, D) with N and D above 0, got (0, 4)")):
            call(w, x[:0], y, 0.5)
        with pytest.raises(TypeError, match=r"^x must hold floating-point numbers"):
            call(w, np.ones((3, 4), int), y, 0.5)
        if name != "penalty":
            message = "y must have shape (3,), one target for each example, got (2,)"
            with pytest.raises(ValueError, match=exactly(message)):
                call(w, x, y[:2], 0.5)
            with pytest.raises(ValueError, match=exactly("y must have 1 axes, got shape (3, 1)")):
                call(w, x, y[:, None], 0.5)
        if name != "solution":
            message = "w must have shape (4,), one weight for each input, got (3,)"
            with pytest.raises(ValueError, match=exactly(message)):
                call(w[:3], x, y, 0.5)
            with pytest.raises(ValueError, match=exactly("w must have 1 axes, got shape (1, 4)")):
                call(w[None], x, y, 0.5)
    message = "x must have independent columns that are not zero, or there is no unique minimizer"
    with pytest.raises(ValueError, match=exactly(message)):
        expected.solution(x, y, 0.0)
    with pytest.raises(ValueError, match=exactly(message)):
        expected.solution(x * [1, 1, 0, 1], y, 0.5)


@pytest.mark.parametrize("wide", ["", "w", "x", "y", "wxy"])
def test_one_array_in_float64_makes_all_of_it_float64(wide):
    arrays = dict(zip("wxy", problem(), strict=True))
    w, x, y = (array if name in wide else array.astype(np.float32) for name, array in arrays.items())
    found = {
        "wxy": (expected.expected_loss(w, x, y, 0.5), expected.expected_gradient(w, x, y, 0.5)),
        "wx": (expected.penalty(w, x, 0.5),),
        "xy": (expected.solution(x, y, 0.5),),
    }
    for names, values in found.items():
        dtype = np.float64 if set(names) & set(wide) else np.float32
        assert {value.dtype for value in values} == {np.dtype(dtype)}


def test_inverted_is_yes_or_no():
    with pytest.raises(TypeError, match=exactly("inverted must be True or False, got 1")):
        expected.gate_moments(0.5, inverted=1)
