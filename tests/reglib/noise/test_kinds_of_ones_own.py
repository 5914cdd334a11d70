"""What every kind of noise gets from `reglib.noise.kinds.Kind`: its numbers, one a replica or one for all."""

from dataclasses import dataclass

import numpy as np
import pytest

from reglib.noise.kinds import Bernoulli, Kind
from tests.conftest import exactly


@dataclass(frozen=True, eq=False)
class Both(Kind):
    """A kind with two numbers, to see what all kinds share."""

    rate: float = 0.0
    std: float = 0.0
    shared: tuple = ()

    numbers = ("rate", "std")


def test_two_numbers_are_plain_or_one_a_replica_alike():
    several = np.array([0.1, 0.2])
    assert Both(several, 0.5).take(1) == Both(0.2, 0.5)
    assert Both(several, several).take(0) == Both(0.1, 0.1)
    assert Both(0.1, 0.2).take(7) == Both(0.1, 0.2)
    assert Both(0.0, several).acts
    message = "rate and std must be plain numbers or of one shape, one a replica"
    with pytest.raises(ValueError, match=exactly(message)):
        Both(several, np.array([0.1, 0.2, 0.3]))


def test_a_replica_that_is_not_there_is_named():
    for kind in (Bernoulli(np.array([0.1, 0.6])), Both(0.1, np.array([0.1, 0.6]))):
        with pytest.raises(ValueError, match=exactly("replica must be below 2, the number of replicas; got 2")):
            kind.take(2)
    for kind in (Bernoulli(np.array([0.1, 0.6])), Bernoulli(0.5)):
        with pytest.raises(ValueError, match=exactly("replica must be at least 0, got -1")):
            kind.take(-1)
