"""Averages of the weights over the steps of training: exponential (EMA) and plain (SWA).

The network is trained as ever; an average of the parameters is kept in the technique's memory and used at prediction.
``Technique(**EMA(0.99).parts())`` says all of that; other parts of the technique may stand beside it.

Sources
-------
B. T. Polyak and A. B. Juditsky, Acceleration of stochastic approximation by averaging, SIAM J. Control 30 (1992).
P. Izmailov et al., Averaging weights leads to wider optima and better generalization, UAI 2018, arXiv:1803.05407.
"""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass

import numpy as np

from reglib._validate import (
    boolean,
    function,
    instance,
    integer,
    number,
    replica_shape,
)
from reglib._values import Value
from reglib.weights.parameters import each


@dataclass(frozen=True, eq=False)
class Averaging(Value):
    """What the averages share: when they take a step in, and that they predict."""

    def parts(self):
        """Return the parts of a `reglib.train.technique.Technique`: ``between`` and ``predict``."""
        return {"between": self, "predict": self.predict}

    def predict(self, rng, forward, x, params, memory):
        """Return the output of the average; of the parameters, where none has been taken yet."""
        function("forward", forward)
        instance("memory", memory, Mapping, "a dict")
        return forward(memory.get("average", params), x)

    def _taken(self, params, memory, times, share):
        """Return params and memory, the parameters taken in if it is time; ``share(n)`` is the weight of the n-th."""
        start, every = times
        step = memory.get("average_steps", 0) + 1
        taken = memory.get("average_taken", 0)
        memory = dict(memory, average_steps=step)
        if step >= start and (step - start) % every == 0:
            average = params
            if taken:
                average = each(
                    lambda old, new: _between(old, new, share(taken + 1)),
                    memory["average"],
                    params,
                )
            memory |= {"average": average, "average_taken": taken + 1}
        return params, memory


@dataclass(frozen=True, eq=False)
class EMA(Averaging):
    """Exponential moving average, e_1 = w_1, e_t = d e_{t-1} + (1 - d) w_t after step t.

    Parameters
    ----------
    decay : number or ndarray of shape (S,), in [0, 1)
        The d, one a replica. The effective number of steps averaged is (1 + d) / (1 - d).
    start, every : int >= 1
        The first step that is taken in, and how many steps lie between two.
    unbiased : bool
        Let the first iterate count like every other: the weights of all are divided by 1 - d^t. By default, as in
        PyTorch's ``AveragedModel`` and Keras' ``use_ema``, it has weight d^(t-1) after t steps.
    """

    decay: float | np.ndarray
    _: KW_ONLY
    start: int = 1
    every: int = 1
    unbiased: bool = False

    def __post_init__(self):
        decay = number(
            "decay", self.decay, low=0, high=1, high_open=True, replicas=True
        )
        self._store("decay", decay)
        _check_times(self)
        boolean("unbiased", self.unbiased)

    def __call__(self, params, memory):
        """Return the parameters as they are, and the memory with the new average."""
        return self._taken(
            params, memory, (self.start, self.every), self._share
        )

    def _share(self, t):
        """Return the weight of the newest of t iterates."""
        decay = np.asarray(self.decay)
        return (1 - decay) / (1 - decay**t) if self.unbiased else 1 - decay


@dataclass(frozen=True, eq=False)
class SWA(Averaging):
    """Stochastic weight averaging: the plain mean of the iterates from a step on (Izmailov et al. 2018, Algorithm 1).

    Parameters
    ----------
    start, every : int >= 1
        The first step that is taken in, and how many steps lie between two; the authors take one an epoch.
    """

    start: int
    _: KW_ONLY
    every: int = 1

    def __post_init__(self):
        _check_times(self)

    def __call__(self, params, memory):
        """Return the parameters as they are, and the memory with the new average."""
        return self._taken(
            params, memory, (self.start, self.every), lambda n: 1 / n
        )


def ema_weights(decay, steps, *, unbiased=False):
    """Return the weight of each iterate w_1, ..., w_t in an exponential average after t steps; they sum to 1.

    Parameters
    ----------
    decay : number in [0, 1)
    steps : int
    unbiased : bool
        As in `EMA`.

    Returns
    -------
    ndarray, (steps,)
    """
    decay = number("decay", decay, low=0, high=1, high_open=True)
    steps = integer("steps", steps, low=1)
    weights = (1 - decay) * decay ** np.arange(steps - 1, -1, -1.0)
    if boolean("unbiased", unbiased):
        return weights / weights.sum()
    weights[0] = decay ** (steps - 1)
    return weights


def _between(old, new, share):
    """Return an average moved towards a new value by a share, one number or one a replica, in the dtype of ``old``."""
    share = replica_shape("decay", share, "the parameters", old)
    return np.add(old, share * (new - old), dtype=old.dtype)


def _check_times(average):
    """Complain about when an average begins and how often it takes a step in."""
    for name in ("start", "every"):
        integer(name, getattr(average, name), low=1)
