"""Means of predictions: by hand, against softmax of mean logits, and their errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reglib.layers import activations
from reglib.predict import ensemble
from tests.conftest import exactly

P = np.array([[[0.5, 0.5], [0.2, 0.8]], [[0.9, 0.1], [0.2, 0.8]], [[0.1, 0.9], [0.8, 0.2]]])


def test_by_hand():
    np.testing.assert_allclose(ensemble.arithmetic_mean(P), [[0.5, 0.5], [0.4, 0.6]], rtol=1e-14)
    weights = np.array([0.5, 0.25, 0.25])
    np.testing.assert_allclose(ensemble.arithmetic_mean(P, weights), [[0.5, 0.5], [0.35, 0.65]], rtol=1e-14)
    g = np.array([0.2**0.75 * 0.8**0.25, 0.8**0.75 * 0.2**0.25])
    np.testing.assert_allclose(ensemble.geometric_mean(P, weights), [[0.5, 0.5], g / g.sum()], rtol=1e-13)
    np.testing.assert_allclose(ensemble.geometric_mean(P), ensemble.geometric_mean(P, np.full(3, 1 / 3)), rtol=1e-13)


@given(st.integers(0, 2**32), st.floats(0.1, 30))
def test_the_geometric_mean_is_the_softmax_of_the_mean_logits(seed, size):
    rng = np.random.default_rng(seed)
    logits = size * rng.standard_normal((5, 3, 4))
    weights = rng.dirichlet(np.ones(5))
    expected = activations.softmax(np.tensordot(weights, logits, axes=1))
    got = ensemble.geometric_mean(activations.softmax(logits), weights)
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)


def test_zeros():
    p = np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]])
    np.testing.assert_array_equal(ensemble.geometric_mean(p), [1, 0, 0])
    np.testing.assert_array_equal(ensemble.geometric_mean(p, np.array([0.0, 1.0])), [0.5, 0.5, 0])
    message = "probabilities must leave a class that no network gives 0, in every prediction"
    with pytest.raises(ValueError, match=exactly(message)):
        ensemble.geometric_mean(np.eye(2))
    tiny = np.array([[[1e-300, 2e-300], [0.5, 0.5]]] * 3)
    np.testing.assert_allclose(ensemble.geometric_mean(tiny), [[1 / 3, 2 / 3], [0.5, 0.5]], rtol=1e-12)
    tiniest = np.array([[[1e-320, 2e-320], [0.5, 0.5]]] * 3)  # e to the power of their logarithm has lost its digits
    ratio = tiniest[0, 0, 1] / tiniest[0, 0, 0]
    got = ensemble.geometric_mean(tiniest)[0]
    assert got[1] / got[0] == pytest.approx(ratio, rel=1e-9)


def test_each_prediction_has_a_scale_of_its_own():
    p = np.array([[[2.0**-1074, 3 * 2.0**-1074], [0.7, 0.3]]])
    np.testing.assert_allclose(ensemble.geometric_mean(p), [[0.25, 0.75], [0.7, 0.3]], rtol=1e-10)


def test_monte_carlo_averages_the_first_passes():
    passes = iter(P)
    calls = []

    def predict():
        calls.append(1)
        return next(passes)

    got = ensemble.monte_carlo(predict, (1, 3))
    np.testing.assert_allclose(got, [P[0], ensemble.arithmetic_mean(P)], rtol=1e-14)
    assert len(calls) == 3
    assert ensemble.monte_carlo(lambda: P[0].astype(np.float32), [2]).dtype == np.float32


def test_monte_carlo_changes_no_prediction():
    mine = P[0].copy()
    np.testing.assert_allclose(ensemble.monte_carlo(lambda: mine, [1, 2, 4]), [P[0]] * 3, rtol=1e-14)
    np.testing.assert_array_equal(mine, P[0])


def test_monte_carlo_names_bad_input():
    for wrong, found in (((), "[]"), ((2, 1), "[2, 1]"), ((1, 1), "[1, 1]")):
        with pytest.raises(ValueError, match=exactly(f"counts must be one or more increasing numbers, got {found}")):
            ensemble.monte_carlo(lambda: P[0], wrong)
    with pytest.raises(ValueError, match=exactly("counts must be at least 1, got 0")):
        ensemble.monte_carlo(lambda: P[0], (0, 1))
    with pytest.raises(TypeError, match=exactly("counts must be an integer, got 1.5")):
        ensemble.monte_carlo(lambda: P[0], (1.5,))
    with pytest.raises(ValueError, match=exactly("predict() must not be negative, got -0.8; did you pass logits?")):
        ensemble.monte_carlo(lambda: P[0] - 1.0, [1])
    with pytest.raises(TypeError, match=r"^predict\(\) must hold floating-point numbers"):
        ensemble.monte_carlo(lambda: [1, 0], [1])
    # 0 is a probability
    np.testing.assert_array_equal(ensemble.monte_carlo(lambda: np.eye(2), [1]), [np.eye(2)])


def test_float32_stays_float32():
    for mean in (ensemble.arithmetic_mean, ensemble.geometric_mean):
        assert mean(P.astype(np.float32)).dtype == np.float32
        assert mean(P.astype(np.float32), np.array([0.5, 0.25, 0.25])).dtype == np.float32


@pytest.mark.parametrize("mean", [ensemble.arithmetic_mean, ensemble.geometric_mean])
def test_bad_input_is_named(mean):
    for wrong in (P[0, 0], P[:0], P[..., :0]):
        message = f"probabilities must have shape (K, ..., C) with K and C above 0, got {wrong.shape}"
        with pytest.raises(ValueError, match=exactly(message)):
            mean(wrong)
    with pytest.raises(ValueError, match=exactly("probabilities must not be negative, got -0.4; did you pass logits?")):
        mean(P - 0.5)
    with pytest.raises(TypeError, match=r"^probabilities must hold floating-point numbers"):
        mean(np.ones((2, 2), int))
    with pytest.raises(TypeError, match=r"^weights must hold floating-point numbers"):
        mean(P, np.array([1, 0, 0]))
    for wrong, found in (
        ([0.5, 0.5], "got shape (2,) and sum 1"),
        ([0.5, 0.6, 0.1], "got shape (3,) and sum 1.2"),
        ([1.5, -0.5, 0.0], "got shape (3,) and sum 1"),
        ([0.2, 0.2, 0.2], "got shape (3,) and sum 0.6"),
    ):
        message = f"weights must be 3 numbers, at least 0, with the sum 1; {found}"
        with pytest.raises(ValueError, match=exactly(message)):
            mean(P, np.array(wrong))
