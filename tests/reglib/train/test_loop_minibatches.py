"""Mini-batches: every example once an epoch, the same ones in a second pass, rows and generators of their own."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reglib.train.loop import Minibatches, minibatches
from tests.conftest import exactly


def rng(seed=7):
    return np.random.default_rng(seed)


def test_every_epoch_passes_over_every_example_once():
    batches = list(minibatches(rng(), 10, 4, 3))
    assert [len(batch) for batch in batches] == [4, 4, 2] * 3
    for epoch in range(3):
        assert sorted(np.concatenate(batches[3 * epoch : 3 * epoch + 3])) == list(range(10))
    assert len({tuple(np.concatenate(batches[i : i + 3])) for i in (0, 3, 6)}) == 3
    assert len(list(minibatches(rng(), 10, 4))) == 3


@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 3), st.booleans())
def test_the_length_is_the_number_of_batches(n, batch_size, epochs, drop_last):
    if batch_size > n:
        return
    batches = minibatches(rng(), n, batch_size, epochs, drop_last=drop_last)
    assert len(list(batches)) == len(batches) == epochs * batches.per_epoch
    if drop_last:
        assert {len(batch) for batch in batches} == {batch_size}


def test_a_second_pass_and_the_same_seed_give_the_same_batches():
    batches = minibatches(rng(), 10, 4, 2)
    first, again, same, other = (
        list(batches),
        list(batches),
        list(minibatches(rng(), 10, 4, 2)),
        minibatches(rng(8), 10, 4),
    )
    for a, b, c in zip(first, again, same, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)
    assert first[0].tolist() != next(iter(other)).tolist()
    g = rng()
    assert minibatches(g, 10, 4).seed != minibatches(g, 10, 4).seed
    assert max(minibatches(g, 10, 4).seed for _ in range(50)) > 2**60


def test_replicas_shuffle_on_their_own():
    batches = minibatches(rng(), 6, 6, 300, replicas=(2, 3))
    orders = np.stack(list(batches))
    assert orders.shape == (300, 2, 3, 6)
    np.testing.assert_array_equal(np.sort(orders, axis=-1), np.broadcast_to(np.arange(6), orders.shape))
    assert (orders[:, 0, 0] != orders[:, 1, 2]).any()
    # each example is first in 1800 / 6 = 300 orders, standard deviation 15.8
    assert np.abs(np.bincount(orders[..., 0].ravel()) - 300).max() < 80


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("own", [False, True])
def test_each_of_a_list_of_generators_shuffles_as_it_would_alone(own, drop_last):
    rows = np.array([[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]])
    for listed in (rows, 5) if own else (5, np.array([3, 5, 9, 2, 7])):
        together = minibatches([rng(1), rng(2)], listed, 2, 3, drop_last=drop_last)
        assert len(together) == len(list(together)) == (6 if drop_last else 9)
        for s in range(2):
            mine = listed[s] if np.ndim(listed) == 2 else listed
            alone = list(minibatches(rng(1 + s), mine, 2, 3, drop_last=drop_last))
            for batch, one in zip(together, alone, strict=True):
                assert batch.shape == (2, *one.shape)
                np.testing.assert_array_equal(batch[s], one)
        for first, again in zip(together, together, strict=True):
            np.testing.assert_array_equal(first, again)


def test_rows_may_be_listed_for_all_or_for_each_replica():
    batches = list(minibatches(rng(), np.array([7, 9, 11], np.uint8), 2, 1))
    assert sorted(np.concatenate(batches)) == [7, 9, 11]
    rows = np.array([[0, 1, 2], [5, 6, 7]])
    both = np.concatenate(list(minibatches(rng(), rows, 2, 1)), axis=-1)
    np.testing.assert_array_equal(np.sort(both, axis=-1), rows)
    np.testing.assert_array_equal(rows, [[0, 1, 2], [5, 6, 7]])
    assert [b.shape for b in minibatches(rng(), rows, 2, 1)] == [(2, 2), (2, 1)]
    assert [b.shape for b in minibatches(rng(), [4, 5], 2, replicas=(3,))] == [(3, 2)]


def test_bad_batches_are_named():
    cases = [
        (
            lambda: minibatches(0, 10, 4),
            TypeError,
            "rng must be a numpy.random.Generator, for instance numpy.random.default_rng(0); got 0",
        ),
        (lambda: minibatches(rng(), 0, 4), ValueError, "rows must be at least 1, got 0"),
        (lambda: minibatches(rng(), 2.0, 1), TypeError, "rows must be an integer, got 2.0"),
        (
            lambda: minibatches(rng(), [0.5, 1.5], 1),
            TypeError,
            "rows must be a count or a non-empty integer array, got float64 of shape (2,)",
        ),
        (
            lambda: minibatches(rng(), np.zeros((2, 0), np.int64), 1),
            TypeError,
            "rows must be a count or a non-empty integer array, got int64 of shape (2, 0)",
        ),
        (lambda: minibatches(rng(), 10, 0), ValueError, "batch_size must be at least 1, got 0"),
        (lambda: minibatches(rng(), 10, 11), ValueError, "batch_size must be at most the number of rows, 10; got 11"),
        (lambda: minibatches(rng(), 10, 4, 0), ValueError, "epochs must be at least 1, got 0"),
        (lambda: minibatches(rng(), 10, 4, replicas=(0,)), ValueError, "replicas must be at least 1, got 0"),
        (
            lambda: minibatches(rng(), np.zeros((2, 3), int), 2, replicas=(2,)),
            ValueError,
            "replicas must be left out when rows has leading axes of its own; got shape (2, 3)",
        ),
        (
            lambda: minibatches([rng(), 5], 10, 4),
            TypeError,
            "rng[1] must be a numpy.random.Generator, for instance numpy.random.default_rng(0); got 5",
        ),
        *(
            (call, ValueError, f"rng must hold one generator for each of the replicas of rows; got {count}")
            for call, count in (
                (lambda: minibatches([rng()], np.zeros((2, 3), int), 2), 1),
                (lambda: minibatches([rng(), rng()], 10, 2, replicas=(2,)), 2),
                (lambda: minibatches([], 10, 2), 0),
            )
        ),
    ]
    for call, error, message in cases:
        with pytest.raises(error, match=exactly(message)):
            call()
    assert len(minibatches(rng(), 1, 1, 1, replicas=(1,))) == 1
    assert "rows" not in repr(minibatches(rng(), 5, 2))
    assert isinstance(minibatches(rng(), 5, 2), Minibatches)
    assert minibatches(rng(), 5, 2).drop_last is False
