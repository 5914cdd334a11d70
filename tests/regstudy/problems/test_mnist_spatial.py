"""Spatial dropout on MNIST: a map and a class; units, or whole channels."""

from types import SimpleNamespace

import numpy as np
import pytest

from regbook.task import Part
from reglib.noise import places
from regstudy.problems.mnist_spatial import PROBLEMS, wrong_positions


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=list(PROBLEMS))
def test_budgets_and_noise(problem):
    assert len({len({tuple(setting.items()) for setting in arm.settings}) for arm in problem.arms}) == 1
    task, rng = problem.task, np.random.default_rng(0)
    x = task.parts((0,))[0].inputs()[0, :2]
    shapes = task.net.places(task.net.init(rng), x)
    drawn = {arm.name: places.draw(rng, arm.technique(SimpleNamespace(rate=0.5)).noise, shapes) for arm in problem.arms}
    assert not drawn["none"]
    for name, sides in (("units", ((28, 28), (14, 14))), ("channels", ((1, 1), (1, 1)))):
        assert {place: noise.gain.shape[1:3] for place, noise in drawn[name].items()} == dict(
            zip(("maps1", "maps2"), sides, strict=True)
        )


def test_one_output_is_a_map_and_the_other_a_class():
    for name, shape in (("mnist-spatial-map", (10, 14, 14, 2)), ("mnist-spatial-class", (50, 10))):
        task = PROBLEMS[name].task
        train = task.parts((0,))[0]
        logits = task.net.logits(task.net.init(np.random.default_rng(0), dtype=np.float32), train.inputs()[0])
        assert logits.shape == shape
        assert train.y[0].shape == shape[:-1]
        assert 0 <= task.measure(logits[None], train)[0] <= 100


def test_the_measure_counts_positions():
    logits = np.zeros((1, 2, 2, 2, 2))
    logits[..., 1] = 1.0
    y = np.ones((1, 2, 2, 2), int)
    y[0, 0, 0, 0] = 0
    assert wrong_positions(logits, Part(np.zeros((1, 2, 1)), y)) == pytest.approx([12.5])
