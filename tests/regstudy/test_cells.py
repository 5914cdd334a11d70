"""A cell: what is stored of it, seeds that do not depend on their neighbors, arms that differ in their noise alone."""

import json

import numpy as np
import pytest

from regstudy import cells
from regstudy.problems.recurrent_arms import ARMS


def train(problem, arm, settings, seeds, test=True):
    return cells.train(problem.home, problem.task.name, arm, settings, seeds, test=test)


def setting(rate, learning_rate=0.02):
    return {"rate": rate, "learning_rate": learning_rate}


@pytest.mark.parametrize("arm", ARMS)
def test_a_seeds_numbers_do_not_depend_on_its_neighbors(tiny, arm):
    settings = tiny.arm(arm).settings
    together = train(tiny, arm, settings, [4, 7, 2])
    alone = train(tiny, arm, settings[-1:], [7])
    for part in ("train", "validation", "test", "best_step"):
        assert together[part][-1][1] == alone[part][0][0]
    assert len({tuple(row) for row in together["test"]}) == 6
    assert len(set(together["test"][-1])) == 3


def test_arms_share_data_start_and_batches(tiny):
    """At rate 0 every arm is the arm without noise, number by number."""
    plain = train(tiny, "none", [setting(0.0)], [0, 1])
    for arm in ARMS:
        same, noisy = train(tiny, arm, [setting(0.0)], [0, 1]), train(tiny, arm, [setting(0.5)], [0, 1])
        assert same["test"] == plain["test"]
        assert (noisy["train_curve"] == plain["train_curve"]) is (arm == "none")


def test_a_cell_is_plain_and_comes_back_as_a_result(tiny):
    cell = json.loads(json.dumps(train(tiny, "state", [setting(0.1), setting(0.25)], [3, 5, 8])))
    found = cells.result(cell)
    assert found.settings == (setting(0.1), setting(0.25))
    assert found.seeds == (3, 5, 8)
    assert found.validation.shape == found.train.shape == found.test.shape == found.best_step.shape == (2, 3)
    assert list(found.steps) == [0, 2, 4, 6]
    assert found.train_curve.shape == found.validation_curve.shape == (4, 2, 1)
    assert found.validation_curve[-1, 1, 0] == cell["validation_curve"][1][-1]
    assert found.validation[1].mean() <= found.validation_curve[:, 1].min() + 1e-6
    assert cell["cpu_seconds"] >= 0
    assert cell["seconds"] >= 0


def test_test_data_are_measured_when_asked_for_only(tiny):
    cell = train(tiny, "none", [setting(0.0)], [0], test=False)
    assert "test" not in cell
    assert cells.result(cell).test is None
    assert np.isfinite(cells.result(cell).validation).all()
