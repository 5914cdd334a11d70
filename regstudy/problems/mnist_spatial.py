"""Dropout of units and of whole channels on images of 28 x 28 pixels: where the output is a map, or a class.

Spatial dropout was proposed for networks whose output is a map (Tompson et al. 2015, Section 3.2): neighbours in a
feature map say nearly the same, so that a mask of single units takes little away. In "map" a network says for each of
14 x 14 blocks of a noisy image whether there is ink in it; in "class" one reads the digit from the mean over all
positions. Every arm is stopped early and tries as many settings as the others: 12 and 16.
"""

from functools import partial

import numpy as np

from regbook.task import Arm, Task, grid, percent_wrong
from reglib.nets.convnet import ConvNet
from reglib.noise.kinds import Bernoulli
from reglib.train.optim import Adam
from reglib.train.technique import Technique
from regstudy.problem import Claim, Problem, by_name
from regstudy.problems import images

PLACES = ("maps1", "maps2")
CHANNELS = (-3, -2)  # rows and columns of (..., B, rows, columns, C): shared, there is one draw a channel


def _units(setting):
    """Return dropout of single units of both feature maps."""
    return Technique(noise=dict.fromkeys(PLACES, Bernoulli(setting.rate)))


def _channels(setting):
    """Return dropout of whole channels of both."""
    return Technique(noise=dict.fromkeys(PLACES, Bernoulli(setting.rate, CHANNELS)))


def _adam(setting):
    """Return the optimizer of every arm."""
    return Adam(setting.learning_rate)


def _arms(units, channels, learning_rates):
    """Return the arms, with the rates of either; the one without noise tries as many learning rates, farther out."""
    units, channels = (grid(rate=rates, learning_rate=learning_rates) for rates in (units, channels))
    low, high = learning_rates[0] / 3, learning_rates[-1] * 3
    alone = grid(learning_rate=np.geomspace(low, high, len(units)).tolist())
    return (
        Arm("none", alone, one_pass=False, words="no noise"),
        Arm("units", units, _units, one_pass=False, words="single units", source="Hinton et al. 2012"),
        Arm("channels", channels, _channels, one_pass=False, words="whole channels", source="Tompson et al. 2015"),
    )


def wrong_positions(logits, part):
    """Return the percentage of positions where the larger of the two ``logits`` is not the right one."""
    return percent_wrong(logits, part).mean(axis=(-2, -1))


CLAIMS = (
    Claim("dropout of units helps", "units", "none", "Hinton et al. 2012"),
    Claim("dropout of channels helps", "channels", "none", "Tompson et al. 2015"),
    Claim("dropout of channels beats that of units", "channels", "units", "Tompson et al. 2015"),
)
COMMON = {"optimizer": _adam, "looks": 20, "stop": "best"}
PROBLEMS = by_name(
    Problem(
        Task(
            "mnist-spatial-map",
            ConvNet((1, 16, 32, 2), readout="every"),
            partial(images.strokes, train=10, validation=30, test=200, noise=0.7),
            batch_size=5,
            epochs=250,  # of 2 updates
            measure=wrong_positions,
            unit="positions wrong (%)",
            **COMMON,
        ),
        _arms((0.2, 0.4, 0.6), (0.1, 0.3, 0.55), (0.002, 0.006, 0.015, 0.04)),
        "where is ink, from 10 noisy images",
        seeds=24,
        tuning_seeds=8,
        home=__name__,
        claims=CLAIMS,
    ),
    Problem(
        Task(
            "mnist-spatial-class",
            ConvNet((1, 8, 24, 10)),
            partial(images.classed, train=50, validation=200, test=400),
            batch_size=10,
            epochs=100,  # of 5 updates
            **COMMON,
        ),
        _arms((0.1, 0.25, 0.4, 0.6), (0.01, 0.03, 0.08, 0.2), (0.003, 0.01, 0.03, 0.1)),
        "which digit, from 50 images",
        seeds=24,
        tuning_seeds=4,
        home=__name__,
        claims=CLAIMS,
    ),
)
