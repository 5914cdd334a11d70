"""The tabs of the card of Why regularize: all three minimize the same objective, and evaluate without the penalty."""

import numpy as np
import pytest

from reglib.linear import solvers
from tests.cards.harness import run

torch_tab, keras_tab, numpy_tab = run("foundations/why-regularize")
STRENGTH = 0.01


def slope(x, y, w, b, l2):
    """Return the gradient of the book's objective: half the mean square plus l2 times the square of the weights."""
    residual = x @ w + b - y
    return x.T @ residual / len(y) + 2 * l2 * w, residual.mean()


def test_numpy_finds_the_minimum():
    x, y, fit = numpy_tab.x, numpy_tab.y, numpy_tab.fit
    grad_w, grad_b = slope(x, y, fit.coef, fit.intercept, STRENGTH)
    assert np.abs(grad_w).max() < 1e-12
    assert abs(grad_b) < 1e-12
    assert numpy_tab.error == pytest.approx(np.mean((y - x @ fit.coef - fit.intercept) ** 2), abs=1e-12)


def test_torch_trains_to_the_same_minimum():
    x, y = (part.double().numpy() for part in (torch_tab.x, torch_tab.y))
    best = solvers.ridge(x, y[:, 0], STRENGTH)
    weight, bias = (part.detach().numpy() for part in torch_tab.model.parameters())
    np.testing.assert_allclose(weight[0], best.coef, rtol=0, atol=1e-5)
    assert bias[0] == pytest.approx(best.intercept, abs=1e-5)
    assert torch_tab.error == pytest.approx(np.mean((y[:, 0] - best.predict(x)) ** 2), abs=1e-5)


def test_keras_trains_to_the_same_minimum():
    x, y = (np.asarray(part, float) for part in (keras_tab.x, keras_tab.y))
    best = solvers.ridge(x, y[:, 0], STRENGTH)
    kernel, bias = keras_tab.model.get_weights()
    np.testing.assert_allclose(kernel[:, 0], best.coef, rtol=0, atol=1e-5)
    assert bias[0] == pytest.approx(best.intercept, abs=1e-5)


def test_keras_reports_the_penalty_in_the_loss_and_not_in_the_metric():
    x, y = (np.asarray(part, float) for part in (keras_tab.x, keras_tab.y))
    kernel, bias = keras_tab.model.get_weights()
    error = np.mean((x @ kernel + bias - y) ** 2)
    assert keras_tab.error == pytest.approx(error, abs=1e-5)
    assert keras_tab.loss == pytest.approx(error + 2 * STRENGTH * np.sum(kernel**2), abs=1e-5)
