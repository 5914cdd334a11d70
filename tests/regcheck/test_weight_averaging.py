"""The exercises of Weight averaging: solutions pass, plausible wrong answers fail, each with its own message."""

import numpy as np
import pytest

from regcheck import weight_averaging as check
from tests.regcheck.harness import Chapter

chapter = Chapter("beyond/weight-averaging.ipynb", check)


def right_variance(rate, h, s):
    return rate * s**2 / (h * (2 - rate * h))


def alone(d):
    return (1 - d) / (1 + d)


def alike(d, r):
    return (1 + d * r) / (1 - d * r)


def weighted(weights, divide=True):
    def answer(path, d):
        w = weights(len(path), d)
        return w @ np.array(path) / (w.sum() if divide else 1)

    return answer


def powers(count, d):
    return d ** np.arange(count - 1, -1, -1.0)


def favorite(path, d):
    average = path[0]
    for w in path[1:]:
        average = d * average + (1 - d) * w
    return average


def of_batches(mean, variance):
    return lambda batches: (mean(batches), variance(batches))


def true_mean(batches):
    return np.concatenate(batches).mean()


def unweighted(of):
    return lambda batches: np.mean([of(batch) for batch in batches])


WRONG = {
    "variance": [
        (lambda rate, h, s: np.sqrt(right_variance(rate, h, s)), "standard deviation. Asked"),
        (lambda rate, h, s: rate**2 * s**2, "one step adds"),
        (lambda rate, h, s: rate * s**2 / (2 * h), "limit of small rates"),
        (lambda rate, h, s: right_variance(rate, h, s) / s, "go with the square"),
        (lambda rate, h, s: right_variance(rate, h, s) / rate, "One rate is missing"),
        (lambda rate, h, s: right_variance(rate, h, s) * h, "curvature is missing"),
        (lambda rate, h, s: s, "equal to v and solve"),
    ],
    "factor": [
        (lambda d, rate, h: alone(d), "independent numbers"),
        (lambda d, rate, h: alike(d, 1 - rate * h), "window of the average is missing"),
        (lambda d, rate, h: alone(d) / alike(d, 1 - rate * h), "turn the second factor over"),
        (lambda d, rate, h: 1 / (alone(d) * alike(d, 1 - rate * h)), "one over it"),
        (lambda d, rate, h: alone(d) * alike(d, rate * h), "the product itself"),
        (lambda d, rate, h: d, "two factors"),
    ],
    "steps": [
        (919, "all there is"),
        (399, "the window"),
        (921, "more than is needed"),
        (461, "counts 10%"),
        (460, "decay of 0.99"),
        (100, "below one hundredth"),
    ],
    "corrected": [
        (favorite, "more than its turn"),
        (lambda path, d: (1 - d) * weighted(powers, divide=False)(path, d), "began at zero"),
        (weighted(powers, divide=False), "Divide it by the sum"),
        (weighted(lambda count, d: powers(count, d)[::-1]), "should be the newest"),
        (lambda path, d: np.mean(path), "plain mean"),
        (lambda path, d: path[-1], "last number"),
        (lambda path, d: path[0], "two numbers"),
    ],
    "overwritten": [
        (lambda rate, d: d * rate, "the old average"),
        (lambda rate, d: rate / (1 - d), "Larger than before"),
        (lambda rate, d: rate, "began and where it ended"),
        (lambda rate, d: rate * alone(d), "one over the window"),
        (lambda rate, d: d, "the new e"),
    ],
    "diagnosis": [("a", "no overfitting"), ("b", "dropout off"), ("d", "happens to the weights")],
    "statistics": [
        (of_batches(unweighted(np.mean), unweighted(np.var)), "as much as a large one"),
        (of_batches(lambda b: np.mean(b[-1]), unweighted(np.var)), "last batch alone"),
        (of_batches(lambda b: np.concatenate(b).sum(), unweighted(np.var)), "sum of all values."),
        (of_batches(lambda b: 0.0, unweighted(np.var)), "The mean is not right yet"),
        (of_batches(true_mean, unweighted(np.var)), "ignores their distance"),
        (
            of_batches(true_mean, lambda b: sum(len(x) * np.var(x) for x in b) / sum(map(len, b))),
            "between their means is missing",
        ),
        (of_batches(true_mean, lambda b: np.mean(np.concatenate(b) ** 2)), "mean of the squares. The"),
        (of_batches(true_mean, lambda b: np.var(np.concatenate(b), ddof=1)), "not by one less"),
        (of_batches(true_mean, lambda b: np.std(np.concatenate(b))), "the standard deviation"),
        (of_batches(true_mean, lambda b: 0.0), "minus the square of the mean"),
        (lambda b: (np.var(np.concatenate(b)), true_mean(b)), "another order"),
    ],
}

EQUIVALENT = {
    "steps": {"steps = np.ceil(np.log(0.01) / np.log(0.995)) + 1": "920.0 is 920"},
    "statistics": {
        "count, total, squares = (0.0, 0, 0.0)": "0 is 0.0",
        "count, total, squares = (0.0, 0.0, 0)": "0 is 0.0",
    },
}

TestExercises = chapter.tests(WRONG, EQUIVALENT)


@pytest.mark.parametrize("steps", [920, 920.0, np.int64(920)])
def test_other_ways_to_say_the_number(steps):
    assert check.steps(steps).ok


def test_the_function_as_found_is_not_an_answer():
    def statistics(batches):
        mean, variance = 0.0, 0.0
        for batch in batches:
            mean = mean + np.mean(batch) / len(batches)
            variance = variance + np.var(batch) / len(batches)
        return mean, variance

    assert check.statistics(statistics).status == "Not answered"
