"""Linear models against scikit-learn on the diabetes data of the LARS paper: whole paths within 1e-6."""

import numpy as np
import pytest
from sklearn.linear_model import ElasticNet as SklearnElasticNet
from sklearn.linear_model import Lasso, Ridge, enet_path, lars_path, lasso_path

from regbook import datasets
from reglib.linear import solvers
from reglib.weights.penalties import L1, L2, ElasticNet

BOUND = 1e-6
TIGHT = {"tol": 1e-13, "max_iter": 1_000_000}


@pytest.fixture(scope="module")
def data():
    diabetes = datasets.diabetes()
    return diabetes.x, diabetes.y


@pytest.fixture(scope="module")
def centered(data):
    X, y = data
    return X - X.mean(axis=0), y - y.mean()


@pytest.fixture(scope="module")
def lasso(data):
    return solvers.path(*data)


@pytest.fixture(scope="module")
def knots(centered):
    return lars_path(*centered, method="lasso")


def apart(a, b):
    return np.abs(a - b).max()


def test_whole_lasso_path(lasso, centered):
    _, coefs, _ = lasso_path(*centered, alphas=lasso.strengths, **TIGHT)
    assert apart(lasso.coefs, coefs.T) < BOUND


def test_whole_lasso_path_against_lars(lasso, knots):
    """The lasso path is piecewise linear between the knots that LARS finds without iterating to a tolerance."""
    alphas, _, coefs = knots
    exact = [np.interp(lasso.strengths, alphas[::-1], path[::-1]) for path in coefs]
    assert apart(lasso.coefs, np.transpose(exact)) < BOUND


def test_order_of_entry_is_that_of_lars(lasso, knots):
    _, active, coefs = knots
    first = np.argmax(coefs != 0, axis=1)
    assert lasso.order_of_entry().tolist() == np.argsort(first, kind="stable").tolist()
    assert (lasso.order_of_entry() + 1).tolist() == [3, 9, 4, 7, 2, 10, 5, 8, 6, 1]
    assert sorted(active) == list(range(10))


def test_l1_max_is_the_first_knot(data, knots):
    assert solvers.l1_max(*data) == pytest.approx(knots[0][0], rel=1e-12)


def test_whole_ridge_path(data):
    X, y = data
    fitted = solvers.path(X, y, "ridge", np.geomspace(1e-6, 1, 40))
    for strength, coef, intercept in zip(fitted.strengths, fitted.coefs, fitted.intercepts, strict=True):
        model = Ridge(alpha=2 * len(y) * strength, solver="svd").fit(X, y)
        assert apart(coef, model.coef_) < BOUND
        assert intercept == pytest.approx(model.intercept_, abs=BOUND)


@pytest.mark.parametrize("l1_ratio", [0.1, 0.5, 0.9])
def test_whole_elastic_net_path(data, centered, l1_ratio):
    fitted = solvers.path(*data, "elastic_net", l1_ratio=l1_ratio)
    # alpha * rho = l1 and alpha * (1 - rho) / 2 = l2, so alpha = l1 + 2*l2.
    l1, l2 = fitted.strengths * l1_ratio, fitted.strengths * (1 - l1_ratio)
    _, coefs, _ = enet_path(*centered, l1_ratio=l1[0] / (l1 + 2 * l2)[0], alphas=l1 + 2 * l2, **TIGHT)
    assert apart(fitted.coefs, coefs.T) < BOUND


MODELS = [
    (L1(0.3), Lasso(alpha=0.3, **TIGHT)),
    (ElasticNet(0.02, 0.005), SklearnElasticNet(alpha=0.03, l1_ratio=2 / 3, **TIGHT)),
    (L2(0.002), Ridge(alpha=2 * 442 * 0.002, solver="svd")),
]


@pytest.mark.parametrize("solver", [solvers.fista, solvers.coordinate_descent])
@pytest.mark.parametrize(("penalty", "model"), MODELS)
@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_both_solvers(data, solver, penalty, model, shift):
    X, y = data[0] + shift, data[1]
    fit = solver(X, y, penalty, tolerance=1e-20 if isinstance(penalty, L2) else 1e-13)
    model.fit(X, y)
    assert apart(fit.coef, model.coef_) < BOUND
    assert fit.intercept == pytest.approx(model.intercept_, abs=10 * BOUND)
    assert apart(fit.predict(X), model.predict(X)) < BOUND


@pytest.mark.parametrize("solver", [solvers.fista, solvers.coordinate_descent])
def test_without_an_intercept(data, solver):
    X, y = data
    fit = solver(X, y, L1(0.3), fit_intercept=False)
    assert apart(fit.coef, Lasso(alpha=0.3, fit_intercept=False, **TIGHT).fit(X, y).coef_) < BOUND
    assert fit.intercept == 0


def test_more_columns_than_rows():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 80))
    y = X[:, :4] @ np.array([2.0, -1.0, 1.5, 3.0]) + 0.1 * rng.standard_normal(30)
    for l1 in (0.05, 0.3):
        want = Lasso(alpha=l1, **TIGHT).fit(X, y).coef_
        assert apart(solvers.fista(X, y, L1(l1), tolerance=1e-14).coef, want) < BOUND
        assert apart(solvers.coordinate_descent(X, y, L1(l1), tolerance=1e-14).coef, want) < BOUND
    ridge = Ridge(alpha=2 * 30 * 0.1, solver="svd").fit(X, y)
    assert apart(solvers.ridge(X, y, 0.1).coef, ridge.coef_) < 1e-10


def test_a_batch_of_sparse_recoveries():
    rng = np.random.default_rng(1)
    X, w = rng.standard_normal((8, 60, 40)), np.zeros((8, 40))
    w[:, :5] = rng.choice([-1.0, 1.0], (8, 5))
    y = (X @ w[..., None])[..., 0] + 0.1 * rng.standard_normal((8, 60))
    strengths = np.geomspace(0.3, 0.01, 8)
    fits = solvers.fista(X, y, L1(strengths), tolerance=1e-14)
    for s, l1 in enumerate(strengths):
        model = Lasso(alpha=l1, **TIGHT).fit(X[s], y[s])
        assert apart(fits.coef[s], model.coef_) < BOUND
        assert ((fits.coef[s] != 0) == (model.coef_ != 0)).all()
