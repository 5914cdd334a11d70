"""Penalties and their gradients against keras.regularizers and against torch's automatic differentiation."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import torch

from reglib.weights.penalties import L1, L2, ElasticNet, GroupLasso

SHAPES = [(7,), (4, 3), (2, 3, 4, 5)]
BOUND = {np.float64: 1e-12, np.float32: 1e-6}


def weights(shape, dtype):
    w = np.random.default_rng(len(shape)).standard_normal(shape).astype(dtype)
    w.flat[1] = 0.0  # a kink: both frameworks return the subgradient 0 there
    return w


def keras_value_and_gradient(regularizer, w):
    variable = tf.Variable(w)
    with tf.GradientTape() as tape:
        value = regularizer(variable)
    return value.numpy(), tape.gradient(value, variable).numpy()


def torch_value_and_gradient(function, w):
    tensor = torch.tensor(w, requires_grad=True)
    value = function(tensor)
    value.backward()
    return value.detach().numpy(), tensor.grad.numpy()


def agree(penalty, w, value, gradient):
    bound = BOUND[w.dtype.type]
    assert abs(penalty.value(w) - value) <= bound * max(1, abs(value))
    assert np.abs(penalty.gradient(w) - gradient).max() <= bound
    assert penalty.value(w).dtype == penalty.gradient(w).dtype == w.dtype


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("penalty", "regularizer"),
    [
        # Numbers that float32 holds exactly: see the test after this one.
        (L1(0.375), keras.regularizers.L1(0.375)),
        (L2(0.25), keras.regularizers.L2(0.25)),
        (ElasticNet(0.375, 0.25), keras.regularizers.L1L2(l1=0.375, l2=0.25)),
    ],
)
def test_keras_regularizers(penalty, regularizer, shape, dtype):
    w = weights(shape, dtype)
    agree(penalty, w, *keras_value_and_gradient(regularizer, w))


def test_a_keras_regularizer_holds_its_strength_in_float32():
    """Under TensorFlow, 0.3 becomes the float32 number next to it, also where everything else is float64."""
    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    try:
        regularizer = keras.regularizers.L1(0.3)
    finally:
        keras.config.set_floatx(before)
    w = weights((7,), np.float64)
    value, gradient = keras_value_and_gradient(regularizer, w)
    assert abs(value - L1(0.3).value(w)) > 1e-9
    agree(L1(float(np.float32(0.3))), w, value, gradient)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("penalty", "function"),
    [
        (L1(0.3), lambda w: 0.3 * w.abs().sum()),
        (L2(0.2), lambda w: 0.2 * w.square().sum()),
        (L2(0.2), lambda w: 0.2 * torch.linalg.vector_norm(w) ** 2),
        (ElasticNet(0.3, 0.2), lambda w: 0.3 * torch.linalg.vector_norm(w, ord=1) + 0.2 * w.square().sum()),
    ],
)
def test_torch_penalties(penalty, function, shape, dtype):
    w = weights(shape, dtype)
    agree(penalty, w, *torch_value_and_gradient(function, w))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_torch_group_lasso_by_rows(dtype):
    w = weights((5, 4), dtype)
    w[2] = 0.0  # a whole group at its kink

    def function(tensor):
        return 0.3 * 2.0 * torch.linalg.vector_norm(tensor, dim=1).sum()

    agree(GroupLasso(0.3, np.arange(5)), w, *torch_value_and_gradient(function, w))


def test_torch_group_lasso_with_groups_of_different_sizes():
    w, groups = weights((6,), np.float64), np.array([1, 0, 1, 2, 0, 1])

    def function(tensor):
        parts = [tensor[torch.tensor(groups == group)] for group in range(3)]
        return sum(0.3 * len(part) ** 0.5 * torch.linalg.vector_norm(part) for part in parts)

    agree(GroupLasso(0.3, groups), w, *torch_value_and_gradient(function, w))


def test_torch_replicas():
    w, many = weights((3, 2, 4), np.float64), np.array([0.1, 0.5, 2.0])
    strengths = torch.tensor(many)[:, None, None]
    for penalty, function in (
        (L1(many), lambda w: (strengths * w.abs()).sum((1, 2))),
        (L2(many), lambda w: (strengths * w.square()).sum((1, 2))),
    ):
        tensor = torch.tensor(w, requires_grad=True)
        values = function(tensor)
        values.sum().backward()
        assert np.abs(penalty.value(w) - values.detach().numpy()).max() <= 1e-12
        assert np.abs(penalty.gradient(w) - tensor.grad.numpy()).max() <= 1e-12


@pytest.mark.parametrize("l1", [0.0, 0.3, 2.0])
def test_soft_threshold_is_torch_softshrink(l1):
    w = weights((4, 3), np.float64)
    want = torch.nn.functional.softshrink(torch.tensor(w), 0.5 * l1).numpy()
    assert np.abs(L1(l1).prox(w, 0.5) - want).max() <= 1e-15


def test_factor_two_l2_and_weight_decay():
    """The gradient of l2*sum(w^2) is what torch's SGD adds for weight_decay = 2*l2, not for weight_decay = l2."""
    w, l2 = weights((4, 3), np.float64), 0.2
    added = {}
    for weight_decay in (l2, 2 * l2):
        parameter = torch.nn.Parameter(torch.tensor(w))
        parameter.grad = torch.zeros_like(parameter)
        torch.optim.SGD([parameter], lr=1.0, weight_decay=weight_decay).step()
        added[weight_decay] = w - parameter.detach().numpy()
    assert np.abs(added[2 * l2] - L2(l2).gradient(w)).max() <= 1e-12
    assert np.abs(added[l2] - L2(l2).gradient(w)).max() > 0.1


def test_factor_two_a_proximal_step_is_not_a_gradient_step():
    """An explicit step multiplies by 1 - 2*step*l2, a proximal step divides by 1 + 2*step*l2."""
    w, l2, step = weights((4, 3), np.float64), 0.25, 0.1
    _, gradient = keras_value_and_gradient(keras.regularizers.L2(l2), w)
    assert np.abs((w - step * gradient) - w * (1 - 2 * step * l2)).max() <= 1e-12
    assert np.abs(L2(l2).prox(w, step) - w / (1 + 2 * step * l2)).max() <= 1e-12
