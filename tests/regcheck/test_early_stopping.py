"""The exercises of Early stopping: solutions pass, plausible wrong answers fail, each with its own message."""

import numpy as np
import pytest

from regcheck import early_stopping as check
from tests.regcheck.harness import Chapter

chapter = Chapter("beyond/early-stopping.ipynb", check)


def keep(gain=lambda now, best, last, delta: now < best - delta, late=0, result=lambda k, best: best, reset=True):
    def answer(curve, patience, min_delta):
        best, wait, k = 0, 0, 0
        for k in range(1, len(curve)):
            if gain(curve[k], curve[best], curve[k - 1], min_delta):
                best, wait = k, 0 if reset else wait
            else:
                wait += 1
                if wait >= patience + late:
                    break
        return result(k, best)

    return answer


def descent(step, gain=None, patient=True, stops=True):
    def answer(w, X, y, held_X, held_y, rate, steps, patience):
        best, kept, wait = np.inf, w, 0
        for _ in range(steps):
            w = step(w, rate * X.T @ (X @ w - y) / len(y))
            loss = np.mean((held_y - held_X @ w) ** 2)
            if loss < best:
                best, kept, wait = loss, w if gain is None else gain(w), 0 if patient else wait
            else:
                wait += 1
            if stops and wait == patience:
                break
        return kept

    return answer


def in_place(w, change):
    w -= change
    return w


def new(w, change):
    return w - change


WRONG = {
    "factor": [
        (lambda s, r, t: (1 - r * s) ** t, "still missing"),
        (lambda s, r, t: 1 - (1 - s) ** t, "learning rate is missing"),
        (lambda s, r, t: 1 - np.exp(-r * s * t), "limit of small rates"),
        (lambda s, r, t: r * s, "one step"),
        (lambda s, r, t: r * s * t, "by the same amount"),
        (lambda s, r, t: s, "distance from the minimum"),
    ],
    "strength": [
        (lambda s, r, t: s * (1 - r * s) ** t / (1 - (1 - r * s) ** t), "Twice too much"),
        (lambda s, r, t: 1 / (2 * r * t) + 0 * s, "for weak directions"),
        (lambda s, r, t: s * (1 - (1 - r * s) ** t) / (2 * (1 - r * s) ** t), "exchanged"),
        (lambda s, r, t: (1 - r * s) ** t / (2 * (1 - (1 - r * s) ** t)), "in front is missing"),
        (lambda s, r, t: s, "solve for lambda"),
    ],
    "half": [
        (68, "a little less than half"),
        (70, "rounded up"),
        (35, "a rate of 1"),
        (50, "not halved"),
        (100, "at most one half"),
    ],
    "keep": [
        (keep(result=lambda k, best: k), "at which training stops"),
        (keep(gain=lambda now, best, last, delta: now < best), "min_delta does nothing"),
        (keep(late=99), "patience does nothing"),
        (keep(gain=lambda now, best, last, delta: now < last - delta), "not with the one before"),
        (keep(late=-1), "too early"),
        (keep(late=1), "too late"),
        (keep(reset=False), "in a row"),
        (keep(gain=lambda now, best, last, delta: now < best + delta), "has to be larger"),
        (lambda curve, patience, delta: 0, "by hand"),
        (lambda curve, patience, delta: [0, 1], "one number"),
    ],
    "updates": [
        (96, "seen less often"),
        (76.8, "wrong way round"),
        (8, "in epochs"),
        (300, "how many passes"),
    ],
    "compared": [("a", "same training images"), ("c", "allows for that"), ("d", "without stopping")],
    "best_weights": [
        (descent(in_place), "changes its argument in place"),
        (lambda w, *rest: descent(in_place)(w.copy(), *rest), "follows `w`"),
        (descent(new, patient=False), "in a row"),
        (descent(new, stops=False), "should have stopped"),
        (descent(lambda w, change: w + change), "held-out loss at each step"),
    ],
}

NEVER_KEPT = "the first loss is below infinity, so what stands here first is never kept"
EQUIVALENT = {
    "half": {"half = np.ceil(np.log(0.5) / np.log(0.99))": "69.0 is 69"},
    "keep": {
        "for k in range(0, len(curve)):": "the first look is not better than itself",
        "elif k - best == patience:": "k - best grows by one at a time",
    },
    "best_weights": {
        **{
            f"best, kept, wait = (np.inf, {first}, 0)": NEVER_KEPT
            for first in ("X", "y", "held_X", "held_y", "rate", "steps", "patience", "0 * w", "np.mean(w)", "-w")
        },
        "best, kept, wait = (np.inf, 0, w)": NEVER_KEPT,
        "best, kept, wait = (np.inf, w, 1)": NEVER_KEPT,
        "best, kept, wait = (np.inf, w, -1)": NEVER_KEPT,
        "loss = np.sum((held_y - held_X @ w) ** 2)": "the sum is smallest where the mean is",
        "loss = np.mean((held_X @ w - held_y) ** 2)": "a square has no sign",
        "if loss <= best:": "no two of these losses are equal",
        "if wait >= patience:": "wait grows by one at a time",
    },
}

TestExercises = chapter.tests(WRONG, EQUIVALENT)


@pytest.mark.parametrize("half", [69, 69.0, np.int64(69), np.ceil(np.log(2) / -np.log(0.99))])
def test_other_ways_to_say_sixty_nine(half):
    assert check.half(half).ok


def test_copies_alone_are_not_enough():
    assert not check.best_weights(descent(in_place, np.copy, patient=False)).ok
