"""The training loop: mini-batches, S replicas in one pass, learning curves, early stopping.

One turn of the loop is `reglib.train.technique.step`. Nothing is changed in place, and the same arguments give the
same numbers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from reglib._validate import (
    as_array,
    boolean,
    function,
    generators,
    instance,
    integer,
    integers,
    number,
    one_of,
    text,
)
from reglib.train.losses import softmax_cross_entropy
from reglib.train.technique import State, Technique, start, step
from reglib.weights.parameters import each


class DivergenceError(ArithmeticError):
    """The loss became infinite or NaN; the text names the step and the replicas."""


@dataclass(frozen=True)
class Minibatches:
    """Index arrays, one a step; made by `minibatches`, from ``rows``, ``batch_size``, ``epochs`` and ``drop_last``.

    Going through it a second time gives the same batches again, so that two arms
    of an experiment, or two frameworks, can be trained on the very same ones; each
    pass starts a new generator from ``seed``.
    """

    rows: np.ndarray = field(repr=False)
    batch_size: int
    epochs: int
    seed: int | tuple
    drop_last: bool = False

    @property
    def per_epoch(self):
        """Number of batches in one epoch."""
        n = self.rows.shape[-1]
        return (
            n // self.batch_size
            if self.drop_last
            else -(-n // self.batch_size)
        )

    def __len__(self):
        return self.per_epoch * self.epochs

    def __iter__(self):
        seeds = self.seed if isinstance(self.seed, tuple) else (self.seed,)
        each = [np.random.default_rng(seed) for seed in seeds]
        for _ in range(self.epochs):
            if not isinstance(self.seed, tuple):
                order = each[0].permuted(self.rows, axis=-1)
            else:
                order = np.stack(
                    [
                        rng.permuted(rows)
                        for rng, rows in zip(each, self.rows, strict=True)
                    ]
                )
            for i in range(self.per_epoch):
                yield order[
                    ..., i * self.batch_size : (i + 1) * self.batch_size
                ]


def minibatches(
    rng, rows, batch_size, epochs=1, *, replicas=(), drop_last=False
):
    """Return an iterable of index arrays that passes over the examples ``epochs`` times, in a new order each time.

    Parameters
    ----------
    rng : numpy.random.Generator, or list of them, one a replica
        Drawn from once, here. Each of a list shuffles for its replica as it would alone.
    rows : int, or integer ndarray of shape (n,) or (..., n)
        The examples to go through: 0, ..., n - 1, or the ones listed. With leading
        axes each replica has its own, for instance its own training split.
    batch_size : int
        At most n. The last batch of an epoch is smaller when n is not a multiple.
    epochs : int
    replicas : tuple of int
        ``(S,)`` shuffles the same rows for each of S replicas independently; by
        default all replicas see the same batches.
    drop_last : bool
        Leave the smaller last batch out.

    Returns
    -------
    Minibatches
        With a length; yields arrays of shape (B,), or (..., B) with one row a replica.
    """
    several = generators("rng", rng)
    rows = (
        np.arange(integer("rows", rows, low=1))
        if not np.iterable(rows)
        else as_array("rows", rows)
    )
    if rows.dtype.kind not in "iu" or not rows.size:
        raise TypeError(
            f"rows must be a count or a non-empty integer array, got {rows.dtype} of shape {rows.shape}"
        )
    batch_size = integer("batch_size", batch_size, low=1)
    if batch_size > rows.shape[-1]:
        raise ValueError(
            f"batch_size must be at most the number of rows, {rows.shape[-1]}; got {batch_size}"
        )
    replicas = integers("replicas", replicas, low=1)
    if replicas and rows.ndim > 1:
        raise ValueError(
            f"replicas must be left out when rows has leading axes of its own; got shape {rows.shape}"
        )
    if several is not None:
        if (
            replicas
            or not several
            or rows.shape[:-1] not in ((), (len(several),))
        ):
            raise ValueError(
                f"rng must hold one generator for each of the replicas of rows; got {len(several)}"
            )
        rows = np.broadcast_to(rows, (len(several), rows.shape[-1]))
    rows = np.broadcast_to(rows, replicas + rows.shape)
    seeds = [int(one.integers(2**63)) for one in several or [rng]]
    seed = seeds[0] if several is None else tuple(seeds)
    return Minibatches(
        rows,
        batch_size,
        integer("epochs", epochs, low=1),
        seed,
        boolean("drop_last", drop_last),
    )


@dataclass(frozen=True)
class EarlyStopping:
    """Keep each replica's best parameters, and stop it after ``patience`` measurements without a better one.

    ``measure`` is a name in the ``measures`` of `train`, best taken on a validation
    split; ``better`` is "higher" or "lower". A measurement is better than the best
    so far if it is so by more than ``min_delta``; a tie is not, and NaN never is. A
    replica that has stopped keeps its parameters whatever happens later in the
    others' training, so that it ends as it would have ended alone.
    """

    measure: str
    patience: int
    better: str = "higher"
    min_delta: float = 0.0

    def __post_init__(self):
        text("measure", self.measure)
        integer("patience", self.patience, low=1)
        one_of("better", self.better, ("higher", "lower"))
        number("min_delta", self.min_delta, low=0)

    def _score(self, value):
        """Return measurements as numbers of which the larger is the better; NaN is the worst of all."""
        value = np.asarray(value, float)
        value = value if self.better == "higher" else -value
        return np.where(np.isnan(value), -np.inf, value)

    def _improves(self, score, best):
        """Return whether scores are better than the best so far; where both are infinite they are not."""
        with np.errstate(invalid="ignore"):
            return (score > best) & ~(score - best <= self.min_delta)

    def read(self, curve):
        """Return which entries of a measured curve training would stop at and keep.

        Parameters
        ----------
        curve : sequence of numbers, not empty
            The measurements, in order; NaN and infinity may be among them.

        Returns
        -------
        (stopped, kept) : int
            Positions in the curve; ``stopped`` is None where training would go on to the end.

        Raises
        ------
        TypeError
            If the curve is empty, or does not hold real numbers.

        Examples
        --------
        >>> EarlyStopping("loss", patience=2, better="lower").read([3, 2, 4, 4, 1])
        (3, 1)
        """
        numbers = as_array("curve", curve)
        if (
            numbers.dtype.kind not in "iuf"
            or numbers.ndim != 1
            or not len(numbers)
        ):
            raise TypeError(
                f"curve must be a sequence of real numbers, got {numbers.dtype} of shape {numbers.shape}"
            )
        scores = self._score(numbers)
        kept = 0
        for k, score in enumerate(scores[1:], start=1):
            if self._improves(score, scores[kept]):
                kept = k
            elif k - kept >= self.patience:
                return k, kept
        return None, kept


@dataclass(frozen=True)
class Run:
    """What `train` returns; ``params, losses = run`` takes the two main parts.

    Attributes
    ----------
    params : dict of ndarray
        After the last step; with early stopping, each replica's best.
    losses : ndarray, (T, ...)
        Data loss of each step's batch before the step, one a replica; without the penalty.
    steps : ndarray, (K,)
        Steps after which the measures were taken, the first 0 and the last T.
    curves : dict of ndarray, (K, ...)
        The measures, by name.
    best_step : ndarray of int, (...), or None
        With early stopping, the step that each replica's parameters come from.
    memory : dict
        What the technique remembered when the parameters were those of ``params``.
    """

    params: dict | list
    losses: np.ndarray
    steps: np.ndarray
    curves: dict
    best_step: np.ndarray | None = None
    memory: dict = field(default_factory=dict)

    def __iter__(self):
        return iter((self.params, self.losses))


def train(
    net,
    params,
    optimizer,
    batches,
    *,
    data=None,
    technique=None,
    rng=None,
    loss=softmax_cross_entropy,
    schedule=None,
    measures=None,
    every=None,
    early_stopping=None,
    allow_divergence=False,
    progress=None,
):
    """Take one step for each batch.

    Parameters
    ----------
    net : a network of `reglib.nets`, or a function ``(params, *batch) -> loss, grads``
    params : dict of ndarray
        The start; with leading replica axes, S models are trained in one pass. For a function also a list.
    optimizer : an optimizer of `reglib.train.optim`
    batches : iterable
        For instance `minibatches`.
    data : tuple of ndarray, or callable, optional
        ``(x, y)``, or ``(x, y, steps)`` for sequences of unequal length: each batch indexes every one of these arrays
        along its first axis. A function of the batch returns them itself. Without ``data``, a batch that is a tuple is
        taken as ``(x, y)``, anything else is handed to the function as it is.
    technique : Technique, optional
        What regularizes; by default nothing.
    rng : numpy.random.Generator, or list of them, one a replica
        For all that the technique draws.
    loss : callable
        The task's loss, `reglib.train.losses.softmax_cross_entropy` or `reglib.train.losses.squared_error`.
    schedule : callable, optional
        From the share of the run that is done, 0 at the first step and below 1 at the last, to a factor on the
        learning rate; needs ``batches`` that have a length.
    measures : dict of callable, optional
        Functions of a `reglib.train.technique.State` (its ``params`` and ``memory``) to record, one number a replica,
        before the first step, after every ``every`` steps, and at the end.
    every : int
        Needed with ``measures``.
    early_stopping : EarlyStopping, optional
    allow_divergence : bool
        When a loss becomes infinite or NaN, do not raise: that replica stops, its
        losses are NaN from there on, and its parameters and its memory those of its last finite loss.
    progress : callable, optional
        Wraps the batches, for instance ``tqdm.tqdm``.

    Returns
    -------
    Run

    Raises
    ------
    DivergenceError
        When a loss becomes infinite or NaN.
    """
    technique = Technique() if technique is None else technique
    _check_options(batches, data, schedule, measures, early_stopping, progress)
    boolean("allow_divergence", allow_divergence)
    state = start(technique, optimizer, params, rng)
    watch = _Watch(state, measures, every, early_stopping)
    losses, alive = [], np.array(True)
    before = state
    loud = "ignore" if allow_divergence else "warn"
    with np.errstate(over=loud, invalid=loud):
        for batch in (
            batches if progress is None else _shown(progress, batches)
        ):
            factor = (
                1.0
                if schedule is None
                else schedule(len(losses) / len(batches))
            )
            parts = _parts(data, batch)
            value, after = step(
                net,
                technique,
                optimizer,
                state,
                parts,
                rng,
                loss=loss,
                multiplier=factor,
            )
            alive = alive & np.isfinite(value)
            if not alive.all():
                if not allow_divergence:
                    raise _diverged(alive, len(losses) + 1)
                value = np.where(alive, value, np.nan)
                state, after = (
                    _mixed(alive, s, before) for s in (state, after)
                )
            losses.append(value)
            if technique.penalty:  # which takes finite parameters only: a replica that has lost them stops here
                alive = alive & _finite(after.params, np.ndim(value))
                if not alive.all() and not allow_divergence:
                    raise _diverged(alive, len(losses) + 1)
                after = _mixed(alive, after, state)
            before, state = state, after
            if watch.look(len(losses), state):
                break
    return watch.finish(state, losses)


def _check_options(
    batches, data, schedule, measures, early_stopping, progress
):
    """Complain about what `train` cannot use."""
    if not np.iterable(batches):
        raise TypeError(
            f"batches must be an iterable, for instance minibatches; got {batches!r}"
        )
    if data is not None and not callable(data):
        instance(
            "data",
            data,
            tuple | list,
            "a tuple of arrays or a function of the batch",
        )
    function("schedule", schedule, optional=True)
    function("progress", progress, optional=True)
    for name, measure in instance(
        "measures",
        {} if measures is None else measures,
        Mapping,
        "a dict of functions",
    ).items():
        function(f"measures[{name!r}]", measure)
    if early_stopping is not None:
        instance(
            "early_stopping", early_stopping, EarlyStopping, "an EarlyStopping"
        )


def _shown(progress, batches):
    """Return the batches, wrapped to show the progress."""
    shown = progress(batches)
    if not np.iterable(shown):
        raise TypeError(
            f"progress must return an iterable of the batches, got {shown!r}"
        )
    return shown


def _parts(data, batch):
    """Return the parts of a batch: x, y, and the steps of sequences."""
    if data is None:
        return batch if isinstance(batch, tuple) else (batch,)
    if callable(data):
        return data(batch)
    try:
        return tuple(array[batch] for array in data)
    except (IndexError, TypeError):
        raise ValueError(
            f"batches must index the first axis of the arrays in data, got {batch!r}"
        ) from None


def _finite(params, axes):
    """Return whether all numbers of each replica, the leading ``axes``, are finite."""
    arrays = params.values() if isinstance(params, dict) else params
    return np.all(
        [
            np.isfinite(array).all(axis=tuple(range(axes, array.ndim)))
            for array in arrays
        ],
        axis=0,
    )


def _diverged(alive, step):
    """Return the error that names the replicas whose loss is infinite or NaN."""
    who = (
        f"of replicas {np.flatnonzero(~alive).tolist()} " if alive.ndim else ""
    )
    return DivergenceError(
        f"the loss {who}is not finite at step {step}; a smaller learning rate usually helps, "
        "and allow_divergence=True goes on with the others"
    )


class _Watch:
    """Takes the measures, and keeps each replica's best parameters."""

    def __init__(self, state, measures, every, early_stopping):
        self.measures = dict(measures or {})
        if self.measures:
            every = integer("every", every, low=1)
        if early_stopping is not None:
            one_of(
                "early_stopping.measure",
                early_stopping.measure,
                tuple(self.measures),
            )
        self.every, self.rule = every, early_stopping
        self.steps, self.curves = [], {name: [] for name in self.measures}
        if self.measures:
            self._measure(0, state)
        if self.rule is not None:
            self.best, self.best_state = self._current(self.rule), state
            self.best_step = np.zeros(self.best.shape, int)
            self.active = np.ones(self.best.shape, bool)

    def look(self, step, state):
        """Measure if it is time; return whether every replica has stopped."""
        if not self.measures or step % self.every:
            return False
        self._measure(step, state)
        return self._stop_early(step, state)

    def finish(self, state, losses):
        """Return the run, measured at its end."""
        if self.measures and self.steps[-1] != len(losses):
            self._measure(len(losses), state)
            self._stop_early(len(losses), state)
        curves = {
            name: np.array(values) for name, values in self.curves.items()
        }
        taken = np.array(losses), np.array(self.steps, int), curves
        if self.rule is None:
            return Run(state.params, *taken, memory=state.memory)
        return Run(
            self.best_state.params,
            *taken,
            self.best_step,
            self.best_state.memory,
        )

    def _measure(self, step, state):
        self.steps.append(step)
        for name, measure in self.measures.items():
            self.curves[name].append(measure(state))

    def _current(self, rule):
        """Return the newest measurement that early stopping goes by, as larger is better."""
        return rule._score(self.curves[rule.measure][-1])

    def _stop_early(self, step, state):
        """Update the best parameters of the replicas still active; return whether none is."""
        if self.rule is None:
            return False
        value = self._current(self.rule)
        improved = self.active & self.rule._improves(value, self.best)
        self.best = np.where(improved, value, self.best)
        self.best_step = np.where(improved, step, self.best_step)
        self.best_state = _mixed(improved, state, self.best_state)
        self.active = self.active & (
            step - self.best_step < self.rule.patience * self.every
        )
        return not self.active.any()


def _mixed(mask, new, old):
    """Return parameters and memory of the state ``new`` for the replicas in the mask, of ``old`` for the others.

    What the old memory does not hold yet is new for all; so is what does not have the replicas' axes. The optimizer's
    slots are the new ones.
    """
    if mask.all():
        return new
    if not mask.any():
        return old._replace(slots=new.slots)
    memory = {
        key: _keep(mask, entry, old.memory.get(key, entry))
        for key, entry in new.memory.items()
    }
    return State(_keep(mask, new.params, old.params), new.slots, memory)


def _keep(mask, new, old):
    """Return the arrays ``new`` for the replicas in the mask and ``old`` for the others, in dicts and lists, too."""
    if isinstance(new, dict | list):
        return each(lambda after, before: _keep(mask, after, before), new, old)
    if np.shape(new)[: mask.ndim] != mask.shape:
        return new
    return np.where(
        mask.reshape(mask.shape + (1,) * (np.ndim(new) - mask.ndim)), new, old
    )
