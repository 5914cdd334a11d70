"""Dropout on images of 28 x 28 pixels: where, of which kind, and beside weight decay.

A network with one hidden layer sees 500 images, with right labels or with 30% wrong ones. Every arm, the
one that regularizes nothing too, is stopped early and tries 20 settings.
"""

from functools import partial

import numpy as np

from regbook.task import Arm, Task, grid
from reglib.nets.mlp import MLP
from reglib.noise.kinds import Bernoulli, Gaussian
from reglib.train.optim import Adam, AdamW
from reglib.train.technique import Technique
from regstudy.problem import Claim, Problem, by_name
from regstudy.problems import images

# Of the rate of the hidden units: 0.2 beside 0.5, as in Srivastava et al. 2014, Appendix A.
INPUT_SHARE = 0.4


def _hidden(setting):
    """Return dropout of the hidden units."""
    return Technique(noise={"hidden1": Bernoulli(setting.rate)})


def _both(setting):
    """Return dropout of the hidden units and, weaker, of the pixels."""
    return Technique(noise={"input": Bernoulli(INPUT_SHARE * setting.rate), "hidden1": Bernoulli(setting.rate)})


def _gaussian(setting):
    """Return Gaussian noise of the variance of dropout on the hidden units."""
    return Technique(noise={"hidden1": Gaussian(setting.rate)})


def _adam(setting):
    """Return the optimizer of every arm but one."""
    return Adam(setting.learning_rate)


def _adamw(setting):
    """Return Adam with decoupled decay of the weights."""
    return AdamW(setting.learning_rate, weight_decay=setting.weight_decay, decay_on="weight")


def _arms(rates, decays, learning_rates):
    """Return the arms; the one without a regularizer tries as many learning rates, and farther out."""
    noisy = {"settings": grid(rate=rates, learning_rate=learning_rates), "one_pass": False}
    low, high = learning_rates[0] / 3, learning_rates[-1] * 3
    alone = grid(learning_rate=np.geomspace(low, high, len(noisy["settings"])).tolist())
    decaying = grid(weight_decay=decays, learning_rate=learning_rates)
    of = {"hidden": "Hinton et al. 2012", "both": "Srivastava et al. 2014", "decay": "Loshchilov and Hutter 2019"}
    return (
        Arm("none", alone, one_pass=False, words="no regularizer"),
        Arm("hidden", technique=_hidden, words="dropout of hidden units", source=of["hidden"], **noisy),
        Arm("both", technique=_both, words="dropout of inputs and hidden units", source=of["both"], **noisy),
        Arm("gaussian", technique=_gaussian, words="Gaussian dropout of hidden units", source=of["both"], **noisy),
        Arm("decay", decaying, optimizer=_adamw, one_pass=False, words="AdamW's decay", source=of["decay"]),
    )


# With wrong labels the best regularizers are stronger and the best learning rates smaller.
RIGHT = _arms((0.02, 0.1, 0.3, 0.5, 0.7), (0.003, 0.03, 0.2, 1.0, 6.0), (0.001, 0.003, 0.01, 0.03))
WRONG = _arms((0.1, 0.3, 0.5, 0.7, 0.85), (0.1, 0.5, 2.0, 8.0, 30.0), (0.0003, 0.001, 0.003, 0.01))
CLAIMS = (
    Claim("dropout of hidden units helps", "hidden", "none", "Hinton et al. 2012"),
    Claim("dropout of inputs and hidden units helps", "both", "none", "Srivastava et al. 2014"),
    Claim("Gaussian dropout helps", "gaussian", "none", "Srivastava et al. 2014"),
    Claim("weight decay helps", "decay", "none"),
    Claim("dropout of inputs, too, beats that of hidden units", "both", "hidden", "Srivastava et al. 2014"),
    Claim("dropout of hidden units beats weight decay", "hidden", "decay", "Srivastava et al. 2014"),
    Claim("Gaussian beats Bernoulli", "gaussian", "hidden", "Srivastava et al. 2014"),
)


def _problem(train, wrong, epochs, arms, tuning_seeds=4):
    """Return the problem with so many training images and such a share of wrong labels."""
    task = Task(
        f"mnist-dropout-{train}{'-wrong' if wrong else ''}",
        MLP((784, 100, 10)),
        partial(images.labelled, train=train, validation=500, wrong=wrong),
        _adam,
        batch_size=50,
        epochs=epochs,
        looks=20,
        stop="best",
    )
    words = f"{train:,} images, {f'{wrong:.0%} of the labels wrong' if wrong else 'all labels right'}"
    return Problem(task, arms, words, seeds=24, tuning_seeds=tuning_seeds, home=__name__, claims=CLAIMS)


PROBLEMS = by_name(
    _problem(500, 0.0, 40, RIGHT, tuning_seeds=8),  # with 4, settings with nothing between them
    _problem(500, 0.3, 40, WRONG),
)
