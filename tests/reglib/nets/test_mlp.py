"""The MLP: its start, its forward pass by hand, its gradients by central differences."""

import numpy as np
import pytest

from reglib import gradcheck
from reglib.nets import mlp
from reglib.nets.mlp import MLP, hidden
from reglib.noise.affine import Noise
from reglib.train.losses import squared_error
from reglib.train.technique import value_and_grads
from tests.conftest import exactly

SIZES = (3, 5, 4, 2)
ACTIVATIONS = ["relu", "tanh", "sigmoid", "selu"]


def rng():
    return np.random.default_rng(4)


def problem(activation="relu", replicas=(), sizes=SIZES):
    """Return a network, and parameters whose biases are not zero."""
    net, r = MLP(sizes, activation), rng()
    params = net.init(r, replicas=replicas)
    return net, {name: p + 0.1 * r.standard_normal(p.shape) for name, p in params.items()}, r


# The start


def test_the_parameters_are_weights_and_biases_in_turn_by_name():
    params = MLP(SIZES).init(rng(), replicas=(6, 2))
    assert {name: p.shape for name, p in params.items()} == {
        "w1": (6, 2, 3, 5), "b1": (6, 2, 5), "w2": (6, 2, 5, 4), "b2": (6, 2, 4), "w3": (6, 2, 4, 2), "b3": (6, 2, 2),
    }  # fmt: skip
    assert list(params) == ["w1", "b1", "w2", "b2", "w3", "b3"]
    assert not any(params[name].any() for name in ("b1", "b2", "b3"))
    assert {p.dtype for p in params.values()} == {np.dtype(float)}
    assert [p.shape for p in MLP((3, 2)).init(rng()).values()] == [(3, 2), (2,)]
    assert (params["w1"][0] != params["w1"][1]).all()


def test_he_start_for_relu():
    w = MLP((50, 400)).init(rng())["w1"]
    # 20,000 draws: the standard deviation of their sample deviation is 0.5% of it
    assert w.std() == pytest.approx(np.sqrt(2 / 50), rel=0.025)
    assert abs(w.mean()) < 5 * np.sqrt(2 / 50 / w.size)
    np.testing.assert_array_equal(w, rng().standard_normal((50, 400)) * np.sqrt(2 / 50))
    assert np.abs(w).max() > 3 * np.sqrt(2 / 50)


def test_lecun_start_for_selu():
    w = MLP((50, 400), "selu").init(rng())["w1"]
    np.testing.assert_array_equal(w, rng().standard_normal((50, 400)) * np.sqrt(1 / 50))


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
def test_glorot_start_for_the_others(activation):
    w = MLP((50, 400), activation).init(rng())["w1"]
    bound = np.sqrt(6 / 450)
    assert -bound <= w.min() < -0.999 * bound
    assert 0.999 * bound < w.max() <= bound
    assert w.std() == pytest.approx(np.sqrt(2 / 450), rel=0.02)


# The forward pass

PARAMS = {
    "w1": np.array([[1.0, -1.0], [2.0, 0.5]]),
    "b1": np.array([0.5, -1.0]),
    "w2": np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]),
    "b2": np.array([0.0, 1.0, -1.0]),
}
NET = MLP((2, 2, 3))
X = np.array([[1.0, 1.0], [-2.0, 3.0]])


def test_forward_by_hand():
    logits, cache = NET.forward(PARAMS, X)
    expected = {"input": X, "hidden1": np.array([[3.5, 0.0], [4.5, 2.5]])}
    assert cache.before.keys() == cache.after.keys() == expected.keys()
    for place, array in expected.items():
        np.testing.assert_array_equal(cache.before[place], array)
        np.testing.assert_array_equal(cache.after[place], array)
    np.testing.assert_array_equal(logits, [[3.5, 8, 9.5], [14.5, 22.5, 27.5]])


def test_forward_with_noise_by_hand():
    noise = {"input": Noise(np.array([[2.0, 0.0]])), "hidden1": Noise(np.array([[0.0, 1.0], [2.0, -1.0]]))}
    logits, cache = NET.forward(PARAMS, X, noise=noise)
    np.testing.assert_array_equal(cache.before["input"], X)
    np.testing.assert_array_equal(cache.after["input"], [[2, 0], [-4, 0]])
    np.testing.assert_array_equal(cache.before["hidden1"], [[2.5, 0], [0, 3]])
    np.testing.assert_array_equal(cache.after["hidden1"], [[0, 0], [0, -3]])
    np.testing.assert_array_equal(logits, [[0, 1, -1], [-12, -14, -19]])
    affine = {"hidden1": Noise(np.array([[2.0, 3.0]]), np.array([[1.0, -1.0]]))}
    logits, cache = NET.forward(PARAMS, X, noise=affine)
    np.testing.assert_array_equal(cache.after["hidden1"], [[8, -1], [10, 6.5]])
    np.testing.assert_array_equal(logits, [[4, 12, 17], [36, 53.5, 68]])


@pytest.mark.parametrize(
    ("activation", "apply"),
    [("tanh", np.tanh), ("sigmoid", lambda z: 1 / (1 + np.exp(-z))), ("relu", lambda z: z * (z > 0))],
)
def test_the_activation_is_the_one_that_is_named(activation, apply):
    x = rng().standard_normal((6, 2))
    expected = apply(x @ PARAMS["w1"] + PARAMS["b1"]) @ PARAMS["w2"] + PARAMS["b2"]
    net = MLP((2, 2, 3), activation)
    np.testing.assert_allclose(net.logits(PARAMS, x), expected, rtol=1e-13)
    target = np.ones((6, 3))
    loss, _ = value_and_grads(net, PARAMS, x, target, loss=squared_error)
    assert loss == pytest.approx(squared_error(expected, target)[0])


def test_relu_is_the_default():
    assert MLP(SIZES) == MLP(SIZES, "relu") != MLP(SIZES, "tanh")
    assert MLP([3, 5, 4, 2]) == MLP(SIZES)  # sizes in a list are the same value
    assert MLP(SIZES).depth == 3


def test_the_places_are_what_comes_into_each_layer():
    params = MLP(SIZES).init(rng())
    assert MLP(SIZES).places(params, np.ones((7, 3))) == {"input": (7, 3), "hidden1": (7, 5), "hidden2": (7, 4)}
    assert MLP((3, 2)).places(MLP((3, 2)).init(rng()), np.ones((7, 3))) == {"input": (7, 3)}
    assert hidden(3) == ("hidden1", "hidden2", "hidden3")
    assert hidden(0) == ()
    with pytest.raises(ValueError, match=exactly("count must be at least 0, got -1")):
        hidden(-1)


# Gradients


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("shared", [False, True])
def test_gradients_match_central_differences(activation, shared):
    net, params, r = problem(activation, (2,))
    x = r.standard_normal((7, 3) if shared else (2, 7, 3))
    labels = r.integers(0, 2, 7 if shared else (2, 7))

    def run(p):
        return value_and_grads(net, p, x, labels)

    gradcheck.check(lambda p: run(p)[0].sum(), lambda p: run(p)[1], params, r)


def test_regression_gradients():
    net, params, r = problem(sizes=(3, 4, 2))
    x, target = r.standard_normal((5, 3)), r.standard_normal((5, 2))

    def run(p):
        return value_and_grads(net, p, x, target, loss=squared_error)

    gradcheck.check(lambda p: run(p)[0], lambda p: run(p)[1], params, r)


def test_one_layer_is_a_linear_model():
    net, params, r = problem(sizes=(3, 4))
    x = r.standard_normal((5, 3))
    np.testing.assert_allclose(net.logits(params, x), x @ params["w1"] + params["b1"], rtol=1e-14)
    grads = net.backward(params, net.forward(params, x)[1], np.ones((5, 4)))
    np.testing.assert_allclose(grads["w1"], np.repeat(x.sum(axis=0)[:, None], 4, axis=1), rtol=1e-13)
    np.testing.assert_array_equal(grads["b1"], np.full(4, 5))


NOISES = {
    "input": lambda r: {"input": Noise(r.standard_normal((2, 7, 3)))},
    "hidden": lambda r: {
        "hidden1": Noise(r.standard_normal((1, 7, 5))),
        "hidden2": Noise(r.standard_normal((2, 7, 4))),
    },
    "with zeros": lambda r: {
        "input": Noise(r.integers(0, 2, (7, 3)) * 2.0),
        "hidden1": Noise(r.integers(0, 2, (2, 7, 5)) * 2.0),
    },
    "affine": lambda r: {"hidden1": Noise(r.standard_normal((2, 7, 5)), r.standard_normal((2, 7, 5)))},
    "shared axes": lambda r: {
        "input": Noise(None, r.standard_normal((1, 3))),
        "hidden2": Noise(r.standard_normal((2, 1, 1)), np.array(0.5)),
    },
}


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("name", NOISES)
@pytest.mark.parametrize("replicas", [(), (2,)])
def test_gradients_under_noise(activation, name, replicas):
    """Noise may bring the replica axes where neither x nor the parameters have them."""
    net, params, r = problem(activation, replicas)
    x, labels, noise = r.standard_normal((7, 3)), r.integers(0, 2, 7), NOISES[name](r)

    def run(p):
        return value_and_grads(net, p, x, labels, noise=noise)

    assert {key: g.shape for key, g in run(params)[1].items()} == {key: p.shape for key, p in params.items()}
    gradcheck.check(lambda p: run(p)[0].sum(), lambda p: run(p)[1], params, r)


def test_noise_of_another_precision_is_rounded_to_that_of_the_network_first():
    r = rng()
    net, params = MLP(SIZES), MLP(SIZES).init(r, dtype=np.float32)
    x = r.standard_normal((7, 3)).astype(np.float32)
    gain, offset = r.standard_normal((7, 3)), r.standard_normal((7, 3))
    wide, narrow = Noise(gain, offset), Noise(gain.astype(np.float32), offset.astype(np.float32))
    (logits, cache), (expected, _) = (net.forward(params, x, noise={"input": noise}) for noise in (wide, narrow))
    np.testing.assert_array_equal(logits, expected)
    assert logits.dtype == np.float32
    assert {array.dtype for array in (*cache.before.values(), *cache.after.values())} == {np.dtype(np.float32)}


# Errors and what is passed on


def test_bad_options_are_named():
    with pytest.raises(ValueError, match=exactly("sizes must name an input and an output layer at least, got (3,)")):
        MLP([3])
    with pytest.raises(ValueError, match=exactly("sizes must be at least 1, got 0")):
        MLP((3, 0))
    with pytest.raises(TypeError, match=exactly("sizes must be an integer, got 2.5")):
        MLP((3, 2.5))
    wrong = exactly("activation must be one of 'relu', 'tanh', 'sigmoid', 'selu'; got 'gelu'")
    with pytest.raises(ValueError, match=wrong):
        MLP(SIZES, "gelu")
    assert MLP((1, 1)).init(rng(), replicas=(1,))["w1"].shape == (1, 1, 1)


def test_noise_that_does_not_fit_is_named():
    x = np.ones((4, 2))
    for wrong in (np.ones((3, 2)), np.ones((4, 3)), np.ones((5, 3, 2)), np.ones(2)):
        for place, part in (("input", "gain"), ("hidden1", "offset")):
            message = (
                f"the noise's {part} must have one axis for each of the activations' (4, 2), "
                f"of that length or of length 1 where it is shared; got shape {wrong.shape}"
            )
            with pytest.raises(ValueError, match=exactly(message)):
                NET.forward(PARAMS, x, noise={place: Noise(**{part: wrong})})


def test_inputs_of_another_width_are_named():
    message = "x has 3 inputs on its last axis, but w of shape (2, 2) takes 2"
    with pytest.raises(ValueError, match=exactly(message)):
        NET.forward(PARAMS, np.ones((4, 3)))


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_a_diverged_network_passes_through_noise():
    x = np.array([[np.inf, 1.0], [np.nan, 2.0]])
    _, cache = NET.forward(PARAMS, x, noise={"input": Noise(np.ones((1, 2)))})
    np.testing.assert_array_equal(cache.after["input"], x)
    _, cache = NET.forward(PARAMS, np.ones((2, 2)), noise={"input": Noise(np.array([[1.0, np.inf]]))})
    np.testing.assert_array_equal(cache.after["input"], [[1, np.inf]] * 2)


def test_places_of_inputs_that_are_none_are_named_and_those_that_are_not_finite_have_some():
    with pytest.raises(ValueError, match=exactly("x must have shape (..., B, D), got (2,)")):
        NET.places(PARAMS, np.ones(2))
    assert NET.places(PARAMS, np.full((4, 2), np.nan)) == {"input": (4, 2), "hidden1": (4, 2)}


def test_what_is_no_cache_and_no_answer_is_named():
    logits, cache = NET.forward(PARAMS, X)
    with pytest.raises(TypeError, match=exactly("cache must be that of forward, got 5")):
        NET.backward(PARAMS, 5, logits)
    with pytest.raises(TypeError, match=exactly("everything must be True or False, got 1")):
        NET.backward(PARAMS, cache, logits, everything=1)


def test_not_asked_for_the_gradient_of_the_input_is_not_computed(monkeypatch):
    logits, cache = NET.forward(PARAMS, X)
    seen, original = [], mlp.dense_backward
    monkeypatch.setattr(mlp, "dense_backward", lambda *args: (seen.append(1), original(*args))[1])
    NET.backward(PARAMS, cache, logits)
    assert len(seen) == 1
    NET.backward(PARAMS, cache, logits, everything=True)
    assert len(seen) == 3
