"""Verdicts, intervals and the rules of an honest comparison."""

import json
import math

import numpy as np
import pytest
from scipy import stats

from regbook import experiment
from regbook.experiment import choose, mean_interval, paired
from tests.conftest import exactly


def arms(gain, n=20, spread=1.0, seed=0):
    """Two arms whose differences a - b have exactly this mean, whatever the seeds share."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal(n)
    noise = spread * (noise - noise.mean()) / noise.std(ddof=1)
    shared = 10 * rng.standard_normal(n)
    return shared + gain + noise, shared


def compare(a, b, **options):
    return paired(a, b, **({"better": "higher", "claim": "a helps"} | options))


def test_the_mean_interval_by_hand():
    # mean 2, s = 1, n = 3; the 97.5% point of t with 2 degrees of freedom is 4.302653
    estimate = mean_interval([1.0, 2.0, 3.0])
    half = 4.302652729749464 / math.sqrt(3)
    assert estimate.mean == 2
    assert estimate.low == pytest.approx(2 - half, rel=1e-12)
    assert estimate.high == pytest.approx(2 + half, rel=1e-12)
    assert (estimate.n, estimate.confidence) == (3, 0.95)
    assert str(estimate) == "2 [-0.4841, 4.484]"
    assert {type(estimate.mean), type(estimate.low), type(estimate.high)} == {float}


def test_the_mean_interval_is_scipys_along_the_first_axis():
    values = np.random.default_rng(1).standard_normal((7, 2, 3))
    estimate = mean_interval(values, confidence=0.9)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    np.testing.assert_allclose(estimate.low, expected.low)
    np.testing.assert_allclose(estimate.high, expected.high)
    np.testing.assert_allclose(estimate.mean, values.mean(axis=0))
    assert estimate.n == 7


def test_paired_equals_scipy():
    a, b = arms(0.3, n=24, spread=0.5)
    result = compare(a, b, confidence=0.9)
    t = stats.ttest_rel(a, b)
    expected = t.confidence_interval(0.9)
    assert result.interval == pytest.approx((expected.low, expected.high))
    assert result.difference == pytest.approx(0.3)
    assert result.effect_size == pytest.approx(t.statistic / np.sqrt(24))
    assert result.mean_a == pytest.approx(a.mean())
    assert result.mean_b == pytest.approx(b.mean())
    assert (result.n, result.confidence) == (24, 0.9)
    bootstrap = stats.bootstrap(
        (a - b,), np.mean, confidence_level=0.9, n_resamples=9999, method="BCa", rng=np.random.default_rng(0)
    )
    assert result.bootstrap == tuple(bootstrap.confidence_interval)
    assert result.bootstrap != result.interval


def test_the_interval_is_of_the_differences_not_of_the_arms():
    # the arms vary a hundred times more than their differences
    a, b = arms(0.5, spread=0.1)
    assert compare(a, b).verdict == "supported"


@pytest.mark.parametrize(
    ("gain", "better", "verdict"),
    [
        (2.0, "higher", "supported"),
        (2.0, "lower", "contradicted"),
        (-2.0, "higher", "contradicted"),
        (-2.0, "lower", "supported"),
        (0.1, "higher", "inconclusive"),
        (-0.1, "higher", "inconclusive"),
        (0.1, "lower", "inconclusive"),
    ],
)
def test_verdicts(gain, better, verdict):
    result = compare(*arms(gain), better=better)
    assert result.verdict == verdict
    assert result.better == better


@pytest.mark.parametrize(
    ("gain", "smallest", "verdict"),
    [(2.0, 1.0, "supported"), (2.0, 1.9, "inconclusive"), (2.0, 3.0, "contradicted"), (0.0, 1.0, "contradicted")],
)
def test_the_smallest_gain_that_matters(gain, smallest, verdict):
    assert compare(*arms(gain), smallest=smallest).verdict == verdict
    a, b = arms(gain)
    assert compare(b, a, better="lower", smallest=smallest).verdict == verdict


def test_both_intervals_must_agree():
    verdict = experiment._verdict
    assert verdict([(1, 2), (1, 3)], "higher", 0) == "supported"
    assert verdict([(1, 2), (-1, 3)], "higher", 0) == "inconclusive"
    assert verdict([(-2, -1), (-3, 1)], "higher", 0) == "inconclusive"
    assert verdict([(-2, -1), (-3, -1)], "higher", 0) == "contradicted"
    assert verdict([(0, 1), (0, 1)], "higher", 0) == "inconclusive"
    assert verdict([(-1, 0), (-1, 0)], "higher", 0) == "inconclusive"
    assert verdict([(-1, 0), (-1, 0)], "lower", 0) == "inconclusive"


def test_the_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(5)
    covered = [abs(e.mean) <= e.high - e.mean for e in (mean_interval(rng.standard_normal(20)) for _ in range(1000))]
    # 950 of 1000 expected, standard deviation 6.9; five of them on either side
    assert 915 <= sum(covered) <= 985


def test_identical_arms_and_constant_differences():
    a, _ = arms(0.0)
    same = compare(a, a)
    assert same.verdict == "inconclusive"
    assert same.interval == same.bootstrap == (0, 0)
    assert same.effect_size == 0
    ones = compare(np.full(20, 3.0), np.full(20, 1.0))
    assert ones.verdict == "supported"
    assert ones.interval == ones.bootstrap == (2, 2)
    assert ones.effect_size == math.inf
    assert compare(np.full(20, 1.0), np.full(20, 3.0)).effect_size == -math.inf


def test_the_result_reads_as_one_sentence():
    a, b = arms(2.0)
    text = str(compare(a, b, arms=("dropout", "plain"), claim="dropout raises the accuracy"))
    assert text == (
        "Supported: dropout raises the accuracy (mean difference dropout - plain = 2 over 20 paired seeds, "
        f"95% interval [1.532, 2.468], bootstrap {bounds(compare(a, b).bootstrap)}, d_z = 2; higher is better)."
    )
    text = str(compare(a, b, smallest=0.5, confidence=0.99, better="lower"))
    assert text.startswith("Contradicted: a helps (mean difference a - b = 2 over 20 paired seeds, 99% interval [")
    assert text.endswith(", d_z = 2; lower is better, and a difference below 0.5 does not count).")


def bounds(interval):
    return f"[{interval[0]:.4g}, {interval[1]:.4g}]"


def test_the_row_is_plain_and_complete():
    a, b = arms(-2.0)
    result = compare(a, b, better="lower", arms=("new", "old"), claim="new is better", smallest=0.25)
    row = result.row()
    assert row == {
        "claim": "new is better",
        "a": "new",
        "b": "old",
        "better": "lower",
        "seeds": 20,
        "mean_a": result.mean_a,
        "mean_b": result.mean_b,
        "difference": result.difference,
        "low": result.interval[0],
        "high": result.interval[1],
        "bootstrap_low": result.bootstrap[0],
        "bootstrap_high": result.bootstrap[1],
        "confidence": 0.95,
        "effect_size": result.effect_size,
        "smallest": 0.25,
        "verdict": "supported",
    }
    assert json.loads(json.dumps(row)) == row
    assert compare(a, b).row()["smallest"] == 0


def test_the_tables():
    a, b = arms(2.0)
    result = compare(a, b, arms=("a_1", "<b>"))
    markdown = result._repr_markdown_().splitlines()
    assert markdown == [
        "| | |",
        "|:--|:--|",
        "| Claim | a helps |",
        "| Verdict | supported |",
        rf"| Mean, a\_1 | {a.mean():.4g} |",
        f"| Mean, <b> | {b.mean():.4g} |",
        r"| Difference, a\_1 - <b> | 2 (higher is better) |",
        "| 95% interval, paired t | [1.532, 2.468] |",
        f"| 95% interval, bootstrap | {bounds(result.bootstrap)} |",
        r"| Effect size d\_z | 2 |",
        "| Paired seeds | 20 |",
    ]
    html = result._repr_html_().splitlines()
    assert html[0] == '<div class="reglib-table"><table>'
    assert html[-1] == "</table></div>"
    assert len(html) == 11
    assert html[4] == (
        '<tr><th scope="row" style="text-align: left">Mean, &lt;b&gt;</th>'
        f'<td style="text-align: left">{b.mean():.4g}</td></tr>'
    )


def test_the_same_results_give_the_same_interval():
    a, b = arms(0.4)
    assert compare(a, b) == compare(a, b)
    other = compare(a, b, rng=np.random.default_rng(1))
    assert other.bootstrap != compare(a, b).bootstrap
    assert other == compare(a, b, rng=np.random.default_rng(1))
    few = compare(a, b, resamples=100)
    assert few.bootstrap != compare(a, b).bootstrap
    assert compare(a, b).arms == ("a", "b")


def test_too_few_seeds_are_refused_unless_asked_for():
    a, b = arms(1.0, n=19)
    message = (
        "a and b must hold at least 20 paired seeds, got 19; run more, or lower minimum explicitly for a quick look"
    )
    with pytest.raises(ValueError, match=exactly(message)):
        compare(a, b)
    assert compare(a, b, minimum=19).n == 19
    assert compare(a[:2], b[:2], minimum=2).n == 2
    with pytest.raises(ValueError, match=exactly("minimum must be at least 2, got 1")):
        compare(a, b, minimum=1)


def test_bad_input_is_named():
    a, b = arms(1.0)
    cases = [
        (lambda: compare(a, b[:-1]), "a and b must hold one result for each of the same seeds; got 20 and 19"),
        (lambda: compare(a[None], b), "a must have 1 axes, got shape (1, 20)"),
        (lambda: compare(a, b[None]), "b must have 1 axes, got shape (1, 20)"),
        (lambda: compare(a, b, better="larger"), "better must be one of 'lower', 'higher'; got 'larger'"),
        (lambda: compare(a, b, confidence=1.0), "confidence must be a finite number in (0, 1), got 1.0"),
        (lambda: compare(a, b, confidence=0), "confidence must be a finite number in (0, 1), got 0"),
        (lambda: mean_interval(a, confidence=95), "confidence must be a finite number in (0, 1), got 95"),
        (lambda: mean_interval(a, confidence=0), "confidence must be a finite number in (0, 1), got 0"),
        (lambda: mean_interval(a, confidence=1), "confidence must be a finite number in (0, 1), got 1"),
        (lambda: compare(a, b, smallest=-0.1), "smallest must be a finite number in [0, inf], got -0.1"),
        (lambda: compare(a, b, resamples=99), "resamples must be at least 100, got 99"),
        (lambda: mean_interval([1.0]), "values must hold the results of at least 2 seeds, got shape (1,)"),
        (lambda: mean_interval(1.0), "values must hold the results of at least 2 seeds, got shape ()"),
        (lambda: mean_interval([1.0, np.nan]), "values must be finite, got 1 NaN or infinite values in shape (2,)"),
        (lambda: choose({"a": {1: 0.5}}, better="best"), "better must be one of 'lower', 'higher'; got 'best'"),
    ]
    for call, message in cases:
        with pytest.raises(ValueError, match=exactly(message)):
            call()
    for name in "ab":
        with pytest.raises(TypeError, match=rf"^{name} must hold floating-point numbers"):
            compare(**({"a": a, "b": b} | {name: np.arange(20)}))
    assert mean_interval([1.0, 2.0]).n == 2


def test_choose_takes_the_best_mean_of_each_arm():
    scores = {
        "l2": {0.1: [0.5, 0.7], 0.01: [0.9, 0.6], 0.001: [0.1, 0.9]},
        "dropout": {0.5: [0.3, 0.3], 0.2: [0.1, 0.2], 0.1: [0.2, 0.1]},
    }
    assert choose(scores, better="higher") == {"l2": 0.01, "dropout": 0.5}
    assert choose(scores, better="lower") == {"l2": 0.001, "dropout": 0.2}
    assert choose({"a": {"x": 3, "y": 1}}, better="lower") == {"a": "y"}


def test_choose_never_takes_a_diverged_setting():
    scores = {"a": {"big": np.array([0.0, np.nan]), "small": np.array([0.5, 0.7])}}
    assert choose(scores, better="lower") == {"a": "small"}
    assert choose(scores, better="higher") == {"a": "small"}
    message = "at least one setting of arm 'a' must have scores without NaN; got {'big': nan}"
    with pytest.raises(ValueError, match=exactly(message)):
        choose({"a": {"big": np.nan}}, better="lower")


def test_choose_asks_for_equal_budgets():
    message = "every arm must try the same number of settings, at least one; got {'a': 1, 'b': 2}"
    with pytest.raises(ValueError, match=exactly(message)):
        choose({"a": {1: 0.5}, "b": {1: 0.5, 2: 0.6}}, better="lower")
    with pytest.raises(
        ValueError, match=exactly("every arm must try the same number of settings, at least one; got {'a': 0}")
    ):
        choose({"a": {}}, better="lower")
    message = "every setting must be scored on the same number of seeds; got {'a': [2], 'b': [1]}"
    with pytest.raises(ValueError, match=exactly(message)):
        choose({"a": {1: [0.5, 0.5]}, "b": {1: [0.5]}}, better="lower")
    message = "every setting must be scored on the same number of seeds; got {'a': [1, 2]}"
    with pytest.raises(ValueError, match=exactly(message)):
        choose({"a": {1: [0.5, 0.5], 2: [0.5]}}, better="lower")
    for bad in ({}, [1], {"a": [0.5]}):
        with pytest.raises(
            TypeError, match=exactly(f"scores must be a dict of dicts, scores[arm][setting]; got {bad!r}")
        ):
            choose(bad, better="lower")
