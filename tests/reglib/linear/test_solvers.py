"""Linear models: closed forms by hand, optimality conditions, solvers against each other."""

import numpy as np
import pytest

from regbook import datasets
from reglib.linear import _iterations, solvers
from reglib.linear.duality import least_squares_gap
from reglib.linear.solvers import ConvergenceError, coordinate_descent, fista, l1_max, path, ridge
from reglib.weights.penalties import L1, L2, ElasticNet, GroupLasso
from tests.conftest import exactly

GROUPS = [0, 1, 1, 2]


def problem(n=12, d=4, seed=0, shift=3.0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d)) * np.arange(1, d + 1) + shift
    return X, X @ np.r_[2.0, -1.0, np.zeros(d - 2)] + rng.standard_normal(n) + 5


def objective(X, y, coef, intercept, penalty):
    return ((y - X @ coef - intercept) ** 2).sum() / (2 * len(y)) + penalty.value(coef)


def close(a, b, atol=1e-9):
    np.testing.assert_allclose(a, b, rtol=0, atol=atol)


PENALTIES = [L1(0.4), L2(0.1), ElasticNet(0.3, 0.2), GroupLasso(0.3, GROUPS)]
SOLVERS = [(fista, penalty) for penalty in PENALTIES] + [(coordinate_descent, penalty) for penalty in PENALTIES[:3]]


# l1_max


def test_l1_max_by_hand():
    X, y = np.array([[1.0, 4.0], [-1.0, 0.0], [0.0, -1.0]]), np.array([3.0, 1.0, -1.0])
    # Without an intercept X^T y = (2, 13); with one, y less its mean is (2, 0, -2): (2, 10).
    assert l1_max(X, y, fit_intercept=False) == pytest.approx(13 / 3, rel=1e-15)
    assert l1_max(X, y) == pytest.approx(10 / 3, rel=1e-15)
    assert l1_max(X, -y) == l1_max(X, y)
    both = l1_max(np.array([X, 2 * X]), np.array([y, y]))
    close(both, [10 / 3, 20 / 3], 1e-14)


@pytest.mark.parametrize("solver", [fista, coordinate_descent])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_l1_max_is_the_smallest_strength_with_no_coefficient(solver, fit_intercept):
    X, y = problem()
    largest = l1_max(X, y, fit_intercept)
    fit = solver(X, y, L1(largest), fit_intercept=fit_intercept)
    assert fit.coef.tolist() == [0, 0, 0, 0]
    assert fit.n_iter == 0
    assert np.count_nonzero(solver(X, y, L1(largest * (1 - 1e-4)), fit_intercept=fit_intercept).coef) == 1


# Ridge


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(("n", "d"), [(12, 4), (5, 9)])
def test_ridge_solves_its_normal_equations(fit_intercept, n, d):
    X, y = problem(n, d)
    fit = ridge(X, y, 0.3, fit_intercept)
    residual = y - X @ fit.coef - fit.intercept
    close(X.T @ residual / n, 2 * 0.3 * fit.coef, 1e-11)
    assert (abs(residual.mean()) < 1e-12) if fit_intercept else (fit.intercept == 0)
    close(fit.predict(X), y - residual, 1e-12)
    assert (fit.n_iter, fit.gap) == (0, 0)


def test_ridge_by_hand():
    # One column (1, -1), y = (3, 1): x^T y = 2, x^T x = 2, so w = 2 / (2 + 2*2*l2).
    X, y = np.array([[1.0], [-1.0]]), np.array([3.0, 1.0])
    fit = ridge(X, y, np.array([0.0, 0.25, 1.5]))
    close(fit.coef, [[1], [2 / 3], [1 / 4]], 1e-15)
    close(fit.intercept, [2, 2, 2], 1e-15)
    assert fit.n_iter.tolist() == fit.gap.tolist() == [0, 0, 0]
    assert fit.n_iter.dtype.kind == "i"
    close(ridge(X, y, 1.5).coef, [1 / 4], 1e-15)
    close(ridge(X + 1, y, 1.5).intercept, 2 - 1 / 4, 1e-15)
    assert np.ndim(ridge(X, y, 1.5).intercept) == 0


def test_ridge_path_is_its_single_fits():
    X, y = problem()
    strengths = np.array([0.01, 1.0, 0.2])
    many = ridge(X, y, strengths)
    for k, strength in enumerate(strengths):
        one = ridge(X, y, strength)
        close(many.coef[k], one.coef, 1e-13)
        close(many.intercept[k], one.intercept, 1e-12)
    close(many.predict(X), [ridge(X, y, strength).predict(X) for strength in strengths], 1e-12)


def test_least_squares_of_least_length():
    X, y = problem(5, 9)
    fit = ridge(X, y, 0.0)
    centered = X - X.mean(axis=0)
    close(fit.coef, np.linalg.pinv(centered) @ (y - y.mean()), 1e-10)
    twice = np.column_stack([X[:, 0], X[:, 0]])
    equal = ridge(twice, y, 0.0).coef
    close(equal[0], equal[1], 1e-12)
    assert ridge(np.zeros((3, 2)), np.array([1.0, 2.0, 6.0]), 0.0).coef.tolist() == [0, 0]


# The iterative solvers


@pytest.mark.parametrize(("solver", "penalty"), SOLVERS)
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(("n", "d"), [(12, 4), (3, 4), (1, 4)])
def test_the_gap_certifies_the_fit(solver, penalty, fit_intercept, n, d):
    X, y = problem(n, d)
    fit = solver(X, y, penalty, fit_intercept=fit_intercept)
    shift, level = (X.mean(axis=0), y.mean()) if fit_intercept else (0, 0)
    centered, target = X - shift, y - level
    residual = target - centered @ fit.coef
    gap = least_squares_gap(penalty, fit.coef, centered.T @ residual / n, (residual**2).mean())
    scale = (target**2).sum() / (2 * n)
    assert fit.gap <= 1e-12 * scale
    assert gap <= 1.1e-12 * scale + 1e-16
    close(fit.intercept, level - np.sum(shift * fit.coef), 1e-12)


@pytest.mark.parametrize(("solver", "penalty"), SOLVERS)
def test_no_other_model_is_better(solver, penalty):
    X, y = problem()
    fit = solver(X, y, penalty)
    best = objective(X, y, fit.coef, fit.intercept, penalty)
    rng = np.random.default_rng(1)
    for size in (1e-4, 1e-2, 1):
        for move in rng.standard_normal((50, 5)) * size:
            assert objective(X, y, fit.coef + move[:4], fit.intercept + move[4], penalty) > best


@pytest.mark.parametrize("penalty", PENALTIES)
def test_orthogonal_columns_have_a_closed_form(penalty):
    # X^T X / N = I, so the minimum is the proximal step of size 1 from X^T y / N.
    q, _ = np.linalg.qr(np.random.default_rng(3).standard_normal((9, 4)))
    X, y = 3 * q, np.random.default_rng(4).standard_normal(9) * 3
    want = penalty.prox(X.T @ y / 9, 1.0)
    close(fista(X, y, penalty, fit_intercept=False).coef, want)
    if not isinstance(penalty, GroupLasso):
        close(coordinate_descent(X, y, penalty, fit_intercept=False).coef, want)


@pytest.mark.parametrize("penalty", PENALTIES[:3])
def test_the_two_solvers_agree(penalty):
    X, y = problem(30, 8, seed=5)
    a, b = fista(X, y, penalty), coordinate_descent(X, y, penalty)
    close(a.coef, b.coef, 5e-6)
    close(a.intercept, b.intercept, 1e-5)
    assert (a.coef == 0).tolist() == (b.coef == 0).tolist()


@pytest.mark.parametrize("solver", [fista, coordinate_descent])
def test_solvers_agree_with_ridge(solver):
    X, y = problem()
    close(solver(X, y, L2(0.2), tolerance=1e-20).coef, ridge(X, y, 0.2).coef, 1e-8)


def test_groups_enter_together():
    X, y = problem(30, 4, seed=6)
    coef = fista(X, y, GroupLasso(1.2, [0, 1, 0, 1])).coef
    assert (coef[[0, 2]] != 0).all() or (coef[[0, 2]] == 0).all()
    lasso, single = fista(X, y, L1(0.5)), fista(X, y, GroupLasso(0.5, [3, 1, 0, 2]))
    close(lasso.coef, single.coef, 1e-7)


@pytest.mark.parametrize(("solver", "penalty"), SOLVERS)
def test_a_start_at_the_solution_needs_no_iteration(solver, penalty):
    X, y = problem()
    fit = solver(X, y, penalty, tolerance=1e-10)
    start = fit.coef.copy()
    again = solver(X, y, penalty, start=start, tolerance=1.01e-10)
    assert again.n_iter == 0
    assert again.coef.tolist() == fit.coef.tolist() == start.tolist()
    far = solver(X, y, penalty, start=fit.coef + 100.0)
    close(far.coef, solver(X, y, penalty).coef, 1e-5)


@pytest.mark.parametrize("solver", [fista, coordinate_descent])
def test_iterations_are_counted_between_looks(solver):
    X, y = problem(30, 8, seed=5)
    coarse, fine = solver(X, y, L1(0.01), check_every=7), solver(X, y, L1(0.01), check_every=1)
    assert coarse.n_iter % 7 == 0
    assert 0 < fine.n_iter <= coarse.n_iter + 7
    last = solver(X, y, L1(0.01), check_every=1, max_iter=int(fine.n_iter))
    assert last.n_iter == fine.n_iter


@pytest.mark.parametrize(("solver", "name"), [(fista, "fista"), (coordinate_descent, "coordinate descent")])
def test_too_few_iterations_are_an_error(solver, name):
    X, y = problem(30, 8, seed=5)
    needed = solver(X, y, L1(0.01), check_every=1).n_iter
    with pytest.raises(ConvergenceError) as caught:
        solver(X, y, L1(0.01), check_every=4, max_iter=int(needed) - 1)
    error = caught.value
    scale = ((y - y.mean()) ** 2).mean() / 2
    assert error.n_iter == needed - 1
    assert error.tolerance == pytest.approx(1e-12 * scale, rel=1e-12)
    assert error.tolerance < error.gap < scale
    assert str(error) == (
        f"{name} did not converge in {needed - 1} iterations: the duality gap is {error.gap:.3g}, "
        f"the tolerance {error.tolerance:.3g}; raise max_iter or the tolerance"
    )


@pytest.mark.parametrize("scale", [1.0, 0.01])
def test_fista_takes_the_steps_of_the_paper(scale):
    X, y = problem(30, 8, seed=5)
    X = X * scale
    n, penalty, centered, target = 30, L1(0.05 * scale), X - X.mean(axis=0), y - y.mean()
    step = n / np.linalg.eigvalsh(centered.T @ centered).max()
    w = z = np.zeros(8)
    t = 1.0
    for _ in range(5):
        last, w = w, penalty.prox(z - step * centered.T @ (centered @ z - target) / n, step)
        t, t_last = (1 + np.sqrt(1 + 4 * t**2)) / 2, t
        z = w + (t_last - 1) / t * (w - last)
    seen = fista(X, y, penalty, restart=False, tolerance=0.5, check_every=5)
    assert seen.n_iter == 5
    close(scale * seen.coef, scale * w, 1e-10)


def test_restarts_take_fewer_iterations():
    X, y = problem(60, 8, seed=5)
    with_restart, without = fista(X, y, L2(0.001)), fista(X, y, L2(0.001), restart=False)
    assert with_restart.n_iter < without.n_iter / 2
    close(with_restart.coef, without.coef, 1e-4)


def test_fista_restarts_when_the_momentum_points_uphill():
    X, y = problem(60, 8, seed=5)
    n, penalty, centered, target = 60, L2(0.001), X - X.mean(axis=0), y - y.mean()
    step = n / np.linalg.eigvalsh(centered.T @ centered).max()
    w = z = np.zeros(8)
    t, restarts = 1.0, 0
    for _ in range(120):
        last, w = w, penalty.prox(z - step * centered.T @ (centered @ z - target) / n, step)
        if (z - w) @ (w - last) > 0:
            t, restarts = 1.0, restarts + 1
        t, t_last = (1 + np.sqrt(1 + 4 * t**2)) / 2, t
        z = w + (t_last - 1) / t * (w - last)
    assert restarts >= 2
    residual = target - centered @ w
    reached = least_squares_gap(penalty, w, centered.T @ residual / n, (residual**2).mean())
    tolerance = float(2 * reached * (1 + 1e-6) / (target**2).mean())
    seen = fista(X, y, penalty, tolerance=tolerance, check_every=120)
    assert seen.n_iter == 120
    close(seen.coef, w, 1e-8)


def test_coordinate_descent_sweeps_by_the_book():
    X, y = problem(10, 4, seed=1)
    n, l1, l2, centered, target = 10, 0.8, 0.1, X - X.mean(axis=0), y - y.mean()
    w, skipped = np.zeros(4), 0
    for sweep in range(3):
        for j in range(4):
            if sweep and not w[j]:
                rest = target - centered @ w
                skipped += abs(centered[:, j] @ rest / n) > l1
                continue
            rest = target - centered @ w + centered[:, j] * w[j]
            z = centered[:, j] @ rest / n
            w[j] = np.sign(z) * max(abs(z) - l1, 0) / ((centered[:, j] ** 2).sum() / n + 2 * l2)
    seen = coordinate_descent(X, y, ElasticNet(l1, l2), tolerance=0.1, check_every=3)
    assert seen.n_iter == 3
    assert skipped, "a coefficient at 0 that wants to move waits for the next sweep over all"
    close(seen.coef, w, 1e-12)


# Batches


def batch(s=5, n=12, d=4):
    pairs = [problem(n, d, seed, shift=0.5) for seed in range(s)]
    return np.array([X for X, _ in pairs]), np.array([y for _, y in pairs])


@pytest.mark.parametrize("n", [12, 3])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_a_batch_is_its_problems_one_by_one(n, fit_intercept):
    X, y = batch(n=n, d=7)
    many, groups = np.array([0.01, 3.0, 0.2, 0.7, 100.0]), [0, 1, 1, 2, 0, 3, 3]
    for together, apart in (
        (L1(many), [L1(own) for own in many]),
        (L2(many), [L2(own) for own in many]),
        (ElasticNet(many, 0.2), [ElasticNet(own, 0.2) for own in many]),
        (GroupLasso(many, groups), [GroupLasso(own, groups) for own in many]),
        (L1(0.3), [L1(0.3)] * 5),
    ):
        fits = fista(X, y, together, fit_intercept=fit_intercept)
        assert fits.coef.shape == (5, 7)
        assert fits.intercept.shape == fits.n_iter.shape == fits.gap.shape == (5,)
        for s, penalty in enumerate(apart):
            alone = fista(X[s], y[s], penalty, fit_intercept=fit_intercept)
            close(fits.coef[s], alone.coef, 1e-6)
            close(fits.intercept[s], alone.intercept, 1e-5)
            assert abs(fits.n_iter[s] - alone.n_iter) <= 10
        close(fits.predict(X), [own @ w + b for own, w, b in zip(X, fits.coef, fits.intercept, strict=True)], 1e-12)
    assert len(set(fits.n_iter.tolist())) > 1


def test_a_batch_starts_where_it_is_told():
    X, y = batch()
    fits = fista(X, y, L1(0.2))
    again = fista(X, y, L1(0.2), start=fits.coef, tolerance=1.01e-12)
    assert again.n_iter.tolist() == [0] * 5


def test_a_batch_that_does_not_converge_says_how_many():
    X, y = batch()
    iterations = fista(X, y, L1(0.2), check_every=1).n_iter
    limit = int(np.sort(iterations)[1])
    late = int((iterations > limit).sum())
    assert late >= 2
    with pytest.raises(ConvergenceError, match=rf"^fista did not converge in {limit} iterations on {late} problems: "):
        fista(X, y, L1(0.2), check_every=1, max_iter=limit)
    one_late = int(np.sort(iterations)[-2])
    with pytest.raises(ConvergenceError, match=rf"^fista did not converge in {one_late} iterations: "):
        fista(X, y, L1(0.2), check_every=1, max_iter=one_late)


def test_the_error_of_a_batch_shows_its_worst_problem():
    X, y = batch(3)
    y[0] *= 1e-3
    with pytest.raises(ConvergenceError) as caught:
        fista(X, y, L1(1e-4), max_iter=1)
    gaps = []
    for s in range(3):
        with pytest.raises(ConvergenceError) as alone:
            fista(X[s], y[s], L1(1e-4), max_iter=1)
        gaps.append(alone.value.gap)
    assert caught.value.gap == pytest.approx(max(gaps), rel=1e-9)


def test_the_worst_problem_is_one_that_did_not_converge():
    X, y = batch(2, n=12)
    # The first problem is solved by one step: its columns are orthogonal. Its tolerance is large, and irrelevant.
    X[0] = np.linalg.qr(X[0] - X[0].mean(axis=0))[0]
    y[0] *= 1e4
    with pytest.raises(ConvergenceError) as caught:
        fista(X, y, L1(0.01), tolerance=0.01, check_every=1, max_iter=1)
    with pytest.raises(ConvergenceError) as alone:
        fista(X[1], y[1], L1(0.01), tolerance=0.01, check_every=1, max_iter=1)
    assert caught.value.gap == pytest.approx(alone.value.gap, rel=1e-9)
    assert caught.value.tolerance == pytest.approx(alone.value.tolerance, rel=1e-9)


def test_the_words_of_the_error():
    words = (
        "did not converge in 7 iterations{}: the duality gap is 0.25, the tolerance 0.01; "
        "raise max_iter or the tolerance"
    )
    assert str(ConvergenceError("fista", 7, 0.25, 0.01)) == "fista " + words.format("")
    assert str(ConvergenceError("fista", 7, 0.25, 0.01, 2)) == "fista " + words.format(" on 2 problems")


def test_ten_thousand_iterations_are_allowed():
    with pytest.raises(ConvergenceError, match=r" did not converge in 10000 iterations: "):
        fista(*problem(3, 7, seed=0), L1(0.01), fit_intercept=False)
    X, y = problem(3, 7, seed=3)
    with pytest.raises(ConvergenceError, match=r" did not converge in 10000 iterations: "):
        coordinate_descent(X, y, L1(0.01), fit_intercept=False)
    with pytest.raises(ConvergenceError, match=r" did not converge in 10000 iterations: "):
        path(X, y, strengths=[0.01], fit_intercept=False)


def test_the_cheaper_of_two_ways_to_the_slope(monkeypatch):
    rng = np.random.default_rng(0)
    for n, d, gram, factors in (
        (4, 8, False, 1),
        (4, 9, False, 2),
        (4, 11, False, 2),
        (4, 9, True, 1),
        (4, 3, False, 1),
    ):
        X, y, w = rng.standard_normal((n, d)), rng.standard_normal(n), rng.standard_normal(d)
        found = _iterations.moments(X, y, gram=gram) if gram else _iterations.moments(X, y)
        assert len(found.factors) == factors
        close(found.slope(w), X.T @ (y - X @ w) / n, 1e-12)
    shapes, solve = [], np.linalg.eigvalsh
    monkeypatch.setattr(np.linalg, "eigvalsh", lambda square: shapes.append(square.shape) or solve(square))
    for n, d in ((3, 5), (5, 3)):
        X = rng.standard_normal((n, d))
        assert _iterations.steepest_curvature(X) == pytest.approx(np.linalg.norm(X, 2) ** 2 / n, rel=1e-12)
    assert shapes == [(3, 3), (3, 3)]


# Progress, dtype, arguments left alone


@pytest.mark.parametrize("solver", [fista, coordinate_descent])
def test_progress_of_a_solver(solver):
    X, y = problem(30, 8, seed=5)
    y = y / 10
    seen = []
    fit = solver(X, y, L1(0.001), progress=lambda *news: seen.append(news))
    scale = ((y - y.mean()) ** 2).mean() / 2
    assert scale < 1
    assert [iterations for iterations, _ in seen] == list(range(0, int(fit.n_iter) + 1, 10))
    assert seen[-1][1] == pytest.approx(fit.gap / scale, rel=1e-9, abs=0)
    assert seen[0][1] > seen[-1][1]


def test_progress_of_a_batch_shows_the_largest_gap():
    X, y = batch(2)
    y[1] = 7.0
    seen, alone = [], []
    fista(X, y, L1(0.2), progress=lambda *news: seen.append(news))
    fista(X[0], y[0], L1(0.2), progress=lambda *news: alone.append(news))
    assert len(seen) == len(alone)
    np.testing.assert_allclose(seen, alone, rtol=1e-2, atol=1e-14)


@pytest.mark.parametrize(("solver", "penalty"), [*SOLVERS, (ridge, 0.2)])
def test_dtype_follows_the_input_and_nothing_is_changed(solver, penalty):
    X, y = problem()
    single, target = X.astype(np.float32), y.astype(np.float32)
    before = single.copy(), target.copy()
    fit = solver(single, target, penalty)
    assert fit.coef.dtype == fit.intercept.dtype == np.float32
    assert (single == before[0]).all()
    assert (target == before[1]).all()
    close(fit.coef, solver(X, y, penalty).coef, 1e-4)
    assert solver(single, y, penalty).coef.dtype == solver(X, target, penalty).coef.dtype == np.float64


@pytest.mark.parametrize("solver", [fista, coordinate_descent])
def test_constant_data(solver):
    X, y = problem()
    X[:, 2] = 7.0
    fit = solver(X, y, L1(0.1), start=np.ones(4))
    assert fit.coef[2] == 0
    flat = solver(X, np.full(12, 3.0), L1(0.1))
    assert flat.coef.tolist() == [0] * 4
    assert flat.intercept == 3
    away = solver(np.zeros((3, 2)), np.array([1.0, 2.0, 6.0]), L1(0.1), start=np.ones(2))
    assert (away.coef.tolist(), away.intercept) == ([0, 0], 3)
    nothing = solver(np.zeros((3, 2)), np.array([1.0, 2.0, 6.0]), L1(0.1))
    assert (nothing.coef.tolist(), nothing.intercept, nothing.n_iter) == ([0, 0], 3, 0)


# Paths


def test_the_diabetes_path_enters_in_the_order_of_the_lars_paper():
    data = datasets.diabetes()
    fitted = path(data.x, data.y, tolerance=1e-8)
    assert (fitted.order_of_entry() + 1).tolist() == [3, 9, 4, 7, 2, 10, 5, 8, 6, 1]
    assert fitted.coefs.shape == (100, 10)
    assert fitted.strengths[0] == l1_max(data.x, data.y)
    assert fitted.strengths[-1] == pytest.approx(1e-3 * fitted.strengths[0], rel=1e-12)
    ratios = fitted.strengths[1:] / fitted.strengths[:-1]
    close(ratios, ratios[0], 1e-12)
    assert fitted.coefs[0].tolist() == [0] * 10
    assert fitted.iterations[0] == 0


def families():
    groups = [0, 1, 1, 2]
    return [
        ("lasso", L1, coordinate_descent),
        (L1, L1, coordinate_descent),
        ("elastic_net", lambda strength: ElasticNet.from_ratio(strength, 0.5), coordinate_descent),
        (L2, L2, coordinate_descent),
        (lambda strength: GroupLasso(strength, groups), lambda strength: GroupLasso(strength, groups), fista),
    ]


@pytest.mark.parametrize(("family", "penalty", "solver"), families())
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_a_path_is_its_fits(family, penalty, solver, fit_intercept):
    X, y = problem()
    fitted = path(X, y, family, [0.01, 1.0, 0.1], fit_intercept=fit_intercept)
    assert fitted.strengths.tolist() == [1.0, 0.1, 0.01]
    for k, strength in enumerate(fitted.strengths):
        alone = solver(X, y, penalty(strength), fit_intercept=fit_intercept)
        close(fitted.coefs[k], alone.coef, 2e-5)
        close(fitted.intercepts[k], alone.intercept, 1e-4)
        assert fitted.gaps[k] <= 1e-12 * ((y - fit_intercept * y.mean()) ** 2).mean() / 2
    assert fitted.iterations.dtype.kind == "i"
    assert fitted.intercepts.shape == fitted.gaps.shape == fitted.iterations.shape == (3,)


def test_a_path_starts_each_fit_from_the_one_before():
    X, y = problem(30, 8, seed=5)
    strengths = np.full(3, 0.05)
    for family in (L1, lambda strength: GroupLasso(strength, np.arange(8))):
        iterations = path(X, y, family, strengths).iterations
        assert iterations[0] > 0
        assert iterations[1:].tolist() == [0, 0]


@pytest.mark.parametrize("family", [L1, lambda strength: GroupLasso(strength, np.arange(9))])
def test_a_path_with_more_columns_than_rows(family):
    X, y = problem(4, 9, seed=5, shift=0.5)
    fitted = path(X, y, family, [0.2])
    alone = fista(X, y, family(0.2))
    close(fitted.coefs[0], alone.coef, 1e-6)
    if family is not L1:
        assert fitted.iterations[0] == alone.n_iter


def test_a_path_looks_every_ten_sweeps():
    X, y = problem(30, 8, seed=5)
    assert path(X, y, strengths=[0.3], tolerance=0.1).iterations.tolist() == [10]


def test_dtype_of_a_path():
    X, y = problem()
    for family in ("lasso", "ridge"):
        single = path(X.astype(np.float32), y.astype(np.float32), family, [0.1])
        assert single.coefs.dtype == single.intercepts.dtype == np.float32
        for data in ((X.astype(np.float32), y), (X, y.astype(np.float32))):
            assert path(*data, family, [0.1]).coefs.dtype == np.float64


def test_a_ridge_path_is_in_closed_form():
    X, y = problem()
    fitted, want = path(X, y, "ridge", [0.1, 2.0], fit_intercept=False), ridge(X, y, np.array([2.0, 0.1]), False)
    assert fitted.coefs.tolist() == want.coef.tolist()
    assert fitted.intercepts.tolist() == [0, 0]
    assert fitted.iterations.tolist() == fitted.gaps.tolist() == [0, 0]
    assert fitted.strengths.tolist() == [2, 0.1]
    assert path(X, y, "ridge", [0.1]).intercepts[0] != 0


def test_default_strengths():
    X, y = problem()
    largest = l1_max(X, y)
    three = path(X, y, n_strengths=3, smallest=0.01)
    close(three.strengths, largest * np.array([1, 0.1, 0.01]), 1e-12)
    net = path(X, y, "elastic_net", l1_ratio=0.2, n_strengths=2, smallest=0.5)
    close(net.strengths, largest / 0.2 * np.array([1, 0.5]), 1e-12)
    close(net.coefs[0], 0, 1e-12)
    close(net.coefs[1], coordinate_descent(X, y, ElasticNet.from_ratio(net.strengths[1], 0.2)).coef, 1e-7)
    close(path(X, y, n_strengths=2, fit_intercept=False).strengths[0], l1_max(X, y, False), 1e-12)


def test_order_of_entry_breaks_ties_by_size():
    zeros = np.zeros(3)
    coefs = np.array([[0, 0, 0, 0, 0], [0, -1, 0, 2, 0], [1, 0, 0, 2, 0.5]], float)
    fitted = solvers.Path(zeros, coefs, zeros, zeros, zeros)
    assert fitted.order_of_entry().tolist() == [3, 1, 0, 4]


def test_progress_and_failure_of_a_path():
    X, y = problem(30, 8, seed=5)
    seen = []
    path(X, y, strengths=[0.1, 0.2], progress=lambda *news: seen.append(news))
    assert seen == [(1, 2), (2, 2)]
    with pytest.raises(ConvergenceError, match=r"^coordinate descent did not converge in 1 iterations: ") as caught:
        path(X, y, strengths=[1000.0, 0.25], max_iter=1)
    assert caught.value.__notes__ == [f"It was fit 2 of 2 on the path: {L1(0.25)}."]
    with pytest.raises(ConvergenceError, match=r"^fista did not converge in 2 iterations: "):
        path(X, y, lambda strength: GroupLasso(strength, np.arange(8)), [0.1], max_iter=2)
    loose = path(X, y, strengths=[0.1], tolerance=0.5, check_every=1)
    assert loose.iterations.tolist() == [1]


# Bad input


def test_bad_data():
    X, y = problem()
    integers = r"^{} must hold floating-point numbers .* got dtype int(32|64); "
    for call in (
        lambda X, y: fista(X, y, L1(0.1)),
        lambda X, y: coordinate_descent(X, y, L1(0.1)),
        lambda X, y: ridge(X, y, 0.1),
        l1_max,
        path,
    ):
        with pytest.raises(TypeError, match=integers.format("X")):
            call(X.astype(int), y)
        with pytest.raises(TypeError, match=integers.format("y")):
            call(X, y.astype(int))
        hole = X.copy()
        hole[1, 2] = np.nan
        with pytest.raises(
            ValueError, match=exactly("X must be finite, got 1 NaN or infinite values in shape (12, 4)")
        ):
            call(hole, y)
        with pytest.raises(ValueError, match=r"^y must be finite, got 12 NaN or infinite values"):
            call(X, y * np.nan)
        message = "y must have one value for each row of X, shape (12,); got (11,)"
        with pytest.raises(ValueError, match=exactly(message)):
            call(X, y[:-1])
        with pytest.raises(ValueError, match=exactly("X must have at least one row and one column; got shape (12, 0)")):
            call(X[:, :0], y)
        with pytest.raises(ValueError, match=exactly("X must have at least one row and one column; got shape (0, 4)")):
            call(X[:0], y[:0])
    for call in (lambda X, y: fista(X, y, L1(0.1)), l1_max):
        with pytest.raises(ValueError, match=exactly("X must have shape (N, D) or (S, N, D); got (12,)")):
            call(y, y)
        with pytest.raises(
            ValueError, match=exactly("y must have one value for each row of X, shape (1, 12); got (12,)")
        ):
            call(X[None], y)
    for call in (lambda X, y: coordinate_descent(X, y, L1(0.1)), lambda X, y: ridge(X, y, 0.1), path):
        with pytest.raises(ValueError, match=exactly("X must have shape (N, D); got (1, 12, 4)")):
            call(X[None], y[None])


def test_bad_penalties():
    X, y = problem()
    with pytest.raises(TypeError, match=exactly("penalty must be one of L1, L2, ElasticNet, GroupLasso; got 'l1'")):
        fista(X, y, "l1")
    message = f"penalty must be one of L1, L2, ElasticNet; got {GroupLasso(0.1, GROUPS)!r}"
    with pytest.raises(TypeError, match=exactly(message)):
        coordinate_descent(X, y, GroupLasso(0.1, GROUPS))
    message = "what family returns must be one of L1, L2, ElasticNet, GroupLasso; got 0.1"
    with pytest.raises(TypeError, match=exactly(message)):
        path(X, y, lambda strength: strength, [0.1])
    message = "penalty has strengths of shape (2,), but X holds problems of shape ()"
    for call in (
        lambda: fista(X, y, L1(np.ones(2))),
        lambda: path(X, y, lambda strength: L1(np.full(2, strength)), [0.1]),
    ):
        with pytest.raises(ValueError, match=exactly(message)):
            call()
    with pytest.raises(
        ValueError, match=exactly("penalty has strengths of shape (1,), but X holds problems of shape ()")
    ):
        coordinate_descent(X, y, L1(np.ones(1)))
    with pytest.raises(
        ValueError, match=exactly("penalty has strengths of shape (2,), but X holds problems of shape (3,)")
    ):
        fista(*batch(3), L1(np.ones(2)))
    for penalty in (L1(0.0), L2(0.0), ElasticNet(0.0, 0.0)):
        message = f"penalty must have a strength above 0, for least squares call ridge(X, y, 0.0); got {penalty!r}"
        for solver in (fista, coordinate_descent):
            with pytest.raises(ValueError, match=exactly(message)):
                solver(X, y, penalty)
    with pytest.raises(ValueError, match=r"^penalty must have a strength above 0, "):
        fista(*batch(2), L1(np.array([0.0, 1.0])))
    with pytest.raises(
        ValueError, match=exactly("groups has shape (2,), so w must have shape (1, 2, ...); got (1, 4)")
    ):
        fista(X, y, GroupLasso(0.1, [0, 1]))


@pytest.mark.parametrize("solver", [fista, coordinate_descent])
def test_bad_limits(solver):
    X, y = problem()
    for bad in (0.0, -1.0, np.nan):
        with pytest.raises(ValueError, match=exactly(f"tolerance must be a finite number in (0, inf], got {bad!r}")):
            solver(X, y, L1(0.1), tolerance=bad)
    for name in ("max_iter", "check_every"):
        for bad in (0, 2.0, True, "3"):
            with pytest.raises(ValueError, match=exactly(f"{name} must be a whole number of at least 1; got {bad!r}")):
                solver(X, y, L1(0.1), **{name: bad})
        assert solver(X, y, L1(50.0), **{name: np.int64(1)}).n_iter == 0
    with pytest.raises(ValueError, match=exactly("start must have shape (4,), one number a coefficient; got (3,)")):
        solver(X, y, L1(0.1), start=np.zeros(3))
    with pytest.raises(TypeError, match=r"^start must hold floating-point numbers"):
        solver(X, y, L1(0.1), start=np.zeros(4, int))


def test_bad_starts_of_a_batch():
    with pytest.raises(ValueError, match=exactly("start must have shape (3, 4), one number a coefficient; got (4,)")):
        fista(*batch(3), L1(0.1), start=np.zeros(4))


def test_bad_strengths():
    X, y = problem()
    for bad in (-0.1, np.nan):
        with pytest.raises(ValueError, match=exactly(f"l2 must be a finite number in [0, inf], got {bad!r}")):
            ridge(X, y, bad)
    with pytest.raises(ValueError, match=r"^strengths must be a finite number in \(0, inf\], got \[0\.1, 0\.0\]$"):
        path(X, y, strengths=[0.1, 0.0])
    for bad, shape in (([], "(0,)"), ([[0.1]], "(1, 1)")):
        message = f"strengths must be one axis of at least one number; got shape {shape}"
        with pytest.raises(ValueError, match=exactly(message)):
            path(X, y, strengths=bad)
    with pytest.raises(ValueError, match=exactly("strengths must be one axis of at least one number; got shape ()")):
        path(X, y, strengths=0.1)
    with pytest.raises(ValueError, match=exactly("family must be one of 'lasso', 'ridge', 'elastic_net'; got 'l1'")):
        path(X, y, "l1")
    for bad in (-0.1, 1.1, np.nan):
        with pytest.raises(ValueError, match=exactly(f"l1_ratio must be a finite number in [0, 1], got {bad!r}")):
            path(X, y, "elastic_net", l1_ratio=bad)
    message = "strengths must be given: only a lasso, or an elastic net with l1_ratio > 0, has a default"
    for family, ratio in (("ridge", 0.5), (L1, 0.5), ("elastic_net", 0)):
        with pytest.raises(ValueError, match=exactly(message)):
            path(X, y, family, l1_ratio=ratio)
    message = "strengths must be given: X explains nothing of y, every coefficient is 0 at any strength"
    with pytest.raises(ValueError, match=exactly(message)):
        path(X, np.full(12, 2.0))
    for bad in (0.0, 1.0):
        with pytest.raises(ValueError, match=exactly(f"smallest must be a finite number in (0, 1), got {bad!r}")):
            path(X, y, smallest=bad)
    with pytest.raises(ValueError, match=exactly("n_strengths must be a whole number of at least 1; got 0")):
        path(X, y, n_strengths=0)


def test_predict_refuses_other_columns():
    fit = ridge(*problem(), 0.1)
    for bad in (np.ones((2, 3)), np.ones(4)):
        message = f"X must have shape (N, 4), one column a coefficient; got {bad.shape}"
        with pytest.raises(ValueError, match=exactly(message)):
            fit.predict(bad)
    with pytest.raises(TypeError, match=r"^X must hold floating-point numbers"):
        fit.predict(np.ones((2, 4), int))
