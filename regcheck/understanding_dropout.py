"""Checks of the exercises in the chapter Understanding dropout."""

import numpy as np

from regcheck.core import choice, compare, exercise, near, trials


@exercise("The mean gradient")
def mean_gradient(answer):
    """-(t - w.x) x + p/q w x^2."""
    for rng in trials():
        w, x, t, p = rng.normal(size=4), rng.normal(size=4), rng.normal(), rng.uniform(0.2, 0.4)
        q = 1 - p
        plain, extra = -(t - w @ x) * x, w * x**2
        compare(
            answer(w, x, t, p),
            plain + p / q * extra,
            {
                "That is the gradient without dropout: the penalty is missing.": plain,
                "You took the variance of the unscaled gate.": plain + p * q * extra,
                "That is right for the unscaled gate, in mean and variance. Which form was asked for?": -q
                * (t - q * (w @ x))
                * x
                + p * q * extra,
                "The penalty's gradient has no factor 2 here: the loss has a half in front of it.": plain
                + 2 * p / q * extra,
                "You exchanged keep and drop in the variance.": plain + q / p * extra,
                "The input comes in squared: the penalty adapts to it.": plain + p / q * w,
                "The sign of the first part: the gradient goes up where the output is too large.": -plain
                + p / q * extra,
            },
            "Not the mean gradient yet. Write the two parts on two lines: averaged unit, and penalty.",
        )


@exercise("As a ridge strength")
def strength(answer):
    """p / (2 q)."""
    near(
        answer,
        0.125,
        {
            "A factor of the penalty is lost on the way to l2.": 0.25,
            "That is from the variance of the unscaled gate.": 0.08,
            "That is the unscaled variance, and a factor is lost, too.": 0.16,
            "You exchanged keep and drop.": 2.0,
            "You halved once too often.": 0.0625,
        },
        "Write the penalty as a number times the sum of the squared weights.",
    )


@exercise("Maximum regularization")
def half(answer):
    """The variance of the unscaled gate, for fixed weights."""
    choice(
        answer,
        "b",
        {
            "a": "On those weights the factor is p/q. Does it have a maximum?",
            "c": "They are one model: which weights of the one are the weights of the other?",
            "d": "Look again at the variance of a gate that is 1 or 0.",
        },
    )


@exercise("The geometric mean")
def nwgm(answer):
    """exp(sum w log p), normalized."""
    for rng in trials():
        p, weights = rng.dirichlet(np.ones(4), 6), rng.dirichlet(np.ones(6))
        g = np.exp(weights @ np.log(p))
        flat = np.exp(np.log(p).mean(axis=0))
        compare(
            answer(p, weights),
            g / g.sum(),
            {
                "This does not sum to 1: normalize it.": g,
                "That is the arithmetic mean.": weights @ p,
                "Your mean gives all networks the same weight.": flat / flat.sum(),
                "A product of all probabilities is no mean. Where do the weights come in?": p.prod(axis=0)
                / p.prod(axis=0).sum(),
                "You stayed among the logarithms.": weights @ np.log(p),
            },
            "Not the normalized weighted geometric mean yet. What becomes of a product of powers in logarithms?",
        )


@exercise("The same penalty by Gaussian noise")
def gaussian(answer):
    """sqrt(0.8 / 0.2)."""
    near(
        answer,
        2.0,
        {
            "That is the variance.": 4.0,
            "You exchanged keep and drop.": 0.5,
            "That is the standard deviation of the unscaled gate.": 0.4,
            "That is the variance of the unscaled gate.": 0.16,
            "That is the variance with keep and drop exchanged.": 0.25,
        },
        "What is the variance of a gate that is 5 with probability 0.2, and 0 otherwise?",
    )


@exercise("One or many")
def many(answer):
    """The mean where the one prediction is too sure by more than the mean is too unsure."""
    choice(
        answer,
        "b",
        {
            "a": "It is less sure for all three. For which of them is that an improvement?",
            "c": "Is C too sure, or not sure enough?",
            "d": "With hidden layers it is not exact, and the table measures how sure each one is.",
        },
    )


def _as_found(logits):
    mean = logits.mean(axis=0)
    e = np.exp(mean - mean.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


@exercise("Bug hunt: Monte Carlo dropout", given=_as_found)
def monte_carlo(answer):
    """The mean of the softmaxes."""

    def softmax(z):
        e = np.exp(z - z.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)

    for rng in trials():
        logits = 3 * rng.normal(size=(7, 5, 4))
        compare(
            answer(logits),
            softmax(logits).mean(axis=0),
            {
                "That is still the geometric mean of the predictions.": softmax(logits.mean(axis=0)),
                "You average votes: that forgets how sure each network is.": np.eye(4)[logits.argmax(axis=-1)].mean(
                    axis=0
                ),
                "These are logits, not probabilities.": logits.mean(axis=0),
                "You added the probabilities up; a mean divides by their number.": softmax(logits).sum(axis=0),
            },
            "What does each pass predict, and what is the mean of that?",
        )
