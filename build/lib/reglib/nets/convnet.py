"""A small convolutional network: two convolutions of 3 x 3, pooling, a dense layer.

    x (..., B, rows, columns, C)
      -> conv 3 x 3, ReLU, noise, 2 x 2 max pooling
      -> conv 3 x 3, ReLU, noise, mean over all positions
      -> dense -> logits

Parameters are a flat list ``[W1, b1, W2, b2, W3, b3]``, as in `reglib.nets.mlp`, and the
noise is a list with one entry for each layer, acting on what comes before it: the
image, the first feature maps, the second feature maps. An entry is ``None`` or an
array that multiplies. Its shape is the granularity: (..., B, rows, columns, C) for
single units, (..., B, 1, 1, C) for whole channels.
"""

import numpy as np

from reglib._validate import float_array, generator, integer, one_of
from reglib.layers import activations, conv
from reglib.layers.dense import dense, dense_backward
from reglib.noise import masks
from reglib.noise.dropout import multiplier
from reglib.train.losses import softmax_cross_entropy


def init(rng, channels, *, replicas=(), dtype=np.float64):
    """Draw the parameters: W ~ N(0, 2 / n_in) (He et al. 2015), n_in the inputs of one output; biases 0.

    Parameters
    ----------
    rng : numpy.random.Generator
    channels : (int, int, int, int)
        Of the images, of the first and second feature maps, and the classes.
    replicas : tuple of int
    dtype : numpy.float64 or numpy.float32

    Returns
    -------
    list of ndarray
        Kernels of shape ``(*replicas, 3, 3, C_in, C_out)``, the dense weights ``(*replicas, C, classes)``.
    """
    generator("rng", rng)
    channels = [integer("channels", count, low=1) for count in channels]
    if len(channels) != 4:
        raise ValueError(f"channels must hold four numbers, from the images to the classes; got {tuple(channels)}")
    replicas = tuple(integer("replicas", count, low=1) for count in replicas)
    image, first, second, classes = channels
    params = []
    for shape in ((3, 3, image, first), (3, 3, first, second), (second, classes)):
        w = rng.standard_normal((*replicas, *shape)) * np.sqrt(2 / np.prod(shape[:-1]))
        params += [w.astype(dtype), np.zeros((*replicas, shape[-1]), dtype)]
    return params


def draw_noise(rng, params, shape, rates, *, granularity="unit"):
    """Draw inverted dropout for one step.

    Parameters
    ----------
    rng : numpy.random.Generator
    params : list of ndarray
        From `init`; the noise follows their replica axes and dtype.
    shape : (int, int, int)
        Images in the batch, rows and columns.
    rates : sequence
        A drop rate for the image, the first and the second feature maps; None is no
        noise, an array of shape (S,) one rate a replica.
    granularity : {"unit", "channel"}

    Returns
    -------
    list
        For the ``noise`` of the other functions.
    """
    one_of("granularity", granularity, ("unit", "channel"))
    if not np.iterable(rates) or len(rates) != 3:
        raise ValueError(f"rates must hold one entry for each of the 3 layers, got {rates!r}")
    batch, rows, columns = (integer("shape", length, low=1) for length in shape)
    sides = [(rows, columns), (rows, columns), (rows // 2, columns // 2)]
    noise = []
    for w, side, rate in zip(_six(params)[::2], sides, rates, strict=True):
        if rate is None or (np.ndim(rate) == 0 and rate == 0):
            noise.append(None)
            continue
        lead = w.shape[:-4] if w.ndim > params[4].ndim else w.shape[:-2]
        full = (*lead, batch, *side, w.shape[-2])
        if granularity == "channel":
            full = masks.noise_shape(full, (-3, -2))
        noise.append(multiplier(masks.bernoulli(rng, full, rate), rate, w.dtype))
    return noise


def forward(params, x, *, noise=None):
    """Return the logits, (..., B, classes), and the cache that `backward` needs.

    Parameters
    ----------
    params : list of ndarray
        From `init`.
    x : ndarray, (B, rows, columns, C) for all replicas, or (..., B, rows, columns, C)
        Rows and columns must be even.
    noise : list, optional
        See the head of this module.
    """
    w1, b1, w2, b2, w3, b3 = _six(params)
    noise = _noise(noise)
    x = _times(float_array("x", x, finite=False), noise[0])
    h1 = activations.relu(conv.conv2d(x, w1, b1, padding=1))
    noisy1 = _times(h1, noise[1])
    pooled = conv.max_pool2d(noisy1, 2)
    h2 = activations.relu(conv.conv2d(pooled, w2, b2, padding=1))
    noisy2 = _times(h2, noise[2])
    mean = conv.global_average_pool2d(noisy2)
    return dense(mean, w3, b3), (x, h1, noisy1, pooled, h2, noisy2, mean)


def backward(params, cache, grad, *, noise=None):
    """Return the gradients of all parameters, a list like ``params``.

    ``cache`` comes from `forward` with the same ``params`` and ``noise``; ``grad`` is the
    gradient with respect to the logits.
    """
    w1, _, w2, _, w3, _ = _six(params)
    noise = _noise(noise)
    x, h1, noisy1, pooled, h2, noisy2, mean = cache
    grad, *dense_grads = dense_backward(grad, mean, w3)
    grad = _times(conv.global_average_pool2d_backward(grad, noisy2.shape), noise[2])
    grad, *second = conv.conv2d_backward(activations.relu_backward(grad, h2), pooled, w2, padding=1)
    grad = _times(conv.max_pool2d_backward(grad, noisy1, 2), noise[1])
    first = conv.conv2d_parameter_gradients(activations.relu_backward(grad, h1), x, w1, padding=1)
    return [*first, *second, *dense_grads]


def loss_and_grads(params, x, labels, *, noise=None):
    """Return the cross-entropy, one a replica, and the gradients of all parameters.

    ``params``, ``x`` and ``noise`` are those of `forward`; ``labels`` has shape (..., B), or (B,) for all replicas.
    """
    logits, cache = forward(params, x, noise=noise)
    value, grad = softmax_cross_entropy(logits, labels)
    return value, backward(params, cache, grad, noise=noise)


def accuracy(params, x, labels):
    """Return the fraction of images whose largest logit is the right class, one a replica.

    ``params`` and ``x`` are those of `forward`; ``labels`` has shape (..., B), or (B,) for all replicas.
    """
    logits, _ = forward(params, x)
    labels = np.asarray(labels)
    shape, shared = logits.shape[:-1], logits.shape[-2:-1]
    if labels.shape not in (shape, shared):
        raise ValueError(f"labels must have shape {shape}, or {shared} for all replicas; got {labels.shape}")
    return (logits.argmax(axis=-1) == labels).mean(axis=-1)


def _six(params):
    """Return the parameters if there are six of them."""
    if len(params) != 6:
        raise ValueError(f"params must be the list [W1, b1, W2, b2, W3, b3], got {len(params)} arrays")
    return params


def _noise(noise):
    """Return three entries."""
    if noise is None:
        return [None] * 3
    if len(noise) != 3:
        raise ValueError(f"noise must hold one entry for each of the 3 layers, got {len(noise)}")
    return noise


def _times(array, entry):
    """Return the array times an entry of the noise, in its dtype; shared images gain the leading axes of replicas."""
    if entry is None:
        return array
    entry = float_array("noise", entry, finite=False)
    try:
        fits = np.broadcast_shapes(entry.shape, array.shape)[-array.ndim :] == array.shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"noise must broadcast to the maps of shape {array.shape}, got {entry.shape}")
    return np.multiply(array, entry, dtype=array.dtype)
