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


@exercise("A price on the distance from what you know")
def towards(answer):
    """(X^T X + 2 N l2 I)^-1 (X^T y + 2 N l2 w0)."""
    for rng in trials():
        X, y, w0, _, l2 = _regression(rng)
        n, gram, by_data = len(y), X.T @ X, X.T @ y

        def solved(price, pull, gram=gram, by_data=by_data):
            return np.linalg.solve(gram + price * np.eye(len(gram)), by_data + pull)

        price = 2 * n * l2
        compare(
            answer(X, y, w0, l2),
            solved(price, price * w0),
            {
                "That is ridge regression towards zero: the known coefficients do not occur.": solved(price, 0.0),
                "At a huge strength your answer goes to zero; it should go to the known coefficients. Their factor is "
                "not the one that stands beside the identity.": solved(price, l2 * w0),
                "At a huge strength your answer goes to zero: the 2 of the square is missing beside the known "
                "coefficients.": solved(price, n * l2 * w0),
                "At a huge strength your answer goes to zero: the number of examples is missing beside the known "
                "coefficients.": solved(price, 2 * l2 * w0),
                "At a huge strength your answer goes to the known coefficients with their signs turned round.": solved(
                    price, -price * w0
                ),
                "Each strength counts half as much as it should. What is the derivative of a square?": solved(
                    price / 2, price / 2 * w0
                ),
                "The loss is a mean over the examples. Multiply by their number, and the price grows with it.": solved(
                    2 * l2, 2 * l2 * w0
                ),
                "You added the known coefficients to a fit of all of y. What do they leave unexplained?": solved(
                    price, 0.0
                )
                + w0,
                "That is least squares: the strength has no effect.": solved(0.0, 0.0),
                "That is the known coefficients as they were; the data have no effect.": w0,
            },
            "This is not the minimum. Put your result into the gradient of the objective: it must vanish.",
        )


@exercise("Choose a strength by cross-validation")
def choose(answer):
    """The strength whose fits to the other folds predict best, and the mean squared error of these predictions."""
    for rng in trials(4):
        X, y, fold, strengths = _folds(rng)
        right = _by_folds(X, y, strengths, fold)
        chosen, error = parts(answer(X, y, strengths, fold), right)
        expect(np.size(chosen) == np.size(error) == 1, "Return two numbers, the strength and the error.")
        got = [np.reshape(number, ())[()] for number in (chosen, error)]
        inside = np.array([np.mean((y - _predicted(X, y, X, l2, X)) ** 2) for l2 in strengths])
        table = {
            "You fit to all examples and predict the same ones: that is the training error, and no strength beats none "
            "in it.": (strengths[int(np.argmin(inside))], inside.min()),
            "The columns are standardized by all examples, the held-out ones too. That is a leak; take the "
            "mean and the spread from the other folds.": _by_folds(X, y, strengths, fold, statistics="all"),
            "The columns are not standardized. The penalty then compares columns of different scale.": _by_folds(
                X, y, strengths, fold, statistics="none"
            ),
            "Each fit saw the fold alone and predicted the others. It should be the other way round.": _by_folds(
                X, y, strengths, fold, turned=True
            ),
            "You averaged the errors of the folds, small and large ones alike. Each example should count once.": (
                _by_folds(X, y, strengths, fold, average="folds")
            ),
            "The error you return is a sum over the examples; a mean is asked for.": (right[0], right[1] * len(y)),
            "You return the strength with the largest error.": _by_folds(X, y, strengths, fold, pick=np.argmax),
            "You return the position of the strength in the list, instead of the strength.": (
                list(strengths).index(right[0]),
                right[1],
            ),
        }
        compare(
            got,
            np.array(right),
            {message: np.array(wrong) for message, wrong in table.items()},
            "Not these two numbers. Print the mean squared error for each strength, and count: is each example "
            "predicted once, by a fit that has not seen it?",
        )


def _folds(rng):
    """Return inputs of several scales, targets, the fold of each example, of unequal sizes, and strengths."""
    n, scale = 18, np.array([1.0, 4.0, 0.3, 2.0, 6.0])
    X = rng.normal(1.0, 1.0, (n, 5)) * scale
    y = 3.0 + X / scale @ rng.normal(0.0, 1.0, 5) + rng.normal(0.0, 1.5, n)
    fold = rng.permutation(np.repeat([0, 1, 2], [3, 6, 9]))
    return X, y, fold, [0.003, 0.03, 0.3, 3.0]


def _predicted(X, y, reference, l2, new):
    """Return a ridge fit's predictions; the columns are standardized by ``reference``, or not if it is None."""
    mean, spread = (0.0, 1.0) if reference is None else (reference.mean(axis=0), reference.std(axis=0))
    return solvers.ridge((X - mean) / spread, y, l2).predict((new - mean) / spread)


def _by_folds(X, y, strengths, fold, *, statistics="others", turned=False, average="examples", pick=np.argmin):
    """Return the strength that cross-validation picks and its error, with or without one of the mistakes."""
    squares = np.zeros((len(strengths), len(y)))
    errors = np.zeros((len(strengths), 3))
    for k in range(3):
        held_out = (fold == k) != turned
        seen = ~held_out
        reference = {"others": X[seen], "all": X, "none": None}[statistics]
        for i, l2 in enumerate(strengths):
            gap = y[held_out] - _predicted(X[seen], y[seen], reference, l2, X[held_out])
            squares[i, held_out] += gap**2
            errors[i, k] = np.mean(gap**2)
    mean = squares.mean(axis=1) if average == "examples" else errors.mean(axis=1)
    best = int(pick(mean))
    return strengths[best], mean[best]


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
