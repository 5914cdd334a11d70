"""The exercises of Monte Carlo dropout: solutions pass, plausible wrong answers fail, each with its own message."""

import numpy as np

from regcheck import core
from regcheck import two_masks as check
from tests.regcheck.harness import Chapter

chapter = Chapter("beyond/two-masks.ipynb", check)


def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def gradient(share=lambda right: right / right.sum(), target=1, sign=1):
    def answer(logits, y):
        p = softmax(logits)
        rest = p - target * np.eye(p.shape[1])[y]
        return sign * share(p[:, [y]]) * rest

    return answer


def through_the_mean_logits(logits, y):
    mean = softmax(logits.mean(axis=0))
    return np.tile((mean - np.eye(len(mean))[y]) / len(logits), (len(logits), 1))


def entropy(p):
    return -(p * np.log(p)).sum(axis=-1)


def losses(logits, labels, taus):
    return np.array([-np.log(softmax(logits / tau)[np.arange(len(labels)), labels]).mean() for tau in taus])


WRONG = {
    "passes": [
        (10, "not with the number"),
        (0.01, "the larger one"),
        (2500, "numbers alone"),
        (50, "one over a number"),
        (7, "By which factor"),
    ],
    "promise": [("a", "one of the passes"), ("b", "very sure"), ("d", "on average")],
    "mean_gradient": [
        (gradient(lambda right: 1 / len(right)), "all count alike"),
        (gradient(lambda right: 1), "shares are missing"),
        (gradient(lambda right: right), "do not sum to 1"),
        (gradient(sign=-1), "The sign"),
        (gradient(target=0), "right class is missing"),
        (through_the_mean_logits, "mean logits"),
        (lambda logits, y: logits, "on a line each"),
    ],
    "temperature": [
        (lambda z, y, taus: int(np.argmin(losses(z, y, taus))), "position of a temperature"),
        (lambda z, y, taus: losses(z, y, taus).min(), "That is the log loss"),
        (lambda z, y, taus: taus[np.argmin([(z.argmax(axis=1) != y).mean() for _ in taus])], "first candidate"),
        (lambda z, y, taus: taus.min(), "The smallest one"),
        (lambda z, y, taus: taus[np.argmin(losses(z, y, 1 / taus))], "multiplies them"),
        (lambda z, y, taus: 3.0, "sorted by temperature"),
    ],
    "disagreement": [
        (lambda p: entropy(p.mean(axis=0)), "Take the other away"),
        (lambda p: entropy(p).mean(), "mean of the entropies"),
        (lambda p: entropy(p).mean() - entropy(p.mean(axis=0)), "exchanged"),
        (lambda p: entropy(p.mean(axis=0)) - entropy(p).sum(), "not their mean"),
        (lambda p: entropy(p.mean(axis=0)) + entropy(p).mean(), "lost its minus"),
        (lambda p: (entropy(p.mean(axis=0)) - entropy(p).mean()) / np.log(2), "in bits"),
        (lambda p: p.var(), "one by one"),
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
    "temperature": {
        "e = -np.exp(logits / tau)": "the sign cancels",
        "p = e / e.mean(axis=1, keepdims=True)": "a constant factor is a constant summand of every loss",
        "p = e / e.sum(axis=-1, keepdims=True)": "the second axis is the last",
        "losses.append(-np.log(p[np.arange(len(labels)), labels]).sum())": "as many examples for every temperature",
        "losses.append(-np.log10(p[np.arange(len(labels)), labels]).mean())": "another base, the same order",
    },
    "disagreement": {
        "each = -(probabilities * np.log(probabilities)).sum(axis=-1)": "the second axis is the last",
        "return -(mean * np.log(mean)).sum() - np.mean(each).mean()": "a number is its own mean",
    },
    "mean_gradient": {
        "e = -np.exp(logits - logits.max(axis=1, keepdims=True))": "the sign cancels",
        "e = np.exp(logits)": SAME_SOFTMAX,
        "e = np.exp(logits...max(...keepdims=True))": SAME_SOFTMAX,
        "e = np.exp(logits - logits.min(axis=1, keepdims=True))": SAME_SOFTMAX,
        "e = np.exp(logits - logits.sum(axis=1, keepdims=True))": SAME_SOFTMAX,
        "p = e / e.sum(axis=-1, keepdims=True)": "the second axis is the last",
    },
    "passes": {
        "passes_needed = (-0.2 / 0.02) ** 2": "a square has no sign",
        "passes_needed = (0.2 / -0.02) ** 2": "a square has no sign",
    },
    "monte_carlo": {
        "e = -np.exp(logits - logits.max(axis=-1, keepdims=True))": "the sign cancels",
        "e = np.exp(logits)": SAME_SOFTMAX,
        "e = np.exp(logits...max(...keepdims=True))": SAME_SOFTMAX,
        "e = np.exp(logits - logits.min(axis=-1, keepdims=True))": SAME_SOFTMAX,
        "e = np.exp(logits - logits.sum(axis=-1, keepdims=True))": SAME_SOFTMAX,
    },
}

TestExercises = chapter.tests(WRONG, EQUIVALENT)


def test_the_bug_hunt_is_the_geometric_mean():
    assert "as you found it" in chapter.result("monte_carlo", chapter.code_cell("monte_carlo")).message
    result = chapter.result("monte_carlo", chapter.code_cell("monte_carlo").replace("axis=0", "0"))
    assert result.status == core.NOT_YET
    assert "geometric mean" in result.message
