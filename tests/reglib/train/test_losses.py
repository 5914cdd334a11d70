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
        *(
            (
                logits,
                wrong,
                TypeError,
                f"targets must be integers, one class an example, or probabilities; got dtype {wrong.dtype}",
            )
            for wrong in (np.ones((S, B), bool), np.ones((S, B), complex), np.array([["0"] * B] * S))
        ),
        (logits, np.zeros(2, int), ValueError, f"targets must have shape {both}; got (2,)"),
        (logits, np.zeros((1, B), int), ValueError, f"targets must have shape {both}; got (1, 3)"),
        (logits, np.zeros((S, B, C), int), ValueError, f"targets must have shape {both}; got (2, 3, 4)"),
        (logits, np.full(B, 4), ValueError, "targets must lie in 0, ..., 3; got values from 4 to 4"),
        (logits, np.array([0, -1, 1]), ValueError, "targets must lie in 0, ..., 3; got values from -1 to 1"),
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
    none = np.zeros((0, B, C))
    for targets in (LABELS[0], LABELS[:0], np.eye(C)[LABELS[0]], none):
        loss, grad = softmax_cross_entropy(none, targets)
        assert (loss.shape, grad.shape) == ((0,), (0, B, C))


def test_the_extreme_classes_and_unsigned_labels_are_in_range():
    loss, _ = softmax_cross_entropy(np.zeros((2, C)), np.array([0, C - 1], np.uint8))
    assert loss == pytest.approx(np.log(C))


# Soft targets


def probabilities(shape, seed=4):
    drawn = np.random.default_rng(seed).random(shape)
    return drawn / drawn.sum(axis=-1, keepdims=True)


def test_soft_targets_by_hand():
    # softmax of log(1, 2, 5) is 1/8, 2/8, 5/8, whatever is added to the row
    logits = np.log([[1.0, 2.0, 5.0], [1.0, 2.0, 5.0]]) + np.array([[0.0], [700.0]])
    loss, grad = softmax_cross_entropy(logits, np.array([[0.25, 0.75, 0.0], [0.0, 0.5, 0.5]]))
    by_hand = 0.25 * np.log(8) + 0.75 * np.log(4) + 0.5 * np.log(4) + 0.5 * np.log(8 / 5)
    assert loss == pytest.approx(by_hand / 2, rel=1e-12)
    np.testing.assert_allclose(grad, np.array([[1 - 2, 2 - 6, 5], [1, 2 - 4, 5 - 4]]) / 16, rtol=1e-12)


@given(arrays(float, (3, 4), elements=st.floats(-1000, 1000)))
def test_one_hot_targets_are_labels(logits):
    labels = np.array([0, 3, 1])
    hard, soft = softmax_cross_entropy(logits, labels), softmax_cross_entropy(logits, np.eye(4)[labels])
    assert soft[0] == pytest.approx(hard[0], rel=1e-15, abs=1e-15)
    np.testing.assert_allclose(soft[1], hard[1], rtol=0, atol=1e-15)


def test_the_loss_is_linear_in_the_targets():
    """Mixed labels cost the mixture of the costs, and smoothed ones their share of every class."""
    logits, labels = rng().standard_normal((B, C)), LABELS[0]
    each = [softmax_cross_entropy(logits, np.full(B, c)) for c in range(C)]
    mixed, smoothed = 0.3 * np.eye(C)[labels] + 0.7 * np.eye(C)[LABELS[1]], 0.9 * np.eye(C)[labels] + 0.1 / C
    pairs = [softmax_cross_entropy(logits, LABELS[k]) for k in range(2)]
    for part in range(2):
        np.testing.assert_allclose(
            softmax_cross_entropy(logits, mixed)[part], 0.3 * pairs[0][part] + 0.7 * pairs[1][part], rtol=1e-13
        )
        uniform = sum(one[part] for one in each) / C
        np.testing.assert_allclose(
            softmax_cross_entropy(logits, smoothed)[part], 0.9 * pairs[0][part] + 0.1 * uniform, rtol=1e-13
        )


@pytest.mark.parametrize("shared", [False, True])
def test_soft_gradients_match_central_differences_and_each_replica_has_its_loss(shared):
    logits, targets = rng().standard_normal((S, B, C)), probabilities((B, C) if shared else (S, B, C))
    loss, grad = softmax_cross_entropy(logits, targets)
    assert loss.shape == (S,)
    gradcheck.check(
        lambda z: softmax_cross_entropy(z, targets)[0].sum(),
        lambda z: softmax_cross_entropy(z, targets)[1],
        logits,
        rng(),
    )
    for s in range(S):
        alone = softmax_cross_entropy(logits[s], targets if shared else targets[s])
        assert loss[s] == pytest.approx(alone[0], rel=1e-14)
        np.testing.assert_allclose(grad[s], alone[1], rtol=1e-14)
    np.testing.assert_allclose(grad.sum(axis=-1), 0, atol=1e-15)


def test_the_least_loss_is_the_entropy_where_the_prediction_is_the_target():
    targets = probabilities((B, C))
    loss, grad = softmax_cross_entropy(np.log(targets) + 3, targets)
    assert loss == pytest.approx(-(targets * np.log(targets)).sum() / B, rel=1e-14)
    np.testing.assert_allclose(grad, 0, atol=1e-15)


def test_confident_wrong_answers_cost_their_true_amount_to_soft_targets_too():
    loss, grad = softmax_cross_entropy(np.array([[0.0, 2000.0]]), np.array([[0.25, 0.75]]))
    assert loss == 500
    np.testing.assert_array_equal(grad, [[-0.25, 0.25]])


@pytest.mark.parametrize("target_dtype", [np.float32, np.float64])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_soft_targets_take_the_dtype_of_the_logits_and_nothing_changes_in_place(dtype, target_dtype):
    logits, targets = rng().standard_normal((S, B, C)).astype(dtype), probabilities((S, B, C)).astype(target_dtype)
    before = logits.copy(), targets.copy()
    loss, grad = softmax_cross_entropy(logits, targets)
    assert loss.dtype == grad.dtype == dtype
    np.testing.assert_array_equal(logits, before[0])
    np.testing.assert_array_equal(targets, before[1])
    exact = softmax_cross_entropy(logits.astype(float), probabilities((S, B, C)))
    np.testing.assert_allclose(loss, exact[0], rtol=1e-6)


def test_bad_soft_targets_are_named():
    logits, good = np.ones((S, B, C)), probabilities((B, C))
    for shape in ((S, B), (B,), (1, B, C), (B, C + 1), (S, C, B)):
        message = f"targets must have shape (2, 3, 4), or (3, 4) for all replicas; got {shape}"
        with pytest.raises(ValueError, match=exactly(message)):
            softmax_cross_entropy(logits, np.full(shape, 0.25))
    least, low = good.copy(), good.copy()
    least[0] += [-1.0, 1.0, 0.0, 0.0]
    low[1, 2] += 1e-6
    for wrong in (least, low, good * 1.001, good / 2, -good, np.zeros((B, C)), np.ones((B, C))):
        message = "targets must not be negative, and sum to 1 over the classes"
        with pytest.raises(ValueError, match=exactly(message)):
            softmax_cross_entropy(logits, wrong)
    for bad in (np.nan, np.inf):
        wrong = good.copy()
        wrong[0, 0] = bad
        message = "targets must be finite, got 1 NaN or infinite values in shape (3, 4)"
        with pytest.raises(ValueError, match=exactly(message)):
            softmax_cross_entropy(logits, wrong)
    with pytest.raises(TypeError, match=r"^targets must hold floating-point numbers .* got dtype float16; "):
        softmax_cross_entropy(logits, good.astype(np.float16))


def test_rounding_of_probabilities_is_forgiven():
    """Smoothing over many classes, and single precision, leave sums that are 1 up to rounding."""
    many = probabilities((B, 1000))
    softmax_cross_entropy(np.zeros((B, 1000)), many)
    softmax_cross_entropy(np.zeros((B, 1000)), many.astype(np.float32))
    softmax_cross_entropy(np.zeros((B, C)), np.full((B, C), 0.1) / 0.4)
