"""Convolution and pooling against PyTorch and Keras."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import torch

from reglib.layers import conv
from reglib.nets.convnet import ConvNet
from reglib.noise import places
from reglib.noise.kinds import Alpha, Bernoulli
from reglib.train.technique import value_and_grads

RNG = np.random.default_rng(3)
CLOSE = {"rtol": 0, "atol": 1e-12}


def first(x):
    """Return a channels-last array as a tensor of PyTorch, channels first."""
    return torch.tensor(x.transpose(0, 3, 1, 2), requires_grad=True)


def last(tensor):
    return tensor.detach().numpy().transpose(0, 2, 3, 1)


@pytest.mark.parametrize(
    ("size", "stride", "padding"), [((3, 3), 1, 1), ((2, 3), 1, 0), ((3, 3), 2, 1), ((2, 4), 3, 2)]
)
def test_conv2d_against_pytorch(size, stride, padding):
    x, w, b = RNG.standard_normal((2, 7, 6, 3)), RNG.standard_normal((*size, 3, 4)), RNG.standard_normal(4)
    y = conv.conv2d(x, w, b, stride=stride, padding=padding)
    grad = RNG.standard_normal(y.shape)
    tx, tb = first(x), torch.tensor(b, requires_grad=True)
    tw = torch.tensor(w.transpose(3, 2, 0, 1), requires_grad=True)
    ty = torch.nn.functional.conv2d(tx, tw, tb, stride=stride, padding=padding)
    np.testing.assert_allclose(y, last(ty), **CLOSE)
    ty.backward(torch.tensor(grad.transpose(0, 3, 1, 2)))
    grad_x, grad_w, grad_b = conv.conv2d_backward(grad, x, w, stride=stride, padding=padding)
    np.testing.assert_allclose(grad_x, last(tx.grad), **CLOSE)
    np.testing.assert_allclose(grad_w, tw.grad.numpy().transpose(2, 3, 1, 0), **CLOSE)
    np.testing.assert_allclose(grad_b, tb.grad.numpy(), **CLOSE)


@pytest.mark.parametrize(("name", "padding"), [("same", 1), ("valid", 0)])
def test_conv2d_against_keras(name, padding):
    x, w, b = RNG.standard_normal((2, 6, 5, 3)), RNG.standard_normal((3, 3, 3, 4)), RNG.standard_normal(4)
    layer = keras.layers.Conv2D(4, 3, padding=name, dtype="float64")
    layer.build(x.shape)
    layer.set_weights([w, b])
    variable = tf.Variable(x)
    with tf.GradientTape() as tape:
        theirs = layer(variable)
    y = conv.conv2d(x, w, b, padding=padding)
    np.testing.assert_allclose(y, theirs.numpy(), **CLOSE)
    grad = RNG.standard_normal(y.shape)
    sources = [variable, *layer.trainable_variables]
    expected = tape.gradient(theirs, sources, output_gradients=tf.constant(grad))
    for ours, other in zip(conv.conv2d_backward(grad, x, w, padding=padding), expected, strict=True):
        np.testing.assert_allclose(ours, other.numpy(), **CLOSE)


@pytest.mark.parametrize("ties", [False, True])
def test_pooling_against_pytorch_and_keras(ties):
    x = RNG.standard_normal((2, 6, 4, 3))
    x = np.maximum(x, 0) if ties else x
    grad = RNG.standard_normal((2, 3, 2, 3))
    functions = {
        "max": (torch.nn.functional.max_pool2d, keras.layers.MaxPooling2D, conv.max_pool2d(x, 2)),
        "average": (torch.nn.functional.avg_pool2d, keras.layers.AveragePooling2D, conv.average_pool2d(x, 2)),
    }
    backward = {"max": conv.max_pool2d_backward(grad, x, 2), "average": conv.average_pool2d_backward(grad, 2)}
    for name, (pool, layer, ours) in functions.items():
        tensor = first(x)
        theirs = pool(tensor, 2)
        theirs.backward(torch.tensor(grad.transpose(0, 3, 1, 2)))
        np.testing.assert_allclose(ours, last(theirs), **CLOSE)
        np.testing.assert_allclose(backward[name], last(tensor.grad), **CLOSE)
        np.testing.assert_allclose(ours, layer(2, dtype="float64")(x).numpy(), **CLOSE)
    glob = keras.layers.GlobalAveragePooling2D(dtype="float64")(x).numpy()
    np.testing.assert_allclose(conv.global_average_pool2d(x), glob, **CLOSE)


def kernel(w):
    """Return a kernel of Keras' layout in PyTorch's."""
    return torch.tensor(w.transpose(3, 2, 0, 1), requires_grad=True)


@pytest.mark.parametrize(
    "kind", [Bernoulli, lambda rate: Bernoulli(rate, (-3, -2)), lambda rate: Alpha(rate, (-3, -2))]
)
@pytest.mark.parametrize("replicas", [(), (2,)])
def test_the_network_against_pytorch(kind, replicas):
    """Under dropout of units, of channels, and under alpha dropout, whose noise has an offset, too."""
    net = ConvNet((2, 3, 4, 5))
    params = {name: p + 0.1 * RNG.standard_normal(p.shape) for name, p in net.init(RNG, replicas=replicas).items()}
    x, labels = RNG.standard_normal((6, 4, 8, 2)), RNG.integers(0, 5, 6)
    kinds = {"input": kind(0.2), "maps1": kind(0.3), "maps2": kind(0.5)}
    noise = places.draw(RNG, kinds, net.places(params, x))
    loss, grads = value_and_grads(net, params, x, labels, noise=noise)
    f = torch.nn.functional
    for s in np.ndindex(replicas):
        w1, b1, w2, b2, w3, b3 = (params[name][s] for name in net.names())
        leaves = [kernel(w1), torch.tensor(b1), kernel(w2), *map(torch.tensor, (b2, w3, b3))]
        leaves = [leaf.detach().requires_grad_() for leaf in leaves]
        gains = [first(n.gain[s]).detach() for n in noise.values()]
        offsets = [0.0 if n.offset is None else first(n.offset[s]).detach() for n in noise.values()]
        h = f.relu(f.conv2d(first(x) * gains[0] + offsets[0], *leaves[:2], padding=1)) * gains[1] + offsets[1]
        h = f.relu(f.conv2d(f.max_pool2d(h, 2), *leaves[2:4], padding=1)) * gains[2] + offsets[2]
        theirs = f.cross_entropy(h.mean(dim=(2, 3)) @ leaves[4] + leaves[5], torch.tensor(labels))
        theirs.backward()
        np.testing.assert_allclose(loss[s], theirs.item(), **CLOSE)
        for ours, leaf in zip(grads.values(), leaves, strict=True):
            other = leaf.grad.numpy()
            np.testing.assert_allclose(ours[s], other.transpose(2, 3, 1, 0) if other.ndim == 4 else other, **CLOSE)
