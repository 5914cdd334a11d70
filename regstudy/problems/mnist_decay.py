"""Weight decay on images of 28 x 28 pixels: in SGD, coupled in Adam, and decoupled, beside neither.

A network with one hidden layer sees 500 images with right labels or with 30% wrong ones. Every arm is stopped early and
tries 32 settings; both optimizers are tried without decay, too. The decay acts on the weights, not on the biases.
"""

from functools import partial

import numpy as np

from regbook.task import Arm, Task, grid
from reglib.nets.mlp import MLP
from reglib.train.optim import SGD, Adam, AdamW
from regstudy.problem import Claim, Problem, by_name
from regstudy.problems import images


def _sgd(setting):
    """Return SGD with momentum."""
    return SGD(setting.learning_rate, momentum=0.9)


def _sgd_l2(setting):
    """Return the same with an L2 penalty, which is its weight decay."""
    return SGD(setting.learning_rate, momentum=0.9, weight_decay=setting.weight_decay, decay_on="weight")


def _adam(setting):
    """Return Adam."""
    return Adam(setting.learning_rate)


def _adam_l2(setting):
    """Return Adam with an L2 penalty, whose gradient it scales like the other."""
    return Adam(setting.learning_rate, weight_decay=setting.weight_decay, decay_on="weight")


def _adamw(setting):
    """Return Adam with decoupled decay."""
    return AdamW(setting.learning_rate, weight_decay=setting.weight_decay, decay_on="weight")


COUPLED = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
DECOUPLED = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)


def _arm(name, optimizer, rates, decays, words, source=""):
    """Return an arm; without ``decays`` it tries as many learning rates as the others settings."""
    if decays:
        settings = grid(weight_decay=decays, learning_rate=rates)
    else:
        settings = grid(learning_rate=np.geomspace(rates[0] / 3, rates[-1] * 3, 32).tolist())
    return Arm(name, settings, optimizer=optimizer, one_pass=False, words=words, source=source)


def _arms(sgd_rates, adam_rates):
    """Return the arms; where labels are wrong both optimizers want smaller learning rates."""
    return (
        _arm("SGD", _sgd, sgd_rates, (), "SGD with momentum, no decay"),
        _arm("SGD + L2", _sgd_l2, sgd_rates, COUPLED, "SGD with momentum and L2", "Krogh and Hertz 1991"),
        _arm("Adam", _adam, adam_rates, (), "Adam, no decay"),
        _arm("Adam + L2", _adam_l2, adam_rates, COUPLED, "Adam with L2"),
        _arm("AdamW", _adamw, adam_rates, DECOUPLED, "Adam with decoupled decay", "Loshchilov and Hutter 2019"),
    )


CLAIMS = (
    Claim("L2 helps SGD", "SGD + L2", "SGD", "Krogh and Hertz 1991"),
    Claim("L2 helps Adam", "Adam + L2", "Adam"),
    Claim("decoupled decay helps Adam", "AdamW", "Adam", "Loshchilov and Hutter 2019"),
    Claim("decoupled decay beats L2 in Adam", "AdamW", "Adam + L2", "Loshchilov and Hutter 2019"),
    Claim("AdamW beats SGD with L2", "AdamW", "SGD + L2"),
)


def _problem(wrong, *rates):
    """Return the problem with such a share of wrong labels, and learning ``rates`` for SGD and Adam."""
    task = Task(
        f"mnist-decay-500{'-wrong' if wrong else ''}",
        MLP((784, 100, 10)),
        partial(images.labelled, train=500, validation=500, wrong=wrong),
        _adam,
        batch_size=50,
        epochs=40,
        looks=20,
        stop="best",
    )
    words = f"500 images, {f'{wrong:.0%} of the labels wrong' if wrong else 'all labels right'}"
    return Problem(task, _arms(*rates), words, seeds=24, tuning_seeds=4, home=__name__, claims=CLAIMS)


PROBLEMS = by_name(
    _problem(0.0, (0.03, 0.1, 0.3, 1.0), (0.001, 0.003, 0.01, 0.03)),
    _problem(0.3, (0.001, 0.003, 0.01, 0.03), (0.0003, 0.001, 0.003, 0.01)),
)
