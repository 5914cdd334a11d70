"""The exercises of Why regularize: printed solutions pass, plausible wrong answers fail, each with its own message."""

import numpy as np
import pytest

from regcheck import core
from regcheck import why_regularize as check
from reglib.linear import solvers
from tests.regcheck.harness import Chapter

chapter = Chapter("foundations/why-regularize.ipynb", check)


def residual(X, y, w, b):
    return X @ w + b - y


def objective(*, loss=lambda r: np.mean(r**2) / 2, penalty=lambda w, b, l2: l2 * np.sum(w**2)):
    return lambda X, y, w, b, l2: loss(residual(X, y, w, b)) + penalty(w, b, l2)


def gradient(*, data=1.0, pull=lambda w, l2, n: 2 * l2 * w, rise=lambda r, b, l2: r.mean()):
    def answer(X, y, w, b, l2):
        r = residual(X, y, w, b)
        factor = data(len(y)) if callable(data) else data
        return factor * X.T @ r / len(y) + pull(w, l2, len(y)), rise(r, b, l2)

    return answer


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
    "objective": [
        (objective(penalty=lambda w, b, l2: 0.0), "the penalty is missing"),
        (objective(loss=lambda r: np.mean(r**2)), "twice the one asked for"),
        (objective(loss=lambda r: np.sum(r**2) / 2), "grows with the number of examples"),
        (objective(penalty=lambda w, b, l2: l2 * (np.sum(w**2) + b**2)), "penalize the intercept"),
        (objective(penalty=lambda w, b, l2: l2 * np.linalg.norm(w)), "the norm itself"),
        (objective(penalty=lambda w, b, l2: l2 / 2 * np.sum(w**2)), "half as large"),
        (objective(penalty=lambda w, b, l2: l2 * np.mean(w**2)), "averages over the coefficients"),
        (objective(penalty=lambda w, b, l2: -l2 * np.sum(w**2)), "rewards large coefficients"),
        (objective(penalty=lambda w, b, l2: l2 * np.abs(w).sum()), "That is L1"),
        (lambda X, y, w, b, l2: objective()(X, y, w, 0.0, l2), "leave the intercept out"),
        (lambda X, y, w, b, l2: objective()(X, y + 2 * b, w, b, l2), "belongs to the predictions"),
        (lambda X, y, w, b, l2: 1.0, "Compute the two terms apart"),
        (lambda X, y, w, b, l2: w, "a single number"),
    ],
    "gradient": [
        (gradient(pull=lambda w, l2, n: 0 * w), "the data loss alone"),
        (gradient(pull=lambda w, l2, n: l2 * w), "half as hard"),
        (gradient(data=lambda n: n), "data part is too large by the number of examples"),
        (gradient(data=2), "data part is twice too large"),
        (gradient(data=-1), "sign of the data part"),
        (gradient(data=-1, pull=lambda w, l2, n: -2 * l2 * w), "direction of descent"),
        (gradient(pull=lambda w, l2, n: -2 * l2 * w), "pushes coefficients away"),
        (gradient(pull=lambda w, l2, n: l2 * np.sign(w)), "that is L1"),
        (gradient(pull=lambda w, l2, n: 2 * l2 * w / n), "divided the penalty"),
        (gradient(rise=lambda r, b, l2: r.mean() + 2 * l2 * b), "The intercept is not penalized"),
        (gradient(rise=lambda r, b, l2: r.sum()), "grad_b is too large by the number"),
        (gradient(rise=lambda r, b, l2: 2 * r.mean()), "grad_b is twice too large"),
        (gradient(rise=lambda r, b, l2: -r.mean()), "The sign of grad_b"),
        (gradient(rise=lambda r, b, l2: 7.0), "grad_b is not right"),
        (lambda X, y, w, b, l2: gradient()(X, y, w, 0.0, l2), "Your predictions leave the intercept out"),
        (gradient(rise=lambda r, b, l2: r.mean() - b), "In grad_b, your predictions"),
        (lambda *given: gradient()(*given)[::-1], "another order"),
        (gradient(pull=lambda w, l2, n: 7.0), "gradcheck.check_coordinates"),
        (lambda X, y, w, b, l2: 2 * l2 * w, "must be 2 values"),
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
    "gradient": {"...2 * l2 * w, np.mean(residual).mean())": "a number is its own mean"},
    "objective": {
        "residual = y - (X @ w + b)": "its square is the same",
        "residual = -(X @ w + b - y)": "its square is the same",
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
    right = gradient()
    assert check.gradient(lambda *arguments: list(right(*arguments))).ok
    assert check.limit(" B ").ok
    assert check.shrinkage(2).ok


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


def test_a_gradient_by_central_differences_is_right():
    def numeric(X, y, w, b, l2):
        steps = 1e-6 * np.eye(len(w) + 1)
        value = objective()
        slopes = [
            (value(X, y, w + e[:-1], b + e[-1], l2) - value(X, y, w - e[:-1], b - e[-1], l2)) / 2e-6 for e in steps
        ]
        return slopes[:-1], slopes[-1]

    assert check.gradient(numeric).ok
