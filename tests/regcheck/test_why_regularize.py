"""The exercises of Why regularize: printed solutions pass, plausible wrong answers fail, each with its own message."""

import numpy as np
import pytest

from regcheck import core
from regcheck import why_regularize as check
from reglib.linear import solvers
from tests.regcheck.harness import Chapter

chapter = Chapter("foundations/why-regularize.ipynb", check)


def towards(*, price=lambda n, l2: 2 * n * l2, pull=lambda n, l2: 2 * n * l2, after=0.0):
    def answer(X, y, w0, l2):
        n = len(y)
        gram = X.T @ X + price(n, l2) * np.eye(len(w0))
        return np.linalg.solve(gram, X.T @ y + pull(n, l2) * w0) + after * w0

    return answer


def choose(
    *, statistics="others", turned=False, mean_of="examples", pick=np.argmin, result=lambda s, i, e, n: (s[i], e)
):
    """Cross-validation, with or without each of its mistakes."""

    def answer(X, y, strengths, fold):
        errors = []
        for l2 in strengths:
            each, sizes = [], []
            for k in np.unique(fold):
                out = (fold == k) != turned
                rows = {"others": X[~out], "all": X}.get(statistics)
                mean, spread = (0.0, 1.0) if rows is None else (rows.mean(axis=0), rows.std(axis=0))
                fit = solvers.ridge((X[~out] - mean) / spread, y[~out], l2)
                each.append(np.mean((y[out] - fit.predict((X[out] - mean) / spread)) ** 2))
                sizes.append(out.sum())
            total = np.dot(each, sizes) / len(y)
            errors.append(total if mean_of == "examples" else np.mean(each))
        best = int(pick(errors))
        return result(strengths, best, errors[best], len(y))

    return answer


def training_error(X, y, strengths, fold):
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    errors = [np.mean((y - solvers.ridge(Z, y, l2).predict(Z)) ** 2) for l2 in strengths]
    return strengths[int(np.argmin(errors))], min(errors)


def squared_bias(predictions, truth):
    return np.mean((predictions.mean(axis=0) - truth) ** 2)


def variance(predictions, truth):
    return predictions.var(axis=0).mean()


def spread(bias=squared_bias, scatter=variance):
    return lambda predictions, truth: (bias(predictions, truth), scatter(predictions, truth))


def scaled(mean, deviation):
    """Standardize both arrays by statistics that may look at either."""
    return lambda train, new: tuple((part - mean(train, new)) / deviation(train, new) for part in (train, new))


def pipeline(*, reference="train", score=0, ones=False, intercept=True, report=1):
    """The pipeline of the bug hunt, with or without each of its mistakes."""

    def answer(train, validation, test, strengths):
        targets = [y for _, y in (train, validation, test)]
        parts = [X for X, _ in (train, validation, test)]
        rows = np.vstack(parts) if reference == "all" else parts[0]
        parts = [(part - rows.mean(axis=0)) / rows.std(axis=0) for part in parts]
        if ones:
            parts = [np.column_stack([np.ones(len(part)), part]) for part in parts]
        fits = [solvers.ridge(parts[0], targets[0], l2, fit_intercept=intercept) for l2 in strengths]
        errors = [[np.mean((targets[i] - fit.predict(parts[i])) ** 2) for fit in fits] for i in (1, 2)]
        best = int(np.argmin(errors[score]))
        return strengths[best], errors[report][best]

    return answer


WRONG = {
    "towards": [
        (towards(pull=lambda n, l2: 0.0), "ridge regression towards zero"),
        (towards(pull=lambda n, l2: l2), "not the one that stands beside the identity"),
        (towards(pull=lambda n, l2: n * l2), "the 2 of the square is missing beside"),
        (towards(pull=lambda n, l2: 2 * l2), "the number of examples is missing beside"),
        (towards(pull=lambda n, l2: -2 * n * l2), "signs turned round"),
        (towards(price=lambda n, l2: n * l2, pull=lambda n, l2: n * l2), "counts half as much"),
        (towards(price=lambda n, l2: 2 * l2, pull=lambda n, l2: 2 * l2), "a mean over the examples"),
        (towards(pull=lambda n, l2: 0.0, after=1.0), "What do they leave unexplained"),
        (towards(price=lambda n, l2: 0.0, pull=lambda n, l2: 0.0), "least squares: the strength has no effect"),
        (lambda X, y, w0, l2: 1.0 * w0, "the data have no effect"),
        (lambda X, y, w0, l2: 7.0 + w0, "it must vanish"),
        (lambda X, y, w0, l2: 1.0, "array of shape (3,)"),
    ],
    "choose": [
        (training_error, "that is the training error"),
        (choose(statistics="all"), "That is a leak"),
        (choose(statistics=None), "The columns are not standardized"),
        (choose(turned=True), "the fold alone"),
        (choose(mean_of="folds"), "Each example should count once"),
        (choose(result=lambda s, i, e, n: (s[i], n * e)), "a sum over the examples"),
        (choose(pick=np.argmax), "the largest error"),
        (choose(result=lambda s, i, e, n: (i, e)), "the position of the strength"),
        (choose(result=lambda s, i, e, n: (0.5, e)), "Not these two numbers"),
        (choose(result=lambda s, i, e, n: (np.ones(2), e)), "Return two numbers"),
        (lambda *given: 1.0, "must be 2 values"),
    ],
    "limit": [("a", "if the intercept were penalized"), ("c", "a coefficient like the others"), ("D", "the other end")],
    "shrinkage": [
        (2.4, "a factor that you left out"),
        (2.5, "You subtracted. That is how L1"),
        (2.75, "You subtracted the strength"),
        (0.75, "You multiplied"),
        (12, "You divided by the strength alone"),
        (3, "Nothing has shrunk"),
        (1.5, "divisor is too large"),
        (2.9, "between 0 and 3"),
        (lambda: 2.0, "asks for a single number"),
    ],
    "bias_variance": [
        (lambda p, t: (variance(p, t), squared_bias(p, t)), "another order"),
        (lambda p, t: (variance(p, t), 9.0), "should be the squared bias"),
        (spread(bias=lambda p, t: (p.mean() - t.mean()) ** 2), "before squaring"),
        (spread(bias=lambda p, t: (p.mean(axis=0) - t).mean()), "with its sign"),
        (spread(bias=lambda p, t: np.abs(p.mean(axis=0) - t).mean()), "absolute values"),
        (spread(bias=lambda p, t: np.mean((p - t) ** 2)), "you squared before averaging"),
        (spread(bias=lambda p, t: np.sum((p.mean(axis=0) - t) ** 2)), "You summed over the points"),
        (spread(bias=lambda p, t: 9.0), "The squared bias is not right"),
        (spread(scatter=lambda p, t: p.var()), "all entries at once"),
        (spread(scatter=lambda p, t: p.var(axis=1).mean()), "along the points"),
        (spread(scatter=lambda p, t: p.var(axis=0, ddof=1).mean()), "R - 1"),
        (spread(scatter=lambda p, t: p.std(axis=0).mean()), "mean standard deviation"),
        (spread(scatter=lambda p, t: np.mean((p - t) ** 2)), "the distance to the truth"),
        (spread(scatter=lambda p, t: 9.0), "The variance is not right"),
    ],
    "standardize": [
        (
            scaled(lambda a, b: np.vstack([a, b]).mean(axis=0), lambda a, b: np.vstack([a, b]).std(axis=0)),
            "leak into the fit",
        ),
        (lambda a, b: tuple((part - part.mean(axis=0)) / part.std(axis=0) for part in (a, b)), "a map of its own"),
        (scaled(lambda a, b: b.mean(axis=0), lambda a, b: b.std(axis=0)), "not known when the model is trained"),
        (scaled(lambda a, b: a.mean(axis=0), lambda a, b: 1.0), "only subtracted"),
        (scaled(lambda a, b: 0.0, lambda a, b: a.std(axis=0)), "only divided"),
        (scaled(lambda a, b: a.mean(axis=0), lambda a, b: a.var(axis=0)), "divided by the variance"),
        (scaled(lambda a, b: a.mean(), lambda a, b: a.std()), "one mean and one spread"),
        (scaled(lambda a, b: a.mean(axis=0), lambda a, b: a.std(axis=0, ddof=1)), "N - 1"),
        (lambda a, b: (a, b), "not the standardized data"),
        (lambda a, b: (b, a), "the shape of its argument"),
    ],
    "pipeline": [
        (pipeline(reference="all", score=1, ones=True, intercept=False), "All three mistakes"),
        (pipeline(score=1, ones=True, intercept=False), "used only once"),
        (pipeline(reference="all"), "whose mean and spread"),
        (pipeline(ones=True, intercept=False), "pulled towards zero"),
        (pipeline(report=0), "that of the validation part"),
        (pipeline(intercept=False), "leave the intercept out"),
        (lambda *arguments: (1.0, 1.0), "neither the given function nor the mended one"),
        (lambda *arguments: 1.0, "must be 2 values"),
        (lambda *arguments: (np.ones(2), 1.0), "Return two numbers"),
    ],
}

# A free intercept takes up any shift of the inputs, and a coefficient the sign of its column.
SHIFTED = "the free intercept takes up a shift of the inputs"

EQUIVALENT = {
    "bias_variance": {
        "bias = truth - predictions.mean(axis=0)": "its square is the same",
        "bias = -(predictions.mean(axis=0) - truth)": "its square is the same",
    },
    "choose": {
        "mean, spread = (..., X[~out].std(axis=0))": SHIFTED,
        "mean, spread = (X[~out].mean(axis=0), -X[~out].std(axis=0))": "the coefficients change their signs",
        "mean, spread = (X[~out].mean(axis=0), (-X)[~out].std(axis=0))": "the spread has no sign",
        "Z = X / spread": SHIFTED,
        "Z = (X + mean) / spread": SHIFTED,
        "Z = (X - spread) / spread": SHIFTED,
        "Z = (X - 0 * mean) / spread": SHIFTED,
        "Z = (X - np.mean(mean)) / spread": SHIFTED,
        "Z = (X - -mean) / spread": SHIFTED,
        "Z = (-X - mean) / spread": "a shift, and the coefficients change their signs",
        "Z = (mean - X) / spread": "the coefficients change their signs",
        "Z = -...(X - mean) / spread...": "the coefficients change their signs",
        "Z = (X - mean) / -spread": "the coefficients change their signs",
        "errors[i] += np.sum((fit.predict(Z[out]) - y[out]) ** 2)": "its square is the same",
    },
    "pipeline": {
        "best = np.argmin(error[0])": "int only changes the type",
        "mean, spread = (..., X.std(axis=0))": SHIFTED,
        "mean, spread = (X.mean(axis=0), -X.std(axis=0))": "the coefficients change their signs",
        "X, X_v, X_t = (part / spread for part in (X, X_v, X_t))": SHIFTED,
        "X, X_v, X_t = ((part + mean) / spread for...": SHIFTED,
        "X, X_v, X_t = ((part - spread) / spread for...": SHIFTED,
        "X, X_v, X_t = ((part - 0 * mean) / spread for...": SHIFTED,
        "X, X_v, X_t = ((part - np.mean(mean)) / spread for...": SHIFTED,
        "X, X_v, X_t = ((part - -mean) / spread for...": SHIFTED,
        "X, X_v, X_t = ((-part - mean) / spread for...": "a shift, and the coefficients change their signs",
        "X, X_v, X_t = ((mean - part) / spread for...": "the coefficients change their signs",
        "X, X_v, X_t = (-...(part - mean) / spread... for...": "the coefficients change their signs",
        "X, X_v, X_t = ((part - mean) / -spread for...": "the coefficients change their signs",
        "return (strengths[best], error[1][best])": "of two, the second is the last",
        "error = [[np.mean((f.predict(v) - t) ** 2) for f in fits] for v, t in both]": "its square is the same",
    },
}

TestExercises = chapter.tests(WRONG, EQUIVALENT)


def test_the_bug_hunt_has_all_three_mistakes():
    result = chapter.result("pipeline", chapter.code_cell("pipeline").replace("axis=0), everything", "0), everything"))
    assert result.status == core.NOT_YET
    assert "All three mistakes" in result.message


@pytest.mark.parametrize("reference", ["train", "all"])
@pytest.mark.parametrize("score", [0, 1])
@pytest.mark.parametrize("ones", [False, True])
def test_every_half_mended_pipeline_is_told_apart(reference, score, ones):
    result = check.pipeline(pipeline(reference=reference, score=score, ones=ones, intercept=not ones))
    assert result.ok == (reference == "train" and score == 0 and not ones)


def test_a_column_of_ones_beside_a_free_intercept_is_harmless():
    assert check.pipeline(pipeline(ones=True)).ok


def test_answers_in_other_types_are_welcome():
    right = choose()
    assert check.choose(lambda *arguments: list(right(*arguments))).ok
    assert check.limit(" B ").ok
    assert check.shrinkage(2).ok


def test_cross_validation_with_all_strengths_at_once_is_right():
    def answer(X, y, strengths, fold):
        errors = 0
        for k in set(fold.tolist()):
            seen = fold != k
            mean, spread = X[seen].mean(axis=0), X[seen].std(axis=0)
            fits = solvers.ridge((X[seen] - mean) / spread, y[seen], np.array(strengths))
            errors = errors + ((fits.predict((X[~seen] - mean) / spread) - y[~seen]) ** 2).sum(axis=-1)
        return strengths[errors.argmin()], errors.min() / y.size

    assert check.choose(answer).ok


def test_ridge_of_what_is_left_unexplained_is_right():
    def answer(X, y, w0, l2):
        return w0 + solvers.ridge(X, y - X @ w0, l2, fit_intercept=False).coef

    assert check.towards(answer).ok


def test_statistics_of_training_and_validation_part_together_are_a_leak():
    def answer(train, validation, test, strengths):
        rows = np.vstack([train[0], validation[0]])
        parts = [((X - rows.mean(axis=0)) / rows.std(axis=0), y) for X, y in (train, validation, test)]
        fits = [solvers.ridge(*parts[0], l2) for l2 in strengths]
        errors = [[np.mean((y - fit.predict(X)) ** 2) for fit in fits] for X, y in parts[1:]]
        best = int(np.argmin(errors[0]))
        return strengths[best], errors[1][best]

    assert "whose mean and spread" in check.pipeline(answer).message


def test_a_small_number_in_the_denominator_and_keepdims_are_welcome():
    def careful(train, new):
        mean, spread = train.mean(axis=0, keepdims=True), train.std(axis=0, keepdims=True) + 1e-8
        return (train - mean) / spread, (new - mean) / spread

    assert check.standardize(careful).ok

    def with_axes(predictions, truth):
        mean = predictions.mean(axis=0, keepdims=True)
        bias2 = np.mean((mean - truth) ** 2, axis=1, keepdims=True)
        return bias2, np.mean((predictions - mean) ** 2, axis=(0, 1), keepdims=True)

    assert check.bias_variance(with_axes).ok
