"""Losses: values by hand, gradients by central differences, stability, replicas."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from reglib import gradcheck
from reglib.train.losses import softmax_cross_entropy, squared_error
from tests.conftest import exactly

S, B, C = 2, 3, 4
LABELS = np.array([[0, 3, 1], [2, 2, 0]])


def rng():
    return np.random.default_rng(3)


def test_squared_error_by_hand():
    prediction = np.array([[1.0, 2.0], [3.0, 0.0], [0.0, 0.0]])
    target = np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 0.0]])
    loss, grad = squared_error(prediction, target)
    assert loss == pytest.approx((1 + 4 + 16) / 6)
    np.testing.assert_allclose(grad, np.array([[1, 2], [0, -4], [0, 0]]) / 3)


def test_cross_entropy_by_hand():
    # softmax of log(1, 2, 5) is 1/8, 2/8, 5/8, whatever is added to the row
    logits = np.log([[1.0, 2.0, 5.0], [1.0, 2.0, 5.0]]) + np.array([[0.0], [700.0]])
    loss, grad = softmax_cross_entropy(logits, np.array([2, 0]))
    assert loss == pytest.approx((np.log(8 / 5) + np.log(8)) / 2, rel=1e-12)
    np.testing.assert_allclose(grad, np.array([[1, 2, -3], [-7, 2, 5]]) / 16, rtol=1e-12)


def test_a_confident_wrong_answer_costs_its_true_amount():
    loss, grad = softmax_cross_entropy(np.array([[0.0, 2000.0]]), np.array([0]))
    assert loss == 2000
    np.testing.assert_array_equal(grad, [[-1, 1]])
    loss, grad = softmax_cross_entropy(np.array([[0.0, 2000.0], [-3000.0, -3000.0]]), np.array([0, 1]))
    assert loss == pytest.approx((2000 + np.log(2)) / 2)
    np.testing.assert_array_equal(grad, [[-0.5, 0.5], [0.25, -0.25]])
    loss, _ = softmax_cross_entropy(np.array([[50.0, 0.0]]), np.array([0]))
    assert loss == pytest.approx(np.exp(-50), rel=1, abs=1e-15)


@pytest.mark.parametrize("shared", [False, True])
def test_gradients_match_central_differences_and_each_replica_has_its_loss(shared):
    logits = rng().standard_normal((S, B, C))
    labels = LABELS[0] if shared else LABELS
    loss, _ = softmax_cross_entropy(logits, labels)
    assert loss.shape == (S,)
    gradcheck.check(
        lambda z: softmax_cross_entropy(z, labels)[0].sum(),
        lambda z: softmax_cross_entropy(z, labels)[1],
        logits,
        rng(),
    )
    for s in range(S):
        alone, grad = softmax_cross_entropy(logits[s], labels if shared else labels[s])
        assert loss[s] == pytest.approx(alone, rel=1e-14)
        np.testing.assert_allclose(softmax_cross_entropy(logits, labels)[1][s], grad, rtol=1e-14)
    target = rng().standard_normal((B, C) if shared else (S, B, C))
    gradcheck.check(lambda z: squared_error(z, target)[0].sum(), lambda z: squared_error(z, target)[1], logits, rng())
    loss, _ = squared_error(logits, target)
    for s in range(S):
        assert loss[s] == pytest.approx(squared_error(logits[s], target if shared else target[s])[0], rel=1e-14)


def test_square_shapes_do_not_confuse_replicas_with_batch():
    labels = np.array([[0, 1], [1, 1]])
    logits = rng().standard_normal((2, 2, 2))
    loss, grad = softmax_cross_entropy(logits, labels)
    for s in range(2):
        for i in range(2):
            p = np.exp(logits[s, i]) / np.exp(logits[s, i]).sum()
            np.testing.assert_allclose(grad[s, i], (p - np.eye(2)[labels[s, i]]) / 2, rtol=1e-12)
    assert loss[1] == pytest.approx(softmax_cross_entropy(logits[1], labels[1])[0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_follows_and_nothing_changes_in_place(dtype):
    logits = rng().standard_normal((S, B, C)).astype(dtype)
    before, labels = logits.copy(), LABELS.copy()
    for loss, grad in (softmax_cross_entropy(logits, labels), squared_error(logits, before)):
        assert loss.dtype == grad.dtype == dtype
    np.testing.assert_array_equal(logits, before)
    np.testing.assert_array_equal(labels, LABELS)


@given(arrays(float, (3, 4), elements=st.floats(-30, 30)), st.permutations(range(4)))
def test_cross_entropy_properties(logits, order):
    labels = np.array([0, 3, 1])
    loss, grad = softmax_cross_entropy(logits, labels)
    assert loss >= 0
    np.testing.assert_allclose(grad.sum(axis=-1), 0, atol=1e-15)
    renamed, _ = softmax_cross_entropy(logits[:, order], np.argsort(order)[labels])
    assert renamed == pytest.approx(loss, rel=1e-12)


def test_nan_is_passed_on():
    with np.errstate(invalid="ignore"):
        assert np.isnan(softmax_cross_entropy(np.full((1, 2), np.nan), np.array([0]))[0])
    assert np.isnan(squared_error(np.full((1, 1), np.nan), np.ones((1, 1)))[0])
    assert np.isnan(squared_error(np.ones((1, 1)), np.full((1, 1), np.nan))[0])


def test_bad_input_is_named():
    logits, both = np.ones((S, B, C)), "(2, 3), or (3,) for all replicas"
    cases = [
        (
            np.ones(4),
            np.array([0]),
            ValueError,
            "logits must have shape (..., B, C) with at least one entry on either axis, got (4,)",
        ),
        (
            np.ones((0, 4)),
            np.array([], int),
            ValueError,
            "logits must have shape (..., B, C) with at least one entry on either axis, got (0, 4)",
        ),
        (
            np.ones((4, 0)),
            np.array([0]),
            ValueError,
            "logits must have shape (..., B, C) with at least one entry on either axis, got (4, 0)",
        ),
        (logits, np.ones((S, B)), TypeError, "labels must be integers, one class an example, got dtype float64"),
        (logits, np.zeros(2, int), ValueError, f"labels must have shape {both}; got (2,)"),
        (logits, np.zeros((1, B), int), ValueError, f"labels must have shape {both}; got (1, 3)"),
        (logits, np.full(B, 4), ValueError, "labels must lie in 0, ..., 3; got values from 4 to 4"),
        (logits, np.array([0, -1, 1]), ValueError, "labels must lie in 0, ..., 3; got values from -1 to 1"),
    ]
    for z, labels, error, message in cases:
        with pytest.raises(error, match=exactly(message)):
            softmax_cross_entropy(z, labels)
    with pytest.raises(TypeError, match=r"^logits must hold floating-point numbers"):
        softmax_cross_entropy(np.ones((B, C), int), LABELS[0])
    message = "prediction must have shape (..., B, K) with at least one entry on either axis, got (3,)"
    with pytest.raises(ValueError, match=exactly(message)):
        squared_error(np.ones(3), np.ones(3))
    message = "target must have shape (2, 3, 4), or (3, 4) for all replicas; got (3, 1)"
    with pytest.raises(ValueError, match=exactly(message)):
        squared_error(logits, np.ones((3, 1)))
    with pytest.raises(TypeError, match=r"^target must hold floating-point numbers"):
        squared_error(logits, np.ones((S, B, C), int))
    with pytest.raises(TypeError, match=r"^prediction must hold floating-point numbers"):
        squared_error(np.ones((B, C), int), np.ones((B, C)))


def test_there_may_be_no_replica_but_not_no_example():
    loss, grad = softmax_cross_entropy(np.zeros((0, B, C)), LABELS[0])
    assert (loss.shape, grad.shape) == ((0,), (0, B, C))


def test_the_extreme_classes_and_unsigned_labels_are_in_range():
    loss, _ = softmax_cross_entropy(np.zeros((2, C)), np.array([0, C - 1], np.uint8))
    assert loss == pytest.approx(np.log(C))
