"""The MLP against PyTorch and Keras: logits, loss, every gradient; float64 within 1e-12, float32 within 1e-6."""

import numpy as np
import pytest

from reglib.layers import activations
from reglib.nets import mlp
from reglib.train import losses

ACTIVATIONS = ["relu", "tanh", "sigmoid"]
TOLERANCE = {"float64": 1e-12, "float32": 1e-6}
CASES = [(activation, dtype) for activation in ACTIVATIONS for dtype in TOLERANCE]


def problem(activation, dtype, replicas=()):
    """Return parameters with biases that are not zero, inputs and labels."""
    rng = np.random.default_rng(11)
    params = mlp.init(rng, (6, 9, 7, 4), activation=activation, replicas=replicas)
    params = [(p + 0.1 * rng.standard_normal(p.shape)).astype(dtype) for p in params]
    return params, rng.standard_normal((*replicas, 5, 6)).astype(dtype), rng.integers(0, 4, (*replicas, 5))


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
    params, x, labels = problem(activation, dtype)
    logits, loss, grads = framework(params, x, labels, activation)
    agree(mlp.forward(params, x, activation=activation)[0], logits, dtype)
    ours, our_grads = mlp.loss_and_grads(params, x, labels, activation=activation)
    agree(ours, loss, dtype)
    assert len(our_grads) == len(grads)
    for ours, theirs in zip(our_grads, grads, strict=True):
        agree(ours, theirs, dtype)


@pytest.mark.parametrize("framework", [in_torch, in_keras])
def test_every_replica_agrees(framework):
    params, x, labels = problem("relu", "float64", replicas=(3,))
    loss, grads = mlp.loss_and_grads(params, x, labels)
    for s in range(3):
        _, their_loss, their_grads = framework([p[s] for p in params], x[s], labels[s], "relu")
        agree(loss[s], their_loss, "float64")
        for ours, theirs in zip(grads, their_grads, strict=True):
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
