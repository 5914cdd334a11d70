"""A problem knows its arms by name, and a hash of its data."""

import dataclasses
import re
from functools import partial

import pytest

from regbook import sequences
from regbook.task import Part
from regstudy.problem import by_name
from tests.regstudy import tiny as home


def longer(rng, length):
    """The data of the tiny task with another length."""
    drawn = (sequences.adding(rng, n, length) for n in (8, 6, 6))
    return tuple(Part(part.x, part.y) for part in drawn)


def test_arms_and_problems_are_found_by_name():
    problem = home.PROBLEMS["tiny"]
    assert [problem.arm(arm.name) for arm in problem.arms] == list(problem.arms)
    assert by_name(problem) == {"tiny": problem}


def test_the_fingerprint_sees_the_data():
    problem = home.PROBLEMS["tiny"]
    first = problem.fingerprint()
    assert re.fullmatch("[0-9a-f]{64}", first)
    for length, same in ((4, True), (5, False)):
        task = dataclasses.replace(problem.task, data=partial(longer, length=length))
        assert (dataclasses.replace(problem, task=task).fingerprint() == first) is same


def test_claims_are_about_arms_and_do_not_change_the_code():
    problem = home.PROBLEMS["tiny"]
    for claim in problem.claims:
        assert problem.arm(claim.a) is not problem.arm(claim.b)
    assert repr(dataclasses.replace(problem, claims=())) == repr(problem)
    with pytest.raises(StopIteration):
        problem.arm("nobody")
