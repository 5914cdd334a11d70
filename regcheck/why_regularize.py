"""Checks of the exercises in the chapter Why regularize."""

import functools
from itertools import product

import numpy as np

from regcheck.core import Wrong, agrees, array, choice, compare, exercise, expect, near, parts, trials
from reglib.linear import solvers


def _regression(rng, n=7, d=3):
    """Return inputs, targets, coefficients, an intercept and a strength, all away from zero."""
    X, y = rng.normal(1.0, 2.0, (n, d)), rng.normal(3.0, 1.0, n)
    return X, y, rng.normal(0.0, 1.5, d), float(rng.uniform(1, 2)), float(rng.uniform(0.2, 0.9))


@exercise("The price of a fit")
def objective(answer):
    """J(w, b) = ||y - Xw - b||^2 / (2N) + l2 * sum(w^2)."""
    for rng in trials():
        X, y, w, b, l2 = _regression(rng)
        r = X @ w + b - y
        loss, squares, without = np.mean(r**2) / 2, np.sum(w**2), np.mean((r - b) ** 2) / 2
        compare(
            answer(X, y, w, b, l2),
            loss + l2 * squares,
            {
                "This is the data loss alone; the penalty is missing.": loss,
                "Your loss is the mean squared error, twice the one asked for. Where does the objective halve?": 2
                * loss
                + l2 * squares,
                "Your loss grows with the number of examples: it sums over them where the objective averages.": np.sum(
                    r**2
                )
                / 2
                + l2 * squares,
                "You penalize the intercept as well. It only says where the data lie, and goes free.": loss
                + l2 * (squares + b**2),
                "Your penalty is the norm itself. The objective has its square, so that a doubled coefficient "
                "costs four times as much.": loss + l2 * np.sqrt(squares),
                "Your penalty is half as large as the one asked for. Some authors put a half in front of it; "
                "this book's strength multiplies the whole sum of squares.": loss + l2 * squares / 2,
                "Your penalty averages over the coefficients; it should add them up, each at the full price.": loss
                + l2 * np.mean(w**2),
                "You subtract the penalty: that rewards large coefficients.": loss - l2 * squares,
                "Your penalty uses absolute values. That is L1; ridge squares.": loss + l2 * np.abs(w).sum(),
                "Your predictions leave the intercept out.": without + l2 * squares,
                "You add the intercept to the targets; it belongs to the predictions.": np.mean((r - 2 * b) ** 2) / 2
                + l2 * squares,
            },
            "The value is not the objective's. Compute the two terms apart and compare each with the equation.",
        )


@exercise("The pull towards zero")
def gradient(answer):
    """X^T r / N + 2 l2 w, and the mean of r."""
    for rng in trials():
        X, y, w, b, l2 = _regression(rng)
        r = X @ w + b - y
        slope, pull, rise = X.T @ r / len(y), 2 * l2 * w, r.mean()
        grad_w, grad_b = parts(answer(X, y, w, b, l2), (slope + pull, rise))
        compare(
            grad_w,
            slope + pull,
            {
                "The gradient with respect to w is that of the data loss alone. What does the penalty add?": slope,
                "The penalty pulls half as hard as it should: what is the derivative of a square?": slope + pull / 2,
                "The data part is too large by the number of examples; the loss is a mean.": len(y) * slope + pull,
                "The data part is twice too large: the one half in the loss cancels the 2 of the square.": 2 * slope
                + pull,
                "The sign of the data part is turned round. Does the loss grow or shrink when a prediction "
                "that is too high gets higher?": pull - slope,
                "The whole gradient points the other way: this is the direction of descent.": -slope - pull,
                "The penalty pushes coefficients away from zero; check its sign.": slope - pull,
                "The pull of the penalty must grow with the coefficient. Yours has the same size for all: "
                "that is L1.": slope + l2 * np.sign(w),
                "You divided the penalty by the number of examples as well; only the loss is a mean.": slope
                + pull / len(y),
                "Your predictions leave the intercept out.": X.T @ (r - b) / len(y) + pull,
            },
            "The gradient with respect to w is not right. Check it with gradcheck.check_coordinates: "
            "it names the entry that differs.",
        )
        compare(
            grad_b,
            rise,
            {
                "The intercept is not penalized, so the penalty adds nothing to its gradient.": rise + 2 * l2 * b,
                "grad_b is too large by the number of examples; the loss is a mean.": r.sum(),
                "grad_b is twice too large: the one half in the loss cancels the 2 of the square.": 2 * rise,
                "The sign of grad_b is turned round.": -rise,
                "In grad_b, your predictions leave the intercept out.": rise - b,
            },
            "grad_b is not right. How does every residual change when b grows by 1?",
        )


@exercise("An infinite price")
def limit(answer):
    """The mean of the training targets."""
    choice(
        answer,
        "b",
        {
            "a": "That would be so if the intercept were penalized, too. It is not: it may be as large as it likes.",
            "c": "The slope of a straight line is a coefficient like the others, and has to pay the infinite price.",
            "d": "That is what you get at the other end, when the penalty vanishes.",
        },
    )


@exercise("Predict a coefficient")
def shrinkage(answer):
    """3 / (1 + 2 * 0.25)."""
    near(
        answer,
        2.0,
        {
            "Almost: the derivative of the penalty has a factor that you left out.": 3 / 1.25,
            "You subtracted. That is how L1 shrinks; the square divides instead.": 2.5,
            "You subtracted the strength. The square does not subtract, it divides.": 2.75,
            "You multiplied by the strength. Solve the equation with one column for w.": 0.75,
            "You divided by the strength alone. At strength 0 the coefficient must stay 3.": 12.0,
            "Nothing has shrunk: that is the least-squares coefficient.": 3.0,
            "Your divisor is too large. Which number stands beside X^T X when X^T X is N?": 1.5,
        },
        "Not this number. It lies between 0 and 3, and N cancels from the equation.",
    )


@exercise("Bias and variance from a table of predictions")
def bias_variance(answer):
    """Squared bias and variance, each averaged over the points."""
    for rng in trials():
        truth = rng.normal(size=4)
        shift = rng.uniform(1, 2, 4) * np.array([1, -1, 1, 1])
        predictions = truth + shift + rng.normal(size=(6, 4)) * rng.uniform(0.5, 2, 4)
        difference = predictions.mean(axis=0) - truth
        right, spread = np.mean(difference**2), np.mean(predictions.var(axis=0))
        bias2, variance = parts(answer(predictions, truth), (right, spread))
        compare(
            bias2,
            right,
            {
                "The first number is the variance. It should be the squared bias.": spread,
                "You averaged over the points before squaring; errors of opposite sign then cancel.": difference.mean()
                ** 2,
                "This is the mean bias, with its sign. Square it at each point.": difference.mean(),
                "You took absolute values where the decomposition squares.": np.abs(difference).mean(),
                "This is the whole squared error: you squared before averaging over the training sets.": np.mean(
                    (predictions - truth) ** 2
                ),
                "You summed over the points where an average is asked for.": np.sum(difference**2),
            },
            "The squared bias is not right. First the average prediction at each point, over the training sets; "
            "then its distance from the truth.",
        )
        compare(
            variance,
            spread,
            {
                "You took the variance over all entries at once. It then contains how the truth changes from point "
                "to point, which is not the fault of the fit.": predictions.var(),
                "You took the variance along the points. It should say how one point's prediction changes with the "
                "training set.": predictions.var(axis=1).mean(),
                "You divided by R - 1. Then bias2 + variance is no longer exactly the mean squared error.": np.mean(
                    predictions.var(axis=0, ddof=1)
                ),
                "This is the mean standard deviation. The decomposition adds variances.": predictions.std(
                    axis=0
                ).mean(),
                "This is the whole squared error: the distance to the truth, not to the average prediction.": np.mean(
                    (predictions - truth) ** 2
                ),
                "You summed over the points where an average is asked for.": predictions.var(axis=0).sum(),
            },
            "The variance is not right. At each point, how do the predictions of the training sets scatter around "
            "their own average?",
        )


@exercise("Standardize without looking ahead")
def standardize(answer):
    """Both arrays through the map that the training set defines."""
    for rng in trials():
        scale = np.array([1.0, 10.0, 0.2])
        train, new = rng.normal(2.0, 1.0, (8, 3)) * scale, rng.normal(3.0, 2.0, (5, 3)) * scale
        both = np.vstack([train, new])

        def by(mean, spread, train=train, new=new):
            return (train - mean) / spread, (new - mean) / spread

        mean, spread = train.mean(axis=0), train.std(axis=0)
        right = by(mean, spread)
        mistakes = {
            "You used the statistics of both arrays together. Tomorrow's examples then change how today's are scaled, "
            "and held-out data leak into the fit.": by(both.mean(axis=0), both.std(axis=0)),
            "Each array went through a map of its own. The same measurement would then mean two different things to "
            "the model.": (right[0], by(new.mean(axis=0), new.std(axis=0))[1]),
            "The mean and spread of the new examples are not known when the model is trained.": by(
                new.mean(axis=0), new.std(axis=0)
            ),
            "You only subtracted the mean. The penalty still compares columns of different scale.": by(mean, 1.0),
            "You only divided by the spread; the mean is still there.": by(0.0, spread),
            "You divided by the variance. Then the result still depends on the unit.": by(mean, spread**2),
            "You used one mean and one spread for the whole array. Each column has its own scale.": by(
                train.mean(), train.std()
            ),
            "Your spread divides by N - 1. That is a legitimate choice; this book divides by N, as NumPy does by "
            "default.": by(mean, train.std(axis=0, ddof=1)),
        }
        got = parts(answer(train, new), right)
        for i, part in enumerate((train, new)):
            array(got[i], part.shape, "Each result must have the shape of its argument, the training inputs first.")
            compare(
                got[i],
                right[i],
                {message: result[i] for message, result in mistakes.items()},
                "The result is not the standardized data. Check that the columns of the training part have mean 0 and "
                "standard deviation 1.",
            )


_REMAINING = (
    "One of the remaining mistakes is in the statistics: whose mean and spread are these?",
    "The strength is still chosen by looking at data that should be used only once, for the last number.",
    "The intercept is still treated like the other coefficients, and pulled towards zero.",
)
_NONE_FOUND = (
    "All three mistakes are still there. Ask of each line which part of the data it may see, and of the column of "
    "ones what the penalty does to it."
)


@functools.cache
def _data():
    """Return five data sets, each of training, validation and test parts, and the strengths to choose from."""
    return [_three_parts(rng) for rng in trials(5)], [float(strength) for strength in np.geomspace(1e-3, 10, 9)]


@functools.cache
def _variants():
    """Return {mistakes: [(strength, test error, validation error) for each data set]}, the right one under no mistake.

    The mistakes: how many parts the statistics see, whether the choice sees the test part, whether the intercept pays.
    """
    data, strengths = _data()
    return {
        mistakes: np.array([_pipeline(*each, strengths, mistakes) for each in data])
        for mistakes in product((3, 2, 1), (True, False), (True, False))
    }


def _pipeline(train, validation, test, strengths, mistakes):
    """Return the chosen strength, its test error and its validation error, with any of the three mistakes."""
    (X, y), (X_v, y_v), (X_t, y_t) = train, validation, test
    seen, peek, pull = mistakes
    reference = np.vstack([X, X_v, X_t][:seen])
    X, X_v, X_t = ((part - reference.mean(axis=0)) / reference.std(axis=0) for part in (X, X_v, X_t))
    if pull:
        X, X_v, X_t = (np.column_stack([np.ones(len(part)), part]) for part in (X, X_v, X_t))
    fits = [solvers.ridge(X, y, l2, fit_intercept=not pull) for l2 in strengths]
    errors = [[np.mean((target - fit.predict(part)) ** 2) for fit in fits] for part, target in ((X_v, y_v), (X_t, y_t))]
    best = int(np.argmin(errors[1] if peek else errors[0]))
    return np.array([strengths[best], errors[1][best], errors[0][best]])


def _as_found(train, validation, test, strengths):
    (X, y), (X_v, y_v), (X_t, y_t) = train, validation, test
    everything = np.vstack([X, X_v, X_t])
    mean, spread = everything.mean(axis=0), everything.std(axis=0)
    parts = [(part - mean) / spread for part in (X, X_v, X_t)]
    X, X_v, X_t = (np.column_stack([np.ones(len(p)), p]) for p in parts)
    fits = [solvers.ridge(X, y, l2, fit_intercept=False) for l2 in strengths]
    both = ((X_v, y_v), (X_t, y_t))
    error = [[np.mean((t - f.predict(v)) ** 2) for f in fits] for v, t in both]
    best = int(np.argmin(error[-1]))
    return strengths[best], error[-1][best]


@exercise("Bug hunt: a pipeline that looks too good", given=_as_found)
def pipeline(answer):
    """Statistics of the training part, the choice on the validation part, a free intercept."""
    data, strengths = _data()
    variants = _variants()
    right = variants[1, False, False]
    got = []
    for each, (strength, error, _) in zip(data, right, strict=True):
        chosen, reported = parts(answer(*each, strengths), (strength, error))
        expect(np.size(chosen) == np.size(reported) == 1, "Return two numbers, the strength and the error.")
        got.append([np.reshape(number, ())[()] for number in (chosen, reported)])
    for (seen, peek, pull), wrong in variants.items():
        found = [seen > 1, peek, pull]
        if any(found) and agrees(got, wrong[:, :2]):
            raise Wrong(_NONE_FOUND if all(found) else "Better, but not done. " + _REMAINING[found.index(True)])
    compare(
        got,
        right[:, :2],
        {
            "The error you report is that of the validation part. It helped to choose, so it is too small on "
            "average; report the error on the part that did not.": right[:, [0, 2]],
            "You leave the intercept out altogether. The targets do not have mean zero.": np.array(
                [_without_intercept(*each, strengths) for each in data]
            ),
        },
        "This is neither the given function nor the mended one. Ask of each line which of the three parts it may see.",
    )


def _without_intercept(train, validation, test, strengths):
    """Return what a mended function returns that has neither a column of ones nor an intercept."""
    mean, spread = train[0].mean(axis=0), train[0].std(axis=0)
    (X, y), *others = (((part - mean) / spread, target) for part, target in (train, validation, test))
    fits = [solvers.ridge(X, y, l2, fit_intercept=False) for l2 in strengths]
    errors = np.array([[np.mean((target - fit.predict(part)) ** 2) for fit in fits] for part, target in others])
    best = int(np.argmin(errors[0]))
    return strengths[best], errors[1, best]


def _three_parts(rng):
    """Return training, validation and test parts; the test inputs are shifted, so that peeking shows."""
    w = rng.normal(size=6)

    def part(n, shift):
        X = rng.normal(shift, 1.0, (n, 6)) * np.array([1.0, 3.0, 0.5, 2.0, 1.0, 5.0])
        return X, 4.0 + X @ w / 3 + rng.normal(0.0, 2.0, n)

    return part(12, 0.0), part(10, 0.0), part(14, 0.7)
