"""Checks of the exercises in the chapter Variational dropout."""

import numpy as np

from regcheck import draws
from regcheck.core import array, choice, compare, exercise, expect, near, trials


@exercise("Where the noise settles")
def settles(answer):
    """weight / (2 N s)."""
    for rng in trials():
        s, n, weight = rng.uniform(0.2, 0.6, 5), int(rng.integers(3, 9)), rng.uniform(1.5, 3.0)
        right = weight / (2 * n * s)
        compare(
            answer(s, n, weight),
            right,
            {
                "The half is missing: KL holds half a logarithm.": 2 * right,
                "The half has come in upside down.": 4 * right,
                "The weight is missing.": right / weight,
                "A larger weight should pay for more noise.": right / weight**2,
                "More examples should mean less noise.": right * n**2,
                "KL is divided by the number of examples.": right * n,
                "A unit on which the loss hangs should get less noise.": weight * s / (2 * n),
                "The cost of noise is missing: it differs from unit to unit.": right * s,
                "A variance cannot be negative. Which of the two terms falls?": -right,
                "That is the rate. You are asked for the variance.": right / (1 + right),
                "That is the logarithm of what you are asked for.": np.log(right),
                "That is the standard deviation.": np.sqrt(right),
            },
            "Write down the two terms of one unit, one that rises with its variance and one that falls. Where do their "
            "slopes cancel?",
        )


@exercise("The gradient of the logarithm")
def learned(answer):
    """sum(grad * epsilon) * sqrt(alpha) / 2 + H * slope / N."""
    for rng in trials():
        grad, epsilon = rng.normal(size=(2, 6, 4))
        log_alpha, slope, n = rng.uniform(-2.0, -0.5), rng.uniform(-0.5, -0.2), int(rng.integers(3, 9))
        std, total, pull = np.exp(log_alpha / 2), np.sum(grad * epsilon), 4 * slope / n
        compare(
            answer(grad, epsilon, log_alpha, slope, n),
            total * std / 2 + pull,
            {
                "The half is missing: the exponent is half of log alpha.": total * std + pull,
                "You used the variance; the noise is multiplied by the standard deviation.": total * std**2 / 2 + pull,
                "That is the derivative with respect to sigma, plus KL. You are asked for log alpha.": total + pull,
                "KL is there once a unit, not once a layer.": total * std / 2 + slope / n,
                "That is one KL for each of the B examples. The objective has one for each of the H units.": (
                    total * std / 2 + 6 * slope / n
                ),
                "That is the derivative by alpha, not by its logarithm.": (total * std / 2 + pull) / std**2,
                "The first term is the derivative by alpha, not by its logarithm.": total / std / 2 + pull,
                "KL is divided by the number of examples.": total * std / 2 + 4 * slope,
                "The term with KL is missing.": total * std / 2,
                "That is the term with KL alone.": pull,
                "The objective adds KL; it does not subtract it.": total * std / 2 - pull,
                "The first term is a sum over the batch: grad already holds the mean.": total * std / 12 + pull,
            },
            "Two terms: one through the noise, one in the objective itself. Set slope to 0: is the first one right?",
        )


@exercise("The divergence, by simulation")
def divergence(answer):
    """mean(log|1 + sqrt(alpha) epsilon|) - log(alpha) / 2 - mean(log|epsilon|)."""
    for rng in trials():
        epsilon, log_alpha = rng.normal(size=200), rng.uniform(-2.0, -0.5)
        alpha = np.exp(log_alpha)
        size, noise = np.mean(np.log(np.abs(epsilon))), np.mean(np.log(np.abs(1 + alpha**0.5 * epsilon)))
        compare(
            answer(log_alpha, epsilon),
            noise - log_alpha / 2 - size,
            {
                "You multiplied the normal numbers by the variance.": np.mean(np.log(np.abs(1 + alpha * epsilon)))
                - log_alpha / 2
                - size,
                "The logarithm of alpha comes in by half.": noise - log_alpha - size,
                "The constant is missing: KL should go to 0 as alpha grows.": noise - log_alpha / 2,
                "KL grows without bound as alpha goes to 0. In yours something has the other sign.": noise
                + log_alpha / 2
                - size,
                "The constant has the wrong sign.": noise - log_alpha / 2 + size,
                "The noise has the mean 1, which yours lacks.": 0.0,
                "That is a mean of factors, then a logarithm. The task has them the other way round.": np.log(
                    np.mean(np.abs(1 + alpha**0.5 * epsilon))
                )
                - log_alpha / 2
                - np.log(np.mean(np.abs(epsilon))),
                "That is a sum over the draws. An expectation is a mean.": 200 * (noise - size) - log_alpha / 2,
            },
            "Three terms: one with the noise, one with alpha alone, one constant. Check each at alpha = 1.",
        )


@exercise("From the logarithm to a rate")
def rate(answer):
    """alpha / (1 + alpha) with alpha = exp(-1.2)."""
    alpha = np.exp(-1.2)
    near(
        answer,
        alpha / (1 + alpha),
        {
            "That is alpha, the variance.": alpha,
            "That is the standard deviation.": alpha**0.5,
            "That is the probability to keep.": 1 / (1 + alpha),
            "You took the number for the logarithm of the standard deviation.": alpha**2 / (1 + alpha**2),
            "You took the standard deviation for the variance.": alpha**0.5 / (1 + alpha**0.5),
            "That is a logarithm to the base 10.": 10**-1.2 / (1 + 10**-1.2),
        },
        "First the variance, then the rate whose p / (1 - p) it is.",
        decimals=3,
    )


@exercise("Decay of the strength")
def decay(answer):
    """Decay moves log alpha to 0, where the rate is one half."""
    choice(
        answer,
        "b",
        {
            "a": "Where does log alpha lie when there is no noise?",
            "c": "The decay acts on whatever the optimizer was given. Was it given log alpha?",
            "d": "Decay moves a number towards zero, from either side.",
        },
    )


def _as_found(x, log_alpha, rng, alpha_max):
    log_alpha = np.minimum(log_alpha, alpha_max)
    alpha = np.exp(log_alpha)
    return x * (alpha * rng.standard_normal(x.shape))


@exercise("Bug hunt: noise that learns its strength", given=_as_found)
def noise(answer):
    """The limit on alpha, its square root, and the mean of 1."""
    for rng in trials():
        x, alpha = rng.uniform(0.5, 1.5, (80, 90)), rng.uniform(0.3, 0.5)

        def factor(alpha_max, seed=1, x=x, alpha=alpha):
            result = answer(x, np.log(alpha), np.random.default_rng(seed), alpha_max)
            return array(result, x.shape, "The result should have the shape of x.") / x

        free, limited = factor(1.0), factor(0.2)
        draws.distinct(free)
        for wide, name in ((alpha, "variance"), (np.sqrt(alpha), "standard deviation")):
            expect(
                not draws.standard_normal(free / wide),
                f"The mean of your factors is 0, not 1 (their {name} would be right): on average nothing is left of x.",
            )
        expect(
            not draws.standard_normal((free - 1) / alpha),
            "The mean is right now. The spread is not: what is multiplied with the normal numbers is a variance.",
        )
        expect(
            draws.standard_normal((free - 1) / np.sqrt(alpha)),
            "Below the limit the factors should have the mean 1 and the variance alpha. Draw once, and look at both.",
        )
        expect(
            not draws.standard_normal((limited - 1) / np.sqrt(alpha)),
            "Below the limit all is right. With alpha_max below alpha nothing changes: what is compared with what?",
        )
        expect(
            draws.standard_normal((limited - 1) / np.sqrt(0.2)),
            "Below the limit all is right. With alpha above alpha_max the variance should be alpha_max.",
        )
        draws.from_generator(lambda generator, x=x, a=alpha: answer(x, np.log(a), generator, 1.0))
