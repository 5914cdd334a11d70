"""Kinds of noise: what they draw and make of a mask, exact means over all masks, replicas, and what must be refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reglib import gradcheck
from reglib.layers import activations
from reglib.noise import masks
from reglib.noise.affine import Noise, apply, apply_backward
from reglib.noise.kinds import ALPHA_PRIME, Additive, Alpha, Bernoulli, Gaussian, Zoneout, alpha_constants
from tests.conftest import exactly
from tests.statistical import assert_normal_variance, assert_probability

X = np.array([[1.0, -2.0, 3.0], [4.0, 5.0, -6.0]])
MASK = np.array([[True, False, True], [False, True, True]])
KEPT = np.array([[1.0, 0.0, 3.0], [0.0, 5.0, -6.0]])
WITH_MASK = [Bernoulli, Alpha, Zoneout]
# Every kind by name, made of a rate; additive noise takes it for its standard deviation.
MAKE = {
    "bernoulli": Bernoulli,
    "unscaled": lambda rate, shared=(): Bernoulli(rate, shared, scaled=False),
    "gaussian": Gaussian,
    "additive": Additive,
    "alpha": Alpha,
    "alpha of other units": lambda rate, shared=(): Alpha(rate, shared, mean=0.5, variance=2.0),
    "zoneout": Zoneout,
}
every = pytest.mark.parametrize("make", MAKE.values(), ids=MAKE)


def rng(seed=6):
    return np.random.default_rng(seed)


def same(a, b):
    """Two draws are the same numbers in the same dtype."""
    for one, other in ((a.gain, b.gain), (a.offset, b.offset)):
        assert (one is None) == (other is None)
        if one is not None:
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)


# What a mask becomes


def test_values_by_hand():
    np.testing.assert_allclose(apply(Bernoulli(0.2).given(MASK), X), KEPT * 1.25, rtol=1e-15)
    np.testing.assert_array_equal(apply(Bernoulli(0).given(MASK), X), KEPT)
    np.testing.assert_array_equal(Bernoulli(0.75).given(MASK).gain, [[4, 0, 4], [0, 4, 4]])
    np.testing.assert_array_equal(apply(Bernoulli(0.2, scaled=False).given(MASK), X), KEPT)
    np.testing.assert_array_equal(Zoneout(0.2).given(MASK).gain, [[0, 1, 0], [1, 0, 0]])
    for kind in (Bernoulli(0.75), Bernoulli(0.2, scaled=False), Zoneout(0.2)):
        assert kind.given(MASK).gain.dtype == np.float64
        assert kind.given(MASK).offset is None


def test_alpha_by_hand():
    alpha_prime = -1.0507009873554805 * 1.6732632423543772
    assert pytest.approx(alpha_prime, rel=1e-15) == ALPHA_PRIME
    a, b = alpha_constants(0.25)
    assert a == pytest.approx((0.75 * (1 + 0.25 * alpha_prime**2)) ** -0.5, rel=1e-14)
    assert b == pytest.approx(-a * 0.25 * alpha_prime, rel=1e-14)
    noise = Alpha(0.25).given(MASK)
    np.testing.assert_allclose(noise.gain, a * MASK, rtol=1e-14)
    np.testing.assert_allclose(noise.offset, np.where(MASK, b, a * alpha_prime + b), rtol=1e-14)
    assert noise.gain.dtype == noise.offset.dtype == np.float64
    np.testing.assert_allclose(apply(noise, X), a * np.where(MASK, X, alpha_prime) + b, rtol=1e-14)
    np.testing.assert_allclose(apply_backward(noise, X), a * KEPT, rtol=1e-14)
    assert alpha_constants(0) == (1, 0)
    np.testing.assert_array_equal(apply(Alpha(0).given(MASK), X), np.where(MASK, X, alpha_prime))


@pytest.mark.parametrize("kind", [Bernoulli(0.3), Bernoulli(0.3, scaled=False), Alpha(0.3), Zoneout(0.3)])
def test_a_mask_of_floats_is_a_mask(kind):
    for dtype in (np.float64, np.float32):
        same(kind.given(MASK.astype(dtype)), kind.given(MASK))


@pytest.mark.parametrize("kind", [Bernoulli(0.3), Bernoulli(0.3, scaled=False), Alpha(0.3), Zoneout(0.3)])
@pytest.mark.parametrize("shape", [(2, 3), (1, 3), (2, 1), (1, 1), ()])
def test_a_shared_mask_is_that_mask_everywhere(kind, shape):
    mask = masks.bernoulli(rng(), shape, 0.5)
    noise, full = kind.given(mask), kind.given(np.broadcast_to(mask, X.shape))
    assert noise.gain.shape == shape
    np.testing.assert_array_equal(apply(noise, X), apply(full, X))
    np.testing.assert_array_equal(apply_backward(noise, X), apply_backward(full, X))


@pytest.mark.parametrize(
    "kind", [Bernoulli(0.3), Bernoulli(0.3, scaled=False), Alpha(0.3, mean=0.5, variance=2.0), Zoneout(0.3)]
)
def test_gradients_match_central_differences(kind):
    noise = kind.given(MASK)
    gradcheck.check_vector(lambda x: apply(noise, x), lambda grad, x: apply_backward(noise, grad), X, rng())


@every
def test_gradients_of_drawn_noise_match_central_differences(make):
    noise = make(0.3).draw(rng(), X.shape)
    gradcheck.check_vector(lambda x: apply(noise, x), lambda grad, x: apply_backward(noise, grad), X, rng())


@given(st.floats(0, 0.9), st.integers(0, 2**32))
def test_the_mean_over_all_masks_is_the_input_or_what_is_expected(rate, seed):
    x = np.random.default_rng(seed).standard_normal(5)
    kept = masks.all_masks(5)
    weights, x = masks.probabilities(kept, rate), np.broadcast_to(x, kept.shape)
    outputs = apply(Bernoulli(rate).given(kept), x)
    np.testing.assert_allclose(weights @ outputs, x[0], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(weights @ (outputs - x) ** 2, x[0] ** 2 * rate / (1 - rate), rtol=1e-10, atol=1e-12)
    unscaled = Bernoulli(rate, scaled=False)
    mean = apply(unscaled.expected(), x[0])
    np.testing.assert_allclose(weights @ apply(unscaled.given(kept), x), mean, rtol=1e-10, atol=1e-12)
    zoneout = Zoneout(rate)
    new = weights @ zoneout.given(~kept).gain  # an old value stays with probability rate
    np.testing.assert_allclose(new, np.full(5, zoneout.expected().gain), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("mean", "variance"), [(0.0, 1.0), (0.4, 2.5), (-3.0, 0.1)])
@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.9])
def test_alpha_keeps_mean_and_variance(mean, variance, rate):
    values = mean + np.sqrt(variance) * np.array([1.0, -1.0])  # a distribution with these moments
    kind = Alpha(rate, mean=mean, variance=variance)
    outcomes = np.concatenate([apply(kind.given(np.full(2, kept)), values) for kept in (True, False)])
    probability = np.repeat([(1 - rate) / 2, rate / 2], 2)
    assert probability @ outcomes == pytest.approx(mean, rel=1e-12, abs=1e-12)
    assert probability @ (outcomes - mean) ** 2 == pytest.approx(variance, rel=1e-12)


def test_alpha_drops_channels_where_positions_are_shared():
    x, mask = rng().standard_normal((50, 9, 8, 7)), masks.bernoulli(rng(), (50, 1, 1, 7), 0.4)
    noise = Alpha(0.4).given(mask)
    y, grad = apply(noise, x), apply_backward(noise, x)
    a, b = alpha_constants(0.4)
    for example, channel in np.ndindex(50, 7):
        piece = (example, slice(None), slice(None), channel)
        if mask[example, 0, 0, channel]:
            np.testing.assert_allclose(y[piece], a * x[piece] + b, rtol=1e-12, atol=1e-14)
            np.testing.assert_allclose(grad[piece], a * x[piece], rtol=1e-12)
        else:
            np.testing.assert_allclose(y[piece], a * ALPHA_PRIME + b, rtol=1e-12)
            np.testing.assert_array_equal(grad[piece], 0)


def through_layers(kind, depth=32, width=200):
    """Mean and variance of SELU units after many layers with LeCun-normal weights, with noise behind each layer."""
    draw = rng()
    h = draw.standard_normal((400, width))
    for _ in range(depth):
        h = activations.selu(h @ (draw.standard_normal((width, width)) / np.sqrt(width)))
        h = apply(kind.draw(draw, h.shape), h)
    return h.mean(), h.var()


@pytest.mark.parametrize("rate", [0.1, 0.3])
def test_alpha_dropout_keeps_mean_and_variance_through_32_layers(rate):
    """Of an infinitely wide network both would be kept exactly; 200 units wander a little."""
    mean, variance = through_layers(Alpha(rate))
    assert abs(mean) < 0.1
    assert abs(variance - 1) < 0.2
    _, plain = through_layers(Bernoulli(rate))
    assert plain - 1 > 0.4


# What is drawn


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_draws_are_those_of_the_masks_bit_for_bit(dtype):
    """One mask, from the same generator in the same way, and nothing else drawn with it."""
    shape, rate = (4, 5, 6), 0.3
    mask = masks.bernoulli(rng(), shape, rate)
    scale = dtype(1 / (1 - rate))
    a, b = (dtype(constant) for constant in alpha_constants(rate))
    expected = {
        Bernoulli(rate): Noise(mask * scale),
        Bernoulli(rate, scaled=False): Noise(mask.astype(dtype)),
        Gaussian(rate): Noise(masks.gaussian(rng(), shape, rate, dtype=dtype)),
        Additive(rate): Noise(offset=masks.normal(rng(), shape, rate, dtype=dtype)),
        Alpha(rate): Noise(mask * a, np.where(mask, b, a * dtype(ALPHA_PRIME) + b)),
        Zoneout(rate): Noise(mask.astype(dtype)),
    }
    for kind, noise in expected.items():
        generator = rng()
        same(kind.draw(generator, shape, dtype), noise)
        after = rng()
        if isinstance(kind, Gaussian | Additive):
            after.standard_normal(shape, dtype)
        else:
            masks.bernoulli(after, shape, rate)
        assert generator.random() == after.random()
    np.testing.assert_array_equal(Bernoulli(rate).draw(rng(), shape).gain, mask / (1 - rate))


@every
def test_a_draw_is_double_by_default_and_follows_its_seed(make):
    one, again, other = (make(0.4).draw(rng(seed), (6, 5)) for seed in (3, 3, 4))
    same(one, again)
    part = "offset" if one.gain is None else "gain"
    assert getattr(one, part).dtype == np.float64
    assert (getattr(one, part) != getattr(other, part)).any()


def test_drawn_noise_acts_at_its_rate():
    n, rates = 100_000, np.array([0.2, 0.7])
    for kind in (Bernoulli(rates), Bernoulli(rates, scaled=False), Alpha(rates), Zoneout(rates)):
        gain = kind.draw(rng(), (2, n)).gain
        for s in range(2):
            assert_probability((gain[s] == 0).sum(), n, rates[s])
    for s, own in enumerate(Gaussian(rates).draw(rng(), (2, n)).gain):
        assert_normal_variance(own, rates[s] / (1 - rates[s]))
    for s, own in enumerate(Additive(rates).draw(rng(), (2, n)).offset):
        assert_normal_variance(own, rates[s] ** 2)


@every
def test_there_is_one_draw_along_a_shared_axis(make):
    for shared, shape in (((), (3, 4, 5, 2)), (-1, (3, 4, 5, 1)), ((-3, -2), (3, 1, 1, 2)), ((-4, -1), (1, 4, 5, 1))):
        noise = make(0.3, shared).draw(rng(), (3, 4, 5, 2))
        same(noise, make(0.3).draw(rng(), shape))
        for part in (noise.gain, noise.offset):
            assert part is None or part.shape == shape


@pytest.mark.parametrize("scaled", [True, False])
def test_each_gate_may_have_its_own_mask(scaled):
    untied = Bernoulli(0.5, gates=4, scaled=scaled)
    same(untied.draw(rng(), (3, 7, 6)), Bernoulli(0.5, scaled=scaled).draw(rng(), (3, 7, 4, 6)))
    once = Bernoulli(0.5, -2, gates=3, scaled=scaled)
    same(once.draw(rng(), (2, 3, 7, 6)), Bernoulli(0.5, scaled=scaled).draw(rng(), (2, 3, 1, 3, 6)))
    gain = untied.draw(rng(), (30, 7, 6)).gain
    assert (gain[..., 0, :] != gain[..., 1, :]).any()


def test_what_the_rounding_to_single_precision_leaves():
    """1 / (1 - rate) is computed in double precision and rounded once; 1 - 0.999999 in float32 would be 1% off."""
    ones = np.ones((1, 3), bool)
    for rate in (0.3, 0.999, 0.999999):
        exact = 1 / (1 - rate)
        for given_rate in (rate, np.array([rate]), np.float64(rate)):
            gain = Bernoulli(given_rate).given(ones, np.float32).gain
            assert gain.dtype == np.float32
            np.testing.assert_array_equal(gain, np.float32(exact))
        drawn = Bernoulli(rate).draw(rng(), (1000, 10_000), np.float32).gain
        np.testing.assert_array_equal(np.unique(drawn), np.array([0, exact], np.float32))
        std = np.sqrt(rate / (1 - rate))
        normal = rng().standard_normal((1, 3), dtype=np.float32)
        gain = Gaussian(np.array([rate])).draw(rng(), (1, 3), np.float32).gain
        np.testing.assert_array_equal(gain, np.float32(std) * normal + np.float32(1))
        a, _ = alpha_constants(rate)
        np.testing.assert_array_equal(Alpha(np.array([rate])).given(ones, np.float32).gain, np.float32(a))
        kept = Bernoulli(np.array([rate]), scaled=False).expected((1, 3))
        np.testing.assert_array_equal(apply(kept, np.ones((1, 3), np.float32)), np.float32(1 - rate))
    assert abs(1 / (1 - np.float32(0.999999)) / 1e6 - 1) > 0.01


@every
def test_float32_stays_float32(make):
    x = X.astype(np.float32)
    for noise in (make(0.3).draw(rng(), X.shape, np.float32), make(0.3).draw(rng(), X.shape), make(0.3).expected()):
        assert apply(noise, x).dtype == apply_backward(noise, x).dtype == np.float32
    drawn = make(np.array([0.3, 0.2])).draw([rng(), rng()], (2, 3), np.float32)
    assert {part.dtype for part in (drawn.gain, drawn.offset) if part is not None} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(x, X)


def test_nothing_changes_in_place():
    for kind in (Bernoulli(0.3), Bernoulli(0.3, scaled=False), Alpha(0.3), Zoneout(0.3)):
        for mask in (MASK.copy(), MASK.astype(float)):
            kind.given(mask)
            np.testing.assert_array_equal(mask, MASK)


# Replicas


@every
@pytest.mark.parametrize("shared", [(), -1, (-2, -1)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_with_a_generator_each_a_replica_draws_what_it_would_alone(make, shared, dtype):
    """Its own rate, its own numbers; a rate of 0 takes nothing from the generator, together as alone."""
    rates = np.array([0.3, 0.0, 0.6])
    together = [rng(s) for s in range(3)]
    both = make(rates, shared).draw(together, (3, 4, 5), dtype)
    for s in range(3):
        generator = rng(s)
        alone = make(rates[s], shared).draw(generator, (4, 5), dtype)
        same(Noise(*(None if part is None else part[s] for part in (both.gain, both.offset))), alone)
        assert together[s].random() == generator.random()
    plain = make(0.3, shared).draw(tuple(rng(s) for s in range(3)), (3, 4, 5), dtype)
    same(plain, make(np.full(3, 0.3), shared).draw([rng(s) for s in range(3)], (3, 4, 5), dtype))


def test_gates_with_a_generator_each():
    rates, kind = np.array([0.3, 0.6]), Bernoulli(np.array([0.3, 0.6]), -2, gates=3)
    both = kind.draw([rng(0), rng(1)], (2, 4, 7, 5)).gain
    assert both.shape == (2, 4, 1, 3, 5)
    for s in range(2):
        np.testing.assert_array_equal(both[s], Bernoulli(rates[s], -2, gates=3).draw(rng(s), (4, 7, 5)).gain)


@every
def test_nothing_is_drawn_at_rate_zero(make):
    generator = rng()
    noise = make(0).draw(generator, (4, 5))
    assert generator.random() == rng().random()
    x = rng().standard_normal((4, 5))
    np.testing.assert_allclose(apply(noise, x), x, rtol=1e-15)
    assert not make(0).acts
    assert not make(np.float64(0)).acts
    assert make(0.1).acts
    assert make(np.zeros(2)).acts, "one generator draws for all replicas, whatever their rates"


@every
def test_a_single_generator_draws_for_all_replicas_together(make):
    rates = np.array([0.3, 0.6])
    noise = make(rates).draw(rng(), (2, 4, 5))
    part, name = (noise.offset, "offset") if noise.gain is None else (noise.gain, "gain")
    raw = (
        masks.normal(rng(), (2, 4, 5), 1.0)
        if make in (Gaussian, Additive)
        else masks.bernoulli(rng(), (2, 4, 5), rates)
    )
    for s in range(2):
        if make is Gaussian:
            expected = 1 + np.sqrt(rates[s] / (1 - rates[s])) * raw[s]
        elif make is Additive:
            expected = rates[s] * raw[s]
        elif make is Zoneout:
            expected = raw[s]
        else:
            expected = getattr(make(rates[s]).given(raw[s]), name)
        np.testing.assert_allclose(part[s], expected, rtol=1e-13)


def test_one_rate_a_replica_of_given_masks():
    rates, both = np.array([0.0, 0.5]), np.stack([MASK, MASK])
    np.testing.assert_array_equal(Bernoulli(rates).given(both).gain, np.stack([MASK, 2 * MASK]))
    np.testing.assert_array_equal(Bernoulli(rates, scaled=False).given(both).gain, both)
    noise = Alpha(rates, mean=0.5, variance=2.0).given(both)
    a, b = alpha_constants(rates, mean=0.5, variance=2.0)
    for s in range(2):
        alone = Alpha(rates[s], mean=0.5, variance=2.0).given(MASK)
        np.testing.assert_allclose(noise.gain[s], alone.gain, rtol=1e-14)
        np.testing.assert_allclose(noise.offset[s], alone.offset, rtol=1e-14)
        assert (a[s], b[s]) == pytest.approx(alpha_constants(rates[s], mean=0.5, variance=2.0), rel=1e-14)
    message = "rate has shape (3,), one number a replica, so the mask must have shape (3, ...); got (2, 3)"
    for kind in (Bernoulli(np.full(3, 0.5)), Alpha(np.full(3, 0.5))):
        with pytest.raises(ValueError, match=exactly(message)):
            kind.given(MASK)


@every
def test_take_is_the_kind_of_one_replica(make):
    assert make(np.array([0.1, 0.6]), -2).take(1) == make(0.6, -2)
    assert make(0.1, -2).take(1) == make(0.1, -2)
    assert make(np.array([[0.1, 0.2], [0.3, 0.4]])).take(1) == make(np.array([0.3, 0.4]))
    assert Bernoulli(np.array([0.1, 0.6]), gates=3, scaled=False).take(0) == Bernoulli(0.1, gates=3, scaled=False)


# At inference


def test_inference_needs_no_change_where_the_mean_is_the_input():
    for kind in (Bernoulli(0.3), Gaussian(0.3), Additive(0.3), Alpha(0.3), Bernoulli(np.array([0.1, 0.2]))):
        assert kind.expected() is None
        assert kind.expected((2, 5)) is None


@pytest.mark.parametrize("make", [MAKE["unscaled"], Zoneout])
def test_the_mean_takes_the_place_of_noise_that_has_another(make):
    for shape in ((), (2, 3)):
        np.testing.assert_allclose(apply(make(0.2).expected(shape), X), 0.8 * X, rtol=1e-15)
    rates = np.array([0.0, 0.5, 0.9])
    for shape in ((3, 4), (3, 4, 5), (3, 2, 4, 6, 5)):
        x = rng().standard_normal(shape)
        y = apply(make(rates).expected(shape), x)
        for s in range(3):
            np.testing.assert_allclose(y[s], (1 - rates[s]) * x[s], rtol=1e-15)
    grid = np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]])
    gain = make(grid).expected((2, 3, 7, 5)).gain
    np.testing.assert_array_equal(gain, (1 - grid).reshape(2, 3, 1, 1))
    for shape in ((), (2, 3), (4, 3)):
        message = f"rate has shape (3,), one number a replica, so the activations must have shape (3, ...); got {shape}"
        with pytest.raises(ValueError, match=exactly(message)):
            make(rates).expected(shape)


# Bad input


@pytest.mark.parametrize("make", [MAKE["unscaled"], *WITH_MASK, Gaussian])
def test_rates_outside_the_interval_are_refused(make):
    for rate in (-0.1, 1, 1.2, 80, np.nan, np.inf):
        with pytest.raises(ValueError, match=exactly(f"rate must be a finite number in [0, 1), got {rate!r}")):
            make(rate)
    many = np.array([0.5, 1.0])
    with pytest.raises(ValueError, match=exactly(f"rate must be a finite number in [0, 1), got {many!r}")):
        make(many)
    for rate in ("0.5", None, True, 0.5j):
        with pytest.raises(TypeError, match=exactly(f"rate must be a real number, got {rate!r}")):
            make(rate)


def test_standard_deviations_may_be_large_but_not_negative():
    assert Additive(3).std == 3
    for std in (-0.1, np.nan, np.inf):
        with pytest.raises(ValueError, match=exactly(f"std must be a finite number in [0, inf], got {std!r}")):
            Additive(std)
    with pytest.raises(TypeError, match=exactly("std must be a real number, got None")):
        Additive(None)


@every
def test_shared_axes_are_counted_from_the_end(make):
    """From the front they would change their meaning with the number of replica axes."""
    assert make(0.5, -1).shared == make(0.5, [-1]).shared == make(0.5, np.array([-1])).shared == (-1,)
    for wrong in (0, 1, (-1, 0), (0,)):
        message = f"shared must hold axes counted from the end, below 0, got {wrong!r}"
        with pytest.raises(ValueError, match=exactly(message)):
            make(0.5, wrong)
    for wrong in (-1.0, "rows", None, True):
        with pytest.raises(TypeError, match=exactly(f"shared must be an integer, got {wrong!r}")):
            make(0.5, wrong)
    with pytest.raises(ValueError, match=exactly("shared must name axes of the shape (8, 5), got (-3,)")):
        make(0.5, -3).draw(rng(), (8, 5))


def test_bad_options_are_named():
    for wrong, error, message in (
        (0, ValueError, "gates must be at least 1, got 0"),
        (2.0, TypeError, "gates must be an integer, got 2.0"),
        (True, TypeError, "gates must be an integer, got True"),
    ):
        with pytest.raises(error, match=exactly(message)):
            Bernoulli(0.5, gates=wrong)
    for wrong in (1, None, "no"):
        with pytest.raises(TypeError, match=exactly(f"scaled must be True or False, got {wrong!r}")):
            Bernoulli(0.5, scaled=wrong)


@pytest.mark.parametrize("make", [alpha_constants, Alpha])
def test_bad_constants_of_alpha(make):
    for variance in (0.0, -1.0, np.inf):
        message = f"variance must be a finite number in (0, inf], got {variance!r}"
        with pytest.raises(ValueError, match=exactly(message)):
            make(0.5, variance=variance)
    with pytest.raises(ValueError, match=exactly("mean must be a finite number in [-inf, inf], got nan")):
        make(0.5, mean=np.nan)
    with pytest.raises(TypeError, match=exactly("mean must be a single number, got an array of shape (2,)")):
        make(0.5, mean=np.zeros(2))
    with pytest.raises(ValueError, match=exactly("rate must be a finite number in [0, 1), got 1")):
        make(1)


@pytest.mark.parametrize("make", WITH_MASK)
def test_masks_of_other_numbers_are_refused(make):
    for wrong, dtype in (
        (MASK.astype(np.int64), "int64"),
        (MASK * 1j, "complex128"),
        (MASK.astype(object), "object"),
        (MASK * 0.5, "float64"),
        (MASK * np.nan, "float64"),
        (MASK - 1.0, "float64"),
    ):
        message = f"mask must be of bool, or of floats that are all 0 or 1 (True keeps, False drops); got {dtype}"
        with pytest.raises(TypeError, match=exactly(message)):
            make(0.5).given(wrong)


@every
def test_bad_dtypes_generators_and_shapes_are_named(make):
    kind = make(0.5)
    for wrong in (np.float16, int, "half", "no type"):
        message = exactly(f"dtype must be numpy.float32 or numpy.float64, got {wrong!r}")
        with pytest.raises(TypeError, match=message):
            kind.draw(rng(), (2,), wrong)
        if hasattr(kind, "given"):
            with pytest.raises(TypeError, match=message):
                kind.given(MASK, wrong)
    text = "must be a numpy.random.Generator, for instance numpy.random.default_rng(0); got"
    for wrong in (0, None, np.random.RandomState):
        with pytest.raises(TypeError, match=exactly(f"rng {text} {wrong!r}")):
            kind.draw(wrong, (2,))
    with pytest.raises(TypeError, match=exactly(f"rng[1] {text} 7")):
        kind.draw([rng(), 7], (2, 3))
    for count in (0, 1, 3):
        message = f"rng must hold one generator for each of the 2 replicas, got {count}"
        with pytest.raises(ValueError, match=exactly(message)):
            kind.draw([rng()] * count, (2, 3))
    with pytest.raises(TypeError, match=exactly("shape must be a sequence of integers, got 3")):
        kind.draw(rng(), 3)
    name = "std" if make is Additive else "rate"
    message = f"{name} has shape (3,), one number a replica, so the mask must have shape (3, ...); got (2, 5)"
    with pytest.raises(ValueError, match=exactly(message)):
        make(np.full(3, 0.5)).draw(rng(), (2, 5))


def test_the_shape_of_what_is_expected():
    for kind in (Zoneout(0.25), Bernoulli(0.25, scaled=False)):
        assert kind.expected().gain.shape == kind.expected((0, 4)).gain.shape == ()
        for shape, message in (
            ((2, -1), "shape must be at least 0, got -1"),
            ((2, 0.5), "shape must be an integer, got 0.5"),
        ):
            with pytest.raises((TypeError, ValueError), match=exactly(message)):
                kind.expected(shape)


@pytest.mark.parametrize("kind", [Bernoulli(0.5), Bernoulli(0.5, scaled=False), Alpha(0.5), Zoneout(0.5)])
def test_a_mask_of_numbers_is_given_in_the_dtype_that_is_asked_for(kind):
    for mask in (MASK, MASK.astype(float), MASK.astype(np.float32)):
        same(kind.given(mask, np.float32), kind.given(MASK, np.float32))
        assert kind.given(mask, np.float32).gain.dtype == np.float32


def test_alpha_keeps_mean_and_variance_as_numbers():
    kind = Alpha(0.1, mean=1, variance=2)
    assert (type(kind.mean), type(kind.variance)) == (float, float)
    assert kind == Alpha(0.1, mean=1.0, variance=2.0)
