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


def _as_found(w, x, t, p):
    number = np.arange(2 ** len(w))
    kept = number[:, None] >> np.arange(len(w)) & 1
    losses = (t - (kept / (1 - p)) @ (w * x)) ** 2 / 2
    return losses.mean()


@exercise("Bug hunt: the mean over all masks", given=_as_found)
def mean_loss(answer):
    """Each mask weighted with its probability."""
    for rng in trials():
        w, x, t, p = rng.normal(size=5), rng.normal(size=5), rng.normal(), rng.uniform(0.15, 0.35)
        q, kept = 1 - p, np.array(list(np.ndindex(*[2] * 5)))
        losses = (t - kept / q @ (w * x)) ** 2 / 2
        chance, turned = (np.prod(np.where(kept, a, 1 - a), axis=1) for a in (q, p))
        compare(
            answer(w, x, t, p),
            chance @ losses,
            {
                "All masks still count alike. At which rates are they equally probable?": losses.mean(),
                "You exchanged keep and drop in the probabilities of the masks.": turned @ losses,
                "The probabilities sum to 1 already: what you divide by is too much.": chance @ losses / len(kept),
                "That is the loss of the averaged unit, without its penalty.": (t - w @ x) ** 2 / 2,
                "The gates have lost their factor: which form was asked for?": chance @ (t - kept @ (w * x)) ** 2 / 2,
                "The half in front of the square is lost.": chance @ losses * 2,
            },
            "Not the mean over the masks yet. Compare with the closed form, at a rate of 0.1.",
        )
