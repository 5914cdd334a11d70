"""Masks: exact decisions from scripted bits, and statistical tests of rate, moments and independence."""

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from reglib.noise import masks
from tests.conftest import exactly
from tests.statistical import (
    assert_distribution,
    assert_independent_neighbors,
    assert_mean,
    assert_normal_variance,
    assert_probability,
)


def rng(seed=11):
    return np.random.default_rng(seed)


class Scripted(np.random.Generator):
    """A generator whose bytes and uniform numbers are given."""

    def __new__(cls, random_bytes, uniform=()):
        return super().__new__(cls, np.random.PCG64(0))

    def __init__(self, random_bytes, uniform=()):
        super().__init__(np.random.PCG64(0))
        self.bytes, self.uniform = np.asarray(random_bytes, np.uint8), np.asarray(uniform, float)

    def integers(self, high, *, size, dtype):
        assert (high, dtype) == (2**64, np.uint64), "every bit of every byte must be random"
        padded = np.zeros(8 * size, np.uint8)
        padded[: len(self.bytes)] = self.bytes
        return padded.view(np.uint64)

    def random(self, size):
        assert size == len(self.uniform)
        return self.uniform


# rate, the bytes that keep for certain, and the share of the next byte that keeps
DECISIONS = [(0.5, 128, 0.0), (0.25, 192, 0.0), (0.3, 179, 0.2), (0.999, 0, 0.256), (1 / 512, 255, 0.5)]


@pytest.mark.parametrize(("rate", "certain", "share"), DECISIONS)
def test_every_byte_is_decided_as_the_rate_demands(rate, certain, share):
    uniform = [share - 1e-9] if share else []
    kept = masks.bernoulli(Scripted(np.arange(256), uniform), (256,), rate)
    np.testing.assert_array_equal(kept, np.arange(256) < certain + (share > 0))
    if share:
        kept = masks.bernoulli(Scripted(np.arange(256), [share + 1e-9]), (256,), rate)
        np.testing.assert_array_equal(kept, np.arange(256) < certain)


def test_undecided_bytes_of_each_replica_use_its_own_rate():
    rates = np.array([0.0, 0.5, 0.3])
    random_bytes = np.array([[255, 3], [128, 127], [179, 179]])
    # undecided: the 255 of rate 0 (kept for any number), 128 of rate 0.5 (dropped for any), both 179 of rate 0.3
    generator = Scripted(random_bytes.ravel(), [0.999, 0.0, 0.19, 0.21])
    kept = masks.bernoulli(generator, (3, 2), rates)
    np.testing.assert_array_equal(kept, [[True, True], [False, True], [True, False]])


@pytest.mark.parametrize("rate", [0.05, 0.1, 1 / 3, 0.5, 0.8, 0.99])
def test_rate_and_independence(rate):
    mask = masks.bernoulli(rng(), (8, 512, 256), rate)
    assert mask.dtype == bool
    assert_probability(mask.sum(), mask.size, 1 - rate)
    for axis in range(3):
        assert_independent_neighbors(mask, axis)
    for lag in (2, 7, 8, 64):  # the bytes of one 64-bit word, and the words
        assert_independent_neighbors(mask, 2, lag)
    kept_in_a_row = mask.sum(axis=2)
    statistic = ((kept_in_a_row - 256 * (1 - rate)) ** 2).sum() / (256 * rate * (1 - rate))
    assert stats.chi2.sf(statistic, kept_in_a_row.size) > 1e-9
    assert stats.chi2.cdf(statistic, kept_in_a_row.size) > 1e-9


@pytest.mark.parametrize("rate", [2.0**-12, 2.0**-16, 2.0**-20])
def test_small_rates_are_not_rounded(rate):
    n = 2**24
    assert_probability(n - masks.bernoulli(rng(), (n,), rate).sum(), n, rate)
    assert_probability(masks.bernoulli(rng(), (n,), 1 - rate).sum(), n, rate)


def test_one_rate_a_replica():
    rates = np.array([[0.0, 0.2, 0.5], [0.1, 0.9, 0.7]])
    mask = masks.bernoulli(rng(), (2, 3, 400, 300), rates)
    assert mask[0, 0].all()
    for index in np.ndindex(rates.shape):
        assert_probability(mask[index].sum(), mask[index].size, 1 - rates[index])
    same = masks.bernoulli(rng(), (4, 100, 100), 0.5)
    assert_independent_neighbors(same, 0)


def test_a_shape_with_ones_is_drawn_as_it_stands():
    assert masks.bernoulli(rng(), (5, 1, 3), 0.5).shape == (5, 1, 3)
    assert masks.bernoulli(rng(), (0, 3), 0.3).shape == (0, 3)
    assert masks.bernoulli(rng(), (), 0.3).shape == ()
    assert masks.bernoulli(rng(), (0, 3), np.zeros(0)).shape == (0, 3)
    assert masks.bernoulli(rng(), [7], 0.3).shape == (7,)


def test_rate_zero_keeps_everything():
    assert masks.bernoulli(rng(), (100, 1000), 0).all()
    np.testing.assert_array_equal(masks.gaussian(rng(), (100, 10), 0.0), 1)


@pytest.mark.parametrize("draw", [masks.bernoulli, masks.gaussian])
def test_one_seed_gives_one_mask(draw):
    np.testing.assert_array_equal(draw(rng(3), (6, 5), 0.4), draw(rng(3), (6, 5), 0.4))
    assert (draw(rng(3), (6, 5), 0.4) != draw(rng(4), (6, 5), 0.4)).any()
    generator = rng(3)
    assert (draw(generator, (6, 5), 0.4) != draw(generator, (6, 5), 0.4)).any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.8])
def test_gaussian_moments_and_independence(rate, dtype):
    noise = masks.gaussian(rng(), (4, 200, 250), rate, dtype=dtype)
    assert noise.dtype == dtype
    std = np.sqrt(rate / (1 - rate))
    noise = noise.astype(float)
    assert_mean(noise, 1, std)
    assert_normal_variance(noise, rate / (1 - rate))
    assert_distribution(noise, stats.norm(1, std))
    for axis in range(3):
        assert_independent_neighbors(noise, axis)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_normal_moments_and_independence(dtype):
    stds = np.array([0.0, 0.3, 2.0])
    noise = masks.normal(rng(), (3, 200, 250), stds, dtype=dtype)
    assert noise.dtype == dtype
    np.testing.assert_array_equal(noise[0], 0)
    for drawn, std in zip(noise[1:].astype(float), stds[1:], strict=True):
        assert_mean(drawn, 0, std)
        assert_normal_variance(drawn, std**2)
        assert_distribution(drawn, stats.norm(0, std))
        for axis in range(2):
            assert_independent_neighbors(drawn, axis)
    expected = stds.astype(dtype)[:, None] * rng().standard_normal((3, 50), dtype=dtype)
    np.testing.assert_array_equal(masks.normal(rng(), (3, 50), stds, dtype=dtype), expected)


def test_normal_is_double_by_default_and_takes_a_shape_as_it_stands():
    assert masks.normal(rng(), (5, 1, 3), 1).shape == (5, 1, 3)
    assert masks.normal(rng(), (0, 3), 0.5).shape == (0, 3)
    assert masks.normal(rng(), (2,), 0.5).dtype == np.float64
    np.testing.assert_array_equal(masks.normal(rng(3), (4,), 0.5), 0.5 * rng(3).standard_normal(4))


def test_bad_input_of_normal():
    for wrong in (-0.1, np.nan, np.inf):
        with pytest.raises(ValueError, match=exactly(f"std must be a finite number in [0, inf], got {wrong!r}")):
            masks.normal(rng(), (2,), wrong)
    with pytest.raises(TypeError, match=exactly("std must be a real number, got '1'")):
        masks.normal(rng(), (2,), "1")
    with pytest.raises(TypeError, match=r"^rng must be a numpy\.random\.Generator"):
        masks.normal(0, (2,), 1.0)
    with pytest.raises(TypeError, match=exactly("shape must be a sequence of integers, got 3")):
        masks.normal(rng(), 3, 1.0)
    message = f"dtype must be numpy.float32 or numpy.float64, got {np.float16!r}"
    with pytest.raises(TypeError, match=exactly(message)):
        masks.normal(rng(), (2,), 1.0, dtype=np.float16)
    message = "std has shape (3,), one number a replica, so the mask must have shape (3, ...); got (2, 5)"
    with pytest.raises(ValueError, match=exactly(message)):
        masks.normal(rng(), (2, 5), np.ones(3))


def test_gaussian_has_one_rate_a_replica_and_is_double_by_default():
    rates = np.array([0.0, 0.2, 0.9])
    noise = masks.gaussian(rng(), (3, 50_000), rates)
    assert noise.dtype == np.float64
    np.testing.assert_array_equal(noise[0], 1)
    assert_normal_variance(noise[1], 0.25)
    assert_normal_variance(noise[2], 9)
    expected = 1 + np.sqrt(rates / (1 - rates))[:, None] * rng().standard_normal((3, 50_000))
    np.testing.assert_allclose(noise, expected, rtol=1e-13, atol=1e-13)


def test_gaussian_in_single_precision_multiplies_in_single_precision():
    """Its standard deviation is computed in double precision and rounded once: near rate 1 that matters."""
    rates = np.array([0.1, 0.3, 0.9, 0.999, 0.999999])
    std = np.sqrt(rates / (1 - rates)).astype(np.float32)[:, None]
    expected = std * rng().standard_normal((5, 100), dtype=np.float32) + np.float32(1)
    np.testing.assert_array_equal(masks.gaussian(rng(), (5, 100), rates, dtype=np.float32), expected)
    single = rates.astype(np.float32)
    assert abs(np.sqrt(single[-1] / (1 - single[-1])) / std[-1, 0] - 1) > 1e-3


@pytest.mark.parametrize("mask", [np.array([True, False]), np.array([1.0, 0.0]), np.array([0, 1], np.float32)])
def test_gate_lets_zeros_and_ones_through_unchanged(mask):
    assert masks.gate("mask", mask) is mask


def test_gate_names_what_is_no_mask():
    assert masks.gate("mask", True).shape == ()
    for wrong in (np.array([0, 1]), np.array([0.5, 1.0]), np.array([np.nan]), np.array([-1.0]), np.array(["1"]), None):
        message = "steps must be of bool, or of floats that are all 0 or 1 (True keeps, False drops); got "
        with pytest.raises(TypeError, match=exactly(message + str(np.asarray(wrong).dtype))):
            masks.gate("steps", wrong)


def test_noise_shape():
    assert masks.noise_shape((8, 28, 27, 3), (1, 2)) == (8, 1, 1, 3)
    assert masks.noise_shape((8, 28, 27, 3), (-3, -2)) == (8, 1, 1, 3)
    assert masks.noise_shape((8, 5, 4), 1) == (8, 1, 4)
    assert masks.noise_shape((8, 5, 4), -1) == (8, 5, 1)
    assert masks.noise_shape([8, 5, 4], ()) == (8, 5, 4)
    assert masks.noise_shape((8, 5), 0) == (1, 5)
    assert masks.noise_shape((8, 5), -2) == (1, 5)
    for wrong in (2, -3, (0, 2)):
        with pytest.raises(ValueError, match=exactly(f"shared must name axes of the shape (8, 5), got {wrong!r}")):
            masks.noise_shape((8, 5), wrong)
    with pytest.raises(TypeError, match=exactly("shared must be an integer, got 1.0")):
        masks.noise_shape((8, 5), 1.0)


@given(st.integers(1, 8), st.floats(0, 0.99))
def test_all_masks_are_different_and_their_probabilities_are_binomial(n, rate):
    every = masks.all_masks(n)
    assert every.shape == (2**n, n)
    assert every.dtype == bool
    assert len(np.unique(every, axis=0)) == 2**n
    probability = masks.probabilities(every, rate)
    for kept in range(n + 1):
        expected = comb(n, kept) * (1 - rate) ** kept * rate ** (n - kept)
        assert probability[every.sum(axis=1) == kept].sum() == pytest.approx(expected, rel=1e-11, abs=1e-300)


def test_all_masks_in_order_and_one_rate_a_unit():
    every = masks.all_masks(2)
    np.testing.assert_array_equal(every, [[False, False], [True, False], [False, True], [True, True]])
    np.testing.assert_allclose(masks.probabilities(every, np.array([0.1, 0.4])), [0.04, 0.36, 0.06, 0.54], rtol=1e-14)
    assert masks.probabilities(np.ones((3, 2, 4), bool), 0.5).shape == (3, 2)
    kept = masks.probabilities(np.ones((3, 2, 4), bool), np.array([0.1, 0.2, 0.5, 0.5]))
    np.testing.assert_allclose(kept, np.full((3, 2), 0.18), rtol=1e-14)
    assert masks.all_masks(20).shape == (2**20, 20)


@pytest.mark.parametrize("draw", [masks.bernoulli, masks.gaussian])
@pytest.mark.parametrize("rate", [-0.1, 1, 1.0, 1.5, np.nan, np.inf])
def test_rates_outside_the_interval_are_refused(draw, rate):
    with pytest.raises(ValueError, match=exactly(f"rate must be a finite number in [0, 1), got {rate!r}")):
        draw(rng(), (2,), rate)


@pytest.mark.parametrize("draw", [masks.bernoulli, masks.gaussian])
def test_what_is_no_generator_no_rate_or_no_shape_is_refused(draw):
    for wrong in (0, None, np.random.RandomState, np.random.RandomState(0)):
        message = f"rng must be a numpy.random.Generator, for instance numpy.random.default_rng(0); got {wrong!r}"
        with pytest.raises(TypeError, match=exactly(message)):
            draw(wrong, (2,), 0.5)
    for wrong in ("0.5", None, 0.5j, True):
        with pytest.raises(TypeError, match=exactly(f"rate must be a real number, got {wrong!r}")):
            draw(rng(), (2,), wrong)
    with pytest.raises(TypeError, match=exactly("shape must be a sequence of integers, got 3")):
        draw(rng(), 3, 0.5)
    with pytest.raises(TypeError, match=exactly("shape must be an integer, got 2.0")):
        draw(rng(), (2.0,), 0.5)
    with pytest.raises(ValueError, match=exactly("shape must be at least 0, got -1")):
        draw(rng(), (-1,), 0.5)
    message = "rate has shape (3,), one number a replica, so the mask must have shape (3, ...); got (2, 5)"
    with pytest.raises(ValueError, match=exactly(message)):
        draw(rng(), (2, 5), np.full(3, 0.5))


def test_other_bad_input():
    for wrong in (np.float16, np.int64):
        message = f"dtype must be numpy.float32 or numpy.float64, got {wrong!r}"
        with pytest.raises(TypeError, match=exactly(message)):
            masks.gaussian(rng(), (2,), 0.5, dtype=wrong)
    with pytest.raises(ValueError, match=exactly("n must be at most 20, for there are 2**n masks; got 21")):
        masks.all_masks(21)
    with pytest.raises(ValueError, match=exactly("n must be at least 1, got 0")):
        masks.all_masks(0)
    message = "masks must be an array of bool, (..., n); got float64 of shape (2, 3)"
    with pytest.raises(TypeError, match=exactly(message)):
        masks.probabilities(np.ones((2, 3)), 0.5)
    with pytest.raises(TypeError, match=exactly("masks must be an array of bool, (..., n); got bool of shape ()")):
        masks.probabilities(True, 0.5)
    with pytest.raises(ValueError, match=exactly("rate must be a number or have shape (3,), one a unit; got (2,)")):
        masks.probabilities(np.ones((2, 4, 3), bool), np.array([0.1, 0.2]))
    with pytest.raises(ValueError, match=r"^rate must be a finite number in \[0, 1\), got 1"):
        masks.probabilities(np.ones((2, 3), bool), 1)


@pytest.mark.parametrize("rate", [0.3, np.array([0.1, 0.5, 0.25]), 1 / 256])
def test_several_generators_draw_what_each_would_draw_alone(rate):
    together = masks.bernoulli([np.random.default_rng(s) for s in range(3)], (3, 50, 41), rate)
    for s in range(3):
        alone = masks.bernoulli(np.random.default_rng(s), (50, 41), np.broadcast_to(rate, 3)[s])
        np.testing.assert_array_equal(together[s], alone)
    with pytest.raises(ValueError, match=r"^rng must hold one generator for each of the replicas of shape \(2, 3\)"):
        masks.bernoulli([np.random.default_rng(0)], (2, 3), 0.5)
