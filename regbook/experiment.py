"""Honest experiments: paired seeds, intervals, equal tuning, and a verdict that is computed.

An experiment compares two arms that differ in one thing. Both are run with the
same seeds (the same splits, the same start), so that the difference within each
seed is freed from what the seeds share. Settings are chosen on a validation
split, with the same number of settings tried in each arm; the test split is
touched once, for the numbers that go into `paired`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from reglib._validate import float_array, integer, number, one_of

VERDICTS = ("supported", "contradicted", "inconclusive")


@dataclass(frozen=True)
class Estimate:
    """A mean over n seeds with its t interval at the stated confidence; made by `mean_interval`.

    Prints as ``mean [low, high]``.
    """

    mean: float | np.ndarray
    low: float | np.ndarray
    high: float | np.ndarray
    n: int
    confidence: float

    def __str__(self):
        return f"{self.mean:.4g} [{self.low:.4g}, {self.high:.4g}]"


@dataclass(frozen=True)
class Comparison:
    """Two arms compared seed by seed; made by `paired`. Prints as one sentence, shows as a table in a notebook.

    Attributes
    ----------
    claim, verdict : str
        What was claimed, and one of "supported", "contradicted", "inconclusive".
    arms : (str, str)
        The names of a and b.
    better : {"lower", "higher"}
    n : int
        Paired seeds.
    mean_a, mean_b, difference : float
        The arms' means, and mean_a - mean_b.
    interval, bootstrap : (float, float)
        Paired t interval and bootstrap interval of the difference, low and high.
    confidence : float
    effect_size : float
        d_z, the mean difference over the standard deviation of the differences.
    smallest : float
        The smallest gain that counts.
    """

    claim: str
    verdict: str
    arms: tuple
    better: str
    n: int
    mean_a: float
    mean_b: float
    difference: float
    interval: tuple
    bootstrap: tuple
    confidence: float
    effect_size: float
    smallest: float

    def __str__(self):
        a, b = self.arms
        needed = f", and a difference below {self.smallest:.4g} does not count" if self.smallest else ""
        return (
            f"{self.verdict.capitalize()}: {self.claim} (mean difference {a} - {b} = {self.difference:.4g} "
            f"over {self.n} paired seeds, {self._percent} interval {_range(self.interval)}, "
            f"bootstrap {_range(self.bootstrap)}, d_z = {self.effect_size:.3g}; {self.better} is better{needed})."
        )

    def row(self):
        """Return the result as a dict of plain numbers and words: one row of a results table."""
        a, b = self.arms
        return {
            "claim": self.claim,
            "a": a,
            "b": b,
            "better": self.better,
            "seeds": self.n,
            "mean_a": self.mean_a,
            "mean_b": self.mean_b,
            "difference": self.difference,
            "low": self.interval[0],
            "high": self.interval[1],
            "bootstrap_low": self.bootstrap[0],
            "bootstrap_high": self.bootstrap[1],
            "confidence": self.confidence,
            "effect_size": self.effect_size,
            "smallest": self.smallest,
            "verdict": self.verdict,
        }

    @property
    def _percent(self):
        return f"{100 * self.confidence:.4g}%"

    def _cells(self):
        """Return the table's rows as pairs of name and text."""
        a, b = self.arms
        return [
            ("Claim", self.claim),
            ("Verdict", self.verdict),
            (f"Mean, {a}", f"{self.mean_a:.4g}"),
            (f"Mean, {b}", f"{self.mean_b:.4g}"),
            (f"Difference, {a} - {b}", f"{self.difference:.4g} ({self.better} is better)"),
            (f"{self._percent} interval, paired t", _range(self.interval)),
            (f"{self._percent} interval, bootstrap", _range(self.bootstrap)),
            ("Effect size d_z", f"{self.effect_size:.3g}"),
            ("Paired seeds", f"{self.n}"),
        ]

    def _repr_markdown_(self):
        lines = [f"| {name} | {text} |" for name, text in self._cells()]
        return "\n".join(["| | |", "|:--|:--|", *(line.replace("_", r"\_") for line in lines)])

    def _repr_html_(self):
        from html import escape

        lines = [
            f'<tr><th scope="row" style="text-align: left">{escape(name)}</th>'
            f'<td style="text-align: left">{escape(text)}</td></tr>'
            for name, text in self._cells()
        ]
        return "\n".join(['<div class="reglib-table"><table>', *lines, "</table></div>"])


def mean_interval(values, *, confidence=0.95):
    """Return the mean of one arm over its seeds, with Student's t interval.

        mean -+ t_(n-1) * s / sqrt(n),

    s the standard deviation with n - 1 in the denominator.

    Parameters
    ----------
    values : array of floats, (n,) or (n, ...)
        One result a seed along the first axis, n >= 2; further axes (the steps of
        a learning curve) each get an interval of their own.
    confidence : float
        In (0, 1).

    Returns
    -------
    Estimate

    Examples
    --------
    >>> print(mean_interval([0.1, 0.2, 0.3]))
    0.2 [-0.04841, 0.4484]
    """
    values = float_array("values", values)
    confidence = number("confidence", confidence, low=0, high=1, low_open=True, high_open=True)
    if values.ndim == 0 or len(values) < 2:
        raise ValueError(f"values must hold the results of at least 2 seeds, got shape {values.shape}")
    mean, half = values.mean(axis=0), _half_width(values, confidence)
    low, high = mean - half, mean + half
    if values.ndim == 1:
        mean, low, high = float(mean), float(low), float(high)
    return Estimate(mean, low, high, len(values), confidence)


def paired(
    a,
    b,
    *,
    better,
    claim,
    confidence=0.95,
    smallest=None,
    minimum=20,
    arms=("a", "b"),
    resamples=9999,
    rng=None,
):
    """Compare two arms run with the same seeds, and compute the verdict on the claim that a is better than b.

    With d_i = a_i - b_i, the interval of the mean difference is Student's t over
    the d_i; beside it stands the bias-corrected and accelerated bootstrap
    interval (Efron 1987, `scipy.stats.bootstrap`). The effect size is d_z, the
    mean of the d_i over their standard deviation (Lakens 2013).

    The verdict counts a gain, a difference in the direction that is better:

    - "supported" when both intervals lie above ``smallest`` (0 by default);
    - "contradicted" when both lie below it;
    - "inconclusive" otherwise.

    Parameters
    ----------
    a, b : arrays of floats, (n,)
        The results of the two arms, in the same order of seeds.
    better : {"lower", "higher"}
    claim : str
        What is claimed, in words, for instance "dropout lowers the test error".
    confidence : float
        In (0, 1).
    smallest : float, optional
        The smallest gain that matters, in the unit of the results.
    minimum : int
        Fewer seeds than this are refused; lower it explicitly for a quick look.
    arms : (str, str)
        Their names.
    resamples : int
        Bootstrap resamples.
    rng : numpy.random.Generator, optional
        For the bootstrap; by default a fresh ``default_rng(0)``, so that the same
        results give the same interval.

    Returns
    -------
    Comparison
    """
    a, b = float_array("a", a, ndim=1), float_array("b", b, ndim=1)
    if a.shape != b.shape:
        raise ValueError(f"a and b must hold one result for each of the same seeds; got {len(a)} and {len(b)}")
    minimum = integer("minimum", minimum, low=2)
    if len(a) < minimum:
        raise ValueError(
            f"a and b must hold at least {minimum} paired seeds, got {len(a)}; run more, "
            "or lower minimum explicitly for a quick look"
        )
    one_of("better", better, ("lower", "higher"))
    confidence = number("confidence", confidence, low=0, high=1, low_open=True, high_open=True)
    smallest = number("smallest", 0.0 if smallest is None else smallest, low=0)
    difference = a - b
    t = mean_interval(difference, confidence=confidence)
    bootstrap = _bootstrap(difference, confidence, integer("resamples", resamples, low=100), rng)
    interval = (t.low, t.high)
    return Comparison(
        claim=claim,
        verdict=_verdict([interval, bootstrap], better, smallest),
        arms=tuple(arms),
        better=better,
        n=len(a),
        mean_a=float(a.mean()),
        mean_b=float(b.mean()),
        difference=float(t.mean),
        interval=interval,
        bootstrap=bootstrap,
        confidence=confidence,
        effect_size=_effect_size(difference),
        smallest=smallest,
    )


def choose(scores, *, better):
    """Pick each arm's setting by its validation scores, after checking that every arm had the same budget.

    Parameters
    ----------
    scores : dict of dict
        ``scores[arm][setting]`` is a validation score, or an array of them, one a
        seed. A NaN stands for a run that diverged: that setting is not chosen.
    better : {"lower", "higher"}

    Returns
    -------
    dict
        The setting with the best mean score, for each arm; of equals the first.

    Raises
    ------
    ValueError
        When the arms tried different numbers of settings, or scored them on
        different numbers of seeds: more tries find a better setting by luck alone.

    Examples
    --------
    >>> errors = {"dropout": {0.1: [0.31, 0.29], 0.5: [0.25, 0.27]}, "L2": {0.01: [0.28, 0.3], 0.1: [0.4, 0.3]}}
    >>> choose(errors, better="lower")
    {'dropout': 0.5, 'L2': 0.01}
    """
    one_of("better", better, ("lower", "higher"))
    if not isinstance(scores, Mapping) or not scores or not all(isinstance(arm, Mapping) for arm in scores.values()):
        raise TypeError(f"scores must be a dict of dicts, scores[arm][setting]; got {scores!r}")
    budgets = {arm: len(settings) for arm, settings in scores.items()}
    seeds = {arm: sorted({np.size(score) for score in settings.values()}) for arm, settings in scores.items()}
    if len(set(budgets.values())) > 1 or 0 in budgets.values():
        raise ValueError(f"every arm must try the same number of settings, at least one; got {budgets}")
    if len({tuple(counts) for counts in seeds.values()}) > 1 or any(len(counts) > 1 for counts in seeds.values()):
        raise ValueError(f"every setting must be scored on the same number of seeds; got {seeds}")
    return {arm: _best(arm, settings, better) for arm, settings in scores.items()}


def _best(arm, settings, better):
    """Return the setting with the best mean score."""
    means = {setting: float(np.mean(score)) for setting, score in settings.items()}
    usable = {setting: mean for setting, mean in means.items() if not math.isnan(mean)}
    if not usable:
        raise ValueError(f"at least one setting of arm {arm!r} must have scores without NaN; got {means}")
    return (min if better == "lower" else max)(usable, key=usable.__getitem__)


def _half_width(values, confidence):
    """Return half the width of Student's t interval along the first axis."""
    from scipy.stats import t

    n = len(values)
    return t.ppf((1 + confidence) / 2, n - 1) * values.std(axis=0, ddof=1) / math.sqrt(n)


def _bootstrap(difference, confidence, resamples, rng):
    """Return the bias-corrected and accelerated bootstrap interval of the mean; a point when all are equal."""
    if np.ptp(difference) == 0:
        return float(difference[0]), float(difference[0])
    from scipy.stats import bootstrap

    result = bootstrap(
        (difference,),
        np.mean,
        confidence_level=confidence,
        n_resamples=resamples,
        method="BCa",
        random_state=np.random.default_rng(0)
        if rng is None
        else rng,  # its name up to SciPy 1.14, in pages; taken since
    )
    low, high = result.confidence_interval
    return float(low), float(high)


def _effect_size(difference):
    """Return d_z, the mean over the standard deviation; 0 for no difference at all."""
    mean, spread = float(difference.mean()), float(difference.std(ddof=1))
    if np.ptp(difference) == 0:
        return math.copysign(math.inf, mean) if mean else 0.0
    return mean / spread


def _verdict(intervals, better, smallest):
    """Return the verdict on a gain of more than ``smallest``, when all intervals agree."""
    gains = intervals if better == "higher" else [(-high, -low) for low, high in intervals]
    if all(low > smallest for low, _ in gains):
        return "supported"
    if all(high < smallest for _, high in gains):
        return "contradicted"
    return "inconclusive"


def _range(interval):
    """Return an interval as text."""
    return f"[{interval[0]:.4g}, {interval[1]:.4g}]"
