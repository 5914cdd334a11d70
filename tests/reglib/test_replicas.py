"""Several generators, one a replica: what each draws alone, stacked."""

import numpy as np
import pytest

from reglib._replicas import drawn
from tests.conftest import exactly


def draw(rng, replicas):
    return {"w": rng.standard_normal((*replicas, 3)), "b": rng.standard_normal((*replicas, 1)).astype(np.float32)}


def rng(seed):
    return np.random.default_rng(seed)


def test_one_generator_draws_all_replicas():
    for replicas in ((), (4,), (2, 3)):
        found, expected = drawn(draw, rng(1), replicas), draw(rng(1), replicas)
        assert list(found) == ["w", "b"]
        for name, array in expected.items():
            np.testing.assert_array_equal(found[name], array)


def test_each_of_several_draws_what_it_would_draw_alone():
    found = drawn(draw, [rng(1), rng(2)], ())
    assert list(found) == ["w", "b"]
    for s, seed in enumerate((1, 2)):
        for name, array in draw(rng(seed), ()).items():
            np.testing.assert_array_equal(found[name][s], array)
            assert found[name].dtype == array.dtype
            assert found[name].shape == (2, *array.shape)


def test_what_is_wrong_is_named():
    for wrong, replicas in (([], ()), ([rng(1), rng(2)], (2,))):
        message = f"rng must be one generator, or one a replica and replicas left out; got {len(wrong)}"
        with pytest.raises(ValueError, match=exactly(message)):
            drawn(draw, wrong, replicas)
    with pytest.raises(TypeError, match=r"^rng must be a numpy.random.Generator"):
        drawn(draw, 5, ())
    with pytest.raises(ValueError, match=exactly("replicas must be at least 1, got 0")):
        drawn(draw, rng(1), (0,))
