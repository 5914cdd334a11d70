"""Dropout on MNIST: equal budgets, and each arm regularizes what it says."""

from types import SimpleNamespace

import pytest

from reglib.noise.kinds import Bernoulli, Gaussian
from reglib.train.optim import Adam, AdamW
from regstudy.problems.mnist_dropout import PROBLEMS, RIGHT, WRONG

SETTING = SimpleNamespace(rate=0.5, learning_rate=0.01, weight_decay=2.0)
NOISE = {
    "none": {},
    "hidden": {"hidden1": Bernoulli(0.5)},
    "both": {"input": Bernoulli(0.2), "hidden1": Bernoulli(0.5)},
    "gaussian": {"hidden1": Gaussian(0.5)},
    "decay": {},
}


@pytest.mark.parametrize("arms", [RIGHT, WRONG])
def test_budgets_and_noise(arms):
    assert {len({tuple(setting.items()) for setting in arm.settings}) for arm in arms} == {20}
    assert {arm.name: arm.technique(SETTING).noise for arm in arms} == NOISE


@pytest.mark.parametrize("arms", [RIGHT, WRONG])
def test_the_decay_is_that_of_the_weights(arms):
    decay = AdamW(0.01, weight_decay=2.0, decay_on="weight")
    assert {arm.name: arm.optimizer and arm.optimizer(SETTING) for arm in arms} == dict.fromkeys(NOISE) | {
        "decay": decay
    }


@pytest.mark.parametrize(("name", "problem"), PROBLEMS.items())
def test_the_tasks_differ_in_labels(name, problem):
    train, validation, test = problem.task.parts((0,))
    assert (train.y.shape, validation.y.shape, test.y.shape) == ((1, 500), (1, 500), (1, 1500))
    assert problem.task.optimizer(SETTING) == Adam(0.01)
    assert problem.task.stop == "best"
    assert problem.task.epochs * -(-train.y.shape[1] // 50) == 400
    assert ("wrong" in problem.words) is name.endswith("wrong")
