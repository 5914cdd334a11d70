"""Learned noise and additive noise against the frameworks: Keras' GaussianNoise, and automatic differentiation.

No framework has a layer with a learned strength. So the objective is assembled from PyTorch's and TensorFlow's own
operations, and their gradients, log alpha's among them, stand beside ours. float64 within 1e-12.
"""

import numpy as np
import pytest

from regbook import datasets
from reglib.nets import variational
from reglib.nets.mlp import MLP
from reglib.noise import masks
from reglib.noise.affine import Noise, apply, apply_backward
from reglib.train import loop, optim

keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")
torch = pytest.importorskip("torch")

TOLERANCE = {"float64": 1e-12, "float32": 1e-6}


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_keras_gaussian_noise(dtype):
    rng = np.random.default_rng(5)
    x, grad = (rng.normal(size=(7, 5, 6)).astype(dtype) for _ in range(2))
    layer = keras.layers.GaussianNoise(0.5, seed=1, dtype=dtype)
    state = layer.seed_generator.state.numpy()
    noise = layer(np.zeros_like(x), training=True).numpy()
    layer.seed_generator.state.assign(state)
    variable = tf.Variable(x)
    with tf.GradientTape() as tape:
        output = layer(variable, training=True)
    grad_x = tape.gradient(output, variable, output_gradients=tf.constant(grad)).numpy()
    assert len(np.unique(noise)) > 200
    for ours, theirs in (
        (apply(Noise(offset=noise), x), output.numpy()),
        (apply_backward(Noise(offset=noise), grad), grad_x),
    ):
        assert ours.dtype == theirs.dtype == dtype
        assert np.abs(ours - theirs).max() <= TOLERANCE[dtype] * 5
    np.testing.assert_array_equal(layer(x).numpy(), x)


def test_keras_and_we_mean_the_same_standard_deviation():
    theirs = keras.layers.GaussianNoise(0.5, seed=1)(np.zeros((500, 400)), training=True).numpy()
    ours = masks.normal(np.random.default_rng(0), (500, 400), 0.5)
    assert np.std(theirs) == pytest.approx(np.std(ours), rel=0.02)


NET, EXAMPLES, WEIGHT = MLP((4, 6, 5, 3)), 30, 0.5


@pytest.fixture
def problem():
    rng = np.random.default_rng(3)
    params = variational.start(NET.init(rng), 0.3)
    params |= {"log_alpha1": np.array([-0.5]), "log_alpha2": rng.normal(size=5) - 0.5}  # one a layer, then one a unit
    x, labels = rng.normal(size=(8, 4)), rng.integers(3, size=8)
    return params, x, labels, [rng.standard_normal((8, width)) for width in (6, 5)]


def torch_kl(log_alpha, form):
    if form == "kingma":
        alpha = log_alpha.exp()
        cubic = variational.C1 * alpha + variational.C2 * alpha**2 + variational.C3 * alpha**3
        return variational.CONSTANT - 0.5 * log_alpha - cubic
    gate = torch.sigmoid(variational.K2 + variational.K3 * log_alpha)
    return variational.K1 - variational.K1 * gate + 0.5 * torch.nn.functional.softplus(-log_alpha)


@pytest.mark.parametrize("form", ["kingma", "molchanov"])
def test_torch_differentiates_the_same_objective(problem, form):
    params, x, labels, epsilon = problem
    tensors = {name: torch.tensor(p, requires_grad=True) for name, p in params.items()}
    h = torch.tensor(x)
    for layer in (1, 2):
        h = torch.relu(h @ tensors[f"w{layer}"] + tensors[f"b{layer}"])
        h = h * (1 + torch.exp(tensors[f"log_alpha{layer}"] / 2) * torch.tensor(epsilon[layer - 1]))
    data = torch.nn.functional.cross_entropy(h @ tensors["w3"] + tensors["b3"], torch.tensor(labels))
    divergence = 6 * torch_kl(tensors["log_alpha1"], form).sum() + torch_kl(tensors["log_alpha2"], form).sum()
    loss = data + WEIGHT / EXAMPLES * divergence
    loss.backward()
    options = {"examples": EXAMPLES, "weight": WEIGHT, "form": form}
    ours, grads = variational.loss_and_grads(NET, params, x, labels, epsilon, **options)
    assert abs(ours - loss.item()) < 1e-12
    assert list(grads) == list(params)
    for name, tensor in tensors.items():
        assert np.abs(grads[name] - tensor.grad.numpy()).max() < 1e-12


def test_tensorflow_differentiates_the_same_data_term(problem):
    params, x, labels, epsilon = problem
    variables = {name: tf.Variable(p) for name, p in params.items()}
    with tf.GradientTape() as tape:
        h = tf.constant(x)
        for layer in (1, 2):
            h = tf.nn.relu(h @ variables[f"w{layer}"] + variables[f"b{layer}"])
            h = h * (1 + tf.exp(variables[f"log_alpha{layer}"] / 2) * epsilon[layer - 1])
        logits = h @ variables["w3"] + variables["b3"]
        loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True))
    theirs = tape.gradient(loss, variables)
    ours, grads = variational.loss_and_grads(NET, params, x, labels, epsilon, examples=EXAMPLES, weight=0)
    assert abs(ours - float(loss)) < 1e-12
    for name, other in theirs.items():
        assert np.abs(grads[name] - other.numpy()).max() < 1e-12


def test_the_divergence_is_that_of_torchs_distributions():
    """KL = E[log q(w) - log p(w)], with p(w) = constant / |w|, by simulation from q."""
    torch.manual_seed(0)
    for alpha in (0.1, 1.0, 5.0):
        q = torch.distributions.Normal(torch.tensor(2.0, dtype=torch.float64), 2.0 * alpha**0.5)
        w = q.sample((1_000_000,))
        samples = (q.log_prob(w) + w.abs().log()).numpy()
        # For alpha -> infinity the mean is E[log phi(Z)] + E[log|Z|], which the convention sets to 0.
        shift = -0.5 * (np.log(2 * np.pi) + 1) - variational.CONSTANT
        error = samples.std() / 1000
        assert abs(samples.mean() - shift - variational.kl(np.log(alpha))) < 6 * error


def test_a_training_run_of_torch():
    """Forty steps in which weights and strengths are learned together: every loss within 1e-9."""
    digits = datasets.digits()
    net = MLP((64, 24, 10))
    first = variational.start(net.init(np.random.default_rng(0)), 0.3)
    rows = np.random.default_rng(1).integers(len(digits.y), size=(40, 32))
    epsilon = masks.normal(np.random.default_rng(2), (40, 32, 24), 1.0)
    params = [torch.tensor(p, requires_grad=True) for p in first.values()]
    sgd, losses = torch.optim.SGD(params, lr=0.125, momentum=0.5), []
    for batch, draw in zip(rows, epsilon, strict=True):
        h = torch.relu(torch.tensor(digits.x[batch]) @ params[0] + params[1])
        h = h * (1 + torch.exp(params[4] / 2) * torch.tensor(draw))
        loss = torch.nn.functional.cross_entropy(h @ params[2] + params[3], torch.tensor(digits.y[batch]))
        loss = loss + 24 / 500 * torch_kl(params[4], "molchanov").sum()
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        losses.append(loss.item())
    given = iter(epsilon)

    def step(params, x, y):
        return variational.loss_and_grads(net, params, x, y, [next(given)], examples=500, form="molchanov")

    run = loop.train(step, first, optim.SGD(0.125, momentum=0.5), rows, data=(digits.x, digits.y))
    assert np.abs(run.losses - losses).max() < 1e-9
    assert list(run.params) == ["w1", "b1", "w2", "b2", "log_alpha1"]
    assert abs(run.params["log_alpha1"] - first["log_alpha1"]) > 0.1
    for ours, theirs in zip(run.params.values(), params, strict=True):
        assert np.abs(ours - theirs.detach().numpy()).max() < 1e-9
