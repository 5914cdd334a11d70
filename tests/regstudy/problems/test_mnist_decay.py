"""Weight decay on MNIST: equal budgets, and each arm decays as it says, weights alone."""

from types import SimpleNamespace

import pytest

from reglib.train.optim import SGD, Adam, AdamW
from regstudy.problems.mnist_decay import PROBLEMS

ARMS = [problem.arms for problem in PROBLEMS.values()]
SETTING = SimpleNamespace(learning_rate=0.01, weight_decay=0.5)
DECAY = {"weight_decay": 0.5, "decay_on": "weight"}


@pytest.mark.parametrize("arms", ARMS)
def test_budgets_and_optimizers(arms):
    assert {len({tuple(setting.items()) for setting in arm.settings}) for arm in arms} == {32}
    assert {arm.name: arm.optimizer(SETTING) for arm in arms} == {
        "SGD": SGD(0.01, momentum=0.9),
        "SGD + L2": SGD(0.01, momentum=0.9, **DECAY),
        "Adam": Adam(0.01),
        "Adam + L2": Adam(0.01, **DECAY),
        "AdamW": AdamW(0.01, **DECAY),
    }
    assert not any(arm.technique(SETTING).noise for arm in arms)


@pytest.mark.parametrize("arms", ARMS)
def test_strengths_span_decades_and_learning_rates_reach_beyond(arms):
    for arm in arms:
        rates = {setting["learning_rate"] for setting in arm.settings}
        decays = {setting.get("weight_decay") for setting in arm.settings}
        assert (decays == {None}) is (arm.name in ("SGD", "Adam"))
        assert max(rates) >= 30 * min(rates) * 0.99
        if None not in decays:
            assert max(decays) >= 1000 * min(decays)


def test_labels_are_right_or_wrong():
    clean, wrong = (problem.task.parts((0,))[0] for problem in PROBLEMS.values())
    assert list(PROBLEMS) == ["mnist-decay-500", "mnist-decay-500-wrong"]
    assert (clean.rows == wrong.rows).all()
    assert (clean.y != wrong.y).sum() == 150
