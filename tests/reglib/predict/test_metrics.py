"""Metrics of predicted probabilities: by hand, and their limits."""

import numpy as np
import pytest

from reglib.predict import metrics
from tests.conftest import exactly

P = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [0.25, 0.5, 0.25], [0.05, 0.05, 0.9]])
LABELS = np.array([0, 1, 1, 2])
ALL = (metrics.accuracy, metrics.negative_log_likelihood, metrics.brier_score, metrics.calibration_error)


def test_by_hand():
    assert metrics.accuracy(P, LABELS) == 0.75
    expected = -np.log([0.7, 0.3, 0.5, 0.9]).mean()
    assert metrics.negative_log_likelihood(P, LABELS) == pytest.approx(expected, rel=1e-14)
    squares = [0.09 + 0.04 + 0.01, 0.01 + 0.49 + 0.36, 0.0625 + 0.25 + 0.0625, 0.0025 + 0.0025 + 0.01]
    assert metrics.brier_score(P, LABELS) == pytest.approx(np.mean(squares), rel=1e-13)


def test_against_scikit_learn():
    pytest.importorskip("sklearn.metrics")
    from sklearn.metrics import accuracy_score, log_loss

    rng = np.random.default_rng(3)
    p, labels = rng.dirichlet(np.ones(5), 60), rng.integers(0, 5, 60)
    assert metrics.accuracy(p, labels) == pytest.approx(accuracy_score(labels, p.argmax(axis=1)), rel=1e-13)
    expected = log_loss(labels, p, labels=np.arange(5))
    assert metrics.negative_log_likelihood(p, labels) == pytest.approx(expected, rel=1e-12)


def test_perfect_predictions_have_a_small_calibration_error():
    rng = np.random.default_rng(4)
    p = rng.dirichlet(np.ones(3), 20000)
    labels = (rng.random((20000, 1)) > p.cumsum(axis=1)).sum(axis=1)
    assert 0 < metrics.calibration_error(p, labels) < 0.02
    sharp = p**3 / (p**3).sum(axis=1, keepdims=True)
    assert metrics.calibration_error(sharp, labels) > 0.1


def test_a_confidence_that_rounding_has_pushed_above_1_lies_in_the_last_bin():
    p = np.array([[1 + 2.0**-50, 0.0, 0.0]])
    np.testing.assert_array_equal(metrics.reliability(p, np.array([0]), 4)[0], [0, 0, 0, 1])


def test_the_default_bins_on_many_predictions():
    rng = np.random.default_rng(5)
    p = rng.dirichlet(np.ones(3), 500)
    labels = (rng.random((500, 1)) > p.cumsum(axis=1)).sum(axis=1)  # drawn from p: too sure in some bins only
    errors = {bins: metrics.calibration_error(p, labels, bins) for bins in (14, 15, 16)}
    assert metrics.calibration_error(p, labels) == errors[15]
    assert len(set(errors.values())) == 3


def test_reliability_by_hand():
    count, confidence, accuracy = metrics.reliability(P, LABELS, bins=2)
    np.testing.assert_array_equal(count, [1, 3])  # 0.5 lies in the lower bin
    np.testing.assert_allclose(confidence, [0.5, (0.7 + 0.6 + 0.9) / 3], rtol=1e-14)
    np.testing.assert_allclose(accuracy, [1, 2 / 3], rtol=1e-14)
    expected = (1 * 0.5 + 3 * abs(2 / 3 - 2.2 / 3)) / 4
    assert metrics.calibration_error(P, LABELS, bins=2) == pytest.approx(expected, rel=1e-13)
    count, confidence, accuracy = metrics.reliability(P, LABELS, bins=10)
    np.testing.assert_array_equal(count, [0, 0, 0, 0, 1, 1, 1, 0, 1, 0])
    assert np.isnan(confidence[0])
    assert np.isnan(accuracy[3])
    assert accuracy[5] == 0
    assert metrics.calibration_error(P, LABELS, bins=10) == pytest.approx((0.5 + 0.6 + 0.3 + 0.1) / 4, rel=1e-13)


def test_the_default_is_fifteen_bins_and_one_bin_is_a_difference_of_means():
    np.testing.assert_array_equal(metrics.reliability(P, LABELS)[0], metrics.reliability(P, LABELS, 15)[0])
    assert metrics.calibration_error(P, LABELS) == metrics.calibration_error(P, LABELS, 15)
    assert len(metrics.reliability(P, LABELS)[0]) == 15
    assert metrics.calibration_error(P, LABELS, 1) == pytest.approx(abs(0.75 - 2.7 / 4), rel=1e-13)


def test_the_edges():
    certain = np.eye(3)
    right, wrong = np.array([0, 1, 2]), np.array([1, 2, 0])
    assert [f(certain, right) for f in ALL] == [1, 0, 0, 0]
    assert [f(certain, wrong) for f in ALL] == [0, np.inf, 2, 1]
    np.testing.assert_array_equal(metrics.reliability(certain, right, 4)[0], [0, 0, 0, 3])


@pytest.mark.parametrize("metric", ALL)
def test_replicas_share_labels_or_have_their_own(metric):
    rng = np.random.default_rng(0)
    raw = rng.random((3, 2, 8, 4))
    p = raw / raw.sum(axis=-1, keepdims=True)
    shared, own = rng.integers(0, 4, 8), rng.integers(0, 4, (3, 2, 8))
    assert metric(p, shared).shape == (3, 2)
    for index in np.ndindex(3, 2):
        assert metric(p, shared)[index] == pytest.approx(metric(p[index], shared), rel=1e-13)
        assert metric(p, own)[index] == pytest.approx(metric(p[index], own[index]), rel=1e-13)


@pytest.mark.parametrize("metric", ALL)
def test_float32_is_welcome(metric):
    assert metric(P.astype(np.float32), LABELS) == pytest.approx(float(metric(P, LABELS)), rel=1e-5)


@pytest.mark.parametrize("metric", [*ALL, metrics.reliability])
def test_bad_input_is_named(metric):
    message = "probabilities must not be negative, and sum to 1 over the classes; did you pass logits?"
    for wrong in (2 * P, P - 0.2, np.log(P)):
        with pytest.raises(ValueError, match=exactly(message)):
            metric(wrong, LABELS)
    for wrong in (P[0], P[:0], P[:, :0]):
        message = f"probabilities must have shape (..., B, C) and hold an example, got {wrong.shape}"
        with pytest.raises(ValueError, match=exactly(message)):
            metric(wrong, LABELS[:0])
    with pytest.raises(TypeError, match=r"^probabilities must hold floating-point numbers"):
        metric(np.eye(4, dtype=int), LABELS)
    with pytest.raises(TypeError, match=exactly("labels must be integers, one class an example, got dtype float64")):
        metric(P, LABELS.astype(float))
    with pytest.raises(ValueError, match=exactly("labels must have shape (4,), or (4,) for all replicas; got (3,)")):
        metric(P, LABELS[:3])
    for wrong in ([0, 1, 1, 3], [0, -1, 1, 2]):
        message = f"labels must lie in 0, ..., 2; got values from {min(wrong)} to {max(wrong)}"
        with pytest.raises(ValueError, match=exactly(message)):
            metric(P, np.array(wrong))


@pytest.mark.parametrize("metric", ALL)
def test_bad_labels_of_replicas_are_named(metric):
    p = np.stack([P, P])
    with pytest.raises(ValueError, match=exactly("labels must have shape (2, 4), or (4,) for all replicas; got (2,)")):
        metric(p, np.array([0, 1]))
    with pytest.raises(ValueError, match=exactly("labels must lie in 0, ..., 2; got values from 0 to 3")):
        metric(p, np.array([0, 1, 2, 3]))


def test_sums_may_be_off_by_a_hundred_roundings():
    eps = np.finfo(float).eps
    assert metrics.accuracy(np.array([[0.5, 0.5 + 100 * eps]]), np.array([1])) == 1
    with pytest.raises(ValueError, match=r"sum to 1 over the classes"):
        metrics.accuracy(np.array([[0.5, 0.5 + 101 * eps]]), np.array([1]))


def test_an_empty_bin_costs_nothing():
    # a certain wrong answer and a certain right one, in the last of many bins; all others are empty
    assert metrics.calibration_error(np.eye(2), np.array([0, 0]), 40) == 0.5


def test_replicas_are_named_in_errors():
    rng = np.random.default_rng(6)
    p = rng.dirichlet(np.ones(3), (2, 5))
    with pytest.raises(ValueError, match=exactly("labels must have shape (2, 5), or (5,) for all replicas; got (2,)")):
        metrics.accuracy(p, np.array([0, 1]))
    with pytest.raises(ValueError, match=exactly("labels must lie in 0, ..., 2; got values from 0 to 4")):
        metrics.accuracy(p, np.array([0, 1, 2, 2, 4]))


def test_bins_must_be_a_number_of_bins():
    for metric in (metrics.reliability, metrics.calibration_error):
        with pytest.raises(ValueError, match=exactly("bins must be at least 1, got 0")):
            metric(P, LABELS, 0)
        with pytest.raises(TypeError, match=exactly("bins must be an integer, got 2.5")):
            metric(P, LABELS, 2.5)
