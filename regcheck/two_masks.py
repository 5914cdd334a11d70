"""Checks of the exercises in the chapter Monte Carlo dropout."""

import numpy as np

from regcheck.core import choice, compare, exercise, near, trials


@exercise("How many passes")
def passes(answer):
    """(0.2 / 0.02) ** 2."""
    near(
        answer,
        100,
        {
            "The error shrinks with the root of the number of passes, not with the number.": 10,
            "Which of the two numbers is the larger one?": 0.01,
            "That is the square of one of the numbers alone.": 2500,
            "That is one over a number, not how often it fits.": 50,
        },
        "By which factor must the error shrink, and what does that mean for K?",
    )


@exercise("What is promised")
def promise(answer):
    """Jensen's inequality."""
    choice(
        answer,
        "c",
        {
            "a": "Is the prediction without a mask one of the passes?",
            "b": "What can one pass do that is wrong, and very sure?",
            "d": "It is less sure than the passes are on average. Is the prediction without a mask one of them?",
        },
    )


def _softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


@exercise("The gradient of the mean prediction")
def mean_gradient(answer):
    """Shares times (p - one-hot)."""
    for rng in trials():
        logits, y = 1.5 * rng.normal(size=(6, 4)), int(rng.integers(4))
        p, target = _softmax(logits), np.eye(4)[y]
        share = (p[:, y] / p[:, y].sum())[:, None]
        mean = _softmax(logits.mean(axis=0))
        compare(
            answer(logits.copy(), y),
            share * (p - target),
            {
                "That is the gradient of the mean of the log losses: your passes all count alike.": (p - target) / 6,
                "The shares are missing: that is the gradient of the sum of the log losses.": p - target,
                "Your shares do not sum to 1 over the passes.": p[:, [y]] * (p - target),
                "The sign: a step against the gradient must make the right class more probable.": share * (target - p),
                "The right class is missing.": share * p,
                "That is the gradient through the softmax of the mean logits.": np.tile((mean - target) / 6, (6, 1)),
            },
            "Not the gradient yet. Write the softmax of each pass, the shares, and the rest on a line each.",
        )


@exercise("Fit a temperature")
def temperature(answer):
    """The candidate with the lowest log loss."""
    for rng, right in zip(trials(), (0.5, 2.0, 1.0, 2.8284271247461903, 1.4142135623730951), strict=True):
        logits = 2 * right * rng.normal(size=(600, 5))
        chance = _softmax(logits / right).cumsum(axis=1)
        labels = (rng.random((600, 1)) > chance[:, :-1]).sum(axis=1)
        taus = rng.permutation(np.geomspace(0.25, 4, 9))
        at = np.arange(600), labels
        losses = np.array([-np.log(_softmax(logits / tau)[at]).mean() for tau in taus])
        best = losses.argmin()
        mistakes = {
            "That is the position of a temperature. Return the temperature.": best,
            "That is the log loss. Return the temperature that has it.": losses[best],
            "Your first candidate always wins: no temperature changes which class is best.": taus[0],
            "The smallest one wins. Do you divide the logits, before the softmax, and take the lowest loss?": 0.25,
            "A temperature divides the logits. Yours multiplies them.": 1 / taus[best],
        }
        mistakes = {words: wrong for words, wrong in mistakes.items() if abs(wrong - taus[best]) > 1e-3}
        compare(
            answer(logits.copy(), labels.copy(), taus.copy()),
            taus[best],
            mistakes,
            "Print the log loss of every candidate, sorted by temperature: it falls to one lowest point, then rises.",
        )


@exercise("Disagreement")
def disagreement(answer):
    """H(mean) - mean(H)."""
    for rng in trials():
        p = rng.dirichlet(np.ones(5), 7)
        mean = p.mean(axis=0)
        whole, each = -mean @ np.log(mean), -(p * np.log(p)).sum(axis=1)
        compare(
            answer(p),
            whole - each.mean(),
            {
                "That is the entropy of the mean prediction. Take the other away.": whole,
                "That is the mean of the entropies.": each.mean(),
                "The two are exchanged, or a sign is lost.": each.mean() - whole,
                "You took the sum of the entropies, not their mean.": whole - each.sum(),
                "One of the two entropies has lost its minus.": whole + each.mean(),
                "That is in bits; here the logarithm is the natural one.": (whole - each.mean()) / np.log(2),
            },
            "Not the difference yet. Print the two entropies one by one; neither is negative.",
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

    for rng in trials():
        logits = 3 * rng.normal(size=(7, 5, 4))
        compare(
            answer(logits),
            _softmax(logits).mean(axis=0),
            {
                "That is still the geometric mean of the predictions.": _softmax(logits.mean(axis=0)),
                "You average votes: that forgets how sure each network is.": np.eye(4)[logits.argmax(axis=-1)].mean(
                    axis=0
                ),
                "These are logits, not probabilities.": logits.mean(axis=0),
                "You added the probabilities up; a mean divides by their number.": _softmax(logits).sum(axis=0),
            },
            "What does each pass predict, and what is the mean of that?",
        )
