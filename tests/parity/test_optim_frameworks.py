"""Trajectories of reglib's optimizers against PyTorch's and Keras' own, in float64; `regbook.replay` runs them."""

import keras
import numpy as np
import pytest
import torch

from regbook.replay import optimizer_parity, path
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
    optimizer_parity(mine, *problem, theirs)


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
    optimizer_parity(mine, *problem, theirs())


def test_keras_puts_epsilon_elsewhere(problem):
    corrected = optim.Adam(0.02, beta1=BETA1, beta2=BETA2, epsilon=1e-3)
    raw = optim.Adam(0.02, beta1=BETA1, beta2=BETA2, epsilon=1e-3, epsilon_at="raw")
    theirs = path(K.Adam(0.02, epsilon=1e-3, **KADAM), *problem)
    assert_same_path(path(raw, *problem), theirs)
    assert np.abs(path(corrected, *problem)[0][0] - theirs[0][0]).max() > 1e-5


def test_keras_rounds_hyperparameters_to_float32(problem):
    exact, rounded = optim.SGD(0.1, momentum=0.9), optim.SGD(0.1, momentum=float(np.float32(0.9)))
    theirs = path(K.SGD(0.1, momentum=0.9), *problem)
    assert_same_path(path(rounded, *problem), theirs)
    assert np.abs(path(exact, *problem)[-1][0] - theirs[-1][0]).max() > 1e-9


def test_keras_rounds_betas_in_the_correction_alone(problem):
    """With 0.9 and 0.999 Keras averages with the numbers themselves and corrects with their float32 roundings."""
    rounded1, rounded2 = float(np.float32(0.9)), float(np.float32(0.999))
    params, gradients = problem
    m, v, steps = [0.0] * len(params), [0.0] * len(params), []
    for t, grads in enumerate(gradients, start=1):
        m = [0.9 * a + 0.1 * g for a, g in zip(m, grads, strict=True)]
        v = [0.999 * a + 0.001 * g**2 for a, g in zip(v, grads, strict=True)]
        rate = 0.02 * np.sqrt(1 - rounded2**t) / (1 - rounded1**t)
        params = [w - rate * a / (np.sqrt(b) + 1e-7) for w, a, b in zip(params, m, v, strict=True)]
        steps.append(params)
    theirs = path(K.Adam(0.02), *problem)
    assert_same_path(steps, theirs)
    exact = path(optim.Adam(0.02, epsilon=1e-7, epsilon_at="raw"), *problem)
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


def by_name(arrays):
    return dict(zip(("w1", "b1", "w2"), arrays, strict=True))


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (
            optim.SGD(0.1, momentum=0.9, weight_decay=0.3, decay_on="weight"),
            lambda groups: T.SGD(groups, 0.1, momentum=0.9, weight_decay=0.3),
        ),
        (
            optim.Adam(0.02, weight_decay=0.3, decay_on="weight"),
            lambda groups: T.Adam(groups, 0.02, weight_decay=0.3),
        ),
        (
            optim.AdamW(0.02, weight_decay=0.3, decay_on=("w1", "w2")),
            lambda groups: T.AdamW(groups, 0.02, weight_decay=0.3),
        ),
    ],
)
def test_pytorch_leaves_a_group_without_decay_alone(mine, theirs, problem):
    """Parameter groups there are roles or names here: the biases do not decay."""
    params, gradients = problem

    def grouped(p):
        return theirs([{"params": [p["w1"], p["w2"]]}, {"params": [p["b1"]], "weight_decay": 0.0}])

    optimizer_parity(mine, by_name(params), [by_name(grads) for grads in gradients], grouped)
    for everything in (optim.AdamW(0.02, weight_decay=0.3), optim.AdamW(0.02, weight_decay=0.3, decay_on="all")):
        optimizer_parity(everything, *problem, lambda p: T.AdamW(p, 0.02, weight_decay=0.3))


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (optim.SGD(0.1, weight_decay=0.3), lambda p: T.SGD(p, 0.1, weight_decay=0.3)),
        (
            optim.SGD(0.1, momentum=0.9, nesterov=True, weight_decay=0.3),
            lambda p: T.SGD(p, 0.1, momentum=0.9, nesterov=True, weight_decay=0.3),
        ),
        (optim.Adam(0.02, weight_decay=0.3), lambda p: T.Adam(p, 0.02, weight_decay=0.3)),
        (optim.AdamW(0.02, weight_decay=0.3), lambda p: T.AdamW(p, 0.02, weight_decay=0.3)),
    ],
)
@pytest.mark.parametrize("named", [False, True])
def test_pytorch_skips_a_parameter_whose_gradient_is_none(mine, theirs, named, problem):
    """No step, no decay, no momentum; and Adam's count of steps is that of the parameter."""
    params, gradients = problem
    rng = np.random.default_rng(1)
    gradients = [[g if rng.random() < 0.6 else None for g in grads] for grads in gradients]
    gradients[0][1] = gradients[1][1] = gradients[2][1] = None
    gradients = [[*grads[:2], None] for grads in gradients]  # the last is never trained
    given = (by_name(params), [by_name(grads) for grads in gradients]) if named else (params, gradients)
    steps = [list(step.values()) if named else step for step in path(mine, *given)]
    assert_same_path(steps, path(theirs, params, gradients))
    np.testing.assert_array_equal(steps[-1][2], params[2])
    np.testing.assert_array_equal(steps[2][1], params[1])
    assert np.abs(steps[-1][1] - params[1]).max() > 0.01
    zeros = [[np.zeros_like(p) if g is None else g for p, g in zip(params, grads, strict=True)] for grads in gradients]
    assert np.abs(path(mine, params, zeros)[-1][2] - params[2]).max() > 0.01, "a gradient of zero decays"


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
    optimizer_parity(mine, *single, theirs)  # where both must be float32


@pytest.mark.parametrize("beta2", [0.999, 0.9999, 0.999999])
@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_betas_close_to_one_in_float32(beta2, decay, problem):
    """1 - beta**t in float32 would lose most of its digits; PyTorch computes it in double precision, as we do."""
    params, gradients = problem
    single = [p.astype(np.float32) for p in params], [[g.astype(np.float32) for g in gs] for gs in gradients[:10]]
    mine = optim.AdamW(0.02, beta1=0.99, beta2=beta2, weight_decay=decay)
    optimizer_parity(mine, *single, lambda p: T.AdamW(p, 0.02, betas=(0.99, beta2), weight_decay=decay))


def test_keras_leaves_excluded_variables_alone():
    optimizer = K.AdamW(0.1, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    weights = keras.Variable(np.ones(2), dtype="float64", name="weights")
    bias = keras.Variable(np.ones(2), dtype="float64", name="bias")
    optimizer.apply([keras.ops.zeros(2, dtype="float64")] * 2, [weights, bias])
    mine, start = optim.AdamW(0.1, weight_decay=0.5, decay_on="weight"), {"w": np.ones(2), "b": np.ones(2)}
    params, _ = mine.step(start, {"w": np.zeros(2), "b": np.zeros(2)}, mine.init(start))
    np.testing.assert_allclose(weights.numpy(), params["w"], rtol=1e-12)
    np.testing.assert_allclose(bias.numpy(), params["b"], rtol=1e-12)
    np.testing.assert_array_equal(params["b"], 1)
    assert params["w"].max() < 1


def test_default_decays_differ():
    parameter = [torch.zeros(1, requires_grad=True)]
    assert T.AdamW(parameter).defaults["weight_decay"] == optim.AdamW().weight_decay == 0.01
    assert K.AdamW().weight_decay == 0.004
