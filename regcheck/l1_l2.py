"""Checks of the exercises in the chapter L1 and L2."""

import functools

import numpy as np

from regcheck.core import choice, compare, exercise, expect, trials
from reglib.linear import solvers
from reglib.weights import penalties


def _regression(rng, n=9, d=4):
    """Return centered inputs and targets."""
    X, y = rng.normal(0.0, 1.5, (n, d)), rng.normal(0.0, 2.0, n)
    return X - X.mean(axis=0), y - y.mean()


@exercise("The soft threshold")
def soft_threshold(answer):
    """sign(w) * max(|w| - threshold, 0)."""
    for rng in trials():
        threshold = float(rng.uniform(0.5, 1.0))
        w = np.concatenate([rng.normal(0, 2, 6), [0.3 * threshold, -0.6 * threshold, 0.0]])
        size = np.abs(w)
        compare(
            answer(w, threshold),
            penalties.soft_threshold(w, threshold),
            {
                "Small entries pass through zero and change their sign; they should stop there.": w
                - threshold * np.sign(w),
                "You zero the small entries, which is right, but the large ones should move, too. "
                "What you wrote is called the hard threshold.": np.where(size > threshold, w, 0.0),
                "The signs are lost: a negative entry should stay negative.": np.maximum(size - threshold, 0),
                "Negative entries are all set to zero. Think of the size and the sign apart.": np.maximum(
                    w - threshold, 0
                ),
                "You divide every entry by the same number. That is the step of L2, and it has no exact zeros.": w
                / (1 + threshold),
                "You divide every entry by the same number. That is the step of L2 (with its factor 2), "
                "and it has no exact zeros.": w / (1 + 2 * threshold),
                "The threshold is twice as large as asked for.": penalties.soft_threshold(w, 2 * threshold),
                "You cut large entries down to the threshold, which is clipping. "
                "What the soft threshold returns is the part that is left over.": np.clip(w, -threshold, threshold),
            },
            "Look again at what happens to an entry above the threshold, below it, and to a negative one.",
        )


@exercise("Both at once")
def elastic_net_prox(answer):
    """soft(v, step * l1) / (1 + 2 * step * l2)."""
    for rng in trials():
        v, step = rng.normal(0, 2, 8), float(rng.uniform(0.3, 0.9))
        l1, l2 = (float(value) for value in rng.uniform(0.4, 1.5, 2))
        soft, divisor = penalties.soft_threshold, 1 + 2 * step * l2
        compare(
            answer(v, step, l1, l2),
            penalties.ElasticNet(l1, l2).prox(v, step),
            {
                "You divide first and threshold afterwards, so that the threshold meets numbers that are already "
                "smaller. What does the derivative say?": soft(v / (1 + 2 * step * l2), step * l1),
                "The threshold lacks the step size.": soft(v, l1) / (1 + 2 * step * l2),
                "The division lacks the step size.": soft(v, step * l1) / (1 + 2 * l2),
                "The step size is missing everywhere.": soft(v, l1) / (1 + 2 * l2),
                "The derivative of the square brings a 2 that is missing in your division.": soft(v, step * l1)
                / (1 + step * l2),
                "Only the L1 part is there. Small entries are zero, but the large ones should shrink further.": soft(
                    v, step * l1
                ),
                "Only the L2 part is there, so nothing is ever exactly zero.": v / (1 + 2 * step * l2),
                "You subtract the gradient of the square instead of solving for w. That is an explicit step; "
                "the proximal step is implicit and divides.": soft(v, step * l1) * (1 - 2 * step * l2),
                "Positive entries are right, and all negative ones are zero. Now use the symmetry.": np.maximum(
                    v - step * l1, 0
                )
                / divisor,
                "Negative entries move away from zero, and small positive ones pass through it: "
                "the formula for w > 0 is valid only where its result is positive.": (v - step * l1) / divisor,
                "Small entries pass through zero and change their sign. For which v is there no w > 0 "
                "at which the derivative vanishes?": (v - step * l1 * np.sign(v)) / divisor,
            },
            "Set the derivative for w > 0 to zero and solve for w; then ask where the result is valid.",
        )


@exercise("Where the path begins")
def strongest(answer):
    """max_j |X_j^T y| / N."""
    for rng in trials():
        X, y = _regression(rng)
        product = X.T @ y
        largest = np.abs(product).max()
        compare(
            answer(X, y),
            solvers.l1_max(X, y),
            {
                "You did not divide by the number of examples; the loss is an average.": largest,
                "You divide by 2N. The one half in the loss cancels the 2 of the square when you differentiate.": (
                    largest / (2 * len(y))
                ),
                "That is twice as much. The loss has one half in front, which takes away the 2 of the square.": (
                    2 * largest / len(y)
                ),
                "You divide by the number of inputs. Over what does the loss average?": largest / X.shape[1],
                "You added the sizes of all entries. Every single one has to stay below the strength.": (
                    np.abs(product).sum() / len(y)
                ),
                "A very negative entry counts as much as a very positive one.": product.max() / len(y),
                "You return the most negative entry; it is the size that counts.": product.min() / len(y),
                "With that strength some coefficient would still be away from zero: "
                "you took the mean of the sizes.": np.abs(product).mean() / len(y),
                "Every single entry has to stay below the strength. You measured all of them together, "
                "by the length of the vector.": np.linalg.norm(product) / len(y),
                "You took the smallest entry. At that strength all the other coefficients would be nonzero.": np.abs(
                    product
                ).min()
                / len(y),
            },
            "At w = 0, compute the slope of the data loss. How large may its entries be?",
        )


def _left_out(
    X, y, strengths, divide=lambda own: 1 - own, factor=lambda s, a: s**2 / (s**2 + a), power=2, last=np.mean
):
    """Return the error of ridge on the examples that are left out for each strength; or one of its mistakes."""
    U, s, _ = np.linalg.svd(X, full_matrices=False)
    kept = [factor(s, a) for a in strengths]
    return np.array([last((y - U @ (f * (U.T @ y))) ** power / divide(U**2 @ f) ** power) for f in kept])


@exercise("Choose a strength without refitting")
def leave_one_out(answer):
    """mean(((y - H y) / (1 - diag H))**2) for each strength."""
    for rng in trials():
        X, y = _regression(rng)
        strengths = rng.uniform(0.5, 40.0, 5)
        score = functools.partial(_left_out, X, y, strengths)
        compare(
            answer(X, y, strengths),
            score(),
            {
                "That is the error on the examples that the fit has seen; it always prefers the weakest penalty. "
                "What do you divide by?": score(lambda own: 1.0),
                "You divide by the mean of the factors. That is generalized cross-validation; "
                "here each example has its own.": score(lambda own: 1 - own.mean()),
                "You square the error, and then divide by the factor once. Which of them is squared?": score(
                    lambda own: np.sqrt(1 - own)
                ),
                "You divide by the diagonal of H, not by what is missing to 1.": score(lambda own: own),
                "Errors of both signs cancel in your mean. Square them first.": score(power=1),
                "That is the sum of the squares, not their mean.": score(last=np.sum),
                "Take the square root only for showing; the mean of the squares is asked for.": np.sqrt(score()),
                "Your shrinkage has the singular values themselves. What do X and its transpose make of them?": score(
                    factor=lambda s, a: s / (s + a)
                ),
                "Your penalty is twice as strong: the one half is in neither of the two terms, so nothing is left "
                "of it.": score(factor=lambda s, a: s**2 / (s**2 + 2 * a)),
                "You multiplied the strength by 2N. It is a that stands in this objective.": _left_out(
                    X, y, 2 * len(y) * strengths
                ),
                "You multiply by one minus the diagonal. Leaving an example out makes its error larger, "
                "not smaller.": score(lambda own: 1 / (1 - own)),
            },
            "Try it on few examples against N fits, each without one example. Which of the two is wrong?",
        )


@exercise("Who gives zeros?")
def zeros(answer):
    """A kink, and a method that can land on it."""
    choice(
        answer,
        "b",
        {
            "a": "L2 divides every coefficient. However large the divisor, what was not zero stays away from zero.",
            "c": "The kink is there, but a step of a fixed size jumps over it, back and forth.",
            "d": "With that strength at zero, what is left of the elastic net? Does it have a kink?",
        },
    )


@exercise("A group at a time")
def group_prox(answer):
    """max(1 - threshold / ||v||, 0) * v."""
    for rng in trials(6):
        v = rng.normal(0, 1, 4)
        length = np.linalg.norm(v)
        for threshold in (0.4 * length, 1.3 * length):
            threshold, kept = float(threshold), max(1 - float(threshold) / length, 0.0)
            compare(
                answer(v, threshold),
                kept * v,
                {
                    "You thresholded each entry by itself. The group keeps its direction; only its length shrinks.": (
                        penalties.soft_threshold(v, threshold)
                    ),
                    "A group shorter than the threshold comes out turned around. It should stop at zero.": (
                        (1 - threshold / length) * v
                    ),
                    "You divide by the squared length. What is the unit vector in the direction of v?": (
                        max(1 - threshold / length**2, 0.0) * v
                    ),
                    "You return a vector whose length is right only if v has length 1: did you divide by the length "
                    "and not multiply back?": max(length - threshold, 0.0) * v,
                    "Short groups are zero, which is right, but long ones should get shorter, too.": (
                        v if length > threshold else 0 * v
                    ),
                    "You divided by one plus the threshold. That is what the square of the length would give.": (
                        v / (1 + threshold)
                    ),
                },
                "What happens to the direction of v? And what to its length, below the threshold and above it?",
            )
    at_zero = answer(np.zeros(3), 0.5)
    expect(np.all(np.isfinite(at_zero)), "For v = 0 your function divides by the length 0. What should come out there?")
    compare(at_zero, np.zeros(3), {}, "For v = 0 the answer is 0.")


def _as_found(X, y, w, l1, step):
    gradient = X.T @ (X @ w - y) / len(y)
    v = w - step * gradient
    return np.sign(v) * np.maximum(np.abs(v) - l1, 0)


@exercise("Bug hunt: a lasso that depends on its step size", given=_as_found)
def lasso_step(answer):
    """One proximal gradient step of the lasso."""
    for rng in trials():
        X, y = _regression(rng)
        w, l1, step = rng.normal(0, 1, 4), float(rng.uniform(0.2, 0.6)), float(rng.uniform(0.05, 0.3))
        slope = X.T @ (X @ w - y) / len(y)
        v, soft = w - step * slope, penalties.soft_threshold
        compare(
            answer(X, y, w, l1, step),
            soft(v, step * l1),
            {
                "The result still depends on the step size where it should not: the penalty acts with full force "
                "however small the step is.": soft(v, l1),
                "You took the step size out of the gradient step. It belongs there; look at the other line.": soft(
                    w - slope, l1
                ),
                "The threshold is divided by the step size. Smaller steps should threshold less, not more.": soft(
                    v, l1 / step
                ),
                "The gradient was right before: it averages over the examples.": soft(
                    w - step * slope * len(y), step * l1
                ),
                "The threshold is half of what it should be. L1 has no square and no one half.": soft(v, step * l1 / 2),
                "The step goes uphill now: the sign of the gradient step was right.": soft(w + step * slope, step * l1),
                "That is a subgradient step: nothing is ever exactly zero.": v - step * l1 * np.sign(w),
            },
            "Compare each line with the equation of the proximal gradient method.",
        )
