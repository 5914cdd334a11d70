"""Frozen values: equality and hash by their numbers, also where a field is an array; what they store is theirs."""

import copy
import dataclasses
import pickle

import numpy as np
import pytest

from reglib._values import Value
from reglib.noise.kinds import Additive, Alpha, Bernoulli, Gaussian, Zoneout
from reglib.train.optim import SGD, Adam, AdamW
from reglib.weights.penalties import L1, L2, ElasticNet, GroupLasso


@dataclasses.dataclass(frozen=True, eq=False)
class Pair(Value):
    first: object
    second: object = None


@dataclasses.dataclass(frozen=True, eq=False)
class Other(Pair):
    pass


def many(*numbers):
    return np.array(numbers)


# Builders of one value each: called twice, they give two objects with the same numbers; all differ from each other.
DIFFERENT = [
    lambda: Pair(1.0),
    lambda: Pair(many(1.0)),
    lambda: Pair(many(1.0, 2.0)),
    lambda: Pair(many(1.0, 3.0)),
    lambda: Pair(many(1.0, 2.0).reshape(2, 1)),
    lambda: Pair(many(1, 2)),
    lambda: Pair(many(1.0, 2.0), "weight"),
    lambda: Pair(None, many(1.0, 2.0)),
    lambda: Other(many(1.0, 2.0)),
    lambda: Bernoulli(0.1),
    lambda: Bernoulli(many(0.1, 0.2)),
    lambda: Bernoulli(many(0.1, 0.2), -1),
    lambda: Bernoulli(many(0.1, 0.2), scaled=False),
    lambda: Bernoulli(many(0.1, 0.2), gates=4),
    lambda: Gaussian(many(0.1, 0.2)),
    lambda: Zoneout(many(0.1, 0.2)),
    lambda: Additive(many(0.1, 0.2)),
    lambda: Alpha(many(0.1, 0.2)),
    lambda: Alpha(many(0.1, 0.2), mean=0.5),
    lambda: L1(0.1),
    lambda: L1(many(0.1, 0.2)),
    lambda: L1(many(0.1, 0.2), on="all"),
    lambda: L1(many(0.1, 0.2), on=("input", "output")),
    lambda: L2(many(0.1, 0.2)),
    lambda: ElasticNet(many(0.1, 0.2), 0.1),
    lambda: ElasticNet(0.1, many(0.1, 0.2)),
    lambda: GroupLasso(0.1, [0, 1]),
    lambda: GroupLasso(0.1, [1, 0]),
    lambda: SGD(0.1),
    lambda: SGD(many(0.1, 0.2)),
    lambda: SGD(many(0.1, 0.2), momentum=many(0.5, 0.9)),
    lambda: SGD(many(0.1, 0.2), decay_on="weight"),
    lambda: Adam(many(0.1, 0.2), weight_decay=0.01),
    lambda: Adam(many(0.1, 0.2), weight_decay=0.01, epsilon_at="raw"),
    lambda: AdamW(many(0.1, 0.2)),
    lambda: AdamW(many(0.1, 0.2), beta2=many(0.9, 0.99)),
]


@dataclasses.dataclass(frozen=True, eq=False)
class Storing(Value):
    part: object

    def __post_init__(self):
        self._store("part", self.part)


def test_what_is_stored_is_a_copy_of_an_array_and_anything_else_as_it_is():
    numbers = many(1.0, 2.0)
    value = Storing(numbers)
    numbers[0] = 9
    assert numbers.flags.writeable
    assert not value.part.flags.writeable
    assert value == Storing(many(1.0, 2.0))
    for other in ("weight", (1, 2), None):
        assert Storing(other).part is other


@pytest.mark.parametrize("make", DIFFERENT)
def test_values_with_the_same_numbers_are_equal_and_hash_alike(make):
    value, again = make(), make()
    assert value is not again
    assert value == again
    assert hash(value) == hash(again)
    assert {value: "found"}[again] == "found"
    for copied in (copy.deepcopy(value), dataclasses.replace(value)):
        assert copied == value
        assert hash(copied) == hash(value)


def test_all_others_are_different():
    values = [make() for make in DIFFERENT]
    for a, one in enumerate(values):
        for b, other in enumerate(values):
            assert (one == other) is (a == b)
            assert (one != other) is (a != b)
    assert len(set(values)) == len(values)


def test_a_value_is_no_other_thing():
    value = Pair(many(1.0, 2.0))
    assert value.__eq__((many(1.0, 2.0), None)) is NotImplemented
    for other in (None, 1.0, (many(1.0, 2.0), None), "Pair"):
        assert value != other
    assert Pair(many(1.0, 2.0)) != Other(many(1.0, 2.0))


def test_numbers_that_are_the_same_however_they_were_written():
    assert Bernoulli([0.1, 0.2]) == Bernoulli(many(0.1, 0.2))
    assert Bernoulli(0) == Bernoulli(0.0) == Bernoulli(np.float32(0))
    assert Bernoulli(0.5, -1) == Bernoulli(np.array(0.5), [-1])
    assert L1(many(1, 2)) == L1(many(1.0, 2.0))
    assert L2(many(0.5, 0.25).astype(np.float32)) == L2(many(0.5, 0.25))
    assert L1(0.1, on=["input", "output"]) == L1(0.1, on=("input", "output"))
    assert GroupLasso(0.1, [0, 1]) == GroupLasso(0.1, np.array([0, 1], np.uint8))
    assert SGD([0.1, 0.2]) == SGD(many(0.1, 0.2))


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (Bernoulli, "rate"),
        (Gaussian, "rate"),
        (Additive, "std"),
        (L1, "l1"),
        (lambda groups: GroupLasso(0.1, groups), "groups"),
        (SGD, "learning_rate"),
        (lambda beta: Adam(beta1=beta), "beta1"),
    ],
)
def test_what_a_value_stores_is_its_own_and_cannot_be_changed(make, field):
    numbers = np.array([0, 1]) if field == "groups" else np.array([0.25, 0.5])
    value, hashed = make(numbers), hash(make(numbers))
    before = numbers.copy()
    numbers[:] = numbers[::-1].copy()
    np.testing.assert_array_equal(getattr(value, field), before)
    assert hash(value) == hashed
    with pytest.raises(ValueError, match=r"^assignment destination is read-only$"):
        getattr(value, field)[0] = 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, field, before)


def test_values_survive_being_sent_to_another_process():
    for make in DIFFERENT[9:]:
        assert pickle.loads(pickle.dumps(make())) == make()
