"""What the tests of a training step share: a small network, forty images, generators and parameters."""

import numpy as np

from regbook.datasets import digits
from reglib.nets.mlp import MLP

NET = MLP((64, 8, 10))
X, Y = digits().x[:40], digits().y[:40]


def rng(seed=5):
    return np.random.default_rng(seed)


def params(replicas=()):
    return NET.init(rng(1), replicas=replicas)
