"""The MLP and the losses against PyTorch and Keras: logits, loss, gradients; float64 within 1e-12, float32 1e-6."""

import numpy as np
import pytest

from reglib.layers import activations
from reglib.nets.mlp import MLP
from reglib.train import losses
from reglib.train.technique import value_and_grads

ACTIVATIONS = ["relu", "tanh", "sigmoid"]
TOLERANCE = {"float64": 1e-12, "float32": 1e-6}
CASES = [(activation, dtype) for activation in ACTIVATIONS for dtype in TOLERANCE]


def problem(activation, dtype, replicas=()):
    """Return a network, its parameters with biases that are not zero, inputs and labels."""
    rng = np.random.default_rng(11)
    net = MLP((6, 9, 7, 4), activation)
    params = net.init(rng, replicas=replicas)
    params = {name: (p + 0.1 * rng.standard_normal(p.shape)).astype(dtype) for name, p in params.items()}
    return net, params, rng.standard_normal((*replicas, 5, 6)).astype(dtype), rng.integers(0, 4, (*replicas, 5))


def agree(ours, theirs, dtype):
    assert ours.dtype == theirs.dtype == dtype
    assert np.abs(ours - theirs).max() <= TOLERANCE[dtype]


def in_torch(params, x, labels, activation):
    """Return the logits, the loss, and the gradients of torch.nn's layers and its cross-entropy."""
    torch = pytest.importorskip("torch")
    layers = []
    for i in range(0, len(params), 2):
        layer = torch.nn.Linear(*params[i].shape, dtype=getattr(torch, str(x.dtype)))
        layer.weight = torch.nn.Parameter(torch.tensor(params[i].T))
        layer.bias = torch.nn.Parameter(torch.tensor(params[i + 1]))
        layers += [layer, {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh, "sigmoid": torch.nn.Sigmoid}[activation]()]
    logits = torch.nn.Sequential(*layers[:-1])(torch.tensor(x))
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor(labels))
    loss.backward()
    grads = []
    for layer in layers[::2]:
        grads += [layer.weight.grad.numpy().T, layer.bias.grad.numpy()]
    return logits.detach().numpy(), loss.detach().numpy(), grads


def in_keras(params, x, labels, activation):
    """Return the logits, the loss, and the gradients of keras.layers.Dense and its cross-entropy."""
    keras = pytest.importorskip("keras")
    tf = pytest.importorskip("tensorflow")
    dtype = str(x.dtype)
    model = keras.Sequential([keras.Input((x.shape[1],), dtype=dtype)])
    for i in range(0, len(params), 2):
        last = i + 2 == len(params)
        model.add(keras.layers.Dense(params[i].shape[1], activation=None if last else activation, dtype=dtype))
    model.set_weights(params)
    with tf.GradientTape() as tape:
        logits = model(x)
        loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True))
    grads = tape.gradient(loss, [weight.value for weight in model.trainable_weights])
    return logits.numpy(), loss.numpy(), [grad.numpy() for grad in grads]


@pytest.mark.parametrize("framework", [in_torch, in_keras])
@pytest.mark.parametrize(("activation", "dtype"), CASES)
def test_the_mlp_agrees(framework, activation, dtype):
    net, params, x, labels = problem(activation, dtype)
    logits, loss, grads = framework(list(params.values()), x, labels, activation)
    agree(net.logits(params, x), logits, dtype)
    ours, our_grads = value_and_grads(net, params, x, labels)
    agree(ours, loss, dtype)
    assert list(our_grads) == list(params)
    for ours, theirs in zip(our_grads.values(), grads, strict=True):
        agree(ours, theirs, dtype)


@pytest.mark.parametrize("framework", [in_torch, in_keras])
def test_every_replica_agrees(framework):
    net, params, x, labels = problem("relu", "float64", replicas=(3,))
    loss, grads = value_and_grads(net, params, x, labels)
    for s in range(3):
        _, their_loss, their_grads = framework([p[s] for p in params.values()], x[s], labels[s], "relu")
        agree(loss[s], their_loss, "float64")
        for ours, theirs in zip(grads.values(), their_grads, strict=True):
            agree(ours[s], theirs, "float64")


@pytest.mark.parametrize("name", ["relu", "tanh", "sigmoid", "softmax"])
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_activations_and_their_backward_agree_with_torch(name, dtype):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(12)
    x, grad = (rng.standard_normal((3, 4, 5)).astype(dtype) for _ in range(2))
    x[0, 0, 0] = 0
    z = torch.tensor(x, requires_grad=True)
    y = torch.softmax(z, dim=-1) if name == "softmax" else getattr(torch, name)(z)
    y.backward(torch.tensor(grad))
    ours = getattr(activations, name)(x)
    agree(ours, y.detach().numpy(), dtype)
    agree(getattr(activations, name + "_backward")(grad, ours), z.grad.numpy(), dtype)


def test_the_squared_error_is_half_of_torchs_summed_over_the_outputs():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(13)
    prediction, target = rng.standard_normal((2, 6, 3))
    z = torch.tensor(prediction, requires_grad=True)
    loss = torch.nn.functional.mse_loss(z, torch.tensor(target), reduction="sum") / (2 * 6)
    loss.backward()
    ours, grad = losses.squared_error(prediction, target)
    agree(ours, loss.detach().numpy(), "float64")
    agree(grad, z.grad.numpy(), "float64")


def soft_targets(dtype):
    """Logits of very different sizes, and targets: mixed, smoothed, one-hot."""
    rng = np.random.default_rng(14)
    logits = (rng.standard_normal((9, 5)) * 10.0 ** rng.integers(-1, 3, (9, 1))).astype(dtype)
    targets = rng.random((9, 5))
    targets[3:6] = 0.9 * np.eye(5)[[0, 3, 4]] + 0.1 / 5
    targets[6:] = np.eye(5)[[2, 0, 1]]
    return logits, (targets / targets.sum(axis=-1, keepdims=True)).astype(dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_soft_targets_are_torchs_class_probabilities(dtype):
    torch = pytest.importorskip("torch")
    logits, targets = soft_targets(dtype)
    z = torch.tensor(logits, requires_grad=True)
    loss = torch.nn.functional.cross_entropy(z, torch.tensor(targets))
    loss.backward()
    ours, grad = losses.softmax_cross_entropy(logits, targets)
    assert ours.dtype == dtype
    assert abs(ours - loss.item()) <= TOLERANCE[dtype] * abs(loss.item())
    agree(grad, z.grad.numpy(), dtype)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_torchs_label_smoothing_is_a_soft_target(smoothing):
    torch = pytest.importorskip("torch")
    logits, labels = soft_targets("float64")[0], np.array([0, 1, 2, 3, 4, 0, 1, 2, 3])
    z = torch.tensor(logits, requires_grad=True)
    loss = torch.nn.functional.cross_entropy(z, torch.tensor(labels), label_smoothing=smoothing)
    loss.backward()
    ours, grad = losses.softmax_cross_entropy(logits, (1 - smoothing) * np.eye(5)[labels] + smoothing / 5)
    assert abs(ours - loss.item()) <= 1e-12 * loss.item()
    agree(grad, z.grad.numpy(), "float64")


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_soft_targets_are_those_of_keras_categorical_crossentropy(smoothing, keras_float64):
    keras = pytest.importorskip("keras")
    tf = pytest.importorskip("tensorflow")
    logits, targets = soft_targets("float64")
    z = tf.Variable(logits)
    theirs = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing, dtype="float64")
    with tf.GradientTape() as tape:
        loss = theirs(tf.constant(targets), z)
    ours, grad = losses.softmax_cross_entropy(logits, (1 - smoothing) * targets + smoothing / 5)
    assert abs(ours - float(loss)) <= 1e-12 * float(loss)
    agree(grad, tape.gradient(loss, z).numpy(), "float64")
