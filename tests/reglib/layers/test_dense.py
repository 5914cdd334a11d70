"""The dense layer: values by hand, shapes that share, gradients by central differences."""

import numpy as np
import pytest

from reglib import gradcheck
from reglib.layers.dense import dense, dense_backward, dense_parameter_gradients
from tests.conftest import exactly

S, B, D, H = 3, 4, 2, 5


def rng():
    return np.random.default_rng(2)


def test_forward_and_backward_by_hand():
    x = np.array([[1.0, 2.0], [3.0, -1.0], [0.0, 4.0]])
    w = np.array([[2.0, 0.0, 1.0, -1.0], [1.0, 3.0, 0.0, 2.0]])
    b = np.array([10.0, 20.0, 30.0, 40.0])
    np.testing.assert_array_equal(dense(x, w, b), [[14, 26, 31, 43], [15, 17, 33, 35], [14, 32, 30, 48]])
    grad = np.array([[1.0, 0.0, 0.0, 2.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 3.0, 0.0]])
    grad_x, grad_w, grad_b = dense_backward(grad, x, w)
    np.testing.assert_array_equal(grad_x, [[0, 5], [0, 3], [3, 0]])
    np.testing.assert_array_equal(grad_w, [[1, 3, 0, 2], [2, -1, 12, 4]])
    np.testing.assert_array_equal(grad_b, [1, 1, 3, 2])


SHAPES = [
    ((B, D), (D, H)),
    ((S, B, D), (S, D, H)),
    ((B, D), (S, D, H)),
    ((S, B, D), (D, H)),
    ((2, S, B, D), (2, S, D, H)),
    ((2, S, B, D), (D, H)),
    ((B, D), (2, S, D, H)),
]


def problem(x_shape, w_shape):
    r = rng()
    return {
        "x": r.standard_normal(x_shape),
        "w": r.standard_normal(w_shape),
        "b": r.standard_normal(w_shape[:-2] + w_shape[-1:]),
    }


@pytest.mark.parametrize(("x_shape", "w_shape"), SHAPES)
def test_gradients_match_central_differences(x_shape, w_shape):
    def backward(c, p):
        return dict(zip("xwb", dense_backward(c, p["x"], p["w"]), strict=True))

    gradcheck.check_vector(lambda p: dense(**p), backward, problem(x_shape, w_shape), rng())


@pytest.mark.parametrize(("x_shape", "w_shape"), SHAPES)
def test_parameter_gradients_are_those_of_the_whole_backward(x_shape, w_shape):
    p = problem(x_shape, w_shape)
    grad = rng().standard_normal(dense(**p).shape)
    _, grad_w, grad_b = dense_backward(grad, p["x"], p["w"])
    alone_w, alone_b = dense_parameter_gradients(grad, p["x"], p["w"])
    np.testing.assert_array_equal(alone_w, grad_w)
    np.testing.assert_array_equal(alone_b, grad_b)
    assert grad_w.shape == w_shape
    assert grad_b.shape == p["b"].shape


def test_replicas_are_a_loop_over_models():
    p = problem((S, B, D), (S, D, H))
    y = dense(**p)
    grads = dense_backward(y, p["x"], p["w"])
    for s in range(S):
        np.testing.assert_allclose(y[s], dense(p["x"][s], p["w"][s], p["b"][s]), rtol=1e-14)
        for all_, one in zip(grads, dense_backward(y[s], p["x"][s], p["w"][s]), strict=True):
            np.testing.assert_allclose(all_[s], one, rtol=1e-13)


def test_dtype_follows_and_nothing_changes_in_place():
    p = {name: array.astype(np.float32) for name, array in problem((S, B, D), (S, D, H)).items()}
    before = {name: array.copy() for name, array in p.items()}
    y = dense(**p)
    assert y.dtype == np.float32
    assert {g.dtype for g in dense_backward(y, p["x"], p["w"])} == {np.dtype(np.float32)}
    for name in p:
        np.testing.assert_array_equal(p[name], before[name])


def test_nan_is_passed_on():
    x, w, b = np.full((1, 1), np.nan), np.ones((1, 1)), np.ones(1)
    assert np.isnan(dense(x, w, b)).all()
    assert np.isnan(dense(w, x, b)).all()
    assert np.isnan(dense(w, w, b * np.nan)).all()
    assert np.isnan(dense_backward(x, w, w)[0]).all()


def test_bad_shapes_are_named():
    x, w, b = np.ones((B, D)), np.ones((D, H)), np.ones(H)
    cases = [
        ((np.ones(D), w, b), f"x must have shape (..., B, D), got ({D},)"),
        ((x, np.ones(D), b), f"w must have shape (..., D, H), got ({D},)"),
        ((np.ones((B, 7)), w, b), "x has 7 inputs on its last axis, but w of shape (2, 5) takes 2"),
        ((np.ones((S, B, 7)), w, b), "x has 7 inputs on its last axis, but w of shape (2, 5) takes 2"),
        ((x, w, np.ones(D)), "b must have shape (5,) beside w of shape (2, 5), got (2,)"),
        ((x, w, np.ones((1, H))), "b must have shape (5,) beside w of shape (2, 5), got (1, 5)"),
        ((x, np.ones((S, D, H)), b), "b must have shape (3, 5) beside w of shape (3, 2, 5), got (5,)"),
    ]
    for arguments, message in cases:
        with pytest.raises(ValueError, match=exactly(message)):
            dense(*arguments)
    message = (
        "the leading axes of x and w must be the same replicas, or one of them must have none; "
        "got x of shape (2, 4, 2) and w of shape (3, 2, 5)"
    )
    with pytest.raises(ValueError, match=exactly(message)):
        dense(np.ones((2, B, D)), np.ones((S, D, H)), np.ones((S, H)))
    for backward in (dense_backward, dense_parameter_gradients):
        with pytest.raises(ValueError, match=exactly("grad must have the shape of the output, (3, 4, 5); got (4, 5)")):
            backward(np.ones((B, H)), np.ones((S, B, D)), w)
        with pytest.raises(ValueError, match=exactly("grad must have the shape of the output, (3, 4, 5); got (4, 3)")):
            backward(np.ones((B, 3)), x, np.ones((S, D, H)))
        with pytest.raises(ValueError, match=exactly("x has 7 inputs on its last axis, but w of shape (2, 5) takes 2")):
            backward(np.ones((B, H)), np.ones((B, 7)), w)


@pytest.mark.parametrize("name", ["x", "w", "b"])
def test_integer_arrays_are_refused(name):
    p = problem((B, D), (D, H))
    p[name] = np.ones(p[name].shape, int)
    with pytest.raises(TypeError, match=rf"^{name} must hold floating-point numbers"):
        dense(**p)


def test_an_integer_gradient_is_refused():
    with pytest.raises(TypeError, match=r"^grad must hold floating-point numbers"):
        dense_backward(np.ones((B, H), int), np.ones((B, D)), np.ones((D, H)))
