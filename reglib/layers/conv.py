"""Convolution and pooling of images, forward and backward.

Images are channels-last, (..., B, rows, columns, C), and kernels
(..., kernel rows, kernel columns, C_in, C_out), as in Keras. PyTorch's layouts,
(B, C, rows, columns) and (C_out, C_in, kernel rows, kernel columns), become these by
``x.transpose(0, 2, 3, 1)`` and ``w.transpose(2, 3, 1, 0)``.

A convolution is a dense layer on patches: `patches` cuts them out, and
`reglib.layers.dense.dense` multiplies each by the kernel. So the rules for replicas are
those of `dense`: leading axes belong to replicas, an array without them is shared
by all, and its gradient is the sum over them. As everywhere in deep learning, the
kernel is not flipped: strictly, this is a cross-correlation.
"""

from functools import reduce
from math import prod

import numpy as np

from reglib._validate import float_array, integer, integers, same_replicas
from reglib.layers.dense import (
    dense,
    dense_backward,
    dense_parameter_gradients,
)


def patches(x, size, *, stride=1, padding=0):
    """Cut the patches out of images that a kernel of the given size sees.

    Parameters
    ----------
    x : ndarray, (..., B, rows, columns, C)
    size : (int, int)
        Rows and columns of the kernel.
    stride : int
        Step from one patch to the next.
    padding : int
        Rows and columns of zeros on each side.

    Returns
    -------
    ndarray, (..., B, out rows, out columns, size[0] * size[1] * C)
        With out = (rows + 2 padding - size) // stride + 1; the entries of a patch in the order of the kernel's axes.
    """
    x, size, stride, padding = _checked(x, size, stride, padding)
    edges = [(0, 0)] * (x.ndim - 3) + [(padding, padding)] * 2 + [(0, 0)]
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(x, edges), size, axis=(-3, -2)
    )
    windows = windows[..., ::stride, ::stride, :, :, :]
    windows = np.moveaxis(windows, -3, -1)
    return windows.reshape(
        *windows.shape[:-3], size[0] * size[1] * x.shape[-1]
    )


def patches_backward(grad, shape, size, *, stride=1, padding=0):
    """Gradient through `patches`: each patch is added back to where it was cut out.

    ``grad`` has the shape of the patches, ``shape`` is that of the images; ``size``, ``stride`` and ``padding``
    are those of `patches`.
    """
    grad = float_array("grad", grad, finite=False)
    shape = _image_shape(shape)
    _, size, stride, padding = _checked(
        np.broadcast_to(np.zeros(()), shape), size, stride, padding
    )
    rows, columns = (
        _out(length, k, stride, padding)
        for length, k in zip(shape[-3:-1], size, strict=True)
    )
    expected = (*shape[:-3], rows, columns, size[0] * size[1] * shape[-1])
    if grad.shape != expected:
        raise ValueError(
            f"grad must have the shape of the patches, {expected}; got {grad.shape}"
        )
    grad = grad.reshape(*expected[:-1], *size, shape[-1])
    whole = np.zeros(
        (
            *shape[:-3],
            shape[-3] + 2 * padding,
            shape[-2] + 2 * padding,
            shape[-1],
        ),
        grad.dtype,
    )
    for i, j in np.ndindex(size):
        place = np.s_[
            ...,
            i : i + stride * rows : stride,
            j : j + stride * columns : stride,
            :,
        ]
        whole[place] += grad[..., i, j, :]
    return whole[
        ..., padding : padding + shape[-3], padding : padding + shape[-2], :
    ]


def conv2d(x, w, b, *, stride=1, padding=0):
    """Return the convolution of images with a kernel: a dense layer on `patches`.

    Parameters
    ----------
    x : ndarray, (..., B, rows, columns, C_in)
    w : ndarray, (..., kernel rows, kernel columns, C_in, C_out)
    b : ndarray, (..., C_out), with the leading axes of ``w``
    stride : int
    padding : int
        With kernels of odd size k, ``(k - 1) // 2`` keeps rows and columns ("same").

    Returns
    -------
    ndarray, (..., B, out rows, out columns, C_out)

    Raises
    ------
    TypeError
        For arrays that do not hold floating-point numbers.
    ValueError
        For shapes that do not fit together.
    """
    seen, kernel = _layer(x, w, stride, padding)
    y = dense(_flat(seen), kernel, b)
    return y.reshape(*y.shape[:-2], *seen.shape[-4:-1], y.shape[-1])


def conv2d_backward(grad, x, w, *, stride=1, padding=0):
    """Return the gradients of `conv2d` with respect to x, w and b, each with the shape of its argument.

    ``grad`` is the gradient with respect to the output; ``x``, ``w``, ``stride`` and
    ``padding`` are those of the forward pass.
    """
    seen, kernel = _layer(x, w, stride, padding)
    grad = _checked_grad(
        grad,
        (
            *(seen.shape[:-4] or kernel.shape[:-2]),
            *seen.shape[-4:-1],
            kernel.shape[-1],
        ),
    )
    grad_seen, grad_w, grad_b = dense_backward(
        _flat(grad), _flat(seen), kernel
    )
    size = np.shape(w)[-4:-2]
    grad_x = patches_backward(
        grad_seen.reshape(seen.shape),
        np.shape(x),
        size,
        stride=stride,
        padding=padding,
    )
    return grad_x, grad_w.reshape(np.shape(w)), grad_b


def conv2d_parameter_gradients(grad, x, w, *, stride=1, padding=0):
    """Return the gradients with respect to w and b alone: all that the first layer of a network needs.

    ``grad``, ``x``, ``w``, ``stride`` and ``padding`` are those of `conv2d_backward`.
    """
    seen, kernel = _layer(x, w, stride, padding)
    grad = _checked_grad(
        grad,
        (
            *(seen.shape[:-4] or kernel.shape[:-2]),
            *seen.shape[-4:-1],
            kernel.shape[-1],
        ),
    )
    grad_w, grad_b = dense_parameter_gradients(
        _flat(grad), _flat(seen), kernel
    )
    return grad_w.reshape(np.shape(w)), grad_b


def average_pool2d(x, size):
    """Return the mean of each block of ``size`` x ``size`` positions, channel by channel.

    ``x`` has shape (..., B, rows, columns, C), with rows and columns multiples of the integer ``size``.
    """
    x, size = _blocked(x, size)
    return sum(_positions(x, size)) / size**2


def average_pool2d_backward(grad, size):
    """Gradient through `average_pool2d`: every position of a block gets its share, ``grad / size**2``."""
    grad, size = _images("grad", grad), integer("size", size, low=1)
    return np.repeat(np.repeat(grad, size, axis=-3), size, axis=-2) / size**2


def max_pool2d(x, size):
    """Return the maximum of each block of ``size`` x ``size`` positions, channel by channel.

    ``x`` has shape (..., B, rows, columns, C), with rows and columns multiples of the integer ``size``.
    """
    return reduce(np.maximum, _positions(*_blocked(x, size)))


def max_pool2d_backward(grad, x, size):
    """Gradient through `max_pool2d`: the first maximum of a block, row by row, gets all of it, as in PyTorch.

    Where the maximum is NaN, so is the gradient.
    ``grad`` is the gradient with respect to the output, ``x`` and ``size`` are those of the forward pass.
    """
    x, size = _blocked(x, size)
    largest = max_pool2d(x, size)
    grad = _checked_grad(grad, largest.shape)
    grad = np.where(
        np.isnan(largest), largest.astype(grad.dtype, copy=False), grad
    )
    out = np.empty(x.shape, grad.dtype)
    free = np.ones(grad.shape, bool)
    for part, place in zip(
        _positions(x, size), _positions(out, size), strict=True
    ):
        first = free & ~(part < largest)
        np.multiply(grad, first, out=place)
        free &= ~first
    return out


def global_average_pool2d(x):
    """Return the mean over all positions, (..., B, C), of images ``x`` of shape (..., B, rows, columns, C)."""
    return _images("x", x).mean(axis=(-3, -2))


def global_average_pool2d_backward(grad, shape):
    """Gradient through `global_average_pool2d`, for images of the given ``shape``: ``grad`` divided among positions."""
    shape = _image_shape(shape)
    grad = _checked_grad(grad, (*shape[:-3], shape[-1]))
    return np.broadcast_to(
        grad[..., None, None, :] / (shape[-3] * shape[-2]), shape
    ).astype(grad.dtype)


def _flat(array):
    """Merge the axes B, rows, columns into one, as a dense layer has them."""
    return array.reshape(
        *array.shape[:-4], prod(array.shape[-4:-1]), array.shape[-1]
    )


def _layer(x, w, stride, padding):
    """Return the patches of x, and the kernel as a matrix."""
    w = float_array("w", w, finite=False)
    if w.ndim < 4:
        raise ValueError(
            f"w must have shape (..., kernel rows, kernel columns, C_in, C_out), got {w.shape}"
        )
    x = _images("x", x)
    if x.shape[-1] != w.shape[-2]:
        raise ValueError(
            f"x has {x.shape[-1]} channels on its last axis, but w of shape {w.shape} takes {w.shape[-2]}"
        )
    same_replicas(x, w, 4)
    kernel = w.reshape(*w.shape[:-4], prod(w.shape[-4:-1]), w.shape[-1])
    return patches(x, w.shape[-4:-2], stride=stride, padding=padding), kernel


def _images(name, x):
    """Return images as an array of floats with at least four axes."""
    x = float_array(name, x, finite=False)
    if x.ndim < 4:
        raise ValueError(
            f"{name} must have shape (..., B, rows, columns, C), got {x.shape}"
        )
    return x


def _image_shape(shape):
    """Return the shape of images as a tuple."""
    shape = integers("shape", shape, low=0)
    if len(shape) < 4 or 0 in shape[-3:-1]:
        raise ValueError(
            f"shape must be (..., B, rows, columns, C), with rows and columns above 0; got {shape}"
        )
    return shape


def _out(length, size, stride, padding):
    """Return how many patches lie along an axis."""
    return (length + 2 * padding - size) // stride + 1


def _checked(x, size, stride, padding):
    """Return images, and a kernel size, a stride and a padding that fit them."""
    x = _images("x", x)
    size = integers("size", size, low=1)
    stride, padding = (
        integer("stride", stride, low=1),
        integer("padding", padding, low=0),
    )
    if len(size) != 2 or any(
        k > n + 2 * padding for n, k in zip(x.shape[-3:-1], size, strict=True)
    ):
        raise ValueError(
            f"size must be rows and columns within images of {x.shape[-3:-1]}, got {size}"
        )
    return x, size, stride, padding


def _checked_grad(grad, expected):
    """Return grad if it has the shape of the layer's output."""
    grad = float_array("grad", grad, finite=False)
    if grad.shape != expected:
        raise ValueError(
            f"grad must have the shape of the output, {expected}; got {grad.shape}"
        )
    return grad


def _blocked(x, size):
    """Return images, and a size of blocks that divides their rows and columns."""
    x, size = _images("x", x), integer("size", size, low=1)
    rows, columns = x.shape[-3:-1]
    if rows % size or columns % size:
        raise ValueError(
            f"size must divide the {rows} rows and {columns} columns of x, got {size}"
        )
    return x, size


def _positions(x, size):
    """Return size**2 views of x, each with one position of every block, row by row."""
    return [x[..., i::size, j::size, :] for i, j in np.ndindex(size, size)]
