"""Races of dropout's variants, each a whole layer (noise, forward, backward), and of the convolution."""

import numpy as np
import torch

from bench.timing import race
from reglib.layers import conv
from reglib.noise.affine import apply, apply_backward
from reglib.noise.kinds import Alpha, Bernoulli, Gaussian

RATE = 0.25
WIDE, MAP = (1024, 1024), (32, 16, 16, 64)


def variants_race():
    """Alpha, Gaussian and spatial dropout beside the layers of PyTorch (Gaussian: its three usual lines) and Keras."""
    import keras

    def torch_gaussian(x, std=(RATE / (1 - RATE)) ** 0.5):
        return x * (1 + std * torch.randn_like(x))

    kinds = {
        "Alpha": (Alpha(RATE), torch.nn.AlphaDropout(RATE), keras.layers.AlphaDropout(RATE), False),
        "Gaussian": (Gaussian(RATE), torch_gaussian, keras.layers.GaussianDropout(RATE), False),
        "Spatial": (
            Bernoulli(RATE, shared=(-3, -2)),
            torch.nn.Dropout2d(RATE),
            keras.layers.SpatialDropout2D(RATE),
            True,
        ),
    }
    races = []
    for name, (kind, in_torch, in_keras, spatial) in kinds.items():
        for shape in (MAP,) if spatial else (WIDE, MAP):
            title = f"{name} dropout layer, {' x '.join(map(str, shape))} float32"
            races.append((title, race(competitors(shape, kind, in_torch, in_keras))))
    return races


def competitors(shape, kind, in_torch, in_keras):
    """Return three callables that draw noise, apply it and take a gradient back; a map is channels-first in PyTorch."""
    import tensorflow as tf

    rng = np.random.default_rng(0)
    x, grad = (rng.standard_normal(shape, dtype=np.float32) for _ in range(2))
    order = (0, 3, 1, 2) if len(shape) == 4 else (0, 1)
    tensor, upstream = (torch.from_numpy(np.ascontiguousarray(a.transpose(order))) for a in (x, grad))
    tensor.requires_grad_()
    variable, constant = tf.Variable(x), tf.constant(grad)

    def keras_layer():
        with tf.GradientTape() as tape:
            y = in_keras(variable, training=True)
        return tape.gradient(y, variable, output_gradients=constant)

    def ours():
        noise = kind.draw(rng, shape, np.float32)
        return apply(noise, x), apply_backward(noise, grad)

    return {
        "reglib: noise, forward, backward": ours,
        "PyTorch: layer, autograd": lambda: torch.autograd.grad(in_torch(tensor), tensor, upstream),
        "Keras: layer, GradientTape": keras_layer,
    }


def convolution_race():
    """A 3 x 3 convolution with padding, forward and all gradients, beside PyTorch."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((64, 16, 16, 16), dtype=np.float32)
    w, b = rng.standard_normal((3, 3, 16, 32), dtype=np.float32) / 12, np.zeros(32, np.float32)
    grad = rng.standard_normal((64, 16, 16, 32), dtype=np.float32)
    first = (0, 3, 1, 2)
    arrays = [np.ascontiguousarray(a) for a in (x.transpose(first), w.transpose(3, 2, 0, 1), b, grad.transpose(first))]
    *tensors, upstream = map(torch.from_numpy, arrays)
    for tensor in tensors:
        tensor.requires_grad_()

    def ours():
        return conv.conv2d(x, w, b, padding=1), conv.conv2d_backward(grad, x, w, padding=1)

    def pytorch():
        return torch.autograd.grad(torch.nn.functional.conv2d(*tensors, padding=1), tensors, upstream)

    rivals = {"reglib: conv2d, conv2d_backward": ours, "PyTorch: F.conv2d, autograd": pytorch}
    return [("Convolution 3 x 3, 64 images of 16 x 16, 16 to 32 channels, float32", race(rivals))]
