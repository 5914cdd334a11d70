"""A task and the ways to regularize it: data by seed, a network, the length of a run; techniques with settings to try.

`regbook.fit` trains an `Arm` on a `Task`, `regbook.study` compares several.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np

from regbook import datasets
from reglib._validate import integer, number, one_of
from reglib.train.losses import softmax_cross_entropy
from reglib.train.technique import Technique

# What each seed draws from a generator of its own.
DATA, START, BATCHES, NOISE, PREDICTION = range(5)


@dataclass(frozen=True, eq=False)
class Part:
    """Some examples: of one seed, or of S seeds after `stack`.

    Attributes
    ----------
    x : ndarray, (N, ...)
        The inputs; of several seeds (S, N, ...), or still (N, ...) where they share a pool.
    y : ndarray, (n, ...)
        The targets of the part's examples; of several seeds (S, n, ...). Floats in x and y take the task's dtype.
    rows : ndarray of int, (n,), optional
        Which of the inputs belong to the part, when x is a pool; by default all.
    steps : ndarray of bool, (n, T), optional
        For sequences of unequal length.
    extra : ndarray, (n, ...), optional
        Whatever else the task's measure needs.
    """

    x: np.ndarray
    y: np.ndarray
    rows: np.ndarray | None = None
    steps: np.ndarray | None = None
    extra: np.ndarray | None = None

    def take(self, index, seeds=None):
        """Return x, y and the steps (if there are any) of the examples ``index`` (R, B), one row for each of ``seeds``.

        ``seeds`` are positions along the parts' first axis, (R,); by default 0, 1, ...
        """
        seeds = np.arange(len(index)) if seeds is None else np.asarray(seeds)
        at = seeds[:, None], index
        rest = () if self.steps is None else (self.steps[at],)
        x = self.x[at] if self.rows is None else self.x[self.rows[at]]
        return x, self.y[at], *rest

    def of(self, seeds):
        """Return the part of some seeds alone, of positions along the first axis."""
        chosen: dict[str, Any] = {name: None if (a := getattr(self, name)) is None else a[seeds] for name in _OWN}
        return Part(self.x if self.rows is not None else self.x[seeds], **chosen)

    def inputs(self):
        """Return the inputs of all examples, (S, n, ...)."""
        return self.x if self.rows is None else self.x[self.rows]

    def joined(self, other):
        """Return the examples of two parts of the same seeds as one."""

        def both(a, b) -> Any:
            return None if a is None else np.concatenate([a, b], axis=1)

        rest = {name: both(getattr(self, name), getattr(other, name)) for name in _OWN if name != "rows"}
        if self.rows is not None and self.x is other.x:
            return Part(self.x, rows=both(self.rows, other.rows), **rest)
        return Part(both(self.inputs(), other.inputs()), **rest)


# What a part has for each of its examples, besides x.
_OWN = ("y", "rows", "steps", "extra")


def stack(parts):
    """Return the ``parts`` of several seeds as one; seeds that take rows of one pool go on sharing it."""
    for part in parts:
        _check(part, len(parts[0].y))

    def all_of(name) -> Any:
        arrays = [getattr(part, name) for part in parts]
        return None if arrays[0] is None else np.stack(arrays)

    pool = parts[0].rows is not None and all(part.x is parts[0].x for part in parts)
    rest = {name: all_of(name) for name in ("y", "steps", "extra")}
    if pool or parts[0].rows is None:
        return Part(parts[0].x if pool else all_of("x"), rows=all_of("rows"), **rest)
    return Part(np.stack([part.x[part.rows] for part in parts]), **rest)


def _check(part, count):
    """Complain about a part of one seed that does not have ``count`` examples, or not one of everything for each."""
    if len(part.y) != count:
        raise ValueError(f"a part must have as many examples in every seed; got {count} and {len(part.y)}")
    lengths = {name: len(a) for name in ("x", *_OWN) if (a := getattr(part, name)) is not None}
    if part.rows is not None:
        del lengths["x"]
    if set(lengths.values()) != {count}:
        raise ValueError(f"a part must have one entry of each for every example; got {lengths}")


def random_split(x, y, counts, *, wrong=0.0, wrong_in="train"):
    """Return the data of a `Task`: each seed takes its own training, validation and test examples at random.

    Parameters
    ----------
    x : ndarray, (N, ...)
        The pool that all seeds share.
    y : ndarray of int, (N,)
        The classes, 0, 1, ...
    counts : three numbers
        How many examples train, validate and test; they do not overlap.
    wrong : number in [0, 1]
        The share of labels that are changed to another class, drawn uniformly.
    wrong_in : {"train", "both"}
        Whether the training labels alone, or those of validation too. Test keeps the right ones.

    Returns
    -------
    callable
        ``(rng) -> train, validation, test``, see `Task`.

    Raises
    ------
    ValueError
        If ``counts`` are not three numbers, x and y differ in length, ``wrong`` lies outside of [0, 1], or
        ``wrong_in`` is another word.

    Examples
    --------
    >>> data = random_split(np.arange(8.0)[:, None], np.arange(8) % 2, (4, 2, 2), wrong=0.5)
    >>> train, validation, test = data(np.random.default_rng(0))
    >>> int((train.y != train.rows % 2).sum()), int((test.y != test.rows % 2).sum())
    (2, 0)
    """
    x, y, wrong = np.asarray(x), np.asarray(y), number("wrong", wrong, low=0, high=1)
    if len(x) != len(y):
        raise ValueError(f"x and y must hold one entry each for every example; got {len(x)} and {len(y)}")
    if len(counts) != 3:
        raise ValueError(f"counts must be three, for training, validation and test; got {counts!r}")
    one_of("wrong_in", wrong_in, ("train", "both"))
    classes = int(y.max()) + 1

    def data(rng):
        parts = datasets.split(rng, len(y), counts)
        spoiled = 1 if wrong_in == "train" else 2
        labels = [datasets.flip_labels(rng, y[rows], wrong, classes) for rows in parts[:spoiled]]
        labels += [y[rows] for rows in parts[spoiled:]]
        return tuple(Part(x, own, rows) for own, rows in zip(labels, parts, strict=True))

    return data


def log_loss(logits, part):
    """Return the cross-entropy of the ``part``'s classes under the softmax of the ``logits``, one number a seed."""
    return softmax_cross_entropy(logits, part.y)[0]


def percent_wrong(logits, part):
    """Return the percentage of the ``part``'s examples whose largest of the ``logits`` is not the right class."""
    return 100.0 * (logits.argmax(axis=-1) != part.y).mean(axis=-1)


@dataclass(frozen=True)
class Task:
    """A problem, the network for it, and the length of a training run.

    Parameters
    ----------
    name : str
    net : a network of `reglib.nets`
    data : callable
        ``(rng) -> train, validation, test``, each a `Part` of one seed.
    optimizer : callable
        From a setting (its values as attributes) to an optimizer, for arms that bring none of their own:
        ``lambda s: SGD(s.learning_rate)``.
    batch_size : int
    epochs : int
        Passes over the training data; a setting with a value ``epochs`` takes that instead.
    loss : callable
        Of training, from `reglib.train.losses`.
    measure : callable
        ``(logits, part) -> one number a seed``: choices and verdicts go by it. What is predicted counts: ``logits`` are
        what the technique's ``predict`` returns. A seed whose output holds a NaN has no measure.
    better : {"lower", "higher"}
    unit : str
        Of the measure, in words.
    stop : {"last", "best"}
        Whether a run's parameters are the last ones, or those of the best of its measurements on validation data:
        early stopping, for every arm alike.
    stop_by : callable, optional
        What early stopping goes by, of which less is better, like ``measure``; by default the measure itself. Choices
        between settings go by the measure all the same.
    looks : int
        Measurements along a run, at equal distances; the curves.
    training_curve : bool
        Whether the looks measure the training data, too, and not the validation data alone.
    schedule : callable, optional
        Of the learning rate, as in `reglib.train.loop.train`; the same for every arm.
    drop_last : bool
        Leave the smaller last batch of an epoch out.
    dtype : numpy.float32 or numpy.float64
    """

    name: str
    net: object
    data: Callable = field(repr=False)
    optimizer: Callable = field(repr=False)
    batch_size: int
    epochs: int
    loss: Callable = field(default=softmax_cross_entropy, repr=False)
    measure: Callable = field(default=percent_wrong, repr=False)
    better: str = "lower"
    unit: str = "test error (%)"
    stop: str = "last"
    stop_by: Callable | None = field(default=None, repr=False)
    looks: int = 1
    training_curve: bool = False
    schedule: Callable | None = field(default=None, repr=False)
    drop_last: bool = False
    dtype: type = field(default=np.float32, repr=False)

    def __post_init__(self):
        one_of("better", self.better, ("lower", "higher"))
        one_of("stop", self.stop, ("last", "best"))
        for name in ("batch_size", "epochs", "looks"):
            integer(name, getattr(self, name), low=1)

    def parts(self, seeds):
        """Return the data of some ``seeds`` for training, validation and test: three stacked parts."""
        return _parts(self.data, tuple(seeds), self.dtype)


@lru_cache(maxsize=4)
def _parts(data, seeds, dtype):
    """Return the stacked parts, floats in the dtype of the network."""
    drawn = [data(np.random.default_rng([seed, DATA])) for seed in seeds]
    if any(len(parts) != 3 for parts in drawn):
        raise ValueError(f"data must return three parts, train, validation, test; got {len(drawn[0])}")
    stacked, known = [stack(part) for part in zip(*drawn, strict=True)], {}

    def cast(array):
        """Return floats in the dtype; the same array for the same array, so that parts go on sharing a pool."""
        if id(array) not in known:
            known[id(array)] = array.astype(dtype, copy=False) if array.dtype.kind == "f" else array
        return known[id(array)]

    return tuple(replace(part, x=cast(part.x), y=cast(part.y)) for part in stacked)


@dataclass(frozen=True)
class Measure:
    """What a study needs to know of its task: which way is ``better``, "lower" or "higher"; the ``unit`` in words."""

    better: str = "lower"
    unit: str = "test error"

    def __post_init__(self):
        one_of("better", self.better, ("lower", "higher"))


def grid(**values):
    """Return all combinations of ``values`` as a list of settings: ``grid(rate=(0.2, 0.5), learning_rate=(0.1,))``.

    Each setting is a dict; the last name varies fastest.
    """
    return [dict(zip(values, each, strict=True)) for each in itertools.product(*values.values())]


def nothing(setting):
    """Return the technique that regularizes nothing, whatever the ``setting``."""
    return Technique()


@dataclass(frozen=True, eq=False)
class Arm:
    """One way to regularize, and the settings to try.

    Parameters
    ----------
    name : str
    settings : sequence of dict
        See `grid`. Values of numbers are handed to ``technique`` and ``optimizer`` as arrays, one a replica, so that
        all settings are trained in one pass.
    technique : callable
        From a setting, its values as attributes, to a `reglib.train.technique.Technique`:
        ``lambda s: Technique(noise={"hidden1": Bernoulli(s.rate)})``. By default nothing is regularized.
    optimizer : callable, optional
        From a setting to an optimizer; by default the task's.
    refit : bool
        Train again with the chosen setting on training and validation data together.
    one_pass : bool
        False where the technique takes plain numbers only: the settings are then trained one after the other.
    words, source : str
        What it does, and who proposes it.
    """

    name: str
    settings: Sequence
    technique: Callable = field(default=nothing, repr=False)
    optimizer: Callable | None = field(default=None, repr=False)
    refit: bool = False
    one_pass: bool = True
    words: str = ""
    source: str = ""

    def __post_init__(self):
        settings = tuple(dict(setting) for setting in self.settings)
        if not settings or any(set(setting) != set(settings[0]) for setting in settings):
            raise ValueError(f"settings of arm {self.name!r} must be one or more dicts with the same names")
        object.__setattr__(self, "settings", settings)
