"""The tabs of the decoder's card: one regression with one strength, three programs, the same weights."""

import numpy as np
import pytest

from reglib.convert import conventions as c
from tests.cards.harness import run


@pytest.fixture(scope="module")
def found():
    """The tabs in float64, where nothing but a wrong factor can part them."""
    import keras
    import torch

    before = torch.get_default_dtype(), keras.config.floatx(), keras.config.dtype_policy()
    torch.set_default_dtype(torch.float64)
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield run("foundations/conventions")
    torch.set_default_dtype(before[0])
    keras.config.set_floatx(before[1])
    keras.config.set_dtype_policy(before[2])


def solutions(found):
    """Return weight and intercept of each program."""
    torch_tab, keras_tab, numpy_tab = found
    kernel, bias = keras_tab.model.get_weights()
    return {
        "PyTorch": (torch_tab.model.weight.item(), torch_tab.model.bias.item()),
        "Keras": (kernel.item(), bias.item()),
        "NumPy": (float(numpy_tab.model.coef[0]), float(numpy_tab.model.intercept)),
        "scikit-learn": (float(numpy_tab.same.coef_[0]), float(numpy_tab.same.intercept_)),
    }


def test_all_find_the_same_weights(found):
    weights = solutions(found)
    for name, weight in weights.items():
        assert weight == pytest.approx(weights["NumPy"], abs=1e-12), name
    assert weights["NumPy"][0] < 2.9  # the penalty did something


def test_the_solution_is_that_of_this_book(found):
    """The slope of ||y - xw - b||^2 / (2N) + l2 w^2 is zero, and the intercept is not penalized."""
    numpy_tab = found[2]
    x, y, l2 = numpy_tab.x[:, 0], numpy_tab.y, numpy_tab.l2
    for w, b in solutions(found).values():
        residual = y - x * w - b
        assert -np.mean(residual * x) + 2 * l2 * w == pytest.approx(0, abs=1e-12)
        assert np.mean(residual) == pytest.approx(0, abs=1e-12)


def test_the_strengths_are_those_of_the_decoder(found):
    torch_tab, keras_tab, numpy_tab = found
    l2, halved = numpy_tab.l2, 2  # MSELoss and mse contain this book's loss twice
    decays = [group["weight_decay"] for group in torch_tab.sgd.param_groups]
    assert decays == [halved * c.l2_to_torch_weight_decay(l2), 0]
    assert float(keras_tab.penalty.l2) == halved * c.penalty_to_keras(l2)
    assert numpy_tab.same.alpha == c.l2_to_ridge_alpha(l2, len(numpy_tab.y))


def test_evaluation_contains_the_penalty_in_keras_loss_alone(found):
    torch_tab, keras_tab, numpy_tab = found
    assert not torch_tab.model.training
    assert torch_tab.error == pytest.approx(numpy_tab.error, abs=1e-12)
    assert keras_tab.error == pytest.approx(numpy_tab.error, rel=1e-6)  # Keras averages metrics in single precision
    penalty = 2 * keras_tab.l2 * keras_tab.model.get_weights()[0].item() ** 2
    assert keras_tab.loss == pytest.approx(numpy_tab.error + penalty, rel=1e-6)
