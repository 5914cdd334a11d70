"""What layers mean by their numbers and axes: drop rates, channels, weights, gates, running averages, defaults.

The half of the conventions decoder that has nothing to do with a penalty. `reglib.convert.conventions` offers
these functions too, and its ``TABLE`` has a row for each. This book: ``rate`` is the probability to drop;
a dense weight is (D, H); gates stand in the order i, f, g, o. Anything a function does not accept is an
error (``ValueError``, ``TypeError``) that names argument and value.
"""

import numpy as np

from reglib._validate import as_array, float_array, integer, number, one_of

_DEFAULTS = {
    "torch": {
        "adamw_weight_decay": 0.01,
        "adam_epsilon": 1e-8,
        "layer_norm_epsilon": 1e-5,
        "batch_norm_epsilon": 1e-5,
        "batch_norm_momentum": 0.1,
    },
    "keras": {
        "adamw_weight_decay": 0.004,
        "adam_epsilon": 1e-7,
        "layer_norm_epsilon": 1e-3,
        "batch_norm_epsilon": 1e-3,
        "batch_norm_momentum": 0.99,
    },
}


def keep_to_rate(keep):
    """Return the drop rate for a probability to keep: ``1 - keep``.

    - ``keep``: number in (0, 1];
      the p of Srivastava et al. (2014), and ``keep_prob`` of TensorFlow 1.
    """
    return 1 - number("keep", keep, low=0, high=1, low_open=True)


def rate_to_keep(rate):
    """Return the probability to keep for a drop rate: ``1 - rate``.

    - ``rate``: number in [0, 1);
      ``p`` of PyTorch, ``rate`` of Keras.
    """
    return 1 - number("rate", rate, low=0, high=1, high_open=True)


def rate_to_noise_std(rate):
    """Return the standard deviation of the Gaussian factor that matches dropout: ``sqrt(rate / (1 - rate))``.

    A standard deviation, not a variance: Srivastava et al. (2014), section 10, and ``keras.layers.GaussianDropout``.

    - ``rate``: number in [0, 1)
    """
    rate = number("rate", rate, low=0, high=1, high_open=True)
    return float(np.sqrt(rate / (1 - rate)))


def noise_std_to_rate(std):
    """Return the drop rate whose noise has this standard deviation: ``std**2 / (1 + std**2)``.

    - ``std``: number >= 0
    """
    variance = number("std", std, low=0) ** 2
    return variance / (1 + variance)


def to_channels_last(shape):
    """Return a shape ``(N, C, ...)`` of PyTorch as Keras' ``(N, ..., C)``.

    - ``shape``: tuple of at least two ints
    """
    shape = _shape(shape)
    return (shape[0], *shape[2:], shape[1])


def to_channels_first(shape):
    """Return a shape ``(N, ..., C)`` of Keras as PyTorch's ``(N, C, ...)``.

    - ``shape``: tuple of at least two ints
    """
    shape = _shape(shape)
    return (shape[0], shape[-1], *shape[1:-1])


def spatial_noise_shape(shape, channels):
    """Return the shape of a mask that drops whole channels: 1 along every axis but the batch and the channels.

    - ``shape``: tuple of at least two ints;
      ``(N, C, L)`` for ``torch.nn.Dropout1d``, ``(N, T, C)`` for ``keras.layers.SpatialDropout1D``;
      likewise in 2-D and 3-D.
    - ``channels``: "first" or "last"

    >>> spatial_noise_shape((8, 3, 32, 32), "first"), spatial_noise_shape((8, 32, 32, 3), "last")
    ((8, 3, 1, 1), (8, 1, 1, 3))
    """
    shape = _shape(shape)
    ones = (1,) * (len(shape) - 2)
    first = one_of("channels", channels, ("first", "last")) == "first"
    return (
        (shape[0], shape[1], *ones) if first else (shape[0], *ones, shape[-1])
    )


def transpose_dense(weight):
    """Return the weight of ``torch.nn.Linear``, (H, D), as this book and Keras store it, (D, H); and back.

    - ``weight``: array of 2 axes
    """
    weight = as_array("weight", weight)
    if weight.ndim != 2:
        raise ValueError(f"weight must have 2 axes, got shape {weight.shape}")
    return weight.T.copy()


def flip_batch_norm_momentum(momentum):
    """Return Keras' batch-norm ``momentum``, the share of the old average, for PyTorch's share of the new; and back.

    It is ``1 - momentum`` either way. The running variance still differs: PyTorch averages the unbiased
    variance of each batch, ``n / (n - 1)`` times the biased one that Keras averages.

    - ``momentum``: number in [0, 1]
    """
    return 1 - number("momentum", momentum, low=0, high=1)


def lstm_torch_to_keras(weight_ih, weight_hh, bias_ih, bias_hh):
    """Return ``(kernel, recurrent_kernel, bias)`` of ``keras.layers.LSTM`` for the arrays of ``torch.nn.LSTM``.

    The matrices are transposed and the two biases, which only ever act as a sum, are added. The gates stand in
    the same order: i, f, g, o of PyTorch are i, f, c, o of Keras.

    - ``weight_ih``: array of shape (4H, D)
    - ``weight_hh``: array of shape (4H, H)
    - ``bias_ih``, ``bias_hh``: arrays of shape (4H,)
    """
    weight_ih, weight_hh = (
        _matrix("weight_ih", weight_ih),
        _matrix("weight_hh", weight_hh),
    )
    gates, hidden = weight_hh.shape
    if gates != 4 * hidden:
        raise ValueError(
            f"weight_hh must have shape (4H, H), got {weight_hh.shape}"
        )
    if len(weight_ih) != gates:
        raise ValueError(
            f"weight_ih must have shape ({gates}, D), as weight_hh says; got {weight_ih.shape}"
        )
    bias = _bias("bias_ih", bias_ih, gates) + _bias("bias_hh", bias_hh, gates)
    return weight_ih.T.copy(), weight_hh.T.copy(), bias


def lstm_keras_to_torch(kernel, recurrent_kernel, bias):
    """Return ``(weight_ih, weight_hh, bias_ih, bias_hh)`` of ``torch.nn.LSTM`` for the arrays of ``keras.layers.LSTM``.

    The one bias becomes ``bias_ih``, and ``bias_hh`` is zero.

    - ``kernel``: array of shape (D, 4H)
    - ``recurrent_kernel``: array of shape (H, 4H)
    - ``bias``: array of shape (4H,)
    """
    kernel, recurrent_kernel = (
        _matrix("kernel", kernel),
        _matrix("recurrent_kernel", recurrent_kernel),
    )
    hidden, gates = recurrent_kernel.shape
    if gates != 4 * hidden:
        raise ValueError(
            f"recurrent_kernel must have shape (H, 4H), got {recurrent_kernel.shape}"
        )
    if kernel.shape[1] != gates:
        raise ValueError(
            f"kernel must have shape (D, {gates}), as recurrent_kernel says; got {kernel.shape}"
        )
    bias = _bias("bias", bias, gates)
    return (
        kernel.T.copy(),
        recurrent_kernel.T.copy(),
        bias.copy(),
        np.zeros_like(bias),
    )


def reorder_gates(array, order, new_order, axis=-1):
    """Return ``array`` with its four blocks of gates along ``axis`` moved from one order to another.

    "ifgo" is the order of this book, PyTorch and Keras, which writes c for g; "igfo" is that of TensorFlow 1,
    which writes j for g.

    - ``array``: array of floats, of length 4H along ``axis``
    - ``order``, ``new_order``: str;
      the letters i, f, g and o, each once.
    - ``axis``: int

    >>> reorder_gates(np.array([1.0, 2.0, 3.0, 4.0]), "ifgo", "igfo")
    array([1., 3., 2., 4.])
    """
    array = float_array("array", array, finite=False)
    for name, letters in (("order", order), ("new_order", new_order)):
        if not isinstance(letters, str) or sorted(letters) != [
            "f",
            "g",
            "i",
            "o",
        ]:
            raise ValueError(
                f"{name} must hold the letters i, f, g and o, each once; got {letters!r}"
            )
    axis = integer("axis", axis)
    if not -array.ndim <= axis < array.ndim:
        raise ValueError(
            f"axis must be one of the {array.ndim} axes of array, got {axis}"
        )
    if array.shape[axis] % 4:
        raise ValueError(
            f"array must hold four gates along axis {axis}, got shape {array.shape}"
        )
    blocks = dict(zip(order, np.split(array, 4, axis), strict=True))
    return np.concatenate([blocks[letter] for letter in new_order], axis)


def framework_defaults(library):
    """Return what a library takes when you say nothing: the numbers behind many a result that would not reproduce.

    ``adamw_weight_decay``, ``adam_epsilon``, ``layer_norm_epsilon``, ``batch_norm_epsilon`` and
    ``batch_norm_momentum``, each as that library means it.

    - ``library``: "torch" or "keras"
    """
    return dict(_DEFAULTS[one_of("library", library, ("torch", "keras"))])


def _shape(shape):
    if not isinstance(shape, tuple) or len(shape) < 2:
        raise ValueError(
            f"shape must be a tuple of at least two sizes, got {shape!r}"
        )
    return tuple(integer("shape", size, low=0) for size in shape)


def _matrix(name, value):
    return float_array(name, value, ndim=2, finite=False)


def _bias(name, value, size):
    value = float_array(name, value, finite=False)
    if value.shape != (size,):
        raise ValueError(
            f"{name} must have shape ({size},), got {value.shape}"
        )
    return value
