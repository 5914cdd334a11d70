"""The exercises of Gaussian dropout: solutions pass, plausible wrong answers fail, each with its own message."""

import numpy as np
import pytest

from regcheck import core
from regcheck import gaussian as check
from tests.regcheck.harness import Chapter

chapter = Chapter("variants/gaussian.ipynb", check)


def layer(std=lambda p: np.sqrt(p / (1 - p)), mean=1.0, on=bool, result=lambda x: x):
    def answer(x, rate, rng, training):
        if on(training):
            return result(x * (mean + std(rate) * rng.standard_normal(x.shape)))
        return result(x)

    return answer


def quiet(x, rate, rng, training):
    return layer()(x, rate, rng, True) if training else x / 2


def uniform(std=lambda odds: np.sqrt(12 * odds), mean=1.0, middle=0.5):
    return lambda u, p: mean + std(p / (1 - p)) * (u - middle)


def additive(clean=1.0, extra=lambda X, w, s: s**2 * np.sum(w**2)):
    return lambda X, y, w, s: (clean * np.mean((y - X @ w) ** 2) + extra(X, w, s)) / 2


WRONG = {
    "uniform": [
        (uniform(middle=0.0), "mean of u is not 0"),
        (uniform(mean=0.0), "is 0, not 1"),
        (uniform(std=np.sqrt), "for 1. It"),
        (uniform(std=lambda odds: 2 * np.sqrt(odds)), "between -1 and 1"),
        (uniform(std=lambda odds: np.sqrt(odds / 12)), "upside down"),
        (uniform(std=lambda odds: 12 * odds), "root missing"),
        (uniform(std=lambda odds: np.sqrt(12) * odds), "not by the standard deviation"),
        (uniform(std=lambda odds: np.sqrt(12 / odds)), "exchanged keep and drop"),
        (lambda u, p: 1 + np.sqrt(12 * p * (1 - p)) * (u - 0.5), "unscaled coin"),
        (uniform(std=lambda odds: -np.sqrt(12 * odds)), "fall where u grows"),
        (lambda u, p: u, "Which mean and which variance"),
    ],
    "sigma": [
        (lambda g, x, e: np.sum(g * e), "multiplied by x"),
        (lambda g, x, e: np.sum(g * x), "common factor"),
        (lambda g, x, e: np.mean(g * x * e), "That is a mean"),
        (lambda g, x, e: np.sum(x * e), "from above is missing"),
        (lambda g, x, e: 0.0, "chain rule"),
    ],
    "rate": [
        (0.0625 / 1.0625, "for the standard deviation"),
        (0.25, "the variance itself"),
        (0.8, "probability to keep"),
        (0.5, "That is the standard deviation"),
        (1 / 3, "once too often"),
        (0.7, "noise of that variance"),
    ],
    "additive": [
        (additive(extra=lambda X, w, s: s**2 * np.mean(X**2 @ w**2)), "noise that multiplies"),
        (additive(extra=lambda X, w, s: 0.0), "loss without noise."),
        (additive(clean=0.0), "penalty alone"),
        (additive(clean=2.0, extra=lambda X, w, s: 2 * s**2 * np.sum(w**2)), "The half is missing"),
        (additive(extra=lambda X, w, s: 2 * s**2 * np.sum(w**2)), "to the penalty, too"),
        (additive(clean=2.0), "to the loss without noise, too"),
        (additive(extra=lambda X, w, s: s * np.sum(w**2)), "square of sigma"),
        (additive(extra=lambda X, w, s: s**2 * abs(np.sum(w))), "squares of the weights"),
        (additive(extra=lambda X, w, s: s**2 * np.sum(w**2) ** 0.5), "is not squared in yours"),
        (additive(extra=lambda X, w, s: s**2 * np.mean(w**2)), "mean over weights"),
        (additive(extra=lambda X, w, s: s**2 * np.sum(w**2) / len(X)), "by the number of examples"),
        (lambda X, y, w, s: len(X) * additive()(X, y, w, s), "sum over examples"),
        (additive(extra=lambda X, w, s: 3 * s**2 * np.sum(w**2)), "Set sigma to 0"),
    ],
    "negative": [
        (0.4013, "the variance, 4"),
        (0.1587, "rate of 0.5"),
        (0.0228, "rate of 0.2"),
        (0.6915, "positive factors"),
        (30.85, "in percent"),
        (0.3, "two decimals"),
        (0.9, "does zero lie below"),
    ],
    "layer": [
        (quiet, "come out as it is."),
        (layer(std=lambda p: p / (1 - p), on=str), "`if` asking"),
        (layer(std=lambda p: p / (1 - p)), "still has the variance"),
        (layer(mean=0.0), "lost its mean"),
        (layer(std=lambda p: p), "Draw once"),
        (layer(on=lambda training: False), "should be noise"),
        (layer(result=lambda x: x[0]), "shape of x"),
    ],
}

EQUIVALENT = {
    "additive": {"clean = np.mean((X @ w - y) ** 2)": "a square has no sign"},
    "layer": {
        "return x * (1 - np.sqrt(rate / (1 - rate)) * rng.standard_normal(x.shape))": "normal noise is symmetric",
        "return x * (1 + -...rng.standard_normal(x.shape)...": "normal noise is symmetric",
    },
    "negative": {
        "share = 0.3086": "two decimals are enough",
        "share = 1.01 * share": "two decimals are enough",
        "share = 0.99 * share": "two decimals are enough",
    },
}

TestExercises = chapter.tests(WRONG, EQUIVALENT)


def test_the_bug_hunt_leaves_the_noise_on():
    result = chapter.result(
        "layer", chapter.code_cell("layer").replace("alpha = rate / (1 - rate)", "alpha = rate * (1 / (1 - rate))")
    )
    assert result.status == core.NOT_YET
    assert "training=False" in result.message


def test_rounded_shares_are_right():
    for share in ("0.31", "0.309", "0.3085"):
        assert chapter.result("negative", f"share = {share}").status == core.RIGHT
    assert "Rounded too far" in check.negative(0.3).message


def noise(draw):
    """Return a layer that is right but for how it draws."""

    def answer(x, rate, rng, training):
        return x * (1 + np.sqrt(rate / (1 - rate)) * draw(rng, x.shape)) if training else x

    return answer


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda rng, shape: np.random.default_rng(0).standard_normal(shape), "not those of rng"),
        (lambda rng, shape: rng.standard_normal((1, shape[1])) + np.zeros(shape), "All examples have the same draws"),
        (lambda rng, shape: rng.standard_normal((shape[0], 1)) + np.zeros(shape), "All units share their draws"),
        (lambda rng, shape: np.resize(rng.standard_normal((2, shape[1])), shape), "Some examples have the same draws"),
        (lambda rng, shape: rng.uniform(-(3**0.5), 3**0.5, shape), "look at its mean and its standard deviation"),
        (lambda rng, shape: rng.standard_normal(shape) + np.random.default_rng().random() / 50, "comes from elsewhere"),
    ],
)
def test_draws_that_are_not_independent_are_told_apart(draw, message):
    assert message in check.layer(noise(draw)).message


def test_other_ways_to_draw_are_right():
    assert check.layer(noise(lambda rng, shape: rng.normal(0, 1, shape))).ok
    assert check.layer(noise(lambda rng, shape: rng.standard_normal(shape, dtype=np.float32))).ok
    assert check.layer(noise(lambda rng, shape: np.stack([rng.standard_normal(shape[1]) for _ in range(shape[0])]))).ok
