"""The exercises of Understanding dropout: solutions pass, plausible wrong answers fail, each with its own message."""

import numpy as np

from regcheck import core
from regcheck import understanding_dropout as check
from tests.regcheck.harness import Chapter

chapter = Chapter("dropout/understanding-dropout.ipynb", check)


def gradient(mean=lambda p: 1.0, variance=lambda p: p / (1 - p), sign=-1.0, square=lambda x: x**2):
    def answer(w, x, t, p):
        return sign * mean(p) * (t - mean(p) * (w @ x)) * x + variance(p) * w * square(x)

    return answer


def all_masks(mean, scaled=True):
    def answer(w, x, t, p):
        kept = np.array([[i >> j & 1 for j in range(len(w))] for i in range(2 ** len(w))])
        factor = 1 / (1 - p) if scaled else 1
        losses = (t - factor * kept @ (w * x)) ** 2 / 2
        chance, turned = (np.prod(np.where(kept, a, 1 - a), axis=1) for a in (1 - p, p))
        return mean(losses, chance, turned)

    return answer


def normalized(g):
    return g / g.sum()


WRONG = {
    "mean_gradient": [
        (gradient(variance=lambda p: 0), "penalty is missing"),
        (gradient(variance=lambda p: p * (1 - p)), "variance of the unscaled gate."),
        (gradient(lambda p: 1 - p, lambda p: p * (1 - p)), "Which form"),
        (gradient(variance=lambda p: 2 * p / (1 - p)), "no factor 2"),
        (gradient(variance=lambda p: (1 - p) / p), "exchanged keep and drop"),
        (gradient(square=lambda x: 1), "comes in squared"),
        (gradient(sign=1.0), "sign of the first part"),
        (lambda w, x, t, p: 9 * w, "on two lines"),
    ],
    "strength": [
        (0.25, "A factor of the penalty"),
        (0.08, "from the variance of the unscaled"),
        (0.16, "unscaled variance, and a factor"),
        (2.0, "exchanged keep and drop"),
        (0.0625, "once too often"),
        (7.0, "Write the penalty"),
    ],
    "half": [("a", "have a maximum"), ("c", "one model"), ("d", "1 or 0")],
    "nwgm": [
        (lambda p, w: np.exp(w @ np.log(p)), "normalize it"),
        (lambda p, w: w @ p, "arithmetic mean"),
        (lambda p, w: normalized(np.exp(np.log(p).mean(axis=0))), "same weight"),
        (lambda p, w: normalized((w[:, None] * p).prod(axis=0)), "Where do the weights come in"),
        (lambda p, w: w @ np.log(p), "among the logarithms"),
        (lambda p, w: p[0], "product of powers in"),
    ],
    "gaussian": [
        (4.0, "That is the variance."),
        (0.5, "exchanged keep and drop."),
        (0.4, "standard deviation of the unscaled"),
        (0.16, "variance of the unscaled"),
        (0.25, "variance with keep"),
        (7.0, "5 with probability"),
    ],
    "mean_loss": [
        (all_masks(lambda losses, chance, turned: losses.mean()), "count alike"),
        (all_masks(lambda losses, chance, turned: turned @ losses), "exchanged keep and drop"),
        (all_masks(lambda losses, chance, turned: (chance * losses).mean()), "sum to 1 already"),
        (lambda w, x, t, p: (t - w @ x) ** 2 / 2, "without its penalty"),
        (all_masks(lambda losses, chance, turned: chance @ losses, scaled=False), "lost their factor"),
        (all_masks(lambda losses, chance, turned: 2 * chance @ losses), "half in front"),
        (all_masks(lambda losses, chance, turned: losses.sum()), "closed form"),
    ],
}

SAME_MASKS = "negative numbers have all the masks in their last bits, too"

EQUIVALENT = {
    "gaussian": {"std = 0.8 / 0.2 * 0.5": "half of 4 happens to be its root"},
    "mean_gradient": {"return -(t - x @ w) * x + p / (1 - p) * w * x ** 2": "an inner product has no order"},
    "mean_loss": {
        "number = -np.arange(2 ** len(w))": SAME_MASKS,
        "kept = (-number)[:, None] >> np.arange(len(w)) & 1": SAME_MASKS,
        "kept = -(number[:, None] >> np.arange(len(w))) & 1": SAME_MASKS,
        "chance = np.where(-kept, 1 - p, p).prod(axis=1)": "what is not zero is true",
        "chance = np.where(kept, 1 - p, p).prod(axis=-1)": "the second axis is the last",
        "losses = (kept / (1 - p) @ (w * x) - t) ** 2 / 2": "a square has no sign",
        "return losses @ chance": "an inner product has no order",
    },
    "nwgm": {"g = -np.exp(weights @ np.log(probabilities))": "the sign cancels"},
}

TestExercises = chapter.tests(WRONG, EQUIVALENT)


def test_the_bug_hunt_counts_all_masks_alike():
    assert "as you found it" in chapter.result("mean_loss", chapter.code_cell("mean_loss")).message
    result = chapter.result("mean_loss", chapter.code_cell("mean_loss").replace("losses.mean()", "np.mean(losses)"))
    assert result.status == core.NOT_YET
    assert "count alike" in result.message


def test_the_closed_form_is_an_answer_to_the_bug_hunt():
    assert check.mean_loss(lambda w, x, t, p: (t - w @ x) ** 2 / 2 + p / (1 - p) * (w**2 @ x**2) / 2).ok
