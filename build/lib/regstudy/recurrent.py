"""The study of dropout in recurrent networks: eight ways to regularize an LSTM, four tasks, equal budgets.

For every task and arm, six settings (`regstudy.arms.Arm.settings`) are scored on validation data over seeds of their
own; the best is then trained on fresh seeds, and measured on test data for the first and only time. In each run the
parameters are those of the best validation measurement: every arm, the one without noise too, is stopped early.

What to keep in mind: the networks are small and the training sets tiny, on purpose (`regstudy.tasks`); some arms chose
the largest rate that was tried, and might do better beyond; and each verdict stands at 95% for itself, so that of the
36 one or two may be wrong by chance alone.

``python -m regstudy`` runs it and resumes it; `stored` loads what came out; `run` reruns any part, and `agrees` says
whether a rerun and the stored numbers agree.
"""

import datetime
import math
import time
from dataclasses import dataclass, field

import numpy as np

from regbook import experiment
from reglib._validate import one_of
from regstudy import cell_run, store
from regstudy.arms import ARMS, RATES
from regstudy.claims import CLAIMS
from regstudy.tasks import TASKS

TUNING = 1000


@dataclass(frozen=True)
class Result:
    """One arm of one task at one setting, ``rate`` and ``learning_rate``: a number a seed for each part of the data.

    ``test`` is None for settings that were only tried. ``updates``, ``train_curve`` and ``validation_curve`` are the
    learning curves, means over the seeds; ``best_update`` says from which update each seed's parameters come.
    """

    task: str
    arm: str
    rate: float
    learning_rate: float
    seeds: tuple
    validation: np.ndarray = field(repr=False)
    train: np.ndarray = field(repr=False)
    test: np.ndarray | None = field(repr=False)
    best_update: np.ndarray = field(repr=False)
    updates: np.ndarray = field(repr=False)
    train_curve: np.ndarray = field(repr=False)
    validation_curve: np.ndarray = field(repr=False)


@dataclass(frozen=True)
class Stored:
    """The stored results of one task, which is described by ``words``; its numbers are measured in ``unit``.

    ``final`` is the `Result` of the chosen setting by arm, on the test seeds; ``tuning`` the `Result`s of all settings
    that were tried, by arm. ``provenance`` tells code, seeds, versions, date, durations and data.
    """

    task: str
    words: str
    unit: str
    final: dict = field(repr=False)
    tuning: dict = field(repr=False)
    provenance: dict = field(repr=False)

    def verdict(self, a, b, claim=None):
        """Return the `regbook.experiment.Comparison` of two arms on the test data: that ``a`` is lower than ``b``."""
        for name in (a, b):
            one_of("arm", name, tuple(self.final))
        words = claim or f"{a} has a lower {self.unit} than {b}"
        first, second = self.final[a].test, self.final[b].test
        return experiment.paired(first, second, better="lower", claim=words, arms=(a, b), minimum=10)

    def verdicts(self):
        """Return the comparison for every `Claim` of `CLAIMS`."""
        return [self.verdict(claim.a, claim.b, claim.words) for claim in CLAIMS]


@dataclass(frozen=True)
class Agreement:
    """Whether a rerun and the stored numbers agree; true or false, and a sentence.

    ``exact``: every seed gives its stored number, to the tolerance. ``inside``: the mean of the rerun lies in
    ``interval``, where the mean of as many new seeds would lie with a probability of 99.9%.
    ``difference`` is the largest one between a rerun and its stored number, relative to it.
    """

    exact: bool
    inside: bool
    difference: float
    mean: float
    interval: tuple

    def __bool__(self):
        return self.exact or self.inside

    def __str__(self):
        if self.exact:
            return f"The rerun gives the stored numbers (largest difference {self.difference:.2g})."
        low, high = self.interval
        where = "inside" if self.inside else "outside"
        return f"The mean of the rerun, {self.mean:.4g}, lies {where} the stored interval [{low:.4g}, {high:.4g}]."


def stored(task, folder=None):
    """Load the stored results of a task.

    Parameters
    ----------
    task : str
        A key of `TASKS`.
    folder : path, optional
        Where the results are; by default those that come with the package.

    Returns
    -------
    Stored

    Raises
    ------
    FileNotFoundError
        When the study of this task has not been run to its end.
    """
    one_of("task", task, tuple(TASKS))
    file = store.path(task, folder)
    if not file.exists():
        raise FileNotFoundError(f"there are no results of {task!r} yet; run: python -m regstudy {task}")
    content = store.read(file)
    final, tuning = {}, {}
    for key, cell in content["cells"].items():
        arm, stage = key.split("/")[:2]
        result = _result(task, arm, cell)
        if stage == "final":
            final[arm] = result
        else:
            tuning.setdefault(arm, []).append(result)
    return Stored(task, content["words"], content["unit"], final, tuning, content["provenance"])


def run(task, arm, *, seeds=None, setting=None, test=True):
    """Train one arm of one task again, on any seeds, at any setting.

    Parameters
    ----------
    task, arm : str
        Keys of `TASKS` and `ARMS`.
    seeds : sequence of int, optional
        By default all seeds of the final runs, 0 to ``TASKS[task].seeds - 1``. Each seed gives the same numbers
        whatever the others are.
    setting : (float, float), optional
        The rate of the noise and the learning rate; by default those that were chosen, from `stored`.
    test : bool
        Whether to measure on test data.

    Returns
    -------
    Result
    """
    one_of("task", task, tuple(TASKS))
    one_of("arm", arm, tuple(ARMS))
    if setting is None:
        chosen = stored(task).final[arm]
        setting = chosen.rate, chosen.learning_rate
    seeds = range(TASKS[task].seeds) if seeds is None else [int(seed) for seed in seeds]
    if not len(seeds):
        raise ValueError("seeds must hold at least one seed, got none")
    return _result(task, arm, cell_run.train(TASKS[task], ARMS[arm], setting, seeds, test=test))


def agrees(result, reference=None, *, tolerance=1e-4):
    """Say whether a rerun agrees with the stored numbers, on the test data.

    With the same software and processor each seed gives the same number. Elsewhere rounding differs, training
    amplifies it, and only the distribution is the same: then the mean of the k reruns must lie within

        mean +- t s sqrt(1 / k + 1 / n),

    with the mean and the standard deviation s of the n stored numbers, and Student's t for 99.9% and n - 1. On the
    characters it holds for the same version of Python alone: in another one, the manual is another text.

    Parameters
    ----------
    result : Result
        From `run`, at the chosen setting.
    reference : Stored, optional
        By default `stored` of the same task.
    tolerance : float
        For "the same number", relative to the stored one.

    Returns
    -------
    Agreement
    """
    final = (stored(result.task) if reference is None else reference).final[result.arm]
    if (result.rate, result.learning_rate) != (final.rate, final.learning_rate):
        got, expected = (result.rate, result.learning_rate), (final.rate, final.learning_rate)
        raise ValueError(f"result must be a run at the chosen setting (rate, learning rate) {expected}, got {got}")
    from scipy.stats import t

    k, n = len(result.test), len(final.test)
    half = t.ppf(0.9995, n - 1) * final.test.std(ddof=1) * math.sqrt(1 / k + 1 / n)
    mean, center = float(result.test.mean()), float(final.test.mean())
    known = dict(zip(final.seeds, final.test, strict=True))
    pairs = [(value, known.get(seed, math.nan)) for seed, value in zip(result.seeds, result.test, strict=True)]
    gap = max(abs(a - b) / max(abs(b), 1e-12) if not math.isnan(b) else math.inf for a, b in pairs)
    exact, inside = bool(gap <= tolerance), bool(abs(mean - center) <= half)
    return Agreement(exact, inside, float(gap), mean, (float(center - half), float(center + half)))


def study(task, folder=None, *, fresh=False, progress=True):
    """Run the study of one task, or go on with it; return the file of its results.

    Every finished cell is saved at once. Cells of another version of the code are run again. A task whose results are
    complete is left alone, unless ``fresh`` asks for a new start; the old results stay until the new ones are complete.

    Parameters
    ----------
    task : str
    folder : path, optional
        Where the results go; by default into the package.
    fresh : bool
    progress : bool
        Show a progress bar (needs tqdm).
    """
    one_of("task", task, tuple(TASKS))
    file, partial = store.path(task, folder), store.path(task, folder, partial=True)
    if file.exists() and not fresh and not partial.exists():
        return file
    code, cells = store.code(TASKS[task]), {}
    if partial.exists() and not fresh:
        cells = {key: cell for key, cell in store.read(partial)["cells"].items() if cell["code"] == code}
    with _Bar(task, progress) as bar:
        for key, arm, setting in _tuning(task):
            _finish(task, key, arm, setting, cells, partial, code, bar, tuning=True)
        for arm, setting in _chosen(task, cells).items():
            _finish(task, f"{arm}/final", arm, setting, cells, partial, code, bar, tuning=False)
    store.write(file, _head(task) | {"provenance": _provenance(task, cells, code), "cells": cells})
    partial.unlink()
    return file


def report(folder=None):
    """Return a table of every task with results in ``folder``: setting and test measure by arm, then the verdicts."""
    lines = []
    for task in TASKS:
        try:
            results = stored(task, folder)
        except FileNotFoundError as error:
            lines += [f"{task}: {error}", ""]
            continue
        lines += [f"{task}: {results.words}; {results.unit}, mean and 95% interval", ""]
        lines += [f"  {'arm':<14}{'rate':>6}{'Adam':>9}  test", *(_arm_line(r) for r in results.final.values()), ""]
        lines += [*map(_verdict_line, results.verdicts()), ""]
        lines += [f"  {results.provenance['summary']}", ""]
    return "\n".join(lines)


def _arm_line(result):
    """Return one line of the report."""
    test = experiment.mean_interval(result.test)
    edge = "  (the largest rate tried)" if result.rate == max(RATES) else ""
    return f"  {result.arm:<14}{result.rate:>6g}{result.learning_rate:>9.2g}  {test}{edge}"


def _verdict_line(verdict):
    """Return one line of the report."""
    low, high = verdict.interval
    difference = f"{verdict.arms[0]} - {verdict.arms[1]} = {verdict.difference:.4g} [{low:.4g}, {high:.4g}]"
    return f"  {verdict.verdict:<14}{verdict.claim}: {difference}"


def _tuning(task):
    """Return every cell of the tuning: its key, arm and setting."""
    return [
        (f"{arm}/tuning/{index}", arm, setting)
        for arm in ARMS
        for index, setting in enumerate(ARMS[arm].settings(TASKS[task]))
    ]


def _chosen(task, cells):
    """Return the setting with the best mean validation measure for every arm."""
    scores = {arm: {} for arm in ARMS}
    for key, arm, setting in _tuning(task):
        scores[arm][setting] = np.array(cells[key]["validation"])
    return experiment.choose(scores, better="lower")


def _finish(task, key, arm, setting, cells, partial, code, bar, *, tuning):
    """Run one cell if it is not there yet, and save it."""
    if key not in cells:
        bar.say(key)
        count = TASKS[task].tuning_seeds if tuning else TASKS[task].seeds
        seeds = range(TUNING, TUNING + count) if tuning else range(count)
        began = time.monotonic()
        cell = cell_run.train(TASKS[task], ARMS[arm], setting, seeds, test=not tuning)
        cells[key] = cell | {"seconds": round(time.monotonic() - began, 1), "code": code, "date": _today()}
        store.write(partial, _head(task) | {"cells": cells})
    bar.step()


def _head(task):
    """Return the beginning of a file of results."""
    return {"task": task, "words": TASKS[task].words, "unit": TASKS[task].unit}


def _provenance(task, cells, code):
    """Return where the numbers come from."""
    seconds = {name: round(sum(cell[name] for cell in cells.values())) for name in ("cpu_seconds", "seconds")}
    software, size = store.software(), TASKS[task]
    summary = (
        f"{len(cells)} cells, {seconds['cpu_seconds']} s of one core; {size.seeds} seeds after tuning on "
        f"{size.tuning_seeds}; NumPy {software['numpy']}, Python {software['python']}, {_today()}, code {code}"
    )
    return {
        "summary": summary,
        "code": code,
        **software,
        "date": _today(),
        **seconds,
        "seeds": list(range(size.seeds)),
        "tuning_seeds": list(range(TUNING, TUNING + size.tuning_seeds)),
        "data_sha256": size.fingerprint(),
    }


def _today():
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def _result(task, arm, cell):
    """Return what a cell holds as a `Result`."""
    lists = ("validation", "train", "best_update", "updates", "train_curve", "validation_curve")
    arrays = {name: np.array(cell[name]) for name in lists}
    test = np.array(cell["test"]) if "test" in cell else None
    return Result(task, arm, cell["rate"], cell["learning_rate"], tuple(cell["seeds"]), test=test, **arrays)


class _Bar:
    """A progress bar over the cells of a task, or none."""

    def __init__(self, task, wanted):
        self.bar = None
        if wanted:
            from tqdm import tqdm

            self.bar = tqdm(total=len(_tuning(task)) + len(ARMS), desc=task, unit="cell")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.bar:
            self.bar.close()

    def say(self, key):
        """Show which cell is being run."""
        if self.bar:
            self.bar.set_postfix_str(key)

    def step(self):
        """Count one cell."""
        if self.bar:
            self.bar.update()
