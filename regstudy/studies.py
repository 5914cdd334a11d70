"""The stored studies: which there are, how they are run, what came out, and whether a rerun agrees.

Each problem is a `regbook.study.study` of its own. For every arm all settings are scored on validation data over seeds
of their own; the best is then trained on fresh seeds, and measured on test data for the first and only time. The arm
that regularizes nothing tries as many settings as the others, and is stopped early where they are.

What to keep in mind: networks and training sets are small, on purpose, so that there is something to regularize; where
an arm chose a setting at an end of its grid it might do better beyond, and the tables say where; and each verdict
stands at 95% for itself, so that of twenty one may be wrong by chance alone.

``python -m regstudy`` runs and resumes, with ``--jobs`` in processes side by side; `stored` loads what came out, `run`
reruns any part, and `agrees` says whether a rerun and the stored numbers agree. A new study is a module of
`regstudy.problems` and a line in `STUDIES`.
"""

import datetime
import math
from dataclasses import dataclass, field

import numpy as np

import regbook.study
from regbook import experiment
from regbook.notebook import table
from reglib._validate import integer, one_of
from regstudy import cells, runner, store
from regstudy.problem import TUNING
from regstudy.problems import mnist_decay, mnist_dropout, mnist_spatial, recurrent

STUDIES = {
    "recurrent": recurrent.PROBLEMS,
    "mnist-dropout": mnist_dropout.PROBLEMS,
    "mnist-spatial": mnist_spatial.PROBLEMS,
    "mnist-decay": mnist_decay.PROBLEMS,
}
PROBLEMS = {name: problem for problems in STUDIES.values() for name, problem in problems.items()}


@dataclass(frozen=True)
class Result:
    """One arm of one task at one ``setting``, a dict: a number a seed for each part of the data.

    ``test`` is None for settings that were only tried. ``updates``, ``train_curve`` and ``validation_curve`` are the
    learning curves, means over the seeds; ``best_update`` says from which update each seed's parameters come.
    """

    task: str
    arm: str
    setting: dict
    seeds: tuple
    validation: np.ndarray = field(repr=False)
    train: np.ndarray = field(repr=False)
    test: np.ndarray | None = field(repr=False)
    best_update: np.ndarray = field(repr=False)
    updates: np.ndarray = field(repr=False)
    train_curve: np.ndarray = field(repr=False)
    validation_curve: np.ndarray = field(repr=False)

    @property
    def rate(self):
        """The rate of the noise, of an arm with noise of one rate."""
        return self.setting["rate"]

    @property
    def learning_rate(self):
        """The learning rate."""
        return self.setting["learning_rate"]


@dataclass(frozen=True, repr=False)
class Stored:
    """The stored results of one task, which is described by ``words``; its numbers are measured in ``unit``.

    ``final`` is the `Result` of the chosen setting by arm, on the test seeds; ``tuning`` the `Result`s of all settings
    that were tried, by arm. ``study`` is all of it as a `regbook.study.Study`, which shows the choices and the ends of
    grids. ``provenance`` tells code, seeds, versions, date, durations and data. It shows as its table of verdicts.
    """

    task: str
    words: str
    unit: str
    final: dict
    tuning: dict
    study: regbook.study.Study
    provenance: dict

    def verdict(self, a, b, claim=None):
        """Return the `regbook.experiment.Comparison` of two arms on the test data: that ``a`` is better than ``b``."""
        relation = "lower" if self.study.task.better == "lower" else "higher"
        return self.study.compare(a, b, claim or f"{a} has a {relation} {self.unit} than {b}", minimum=10)

    def verdicts(self):
        """Return the comparison for every `regstudy.problem.Claim` of the problem."""
        return [self.verdict(claim.a, claim.b, claim.words) for claim in PROBLEMS[self.task].claims]

    def table(self, digits=3):
        """Return the table of these comparisons; floating-point numbers show ``digits`` digits."""
        pairs = [(claim.a, claim.b, claim.words) for claim in PROBLEMS[self.task].claims]
        found = self.study.verdicts(*pairs, digits=digits, minimum=10)
        return table(found.rows, found.columns, caption=f"{self.words}: {found.caption}", digits=digits)

    def _repr_html_(self):
        return self.table()._repr_html_()

    def __repr__(self):
        return repr(self.table())


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
        A key of `PROBLEMS`.
    folder : path, optional
        Where the results are; by default those that come with the package.

    Returns
    -------
    Stored

    Raises
    ------
    FileNotFoundError
        When the study of this task has not been run to its end.
    ValueError
        When it was run with other settings than those of now.
    """
    one_of("task", task, tuple(PROBLEMS))
    file = store.path(task, folder)
    if not file.exists():
        raise FileNotFoundError(f"there are no results of {task!r} yet; run: python -m regstudy {task}")
    content = store.read(file)
    found = _study(task, lambda jobs: {key: _known(task, job, content["cells"][key]) for key, job in jobs.items()})
    final = {arm: _result(task, arm, result, 0) for arm, result in found.final.items()}
    tuning = {
        arm: [_result(task, arm, result, k) for k in range(len(result.settings))] for arm, result in found.tried.items()
    }
    return Stored(task, content["words"], content["unit"], final, tuning, found, content["provenance"])


def run(task, arm, *, seeds=None, setting=None, test=True):
    """Train one arm of one task again, on any seeds, at any setting.

    Parameters
    ----------
    task, arm : str
        A key of `PROBLEMS`, and the name of one of its arms.
    seeds : sequence of int, optional
        By default all seeds of the final runs, 0 to ``PROBLEMS[task].seeds - 1``. Each seed gives the same numbers
        whatever the others are.
    setting : dict, optional
        By default that which was chosen, from `stored`.
    test : bool
        Whether to measure on test data.

    Returns
    -------
    Result
    """
    problem = PROBLEMS[one_of("task", task, tuple(PROBLEMS))]
    one_of("arm", arm, tuple(one.name for one in problem.arms))
    setting = stored(task).final[arm].setting if setting is None else dict(setting)
    seeds = range(problem.seeds) if seeds is None else [int(seed) for seed in seeds]
    if not len(seeds):
        raise ValueError("seeds must hold at least one seed, got none")
    return _result(task, arm, cells.result(cells.train(problem.home, task, arm, [setting], seeds, test=test)), 0)


def agrees(result, reference=None, *, tolerance=1e-4):
    """Say whether a rerun agrees with the stored numbers, on the test data.

    With the same software and processor each seed gives the same number. Elsewhere rounding differs, training
    amplifies it, and only the distribution is the same: then the mean of the k reruns must lie within

        mean +- t s sqrt(1 / k + 1 / n),

    with the mean and the standard deviation s of the n stored numbers, and Student's t for 99.9% and n - 1. On the
    task "characters" it holds for the same version of Python alone: in another one, the manual is another text.

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
    if _rounded([result.setting]) != _rounded([final.setting]):
        raise ValueError(f"result must be a run at the chosen setting {final.setting}, got {result.setting}")
    from scipy.stats import t

    k, n = len(result.test), len(final.test)
    half = t.ppf(0.9995, n - 1) * final.test.std(ddof=1) * math.sqrt(1 / k + 1 / n)
    mean, center = float(result.test.mean()), float(final.test.mean())
    known = dict(zip(final.seeds, final.test, strict=True))
    pairs = [(value, known.get(seed, math.nan)) for seed, value in zip(result.seeds, result.test, strict=True)]
    gap = max(abs(a - b) / max(abs(b), 1e-12) if not math.isnan(b) else math.inf for a, b in pairs)
    exact, inside = bool(gap <= tolerance), bool(abs(mean - center) <= half)
    return Agreement(exact, inside, float(gap), mean, (float(center - half), float(center + half)))


def study(task, folder=None, *, fresh=False, progress=True, jobs=1, scheduler=None):
    """Run the study of one task, or go on with it; return the file of its results.

    Every finished cell is saved at once, an arm's settings or its final runs. Cells of another version of the code are
    run again. A task whose results are complete is left alone, unless ``fresh`` asks for a new start; the old results
    stay until the new ones are complete.

    Parameters
    ----------
    task : str
    folder : path, optional
        Where the results go; by default into the package.
    fresh : bool
    progress : bool
        Show a progress bar (needs tqdm).
    jobs : int
        Processes that train cells side by side.
    scheduler : str, optional
        The address of a Dask scheduler, whose workers do it instead.

    Raises
    ------
    regstudy.runner.WorkerError
        When a process died, or no worker could be reached; what was finished is saved.
    """
    problem = PROBLEMS[one_of("task", task, tuple(PROBLEMS))]
    jobs = integer("jobs", jobs, low=1)
    file, partial = store.path(task, folder), store.path(task, folder, partial=True)
    if file.exists() and not fresh and not partial.exists():
        return file
    code, done = store.code(problem.home, task), {}
    if partial.exists() and not fresh:
        done = {key: cell for key, cell in store.read(partial)["cells"].items() if cell["code"] == code}
    head = {"task": task, "words": problem.words, "unit": problem.task.unit}
    with _Bar(task, 2 * len(problem.arms) if progress else 0) as bar:

        def save(key, cell):
            done[key] = cell | {"code": code, "date": _today()}
            store.write(partial, head | {"cells": done})
            bar.step(1, key)

        def run(wanted):
            missing = {key: job for key, job in wanted.items() if key not in done}
            bar.step(len(wanted) - len(missing))
            calls = {k: (problem.home, task, j.arm.name, j.settings, list(j.seeds), j.test) for k, j in missing.items()}
            runner.run(calls, save, code=code, jobs=jobs, scheduler=scheduler)
            return {key: cells.result(done[key]) for key in wanted}

        _study(task, run)
    keys = [f"{arm.name}/{stage}" for stage in ("tuning", "final") for arm in problem.arms]
    done = {key: done[key] for key in keys}
    store.write(file, head | {"provenance": _provenance(problem, done, code), "cells": done})
    partial.unlink()
    return file


def verdicts(*tasks, folder=None, digits=3):
    """Return one table with the verdicts of several ``tasks``, stored in ``folder``; ``digits`` are those shown."""
    rows, counts = [], set()
    for results in [stored(task, folder) for task in tasks]:
        rows += [[f"{results.words} ({results.unit})", *row] for row in results.table(digits).rows]
        counts.add(PROBLEMS[results.task].seeds)
    note = ", * where a chosen setting lies at the end of its grid" if any("*" in row[-1] for row in rows) else ""
    heads = ["Task", "Claim: the first is better", "First", "Second", "Difference, 95%", "Verdict"]
    return table(rows, heads, caption=f"{' or '.join(map(str, sorted(counts)))} paired seeds{note}", digits=digits)


def report(tasks=None, folder=None):
    """Return, for ``tasks`` or for all, what is stored in ``folder``: setting and test measure by arm, the verdicts."""
    lines = []
    for task in PROBLEMS if tasks is None else tasks:
        try:
            results = stored(task, folder)
        except (FileNotFoundError, ValueError) as error:
            lines += [f"{task}: {error}", ""]
            continue
        lines += [f"{task}: {results.words}; {results.unit}, mean and 95% interval", ""]
        lines += [*(_arm_line(arm, results) for arm in results.final), ""]
        lines += [*map(_verdict_line, results.verdicts()), ""]
        lines += [f"  {results.provenance['summary']}", ""]
    return "\n".join(lines)


def _arm_line(arm, results):
    """Return one line of the report."""
    final, edges = results.final[arm], ", ".join(results.study.at_edge(arm))
    setting = ", ".join(f"{name} {value:.3g}" for name, value in final.setting.items())
    mark = f"  (an end of its grid: {edges})" if edges else ""
    return f"  {arm:<14}{setting:<40}  {experiment.mean_interval(final.test)}{mark}"


def _verdict_line(verdict):
    """Return one line of the report."""
    low, high = verdict.interval
    difference = f"{verdict.arms[0]} - {verdict.arms[1]} = {verdict.difference:.4g} [{low:.4g}, {high:.4g}]"
    return f"  {verdict.verdict:<14}{verdict.claim}: {difference}"


def _study(task, run):
    """Return the `regbook.study.Study` of one task; ``run`` does the work, or knows its results."""
    problem = PROBLEMS[task]
    return regbook.study.study(
        problem.task,
        problem.arms,
        seeds=problem.seeds,
        tuning_seeds=problem.tuning_seeds,
        first_tuning_seed=TUNING,
        run=run,
    )


def _rounded(settings):
    """Return settings without the last digits of their numbers: a power differs in them on another processor."""
    return [
        {name: f"{value:.9g}" if isinstance(value, float) else value for name, value in s.items()} for s in settings
    ]


def _known(task, job, cell):
    """Return what a stored cell holds as a `regbook.fit.Result`, if it is of this job."""
    result = cells.result(cell)
    if result.seeds != tuple(job.seeds) or _rounded(result.settings) != _rounded(job.settings):
        raise ValueError(
            f"the results of {task!r} must be of the settings and seeds of now, but arm {job.arm.name!r} has others; "
            f"run: python -m regstudy {task} --fresh"
        )
    return result


def _provenance(problem, done, code):
    """Return where the numbers come from."""
    seconds = {name: round(sum(cell[name] for cell in done.values())) for name in ("cpu_seconds", "seconds")}
    software, seeds, tuning = store.software(), problem.seeds, problem.tuning_seeds
    settings = sum(len(cell["settings"]) for cell in done.values())
    summary = (
        f"{settings} settings, {seconds['cpu_seconds']} s of one core; {seeds} seeds after tuning on {tuning}; "
        f"NumPy {software['numpy']}, Python {software['python']}, {_today()}, code {code}"
    )
    return {
        "summary": summary,
        "code": code,
        **software,
        "date": _today(),
        **seconds,
        "seeds": list(range(seeds)),
        "tuning_seeds": list(range(TUNING, TUNING + tuning)),
        "data_sha256": problem.fingerprint(),
    }


def _today():
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def _result(task, arm, found, k):
    """Return one setting of a `regbook.fit.Result` as a `Result`."""
    return Result(
        task,
        arm,
        found.settings[k],
        seeds=found.seeds,
        validation=found.validation[k],
        train=found.train[k],
        test=None if found.test is None else found.test[k],
        best_update=found.best_step[k],
        updates=found.steps,
        train_curve=found.train_curve[:, k].mean(axis=-1),
        validation_curve=found.validation_curve[:, k].mean(axis=-1),
    )


class _Bar:
    """A progress bar over the cells of a task; of 0 cells none."""

    def __init__(self, task, cells):
        self.bar = None
        if cells:
            from tqdm import tqdm

            self.bar = tqdm(total=cells, desc=task, unit="cell")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.bar:
            self.bar.close()

    def step(self, count, words=""):
        """Count cells that are done, and show the last one's name."""
        if self.bar:
            self.bar.set_postfix_str(words, refresh=False)
            self.bar.update(count)
