"""Training the settings of an arm on the seeds of a task, all side by side in one pass."""

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from regbook.task import BATCHES, NOISE, PREDICTION, START
from reglib.train.loop import EarlyStopping, minibatches, train
from reglib.train.technique import State
from reglib.weights.parameters import each


@dataclass(frozen=True, eq=False)
class Result:
    """What training some settings of an arm gave: arrays with the settings first, then the seeds.

    Attributes
    ----------
    settings : tuple of dict, of length K
    seeds : tuple of int, of length S
    validation, train : ndarray, (K, S)
        The task's measure at the parameters that the run returned; NaN for a run that diverged, or was not asked for.
    test : ndarray, (K, S), or None
    steps : ndarray of int, (L,)
        When the curves were measured, in updates; empty, and the curves too, when settings were measured at different
        ones.
    train_curve, validation_curve : ndarray, (L, K, S)
        Without a look where the lengths of the settings differ; the first also where the task does not ask for it.
    best_step : ndarray of int, (K, S)
        The update that the parameters come from; -1 for a run that was not asked for.
    params, memory : dict of ndarray, or None
        Of every network that was trained, the seeds varying fastest: (K * S, ...).
    which : ndarray of bool, (K, S), or None
        Which networks were trained; None for all.
    """

    settings: tuple
    seeds: tuple
    validation: np.ndarray
    train: np.ndarray
    test: np.ndarray | None
    steps: np.ndarray
    train_curve: np.ndarray
    validation_curve: np.ndarray
    best_step: np.ndarray
    params: dict | None = None
    memory: dict | None = None
    which: np.ndarray | None = None

    def of(self, index):
        """Return the parameters of the networks trained at the setting ``index``, (S, ...): one a seed."""
        which = np.ones(self.best_step.shape, bool) if self.which is None else self.which
        start = int(which[:index].sum())
        return _rows(self.params, slice(start, start + int(which[index].sum())))


def fit(task, arm, settings=None, seeds=range(24), *, test=True, joined=False, which=None):
    """Train some settings of an arm on some seeds, all in one pass where their lengths agree.

    The numbers of one seed at one setting do not depend on what is trained beside it.

    Parameters
    ----------
    task : Task
    arm : Arm
    settings : sequence of dict, optional
        By default the arm's.
    seeds : sequence of int
    test : bool
        Whether to measure on test data.
    joined : bool
        Train on training and validation data together; ``validation`` then measures what was trained on.
    which : ndarray of bool, (K, S), optional
        Which seeds to train at which settings; by default all of them at all.

    Returns
    -------
    Result
    """
    settings, seeds = tuple(arm.settings if settings is None else settings), tuple(int(seed) for seed in seeds)
    if not settings or not seeds:
        raise ValueError(f"settings and seeds must hold at least one each, got {len(settings)} and {len(seeds)}")
    if joined and task.stop == "best":
        raise ValueError("joined=True leaves no validation data to stop by, so the task must have stop='last'")
    shape = len(settings), len(seeds)
    pairs = np.argwhere(np.ones(shape, bool) if which is None else which)
    lengths = [setting.get("epochs", task.epochs) for setting in settings]
    passes = {}
    for position, (k, _) in enumerate(pairs):
        passes.setdefault((lengths[k], None if arm.one_pass else k), []).append(position)
    done = [
        (positions, _one_pass(task, arm, settings, seeds, pairs[positions], epochs, test=test, joined=joined))
        for (epochs, _), positions in passes.items()
    ]
    return _merged(settings, seeds, which, pairs, done)


def _one_pass(task, arm, settings, seeds, pairs, epochs, *, test, joined):
    """Train ``pairs`` of a setting and a seed, (R, 2), side by side, and return a `_Pass`."""
    training, validation, held_out = task.parts(seeds)
    if joined:
        training = training.joined(validation)
    values = SimpleNamespace(**{name: _each(name, settings, pairs[:, 0]) for name in settings[0]})
    start = task.net.init([np.random.default_rng([seed, START]) for seed in seeds], dtype=task.dtype)
    batches = minibatches(
        [np.random.default_rng([seed, BATCHES]) for seed in seeds],
        training.y.shape[1],
        task.batch_size,
        epochs,
        drop_last=task.drop_last,
    )
    measures = {
        name: _measure(task, arm, settings, seeds, pairs, part)
        for name, part in (("train", training), ("validation", validation))
    }
    watched = measures if task.training_curve else {"validation": measures["validation"]}
    if task.stop == "best" and task.stop_by is not None:
        watched = watched | {"stop": _measure(task, arm, settings, seeds, pairs, validation, by=task.stop_by)}
    run = train(
        task.net,
        each(lambda w: w[pairs[:, 1]], start),
        (arm.optimizer or task.optimizer)(values),
        batches,
        data=lambda index: training.take(index[pairs[:, 1]], pairs[:, 1]),
        technique=arm.technique(values),
        rng=[np.random.default_rng([seeds[s], NOISE]) for _, s in pairs],
        loss=task.loss,
        schedule=task.schedule,
        measures=watched,
        every=max(1, len(batches) // task.looks),
        early_stopping=_stopping(task, len(batches)),
        allow_divergence=True,
    )
    # What was kept as the best came before the divergence; the last parameters are those of a run that failed.
    there = np.isfinite(run.losses[-1]) if task.stop == "last" else np.ones(len(pairs), bool)
    end = State(run.params, None, run.memory)
    if test:
        measures["test"] = _measure(task, arm, settings, seeds, pairs, held_out)
    return _Pass(
        ends={name: np.where(there, measure(end), np.nan) for name, measure in measures.items()},
        steps=run.steps,
        curves=run.curves,
        best_step=np.full(len(pairs), run.steps[-1]) if run.best_step is None else run.best_step,
        params=run.params,
        memory=run.memory,
    )


def measured_again(task, arm, result):
    """Return a result of the same trained networks, measured as another ``task`` says, on the same three parts.

    Parameters
    ----------
    task : Task
        That of the training, but for its measure, which way is better, and the unit.
    arm : Arm
    result : Result
        From `fit`, not trained on training and validation data together.

    Returns
    -------
    Result
        With new ``train``, ``validation`` and ``test``; a run that diverged has no measure. Without curves.
    """
    shape = result.validation.shape
    pairs = np.argwhere(np.ones(shape, bool) if result.which is None else result.which)
    there = np.isfinite(result.validation[tuple(pairs.T)])
    state, found = State(result.params, None, result.memory), {}
    for name, part in zip(("train", "validation", "test"), task.parts(result.seeds), strict=True):
        found[name] = np.full(shape, np.nan)
        values = _measure(task, arm, result.settings, result.seeds, pairs, part)(state)
        found[name][tuple(pairs.T)] = np.where(there, values, np.nan)
    none = np.full((0, *shape), np.nan)
    return replace(result, **found, steps=np.zeros(0, int), train_curve=none, validation_curve=none)


@dataclass(frozen=True, eq=False)
class _Pass:
    """What one pass gave for its R pairs: ``ends`` (R,) by measure, ``curves`` (L, R), parameters (R, ...)."""

    ends: dict
    steps: np.ndarray
    curves: dict
    best_step: np.ndarray
    params: Any
    memory: dict


def _measure(task, arm, settings, seeds, pairs, part, by=None):
    """Return the function of a State that measures every pair on a part, ``by`` the task's measure or another."""
    by = task.measure if by is None else by
    groups = []
    for k in dict.fromkeys(pairs[:, 0]):
        rows = np.flatnonzero(pairs[:, 0] == k)
        of = pairs[rows, 1]
        own = part if len(of) == len(seeds) else part.of(of)
        technique = arm.technique(SimpleNamespace(**settings[k]))
        groups.append((slice(rows[0], rows[-1] + 1), technique, own, [seeds[s] for s in of]))

    def measure(state):
        return np.concatenate([one(state, *group) for group in groups])

    def one(state, rows, technique, own, numbers):
        params, memory = _rows(state.params, rows), _rows(state.memory, rows)
        options = {} if own.steps is None else {"steps": own.steps}
        rng = [np.random.default_rng([seed, PREDICTION]) for seed in numbers]
        with np.errstate(over="ignore", invalid="ignore"):
            logits = technique.output(task.net, params, own.inputs(), memory, rng=rng, **options)
            found = np.asarray(by(logits, own), float)
        return np.where(np.isnan(logits).any(axis=tuple(range(1, logits.ndim))), np.nan, found)

    return measure


def _stopping(task, updates):
    """Return the rule that keeps the best measurement of a whole run, or None."""
    if task.stop == "last":
        return None
    name, better = ("validation", task.better) if task.stop_by is None else ("stop", "lower")
    return EarlyStopping(name, patience=updates, better=better)


def _each(name, settings, chosen):
    """Return one value a replica of a setting's name, of the ``chosen`` settings; a plain one where they agree."""
    values = [settings[k][name] for k in chosen]
    if all(value is values[0] or np.array_equal(value, values[0]) for value in values):
        return values[0]
    if np.asarray(values).dtype.kind not in "iuf":
        raise ValueError(f"settings with different values of {name!r} that are no numbers need one_pass=False")
    return np.array(values)


def _merged(settings, seeds, which, pairs, done):
    """Return several passes as one result: each holds the pairs at its positions."""
    counts = [len(positions) for positions, _ in done]
    order = np.argsort(np.concatenate([positions for positions, _ in done]))
    passes = [one for _, one in done]
    at, shape = (pairs[:, 0], pairs[:, 1]), (len(settings), len(seeds))

    def spread(arrays, missing):
        """Return arrays (..., R) of the passes as one, (..., K, S)."""
        together = np.concatenate(arrays, axis=-1)[..., order]
        found = np.full((*together.shape[:-1], *shape), missing, together.dtype)
        found[(..., *at)] = together
        return found

    alike = all(np.array_equal(one.steps, passes[0].steps) for one in passes)
    ends = {name: spread([one.ends[name] for one in passes], np.nan) for name in passes[0].ends}
    none = np.full((0, *shape), np.nan)
    curves = {
        f"{name}_curve": spread([one.curves[name] for one in passes], np.nan)
        if alike and name in passes[0].curves
        else none
        for name in ("train", "validation")
    }
    return Result(
        settings=settings,
        seeds=seeds,
        **({"test": None} | ends),
        steps=passes[0].steps if alike else np.zeros(0, int),
        **curves,
        best_step=spread([one.best_step for one in passes], -1),
        params=_together([one.params for one in passes], order, counts),
        memory=_together([one.memory for one in passes], order, counts),
        which=which,
    )


def _rows(values, rows):
    """Return some replicas of a nested dict of arrays; what is a plain number belongs to all."""
    if isinstance(values, dict):
        return {name: _rows(value, rows) for name, value in values.items()}
    return values[rows] if np.ndim(values) else values


def _together(trees, order, counts) -> Any:
    """Return nested dicts of arrays, put one behind the other, in the given order of the replicas.

    Of plain numbers that belong to all replicas of a pass, ``counts`` of them, every replica gets its own.
    """
    if len(trees) == 1:
        return trees[0]
    if isinstance(trees[0], dict):
        return {name: _together([tree[name] for tree in trees], order, counts) for name in trees[0]}
    return (np.concatenate(trees) if np.ndim(trees[0]) else np.repeat(trees, counts))[order]
