"""Checks of the exercises in the chapter Weight averaging."""

import numpy as np

from regcheck.core import choice, compare, exercise, near, parts, trials


@exercise("The variance of the last weight")
def variance(answer):
    """rate s^2 / (h (2 - rate h))."""
    for rng in trials():
        rate, h, s = rng.uniform(0.1, 0.6), rng.uniform(0.3, 2), rng.uniform(0.5, 2)
        right = rate * s**2 / (h * (2 - rate * h))
        compare(
            answer(rate, h, s),
            right,
            {
                "That is the standard deviation. Asked for is its square.": np.sqrt(right),
                "That is the variance that one step adds. What is left of the earlier ones?": rate**2 * s**2,
                "That is the limit of small rates.": rate * s**2 / (2 * h),
                "The noise is given by its standard deviation; variances go with the square.": right / s,
                "One rate is missing: a step multiplies the noise by the rate.": right / rate,
                "The curvature is missing: where is a steep direction held more tightly?": right * h,
            },
            "Set the variance after a step, (1 - rate h)^2 v + rate^2 s^2, equal to v and solve.",
        )


@exercise("What an EMA leaves of it")
def factor(answer):
    """(1 - d)/(1 + d) (1 + d r)/(1 - d r)."""
    for rng in trials():
        d, rate, h = rng.uniform(0.3, 0.95), rng.uniform(0.1, 0.6), rng.uniform(0.3, 1.5)
        r = 1 - rate * h
        alone, alike = (1 - d) / (1 + d), (1 + d * r) / (1 - d * r)
        compare(
            answer(d, rate, h),
            alone * alike,
            {
                "That holds for independent numbers. Neighbours on the path are alike.": alone,
                "That is the price of likeness alone; the window of the average is missing.": alike,
                "Likeness makes the average worse, not better: turn the second factor over.": alone / alike,
                "That is one over it. An average has the smaller variance.": 1 / (alone * alike),
                "r is 1 minus rate times curvature; you took the product itself.": alone
                * (1 + d * (1 - r))
                / (1 - d * (1 - r)),
            },
            "There are two factors: one of the window, one of how alike neighbours are. At d = 0 each is 1.",
        )


@exercise("When the start is forgotten")
def steps(answer):
    """The smallest t with 0.995^(t-1) < 0.01."""
    near(
        answer,
        920,
        {
            "The exponent is t - 1: after the first step the first weight is all there is.": 919,
            "That is the window. The first weight counts 14% after so many steps.": 399,
            "That is one step more than is needed.": 921,
            "That is where it counts 10%.": 461,
            "That is for a decay of 0.99.": 460,
        },
        "You want the smallest t with 0.995 to the power t - 1 below one hundredth.",
    )


@exercise("An average without a favorite")
def corrected(answer):
    """The weighted mean with weights d^(t - i)."""
    for rng in trials(8):
        count, d = int(rng.integers(2, 9)), float(rng.uniform(0.3, 0.95))
        path = rng.normal(3, 1, count).tolist()
        powers, numbers = d ** np.arange(count - 1, -1, -1.0), np.array(path)
        favorite = (1 - d) * powers
        favorite[0] = d ** (count - 1)
        compare(
            answer(list(path), d),
            powers @ numbers / powers.sum(),
            {
                "The first number counts more than its turn.": favorite @ numbers,
                "You began at zero and did not divide: the weights do not sum to 1.": (1 - d) * powers @ numbers,
                "The sum of the weighted numbers is right. Divide it by the sum of the weights.": powers @ numbers,
                "The oldest number has the largest weight. It should be the newest.": powers[::-1]
                @ numbers
                / powers.sum(),
                "That is the plain mean; d does nothing.": numbers.mean(),
                "That is the last number.": numbers[-1],
            },
            "Try it on two numbers: the second counts 1 / (1 + d), the first d / (1 + d).",
        )


@exercise("Overwritten at every step")
def overwritten(answer):
    """(1 - d) rate."""
    for rng in trials():
        rate, d = rng.uniform(0.1, 0.9), rng.uniform(0.3, 0.95)
        compare(
            answer(rate, d),
            (1 - d) * rate,
            {
                "That is the part of the old average. What does the new weight count?": d * rate,
                "Larger than before? The average goes only a part of the step.": rate / (1 - d),
                "The step is followed by an average of where it began and where it ended.": rate,
                "That is one over the window, which belongs to a long average. Here only one step is averaged in.": rate
                * (1 - d)
                / (1 + d),
            },
            "Write down w after one step from e, and then the new e.",
        )


@exercise("Two numbers that disagree")
def diagnosis(answer):
    """The average is mostly the start."""
    choice(
        answer,
        "c",
        {
            "a": "A loss of 1.94 is near that of guessing among ten classes. That is no overfitting.",
            "b": "evaluate switches dropout off. Whose weights does it use?",
            "d": "The task says that they are. But between the two numbers something happens to the weights.",
        },
    )


def _as_found(batches):
    mean, variance = 0.0, 0.0
    for batch in batches:
        mean = mean + np.mean(batch) / len(batches)
        variance = variance + np.var(batch) / len(batches)
    return mean, variance


def _within(batches):
    """Return the mean of the batches' variances, each counted by its size."""
    return sum(len(batch) * np.var(batch) for batch in batches) / sum(map(len, batches))


@exercise("Bug hunt: statistics of unequal batches", given=_as_found)
def statistics(answer):
    """Mean and variance of all values."""
    for rng in trials():
        sizes = rng.permutation([6, 6, 3, 2])
        batches = [rng.normal(rng.uniform(-3, 3), 1, size) for size in sizes]
        values = np.concatenate(batches)
        mean, spread = parts(answer([batch.copy() for batch in batches]), (values.mean(), values.var()))
        means, unweighted = np.array([np.mean(batch) for batch in batches]), _as_found(batches)[1]
        compare(
            mean,
            values.mean(),
            {
                "The mean still counts a small batch as much as a large one.": means.mean(),
                "That is the mean of the last batch alone.": means[-1],
                "That is the sum of all values.": values.sum(),
            },
            "The mean is not right yet: it is the sum of all values, divided by their number.",
        )
        compare(
            spread,
            values.var(),
            {
                "The mean is right now. The variance counts batches alike, and ignores their distance.": unweighted,
                "Batches count by their size now, but the distance between their means is missing.": _within(batches),
                "That is the mean of the squares. The square of the mean has to go.": np.mean(values**2),
                "Divide by the number of values, not by one less.": values.var(ddof=1),
                "That is the standard deviation.": values.std(),
            },
            "The mean is right. The variance is the mean of the squares minus the square of the mean.",
        )
