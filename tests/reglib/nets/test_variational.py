"""Learned noise: the divergence against integration and Dawson's function, gradients by central differences, shapes."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import dawsn

from reglib import gradcheck
from reglib.nets import variational
from reglib.nets.mlp import MLP, hidden
from reglib.noise import masks
from reglib.noise.affine import Noise
from reglib.train.loop import train
from reglib.train.losses import softmax_cross_entropy
from reglib.train.optim import SGD, Adam
from reglib.train.technique import value_and_grads
from tests.conftest import exactly
from tests.statistical import assert_mean, assert_normal_variance

ALPHAS = [1e-3, 0.05, 0.3, 1.0, 4.0, 50.0]
INFINITY = 40.0  # of a standard normal number


def rng(seed=8):
    return np.random.default_rng(seed)


def expectation(function):
    """Return the mean of a function of a standard normal number; the function may be infinite at its kink."""
    weighted = lambda e: np.exp(-(e**2) / 2) / np.sqrt(2 * np.pi) * function(e)  # noqa: E731
    return lambda kink: sum(
        quad(weighted, *ends, limit=400, epsabs=1e-13)[0] for ends in ((-INFINITY, kink), (kink, INFINITY))
    )


def test_noise_by_hand():
    epsilon = np.array([[1.0, -2.0], [0.0, 3.0], [0.5, 1.0]])
    layer = variational.noise(np.log(np.array([0.25])), epsilon)
    np.testing.assert_allclose(layer, [[1.5, 0], [1, 2.5], [1.25, 1.5]], rtol=1e-15)
    units = variational.noise(np.log(np.array([0.25, 4.0])), epsilon)
    np.testing.assert_allclose(units, [[1.5, -3], [1, 7], [1.25, 3]], rtol=1e-15)
    replicas = variational.noise(np.log(np.array([[0.25], [4.0]])), np.stack([epsilon, epsilon]))
    np.testing.assert_allclose(replicas, [layer, 1 + 2 * epsilon], rtol=1e-15)


def test_noise_has_mean_one_and_variance_alpha():
    epsilon = masks.normal(rng(), (2, 400, 300), 1.0)
    noise = variational.noise(np.log(np.array([[0.2], [3.0]])), epsilon)
    for drawn, alpha in zip(noise, (0.2, 3.0), strict=True):
        assert_mean(drawn, 1, np.sqrt(alpha))
        assert_normal_variance(drawn, alpha)


@pytest.mark.parametrize("shape", [(2, 1), (2, 5)])
def test_noise_backward(shape):
    epsilon, log_alpha = rng().standard_normal((2, 3, 5)), rng(1).standard_normal(shape)
    gradcheck.check_vector(
        lambda p: variational.noise(p["log_alpha"], epsilon),
        lambda c, p: {"log_alpha": variational.noise_backward(c, p["log_alpha"], epsilon)},
        {"log_alpha": log_alpha},
        rng(2),
    )
    assert variational.noise_backward(np.ones((2, 3, 5)), log_alpha, epsilon).shape == shape


def test_a_nan_gradient_is_passed_on():
    grad = np.ones((4, 3))
    grad[1, 2] = np.nan
    slope = variational.noise_backward(grad, np.zeros(3), np.ones((4, 3)))
    np.testing.assert_array_equal(np.isnan(slope), [False, False, True])


@pytest.mark.parametrize("alpha", ALPHAS)
def test_the_divergence_is_the_expectation_that_defines_it(alpha):
    mean_log = expectation(lambda e: np.log(abs(1 + np.sqrt(alpha) * e)))(max(-1 / np.sqrt(alpha), -INFINITY))
    expected = mean_log - np.log(alpha) / 2 + (np.euler_gamma + np.log(2)) / 2
    assert variational.kl(np.log(alpha)) == pytest.approx(expected, abs=1e-9)


def test_the_constant_is_the_mean_log_of_a_normal_number():
    assert -expectation(lambda e: np.log(abs(e)))(0.0) == pytest.approx(variational.CONSTANT, abs=1e-10)


def test_the_divergence_by_simulation():
    epsilon = masks.normal(rng(), (1_000_000,), 1.0)
    logs = np.log(np.abs(1 + np.sqrt(0.5) * epsilon))
    expected = variational.kl(np.log(0.5)) + np.log(0.5) / 2 - variational.CONSTANT
    assert_mean(logs, expected, logs.std())


def test_the_slope_is_dawsons_function():
    log_alpha = np.linspace(-35, 12, 200)
    x = np.exp(-log_alpha / 2) / np.sqrt(2)
    np.testing.assert_allclose(variational.kl_gradient(log_alpha), -x * dawsn(x), rtol=1e-12, atol=1e-14)


def test_the_ends_of_the_divergence():
    small, large = np.array([-20.0, -36.0, -40.0, -500.0]), np.array([12.0, 30.0])
    line = variational.CONSTANT - small / 2
    np.testing.assert_allclose(variational.kl(small), line, rtol=1e-8)
    np.testing.assert_allclose(variational.kl(small[1:]), line[1:], rtol=1e-14)
    np.testing.assert_allclose(variational.kl_gradient(small[1:]), -0.5, rtol=1e-14)
    np.testing.assert_allclose(variational.kl(large), np.exp(-large) / 2, rtol=1e-5)
    assert (np.diff(variational.kl(np.linspace(-50, 20, 500))) < 0).all()


def test_the_cubic_by_hand_and_where_it_holds():
    c1, c2, c3 = 1.16145124, -1.50204118, 0.58629921
    assert variational.kl(0.0, "kingma") == pytest.approx(0.6351814227307391 - c1 - c2 - c3, abs=1e-12)
    log_2 = np.log(2.0)
    by_hand = 0.6351814227307391 - log_2 / 2 - 2 * c1 - 4 * c2 - 8 * c3
    assert variational.kl(log_2, "kingma") == pytest.approx(by_hand, abs=1e-12)
    inside, outside = np.linspace(-9, 0, 100), np.linspace(1, 5, 20)
    assert np.abs(variational.kl(inside, "kingma") - variational.kl(inside)).max() < 0.045
    assert np.abs(variational.kl(outside, "kingma") - variational.kl(outside)).min() > 1
    for function in (variational.kl, variational.kl_gradient):  # without bound, but without a warning
        assert function(800.0, "kingma") == -np.inf


def test_the_sigmoid_by_hand_and_where_it_holds():
    k1, gate = 0.63576, 1 / (1 + np.exp(-1.87320))
    assert variational.kl(0.0, "molchanov") == pytest.approx(k1 - k1 * gate + np.log(2) / 2, rel=1e-14)
    grid = np.linspace(-30, 30, 600)
    assert np.abs(variational.kl(grid, "molchanov") - variational.kl(grid)).max() < 0.01
    np.testing.assert_array_equal(variational.kl(np.array([800.0]), "molchanov"), 0)
    assert variational.kl(-800.0, "molchanov") == pytest.approx(400 + k1, rel=1e-12)


@pytest.mark.parametrize("form", variational.FORMS)
def test_slopes_of_the_divergence(form):
    log_alpha = np.array([-3.0, -1.0, 0.0, 0.5, 1.0])
    gradcheck.check_vector(
        lambda a: variational.kl(a, form), lambda c, a: c * variational.kl_gradient(a, form), log_alpha, rng()
    )


@pytest.mark.parametrize("function", [variational.kl, variational.kl_gradient])
@pytest.mark.parametrize("form", variational.FORMS)
def test_the_divergence_keeps_shape_and_dtype(function, form):
    log_alpha = np.array([[-1.0, 0.5]], np.float32)
    single = function(log_alpha, form)
    assert single.dtype == np.float32
    assert single.shape == (1, 2)
    np.testing.assert_allclose(single, function(log_alpha.astype(float), form), rtol=1e-5)
    assert type(function(0.5, form)) is float
    assert function(0.5, form) == function(np.array([0.5]), form)[0]
    np.testing.assert_array_equal(log_alpha, np.array([[-1.0, 0.5]], np.float32))


@pytest.mark.parametrize("function", [variational.kl, variational.kl_gradient])
def test_the_integral_is_taken_in_double_precision(function):
    log_alpha = np.linspace(-5, 5, 50, dtype=np.float32)
    np.testing.assert_array_equal(function(log_alpha), function(log_alpha.astype(float)).astype(np.float32))


def problem(sizes=(4, 6, 5, 3), replicas=(), units=False, batch=7, activation="relu"):
    """Return a network, parameters with log alphas that differ, examples, labels, and standard normal numbers."""
    draw, net = rng(3), MLP(sizes, activation)
    params = variational.start(net.init(draw, replicas=replicas), 0.3)
    for layer, width in enumerate(sizes[1:-1], start=1):
        params[f"log_alpha{layer}"] = draw.normal(size=(*replicas, width if units else 1)) - 0.5
    x, labels = draw.normal(size=(*replicas, batch, sizes[0])), draw.integers(sizes[-1], size=(*replicas, batch))
    return net, params, x, labels, [draw.standard_normal((*replicas, batch, width)) for width in sizes[1:-1]]


def log_alphas(params):
    return [array for name, array in params.items() if name.startswith("log_alpha")]


@pytest.mark.parametrize("units", [False, True])
@pytest.mark.parametrize("sizes", [(4, 6, 3), (4, 6, 5, 3)])
def test_the_objective_is_loss_plus_divergence(sizes, units):
    net, params, x, labels, epsilon = problem(sizes, units=units)
    own, strengths = {name: params[name] for name in net.names()}, log_alphas(params)
    gains = [1 + np.exp(a / 2) * e for a, e in zip(strengths, epsilon, strict=True)]
    noise = dict(zip(hidden(len(gains)), map(Noise, gains), strict=True))
    total = sum(variational.kl(np.broadcast_to(a, e.shape[-1:])).sum() for a, e in zip(strengths, epsilon, strict=True))
    value, grads = variational.loss_and_grads(net, params, x, labels, epsilon, examples=50, weight=0.5)
    loss = softmax_cross_entropy(net.logits(own, x, noise=noise), labels)[0]
    assert value == pytest.approx(loss + 0.5 / 50 * total, rel=1e-13)
    for name, gradient in value_and_grads(net, own, x, labels, noise=noise)[1].items():
        np.testing.assert_allclose(grads[name], gradient, rtol=1e-12, atol=1e-15)
    assert [(name, g.shape) for name, g in grads.items()] == [(name, p.shape) for name, p in params.items()]


def test_without_weight_only_the_loss_is_left():
    net, params, x, labels, epsilon = problem()
    value, grads = variational.loss_and_grads(net, params, x, labels, epsilon, examples=50, weight=0)
    full, full_grads = variational.loss_and_grads(net, params, x, labels, epsilon, examples=1)
    kl = [width * variational.kl(a)[0] for width, a in zip((6, 5), log_alphas(params), strict=True)]
    assert full - value == pytest.approx(sum(kl), rel=1e-12)
    for width, name in ((6, "log_alpha1"), (5, "log_alpha2")):
        expected = width * variational.kl_gradient(params[name])
        np.testing.assert_allclose(full_grads[name] - grads[name], expected, rtol=1e-9)


@pytest.mark.parametrize("activation", ["relu", "tanh", "selu"])
@pytest.mark.parametrize("form", variational.FORMS)
@pytest.mark.parametrize("units", [False, True])
def test_all_gradients_match_central_differences(activation, form, units):
    net, params, x, labels, epsilon = problem(units=units, activation=activation)

    def run(p):
        return variational.loss_and_grads(net, p, x, labels, epsilon, examples=9, weight=0.7, form=form)

    gradcheck.check(lambda p: run(p)[0], lambda p: run(p)[1], params, rng())


@pytest.mark.parametrize("units", [False, True])
@pytest.mark.parametrize("shared", [False, True])
def test_replicas_are_trained_apart(units, shared):
    net, params, x, labels, epsilon = problem(replicas=(3,), units=units)
    if shared:
        x, labels = x[0], labels[0]
    value, grads = variational.loss_and_grads(net, params, x, labels, epsilon, examples=20)
    assert value.shape == (3,)
    for s in range(3):
        one, data = {name: p[s] for name, p in params.items()}, (x, labels) if shared else (x[s], labels[s])
        alone, alone_grads = variational.loss_and_grads(net, one, *data, [e[s] for e in epsilon], examples=20)
        assert value[s] == pytest.approx(alone, rel=1e-13)
        for name, gradient in alone_grads.items():
            np.testing.assert_allclose(grads[name][s], gradient, rtol=1e-11, atol=1e-14)


def test_single_precision_stays_and_nothing_changes_in_place():
    net, params, x, labels, epsilon = problem(replicas=(2,))
    params = {name: p.astype(np.float32) for name, p in params.items()}
    epsilon, x = [e.astype(np.float32) for e in epsilon], x.astype(np.float32)
    before = [array.copy() for array in (*params.values(), *epsilon, x)]
    value, grads = variational.loss_and_grads(net, params, x, labels, epsilon, examples=20)
    assert value.dtype == np.float32
    assert {grad.dtype for grad in grads.values()} == {np.dtype(np.float32)}
    for array, kept in zip((*params.values(), *epsilon, x), before, strict=True):
        np.testing.assert_array_equal(array, kept)


def test_start_has_one_log_alpha_a_hidden_layer():
    own = MLP((4, 6, 5, 3)).init(rng(), replicas=(2,), dtype=np.float32)
    params = variational.start(own, 0.2)
    assert list(params) == [*own, "log_alpha1", "log_alpha2"]
    assert list(own) == ["w1", "b1", "w2", "b2", "w3", "b3"]
    assert all(params[name] is array for name, array in own.items())
    for log_alpha in log_alphas(params):
        assert log_alpha.shape == (2, 1)
        assert log_alpha.dtype == np.float32
        np.testing.assert_allclose(np.exp(log_alpha), 0.25, rtol=1e-6)
    for sizes in ((4, 6, 3), (4, 7, 6, 5, 3), (4, 8, 7, 6, 5, 3)):
        assert len(log_alphas(variational.start(MLP(sizes).init(rng()), 0.2))) == len(sizes) - 2


def test_it_trains_as_a_function_and_its_strengths_move():
    """A whole model in one function: `train` wants ``(params, *batch) -> loss, grads`` and no more."""
    net, params, x, labels, _ = problem(batch=30)
    draw = rng(4)

    def model(params, x, labels):
        epsilon = [masks.normal(draw, (len(x), width), 1.0) for width in (6, 5)]
        return variational.loss_and_grads(net, params, x, labels, epsilon, examples=30)

    run = train(model, params, Adam(0.02), [(x, labels)] * 100)
    assert run.losses[-20:].mean() < run.losses[:20].mean()
    assert all((run.params[name] != params[name]).all() for name in ("log_alpha1", "log_alpha2"))
    # a decay of the weights leaves the strengths alone, for their role is another one
    optimizer, zeros = SGD(0.1, weight_decay=1.0, decay_on="weight"), {name: 0 * p for name, p in params.items()}
    decayed = train(lambda p, batch: (0.0, zeros), params, optimizer, range(1)).params
    np.testing.assert_array_equal(decayed["log_alpha1"], params["log_alpha1"])
    np.testing.assert_allclose(decayed["w1"], 0.9 * params["w1"], rtol=1e-14)


def test_bad_input():
    net, params, x, labels, epsilon = problem()
    call = variational.loss_and_grads
    own = {name: params[name] for name in net.names()}
    text = "params must be a dict by name, w1, b1, w2, b2, w3, b3, log_alpha1, log_alpha2; got {}"
    swapped = own | {name: params[name] for name in ("log_alpha2", "log_alpha1")}
    extra = params | {"log_alpha3": params["log_alpha1"]}
    fewer = {name: array for name, array in params.items() if name != "log_alpha2"}
    without = {name: array for name, array in params.items() if name != "b3"}
    for wrong in (swapped, extra, fewer, without, own):
        with pytest.raises(ValueError, match=exactly(text.format(", ".join(wrong)))):
            call(net, wrong, x, labels, epsilon, examples=5)
    with pytest.raises(ValueError, match=exactly(text.format("list"))):
        call(net, list(params.values()), x, labels, epsilon, examples=5)
    message = exactly("epsilon must hold one array for each of the 2 hidden layers, got 1")
    with pytest.raises(ValueError, match=message):
        call(net, params, x, labels, epsilon[:1], examples=5)
    with pytest.raises(TypeError, match=exactly("net must be an MLP of reglib.nets.mlp, got 5")):
        call(5, params, x, labels, epsilon, examples=5)
    with pytest.raises(TypeError, match=exactly("epsilon must be a list of arrays, one a hidden layer, got 5")):
        call(net, params, x, labels, 5, examples=5)
    with pytest.raises(ValueError, match=exactly("examples must be at least 1, got 0")):
        call(net, params, x, labels, epsilon, examples=0)
    with pytest.raises(ValueError, match=exactly("weight must be a finite number in [0, inf], got -1")):
        call(net, params, x, labels, epsilon, examples=5, weight=-1)
    with pytest.raises(
        ValueError, match=exactly("log_alpha must have shape (1,) or (6,) beside epsilon of shape (7, 6); got (2,)")
    ):
        call(net, params | {"log_alpha1": np.zeros(2)}, x, labels, epsilon, examples=5)
    for function in (variational.kl, variational.kl_gradient):
        with pytest.raises(
            ValueError, match=exactly("form must be one of 'exact', 'kingma', 'molchanov'; got 'cubic'")
        ):
            function(0.0, "cubic")
        with pytest.raises(TypeError, match=r"^log_alpha must hold floating-point numbers"):
            function(np.array([1]))
        with pytest.raises(ValueError, match=r"^log_alpha must be finite, got 1 NaN"):
            function(np.array([np.nan]))
    for rate in (0, 1, -0.5):
        with pytest.raises(ValueError, match=exactly(f"rate must be a finite number in (0, 1), got {rate}")):
            variational.start(own, rate)
    for wrong in (list(own.values()), MLP((4, 3)).init(rng())):
        message = f"params must be those of an MLP with a hidden layer, a dict by name; got {type(wrong).__name__}"
        with pytest.raises(ValueError, match=exactly(message)):
            variational.start(wrong, 0.2)


def test_shapes_that_do_not_fit_are_refused():
    epsilon = np.ones((2, 4, 3))
    for shape in ((1,), (3,), (2,), (2, 4, 3), ()):
        message = f"log_alpha must have shape (2, 1) or (2, 3) beside epsilon of shape (2, 4, 3); got {shape}"
        with pytest.raises(ValueError, match=exactly(message)):
            variational.noise(np.zeros(shape), epsilon)
        with pytest.raises(ValueError, match=exactly(message)):
            variational.noise_backward(epsilon, np.zeros(shape), epsilon)
    with pytest.raises(ValueError, match=exactly("epsilon must have shape (..., B, H), got (3,)")):
        variational.noise(np.zeros(1), np.ones(3))
    with pytest.raises(ValueError, match=exactly("grad must have the shape of epsilon, (2, 4, 3); got (4, 3)")):
        variational.noise_backward(np.ones((4, 3)), np.zeros((2, 1)), epsilon)
    with pytest.raises(TypeError, match=r"^log_alpha must hold floating-point numbers"):
        variational.noise(np.zeros((2, 1), int), epsilon)
    with pytest.raises(TypeError, match=r"^epsilon must hold floating-point numbers"):
        variational.noise(np.zeros((2, 1)), epsilon.astype(int))
    with pytest.raises(TypeError, match=r"^grad must hold floating-point numbers"):
        variational.noise_backward(epsilon > 0, np.zeros((2, 1)), epsilon)
