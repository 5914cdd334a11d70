"""Layer normalization: values by hand, what it is invariant to, gradients, errors."""

import numpy as np
import pytest

from reglib import gradcheck
from reglib.layers.norm import layer_norm, layer_norm_backward
from tests.conftest import exactly


def test_by_hand():
    x = np.array([[1.0, 2.0, 6.0], [4.0, 4.0, 4.0]])  # means 3 and 4; variances 14/3 and 0
    gain, shift = np.array([1.0, 10.0, 100.0]), np.array([0.5, 0.25, 0.125])
    y = layer_norm(x, gain, shift, epsilon=1 / 3)
    root = np.sqrt(5)
    expected = [[-2 / root + 0.5, -10 / root + 0.25, 300 / root + 0.125], [0.5, 0.25, 0.125]]
    np.testing.assert_allclose(y, expected, rtol=1e-15)


def test_the_default_epsilon_is_that_of_pytorch():
    x = np.array([[0.0, 2e-3]])
    one, zero = np.ones(2), np.zeros(2)
    np.testing.assert_allclose(layer_norm(x, one, zero), [[-1e-3, 1e-3]] / np.sqrt(1.1e-5), rtol=1e-13)
    grads = (
        layer_norm_backward(np.array([[1.0, 0.0]]), x, one),
        layer_norm_backward(np.array([[1.0, 0.0]]), x, one, epsilon=1e-5),
    )
    np.testing.assert_array_equal(grads[0][0], grads[1][0])


SHAPES = [((4, 5), (5,)), ((5,), (5,)), ((3, 4, 5), (3, 5)), ((3, 2, 4, 5), (3, 5)), ((3, 2, 4, 5), (3, 2, 5))]


@pytest.mark.parametrize(("x_shape", "gain_shape"), SHAPES)
def test_gradients_match_central_differences(x_shape, gain_shape):
    rng = np.random.default_rng(3)
    point = {
        "x": rng.standard_normal(x_shape),
        "gain": rng.standard_normal(gain_shape),
        "shift": rng.standard_normal(gain_shape),
    }

    def backward(c, p):
        grads = layer_norm_backward(c, p["x"], p["gain"], epsilon=0.1)
        return dict(zip(point, grads, strict=True))

    gradcheck.check_vector(lambda p: layer_norm(**p, epsilon=0.1), backward, point, rng)


def test_replicas_are_a_loop():
    rng = np.random.default_rng(4)
    x, gain, shift = rng.standard_normal((3, 2, 4, 5)), rng.standard_normal((3, 5)), rng.standard_normal((3, 5))
    y = layer_norm(x, gain, shift)
    for s in range(3):
        np.testing.assert_allclose(y[s], layer_norm(x[s], gain[s], shift[s]), rtol=0, atol=1e-15)


def test_the_scale_and_the_offset_of_an_example_are_forgotten():
    rng = np.random.default_rng(5)
    x, gain, shift = rng.standard_normal((4, 5)), rng.standard_normal(5), rng.standard_normal(5)
    y = layer_norm(x, gain, shift, epsilon=0.0)
    np.testing.assert_allclose(layer_norm(3 * x - 7, gain, shift, epsilon=0), y, rtol=0, atol=1e-13)


def test_dtype_follows():
    x, one = np.ones((2, 3), np.float32), np.ones(3, np.float32)
    assert layer_norm(x, one, one).dtype == np.float32
    assert {g.dtype for g in layer_norm_backward(x, x, one)} == {np.dtype(np.float32)}


def test_nan_is_passed_on():
    x = np.array([[1.0, np.nan], [1.0, 2.0]])
    y = layer_norm(x, np.ones(2), np.ones(2))
    assert np.isnan(y[0]).all()
    assert np.isfinite(y[1]).all()
    assert np.isnan(layer_norm(x[1:], x[0], x[0])[0, 1])
    assert np.isnan(layer_norm_backward(x, x, np.ones(2))[2][1])


def test_what_is_wrong_is_named():
    x, one = np.ones((2, 3)), np.ones(3)
    cases = [
        ((np.float64(1.0), one, one), "x must have at least one unit on its last axis, got shape ()"),
        ((np.ones((2, 0)), one, one), "x must have at least one unit on its last axis, got shape (2, 0)"),
        (
            (x, np.ones(2), one),
            "gain must have shape (3,), or leading axes of x before it; got (2,) for x of shape (2, 3)",
        ),
        (
            (x, one, np.ones((3, 3))),
            "shift must have shape (3,), or leading axes of x before it; got (3, 3) for x of shape (2, 3)",
        ),
        (
            (x, np.float64(1.0), one),
            "gain must have shape (3,), or leading axes of x before it; got () for x of shape (2, 3)",
        ),
        (
            (np.ones(3), np.ones((3, 3)), one),
            "gain must have shape (3,), or leading axes of x before it; got (3, 3) for x of shape (3,)",
        ),
    ]
    for arguments, message in cases:
        with pytest.raises(ValueError, match=exactly(message)):
            layer_norm(*arguments)
    with pytest.raises(ValueError, match=exactly("epsilon must be a finite number in [0, inf], got -1")):
        layer_norm(x, one, one, epsilon=-1)
    with pytest.raises(ValueError, match=exactly("grad must have the shape of x, (2, 3); got (3,)")):
        layer_norm_backward(one, x, one)
    for name, arguments in (("x", (x > 0, one, one)), ("gain", (x, one > 0, one)), ("shift", (x, one, one > 0))):
        with pytest.raises(TypeError, match=f"^{name} must hold floating-point numbers"):
            layer_norm(*arguments)
    with pytest.raises(TypeError, match=r"^grad must hold floating-point numbers"):
        layer_norm_backward(x > 0, x, one)
