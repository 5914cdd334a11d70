"""Checks of the exercises in the chapter Gaussian dropout."""

from math import erf

import numpy as np

from regcheck import draws
from regcheck.core import agrees, array, compare, exercise, expect, near, trials


@exercise("Noise of another shape")
def uniform(answer):
    """1 + sqrt(12 p / q) * (u - 1/2)."""
    for rng in trials():
        u, p = rng.random((3, 5)), rng.uniform(0.15, 0.35)
        q, odds, middle = 1 - p, p / (1 - p), u - 0.5
        std = np.sqrt(12 * odds)
        compare(
            answer(u, p),
            1 + std * middle,
            {
                "The mean of u is not 0, so that of your factors is not 1.": 1 + std * u,
                "The mean of your factors is 0, not 1.": std * middle,
                "You took the variance of u for 1. It is much smaller.": 1 + np.sqrt(odds) * middle,
                "That is right for numbers between -1 and 1 with the variance 1. Theirs is smaller.": 1
                + 2 * np.sqrt(odds) * middle,
                "The variance of u has come in upside down.": 1 + np.sqrt(odds / 12) * middle,
                "A factor before u changes its variance by the factor's square. Is a root missing?": 1
                + 12 * odds * middle,
                "You multiplied by the variance that the factor should have, not by the standard deviation.": 1
                + np.sqrt(12) * odds * middle,
                "You exchanged keep and drop.": 1 + np.sqrt(12 / odds) * middle,
                "That is the variance of the unscaled coin. Inverted dropout divides by q.": 1
                + np.sqrt(12 * p * q) * middle,
                "Mean and variance are right. But your factors fall where u grows.": 1 - std * middle,
            },
            "Not yet. Which mean and which variance do your factors have, and which should they have?",
        )


@exercise("The gradient of the strength")
def sigma(answer):
    """sum(grad * x * epsilon)."""
    for rng in trials():
        grad, x, epsilon = rng.normal(size=(3, 4, 6))
        compare(
            answer(grad, x, epsilon),
            np.sum(grad * x * epsilon),
            {
                "The strength of the noise is multiplied by x, too.": np.sum(grad * epsilon),
                "That is the gradient with respect to a common factor, not to the strength.": np.sum(grad * x),
                "That is a mean. The derivative of a sum is a sum.": np.mean(grad * x * epsilon),
                "The gradient from above is missing.": np.sum(x * epsilon),
            },
            "Differentiate x (1 + sigma epsilon) with respect to sigma, then use the chain rule.",
        )


@exercise("From a paper to Keras")
def rate(answer):
    """0.25 / 1.25."""
    near(
        answer,
        0.2,
        {
            "You took 0.25 for the standard deviation.": 0.0625 / 1.0625,
            "That is the variance itself. Keras asks for a rate.": 0.25,
            "That is the probability to keep.": 0.8,
            "That is the standard deviation. Keras asks for a rate.": 0.5,
            "You took the square root once too often.": 0.5 / 1.5,
        },
        "Which rate gives noise of that variance?",
    )


@exercise("Noise that is added")
def additive(answer):
    """(mean((y - X w)^2) + sigma^2 sum(w^2)) / 2."""
    for rng in trials():
        X, y, w, sigma = rng.normal(size=(7, 3)), rng.normal(size=7), rng.normal(size=3), rng.uniform(0.3, 0.8)
        clean, extra = np.mean((y - X @ w) ** 2), sigma**2 * np.sum(w**2)
        factors = sigma**2 * np.mean(X**2 @ w**2)
        compare(
            answer(X, y, w, sigma),
            (clean + extra) / 2,
            {
                "That is for noise that multiplies: your penalty knows the scale of the inputs.": (clean + factors) / 2,
                "That is the loss without noise.": clean / 2,
                "That is the penalty alone. The loss without noise is missing.": extra / 2,
                "The half is missing.": clean + extra,
                "The half belongs to the penalty, too.": clean / 2 + extra,
                "The half belongs to the loss without noise, too.": clean + extra / 2,
                "A variance holds the square of sigma.": (clean + sigma * np.sum(w**2)) / 2,
                "A variance holds the squares of the weights.": (clean + sigma**2 * abs(np.sum(w))) / 2,
                "The norm of w is not squared in yours.": (clean + sigma**2 * np.sum(w**2) ** 0.5) / 2,
                "The noise is a mean over weights in yours. The variance of a sum is a sum.": (clean + extra / 3) / 2,
                "You divided the penalty by the number of examples, over which it is a mean already.": (
                    clean + extra / 7
                )
                / 2,
                "That is a sum over examples. The loss is a mean.": 7 * (clean + extra) / 2,
            },
            "Two terms: the loss without noise, and half the variance of the noisy output. Set sigma to 0: is the "
            "first one right?",
        )


@exercise("How many signs are turned")
def negative(answer):
    """Phi(-1/2)."""
    near(
        answer,
        (1 - erf(0.5 / 2**0.5)) / 2,
        {
            "You took the variance, 4, for the standard deviation.": 0.4013,
            "That belongs to a rate of 0.5.": 0.1587,
            "That belongs to a rate of 0.2.": 0.0228,
            "That is the share of positive factors.": 0.6915,
            "That is in percent. A share lies between 0 and 1.": 30.85,
            "Rounded too far: give the share with two decimals at least.": 0.3,
        },
        "How many standard deviations does zero lie below the mean?",
        decimals=2,
    )


def _as_found(x, rate, rng, training):
    alpha = rate / (1 - rate)
    if str(training):
        return x * (1 + alpha * rng.standard_normal(x.shape))
    return x


@exercise("Bug hunt: a layer for PyTorch, in NumPy", given=_as_found)
def layer(answer):
    """The square root, and a real question."""
    for rng in trials():
        x, p = rng.uniform(0.5, 1.5, (80, 90)), rng.uniform(0.2, 0.35)
        std = np.sqrt(p / (1 - p))

        def run(training, seed=1, x=x, p=p):
            return answer(x, p, np.random.default_rng(seed), training)

        off, on = run(False), run(True)
        factor = array(on, x.shape, "The result should have the shape of x.") / x
        if not agrees(off, x):
            expect(agrees(off, run(False, seed=2)), "There is noise with training=False. What is `if` asking?")
            expect(False, "With training=False the input should come out as it is.")
        expect(not agrees(on, x), "With training=True there should be noise.")
        draws.distinct(factor)
        expect(
            not draws.standard_normal((factor - 1) * (1 - p) / p),
            "Evaluation is right now. The noise still has the variance in the place of the standard deviation.",
        )
        expect(not draws.standard_normal(factor / std), "The noise has lost its mean of 1.")
        expect(
            draws.standard_normal((factor - 1) / std),
            "Evaluation is right now, the noise is not. Draw once, and look at its mean and its standard deviation.",
        )
        draws.from_generator(lambda generator, x=x, p=p: answer(x, p, generator, True))
