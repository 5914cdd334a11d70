"""Checks of random draws: every independent draw from the reader's generator passes, and no other."""

import numpy as np
import pytest

from regcheck import draws
from regcheck.core import Wrong

SHAPE = (80, 90)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("rate", [0.2, 0.4])
def test_independent_draws_pass(seed, rate):
    draws.independent(np.random.default_rng(seed).random(SHAPE) >= rate, rate)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (lambda rng: rng.random((1, 90)) >= 0.3, "All examples have the same draws"),
        (lambda rng: rng.random((80, 1)) >= 0.3, "All units share their draws"),
        (lambda rng: np.resize(rng.random((2, 90)) >= 0.3, SHAPE), "Some examples have the same draws"),
        (lambda rng: np.repeat(rng.random((80, 45)) >= 0.3, 2, axis=1), "Some units share their draws"),
        (lambda rng: rng.random(SHAPE) < 0.3, "keep and drop are exchanged"),
        (lambda rng: rng.random(SHAPE) >= 0.4, "dropped is not the rate"),
    ],
)
def test_others_are_told_what_they_are(mask, message):
    kept = np.broadcast_to(mask(np.random.default_rng(0)), SHAPE)
    with pytest.raises(Wrong, match=message):
        draws.independent(kept, 0.3)


def test_rows_and_columns_have_the_names_of_the_task():
    with pytest.raises(Wrong, match=r"^All channels share their draws\."):
        draws.independent(np.broadcast_to(np.arange(80)[:, None] % 3 > 0, SHAPE), 1 / 3, columns="channels")


def test_noise_that_is_shared_up_to_its_rounding_is_shared():
    noise = np.broadcast_to(np.random.default_rng(0).standard_normal((1, 90)), SHAPE)
    x = np.random.default_rng(1).uniform(0.5, 1.5, SHAPE)
    for dtype in (np.float32, np.float64):
        with pytest.raises(Wrong, match="All examples"):
            draws.distinct((noise * x).astype(dtype) / x)


def test_draws_come_from_the_generator():
    draws.from_generator(lambda rng: rng.random(5))
    draws.from_generator(lambda rng: (rng.random(5), [rng.random()]))
    with pytest.raises(Wrong, match="not those of rng"):
        draws.from_generator(lambda rng: np.random.default_rng(0).random(5))
    with pytest.raises(Wrong, match="from elsewhere"):
        draws.from_generator(lambda rng: rng.random(5) + np.random.default_rng().random(5))


@pytest.mark.parametrize("seed", range(20))
def test_normal_draws_are_normal(seed):
    assert draws.standard_normal(np.random.default_rng(seed).standard_normal(SHAPE))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda rng: 1.2 * rng.standard_normal(SHAPE),
        lambda rng: 0.2 + rng.standard_normal(SHAPE),
        lambda rng: rng.uniform(-(3**0.5), 3**0.5, SHAPE),
        lambda rng: rng.choice([-1.0, 1.0], SHAPE),
    ],
)
def test_other_draws_are_not(wrong):
    assert not draws.standard_normal(wrong(np.random.default_rng(0)))
