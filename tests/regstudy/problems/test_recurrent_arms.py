"""Eight arms: equal budgets, and noise where and when each says."""

import numpy as np
import pytest

from reglib.noise import places
from regstudy import recurrent
from regstudy.problems.recurrent_arms import ARMS, RATES


@pytest.mark.parametrize("name", recurrent.TASKS)
def test_every_arm_has_the_same_budget(name):
    problem = recurrent.TASKS[name]
    rates = {setting["learning_rate"] for setting in problem.arm("state").settings}
    for way in ARMS.values():
        arm = problem.arm(way.name)
        tried = {(setting["rate"], setting["learning_rate"]) for setting in arm.settings}
        assert len(tried) == len(arm.settings) == 6
        assert {rate for rate, _ in tried} == ({0.0} if way.name == "none" else set(RATES))
        assert rates <= {learning_rate for _, learning_rate in tried}
        assert (arm.name, arm.words, arm.source) == (way.name, way.words, way.source)


def test_the_arm_without_noise_tries_learning_rates_around_the_others():
    settings = ARMS["none"].arm((0.04, 0.01)).settings
    assert [setting["learning_rate"] for setting in settings] == pytest.approx(
        [0.12, 0.04, 0.02, 0.01, 0.005, 0.01 / 3]
    )


def test_every_arm_puts_its_noise_where_and_when_it_says(tiny):
    net, x = tiny.task.net, np.zeros((5, 6, 2))
    shapes = net.places(net.init(np.random.default_rng(0)), x)
    for way in ARMS.values():
        arm = tiny.arm(way.name)
        kinds = arm.technique(Setting(0.5)).noise
        drawn = places.draw(np.random.default_rng(0), kinds, shapes)
        steps = 1 if way.name in ("variational", "recurrent") else 6
        assert {place: noise.gain.shape[-2] for place, noise in drawn.items()} == dict.fromkeys(way.places, steps)
        values = {float(gain) for noise in drawn.values() for gain in np.unique(noise.gain)}
        assert values <= ({0.0, 1.0} if way.name == "zoneout" else {0.0, 2.0})
        expected = places.expected(arm.technique(Setting(0.3)).noise, shapes)
        if way.name == "zoneout":
            assert {place: float(noise.gain) for place, noise in expected.items()} == {"zone_h": 0.7, "zone_c": 0.7}
        else:
            assert not expected


class Setting:
    """A setting with a rate."""

    def __init__(self, rate):
        self.rate = rate
