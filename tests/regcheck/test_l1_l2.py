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


def errors(X, y, strengths, divide=lambda own: 1 - own):
    """Return the errors of ridge at the examples that are left out, a row a strength."""
    hats = [X @ np.linalg.solve(X.T @ X + a * np.eye(X.shape[1]), X.T) for a in strengths]
    return [(y - H @ y) / divide(np.diag(H)) for H in hats]


def left_out(X, y, strengths, divide=lambda own: 1 - own):
    return np.array([np.mean(each**2) for each in errors(X, y, strengths, divide)])


def by_values(X, y, a):
    """Return the error with singular values in the place of their squares."""
    U, s, _ = np.linalg.svd(X, full_matrices=False)
    H = (U * (s / (s + a))) @ U.T
    return np.mean(((y - H @ y) / (1 - np.diag(H))) ** 2)


def test_leaving_one_out_is_what_n_fits_give():
    rng = np.random.default_rng(0)
    X, y, a = rng.normal(size=(8, 3)), rng.normal(size=8), 2.5
    others = [np.delete(np.arange(8), i) for i in range(8)]
    fits = [np.linalg.solve(X[k].T @ X[k] + a * np.eye(3), X[k].T @ y[k]) for k in others]
    by_fits = np.mean([(y[i] - X[i] @ w) ** 2 for i, w in enumerate(fits)])
    np.testing.assert_allclose(chapter.answer("leave_one_out")(X, y, [a]), [by_fits], rtol=1e-12)


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
    "leave_one_out": [
        (lambda X, y, a: left_out(X, y, a, lambda own: 1.0), "prefers the weakest"),
        (lambda X, y, a: left_out(X, y, a, lambda own: 1 - own.mean()), "generalized cross-validation"),
        (lambda X, y, a: left_out(X, y, a, lambda own: np.sqrt(1 - own)), "divide by the factor once"),
        (lambda X, y, a: left_out(X, y, a, lambda own: own), "missing to 1"),
        (lambda X, y, a: [np.mean(each) for each in errors(X, y, a)], "signs cancel"),
        (lambda X, y, a: len(y) * left_out(X, y, a), "sum of the squares"),
        (lambda X, y, a: np.sqrt(left_out(X, y, a)), "only for showing"),
        (lambda X, y, a: [by_values(X, y, each) for each in a], "singular values themselves"),
        (lambda X, y, a: left_out(X, y, 2 * np.array(a)), "twice as strong"),
        (lambda X, y, a: left_out(X, y, 2 * len(y) * np.array(a)), "multiplied the strength by 2N"),
        (lambda X, y, a: left_out(X, y, a, lambda own: 1 / (1 - own)), "multiply by one minus"),
        (lambda X, y, a: np.zeros(len(a)), "against N fits"),
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
    "leave_one_out": {
        "U, s, _ = np.linalg.svd(-X, full_matrices=False)": "squares and products of U with itself stay",
        "errors.append(np.mean(((fitted - y) / (1 - own)) ** 2))": "the square takes the sign",
        "errors.append(np.mean((-(y - fitted) / (1 - own)) ** 2))": "the square takes the sign",
        "errors.append(np.mean(((y - fitted) / (own - 1)) ** 2))": "the square takes the sign",
        "errors.append(np.mean(((y - fitted) / -(1 - own)) ** 2))": "the square takes the sign",
    },
    "group_prox": {"if length < threshold:": "where they are equal, the factor is 0"},
    "strongest": {
        "return np.max(np.abs(X.T @ -y)) / len(y)": "the sizes are the same",
        "return np.max(np.abs((-X).T @ y)) / len(y)": "the sizes are the same",
    },
}

TestExercises = chapter.tests(WRONG, EQUIVALENT)
