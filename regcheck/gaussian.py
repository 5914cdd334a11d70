"""Checks of the exercises in the chapter Gaussian dropout."""

from math import erf

import numpy as np

from regcheck import draws
from regcheck.core import agrees, array, choice, compare, exercise, expect, near, trials


@exercise("From normal numbers to noise")
def forward(answer):
    """x * (1 + sqrt(p / q) * epsilon)."""
    for rng in trials():
        x, epsilon, p = rng.normal(size=(3, 5)), rng.normal(size=(3, 5)), rng.uniform(0.15, 0.35)
        q, std = 1 - p, np.sqrt(p / (1 - p))
        compare(
            answer(x, epsilon, p),
            x * (1 + std * epsilon),
            {
                "You multiplied the normal numbers by the variance.": x * (1 + p / q * epsilon),
                "The mean of your noise is 0, not 1: the activations are lost on average.": x * std * epsilon,
                "You added the noise; it should multiply the activations.": x + std * epsilon,
                "You exchanged keep and drop.": x * (1 + np.sqrt(q / p) * epsilon),
                "That is the variance of the unscaled coin. Inverted dropout divides by q.": x
                * (1 + np.sqrt(p * q) * epsilon),
                "The mean is 1 already: nothing has to be divided by q.": x * (1 + std * epsilon) / q,
            },
            "Not Gaussian dropout yet. Write down the noise alone: its mean, and its standard deviation.",
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


@exercise("Which penalty")
def additive(answer):
    """Multiplicative noise adapts to the scale of the inputs."""
    choice(
        answer,
        "b",
        {
            "a": "The variance of w x g grows with the size of x. On which side is that?",
            "c": "Is there an x in the additive penalty?",
            "d": "That holds for one of the two. Which?",
        },
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
