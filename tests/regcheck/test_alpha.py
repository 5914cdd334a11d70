"""The exercises of Alpha dropout: solutions pass, plausible wrong answers fail, each with its own message."""

import numpy as np

from regcheck import alpha as check
from regcheck import core
from tests.regcheck.harness import Chapter

chapter = Chapter("variants/alpha.ipynb", check)


def right_a(p, limit):
    return ((1 - p) * (1 + p * limit**2)) ** -0.5


def bracket(m, v, p, low):
    """The variance of the bracket."""
    return (1 - p) * (p * (low - m) ** 2 + v)


def own_a(m, v, p, low):
    return np.sqrt(v / bracket(m, v, p, low))


def own_units(a=own_a, b=lambda a, m, p, low: m - a * ((1 - p) * m + p * low)):
    """Return an answer that is right but for what is given."""

    def answer(units, p, low):
        m, v = units.mean(), units.var()
        return a(m, v, p, low), b(own_a(m, v, p, low), m, p, low)

    return answer


def applied(form):
    def answer(x, mask, p, limit):
        a = right_a(p, limit)
        return form(x, mask, a, -a * p * limit, limit)

    return answer


WRONG = {
    "own_units": [
        (own_units(a=lambda m, v, p, low: right_a(p, low)), "mean 0 and variance 1."),
        (own_units(a=lambda m, v, p, low: np.sqrt(v / bracket(0, v, p, low))), "left the mean"),
        (own_units(a=lambda m, v, p, low: own_a(m, v, 1 - p, low)), "You exchanged keep and drop."),
        (own_units(a=lambda m, v, p, low: v / bracket(m, v, p, low)), "square root"),
        (own_units(a=lambda m, v, p, low: bracket(m, v, p, low) ** -0.5), "the variance 1. It"),
        (own_units(a=lambda m, v, p, low: own_a(m, v**0.5, p, low)), "for their variance"),
        (own_units(a=lambda m, v, p, low: 1 / own_a(m, v, p, low)), "upside down"),
        (own_units(a=lambda m, v, p, low: 9.0), "Its square"),
        (own_units(b=lambda a, m, p, low: -a * ((1 - p) * m + p * low)), "has the mean 0"),
        (own_units(b=lambda a, m, p, low: m - ((1 - p) * m + p * low)), "acts after the stretch"),
        (own_units(b=lambda a, m, p, low: m - a * p * low), "that are kept"),
        (own_units(b=lambda a, m, p, low: m + a * ((1 - p) * m + p * low)), "The sign"),
        (own_units(b=lambda a, m, p, low: m - a * (p * m + (1 - p) * low)), "in the shift"),
        (own_units(b=lambda a, m, p, low: 9.0), "must be that of the units"),
        (lambda units, p, low: own_a(units.mean(), units.var(), p, low), "must be 2 values"),
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

EQUIVALENT = {
    "own_units": {
        "mean, variance, q = (np.mean(units).mean(), units.var(), 1 - rate)": "the mean of one number",
        "a = np.sqrt(variance / (q * (rate * (mean - low) ** 2 + variance)))": "a square has no sign",
    },
    "strength": {"odds = 0.3 / 0.7 / 4.1": "the same to the three decimals that are asked for"},
}

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
