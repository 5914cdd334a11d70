"""A study: one task, several arms, the same budget for each, and verdicts that are computed.

A `regbook.task.Task` is a problem, a network for it, and the length of a training run. A `regbook.task.Arm` is a
technique with the settings to try. `study` trains every setting of every arm on the same seeds, chooses settings on
validation data, and measures what was chosen on test data. What makes it fair:

- **Pairs.** A seed gives its data, first weights and batches to every arm, from generators of its own: the numbers of
  a seed do not depend on the seeds and settings that are trained beside it.
- **Budgets.** Every arm tries the same number of settings; the arm that regularizes nothing, too.
- **Ties.** Settings that a seed's validation data cannot tell apart share it equally: the seed's result is the mean of
  theirs. (The first, or the smallest, would favor one end of the grid.)
- **Edges.** A choice at the end of its grid is counted and shown: the best setting may lie beyond it.
- **Labels.** An arm may be fitted again on training and validation data with the chosen setting (``refit``), and one
  that needs no validation data can be given more to learn from.
- **Divergence.** A run whose loss becomes infinite or NaN has no result, and its setting is not chosen in that seed.
- **The test data** are measured once for each trained network, after its training; only chosen ones enter a verdict.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from regbook import experiment
from regbook.fit import fit, measured_again
from regbook.notebook import table, verdict_table
from regbook.task import Arm, Measure, Task
from reglib._validate import integer, one_of


def shares(validation, better="lower"):
    """Return how much of each seed goes to each setting: 1 to its best, equal parts to those that tie.

    ``validation`` is (K, S), ``better`` says which way; NaN stands for a run that diverged, which nobody chooses.
    """
    one_of("better", better, ("lower", "higher"))
    validation = np.asarray(validation, float)
    score = np.where(np.isnan(validation), np.inf, validation if better == "lower" else -validation)
    least = score.min(axis=0)
    if np.isinf(least).any():
        raise ValueError("at least one setting must have a validation result in every seed; all of them diverged")
    best = score == least
    return best / best.sum(axis=0)


@dataclass(frozen=True, eq=False)
class Study:
    """What `study` returns; shows as a table of its arms.

    Attributes
    ----------
    task : Task, or Measure for scores that come from elsewhere
    arms : dict of Arm
    tried : dict of Result
        All settings of each arm, on the seeds of the choice.
    share : dict of ndarray, (K, S)
        How much of each seed the settings got, see `shares`; with seeds of their own for tuning (K, 1), 1 for the
        setting that serves all.
    test, validation : dict of ndarray, (S,)
        Of what was chosen, by arm; NaN in a seed where the chosen setting diverged, on fresh seeds or fitted again.
    final : dict of Result
        The chosen settings on fresh seeds, or fitted again; what was ``tried`` where there was no need.
    """

    task: Task | Measure
    arms: dict
    tried: dict
    share: dict
    test: dict
    validation: dict
    final: dict

    def compare(self, a, b, claim=None, **options):
        """Return the `regbook.experiment.Comparison` of two arms on test data: that ``a`` is better than ``b``.

        ``claim`` says it in words; ``options`` are those of `regbook.experiment.paired`.
        """
        for name in (a, b):
            one_of("arm", name, tuple(self.test))
            if failed := self._failed(name):
                raise ValueError(f"arm {name!r} must have a result in every seed; it diverged in {failed}")
        words = claim or f"{a} against {b}"
        options = {"better": self.task.better, "claim": words, "arms": (a, b)} | options
        return experiment.paired(self.test[a], self.test[b], **options)

    def verdicts(self, *pairs, digits=3, **options):
        """Return a table with a verdict for each of the ``pairs`` of arms (a, b), or (a, b, claim).

        ``digits`` are those shown; ``options`` are those of `regbook.experiment.paired`.
        """
        found = [self.compare(*pair, **options) for pair in pairs]
        marks = [" *" if self.at_edge(a) or self.at_edge(b) else "" for a, b, *_ in pairs]
        note = ", * where a chosen setting lies at the end of its grid" if any(marks) else ""
        caption = f"{self.task.unit}, {len(next(iter(self.test.values())))} paired seeds{note}"
        columns = ("Claim: the first is better", "First", "Second")
        return verdict_table(found, columns=columns, marks=marks, caption=caption, digits=digits)

    def choices(self, arm):
        """Return the settings of an ``arm`` with how many seeds chose each, most first; ties count in parts."""
        counts = self.share[arm].sum(axis=1)
        order = np.argsort(-counts, kind="stable")
        return [(self.arms[arm].settings[k], float(counts[k])) for k in order if counts[k]]

    def at_edge(self, arm):
        """Return the share of the seeds that chose an end of an ``arm``'s grid, such as ``{"rate=0.5": 0.25}``.

        Names with one value only, and values that are no numbers, have no ends.
        """
        found, share = {}, self.share[arm].sum(axis=1) / self.share[arm].sum()
        for name in self.arms[arm].settings[0]:
            values = [setting[name] for setting in self.arms[arm].settings]
            if np.asarray(values).dtype.kind not in "iuf" or len(set(values)) < 2:
                continue
            for end in (min(values), max(values)):
                weight = float(sum(s for value, s in zip(values, share, strict=True) if value == end))
                if weight:
                    found[f"{name}={end:g}"] = weight
        return found

    def table(self, digits=3):
        """Return a table of the arms: what they chose, how often at an end of the grid, and the test result.

        Floating-point numbers show ``digits`` digits.
        """
        rows = []
        for arm in self.arms:
            (setting, count), *others = self.choices(arm)
            words = ", ".join(f"{name} {_short(value)}" for name, value in setting.items())
            more = f" ({count:.3g} of {self.share[arm].shape[1]} seeds)" if others else ""
            edges = ", ".join(f"{name}: {weight:.0%}" for name, weight in self.at_edge(arm).items()) or "none"
            failed = len(self._failed(arm))
            mean = f"{failed} seeds diverged" if failed else str(experiment.mean_interval(self.test[arm]))
            rows.append([arm, words + more, edges, mean])
        heads = ["Arm", "Chosen most", "Chosen at an end of the grid", f"{self.task.unit}, mean and 95%"]
        return table(rows, heads, digits=digits)

    def _failed(self, arm):
        """Return the seeds without a result."""
        return [seed for seed, value in zip(self.final[arm].seeds, self.test[arm], strict=True) if np.isnan(value)]

    def _repr_html_(self):
        return self.table()._repr_html_()

    def __repr__(self):
        return repr(self.table())


def study(task, arms, *, seeds=24, tuning_seeds=0, first_tuning_seed=1000, run=None, progress=None):
    """Train, tune and compare arms on one task; see the head of this module.

    Parameters
    ----------
    task : Task
    arms : sequence of Arm
        All with the same number of settings.
    seeds : int
        Paired seeds for the comparison, 0, 1, ...
    tuning_seeds : int
        0: each seed chooses its own setting on its own validation data. Otherwise so many other seeds choose one
        setting for all, by their mean, of equals the first; the seeds of the comparison then train that setting alone.
    first_tuning_seed : int
        The tuning seeds are this and the next ones.
    run : callable, optional
        ``run(jobs)`` does the work: ``jobs`` is a dict from names to functions without arguments, and it returns
        their results by name. By default one after the other; `regstudy` stores them, and spreads them over processes.
    progress : callable, optional
        Wraps the names of the jobs, for instance ``tqdm.tqdm``.

    Returns
    -------
    Study
    """
    names = [arm.name for arm in arms]
    arms = {arm.name: arm for arm in arms}
    if len(arms) < len(names):
        raise ValueError(f"arms must have different names, got {', '.join(names)}")
    budgets = {name: len(arm.settings) for name, arm in arms.items()}
    if len(set(budgets.values())) != 1:
        raise ValueError(f"every arm must try the same number of settings, at least one; got {budgets}")
    again = [name for name, arm in arms.items() if arm.refit]
    if again and task.stop == "best":
        raise ValueError(
            f"refit=True leaves no validation data to stop by, so stop must be 'last'; got arm {again[0]!r}"
        )
    seeds = integer("seeds", seeds, low=2)
    tuning_seeds = integer("tuning_seeds", tuning_seeds, low=0)
    run = _in_turn(progress) if run is None else run
    own, these = not tuning_seeds, range(seeds)
    first = these if own else range(first_tuning_seed, first_tuning_seed + tuning_seeds)
    tried = run({f"{name}/tuning": Job(task, arm, arm.settings, first, test=own) for name, arm in arms.items()})
    tried = {name: tried[f"{name}/tuning"] for name in arms}
    share = {name: _share(name, result, task.better, own) for name, result in tried.items()}
    jobs = {
        f"{name}/final": Job(task, arm, seeds=these, test=True, joined=arm.refit, **_chosen(arm, share[name], own))
        for name, arm in arms.items()
        if arm.refit or not own
    }
    final = run(jobs) if jobs else {}
    final = {name: final.get(f"{name}/final", tried[name]) for name in arms}
    weights = {name: share[name] if own else np.ones((1, 1)) for name in arms}
    test = {name: _mean(weights[name], final[name].test) for name in arms}
    validation = {name: _mean(weights[name], (tried if own else final)[name].validation) for name in arms}
    return Study(task, arms, tried, share, test, validation, final)


def measured_by(found, measure, *, unit, better="lower"):
    """Return the study that would have been if it had gone by another measure, in its choices and its test.

    Nothing is trained again.

    Parameters
    ----------
    found : Study
        From `study`, without tuning seeds of its own and without arms that were fitted again.
    measure : callable
        As in `regbook.task.Task`.
    unit : str
    better : {"lower", "higher"}

    Returns
    -------
    Study
    """
    if any(found.final[name] is not result for name, result in found.tried.items()):
        raise ValueError("found must be a study whose networks were chosen on their own seeds and not fitted again")
    task = replace(found.task, measure=measure, unit=unit, better=better)
    tried = {name: measured_again(task, found.arms[name], result) for name, result in found.tried.items()}
    share = {name: _share(name, result, better, own=True) for name, result in tried.items()}
    test, validation = (
        {name: _mean(share[name], getattr(result, part)) for name, result in tried.items()}
        for part in ("test", "validation")
    )
    return Study(task, found.arms, tried, share, test, validation, tried)


@dataclass(frozen=True, eq=False)
class Job:
    """One part of a study that can run anywhere: called, it does `regbook.fit.fit` with its fields as arguments.

    These are ``task``, ``arm``, ``settings``, ``seeds``, ``test``, ``joined`` and ``which``.
    """

    task: Task
    arm: Arm
    settings: tuple
    seeds: range
    test: bool
    joined: bool = False
    which: np.ndarray | None = None

    def __call__(self):
        return fit(self.task, self.arm, self.settings, self.seeds, test=self.test, joined=self.joined, which=self.which)


def _in_turn(progress):
    def run(jobs):
        return {name: jobs[name]() for name in (jobs if progress is None else progress(list(jobs)))}

    return run


def _share(name, result, better, own):
    """Return the shares of the settings, (K, S); or (K, 1), all to the first of those with the best mean."""
    try:
        found = shares(result.validation if own else result.validation.mean(axis=1, keepdims=True), better)
    except ValueError as error:
        raise ValueError(f"arm {name!r}: {error}") from None
    return found if own else np.eye(len(found))[:, [found.argmax()]]


def _chosen(arm, share, own) -> dict[str, Any]:
    """Return the settings to train in the end, as a dict: all that some seed chose, and which seeds did."""
    if own:
        return {"settings": arm.settings, "which": share > 0}
    return {"settings": (arm.settings[share.argmax()],)}


def _mean(share, values):
    """Return each seed's mean over the settings that share it, (S,)."""
    share = np.broadcast_to(share, values.shape)
    return np.where(share > 0, share * values, 0).sum(axis=0)


def _short(value):
    return f"{value:g}" if isinstance(value, float) else str(value)
