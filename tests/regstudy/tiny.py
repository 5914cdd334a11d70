"""A task that takes a moment, in a module of its own: workers look it up here."""

import os

from regbook import sequences
from regbook.task import Part, Task
from reglib.layers.cells import LSTM
from reglib.nets.sequence import Sequence
from reglib.train.losses import squared_error
from reglib.train.optim import Adam
from regstudy.problem import Problem, by_name
from regstudy.problems.recurrent import squared
from regstudy.problems.recurrent_arms import ARMS, CLAIMS

NOTE = "REGSTUDY_TEST_NOTE"


def data(rng):
    """Four steps of the adding problem."""
    drawn = (sequences.adding(rng, n, 4) for n in (8, 6, 6))
    return tuple(Part(part.x, part.y) for part in drawn)


def optimizer(setting):
    """Adam; but the first process that finds the note of a test takes it and dies."""
    note = os.environ.get(NOTE)
    if note and os.path.exists(note):
        os.unlink(note)
        os._exit(1)
    return Adam(setting.learning_rate)


TASK = Task(
    "tiny",
    Sequence(LSTM(), 2, 3, 1),
    data,
    optimizer,
    batch_size=4,
    epochs=3,
    looks=3,
    training_curve=True,
    loss=squared_error,
    measure=squared,
    unit="mean squared error",
    stop="best",
    drop_last=True,
)
PROBLEMS = by_name(
    Problem(
        TASK,
        tuple(way.arm((0.02, 0.007)) for way in ARMS.values()),
        "a task that takes a moment",
        seeds=10,
        tuning_seeds=2,
        home=__name__,
        claims=CLAIMS,
    )
)
