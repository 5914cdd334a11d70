"""The MLP: its start, its forward pass by hand, its gradients by central differences."""

import numpy as np
import pytest

from reglib import gradcheck
from reglib.nets import mlp
from reglib.noise import dropout, masks
from reglib.train import losses
from tests.conftest import exactly

SIZES = (3, 5, 4, 2)


def rng():
    return np.random.default_rng(4)


def test_init_shapes_and_zero_biases():
    params = mlp.init(rng(), SIZES, replicas=(6, 2))
    assert [p.shape for p in params] == [(6, 2, 3, 5), (6, 2, 5), (6, 2, 5, 4), (6, 2, 4), (6, 2, 4, 2), (6, 2, 2)]
    assert all((b == 0).all() for b in params[1::2])
    assert {p.dtype for p in params} == {np.dtype(float)}
    assert {p.dtype for p in mlp.init(rng(), SIZES, dtype=np.float32)} == {np.dtype(np.float32)}
    assert [p.shape for p in mlp.init(rng(), (3, 2))] == [(3, 2), (2,)]
    assert (params[0][0] != params[0][1]).all()


def test_he_start_for_relu():
    w = mlp.init(rng(), (50, 400))[0]
    # 20,000 draws: the standard deviation of their sample deviation is 0.5% of it
    assert w.std() == pytest.approx(np.sqrt(2 / 50), rel=0.025)
    assert abs(w.mean()) < 5 * np.sqrt(2 / 50 / w.size)
    np.testing.assert_array_equal(w, rng().standard_normal((50, 400)) * np.sqrt(2 / 50))
    assert np.abs(w).max() > 3 * np.sqrt(2 / 50)


def test_lecun_start_for_selu():
    w = mlp.init(rng(), (50, 400), activation="selu")[0]
    np.testing.assert_array_equal(w, rng().standard_normal((50, 400)) * np.sqrt(1 / 50))


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
def test_glorot_start_for_the_others(activation):
    w = mlp.init(rng(), (50, 400), activation=activation)[0]
    bound = np.sqrt(6 / 450)
    assert -bound <= w.min() < -0.999 * bound
    assert 0.999 * bound < w.max() <= bound
    assert w.std() == pytest.approx(np.sqrt(2 / 450), rel=0.02)


PARAMS = [
    np.array([[1.0, -1.0], [2.0, 0.5]]),
    np.array([0.5, -1.0]),
    np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]),
    np.array([0.0, 1.0, -1.0]),
]


def test_forward_by_hand():
    x = np.array([[1.0, 1.0], [-2.0, 3.0]])
    logits, cache = mlp.forward(PARAMS, x)
    hidden = np.array([[3.5, 0.0], [4.5, 2.5]])
    for before, after, expected in zip(*zip(*cache, strict=True), (x, hidden), strict=True):
        np.testing.assert_array_equal(before, expected)
        np.testing.assert_array_equal(after, expected)
    assert len(cache) == 2
    np.testing.assert_array_equal(logits, [[3.5, 8, 9.5], [14.5, 22.5, 27.5]])


@pytest.mark.parametrize(
    ("activation", "apply"),
    [("tanh", np.tanh), ("sigmoid", lambda z: 1 / (1 + np.exp(-z))), ("relu", lambda z: z * (z > 0))],
)
def test_every_function_uses_the_activation_that_is_named(activation, apply):
    x = rng().standard_normal((6, 2))
    expected = apply(x @ PARAMS[0] + PARAMS[1]) @ PARAMS[2] + PARAMS[3]
    np.testing.assert_allclose(mlp.forward(PARAMS, x, activation=activation)[0], expected, rtol=1e-13)
    if activation == "relu":
        np.testing.assert_allclose(mlp.forward(PARAMS, x)[0], expected, rtol=1e-13)
    target = np.ones((6, 3))
    loss, _ = mlp.loss_and_grads(PARAMS, x, target, activation=activation, loss=losses.squared_error)
    assert loss == pytest.approx(losses.squared_error(expected, target)[0])
    labels = expected.argmax(axis=1)
    assert mlp.accuracy(PARAMS, x, labels, activation=activation) == 1


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "selu"])
@pytest.mark.parametrize("shared", [False, True])
def test_gradients_match_central_differences(activation, shared):
    r = rng()
    params = mlp.init(r, SIZES, activation=activation, replicas=(2,))
    params = [p + 0.1 * r.standard_normal(p.shape) for p in params]
    x = r.standard_normal((7, 3) if shared else (2, 7, 3))
    labels = r.integers(0, 2, 7 if shared else (2, 7))
    gradcheck.check(
        lambda p: mlp.loss_and_grads(p, x, labels, activation=activation)[0].sum(),
        lambda p: mlp.loss_and_grads(p, x, labels, activation=activation)[1],
        params,
        r,
    )


def test_relu_is_the_default_everywhere():
    r = rng()
    params, x, labels = mlp.init(r, SIZES), r.standard_normal((7, 3)), r.integers(0, 2, 7)
    for by_default, named in zip(
        mlp.loss_and_grads(params, x, labels)[1],
        mlp.loss_and_grads(params, x, labels, activation="relu")[1],
        strict=True,
    ):
        np.testing.assert_array_equal(by_default, named)
    logits, cache = mlp.forward(params, x)
    grad = np.ones_like(logits)
    for by_default, named in zip(
        mlp.backward(params, cache, grad), mlp.backward(params, cache, grad, activation="relu"), strict=True
    ):
        np.testing.assert_array_equal(by_default, named)
    np.testing.assert_array_equal(mlp.init(rng(), SIZES)[0], mlp.init(rng(), SIZES, activation="relu")[0])
    assert mlp.accuracy(params, x, labels) == mlp.accuracy(params, x, labels, activation="relu")


def test_regression_gradients():
    r = rng()
    params, x, target = mlp.init(r, (3, 4, 2)), r.standard_normal((5, 3)), r.standard_normal((5, 2))

    def run(p):
        return mlp.loss_and_grads(p, x, target, loss=losses.squared_error)

    gradcheck.check(lambda p: run(p)[0], lambda p: run(p)[1], params, r)


def test_one_layer_is_a_linear_model():
    r = rng()
    params, x, labels = mlp.init(r, (3, 4)), r.standard_normal((5, 3)), r.integers(0, 4, 5)
    gradcheck.check(
        lambda p: mlp.loss_and_grads(p, x, labels)[0], lambda p: mlp.loss_and_grads(p, x, labels)[1], params, r
    )


def test_replicas_are_a_loop_over_models():
    r = rng()
    params, x, labels = mlp.init(r, SIZES, replicas=(3,)), r.standard_normal((3, 7, 3)), r.integers(0, 2, (3, 7))
    loss, grads = mlp.loss_and_grads(params, x, labels)
    accuracy = mlp.accuracy(params, x, labels)
    assert loss.shape == accuracy.shape == (3,)
    for s in range(3):
        one = [p[s] for p in params]
        alone, alone_grads = mlp.loss_and_grads(one, x[s], labels[s])
        assert loss[s] == pytest.approx(alone, rel=1e-13)
        assert accuracy[s] == mlp.accuracy(one, x[s], labels[s])
        for g, h in zip(grads, alone_grads, strict=True):
            np.testing.assert_allclose(g[s], h, rtol=1e-11, atol=1e-15)


def test_accuracy_by_hand():
    params = [np.stack([np.eye(2), -np.eye(2)]), np.zeros((2, 2))]
    x, labels = np.array([[1.0, 0.0], [0.0, 1.0], [3.0, 2.0]]), np.array([0, 1, 1])
    np.testing.assert_allclose(mlp.accuracy(params, x, labels), [2 / 3, 1 / 3])
    np.testing.assert_allclose(mlp.accuracy(params, x, np.array([[0, 1, 0], [0, 1, 0]])), [1, 0])


def test_float32_stays_float32_and_nothing_changes_in_place():
    r = rng()
    params = mlp.init(r, SIZES, replicas=(2,), dtype=np.float32)
    before = [p.copy() for p in params]
    x = r.standard_normal((7, 3)).astype(np.float32)
    kept = x.copy()
    loss, grads = mlp.loss_and_grads(params, x, r.integers(0, 2, 7))
    assert loss.dtype == np.float32
    assert {g.dtype for g in grads} == {np.dtype(np.float32)}
    for p, b in zip(params, before, strict=True):
        np.testing.assert_array_equal(p, b)
    np.testing.assert_array_equal(x, kept)


def test_affine_noise_is_rounded_to_the_dtype_of_the_network_first():
    r = rng()
    params, x = mlp.init(r, SIZES, dtype=np.float32), r.standard_normal((7, 3)).astype(np.float32)
    entry = r.standard_normal((7, 3)), r.standard_normal((7, 3))
    results = []
    for first in (entry, tuple(array.astype(np.float32) for array in entry)):
        noise = [first] + [None] * (len(SIZES) - 2)
        results.append(mlp.forward(params, x, noise=noise)[0])
    np.testing.assert_array_equal(*results)


def test_bad_input_is_named():
    with pytest.raises(TypeError, match=r"^rng must be a numpy.random.Generator"):
        mlp.init(0, SIZES)
    with pytest.raises(ValueError, match=exactly("sizes must name an input and an output layer at least, got (3,)")):
        mlp.init(rng(), [3])
    with pytest.raises(ValueError, match=exactly("sizes must be at least 1, got 0")):
        mlp.init(rng(), (3, 0))
    with pytest.raises(ValueError, match=exactly("replicas must be at least 1, got 0")):
        mlp.init(rng(), SIZES, replicas=(0,))
    assert mlp.init(rng(), (1, 1), replicas=(1,))[0].shape == (1, 1, 1)
    with pytest.raises(TypeError, match=exactly("replicas must be an integer, got 2.0")):
        mlp.init(rng(), SIZES, replicas=(2.0,))
    wrong = exactly("activation must be one of 'relu', 'tanh', 'sigmoid', 'selu'; got 'gelu'")
    x = np.ones((1, 2))
    for call in (
        lambda: mlp.init(rng(), SIZES, activation="gelu"),
        lambda: mlp.forward(PARAMS, x, activation="gelu"),
        lambda: mlp.backward(PARAMS, [x, x], x, activation="gelu"),
    ):
        with pytest.raises(ValueError, match=wrong):
            call()
    for params in ([], PARAMS[:3]):
        message = f"params must be a list of weights and biases in turn, W1, b1, W2, b2, ...; got {len(params)}"
        with pytest.raises(ValueError, match=exactly(message)):
            mlp.forward(params, x)
        with pytest.raises(ValueError, match=exactly(message)):
            mlp.backward(params, [x], x)
    message = "labels must have shape (2, 1), or (1,) for all replicas; got (2,)"
    with pytest.raises(ValueError, match=exactly(message)):
        mlp.accuracy(mlp.init(rng(), (2, 3), replicas=(2,)), x, np.array([0, 1]))


def test_forward_with_noise_by_hand():
    x = np.array([[1.0, 1.0], [-2.0, 3.0]])
    noise = [np.array([2.0, 0.0]), np.array([[0.0, 1.0], [2.0, -1.0]])]
    logits, cache = mlp.forward(PARAMS, x, noise=noise)
    np.testing.assert_array_equal(cache[0][0], x)
    np.testing.assert_array_equal(cache[0][1], [[2, 0], [-4, 0]])
    np.testing.assert_array_equal(cache[1][0], [[2.5, 0], [0, 3]])
    np.testing.assert_array_equal(cache[1][1], [[0, 0], [0, -3]])
    np.testing.assert_array_equal(logits, [[0, 1, -1], [-12, -14, -19]])
    affine = [None, (np.array([2.0, 3.0]), np.array([1.0, -1.0]))]
    logits, cache = mlp.forward(PARAMS, x, noise=affine)
    np.testing.assert_array_equal(cache[1][1], [[8, -1], [10, 6.5]])
    np.testing.assert_array_equal(logits, [[4, 12, 17], [36, 53.5, 68]])


NOISES = {
    "input": lambda r: [r.standard_normal((2, 7, 3)), None, None],
    "hidden": lambda r: [None, r.standard_normal((7, 5)), r.standard_normal((2, 7, 4))],
    "with zeros": lambda r: [r.integers(0, 2, (7, 3)) * 2.0, r.integers(0, 2, (2, 7, 5)) * 2.0, None],
    "affine": lambda r: [None, (r.standard_normal((2, 7, 5)), r.standard_normal((2, 7, 5))), None],
}


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "selu"])
@pytest.mark.parametrize("name", NOISES)
@pytest.mark.parametrize("replicas", [(), (2,)])
def test_gradients_under_noise(activation, name, replicas):
    r = rng()
    params = mlp.init(r, SIZES, activation=activation, replicas=replicas)
    params = [p + 0.1 * r.standard_normal(p.shape) for p in params]
    x, labels, noise = r.standard_normal((7, 3)), r.integers(0, 2, 7), NOISES[name](r)

    def run(p):
        return mlp.loss_and_grads(p, x, labels, activation=activation, noise=noise)

    assert [g.shape for g in run(params)[1]] == [p.shape for p in params]
    gradcheck.check(lambda p: run(p)[0].sum(), lambda p: run(p)[1], params, r)


def test_no_noise_is_noise_of_one_and_replicas_have_their_own():
    r = rng()
    params, x, labels = mlp.init(r, SIZES, replicas=(2,)), r.standard_normal((7, 3)), r.integers(0, 2, 7)
    plain = mlp.loss_and_grads(params, x, labels)
    for noise in ([None] * 3, [np.ones(3), np.ones((7, 1)), (np.ones(4), np.zeros(4))]):
        loss, grads = mlp.loss_and_grads(params, x, labels, noise=noise)
        np.testing.assert_allclose(loss, plain[0], rtol=1e-14)
        for g, h in zip(grads, plain[1], strict=True):
            np.testing.assert_allclose(g, h, rtol=1e-12, atol=1e-15)
    noise = mlp.draw_noise(r, params, 7, (0.5, 0.2, 0.4))
    both = mlp.loss_and_grads(params, x, labels, noise=noise)
    for s in range(2):
        loss, grads = mlp.loss_and_grads([p[s] for p in params], x, labels, noise=[n[s] for n in noise])
        assert both[0][s] == pytest.approx(loss, rel=1e-13)
        for g, h in zip(both[1], grads, strict=True):
            np.testing.assert_allclose(g[s], h, rtol=1e-11, atol=1e-15)


def test_draw_noise():
    params = mlp.init(rng(), SIZES, replicas=(2,), dtype=np.float32)
    rates = (None, 0.25, np.array([0.0, 0.5]))
    noise = mlp.draw_noise(rng(), params, 6, rates)
    assert noise[0] is None
    assert [n.shape for n in noise[1:]] == [(2, 6, 5), (2, 6, 4)]
    assert {n.dtype for n in noise[1:]} == {np.dtype(np.float32)}
    generator = rng()
    expected = masks.bernoulli(generator, (2, 6, 5), 0.25)
    np.testing.assert_array_equal(noise[1], dropout.multiplier(expected, 0.25, np.float32))
    expected = masks.bernoulli(generator, (2, 6, 4), rates[2])
    np.testing.assert_array_equal(noise[2], dropout.multiplier(expected, rates[2], np.float32))
    assert mlp.draw_noise(rng(), params, 6, (0, 0.0, None)) == [None, None, None]
    gaussian = mlp.draw_noise(rng(), params, 6, (0.5, None, None), kind="gaussian")[0]
    np.testing.assert_array_equal(gaussian, masks.gaussian(rng(), (2, 6, 3), 0.5, dtype=np.float32))
    gain, offset = mlp.draw_noise(rng(), params, 6, (None, None, rates[2]), kind="alpha")[2]
    expected = dropout.alpha_gain_and_offset(masks.bernoulli(rng(), (2, 6, 4), rates[2]), rates[2], np.float32)
    np.testing.assert_array_equal(gain, expected[0])
    np.testing.assert_array_equal(offset, expected[1])
    assert mlp.draw_noise(rng(), PARAMS, 4, [0.5, None])[0].shape == (4, 2)
    assert mlp.draw_noise(rng(), PARAMS, 0, [0.5, None])[0].shape == (0, 2)


def test_bad_noise_is_named():
    x = np.ones((4, 2))
    for rates in (0.5, (0.5,), (0.5, 0.5, 0.5)):
        message = f"rates must hold one entry for each of the 2 layers, got {rates!r}"
        with pytest.raises(ValueError, match=exactly(message)):
            mlp.draw_noise(rng(), PARAMS, 4, rates)
    with pytest.raises(ValueError, match=exactly("kind must be one of 'bernoulli', 'gaussian', 'alpha'; got 'beta'")):
        mlp.draw_noise(rng(), PARAMS, 4, (0.5, 0.5), kind="beta")
    with pytest.raises(ValueError, match=exactly("batch must be at least 0, got -1")):
        mlp.draw_noise(rng(), PARAMS, -1, (0.5, 0.5))
    _, cache = mlp.forward(PARAMS, x)
    message = exactly("noise must hold one entry for each of the 2 layers, got 1")
    with pytest.raises(ValueError, match=message):
        mlp.forward(PARAMS, x, noise=[None])
    with pytest.raises(ValueError, match=message):
        mlp.backward(PARAMS, cache, np.ones((4, 3)), noise=[None])
    for wrong in (np.ones((3, 2)), np.ones((4, 3)), np.ones((5, 3, 2))):
        message = exactly(f"noise must broadcast to the layer's input of shape (4, 2), got {wrong.shape}")
        with pytest.raises(ValueError, match=message):
            mlp.forward(PARAMS, x, noise=[wrong, None])
        with pytest.raises(ValueError, match=message):
            mlp.forward(PARAMS, x, noise=[None, (np.ones(2), wrong)])
    with pytest.raises(TypeError, match=r"^noise must hold floating-point numbers"):
        mlp.forward(PARAMS, x, noise=[x > 0, None])
    with pytest.raises(TypeError, match=r"^x must hold floating-point numbers"):
        mlp.forward(PARAMS, x.astype(int), noise=[np.ones((4, 2)), None])


def test_noise_of_another_precision_leaves_the_dtype_alone():
    r = rng()
    params = mlp.init(r, SIZES, dtype=np.float32)
    x, labels = r.standard_normal((7, 3), dtype=np.float32), r.integers(0, 2, 7)
    noise = [r.standard_normal((7, 3)), (r.standard_normal((7, 5)), r.standard_normal((7, 5))), r.standard_normal(4)]
    logits, cache = mlp.forward(params, x, noise=noise)
    assert logits.dtype == np.float32
    assert {array.dtype for pair in cache for array in pair} == {np.dtype(np.float32)}
    grads = mlp.loss_and_grads(params, x, labels, noise=noise)[1]
    assert {g.dtype for g in grads} == {np.dtype(np.float32)}


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_a_diverged_network_passes_through_noise():
    x = np.array([[np.inf, 1.0], [np.nan, 2.0]])
    _, cache = mlp.forward(PARAMS, x, noise=[np.ones(2), None])
    np.testing.assert_array_equal(cache[0][1], x)
    _, cache = mlp.forward(PARAMS, np.ones((2, 2)), noise=[np.array([1.0, np.inf]), None])
    np.testing.assert_array_equal(cache[0][1], [[1, np.inf]] * 2)
