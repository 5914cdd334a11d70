"""Checks of the exercises in the chapter Early stopping."""

import functools

import numpy as np

from regcheck.core import agrees, array, choice, compare, exercise, expect, near, trials


@exercise("What has been learned")
def factor(answer):
    """1 - (1 - rate * s)^steps."""
    for rng in trials():
        s, rate, steps = rng.uniform(0.05, 1, 6), rng.uniform(0.2, 0.9), int(rng.integers(2, 9))
        compare(
            answer(s, rate, steps),
            1 - (1 - rate * s) ** steps,
            {
                "That is what is still missing, not what has been learned.": (1 - rate * s) ** steps,
                "The learning rate is missing.": 1 - (1 - s) ** steps,
                "That is the limit of small rates. Take the steps as they are.": 1 - np.exp(-rate * s * steps),
                "That is one step.": rate * s,
                "What is missing shrinks by a factor at each step; it does not shrink by the same amount.": rate
                * s
                * steps,
            },
            "By which factor does the distance from the minimum shrink in one step? And in all of them?",
        )


@exercise("The strength of each direction")
def strength(answer):
    """s r^t / (2 (1 - r^t))."""
    for rng in trials():
        s, rate, steps = rng.uniform(0.05, 1, 6), rng.uniform(0.2, 0.9), int(rng.integers(2, 9))
        left = (1 - rate * s) ** steps
        compare(
            answer(s, rate, steps),
            s * left / (2 * (1 - left)),
            {
                "Twice too much: the factor of ridge has 2 lambda in it.": s * left / (1 - left),
                "That is the strength for weak directions. Here each has its own.": 1 / (2 * rate * steps) + 0 * s,
                "You exchanged what has been learned and what is missing.": s * (1 - left) / (2 * left),
                "The eigenvalue in front is missing.": left / (2 * (1 - left)),
            },
            "Set f equal to s / (s + 2 lambda) and solve for lambda.",
        )


@exercise("Half of a weak direction")
def half(answer):
    """The smallest t with 1 - 0.99^t >= 0.5."""
    near(
        answer,
        69,
        {
            "After 68 steps it is a little less than half.": 68,
            "That is ln 2 / (eta s), the limit of small rates, rounded up. One step less will do.": 70,
            "That many steps belong to a rate of 1.": 35,
            "A distance that shrinks by 1% a step is not halved after 50.": 50,
        },
        "You want the smallest t with 0.99 to the power t at most one half.",
    )


def _stop(curve, patience, delta=0.0, *, reset=True, against="best"):
    """Return the look at which training ends and the one that is kept.

    Without ``reset`` patience counts looks in all, not in a row; ``against="last"`` compares with the look before.
    """
    end, kept, wait = 0, 0, 0
    for end in range(1, len(curve)):
        if curve[end] < curve[kept if against == "best" else end - 1] - delta:
            kept, wait = end, 0 if reset else wait
        else:
            wait += 1
            if wait >= patience:
                break
    return end, kept


def _variants(curve, patience, delta):
    """Return what known mistakes keep, by what to say of them."""

    def kept(*rule, **how):
        return _stop(curve, *rule, **how)[1]

    end, _ = _stop(curve, patience, delta)
    return {
        "You return the look at which training stops; asked for is the one whose weights are kept.": end,
        "min_delta does nothing yet.": kept(patience),
        "You go on to the end of the curve; patience does nothing yet.": kept(len(curve), delta),
        "Compare with the best look, not with the one before.": kept(patience, delta, against="last"),
        "You stop one look too early.": kept(patience - 1, delta),
        "You stop one look too late.": kept(patience + 1, delta),
        "Patience counts looks in a row: after a gain it begins anew.": kept(patience, delta, reset=False),
        "A gain of min_delta or less is none: it has to be larger.": kept(patience, -delta),
    }


@exercise("A smallest gain")
def keep(answer):
    """The best look by more than min_delta, given up after patience."""
    cases = [([5.0, 4, 3, 3, 3, 2], 2, 0.5), ([3.0, 2.9, 2.8, 2.7, 2.6, 1], 9, 0.25), ([3.0, 4, 2, 5, 1], 2, 0.0)]
    cases += [([4.0, 3, 2.75, 2.5, 2.25, 2], 3, 0.25), ([2.0, 1, 3, 3, 0], 3, 0.0), ([1.0], 2, 0.0)]
    cases += [([2.0, 1.5, 1.6], 5, 0.5), ([2.0, 2, 2, 1], 3, 0.0), ([9.0, 8, 7, 6, 5, 4, 5, 3], 2, 0.0)]
    for rng in trials(20):
        cases.append((rng.random(12).round(2).tolist(), int(rng.integers(1, 5)), round(rng.uniform(0, 0.2), 2)))
    wrong, fits = [], set(_variants(*cases[0]))
    for curve, patience, delta in cases:
        got, (_, right) = answer(list(curve), patience, delta), _stop(curve, patience, delta)
        number = array(got, (), "Return one number: the look whose weights are kept, the first being 0.")
        here = {said for said, value in _variants(curve, patience, delta).items() if value == number}
        fits &= here
        if number != right:
            wrong.append((curve, patience, delta))
    if wrong:
        curve, patience, delta = wrong[0]
        known = [said for said in _variants(curve, patience, delta) if said in fits]
        other = f"Not yet. Go through the curve {curve} by hand, with patience {patience} and min_delta {delta}."
        expect(False, known[0] if known else other)


@exercise("Train again")
def updates(answer):
    """96 * 300 / 240."""
    near(
        answer,
        120,
        {
            "With as many updates as before, each image is seen less often than before.": 96,
            "That is the wrong way round: more images need more updates.": 76.8,
            "That is in epochs. Asked for is the number of updates.": 8,
        },
        "In how many passes did the first run see its images? How many updates is that with all of them?",
    )


@exercise("What was compared")
def compared(answer):
    """The learning rate was not tuned."""
    choice(
        answer,
        "b",
        {
            "a": "Both runs saw the same training images. Which of their choices was not made on validation data?",
            "c": "Twenty paired runs are few, but the interval allows for that.",
            "d": "A gain at one setting is a gain at that setting. Is it the one you would use without stopping?",
        },
    )


def _as_found(w, X, y, held_X, held_y, rate, steps, patience):
    best, kept, wait = np.inf, w, 0
    for _ in range(steps):
        w -= rate * X.T @ (X @ w - y) / len(y)
        loss = np.mean((held_y - held_X @ w) ** 2)
        if loss < best:
            best, kept = loss, w
        elif (wait := wait + 1) == patience:
            break
    return kept


def _path(w, X, y, rate, steps):
    """Return the weights after each step."""
    path = []
    for _ in range(steps):
        w = w - rate * X.T @ (X @ w - y) / len(y)
        path.append(w)
    return path


@functools.cache
def _descents(count=4):
    """Return arguments, weights of each step, end, kept look and what impatience keeps, for two kinds of descents.

    Noisy ones that stop long before the best of all steps, and nearly noiseless ones whose held-out loss goes up and
    down on its way.
    """
    stopping, swinging = [], []
    for rng in trials(400, seed=1):
        noise = 2.0 if len(stopping) < count else 0.05
        X, held_X, w, truth = (rng.standard_normal(shape) for shape in ((8, 6), (40, 6), 6, 6))
        y, held_y = (data @ truth + noise * rng.standard_normal(len(data)) for data in (X, held_X))
        rate, steps, patience = 1.97 / np.linalg.eigvalsh(X.T @ X / 8).max(), 40, int(rng.integers(2, 5))
        path = _path(w, X, y, rate, steps)
        losses = [np.mean((held_y - held_X @ each) ** 2) for each in path]
        (end, kept), (_, impatient) = (_stop(losses, patience, reset=reset) for reset in (True, False))
        one = (w, X, y, held_X, held_y, rate, steps, patience), path, end, kept, impatient
        if len(stopping) < count:
            stopping += [one] * (end < steps - 1 and kept > 0 and int(np.argmin(losses)) != kept)
        else:
            swinging += [one] * (impatient != kept and kept > 5)
        if len(swinging) == count:
            break
    return stopping + swinging


@exercise("Bug hunt: the best weights", given=_as_found)
def best_weights(answer):
    """A copy of the weights, and patience that begins anew."""
    for given, path, end, kept, impatient in _descents():
        got = array(answer(*given), given[0].shape)
        if agrees(got, path[kept]):
            continue
        expect(
            not agrees(got, path[end]),
            "What you return are the weights at the stop, not the best ones: `kept` follows `w`. Keep a copy.",
        )
        expect(
            not agrees(got, path[impatient]),
            "The weights are copies now. But count the looks without a gain: in all, or in a row?",
        )
        losses = [np.mean((given[4] - given[3] @ each) ** 2) for each in path]
        expect(
            not agrees(got, path[int(np.argmin(losses))]),
            "You keep the best of all steps. Training should have stopped before.",
        )
        expect(False, "Not the best weights before the stop yet. Print the held-out loss at each step.")
