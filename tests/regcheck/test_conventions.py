"""The exercises of the conventions decoder: solutions pass, wrong answers get their own message."""

import numpy as np

from regcheck import conventions
from tests.regcheck.harness import Chapter

chapter = Chapter("foundations/conventions.ipynb", conventions)
POINT = np.array([3.0, -4.0])


def slope(penalty):
    step = np.array([1e-4, 0.0])
    return (penalty(POINT + step) - penalty(POINT - step)) / 2e-4 / POINT[0]


WRONG = {
    "ridge": [
        (lambda alpha, n: alpha / n, "factor 2 is missing"),
        (lambda alpha, n: alpha / 2, "sums over the examples"),
        (lambda alpha, n: 2 * n * alpha, "other direction"),
        (lambda alpha, n: alpha, "cannot stay the same"),
        (lambda alpha, n: 2 * alpha / n, "on the wrong side"),
        (lambda alpha, n: alpha / (2 * n) + 1, "Write both objectives down"),
        (0.1, "asks for a function"),
    ],
    "twin": [("a", "acts beside the velocity"), ("b", "gradient of L2(0.02)"), ("d", "never enters the velocity")],
    "dropout": [
        (lambda x, u, p: np.where(u >= p, x / (1 - p), 0), "probability to retain"),
        (lambda x, u, p: np.where(u >= p, x / p, 0), "should be kept"),
        (lambda x, u, p: np.where(u < p, x / (1 - p), 0), "Who survives how often"),
        (lambda x, u, p: np.where(u < p, x, 0), "nothing is rescaled"),
        (lambda x, u, p: np.where(u < p, x * p, 0), "test time"),
        (lambda x, u, p: np.where(u < 1 - p, x / p, 0), "below p, not below 1 - p"),
        (lambda x, u, p: np.where(u >= 1 - p, x / p, 0), "the same numbers keep other units"),
        (lambda x, u, p: np.where(u <= p, x / p, 0), "equals p is not below"),
        (lambda x, u, p: x, "one at a time"),
    ],
    "shape": [
        (lambda s: (s[0], 1, 1, s[3]), "channels last"),
        (lambda s: (1, s[1], 1, 1), "the same channels"),
        (lambda s: (s[0], 1, 1, 1), "share one number"),
        (lambda s: s, "ordinary dropout"),
        (lambda s: (s[0], 1, s[2], s[3]), "You drop pixels"),
        (lambda s: (s[1], s[0], 1, 1), "One random number for each"),
        (lambda s: (s[0], s[1]), "array of shape (4,)"),
        (lambda s: (float(s[0]), float(s[1]), 1.0, 1.0), "whole numbers"),
    ],
    "decode": [
        (lambda penalty: 0.3, "never calls the penalty"),
        (slope, "half of it is due to the square"),
        (lambda penalty: slope(penalty) / 4, "halved once too often"),
        (lambda penalty: penalty(POINT) / 25, "Remove it first"),
        (lambda penalty: (penalty(POINT) - penalty(0 * POINT)) / 5, "divided by the norm"),
        (lambda penalty: penalty(POINT) - penalty(0 * POINT), "difference of two values"),
        (lambda penalty: penalty(POINT), "value at one w"),
        (lambda penalty: penalty(0 * POINT), "only looked at w = 0"),
        (lambda penalty: (penalty(POINT) - penalty(0 * POINT)) / 7, "It should return 0.3"),
    ],
    "paper_decay": [
        (0.0001, "a second time"),
        (0.0001 * 0.002, "other direction"),
        (0.1, "Nothing is squared"),
        (0.025, "Nothing is halved"),
        (20.0, "Upside down"),
        (0.7, "the same share of a weight"),
    ],
    "bug": [
        (lambda keep, decay, old, n: (keep, 2 * decay, old), "two things wrong"),
        (lambda keep, decay, old, n: (1 - keep, 2 * decay / n, 1 - old), "cancels the 2"),
        (lambda keep, decay, old, n: (1 - keep, decay, 1 - old), "a sum over n examples, PyTorch's a mean"),
        (lambda keep, decay, old, n: (1 - keep, decay / (2 * n), 1 - old), "twice as much"),
        (lambda keep, decay, old, n: (1 - keep, decay * n, 1 - old), "must be smaller"),
        (lambda keep, decay, old, n: (1 - keep, decay + n, 1 - old), "divide the paper's objective"),
        (lambda keep, decay, old, n: (keep, decay / n, 1 - old), "you pass the probability to keep"),
        (lambda keep, decay, old, n: (keep**2, decay / n, 1 - old), "is a unit dropped"),
        (lambda keep, decay, old, n: (1 - keep, decay / n, old), "you pass the share of the old"),
        (lambda keep, decay, old, n: (1 - keep, decay / n, old**2), "which of the two averages"),
        (lambda keep, decay, old, n: 1 - keep, "must be 3 values"),
    ],
}

EQUIVALENT = {
    "decode": {
        "w = [3.0, -4.0]": "a list is as good",
        "w = -np.array([3.0, -4.0])": "the norm is the same",
        "w = np.array([-3.0, -4.0])": "the norm is the same",
        "w = np.array([3.0, 4.0])": "the norm is the same",
        "return (penalty(-w) - penalty(np.zeros(2))) / 25": "the norm is the same",
        "return (penalty(w) - penalty(np.zeros(...))) / 25": "of any length, its norm is 0",
    },
}

TestExercises = chapter.tests(WRONG, EQUIVALENT)


def test_the_given_port_has_all_three_bugs():
    names = {}
    exec(chapter.code_cell("bug").split("check.bug")[0], names)
    given = names["port"](0.8, 3.0, 0.9, 50)
    right = {}
    exec(chapter.solution("bug"), right)
    assert all(a != b for a, b in zip(given, right["port"](0.8, 3.0, 0.9, 50), strict=True))
