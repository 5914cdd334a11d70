"""Learned noise: the divergence against integration and Dawson's function, gradients by central differences, shapes."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import dawsn

from reglib import gradcheck
from reglib.nets import mlp, variational
from reglib.noise import masks
from reglib.train.losses import softmax_cross_entropy
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


def problem(sizes=(4, 6, 5, 3), replicas=(), units=False, batch=7):
    """Parameters with log alphas that differ, examples, labels, and standard normal numbers."""
    draw = rng(3)
    params = variational.start(mlp.init(draw, sizes, replicas=replicas), 0.3)
    for index in range(2 * len(sizes) - 2, len(params)):
        width = sizes[index - 2 * len(sizes) + 3] if units else 1
        params[index] = draw.normal(size=(*replicas, width)) - 0.5
    x, labels = draw.normal(size=(*replicas, batch, sizes[0])), draw.integers(sizes[-1], size=(*replicas, batch))
    return params, x, labels, [draw.standard_normal((*replicas, batch, width)) for width in sizes[1:-1]]


@pytest.mark.parametrize("units", [False, True])
@pytest.mark.parametrize("sizes", [(4, 6, 3), (4, 6, 5, 3)])
def test_the_objective_is_loss_plus_divergence(sizes, units):
    params, x, labels, epsilon = problem(sizes, units=units)
    net, log_alphas = params[: 2 * len(sizes) - 2], params[2 * len(sizes) - 2 :]
    noise = [None, *(1 + np.exp(a / 2) * e for a, e in zip(log_alphas, epsilon, strict=True))]
    logits, _ = mlp.forward(net, x, noise=noise)
    total = sum(
        variational.kl(np.broadcast_to(a, e.shape[-1:])).sum() for a, e in zip(log_alphas, epsilon, strict=True)
    )
    value, grads = variational.loss_and_grads(params, x, labels, epsilon, examples=50, weight=0.5)
    assert value == pytest.approx(softmax_cross_entropy(logits, labels)[0] + 0.5 / 50 * total, rel=1e-13)
    plain = mlp.loss_and_grads(net, x, labels, noise=noise)[1]
    for ours, theirs in zip(grads[: len(net)], plain, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-15)
    assert [grad.shape for grad in grads] == [param.shape for param in params]


def test_without_weight_only_the_loss_is_left():
    params, x, labels, epsilon = problem()
    value, grads = variational.loss_and_grads(params, x, labels, epsilon, examples=50, weight=0)
    full, full_grads = variational.loss_and_grads(params, x, labels, epsilon, examples=1)
    kl = [width * variational.kl(a)[0] for width, a in zip((6, 5), params[6:], strict=True)]
    assert full - value == pytest.approx(sum(kl), rel=1e-12)
    for width, a, with_kl, without in zip((6, 5), params[6:], full_grads[6:], grads[6:], strict=True):
        np.testing.assert_allclose(with_kl - without, width * variational.kl_gradient(a), rtol=1e-9)


@pytest.mark.parametrize("activation", ["relu", "tanh", "selu"])
@pytest.mark.parametrize("form", variational.FORMS)
@pytest.mark.parametrize("units", [False, True])
def test_all_gradients_match_central_differences(activation, form, units):
    params, x, labels, epsilon = problem(units=units)

    def run(p):
        return variational.loss_and_grads(
            p, x, labels, epsilon, examples=9, weight=0.7, form=form, activation=activation
        )

    gradcheck.check(lambda p: run(p)[0], lambda p: run(p)[1], params, rng())


@pytest.mark.parametrize("units", [False, True])
def test_replicas_are_trained_apart(units):
    params, x, labels, epsilon = problem(replicas=(3,), units=units)
    value, grads = variational.loss_and_grads(params, x, labels, epsilon, examples=20)
    assert value.shape == (3,)
    for s in range(3):
        alone, alone_grads = variational.loss_and_grads(
            [p[s] for p in params], x[s], labels[s], [e[s] for e in epsilon], examples=20
        )
        assert value[s] == pytest.approx(alone, rel=1e-13)
        for ours, theirs in zip(grads, alone_grads, strict=True):
            np.testing.assert_allclose(ours[s], theirs, rtol=1e-11, atol=1e-14)


def test_single_precision_stays_and_nothing_changes_in_place():
    params, x, labels, epsilon = problem(replicas=(2,))
    params, epsilon = [p.astype(np.float32) for p in params], [e.astype(np.float32) for e in epsilon]
    x, before = x.astype(np.float32), [p.astype(np.float32) for p in params]
    value, grads = variational.loss_and_grads(params, x, labels, epsilon, examples=20)
    assert value.dtype == np.float32
    assert {grad.dtype for grad in grads} == {np.dtype(np.float32)}
    for array, kept in zip(params, before, strict=True):
        np.testing.assert_array_equal(array, kept)


def test_start_has_one_log_alpha_a_hidden_layer():
    net = mlp.init(rng(), (4, 6, 5, 3), replicas=(2,), dtype=np.float32)
    params = variational.start(net, 0.2)
    assert len(params) == 8
    for ours, theirs in zip(params, net, strict=False):
        assert ours is theirs
    for log_alpha in params[6:]:
        assert log_alpha.shape == (2, 1)
        assert log_alpha.dtype == np.float32
        np.testing.assert_allclose(np.exp(log_alpha), 0.25, rtol=1e-6)
    for sizes in ((4, 3), (4, 6, 3), (4, 7, 6, 5, 3), (4, 8, 7, 6, 5, 3)):
        net = mlp.init(rng(), sizes)
        assert len(variational.start(net, 0.2)) == len(net) + len(sizes) - 2


def test_bad_input():
    params, x, labels, epsilon = problem()
    call = variational.loss_and_grads
    with pytest.raises(ValueError, match=r"^params must be W1, b1, .* hidden layers; got 7 arrays$"):
        call(params[:-1], x, labels, epsilon, examples=5)
    with pytest.raises(ValueError, match=r"^params must be W1, b1, .* hidden layers; got 2 arrays$"):
        call(params[:2], x, labels, [], examples=5)
    message = exactly("epsilon must hold one array for each of the 2 hidden layers, got 1")
    with pytest.raises(ValueError, match=message):
        call(params, x, labels, epsilon[:1], examples=5)
    with pytest.raises(ValueError, match=exactly("examples must be at least 1, got 0")):
        call(params, x, labels, epsilon, examples=0)
    with pytest.raises(ValueError, match=exactly("weight must be a finite number in [0, inf], got -1")):
        call(params, x, labels, epsilon, examples=5, weight=-1)
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
            variational.start(params[:6], rate)


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
