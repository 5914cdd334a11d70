"""Optimizers in terms of the frameworks': what maps to what, what has no counterpart, what is noticed."""

import numpy as np
import pytest
import torch

from regbook import replay
from regbook.replay.frameworks import in_float64
from reglib.train.optim import SGD, Adam, AdamW

RNG = np.random.default_rng(0)
PARAMS = {"w1": RNG.normal(size=(3, 2)), "b1": RNG.normal(size=2)}
GRADIENTS = [{name: RNG.normal(size=p.shape) for name, p in PARAMS.items()} for _ in range(12)]
BETAS = {"beta1": 0.875, "beta2": 1 - 2**-10}
RAW = BETAS | {"epsilon": 1e-3, "epsilon_at": "raw"}


@pytest.mark.parametrize(
    ("optimizer", "theirs"),
    [
        (SGD(0.1), ()),
        (SGD(0.1, momentum=0.875), ()),
        (SGD(0.1, momentum=0.875, nesterov=True), ()),
        (SGD(0.1, weight_decay=0.125), ()),
        (SGD(0.1, weight_decay=0.125, decoupled=True, decay_on="weight"), ()),
        (SGD(0.1, momentum=0.9, weight_decay=0.3, l2=0.1, decay_on="weight"), ("torch",)),
        (SGD(0.1, momentum=0.875, weight_decay=0.125, decoupled=True, decay_on="weight"), ("keras",)),
        (Adam(0.1, **BETAS, epsilon=1e-15), ()),
        (Adam(0.1, weight_decay=0.3, l2=0.1, epsilon=1e-3), ("torch",)),
        (Adam(0.1, **RAW), ("keras",)),
        (AdamW(0.1, **BETAS, epsilon=1e-15, weight_decay=0.125, decay_on="bias"), ()),
        (AdamW(0.1, weight_decay=0.3, epsilon=1e-3), ("torch",)),
        (AdamW(0.1, **RAW, weight_decay=0.125), ("keras",)),
    ],
)
def test_counterparts(optimizer, theirs):
    parity = replay.optimizer_parity(optimizer, PARAMS, GRADIENTS, *theirs)
    _, found = parity.rows[type(optimizer).__name__]
    assert len(found) == len(theirs or "12")


@pytest.mark.parametrize(
    ("optimizer", "framework", "words"),
    [
        (SGD(0.1, momentum=0.875, weight_decay=0.125), "keras", "Keras has no counterpart .*: its decay is decoupled"),
        (SGD(0.1, momentum=0.5, weight_decay=0.1, decoupled=True), "torch", "PyTorch has .*: its decay is coupled"),
        (Adam(0.1, **RAW, weight_decay=0.125), "keras", "its decay is decoupled"),
        (SGD(0.1, l2=0.5), "keras", "l2 is coupled; take the penalty reglib.weights.penalties.L2"),
        (AdamW(0.1, l2=0.5), "torch", "l2 is coupled"),
        (AdamW(0.1, scale_decay=False), "torch", "it multiplies the decay by the learning rate"),
        (Adam(0.1, **BETAS), "keras", "its epsilon_at is 'raw'; below 1e-12 the place does not matter"),
        (Adam(0.1, epsilon_at="raw"), "torch", "its epsilon_at is 'corrected'"),
    ],
)
def test_what_a_framework_does_not_have(optimizer, framework, words):
    with pytest.raises(replay.MissingError, match=words):
        replay.optimizer_parity(optimizer, PARAMS, GRADIENTS, framework)


@pytest.mark.parametrize("optimizer", [SGD(0.1, momentum=0.9), AdamW(0.1, **BETAS, epsilon=1e-15, weight_decay=0.1)])
def test_what_keras_would_round(optimizer):
    with pytest.raises(ValueError, match="must be a number that float32 holds"):
        replay.optimizer_parity(optimizer, PARAMS, GRADIENTS, "keras")


def test_replicas_have_no_counterpart():
    with pytest.raises(ValueError, match="must be plain numbers, not one a replica"):
        replay.torch_optimizer(SGD(np.array([0.1, 0.2])), [torch.zeros(2)])


def test_optimizers_that_are_written_out():
    start, grads = [*PARAMS.values()], [[*g.values()] for g in GRADIENTS]
    with in_float64() as keras:
        theirs = keras.optimizers.Adam(0.1, beta_1=0.875, beta_2=1 - 2**-10, epsilon=1e-3, weight_decay=0.125)
    mine = AdamW(0.1, **RAW, weight_decay=0.125)
    parity = replay.optimizer_parity(mine, start, grads, theirs, name="Keras' Adam") | replay.optimizer_parity(
        SGD(0.1, momentum=0.9), start, grads, lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9)
    )
    assert [list(found) for _, found in parity.rows.values()] == [["Keras"], ["PyTorch"]]


def test_the_path_of_an_optimizer():
    steps = replay.path(lambda p: torch.optim.SGD(p.values(), lr=0.5), PARAMS, GRADIENTS[:2])
    np.testing.assert_allclose(steps[0]["b1"], PARAMS["b1"] - 0.5 * GRADIENTS[0]["b1"])
    np.testing.assert_allclose(steps[1]["b1"], steps[0]["b1"] - 0.5 * GRADIENTS[1]["b1"])
    alone = replay.path(lambda p: torch.optim.SGD(p, lr=0.5), PARAMS["b1"], [step["b1"] for step in GRADIENTS[:2]])
    np.testing.assert_array_equal(alone, [step["b1"] for step in steps])
    replay.optimizer_parity(SGD(0.1), PARAMS["b1"], [step["b1"] for step in GRADIENTS])
    with pytest.raises(TypeError, match="of PyTorch or Keras is needed"):
        replay.path("SGD", PARAMS, GRADIENTS)


@pytest.mark.parametrize(
    ("optimizer", "theirs"),
    [
        (SGD(0.1), lambda p: torch.optim.SGD(p.values(), lr=0.1 + 1e-9)),
        (SGD(0.1), lambda p: torch.optim.SGD(p.values(), lr=0.1, maximize=True)),
        (SGD(0.1, l2=0.3), lambda p: torch.optim.SGD(p.values(), lr=0.1, weight_decay=0.3)),
        (
            SGD(0.1, weight_decay=0.3, decay_on="weight"),
            lambda p: torch.optim.SGD(p.values(), lr=0.1, weight_decay=0.3),
        ),
        (Adam(0.1, weight_decay=0.3), lambda p: torch.optim.AdamW(p.values(), lr=0.1, weight_decay=0.3)),
        (Adam(0.1, epsilon=1e-3, epsilon_at="raw"), lambda p: torch.optim.Adam(p.values(), lr=0.1, eps=1e-3)),
    ],
)
def test_wrong_numbers_and_signs_are_noticed(optimizer, theirs):
    with pytest.raises(AssertionError, match=r"against PyTorch, [wb]1: largest difference"):
        replay.optimizer_parity(optimizer, PARAMS, GRADIENTS, theirs)


def test_a_word_that_is_no_framework():
    with pytest.raises(ValueError, match="theirs must be one of 'torch', 'keras'; got 'jax'"):
        replay.optimizer_parity(SGD(0.1), PARAMS, GRADIENTS, "jax")
