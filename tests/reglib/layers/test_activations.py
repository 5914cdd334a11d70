"""Values by hand, derivatives by central differences, and the edges."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from reglib import gradcheck
from reglib.layers import activations
from tests.conftest import exactly

FUNCTIONS = {
    name: (getattr(activations, name), getattr(activations, name + "_backward"))
    for name in ("relu", "tanh", "sigmoid", "selu", "softmax")
}
X = np.array([[-2.0, 0.5, 3.0], [1.0, -0.25, -4.0]])


def test_relu_by_hand():
    np.testing.assert_array_equal(activations.relu(X), [[0, 0.5, 3], [1, 0, 0]])
    grad = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    np.testing.assert_array_equal(activations.relu_backward(grad, activations.relu(X)), [[0, 2, 3], [4, 0, 0]])
    assert activations.relu_backward(np.array(1.0), np.array(0.0)) == 0


def test_sigmoid_tanh_and_softmax_by_hand():
    np.testing.assert_allclose(activations.sigmoid(np.log([0.25, 1.0, 4.0])), [0.2, 0.5, 0.8], rtol=1e-15)
    np.testing.assert_allclose(activations.tanh(np.array([np.log(2.0)])), [0.6], rtol=1e-15)
    np.testing.assert_allclose(
        activations.softmax(np.log([[1.0, 2.0, 5.0], [3.0, 3.0, 6.0]])),
        [[0.125, 0.25, 0.625], [0.25, 0.25, 0.5]],
        rtol=1e-15,
    )


def test_selu_by_hand():
    scale, alpha = activations.SELU_SCALE, activations.SELU_ALPHA
    x = np.array([2.0, 0.0, np.log(0.25), -1e4])
    y = activations.selu(x)
    np.testing.assert_allclose(y, [2 * scale, 0, -0.75 * scale * alpha, -scale * alpha], rtol=1e-15)
    slopes = activations.selu_backward(np.array([1.0, 2.0, 4.0, 8.0]), y)
    np.testing.assert_allclose(slopes, [scale, 2 * scale * alpha, scale * alpha, 0], rtol=1e-14, atol=1e-15)


def test_selu_keeps_mean_zero_and_variance_one():
    half, half_weights = np.polynomial.legendre.leggauss(200)
    nodes = 20 * (half + 1)  # each half of the line alone: the slope jumps at 0
    density = 20 * half_weights * np.exp(-(nodes**2) / 2) / np.sqrt(2 * np.pi)
    up, down = activations.selu(nodes), activations.selu(-nodes)
    assert density @ (up + down) == pytest.approx(0, abs=1e-12)
    assert density @ (up**2 + down**2) == pytest.approx(1, abs=1e-12)


def test_selus_constants_solve_their_equations_in_closed_form():
    """E[selu(Z)] = 0 and E[selu(Z)^2] = 1, half a line at a time, with the complementary error function."""
    root_e_phi = np.exp(0.5) * math.erfc(np.sqrt(0.5)) / 2  # E[exp(Z); Z < 0]
    e2_phi = np.exp(2.0) * math.erfc(np.sqrt(2.0)) / 2  # E[exp(2 Z); Z < 0]
    alpha = 1 / np.sqrt(2 * np.pi) / (0.5 - root_e_phi)
    scale = (0.5 + alpha**2 * (e2_phi - 2 * root_e_phi + 0.5)) ** -0.5
    assert pytest.approx(alpha, abs=1e-12) == activations.SELU_ALPHA
    assert pytest.approx(scale, abs=1e-12) == activations.SELU_SCALE


def test_no_overflow_far_out():
    far = np.array([-1e4, -800.0, 800.0, 1e4])
    np.testing.assert_array_equal(activations.sigmoid(far), [0, 0, 1, 1])
    np.testing.assert_array_equal(activations.sigmoid(np.array([-np.inf, np.inf])), [0, 1])
    limit = -activations.SELU_SCALE * activations.SELU_ALPHA
    np.testing.assert_allclose(activations.selu(np.array([-np.inf, np.inf])), [limit, np.inf], rtol=1e-15)
    np.testing.assert_allclose(activations.sigmoid(np.array([-700.0])), [np.exp(-700)], rtol=1e-14)
    rows = np.array([[1000.0, 1000.0, -1000.0], [-1000.0, -1000.0, -1000.0]])
    np.testing.assert_allclose(activations.softmax(rows), [[0.5, 0.5, 0], [1 / 3, 1 / 3, 1 / 3]])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_backward_matches_central_differences(name):
    forward, backward = FUNCTIONS[name]
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 3, 4))
    gradcheck.check_vector(forward, lambda c, x: backward(c, forward(x)), x, rng)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_follows_and_nothing_changes_in_place(name, dtype):
    forward, backward = FUNCTIONS[name]
    x = X.astype(dtype)
    y = forward(x)
    grad = np.ones_like(y)
    out = backward(grad, y)
    assert y.dtype == out.dtype == dtype
    np.testing.assert_array_equal(x, X.astype(dtype))
    np.testing.assert_array_equal(grad, 1)
    np.testing.assert_array_equal(y, forward(x))


@given(arrays(float, (3, 4), elements=st.floats(-50, 50)), st.floats(-100, 100))
def test_softmax_sums_to_one_and_ignores_a_shift(x, shift):
    y = activations.softmax(x)
    np.testing.assert_allclose(y.sum(axis=-1), 1)
    np.testing.assert_allclose(activations.softmax(x + shift), y, rtol=1e-10, atol=1e-300)
    assert (y >= 0).all()


@given(arrays(float, (5,), elements=st.floats(-40, 40)))
def test_sigmoid_identities(x):
    np.testing.assert_allclose(activations.sigmoid(x) + activations.sigmoid(-x), 1, rtol=1e-14)
    np.testing.assert_allclose(activations.sigmoid(x), (1 + np.tanh(x / 2)) / 2, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_nan_is_passed_on(name):
    forward, backward = FUNCTIONS[name]
    x = np.array([np.nan, 1.0])
    assert np.isnan(forward(x)[0])
    with np.errstate(invalid="ignore"):
        assert np.isnan(backward(x, np.array([0.5, 0.5]))[0])
        backward(np.ones(2), x)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("bad", [np.arange(3), np.array([1j]), np.array([None])])
def test_other_dtypes_are_refused(name, bad):
    forward, backward = FUNCTIONS[name]
    with pytest.raises(TypeError, match=r"^x must hold floating-point numbers"):
        forward(bad)
    with pytest.raises(TypeError, match=r"^grad must hold floating-point numbers"):
        backward(bad, np.ones(3))
    with pytest.raises(TypeError, match=r"^y must hold floating-point numbers"):
        backward(np.ones(3), bad)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_gradient_has_the_shape_of_the_output(name):
    with pytest.raises(ValueError, match=exactly("grad must have the shape of y, (2, 3); got (3,)")):
        FUNCTIONS[name][1](np.ones(3), np.ones((2, 3)))


@pytest.mark.parametrize("shape", [(), (2, 0)])
def test_softmax_needs_classes(shape):
    with pytest.raises(ValueError, match=exactly(f"x must have the classes on its last axis, got shape {shape}")):
        activations.softmax(np.ones(shape))
    assert activations.softmax(np.ones((2, 1))).tolist() == [[1], [1]]
