"""The exercises of the chapter L1 and L2: solutions pass, plausible mistakes get their own message."""

import numpy as np

from regcheck import l1_l2
from tests.regcheck.harness import Chapter

chapter = Chapter("penalties/l1-l2.ipynb", l1_l2)


def soft(w, t):
    return np.sign(w) * np.maximum(np.abs(w) - t, 0)


def slope(X, y, w):
    return X.T @ (X @ w - y) / len(y)


def length(v):
    return np.linalg.norm(v)


WRONG = {
    "soft_threshold": [
        (lambda w, t: w - t * np.sign(w), "pass through zero"),
        (lambda w, t: np.where(np.abs(w) > t, w, 0), "hard threshold"),
        (lambda w, t: np.maximum(np.abs(w) - t, 0), "signs are lost"),
        (lambda w, t: np.maximum(w - t, 0), "Negative entries are all set to zero"),
        (lambda w, t: w / (1 + t), "That is the step of L2, and"),
        (lambda w, t: w / (1 + 2 * t), "with its factor 2"),
        (lambda w, t: soft(w, 2 * t), "twice as large"),
        (lambda w, t: np.clip(w, -t, t), "clipping"),
        (lambda w, t: w * 0.5, "above the threshold, below it"),
    ],
    "elastic_net_prox": [
        (lambda v, s, a, b: soft(v / (1 + 2 * s * b), s * a), "divide first"),
        (lambda v, s, a, b: soft(v, a) / (1 + 2 * s * b), "threshold lacks the step size"),
        (lambda v, s, a, b: soft(v, s * a) / (1 + 2 * b), "division lacks the step size"),
        (lambda v, s, a, b: soft(v, a) / (1 + 2 * b), "missing everywhere"),
        (lambda v, s, a, b: soft(v, s * a) / (1 + s * b), "brings a 2"),
        (lambda v, s, a, b: soft(v, s * a), "Only the L1 part"),
        (lambda v, s, a, b: v / (1 + 2 * s * b), "Only the L2 part"),
        (lambda v, s, a, b: soft(v, s * a) * (1 - 2 * s * b), "implicit"),
        (lambda v, s, a, b: np.maximum(v - s * a, 0) / (1 + 2 * s * b), "use the symmetry"),
        (lambda v, s, a, b: (v - s * a) / (1 + 2 * s * b), "move away from zero"),
        (lambda v, s, a, b: (v - s * a * np.sign(v)) / (1 + 2 * s * b), "change their sign"),
        (lambda v, s, a, b: v, "solve for w; then"),
    ],
    "strongest": [
        (lambda X, y: np.abs(X.T @ y).max(), "did not divide"),
        (lambda X, y: np.abs(X.T @ y).max() / (2 * len(y)), "divide by 2N"),
        (lambda X, y: 2 * np.abs(X.T @ y).max() / len(y), "twice as much"),
        (lambda X, y: np.abs(X.T @ y).max() / X.shape[1], "number of inputs"),
        (lambda X, y: np.abs(X.T @ y).sum() / len(y), "added the sizes"),
        (lambda X, y: np.abs(X.T @ y).mean() / len(y), "mean of the sizes"),
        (lambda X, y: length(X.T @ y) / len(y), "length of the vector"),
        (lambda X, y: np.abs(X.T @ y).min() / len(y), "smallest entry"),
        (lambda X, y: (X.T @ y).min() / len(y), "most negative"),
        (lambda X, y: (X.T @ y).max() / len(y), "counts as much"),
        (lambda X, y: np.abs(y).max(), "slope of the data loss. How large"),
    ],
    "torch_decay": [
        (0.003, "same number"),
        (0.0015, "factor in front of w"),
        (0.012, "once, not twice"),
        (0.0006, "learning rate does not enter"),
        (0.5, "set the two equal"),
    ],
    "zeros": [
        ("a", "L2 divides"),
        ("c", "jumps over"),
        ("d", "what is left"),
    ],
    "group_prox": [
        (soft, "each entry by itself"),
        (lambda v, t: (1 - t / max(length(v), 1e-9)) * v, "turned around"),
        (lambda v, t: max(1 - t / max(length(v), 1e-9) ** 2, 0) * v, "squared length"),
        (lambda v, t: max(length(v) - t, 0) * v, "multiply back"),
        (lambda v, t: v if length(v) > t else 0 * v, "long ones should get shorter"),
        (lambda v, t: v / (1 + t), "one plus the threshold"),
        (lambda v, t: max(1 - t / length(v), 0) * v if v.any() else v / length(v), "divides by the length 0"),
        (lambda v, t: max(1 - t / length(v), 0) * v if v.any() else v + 1, "For v = 0 the answer"),
        (lambda v, t: 2 * v, "And what to its length"),
    ],
    "lasso_step": [
        (lambda X, y, w, a, s: soft(w - s * slope(X, y, w), a), "still depends on the step size"),
        (lambda X, y, w, a, s: soft(w - slope(X, y, w), a), "out of the gradient step"),
        (lambda X, y, w, a, s: soft(w - s * slope(X, y, w), a / s), "divided by the step size"),
        (lambda X, y, w, a, s: soft(w - s * slope(X, y, w) * len(y), s * a), "averages over the examples"),
        (lambda X, y, w, a, s: soft(w - s * slope(X, y, w), s * a / 2), "half of what it should be"),
        (lambda X, y, w, a, s: soft(w + s * slope(X, y, w), s * a), "uphill"),
        (lambda X, y, w, a, s: w - s * slope(X, y, w) - s * a * np.sign(w), "subgradient step"),
        (lambda X, y, w, a, s: w, "Compare each line"),
    ],
}

EQUIVALENT = {
    "group_prox": {"if length < threshold:": "where they are equal, the factor is 0"},
    "strongest": {
        "return np.max(np.abs(X.T @ -y)) / len(y)": "the sizes are the same",
        "return np.max(np.abs((-X).T @ y)) / len(y)": "the sizes are the same",
    },
}

TestExercises = chapter.tests(WRONG, EQUIVALENT)
