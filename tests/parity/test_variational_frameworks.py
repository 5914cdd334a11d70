"""Learned noise and additive noise against the frameworks: Keras' GaussianNoise, and automatic differentiation.

No framework has a layer with a learned strength. So the objective is assembled from PyTorch's and TensorFlow's own
operations, and their gradients, log alpha's among them, stand beside ours. float64 within 1e-12.
"""

import numpy as np
import pytest

from regbook import datasets
from reglib.nets import mlp, variational
from reglib.noise import dropout, masks
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
        (dropout.additive(x, noise), output.numpy()),
        (dropout.additive_backward(grad, noise), grad_x),
    ):
        assert ours.dtype == theirs.dtype == dtype
        assert np.abs(ours - theirs).max() <= TOLERANCE[dtype] * 5
    np.testing.assert_array_equal(layer(x).numpy(), x)


def test_keras_and_we_mean_the_same_standard_deviation():
    theirs = keras.layers.GaussianNoise(0.5, seed=1)(np.zeros((500, 400)), training=True).numpy()
    ours = masks.normal(np.random.default_rng(0), (500, 400), 0.5)
    assert np.std(theirs) == pytest.approx(np.std(ours), rel=0.02)


SIZES, EXAMPLES, WEIGHT = (4, 6, 5, 3), 30, 0.5


@pytest.fixture
def problem():
    rng = np.random.default_rng(3)
    params = variational.start(mlp.init(rng, SIZES), 0.3)
    params[6], params[7] = np.array([-0.5]), rng.normal(size=5) - 0.5  # one a layer, then one a unit
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
    tensors = [torch.tensor(p, requires_grad=True) for p in params]
    h = torch.tensor(x)
    for layer in range(2):
        h = torch.relu(h @ tensors[2 * layer] + tensors[2 * layer + 1])
        h = h * (1 + torch.exp(tensors[6 + layer] / 2) * torch.tensor(epsilon[layer]))
    data = torch.nn.functional.cross_entropy(h @ tensors[4] + tensors[5], torch.tensor(labels))
    divergence = 6 * torch_kl(tensors[6], form).sum() + torch_kl(tensors[7], form).sum()
    loss = data + WEIGHT / EXAMPLES * divergence
    loss.backward()
    ours, grads = variational.loss_and_grads(params, x, labels, epsilon, examples=EXAMPLES, weight=WEIGHT, form=form)
    assert abs(ours - loss.item()) < 1e-12
    for grad, tensor in zip(grads, tensors, strict=True):
        assert np.abs(grad - tensor.grad.numpy()).max() < 1e-12


def test_tensorflow_differentiates_the_same_data_term(problem):
    params, x, labels, epsilon = problem
    variables = [tf.Variable(p) for p in params]
    with tf.GradientTape() as tape:
        h = tf.constant(x)
        for layer in range(2):
            h = tf.nn.relu(h @ variables[2 * layer] + variables[2 * layer + 1])
            h = h * (1 + tf.exp(variables[6 + layer] / 2) * epsilon[layer])
        logits = h @ variables[4] + variables[5]
        loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True))
    theirs = tape.gradient(loss, variables)
    ours, grads = variational.loss_and_grads(params, x, labels, epsilon, examples=EXAMPLES, weight=0)
    assert abs(ours - float(loss)) < 1e-12
    for grad, other in zip(grads, theirs, strict=True):
        assert np.abs(grad - other.numpy()).max() < 1e-12


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
    first = variational.start(mlp.init(np.random.default_rng(0), (64, 24, 10)), 0.3)
    rows = np.random.default_rng(1).integers(len(digits.y), size=(40, 32))
    epsilon = masks.normal(np.random.default_rng(2), (40, 32, 24), 1.0)
    params = [torch.tensor(p, requires_grad=True) for p in first]
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
        return variational.loss_and_grads(params, x, y, [next(given)], examples=500, form="molchanov")

    run = loop.train(first, step, optim.SGD(0.125, momentum=0.5), rows, data=(digits.x, digits.y))
    assert np.abs(run.losses - losses).max() < 1e-9
    assert abs(run.params[4] - first[4]) > 0.1
    for ours, theirs in zip(run.params, params, strict=True):
        assert np.abs(ours - theirs.detach().numpy()).max() < 1e-9
