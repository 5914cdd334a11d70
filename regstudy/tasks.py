"""The tasks of the study of recurrent dropout: data, network, and the budget of one training run.

Sizes were chosen before the arms were compared, by pilot runs on seeds from 9000 upwards that the study does not use,
so that the arm without noise overfits: there are few training sequences for the size of the network, or many wrong
labels. Only there can a regularizer show what it is for. The runs are long enough for that arm to pass its best point.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from regbook import datasets, sequences
from reglib.nets import sequence
from reglib.train.losses import softmax_cross_entropy, squared_error


@dataclass(frozen=True)
class Part:
    """Sequences of S seeds: ``x`` (S, N, T, D) in float32, ``y``, and ``steps`` and ``critical``, arrays or None."""

    x: np.ndarray
    y: np.ndarray
    steps: np.ndarray | None
    critical: np.ndarray | None

    def rows(self, index):
        """Return the sequences ``index``, (S, B), of each seed."""
        at = np.arange(len(index))[:, None], index
        return Part(self.x[at], self.y[at], *(None if a is None else a[at] for a in (self.steps, self.critical)))


@dataclass(frozen=True)
class Task:
    """One task.

    ``data`` takes a generator and returns `regbook.sequences.Sequences` for training, validation and test. ``measure``
    takes logits and a `Part` and returns one number a seed, lower is better: early stopping, the choice of settings
    and the verdicts go by it. ``updates`` is the length of a run, ``every`` the updates between two measurements;
    ``learning_rates`` the two that are tried with each rate of noise.
    """

    name: str
    words: str
    unit: str
    data: Callable
    measure: Callable
    readout: str
    loss: Callable
    outputs: int
    hidden: int
    batch: int
    updates: int
    every: int
    learning_rates: tuple
    seeds: int
    tuning_seeds: int

    def parts(self, seeds):
        """Return the `Part` for training, that for validation and that for the test."""
        return _parts(self, tuple(seeds))

    def fingerprint(self):
        """Return a hash of the data of seed 0, all three parts; it differs where the data differ."""
        digest = hashlib.sha256()
        for part in self.parts((0,)):
            for array in (part.x, part.y):
                digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


@lru_cache(maxsize=4)
def _parts(task, seeds):
    """Return the three parts of some seeds; each seed draws its own, whatever the others do."""
    drawn = [task.data(np.random.default_rng([seed, 0])) for seed in seeds]
    return tuple(_stacked(part, task.loss is squared_error) for part in zip(*drawn, strict=True))


def _stacked(part, real):
    """Return the sequences of several seeds as one `Part`."""
    x, y, steps, critical = ([getattr(each, name) for each in part] for name in ("x", "y", "steps", "critical"))
    y = np.stack(y).astype(np.float32 if real else np.int64)
    steps, critical = (None if each[0] is None else np.stack(each) for each in (steps, critical))
    return Part(np.stack(x).astype(np.float32), y, steps, critical)


def error_rate(logits, part):
    """Return the share of sequences whose largest logit is not the right class."""
    return (logits.argmax(axis=-1) != part.y).mean(axis=-1)


def squared(logits, part):
    """Return the mean squared error."""
    return ((logits - part.y) ** 2).mean(axis=(-2, -1), dtype=float)


def critical_bits(logits, part):
    """Return the cross-entropy, in bits, of the symbol that only memory can tell: guessing T or P costs 1 bit."""
    at = part.critical[..., None, None]
    labels = np.take_along_axis(part.y, at[..., 0], axis=-1)[..., 0]
    return softmax_cross_entropy(np.take_along_axis(logits, at, axis=-2)[..., 0, :], labels)[0] / np.log(2)


def bits(logits, part):
    """Return the cross-entropy of the next character in bits."""
    return sequence.mean_loss(logits, part.y, readout="every") / np.log(2)


def digits_data(rng):
    """200 digits with 60 wrong labels, 300 with right ones, and the 597 of the test, the same for every seed."""
    data, order = sequences.digit_rows(), np.random.default_rng(0).permutation(1797)
    train, validation = (order[:1200][rows] for rows in datasets.split(rng, 1200, (200, 300)))
    labels = data.y.copy()
    labels[train] = datasets.flip_labels(rng, data.y[train], 0.3, 10)
    return tuple(_of(data, rows, labels) for rows in (train, validation, order[1200:]))


def adding_data(rng):
    """The adding problem over 24 steps, with 60 sequences to learn from."""
    return tuple(sequences.adding(rng, n, 24) for n in (60, 300, 500))


def reber_data(rng):
    """Strings of 16 to 24 symbols of the embedded Reber grammar, 60 to learn from."""
    return tuple(sequences.reber(rng, n, shortest=16, longest=24) for n in (60, 300, 500))


def characters_data(rng):
    """5,000 characters of the manual to learn from; the last tenth of it is the test, the same for every seed."""
    codes = _manual().codes
    test = len(codes) * 9 // 10
    start = rng.integers(test - 10_000)
    ranges = ((start, start + 5000, 256), (start + 5000, start + 10_000, 128))
    train, validation = (sequences.windows(rng, codes[a:b], n, 32) for a, b, n in ranges)
    return train, validation, sequences.windows(np.random.default_rng(0), codes[test:], 256, 32)


_manual = lru_cache(maxsize=1)(sequences.manual)


def _of(data, rows, labels):
    """Return some rows of a data set."""
    return sequences.Sequences(data.x[rows], labels[rows], data.description, data.source)


TASKS = {
    task.name: task
    for task in (
        Task(
            name="digits",
            words="digits read row by row, 30% of the training labels wrong",
            unit="test error",
            data=digits_data,
            measure=error_rate,
            readout="last",
            loss=softmax_cross_entropy,
            outputs=10,
            hidden=32,
            batch=32,
            updates=400,
            every=20,
            learning_rates=(0.02, 0.007),
            seeds=24,
            tuning_seeds=8,
        ),
        Task(
            name="adding",
            words="the adding problem, 24 steps",
            unit="mean squared error",
            data=adding_data,
            measure=squared,
            readout="last",
            loss=squared_error,
            outputs=1,
            hidden=24,
            batch=30,
            updates=500,
            every=25,
            learning_rates=(0.02, 0.007),
            seeds=24,
            tuning_seeds=8,
        ),
        Task(
            name="reber",
            words="embedded Reber grammar, the symbol that only memory can tell",
            unit="bits",
            data=reber_data,
            measure=critical_bits,
            readout="every",
            loss=softmax_cross_entropy,
            outputs=7,
            hidden=16,
            batch=30,
            updates=500,
            every=25,
            learning_rates=(0.03, 0.01),
            seeds=24,
            tuning_seeds=8,
        ),
        Task(
            name="characters",
            words="the next character of Python's manual, from 5,000 characters",
            unit="bits per character",
            data=characters_data,
            measure=bits,
            readout="every",
            loss=softmax_cross_entropy,
            outputs=len(sequences.ALPHABET),
            hidden=32,
            batch=16,
            updates=400,
            every=25,
            learning_rates=(0.02, 0.007),
            seeds=20,
            tuning_seeds=4,
        ),
    )
}
