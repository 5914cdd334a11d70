"""Trajectories of reglib's optimizers against PyTorch's and Keras' own, in float64."""

import keras
import numpy as np
import pytest
import torch

from reglib.train import optim

pytestmark = pytest.mark.usefixtures("keras_float64")

SHAPES = [(3, 2), (2,), (1, 4, 2)]
STEPS = 50
# Keras on TensorFlow rounds these to float32, so parity needs values that float32 holds exactly.
MOMENTUM, DECAY, BETA1, BETA2 = 0.875, 0.125, 0.875, 1 - 2**-10


@pytest.fixture(scope="module")
def problem():
    """Parameters, and gradients that change from step to step and differ in size by orders of magnitude."""
    rng = np.random.default_rng(0)
    params = [rng.normal(size=shape) for shape in SHAPES]
    gradients = [[rng.normal(size=s) * 10.0 ** rng.integers(-3, 2) for s in SHAPES] for _ in range(STEPS)]
    return params, gradients


def ours(optimizer, problem):
    params, gradients = problem
    state, path = optimizer.init(params), []
    for grads in gradients:
        params, state = optimizer.step(params, grads, state)
        path.append(params)
    return path


def torchs(make, problem):
    params = [torch.tensor(p, requires_grad=True) for p in problem[0]]
    optimizer, path = make(params), []
    for grads in problem[1]:
        for parameter, gradient in zip(params, grads, strict=True):
            parameter.grad = torch.tensor(gradient)
        optimizer.step()
        path.append([parameter.detach().numpy().copy() for parameter in params])
    return path


def kerass(optimizer, problem):
    variables, path = [keras.Variable(p, dtype="float64") for p in problem[0]], []
    for grads in problem[1]:
        optimizer.apply([keras.ops.convert_to_tensor(g) for g in grads], variables)
        path.append([variable.numpy() for variable in variables])
    return path


def assert_same_path(a, b, tolerance=1e-12):
    for step, (left, right) in enumerate(zip(a, b, strict=True)):
        for x, y in zip(left, right, strict=True):
            assert np.abs(x - y).max() <= tolerance, f"step {step + 1}"


T, K = torch.optim, keras.optimizers


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (optim.SGD(0.1), lambda p: T.SGD(p, 0.1)),
        (optim.SGD(0.1, momentum=0.9), lambda p: T.SGD(p, 0.1, momentum=0.9)),
        (optim.SGD(0.1, weight_decay=0.3), lambda p: T.SGD(p, 0.1, weight_decay=0.3)),
        (
            optim.SGD(0.1, momentum=0.9, nesterov=True, weight_decay=0.3),
            lambda p: T.SGD(p, 0.1, momentum=0.9, nesterov=True, weight_decay=0.3),
        ),
        (optim.SGD(0.1, momentum=0.9, l2=0.15), lambda p: T.SGD(p, 0.1, momentum=0.9, weight_decay=0.3)),
        (optim.Adam(0.02), lambda p: T.Adam(p, 0.02)),
        (optim.Adam(0.02, weight_decay=0.3), lambda p: T.Adam(p, 0.02, weight_decay=0.3)),
        (optim.AdamW(0.02, weight_decay=0.3), lambda p: T.AdamW(p, 0.02, weight_decay=0.3)),
        (optim.AdamW(0.02), lambda p: T.AdamW(p, 0.02)),
    ],
)
def test_pytorch(mine, theirs, problem):
    assert_same_path(ours(mine, problem), torchs(theirs, problem))


ADAM = {"beta1": BETA1, "beta2": BETA2, "epsilon": 1e-7, "epsilon_at": "raw"}
KADAM = {"beta_1": BETA1, "beta_2": BETA2}


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (optim.SGD(0.1), lambda: K.SGD(0.1)),
        (optim.SGD(0.1, momentum=MOMENTUM), lambda: K.SGD(0.1, momentum=MOMENTUM)),
        (optim.SGD(0.1, weight_decay=DECAY, decoupled=True), lambda: K.SGD(0.1, weight_decay=DECAY)),
        (
            optim.SGD(0.1, momentum=MOMENTUM, nesterov=True, weight_decay=DECAY, decoupled=True),
            lambda: K.SGD(0.1, momentum=MOMENTUM, nesterov=True, weight_decay=DECAY),
        ),
        (optim.Adam(0.02, **ADAM), lambda: K.Adam(0.02, **KADAM)),
        (optim.AdamW(0.02, weight_decay=DECAY, **ADAM), lambda: K.Adam(0.02, weight_decay=DECAY, **KADAM)),
        (optim.AdamW(0.02, weight_decay=DECAY, **ADAM), lambda: K.AdamW(0.02, weight_decay=DECAY, **KADAM)),
    ],
)
def test_keras(mine, theirs, problem):
    assert_same_path(ours(mine, problem), kerass(theirs(), problem))


def test_keras_puts_epsilon_elsewhere(problem):
    corrected = optim.Adam(0.02, beta1=BETA1, beta2=BETA2, epsilon=1e-3)
    raw = optim.Adam(0.02, beta1=BETA1, beta2=BETA2, epsilon=1e-3, epsilon_at="raw")
    keras_path = kerass(K.Adam(0.02, epsilon=1e-3, **KADAM), problem)
    assert_same_path(ours(raw, problem), keras_path)
    assert np.abs(ours(corrected, problem)[0][0] - keras_path[0][0]).max() > 1e-5


def test_keras_rounds_hyperparameters_to_float32(problem):
    exact, rounded = optim.SGD(0.1, momentum=0.9), optim.SGD(0.1, momentum=float(np.float32(0.9)))
    theirs = kerass(K.SGD(0.1, momentum=0.9), problem)
    assert_same_path(ours(rounded, problem), theirs)
    assert np.abs(ours(exact, problem)[-1][0] - theirs[-1][0]).max() > 1e-9


def test_keras_rounds_betas_in_the_correction_alone(problem):
    """With 0.9 and 0.999 Keras averages with the numbers themselves and corrects with their float32 roundings."""
    rounded1, rounded2 = float(np.float32(0.9)), float(np.float32(0.999))
    params, gradients = problem
    m, v, path = [0.0] * len(params), [0.0] * len(params), []
    for t, grads in enumerate(gradients, start=1):
        m = [0.9 * a + 0.1 * g for a, g in zip(m, grads, strict=True)]
        v = [0.999 * a + 0.001 * g**2 for a, g in zip(v, grads, strict=True)]
        rate = 0.02 * np.sqrt(1 - rounded2**t) / (1 - rounded1**t)
        params = [w - rate * a / (np.sqrt(b) + 1e-7) for w, a, b in zip(params, m, v, strict=True)]
        path.append(params)
    theirs = kerass(K.Adam(0.02), problem)
    assert_same_path(path, theirs)
    exact = ours(optim.Adam(0.02, epsilon=1e-7, epsilon_at="raw"), problem)
    assert 1e-8 < np.abs(exact[-1][0] - theirs[-1][0]).max() < 1e-5


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (optim.SGD(0.1, momentum=0.9, weight_decay=0.3), lambda p: T.SGD(p, 0.1, momentum=0.9, weight_decay=0.3)),
        (optim.AdamW(0.02, weight_decay=0.3), lambda p: T.AdamW(p, 0.02, weight_decay=0.3)),
    ],
)
def test_a_schedule_as_in_pytorch(mine, theirs, problem):
    params, gradients = problem
    tensors = [torch.tensor(p, requires_grad=True) for p in params]
    optimizer = theirs(tensors)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.8**step)
    state = mine.init(params)
    for step, grads in enumerate(gradients[:10]):
        for tensor, gradient in zip(tensors, grads, strict=True):
            tensor.grad = torch.tensor(gradient)
        optimizer.step()
        schedule.step()
        params, state = mine.step(params, grads, state, multiplier=0.8**step)
    for w, tensor in zip(params, tensors, strict=True):
        assert np.abs(w - tensor.detach().numpy()).max() <= 1e-12


def test_pytorch_leaves_a_group_without_decay_alone(problem):
    mine = optim.AdamW(0.02, weight_decay=0.3, decay=(True, False, True))

    def theirs(p):
        groups = [{"params": [p[0], p[2]], "weight_decay": 0.3}, {"params": [p[1]], "weight_decay": 0.0}]
        return T.AdamW(groups, 0.02)

    assert_same_path(ours(mine, problem), torchs(theirs, problem))


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (optim.SGD(0.1, momentum=0.9, weight_decay=0.3), lambda p: T.SGD(p, 0.1, momentum=0.9, weight_decay=0.3)),
        (optim.Adam(0.02), lambda p: T.Adam(p, 0.02)),
        (optim.AdamW(0.02, weight_decay=0.3), lambda p: T.AdamW(p, 0.02, weight_decay=0.3)),
    ],
)
def test_five_steps_in_float32(mine, theirs, problem):
    params, gradients = problem
    single = [p.astype(np.float32) for p in params], [[g.astype(np.float32) for g in gs] for gs in gradients[:5]]
    path = ours(mine, single)
    assert path[-1][0].dtype == np.float32
    assert_same_path(path, torchs(theirs, single), tolerance=1e-6)


def test_keras_leaves_excluded_variables_alone():
    optimizer = K.AdamW(0.1, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    weights = keras.Variable(np.ones(2), dtype="float64", name="weights")
    bias = keras.Variable(np.ones(2), dtype="float64", name="bias")
    optimizer.apply([keras.ops.zeros(2, dtype="float64")] * 2, [weights, bias])
    mine = optim.AdamW(0.1, weight_decay=0.5, decay=(True, False))
    params, _ = mine.step([np.ones(2)] * 2, [np.zeros(2)] * 2, mine.init([np.ones(2)] * 2))
    np.testing.assert_allclose(weights.numpy(), params[0], rtol=1e-12)
    np.testing.assert_allclose(bias.numpy(), params[1], rtol=1e-12)


def test_default_decays_differ():
    parameter = [torch.zeros(1, requires_grad=True)]
    assert T.AdamW(parameter).defaults["weight_decay"] == optim.AdamW().weight_decay == 0.01
    assert K.AdamW().weight_decay == 0.004
