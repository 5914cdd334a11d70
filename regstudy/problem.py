"""What a stored study is made of: a task, the arms to compare on it, how many seeds, and what is claimed.

A module of `regstudy.problems` defines some in a dict ``PROBLEMS`` by name; `regstudy.studies` lists these modules,
runs them, and loads what is stored.
"""

import hashlib
from dataclasses import dataclass, field

import numpy as np

from regbook.task import Task

TUNING = 1000


@dataclass(frozen=True)
class Claim:
    """A claim: that arm ``a`` is better than arm ``b``; in ``words``, and ``source``, who says so."""

    words: str
    a: str
    b: str
    source: str = ""


@dataclass(frozen=True)
class Problem:
    """A `regbook.task.Task`, and what a stored study of it needs besides.

    Parameters
    ----------
    task : Task
        Its name is that of the problem, and of its file of results.
    arms : tuple of Arm
        All with the same number of settings.
    words : str
        What the task is.
    seeds : int
        Of the comparison: 0, 1, ...
    tuning_seeds : int
        Of the choice of settings: 1000, 1001, ...
    home : str
        The module that has it in its ``PROBLEMS``: there the processes that do the work look it up.
    claims : tuple of Claim
        What the verdicts are about.
    """

    task: Task
    arms: tuple
    words: str
    seeds: int
    tuning_seeds: int
    home: str
    claims: tuple = field(default=(), repr=False)

    def arm(self, name):
        """Return the arm of this ``name``."""
        return next(arm for arm in self.arms if arm.name == name)

    def fingerprint(self):
        """Return a hash of the data of seed 0, all three parts; it differs where the data differ."""
        digest = hashlib.sha256()
        for part in self.task.parts((0,)):
            for array in (part.inputs(), part.y):
                digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def by_name(*problems):
    """Return problems in a dict by the names of their tasks."""
    return {problem.task.name: problem for problem in problems}
