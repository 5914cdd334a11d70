"""Filter factors: gradient descent stopped early, and ridge, direction by direction."""

import numpy as np
import pytest
from scipy import optimize

from regbook.datasets import diabetes
from reglib.linear.filters import matched_l2, ridge_factors, stopped_factors
from reglib.linear.solvers import ridge

DATA = diabetes()
X, Y = DATA.x - DATA.x.mean(axis=0), DATA.y - DATA.y.mean()
N = len(Y)
S, V = np.linalg.eigh(X.T @ X / N)
S = np.maximum(S, 0)
BEST = np.linalg.lstsq(X, Y, rcond=None)[0]


def descend(rate, steps):
    w = np.zeros(X.shape[1])
    for _ in range(steps):
        w = w - rate * X.T @ (X @ w - Y) / N
    return w


@pytest.mark.parametrize("steps", [0, 1, 7, 200])
@pytest.mark.parametrize("share", [0.3, 0.9, 1.7])
def test_gradient_descent_is_its_filter(steps, share):
    rate = share / S.max()
    filtered = V @ (stopped_factors(S, rate, steps) * (V.T @ BEST))
    np.testing.assert_allclose(filtered, descend(rate, steps), rtol=1e-9, atol=1e-9 * np.abs(BEST).max())


@pytest.mark.parametrize("l2", [0.001, 0.1, 3.0])
def test_ridge_is_its_filter(l2):
    filtered = V @ (ridge_factors(S, l2) * (V.T @ BEST))
    np.testing.assert_allclose(filtered, ridge(X, Y, l2).coef, rtol=1e-9, atol=1e-9 * np.abs(BEST).max())


@pytest.mark.parametrize("steps", [1, 4, 100, 1000])
def test_each_direction_has_a_strength_of_its_own(steps):
    rate = 0.9 / S.max()
    strengths = matched_l2(S, rate, steps)
    np.testing.assert_allclose(ridge_factors(S, strengths), stopped_factors(S, rate, steps), rtol=1e-9)
    assert (np.diff(strengths) < 0).all()  # a larger eigenvalue, a smaller strength
    assert (strengths < 1 / (2 * rate * steps)).all()


def test_numbers_by_hand():
    s = np.array([1.0, 0.1])
    np.testing.assert_allclose(stopped_factors(s, 0.5, 4), [0.9375, 1 - 0.95**4])
    np.testing.assert_allclose(2 * matched_l2(s, 0.5, 4), [1 / 15, 0.1 * 0.95**4 / (1 - 0.95**4)])
    np.testing.assert_allclose(ridge_factors(s, np.array([0.5, 0.0])), [0.5, 1])


def test_a_direction_without_data_learns_nothing():
    s = np.array([0.0, 1.0])
    np.testing.assert_array_equal(stopped_factors(s, 0.5, 9)[0], 0)
    np.testing.assert_array_equal(ridge_factors(s, 0.0), [0, 1])
    assert matched_l2(s, 0.5, 9)[0] == 1 / 9
    assert matched_l2(np.array([1e-9]), 0.5, 9)[0] == pytest.approx(1 / 9, rel=1e-7)
    assert matched_l2(np.array([2.0]), 0.5, 3)[0] == 0  # learned in one step


def test_early_stopping_shrinks_less_than_the_ridge_matched_by_time():
    """1 - exp(-x) against x / (1 + x): never below, and the largest gap and ratio are those that the book prints."""
    x = np.linspace(1e-3, 60, 200_001)
    gap, ratio = 1 - np.exp(-x) - x / (1 + x), (1 - np.exp(-x)) * (1 + x) / x
    assert (gap > 0).all()
    at = optimize.brentq(lambda t: np.exp(-t) - 1 / (1 + t) ** 2, 1, 5)
    assert (round(at, 4), round(gap.max(), 5)) == (2.5129, 0.20363)
    assert (round(x[ratio.argmax()], 2), round(ratio.max(), 5)) == (1.79, 1.29843)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: stopped_factors(np.array([-1.0]), 0.1, 1), "eigenvalues must not be negative, got -1 as the smallest"),
        (lambda: stopped_factors(np.array([2.0]), 1.0, 1), "rate must be below 2 / max(eigenvalues), 1; got 1.0"),
        (lambda: stopped_factors(S, 0.0, 1), "rate must be a finite number in (0, inf], got 0.0"),
        (lambda: stopped_factors(np.ones(2), 0.5, -1), "steps must be at least 0, got -1"),
        (lambda: ridge_factors(S, -1.0), "l2 must be a finite number in [0, inf], got -1.0"),
        (
            lambda: ridge_factors(np.ones(3), np.ones(2)),
            "l2 must be a number or have the shape of eigenvalues, (3,); got (2,)",
        ),
        (lambda: matched_l2(np.array([2.0]), 0.6, 1), "rate must be at most 1 / max(eigenvalues), 0.5; got 0.6"),
        (lambda: matched_l2(np.ones(2), 0.5, 0), "steps must be at least 1, got 0"),
    ],
)
def test_what_is_wrong_is_named(make, text):
    with pytest.raises((TypeError, ValueError)) as caught:
        make()
    assert str(caught.value) == text


def test_no_eigenvalues_are_fine():
    assert stopped_factors(np.zeros(0), 0.5, 3).shape == (0,)
