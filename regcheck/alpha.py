"""Checks of the exercises in the chapter Alpha dropout."""

import numpy as np

from regcheck.core import choice, compare, exercise, near, parts, trials


@exercise("Units of your own")
def own_units(answer):
    """a = sqrt(v / (q (p (low - m)^2 + v))), b = m - a (q m + p low)."""
    for rng in trials():
        p, low = rng.uniform(0.1, 0.4), rng.uniform(-2.0, -1.2)
        units = rng.uniform(1.2, 1.8) * rng.standard_exponential((40, 6)) + rng.uniform(-0.9, -0.5)
        m, v, q, std = units.mean(), units.var(), 1 - p, units.std()
        spread = p * (low - m) ** 2
        right = np.sqrt(v / (q * (spread + v)))
        a, b = parts(answer(units, p, low), (right, m - right * (q * m + p * low)))
        compare(
            a,
            right,
            {
                "Your stretch is that for units of mean 0 and variance 1.": (q * (1 + p * low**2)) ** -0.5,
                "You left the mean of the units out of the variance of the bracket.": np.sqrt(
                    v / (q * (p * low**2 + v))
                ),
                "You exchanged keep and drop.": np.sqrt(v / (p * (q * (low - m) ** 2 + v))),
                "You forgot the square root.": v / (q * (spread + v)),
                "That gives the output the variance 1. It should have that of the units.": 1
                / np.sqrt(q * (spread + v)),
                "You took the standard deviation of the units for their variance.": np.sqrt(std / (q * (spread + std))),
                "That is upside down: a large variance of the bracket asks for a small stretch.": np.sqrt(
                    q * (spread + v) / v
                ),
            },
            "The stretch is not right. Its square, times the variance of the bracket, must be that of the units.",
        )
        compare(
            b,
            m - right * (q * m + p * low),
            {
                "With your shift the output has the mean 0. It should have that of the units.": -right
                * (q * m + p * low),
                "The shift acts after the stretch: what it takes away is stretched, too.": m - (q * m + p * low),
                "You forgot the mean of the units that are kept.": m - right * p * low,
                "The sign: the mean of the stretched bracket has to be taken away.": m + right * (q * m + p * low),
                "You exchanged keep and drop in the shift.": m - right * (p * m + q * low),
            },
            "The stretch is right, the shift is not. The mean of the output must be that of the units.",
        )


@exercise("Backward")
def backward(answer):
    """a * mask * grad."""
    for rng in trials():
        grad, mask, a = rng.normal(size=(4, 6)), rng.random((4, 6)) < 0.7, rng.uniform(0.7, 0.95)
        compare(
            answer(grad, mask, a),
            a * mask * grad,
            {
                "The stretch is missing: it multiplies on the way back, too.": mask * grad,
                "Dropped units get no gradient.": a * grad,
                "The stretch multiplies; it does not divide.": mask * grad / a,
                "You give the gradient to the dropped units.": a * ~mask * grad,
            },
            "Differentiate the output by the input, once for a kept unit, once for a dropped one.",
        )


@exercise("One layer of drift")
def drift(answer):
    """1 / q."""
    near(
        answer,
        1.25,
        {
            "That is the variance of unscaled dropout.": 0.8,
            "That is the variance of the gate. The unit has a variance of its own.": 0.25,
            "That is with keep and drop exchanged.": 5.0,
            "That would be alpha dropout.": 1.0,
            "That is the mean square of the units that are kept. What of the others?": 1.5625,
        },
        "Which two values can a unit have afterwards, and what is the mean of their squares?",
    )


@exercise("The same strength")
def strength(answer):
    """odds = (p / q) / 4.09, as a rate."""
    odds = 0.3 / 0.7 / 4.09
    near(
        answer,
        odds / (1 + odds),
        {
            "That is p / q of alpha dropout. Now solve for p.": odds,
            "That is p / q of ordinary dropout.": 0.3 / 0.7,
            "That is the noise over signal of alpha dropout at 0.3.": 4.09 * 0.3 / 0.7,
            "That is the probability to keep.": 1 / (1 + odds),
            "Alpha dropout is the noisier one: it needs the smaller rate.": 4.09 * 0.3 / (0.7 + 4.09 * 0.3),
            "You divided the rate. The factor belongs to p / q.": 0.3 / 4.09,
            "Your factor is too small: it is more than the square of alpha_prime.": 0.3
            / 0.7
            / 3.09
            / (1 + 0.3 / 0.7 / 3.09),
            "Rounded too early: three decimals, please.": 0.09,
            "Right to one decimal, if that is what you mean. Give three.": 0.1,
        },
        "Write down noise over signal for both kinds, set them equal, and solve for the rate of alpha dropout.",
        decimals=3,
    )


@exercise("Where it belongs")
def where(answer):
    """SELU units alone."""
    choice(
        answer,
        "b",
        {
            "a": "It is the other way round: at the same rate alpha dropout has more noise over signal.",
            "c": "At test time mean and variance over all units are what they were, without any factor.",
            "d": "Before you blame the neighbor: are the constants right for these units?",
        },
    )


def _as_found(x, mask, rate, alpha_prime):
    a = ((1 - rate) * (1 + rate * alpha_prime**2)) ** -0.5
    b = -a * rate * alpha_prime
    return np.where(mask, a * x + b, alpha_prime)


@exercise("Bug hunt: dropped to the wrong place", given=_as_found)
def alpha_dropout(answer):
    """a * where(mask, x, alpha') + b."""
    for rng in trials():
        x, mask = rng.normal(size=(5, 30)), rng.random((5, 30)) < 0.7
        p, limit = rng.uniform(0.2, 0.4), rng.uniform(-2.0, -1.5)
        a = ((1 - p) * (1 + p * limit**2)) ** -0.5
        b = -a * p * limit
        compare(
            answer(x, mask, p, limit),
            a * np.where(mask, x, limit) + b,
            {
                "Dropped units still stay where they were put, without stretch and shift.": np.where(
                    mask, a * x + b, limit
                ),
                "Now the shift is missing.": a * np.where(mask, x, limit),
                "Now dropped units go to 0 before stretch and shift.": a * np.where(mask, x, 0) + b,
                "The mask is turned around.": a * np.where(mask, limit, x) + b,
                "The shift reaches the dropped units, the stretch does not.": np.where(mask, a * x, limit) + b,
            },
            "The two constants were right. Only the last line needs another order.",
        )
