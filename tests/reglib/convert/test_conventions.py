"""Conversions: worked numbers, inverses, the table, and clear errors. The frameworks themselves: tests/parity."""

import inspect
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reglib.convert import conventions as c
from reglib.convert import layouts

POSITIVE = st.floats(1e-6, 1e3)
COUNT = st.integers(1, 10**6)


@pytest.mark.parametrize(
    ("function", "arguments", "expected"),
    [
        (c.l2_to_torch_weight_decay, (0.3,), 0.6),
        (c.torch_weight_decay_to_l2, (0.6,), 0.3),
        (c.penalty_to_keras, (0.3,), 0.3),
        (c.l2_to_half_l2, (0.3,), 0.6),
        (c.half_l2_to_l2, (0.6,), 0.3),
        (c.mean_to_sum, (0.3, 10), 3.0),
        (c.sum_to_mean, (3.0, 10), 0.3),
        (c.l1_to_lasso_alpha, (0.3,), 0.3),
        (c.lasso_alpha_to_l1, (0.3,), 0.3),
        (c.l2_to_ridge_alpha, (0.3, 10), 6.0),
        (c.ridge_alpha_to_l2, (6.0, 10), 0.3),
        (c.l2_to_logistic_c, (0.05, 5), 2.0),
        (c.logistic_c_to_l2, (2.0, 5), 0.05),
        (c.l2_to_sgd_classifier_alpha, (0.3,), 0.6),
        (c.sgd_classifier_alpha_to_l2, (0.6,), 0.3),
        (c.decay_to_factor, (0.5, 0.1), 0.95),
        (c.decay_to_factor, (0.5, 0.2, 3), 0.729),
        (c.decay_to_factor, (0.5, 0.2, 0), 1.0),
        (c.decay_to_factor, (1, 1, 2), 0.0),
        (c.factor_to_decay, (0.75, 0.5), 0.5),
        (c.factor_to_decay, (0.729, 0.2, 3), 0.5),
        (c.factor_to_decay, (1, 0.2, 0.5), 0.0),
        (c.epsilon_to_raw, (0.5, 0.75, 1), 0.25),
        (c.epsilon_to_raw, (0.5, 0.6, 2), 0.4),
        (c.epsilon_to_raw, (0.5, 0.0, 3), 0.5),
        (c.epsilon_to_corrected, (0.25, 0.75, 1), 0.5),
        (c.epsilon_to_corrected, (0.4, 0.6, 2), 0.5),
        (c.adamw_to_paper_decay, (0.5, 0.1), 0.05),
        (c.paper_to_adamw_decay, (0.05, 0.1), 0.5),
        (c.torch_sgd_to_keras_sgd, (0.3,), 0.3),
        (c.torch_sgd_to_keras_sgd, (0.0, 0.9), 0.0),
        (c.keras_sgd_to_torch_sgd, (0.3,), 0.3),
        (c.decay_to_half_life, (0.5, 1.0), 1.0),
        (c.decay_to_half_life, (0.1, 0.1), 68.96756393652849),
        (c.half_life_to_decay, (1, 0.5), 1.0),
        (c.keep_to_rate, (0.8,), 0.2),
        (c.keep_to_rate, (1.0,), 0.0),
        (c.rate_to_keep, (0.2,), 0.8),
        (c.rate_to_noise_std, (0.2,), 0.5),
        (c.rate_to_noise_std, (0.5,), 1.0),
        (c.noise_std_to_rate, (2.0,), 0.8),
        (c.flip_batch_norm_momentum, (0.1,), 0.9),
    ],
)
def test_worked_numbers(function, arguments, expected):
    assert function(*arguments) == pytest.approx(expected, rel=1e-12)


def test_elastic_net():
    assert c.elastic_net_to_sklearn(0.3, 0.1) == pytest.approx((0.5, 0.6))
    assert c.sklearn_to_elastic_net(0.5, 0.6) == pytest.approx((0.3, 0.1))
    assert c.elastic_net_to_sklearn(0.3, 0.0) == pytest.approx((0.3, 1.0))
    assert c.elastic_net_to_sklearn(0.0, 0.3) == pytest.approx((0.6, 0.0))


def test_axes():
    assert c.to_channels_last((2, 3, 5, 7)) == (2, 5, 7, 3)
    assert c.to_channels_first((2, 5, 7, 3)) == (2, 3, 5, 7)
    assert c.to_channels_last((2, 3)) == c.to_channels_first((2, 3)) == (2, 3)
    assert c.spatial_noise_shape((2, 3, 5), "first") == (2, 3, 1)
    assert c.spatial_noise_shape((2, 5, 3), "last") == (2, 1, 3)
    assert c.spatial_noise_shape((0, 3, 5, 7, 9), "first") == (0, 3, 1, 1, 1)
    assert c.spatial_noise_shape((2, 3), "first") == c.spatial_noise_shape((2, 3), "last") == (2, 3)


def test_dense_weights_are_copied():
    weight = np.arange(6.0).reshape(2, 3)
    turned = c.transpose_dense(weight)
    np.testing.assert_array_equal(turned, [[0, 3], [1, 4], [2, 5]])
    turned[0, 0] = 9
    assert weight[0, 0] == 0


@given(POSITIVE, COUNT)
def test_there_and_back(strength, n):
    assert c.torch_weight_decay_to_l2(c.l2_to_torch_weight_decay(strength)) == strength
    assert c.half_l2_to_l2(c.l2_to_half_l2(strength)) == strength
    assert c.ridge_alpha_to_l2(c.l2_to_ridge_alpha(strength, n), n) == pytest.approx(strength)
    assert c.logistic_c_to_l2(c.l2_to_logistic_c(strength, n), n) == pytest.approx(strength)
    assert c.sum_to_mean(c.mean_to_sum(strength, n), n) == pytest.approx(strength)


@given(POSITIVE, POSITIVE)
def test_there_and_back_in_pairs(a, b):
    assert c.sklearn_to_elastic_net(*c.elastic_net_to_sklearn(a, b)) == pytest.approx((a, b), rel=1e-6, abs=1e-9)
    assert c.paper_to_adamw_decay(c.adamw_to_paper_decay(a, b), b) == pytest.approx(a)


@given(st.floats(0, 0.99))
def test_there_and_back_for_rates(rate):
    assert c.noise_std_to_rate(c.rate_to_noise_std(rate)) == pytest.approx(rate)
    assert c.keep_to_rate(c.rate_to_keep(rate)) == pytest.approx(rate, abs=1e-12)


@given(st.floats(1, 1e6), st.floats(0.01, 1))
def test_there_and_back_for_half_lives(steps, learning_rate):
    decay = c.half_life_to_decay(steps, learning_rate)
    assert c.decay_to_half_life(decay, learning_rate) == pytest.approx(steps, rel=1e-6)
    assert math.isclose((1 - learning_rate * decay) ** steps, 0.5, rel_tol=1e-6)


def test_every_row_has_functions_and_every_function_a_row():
    listed = [name for row in c.TABLE for name in row.functions]
    homes = (c.__name__, layouts.__name__)
    public = {name for name, thing in vars(c).items() if inspect.isfunction(thing) and thing.__module__ in homes}
    public |= {name for name, thing in vars(layouts).items() if getattr(thing, "__module__", "") == homes[1]}
    assert sorted(listed) == sorted(name for name in public if not name.startswith("_") and "mutmut" not in name)
    assert len({row.topic for row in c.TABLE}) == len(c.TABLE) >= 15
    for row in c.TABLE:
        assert all(isinstance(part, str) and part for part in (row.topic, row.book, row.torch, row.keras, row.sklearn))
        assert row.functions


NUMBER = r"must be a finite number in "


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: c.l2_to_torch_weight_decay(-1), r"l2 " + NUMBER + r"\[0, inf\], got -1"),
        (lambda: c.torch_weight_decay_to_l2(-1), r"weight_decay " + NUMBER + r"\[0, inf\], got -1"),
        (lambda: c.penalty_to_keras(math.nan), r"strength " + NUMBER + r"\[0, inf\], got nan"),
        (lambda: c.l2_to_half_l2(-1), r"l2 " + NUMBER + r"\[0, inf\], got -1"),
        (lambda: c.half_l2_to_l2(-1), r"half_l2 " + NUMBER + r"\[0, inf\], got -1"),
        (lambda: c.mean_to_sum(-1, 1), r"strength " + NUMBER + r"\[0, inf\], got -1"),
        (lambda: c.sum_to_mean(-1, 1), r"strength " + NUMBER + r"\[0, inf\], got -1"),
        (lambda: c.l1_to_lasso_alpha(-1), r"l1 " + NUMBER + r"\[0, inf\], got -1"),
        (lambda: c.lasso_alpha_to_l1(-1), r"alpha " + NUMBER + r"\[0, inf\], got -1"),
        (lambda: c.l2_to_ridge_alpha(-1, 1), r"l2 " + NUMBER + r"\[0, inf\], got -1"),
        (lambda: c.ridge_alpha_to_l2(-1, 1), r"alpha " + NUMBER + r"\[0, inf\], got -1"),
        (lambda: c.elastic_net_to_sklearn(-1, 1), r"l1 " + NUMBER + r"\[0, inf\], got -1"),
        (lambda: c.elastic_net_to_sklearn(1, -1), r"l2 " + NUMBER + r"\[0, inf\], got -1"),
        (lambda: c.elastic_net_to_sklearn(0, 0), r"l1 and l2 must not both be 0: the ratio would be undefined"),
        (lambda: c.sklearn_to_elastic_net(-1, 0.5), r"alpha " + NUMBER + r"\[0, inf\], got -1"),
        (lambda: c.sklearn_to_elastic_net(1, 1.5), r"l1_ratio " + NUMBER + r"\[0, 1\], got 1\.5"),
        (lambda: c.sklearn_to_elastic_net(1, -0.5), r"l1_ratio " + NUMBER + r"\[0, 1\], got -0\.5"),
        (lambda: c.l2_to_logistic_c(0, 1), r"l2 " + NUMBER + r"\(0, inf\], got 0"),
        (lambda: c.logistic_c_to_l2(0, 1), r"c " + NUMBER + r"\(0, inf\], got 0"),
        (lambda: c.l2_to_sgd_classifier_alpha(-1), r"l2 " + NUMBER + r"\[0, inf\], got -1"),
        (lambda: c.sgd_classifier_alpha_to_l2(-1), r"alpha " + NUMBER + r"\[0, inf\], got -1"),
        (lambda: c.decay_to_factor(-1, 1), r"weight_decay " + NUMBER + r"\[0, inf\], got -1"),
        (lambda: c.decay_to_factor(1, 0), r"learning_rate " + NUMBER + r"\(0, inf\], got 0"),
        (lambda: c.decay_to_factor(3, 0.5), r"learning_rate \* weight_decay must be at most 1, got 1\.5$"),
        (lambda: c.decay_to_factor(1, 1, -1), r"steps must be at least 0, got -1$"),
        (lambda: c.factor_to_decay(0, 1), r"factor " + NUMBER + r"\(0, 1\], got 0"),
        (lambda: c.factor_to_decay(1.5, 1), r"factor " + NUMBER + r"\(0, 1\], got 1\.5"),
        (lambda: c.factor_to_decay(0.5, 0), r"learning_rate " + NUMBER + r"\(0, inf\], got 0"),
        (lambda: c.factor_to_decay(0.5, 1, 0), r"steps " + NUMBER + r"\(0, inf\], got 0"),
        (lambda: c.epsilon_to_raw(0, 0.5, 1), r"epsilon " + NUMBER + r"\(0, inf\], got 0"),
        (lambda: c.epsilon_to_raw(1, 1.0, 1), r"beta2 " + NUMBER + r"\[0, 1\), got 1\.0"),
        (lambda: c.epsilon_to_raw(1, -0.5, 1), r"beta2 " + NUMBER + r"\[0, 1\), got -0\.5"),
        (lambda: c.epsilon_to_raw(1, 0.5, 0), r"step must be at least 1, got 0$"),
        (lambda: c.epsilon_to_corrected(0, 0.5, 1), r"epsilon " + NUMBER + r"\(0, inf\], got 0"),
        (lambda: c.adamw_to_paper_decay(-1, 1), r"weight_decay " + NUMBER + r"\[0, inf\], got -1"),
        (lambda: c.adamw_to_paper_decay(1, 0), r"learning_rate " + NUMBER + r"\(0, inf\], got 0"),
        (lambda: c.paper_to_adamw_decay(-1, 1), r"decay " + NUMBER + r"\[0, inf\], got -1"),
        (lambda: c.paper_to_adamw_decay(1, 0), r"learning_rate " + NUMBER + r"\(0, inf\], got 0"),
        (lambda: c.torch_sgd_to_keras_sgd(-1), r"weight_decay " + NUMBER + r"\[0, inf\], got -1"),
        (lambda: c.torch_sgd_to_keras_sgd(0.1, 1.0), r"momentum " + NUMBER + r"\[0, 1\), got 1\.0"),
        (lambda: c.torch_sgd_to_keras_sgd(0.1, -0.1), r"momentum " + NUMBER + r"\[0, 1\), got -0\.1"),
        (
            lambda: c.torch_sgd_to_keras_sgd(0.1, 0.9),
            r"momentum must be 0 for the two decays to agree, got 0\.9; "
            r"a Keras regularizer L2\(0\.05\) is what PyTorch does",
        ),
        (lambda: c.keras_sgd_to_torch_sgd(0.1, 0.9), r"momentum must be 0 for the two decays to agree, got 0\.9"),
        (lambda: c.decay_to_half_life(0, 1), r"weight_decay " + NUMBER + r"\(0, inf\], got 0"),
        (lambda: c.decay_to_half_life(0.5, 0), r"learning_rate " + NUMBER + r"\(0, inf\], got 0"),
        (lambda: c.decay_to_half_life(1, 1), r"learning_rate \* weight_decay must be below 1, got 1$"),
        (lambda: c.half_life_to_decay(0, 1), r"steps " + NUMBER + r"\(0, inf\], got 0"),
        (lambda: c.half_life_to_decay(1, 0), r"learning_rate " + NUMBER + r"\(0, inf\], got 0"),
        (lambda: c.keep_to_rate(0), r"keep " + NUMBER + r"\(0, 1\], got 0"),
        (lambda: c.keep_to_rate(1.1), r"keep " + NUMBER + r"\(0, 1\], got 1\.1"),
        (lambda: c.rate_to_keep(1.0), r"rate " + NUMBER + r"\[0, 1\), got 1\.0"),
        (lambda: c.rate_to_keep(-0.1), r"rate " + NUMBER + r"\[0, 1\), got -0\.1"),
        (lambda: c.rate_to_noise_std(1.0), r"rate " + NUMBER + r"\[0, 1\), got 1\.0"),
        (lambda: c.rate_to_noise_std(-0.1), r"rate " + NUMBER + r"\[0, 1\), got -0\.1"),
        (lambda: c.noise_std_to_rate(-1), r"std " + NUMBER + r"\[0, inf\], got -1"),
        (lambda: c.flip_batch_norm_momentum(1.1), r"momentum " + NUMBER + r"\[0, 1\], got 1\.1"),
        (lambda: c.flip_batch_norm_momentum(-0.1), r"momentum " + NUMBER + r"\[0, 1\], got -0\.1"),
        (lambda: c.to_channels_last((2,)), r"shape must be a tuple of at least two sizes, got \(2,\)"),
        (lambda: c.to_channels_first([2, 3]), r"shape must be a tuple of at least two sizes, got \[2, 3\]"),
        (lambda: c.spatial_noise_shape((2, -3), "first"), r"shape must be "),
        (lambda: c.spatial_noise_shape((2, 3), "middle"), r"channels must be one of 'first', 'last'; got 'middle'"),
        (lambda: c.transpose_dense(np.ones(3)), r"weight must have 2 axes, got shape \(3,\)"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match="^" + message):
        call()


def test_steps_are_whole():
    with pytest.raises(TypeError, match=r"^steps must be an integer, got 1\.5$"):
        c.decay_to_factor(1, 1, 1.5)
    with pytest.raises(TypeError, match=r"^step must be an integer, got 1\.5$"):
        c.epsilon_to_corrected(1, 0.5, 1.5)


@given(st.floats(1e-6, 0.999), st.floats(1e-3, 1), st.integers(1, 1000))
def test_there_and_back_for_factors(product, learning_rate, steps):
    decay = c.factor_to_decay(1 - product, learning_rate, steps)
    assert c.decay_to_factor(decay, learning_rate, steps) == pytest.approx(1 - product, rel=1e-9)
    assert c.epsilon_to_corrected(c.epsilon_to_raw(product, 0.999, steps), 0.999, steps) == pytest.approx(product)


@pytest.mark.parametrize("function", [c.mean_to_sum, c.sum_to_mean, c.l2_to_ridge_alpha, c.ridge_alpha_to_l2])
@pytest.mark.parametrize("n", [0, 2.5])
def test_counts_are_whole_and_positive(function, n):
    with pytest.raises((TypeError, ValueError), match=r"^n must be"):
        function(0.1, n)


@pytest.mark.parametrize("function", [c.l2_to_logistic_c, c.logistic_c_to_l2])
def test_counts_of_logistic_regression(function):
    with pytest.raises(ValueError, match=r"^n must be"):
        function(0.1, 0)
