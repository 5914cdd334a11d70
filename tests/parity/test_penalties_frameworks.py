"""Penalties and their gradients against keras.regularizers and against torch's automatic differentiation.

`regbook.replay` runs them: float64 within 1e-12, float32 within 1e-6.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf
import torch

from regbook.replay import path, penalty_parity, value_and_gradient
from regbook.replay.frameworks import in_float64
from reglib.layers.cells import GRU, LSTM, RNN
from reglib.nets.sequence import Sequence
from reglib.weights.penalties import L1, L2, ElasticNet, GroupLasso

SHAPES = [(7,), (4, 3), (2, 3, 4, 5)]


def weights(shape, dtype):
    w = np.random.default_rng(len(shape)).standard_normal(shape).astype(dtype)
    w.flat[1] = 0.0  # a kink: both frameworks return the subgradient 0 there
    return w


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
    penalty_parity(penalty, weights(shape, dtype), regularizer)


def test_a_keras_regularizer_holds_its_strength_in_float32():
    """Under TensorFlow, 0.3 becomes the float32 number next to it, also where everything else is float64."""
    with in_float64():
        regularizer = keras.regularizers.L1(0.3)
    w = weights((7,), np.float64)
    value, _ = value_and_gradient(regularizer, w)
    assert abs(value - L1(0.3).value(w)) > 1e-9
    penalty_parity(L1(float(np.float32(0.3))), w, regularizer)


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
    penalty_parity(penalty, weights(shape, dtype), function)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_torch_group_lasso_by_rows(dtype):
    w = weights((5, 4), dtype)
    w[2] = 0.0  # a whole group at its kink

    def function(tensor):
        return 0.3 * 2.0 * torch.linalg.vector_norm(tensor, dim=1).sum()

    penalty_parity(GroupLasso(0.3, np.arange(5)), w, function)


def test_torch_group_lasso_with_groups_of_different_sizes():
    w, groups = weights((6,), np.float64), np.array([1, 0, 1, 2, 0, 1])

    def function(tensor):
        parts = [tensor[torch.tensor(groups == group)] for group in range(3)]
        return sum(0.3 * len(part) ** 0.5 * torch.linalg.vector_norm(part) for part in parts)

    penalty_parity(GroupLasso(0.3, groups), w, function)


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
        sgd = lambda p, decay=weight_decay: torch.optim.SGD(p, lr=1.0, weight_decay=decay)  # noqa: E731
        ((after,),) = path(sgd, [w], [[np.zeros_like(w)]])
        added[weight_decay] = w - after
    assert np.abs(added[2 * l2] - L2(l2).gradient(w)).max() <= 1e-12
    assert np.abs(added[l2] - L2(l2).gradient(w)).max() > 0.1


def test_factor_two_a_proximal_step_is_not_a_gradient_step():
    """An explicit step multiplies by 1 - 2*step*l2, a proximal step divides by 1 + 2*step*l2."""
    w, l2, step = weights((4, 3), np.float64), 0.25, 0.1
    _, gradient = value_and_gradient(keras.regularizers.L2(l2), w)
    assert np.abs((w - step * gradient) - w * (1 - 2 * step * l2)).max() <= 1e-12
    assert np.abs(L2(l2).prox(w, step) - w / (1 + 2 * step * l2)).max() <= 1e-12


CELLS = {
    "rnn": (RNN(), keras.layers.SimpleRNN, {}),
    "lstm": (LSTM(), keras.layers.LSTM, {}),
    "gru": (GRU(reset_after=False), keras.layers.GRU, {"reset_after": False}),
}
# Keras' argument, and what it chooses here.
ARGUMENTS = {"kernel_regularizer": "input", "recurrent_regularizer": "recurrent", "bias_regularizer": "b"}


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize(
    "arguments",
    [*((argument,) for argument in ARGUMENTS), ("kernel_regularizer", "recurrent_regularizer"), (*ARGUMENTS,)],
)
def test_the_three_regularizers_of_keras_recurrent_layers_are_three_choices(name, arguments, keras_float64):
    """kernel_regularizer alone leaves the recurrent weights unpenalized; all weights are two of the three arguments."""
    cell, layer, options = CELLS[name]
    params = Sequence(cell, 2, 3, 4).init(np.random.default_rng(0))
    params |= {"b": params["b"] + 0.5}
    layer = layer(3, **options, **{argument: keras.regularizers.L2(0.25) for argument in arguments})
    layer.build((None, 5, 2))
    layer.set_weights([params["w_x"], params["w_h"], params["b"]])
    with tf.GradientTape() as tape:
        cost = sum(layer.losses)
    theirs = tape.gradient(cost, [weight.value for weight in layer.trainable_weights])
    penalty = L2(0.25, on=tuple(ARGUMENTS[argument] for argument in arguments))
    assert abs(penalty.value(params) - float(cost)) <= 1e-12 * float(cost)
    ours = penalty.gradient(params)
    for own, other in zip(("w_x", "w_h", "b"), theirs, strict=True):
        assert ours[own].any() == (other is not None)
        assert other is None or np.abs(ours[own] - other.numpy()).max() <= 1e-12


@pytest.mark.parametrize("cell", [RNN(), LSTM(), GRU(), GRU(reset_after=False)], ids=repr)
def test_torch_groups_without_biases_penalize_what_the_default_does(cell):
    """Weight decay on all two-dimensional parameters, the usual rule for PyTorch, is L2 on the weights."""
    params = {name: p + 0.5 for name, p in Sequence(cell, 2, 3, 4).init(np.random.default_rng(0)).items()}
    tensors = {name: torch.nn.Parameter(torch.tensor(p)) for name, p in params.items()}
    groups = [
        {"params": [t for t in tensors.values() if t.ndim == 2], "weight_decay": 2 * 0.25},
        {"params": [t for t in tensors.values() if t.ndim == 1]},
    ]
    for tensor in tensors.values():
        tensor.grad = torch.zeros_like(tensor)
    torch.optim.SGD(groups, lr=0.1).step()
    gradient = L2(0.25).gradient(params)
    for name, tensor in tensors.items():
        assert np.abs(params[name] - 0.1 * gradient[name] - tensor.detach().numpy()).max() <= 1e-14
