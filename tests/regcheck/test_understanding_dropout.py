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


def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


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
    "many": [("a", "an improvement"), ("c", "not sure enough"), ("d", "not exact")],
    "monte_carlo": [
        (lambda z: softmax(z.mean(axis=0)), "still the geometric mean"),
        (lambda z: np.eye(4)[z.argmax(axis=-1)].mean(axis=0), "average votes"),
        (lambda z: z.mean(axis=0), "not probabilities"),
        (lambda z: softmax(z).sum(axis=0), "added the probabilities"),
        (lambda z: softmax(z)[0], "does each pass predict"),
    ],
}

SAME_SOFTMAX = "the softmax is the same for logits that are shifted alike"

EQUIVALENT = {
    "gaussian": {"std = 0.8 / 0.2 * 0.5": "half of 4 happens to be its root"},
    "mean_gradient": {"return -(t - x @ w) * x + p / (1 - p) * w * x ** 2": "an inner product has no order"},
    "monte_carlo": {
        "e = -np.exp(logits - logits.max(axis=-1, keepdims=True))": "the sign cancels",
        "e = np.exp(logits)": SAME_SOFTMAX,
        "e = np.exp(logits...max(...keepdims=True))": SAME_SOFTMAX,
        "e = np.exp(logits - logits.min(axis=-1, keepdims=True))": SAME_SOFTMAX,
        "e = np.exp(logits - logits.sum(axis=-1, keepdims=True))": SAME_SOFTMAX,
    },
    "nwgm": {"g = -np.exp(weights @ np.log(probabilities))": "the sign cancels"},
}

(
    test_solutions,
    test_wrong_answers,
    test_unanswered,
    test_forms,
    test_mutants,
    test_messages,
) = chapter.tests(WRONG, EQUIVALENT)


def test_the_bug_hunt_is_the_geometric_mean():
    assert "as you found it" in chapter.result("monte_carlo", chapter.code_cell("monte_carlo")).message
    result = chapter.result("monte_carlo", chapter.code_cell("monte_carlo").replace("axis=0", "0"))
    assert result.status == core.NOT_YET
    assert "geometric mean" in result.message
