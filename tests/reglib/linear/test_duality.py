"""The duality gap against its own definition, and against the minimum."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reglib.linear.duality import dual_scale, least_squares_gap
from reglib.weights.penalties import L1, L2, ElasticNet, GroupLasso

GROUPS = [1, 0, 1]


def problem(seed, n=6):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, 3)), rng.standard_normal(n), rng.standard_normal(3)


def objective(X, y, w, penalty):
    return ((y - X @ w) ** 2).sum() / (2 * len(y)) + penalty.value(w)


def gap(X, y, w, penalty):
    r = y - X @ w
    return least_squares_gap(penalty, w, X.T @ r / len(y), (r**2).mean())


def dual(X, y, u):
    """The dual objective inside the dual's bounds."""
    return u @ y - len(y) * (u**2).sum() / 2


def test_dual_scale_by_hand():
    v = np.array([3.0, -4.0, 0.5])
    assert dual_scale(L1(1.0), v) == 0.25
    assert dual_scale(L1(4.0), v) == 1
    assert dual_scale(L1(9.0), v) == 1
    assert dual_scale(ElasticNet(1.0, 2.0), v) == 0.25
    assert dual_scale(GroupLasso(1.0, GROUPS), v) == 0.25
    assert dual_scale(GroupLasso(1.0, [0, 0, 1]), v) == pytest.approx(np.sqrt(2) / 5, rel=1e-14)
    assert dual_scale(L2(1.0), v) == 0
    assert dual_scale(L2(1.0), np.zeros(3)) == 1
    assert dual_scale(L1(0.0), np.zeros(3)) == 1
    assert dual_scale(L1(np.array([1.0, 2.0])), np.array([v, [1.0, 1.0, 1.0]])).tolist() == [0.25, 1]
    assert np.ndim(dual_scale(L1(1.0), v)) == 0


@settings(deadline=None)
@given(st.integers(0, 500), st.floats(0.05, 2))
def test_the_gap_is_primal_minus_dual(seed, l1):
    X, y, w = problem(seed)
    r = y - X @ w
    for penalty in (L1(l1), GroupLasso(l1, GROUPS)):
        s = dual_scale(penalty, X.T @ r / len(y))
        by_definition = objective(X, y, w, penalty) - dual(X, y, s * r / len(y))
        assert gap(X, y, w, penalty) == pytest.approx(by_definition, rel=1e-10, abs=1e-12)


@settings(deadline=None)
@given(st.integers(0, 500), st.floats(0.05, 2), st.floats(0.05, 2))
def test_a_ridge_part_counts_as_data(seed, l1, l2):
    X, y, w = problem(seed)
    n = len(y)
    taller, longer = np.vstack([X, np.sqrt(2 * n * l2) * np.eye(3)]), np.append(y, np.zeros(3))
    r = longer - taller @ w
    s = min(1, l1 / abs(taller.T @ r / n).max())
    primal = (r**2).sum() / (2 * n) + l1 * abs(w).sum()
    by_definition = primal - (s * r / n @ longer - n * ((s * r / n) ** 2).sum() / 2)
    assert gap(X, y, w, ElasticNet(l1, l2)) == pytest.approx(by_definition, rel=1e-10, abs=1e-12)


@settings(deadline=None)
@given(st.integers(0, 500), st.floats(0.05, 2))
def test_the_gap_of_ridge_uses_the_conjugate(seed, l2):
    X, y, w = problem(seed)
    r = y - X @ w
    conjugate = ((X.T @ r / len(y)) ** 2).sum() / (4 * l2)
    by_definition = objective(X, y, w, L2(l2)) - dual(X, y, r / len(y)) + conjugate
    assert gap(X, y, w, L2(l2)) == pytest.approx(by_definition, rel=1e-10, abs=1e-12)
    assert gap(X, y, w, ElasticNet(0.0, l2)) == pytest.approx(by_definition, rel=1e-10, abs=1e-12)


@settings(deadline=None)
@given(st.integers(0, 500), st.floats(0.05, 2), st.floats(0.05, 2))
def test_the_gap_bounds_what_is_left_to_gain(seed, l1, l2):
    X, y, w = problem(seed)
    for penalty in (L1(l1), L2(l2), ElasticNet(l1, l2), GroupLasso(l1, GROUPS)):
        best, step = w, 1 / np.linalg.norm(X.T @ X / len(y), 2)
        for _ in range(60):
            best = penalty.prox(best + step * X.T @ (y - X @ best) / len(y), step)
        assert gap(X, y, w, penalty) >= objective(X, y, w, penalty) - objective(X, y, best, penalty) - 1e-12


def test_the_gap_is_zero_at_the_minimum_and_not_beside_it():
    y = np.array([3.0, -1.0, 0.2])
    X = np.eye(3)
    # With X = I and N = 3 the minimum is the proximal step from y with step 3.
    for penalty in (L1(0.25), L2(0.25), ElasticNet(0.25, 0.1), GroupLasso(0.25, GROUPS)):
        best = penalty.prox(y, 3.0)
        assert 0 <= gap(X, y, best, penalty) < 1e-15
        for j in range(3):
            assert gap(X, y, best + 0.01 * (np.arange(3) == j), penalty) > 1e-6


def test_the_gap_at_zero_by_hand():
    # w = 0, v = y / 2 = (2, 1), ||r||^2/N = 10: s = 1/2 and the gap is (1/2)^2 * 10 / 2.
    X, y = np.eye(2), np.array([4.0, 2.0])
    assert gap(X, y, np.zeros(2), L1(1.0)) == 1.25
    assert gap(X, y, np.zeros(2), L2(0.5)) == 5 / 2
    assert gap(X, y, np.zeros(2), L1(2.0)) == 0


def test_small_gaps_survive_rounding():
    # The slope of the smooth part is off by 1e-12: the gap 1e-24 / (4*l2) is far below the rounding of the objective.
    w = np.array([1000.0])
    assert least_squares_gap(L2(0.5), w, w + 1e-12, 1.0) == pytest.approx((w + 1e-12 - w)[0] ** 2 / 2, rel=1e-12)


def test_replicas_have_their_own_gaps():
    X, y, w = problem(3)
    both = np.array([w, -w])
    r = y - both @ X.T
    v, power = r @ X / len(y), (r**2).mean(axis=1)
    many = np.array([0.1, 0.7])
    for together, apart in (
        (L1(many), [L1(0.1), L1(0.7)]),
        (L2(many), [L2(0.1), L2(0.7)]),
        (ElasticNet(np.array([0.0, 0.7]), many), [ElasticNet(0.0, 0.1), ElasticNet(0.7, 0.7)]),
        (ElasticNet(many, np.array([0.0, 0.7])), [L1(0.1), ElasticNet(0.7, 0.7)]),
        (GroupLasso(many, GROUPS), [GroupLasso(0.1, GROUPS), GroupLasso(0.7, GROUPS)]),
    ):
        want = [gap(X, y, own, penalty) for own, penalty in zip(both, apart, strict=True)]
        np.testing.assert_allclose(least_squares_gap(together, both, v, power), want, rtol=1e-12)


def test_bad_input():
    with pytest.raises(ValueError, match=f"^{re.escape('v must have the shape of w, (3,); got (2,)')}$"):
        least_squares_gap(L1(1.0), np.ones(3), np.ones(2), 1.0)
    with pytest.raises(TypeError, match=r"^w must hold floating-point numbers"):
        least_squares_gap(L1(1.0), np.ones(3, int), np.ones(3), 1.0)
    with pytest.raises(TypeError, match=r"^v must hold floating-point numbers"):
        least_squares_gap(L1(1.0), np.ones(3), np.ones(3, int), 1.0)
    with pytest.raises(TypeError, match=r"^v must hold floating-point numbers"):
        dual_scale(L1(1.0), np.ones(3, int))
