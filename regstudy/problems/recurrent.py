"""The tasks of the study of recurrent dropout: data, network, and the budget of one training run.

Sizes were chosen before the arms were compared, by pilot runs on seeds from 9000 upwards that the study does not use,
so that the arm without noise overfits: there are few training sequences for the size of the network, or many wrong
labels. Only there can a regularizer show what it is for. The runs are long enough for that arm to pass its best point;
each keeps the parameters of its best validation measurement.
"""

from functools import lru_cache

import numpy as np

from regbook import datasets, sequences
from regbook.task import Part, Task
from reglib.layers.cells import LSTM
from reglib.nets.sequence import Sequence
from reglib.train.losses import softmax_cross_entropy, squared_error
from reglib.train.optim import Adam
from regstudy.problem import Problem, by_name
from regstudy.problems.recurrent_arms import ARMS, CLAIMS


def error_rate(logits, part):
    """Return the share of sequences whose largest logit is not the right class."""
    return (logits.argmax(axis=-1) != part.y).mean(axis=-1)


def squared(logits, part):
    """Return the mean squared error."""
    return ((logits - part.y) ** 2).mean(axis=(-2, -1), dtype=float)


def critical_bits(logits, part):
    """Return the cross-entropy, in bits, of the symbol that only memory can tell: guessing T or P costs 1 bit."""
    at = part.extra[..., None, None]
    labels = np.take_along_axis(part.y, at[..., 0], axis=-1)[..., 0]
    return softmax_cross_entropy(np.take_along_axis(logits, at, axis=-2)[..., 0, :], labels)[0] / np.log(2)


def bits(logits, part):
    """Return the cross-entropy of the next character in bits."""
    rows = logits.reshape(*logits.shape[:-3], -1, logits.shape[-1])
    return softmax_cross_entropy(rows, part.y.reshape(rows.shape[:-1]))[0] / np.log(2)


def digits_data(rng):
    """200 digits with 60 wrong labels, 300 with right ones, and the 597 of the test, the same for every seed."""
    data, order = _digits(), np.random.default_rng(0).permutation(1797)
    train, validation = (order[:1200][rows] for rows in datasets.split(rng, 1200, (200, 300)))
    wrong = datasets.flip_labels(rng, data.y[train], 0.3, 10)
    parts = ((wrong, train), (data.y[validation], validation), (data.y[order[1200:]], order[1200:]))
    return tuple(Part(data.x, y, rows=rows) for y, rows in parts)


def adding_data(rng):
    """The adding problem over 24 steps, with 60 sequences to learn from."""
    return tuple(_part(sequences.adding(rng, n, 24)) for n in (60, 300, 500))


def reber_data(rng):
    """Strings of 16 to 24 symbols of the embedded Reber grammar, 60 to learn from."""
    return tuple(_part(sequences.reber(rng, n, shortest=16, longest=24)) for n in (60, 300, 500))


def characters_data(rng):
    """5,000 characters of the manual to learn from; the last tenth of it is the test, the same for every seed."""
    codes = _manual().codes
    test = len(codes) * 9 // 10
    start = rng.integers(test - 10_000)
    ranges = ((start, start + 5000, 256), (start + 5000, start + 10_000, 128))
    train, validation = (sequences.windows(rng, codes[a:b], n, 32) for a, b, n in ranges)
    return tuple(map(_part, (train, validation, sequences.windows(np.random.default_rng(0), codes[test:], 256, 32))))


_digits = lru_cache(maxsize=1)(sequences.digit_rows)
_manual = lru_cache(maxsize=1)(sequences.manual)


def _part(data):
    """Return sequences as a part of one seed; the measure of the Reber grammar wants to know the critical step."""
    return Part(data.x, data.y, steps=data.steps, extra=data.critical)


def _adam(setting):
    """Return the optimizer of every arm."""
    return Adam(setting.learning_rate)


def _lstm(inputs, hidden, outputs, readout="last"):
    """Return the network of every task."""
    return Sequence(LSTM(), inputs, hidden, outputs, readout)


def _problem(task, words, learning_rates, seeds, tuning_seeds):
    """Return a problem with all arms; they try two ``learning_rates``, the higher one first."""
    arms = tuple(way.arm(learning_rates) for way in ARMS.values())
    return Problem(task, arms, words, seeds, tuning_seeds, __name__, CLAIMS)


COMMON = {"optimizer": _adam, "stop": "best", "drop_last": True}
PROBLEMS = by_name(
    _problem(
        Task(
            "digits",
            _lstm(8, 32, 10),
            digits_data,
            batch_size=32,
            epochs=70,  # of 6 updates
            looks=21,
            training_curve=True,
            measure=error_rate,
            unit="test error",
            **COMMON,
        ),
        words="digits read row by row, 30% of the training labels wrong",
        learning_rates=(0.02, 0.007),
        seeds=24,
        tuning_seeds=8,
    ),
    _problem(
        Task(
            "adding",
            _lstm(2, 24, 1),
            adding_data,
            batch_size=30,
            epochs=250,  # of 2 updates
            looks=20,
            training_curve=True,
            loss=squared_error,
            measure=squared,
            unit="mean squared error",
            **COMMON,
        ),
        words="the adding problem, 24 steps",
        learning_rates=(0.02, 0.007),
        seeds=24,
        tuning_seeds=8,
    ),
    _problem(
        Task(
            "reber",
            _lstm(7, 16, 7, "every"),
            reber_data,
            batch_size=30,
            epochs=250,  # of 2 updates
            looks=20,
            training_curve=True,
            measure=critical_bits,
            unit="bits",
            **COMMON,
        ),
        words="embedded Reber grammar, the symbol that only memory can tell",
        learning_rates=(0.03, 0.01),
        seeds=24,
        tuning_seeds=8,
    ),
    _problem(
        Task(
            "characters",
            _lstm(len(sequences.ALPHABET), 32, len(sequences.ALPHABET), "every"),
            characters_data,
            batch_size=16,
            epochs=25,  # of 16 updates
            looks=16,
            training_curve=True,
            measure=bits,
            unit="bits per character",
            **COMMON,
        ),
        words="the next character of Python's manual, from 5,000 characters",
        learning_rates=(0.02, 0.007),
        seeds=20,
        tuning_seeds=4,
    ),
)
