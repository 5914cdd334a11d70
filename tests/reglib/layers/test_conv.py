"""Convolution and pooling: by hand, against a loop, by central differences, with replicas, and their errors."""

import numpy as np
import pytest

from reglib import gradcheck
from reglib.layers import conv
from tests.conftest import exactly


def rng():
    return np.random.default_rng(8)


def loop(x, w, b, stride, padding):
    """The definition, one number at a time."""
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    rows, columns = ((n - k) // stride + 1 for n, k in zip(x.shape[1:3], w.shape[:2], strict=True))
    y = np.zeros((len(x), rows, columns, w.shape[-1]))
    for n, i, j, c in np.ndindex(y.shape):
        seen = x[n, i * stride : i * stride + w.shape[0], j * stride : j * stride + w.shape[1]]
        y[n, i, j, c] = (seen * w[..., c]).sum() + b[c]
    return y


def test_by_hand():
    x = np.arange(1.0, 10.0).reshape(1, 3, 3, 1)
    w = np.array([[1.0, 0.0], [-1.0, 2.0]]).reshape(2, 2, 1, 1)
    y = conv.conv2d(x, w, np.array([10.0]))
    np.testing.assert_array_equal(y[0, ..., 0], [[17, 19], [23, 25]])
    grad_x, grad_w, grad_b = conv.conv2d_backward(np.ones_like(y), x, w)
    np.testing.assert_array_equal(grad_x[0, ..., 0], [[1, 1, 0], [0, 2, 2], [-1, 1, 2]])
    np.testing.assert_array_equal(grad_w[..., 0, 0], [[12, 16], [24, 28]])
    np.testing.assert_array_equal(grad_b, [4])


SETTINGS = [((3, 2), 1, 0), ((3, 3), 1, 1), ((2, 3), 2, 0), ((3, 3), 2, 1), ((2, 4), 3, 2), ((1, 1), 1, 0)]


@pytest.mark.parametrize(("size", "stride", "padding"), SETTINGS)
def test_the_definition_and_its_gradients(size, stride, padding):
    r = rng()
    p = {
        "x": r.standard_normal((2, 6, 5, 3)),
        "w": r.standard_normal((*size, 3, 4)),
        "b": r.standard_normal(4),
    }
    how = {"stride": stride, "padding": padding}
    np.testing.assert_allclose(conv.conv2d(**p, **how), loop(*p.values(), stride, padding), rtol=1e-11, atol=1e-12)

    def backward(c, p):
        return dict(zip("xwb", conv.conv2d_backward(c, p["x"], p["w"], **how), strict=True))

    gradcheck.check_vector(lambda p: conv.conv2d(**p, **how), backward, p, r)


@pytest.mark.parametrize("x_lead", [(), (3,)])
@pytest.mark.parametrize("w_lead", [(), (3,)])
def test_replicas_share_or_have_their_own(x_lead, w_lead):
    r = rng()
    x, w = r.standard_normal((*x_lead, 2, 4, 5, 2)), r.standard_normal((*w_lead, 3, 3, 2, 4))
    b = r.standard_normal((*w_lead, 4))
    y = conv.conv2d(x, w, b, padding=1)
    lead = x_lead or w_lead
    assert y.shape == (*lead, 2, 4, 5, 4)
    grad = r.standard_normal(y.shape)
    grads = conv.conv2d_backward(grad, x, w, padding=1)
    assert [g.shape for g in grads] == [x.shape, w.shape, b.shape]
    expected = [np.zeros_like(g) for g in grads]
    for s in np.ndindex(lead):
        parts = [array[s] if own else array for array, own in ((x, x_lead), (w, w_lead), (b, w_lead))]
        np.testing.assert_allclose(y[s], conv.conv2d(*parts, padding=1), rtol=1e-11, atol=1e-12)
        alone = conv.conv2d_backward(grad[s], *parts[:2], padding=1)
        for total, part, own in zip(expected, alone, (x_lead, w_lead, w_lead), strict=True):
            total[s if own else ...] += part
    for got, total in zip(grads, expected, strict=True):
        np.testing.assert_allclose(got, total, rtol=1e-10, atol=1e-11)
    alone = conv.conv2d_parameter_gradients(grad, x, w, padding=1)
    for got, whole in zip(alone, grads[1:], strict=True):
        np.testing.assert_array_equal(got, whole)
    grad, how = grad[..., ::2, ::2, :], {"stride": 2, "padding": 1}
    for got, whole in zip(
        conv.conv2d_parameter_gradients(grad, x, w, **how), conv.conv2d_backward(grad, x, w, **how)[1:], strict=True
    ):
        np.testing.assert_array_equal(got, whole)
    bare = conv.conv2d(x, w, b)
    for got, whole in zip(
        conv.conv2d_parameter_gradients(bare, x, w), conv.conv2d_backward(bare, x, w)[1:], strict=True
    ):
        np.testing.assert_array_equal(got, whole)


def test_patches_come_in_the_order_of_the_kernel():
    x = np.arange(24.0).reshape(1, 3, 4, 2)
    seen = conv.patches(x, (2, 3))
    assert seen.shape == (1, 2, 2, 12)
    np.testing.assert_array_equal(seen[0, 1, 1], x[0, 1:3, 1:4].ravel())
    np.testing.assert_array_equal(conv.patches(x, (3, 4))[0, 0, 0], x.ravel())
    back = conv.patches_backward(np.ones_like(seen), x.shape, (2, 3))
    np.testing.assert_array_equal(back[0, ..., 0], [[1, 2, 2, 1], [2, 4, 4, 2], [1, 2, 2, 1]])


def test_pooling_by_hand():
    x = np.array([[1.0, 5.0, 2.0, 2.0], [3.0, 4.0, 2.0, 1.0], [0.0, 0.0, 7.0, 8.0], [0.0, -1.0, 9.0, 6.0]])
    x = np.stack([x, -x], axis=-1)[None]
    np.testing.assert_array_equal(conv.max_pool2d(x, 2)[0, ..., 0], [[5, 2], [0, 9]])
    np.testing.assert_array_equal(conv.max_pool2d(x, 2)[0, ..., 1], [[-1, -1], [1, -6]])
    np.testing.assert_array_equal(conv.average_pool2d(x, 2)[0, ..., 0], [[3.25, 1.75], [-0.25, 7.5]])
    np.testing.assert_array_equal(conv.global_average_pool2d(x), [[49 / 16, -49 / 16]])
    grad = np.array([[1.0, 2.0], [3.0, 4.0]])[None, ..., None] * np.ones(2)
    back = conv.max_pool2d_backward(grad, x, 2)
    np.testing.assert_array_equal(back[0, ..., 0], [[0, 1, 2, 0], [0, 0, 0, 0], [3, 0, 0, 0], [0, 0, 4, 0]])
    np.testing.assert_array_equal(back[0, ..., 1], [[1, 0, 0, 0], [0, 0, 0, 2], [0, 0, 0, 0], [0, 3, 0, 4]])
    back = conv.average_pool2d_backward(grad, 2)
    np.testing.assert_array_equal(back[0, ..., 0], np.kron(grad[0, ..., 0], np.ones((2, 2))) / 4)
    back = conv.global_average_pool2d_backward(np.array([[16.0, 32.0]]), x.shape)
    np.testing.assert_array_equal(back, np.ones((1, 4, 4, 1)) * [1, 2])


@pytest.mark.parametrize("lead", [(), (2,)])
def test_gradients_of_pooling(lead):
    r = rng()
    x = r.standard_normal((*lead, 3, 4, 6, 2))
    for forward, backward in (
        (lambda x: conv.max_pool2d(x, 2), lambda c, x: conv.max_pool2d_backward(c, x, 2)),
        (lambda x: conv.average_pool2d(x, 2), lambda c, x: conv.average_pool2d_backward(c, 2)),
        (conv.global_average_pool2d, lambda c, x: conv.global_average_pool2d_backward(c, x.shape)),
    ):
        gradcheck.check_vector(forward, backward, x, r)
    x = r.standard_normal((*lead, 2, 6, 3, 2))
    gradcheck.check_vector(lambda x: conv.max_pool2d(x, 3), lambda c, x: conv.max_pool2d_backward(c, x, 3), x, r)


def test_float32_stays_float32_and_nothing_changes_in_place():
    r = rng()
    x, w = r.standard_normal((2, 4, 4, 3), dtype=np.float32), r.standard_normal((3, 3, 3, 2), dtype=np.float32)
    kept = x.copy(), w.copy()
    y = conv.conv2d(x, w, np.zeros(2, np.float32), padding=1)
    results = [y, *conv.conv2d_backward(y, x, w, padding=1), conv.max_pool2d(x, 2), conv.average_pool2d(x, 2)]
    results += [conv.max_pool2d_backward(x[:, :2, :2], x, 2), conv.average_pool2d_backward(x, 2)]
    results += [conv.global_average_pool2d(x), conv.global_average_pool2d_backward(x[:, 0, 0], x.shape)]
    results += [conv.patches(x, (2, 2)), conv.patches_backward(conv.patches(x, (2, 2)), x.shape, (2, 2))]
    assert {result.dtype for result in results} == {np.dtype(np.float32)}
    for array, before in zip((x, w), kept, strict=True):
        np.testing.assert_array_equal(array, before)


def test_ties_go_to_the_first_and_to_one_alone():
    for size, shape in ((2, (1, 4, 6, 2)), (3, (1, 3, 6, 1))):
        grad = np.arange(1.0, 1 + np.prod(shape) / size**2).reshape(1, shape[1] // size, shape[2] // size, shape[3])
        back = conv.max_pool2d_backward(grad, np.zeros(shape), size)
        expected = np.zeros(shape)
        expected[:, ::size, ::size] = grad
        np.testing.assert_array_equal(back, expected)
    x = np.array([[0.0, 3.0, 0.0], [3.0, 1.0, 3.0], [2.0, 3.0, 3.0]]).reshape(1, 3, 3, 1)
    back = conv.max_pool2d_backward(np.full((1, 1, 1, 1), 7.0), x, 3)
    np.testing.assert_array_equal(back[0, ..., 0], [[0, 7, 0], [0, 0, 0], [0, 0, 0]])


def test_nan_is_passed_on():
    x, w = np.ones((1, 4, 4, 1)), np.ones((2, 2, 1, 1))
    x[0, 0, 1] = np.nan
    assert np.isnan(conv.conv2d(x, w, np.zeros(1))[0, 0, :2]).all()
    assert np.isfinite(conv.conv2d(x, w, np.zeros(1))[0, 1:]).all()
    assert np.isnan(conv.conv2d_backward(np.ones((1, 3, 3, 1)), x, w)[1]).any()
    assert np.isnan(conv.conv2d_backward(np.ones((1, 3, 3, 1)), np.ones((1, 4, 4, 1)), w * np.nan)[0]).all()
    for pool in (conv.max_pool2d, conv.average_pool2d):
        y = pool(x, 2)
        assert np.isnan(y[0, 0, 0, 0])
        assert np.isfinite(y[0, 1]).all()
    assert np.isnan(conv.global_average_pool2d(x)).all()
    grad = np.full((1, 2, 2, 1), np.nan)
    assert np.isnan(conv.max_pool2d_backward(grad, x, 2)[0, 0, 0, 0])
    assert np.isnan(conv.average_pool2d_backward(grad, 2)).all()


def test_an_empty_batch():
    x, w = np.zeros((0, 4, 4, 3)), np.ones((3, 3, 3, 2))
    y = conv.conv2d(x, w, np.zeros(2), padding=1)
    assert y.shape == (0, 4, 4, 2)
    assert [g.shape for g in conv.conv2d_backward(y, x, w, padding=1)] == [x.shape, w.shape, (2,)]


def test_bad_input_is_named():
    x, w, b = np.ones((2, 5, 4, 3)), np.ones((3, 3, 3, 2)), np.zeros(2)
    with pytest.raises(ValueError, match=exactly("x must have shape (..., B, rows, columns, C), got (5, 4, 3)")):
        conv.conv2d(x[0], w, b)
    with pytest.raises(ValueError, match=exactly("x must have shape (..., B, rows, columns, C), got (5, 4, 3)")):
        conv.patches(x[0], (3, 3))
    message = "w must have shape (..., kernel rows, kernel columns, C_in, C_out), got (3, 3, 2)"
    with pytest.raises(ValueError, match=exactly(message)):
        conv.conv2d(x, w[0], b)
    message = "x has 3 channels on its last axis, but w of shape (3, 3, 2, 2) takes 2"
    with pytest.raises(ValueError, match=exactly(message)):
        conv.conv2d(x, w[:, :, :2], b)
    message = "x has 3 channels on its last axis, but w of shape (7, 3, 2, 4, 2) takes 4"
    with pytest.raises(ValueError, match=exactly(message)):
        conv.conv2d(x, np.ones((7, 3, 2, 4, 2)), np.ones((7, 2)))
    message = "size must be rows and columns within images of (5, 4), got (5, 5)"
    with pytest.raises(ValueError, match=exactly(message)):
        conv.conv2d(x, np.ones((5, 5, 3, 2)), b)
    with pytest.raises(ValueError, match=exactly("size must be rows and columns within images of (5, 4), got (2,)")):
        conv.patches(x, (2,))
    with pytest.raises(ValueError, match=exactly("size must be at least 1, got 0")):
        conv.patches(x, (0, 2))
    with pytest.raises(ValueError, match=exactly("stride must be at least 1, got 0")):
        conv.conv2d(x, w, b, stride=0)
    with pytest.raises(ValueError, match=exactly("padding must be at least 0, got -1")):
        conv.conv2d_backward(x, x, w, padding=-1)
    message = "grad must have the shape of the output, (2, 3, 2, 2); got (2, 5, 4, 2)"
    with pytest.raises(ValueError, match=exactly(message)):
        conv.conv2d_backward(np.ones((2, 5, 4, 2)), x, w)
    message = "grad must have the shape of the patches, (2, 4, 3, 12); got (2, 4, 3, 3)"
    with pytest.raises(ValueError, match=exactly(message)):
        conv.patches_backward(np.ones((2, 4, 3, 3)), x.shape, (2, 2))
    for pool in (conv.max_pool2d, conv.average_pool2d):
        with pytest.raises(ValueError, match=exactly("size must divide the 5 rows and 4 columns of x, got 2")):
            pool(x, 2)
        with pytest.raises(ValueError, match=exactly("size must divide the 4 rows and 5 columns of x, got 4")):
            pool(np.ones((1, 4, 5, 1)), 4)
        with pytest.raises(TypeError, match=exactly("size must be an integer, got 2.0")):
            pool(x, 2.0)
        with pytest.raises(ValueError, match=exactly("size must be at least 1, got 0")):
            pool(x, 0)
    message = "grad must have the shape of the output, (2, 1, 4, 3); got (2, 5, 4, 3)"
    with pytest.raises(ValueError, match=exactly(message.replace("(2, 1, 4, 3)", "(2, 2, 2, 3)"))):
        conv.max_pool2d_backward(x, x[:, :4], 2)
    message = "grad must have the shape of the output, (2, 3); got (2, 2)"
    with pytest.raises(ValueError, match=exactly(message)):
        conv.global_average_pool2d_backward(np.ones((2, 2)), x.shape)
    for backward in (conv.conv2d_backward, conv.conv2d_parameter_gradients):
        with pytest.raises(ValueError, match=exactly("grad must have the shape of the output, (2, 3, 2, 2); got (2,)")):
            backward(np.ones(2), x, w)
        with pytest.raises(
            ValueError, match=exactly("grad must have the shape of the output, (7, 2, 3, 2, 2); got (2, 3, 2, 2)")
        ):
            backward(np.ones((2, 3, 2, 2)), x, np.stack([w] * 7))
    message = (
        "the leading axes of x and w must be the same replicas, or one of them must have none; "
        "got x of shape (3, 2, 5, 4, 3) and w of shape (7, 3, 3, 3, 2)"
    )
    with pytest.raises(ValueError, match=exactly(message)):
        conv.conv2d(np.stack([x] * 3), np.stack([w] * 7), np.stack([b] * 7))
    with pytest.raises(ValueError, match=exactly("grad must have shape (..., B, rows, columns, C), got (2, 3, 2)")):
        conv.average_pool2d_backward(np.ones((2, 3, 2)), 2)
    with pytest.raises(ValueError, match=exactly("size must be at least 1, got 0")):
        conv.average_pool2d_backward(x, 0)
    for call in (lambda x: conv.conv2d(x, w, b), conv.global_average_pool2d, lambda x: conv.max_pool2d(x, 2)):
        with pytest.raises(TypeError, match=r"^x must hold floating-point numbers"):
            call(np.ones((2, 4, 4, 3), int))
    with pytest.raises(TypeError, match=r"^w must hold floating-point numbers"):
        conv.conv2d(x, w.astype(int), b)
    for call in (
        lambda g: conv.conv2d_backward(g, x, w),
        lambda g: conv.conv2d_parameter_gradients(g, x, w),
        lambda g: conv.max_pool2d_backward(g, x[:, :4], 2),
        lambda g: conv.average_pool2d_backward(g, 2),
        lambda g: conv.global_average_pool2d_backward(g, x.shape),
        lambda g: conv.patches_backward(g, x.shape, (2, 2)),
    ):
        with pytest.raises(TypeError, match=r"^grad must hold floating-point numbers"):
            call(np.ones((2, 3, 2, 2), int))
