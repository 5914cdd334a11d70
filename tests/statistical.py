"""Statistical assertions with a total false-alarm rate that is fixed in advance.

A suite of many tests at 5% each would fail half the time. Here the whole suite
gets `FALSE_ALARMS`, shared equally by `CHECKS` tests (Bonferroni), so that correct
code fails any of them with at most that probability, over all seeds. Each test
uses enough draws to notice a defect that matters at this level.
"""

import numpy as np
from scipy import stats

FALSE_ALARMS = 1e-6
CHECKS = 500
LEVEL = FALSE_ALARMS / CHECKS


def assert_probability(successes, n, probability):
    """The number of successes in n independent draws is that of the stated probability (exact binomial test)."""
    p = stats.binomtest(int(successes), int(n), float(probability)).pvalue
    assert p > LEVEL, f"{successes} of {n} at probability {probability}: p = {p:.2g}"


def assert_mean(sample, mean, std):
    """The mean of independent draws of known standard deviation is ``mean`` (z-test)."""
    z = (np.mean(sample) - mean) / (std / np.sqrt(np.size(sample)))
    p = 2 * stats.norm.sf(abs(z))
    assert p > LEVEL, f"mean {np.mean(sample):.6g} instead of {mean:.6g}: z = {z:.2f}, p = {p:.2g}"


def assert_normal_variance(sample, variance):
    """The variance of independent normal draws is ``variance`` (chi-square test)."""
    n = np.size(sample)
    statistic = (n - 1) * np.var(sample, ddof=1) / variance
    p = 2 * min(stats.chi2.cdf(statistic, n - 1), stats.chi2.sf(statistic, n - 1))
    assert p > LEVEL, f"variance {np.var(sample, ddof=1):.6g} instead of {variance:.6g}: p = {p:.2g}"


def assert_distribution(sample, distribution):
    """Independent draws follow a continuous distribution of scipy (Kolmogorov and Smirnov)."""
    p = stats.kstest(np.ravel(sample), distribution.cdf).pvalue
    assert p > LEVEL, f"not distributed as stated: p = {p:.2g}"


def assert_independent_neighbors(sample, axis, lag=1):
    """Entries ``lag`` apart along an axis are uncorrelated (z-test on the sample correlation)."""
    a = np.take(sample, np.arange(lag, sample.shape[axis]), axis=axis).astype(float).ravel()
    b = np.take(sample, np.arange(sample.shape[axis] - lag), axis=axis).astype(float).ravel()
    correlation = np.corrcoef(a, b)[0, 1]
    p = 2 * stats.norm.sf(abs(correlation) * np.sqrt(a.size))
    assert p > LEVEL, f"correlation {correlation:.4g} along axis {axis} at lag {lag}: p = {p:.2g}"
