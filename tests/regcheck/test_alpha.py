"""The exercises of Alpha dropout: solutions pass, plausible wrong answers fail, each with its own message."""

import numpy as np

from regcheck import alpha as check
from regcheck import core
from tests.regcheck.harness import Chapter

chapter = Chapter("variants/alpha.ipynb", check)


def right_a(p, limit):
    return ((1 - p) * (1 + p * limit**2)) ** -0.5


def constants(a=right_a, b=lambda a, p, limit: -a * p * limit):
    return lambda p, limit: (a(p, limit), b(right_a(p, limit), p, limit))


def applied(form):
    def answer(x, mask, p, limit):
        a = right_a(p, limit)
        return form(x, mask, a, -a * p * limit, limit)

    return answer


WRONG = {
    "constants": [
        (constants(lambda p, c: (1 - p) * (1 + p * c**2)), "variance of the bracket. What"),
        (constants(lambda p, c: 1 / ((1 - p) * (1 + p * c**2))), "square root"),
        (constants(lambda p, c: (p * (1 + (1 - p) * c**2)) ** -0.5), "exchanged keep and drop"),
        (constants(lambda p, c: 1 / (1 - p)), "ordinary dropout"),
        (constants(lambda p, c: ((1 - p) * (1 + p * abs(c))) ** -0.5), "comes in squared"),
        (constants(lambda p, c: 9.0), "Its square"),
        (constants(b=lambda a, p, c: a * p * c), "The sign"),
        (constants(b=lambda a, p, c: -p * c), "contains a"),
        (constants(b=lambda a, p, c: -a * (1 - p) * c), "probability to keep"),
        (constants(b=lambda a, p, c: 9.0), "must be 0"),
        (right_a, "must be 2 values"),
    ],
    "backward": [
        (lambda g, m, a: m * g, "stretch is missing"),
        (lambda g, m, a: a * g, "no gradient"),
        (lambda g, m, a: m * g / a, "does not divide"),
        (lambda g, m, a: a * ~m * g, "to the dropped units"),
        (lambda g, m, a: 0 * g, "once for a kept"),
    ],
    "drift": [
        (0.8, "unscaled dropout"),
        (0.25, "variance of the gate"),
        (5.0, "keep and drop exchanged"),
        (1.0, "would be alpha dropout"),
        (1.5625, "What of the others"),
        (7.0, "mean of their squares"),
    ],
    "strength": [
        (0.1048, "Now solve for p"),
        (0.4286, "of ordinary dropout"),
        (1.7529, "alpha dropout at 0.3"),
        (0.9052, "probability to keep"),
        (0.6368, "the smaller rate"),
        (0.0733, "belongs to p / q"),
        (0.1218, "too small"),
        (0.09, "three decimals"),
        (0.1, "Give three"),
        (7.0, "set them equal"),
    ],
    "where": [("a", "other way round"), ("c", "without any factor"), ("d", "blame the neighbor")],
    "alpha_dropout": [
        (applied(lambda x, m, a, b, c: np.where(m, a * x + b, c)), "without stretch and shift"),
        (applied(lambda x, m, a, b, c: a * np.where(m, x, c)), "shift is missing"),
        (applied(lambda x, m, a, b, c: a * np.where(m, x, 0) + b), "go to 0"),
        (applied(lambda x, m, a, b, c: a * np.where(m, c, x) + b), "turned around"),
        (applied(lambda x, m, a, b, c: np.where(m, a * x, c) + b), "the stretch does not"),
        (applied(lambda x, m, a, b, c: x), "another order"),
    ],
}

EQUIVALENT = {"strength": {"odds = 0.3 / 0.7 / 4.1": "the same to the three decimals that are asked for"}}

TestExercises = chapter.tests(WRONG, EQUIVALENT)


def test_three_decimals_are_asked_for():
    for right in (0.095, 0.0948, 0.09480):
        assert check.strength(right).ok
    assert check.strength(0.094).message == core.NEARLY
    assert check.strength(0.096).message == core.NEARLY
    assert "three decimals" in check.strength(0.09).message


def test_the_bug_hunt_leaves_dropped_units_behind():
    result = chapter.result("alpha_dropout", chapter.code_cell("alpha_dropout").replace("a * x + b", "b + a * x"))
    assert result.status == core.NOT_YET
    assert "still stay where they were put" in result.message
