"""The exercises of State dropout: solutions pass, plausible wrong answers fail, each with its own message."""

import numpy as np
import pytest

from regcheck import core
from regcheck import state as check
from tests.regcheck.harness import Chapter

chapter = Chapter("variants/state.ipynb", check)


def moments(mean=None, square=None, mean_once=None, square_once=None):
    """Return a solution with some of its four formulas replaced; each takes p, phi and T."""

    def answer(p, forget, steps, once):
        q = 1 - p
        kept = (forget / q) ** steps
        right = (
            (mean, forget**steps),
            (square, (forget**2 / q) ** steps),
            (mean_once, q * kept),
            (square_once, q * kept**2),
        )
        values = [value if wrong is None else wrong(p, forget, steps) for wrong, value in right]
        return tuple(values[2:] if once else values[:2])

    return answer


def backward(d_h=None, d_c=None):
    """Return a solution with one of its two lines replaced; each takes what the reader's function takes."""

    def answer(grad_y, next_h, next_c, m_h, m_c, o, c):
        given = {"y": grad_y, "h": next_h, "c": next_c, "m_h": m_h, "m_c": m_c, "o": o, "memory": c}
        given |= {"slope": 1 - np.tanh(c) ** 2, "d_h": grad_y + m_h * next_h}
        first = given["d_h"] if d_h is None else d_h(given)
        second = m_c * next_c + given["d_h"] * o * given["slope"] if d_c is None else d_c(given)
        return first, second

    return answer


def memory(per_example=True, factor=lambda p: 1.0, end=lambda p: 1 / (1 - p), draw_again=False, shape=lambda c: c):
    """Return the leaky memory with its choices left open."""

    def answer(x, forget, rate, rng):
        rows = len(x) if per_example else 1

        def draw():
            return (rng.random((rows, x.shape[2])) >= rate) * factor(rate)

        mask, c = draw(), np.zeros((len(x), x.shape[2]))
        for t in range(x.shape[1]):
            c = (forget * c + x[:, t]) * (draw() if draw_again else mask)
        return shape(c * end(rate))

    return answer


WRONG = {
    "moments": [
        (moments(mean=lambda p, f, n: ((1 - p) * f) ** n), "that mean belongs to plain masks. The"),
        (moments(mean=lambda p, f, n: (f / (1 - p)) ** n), "inverted factor is 1, not"),
        (moments(mean=lambda p, f, n: f), "acts at each step"),
        (moments(mean=lambda p, f, n: (f * (1 - p) / p) ** n), "exchanged keep and drop"),
        (moments(mean=lambda p, f, n: 0.0), "What is the mean of one step"),
        (lambda *given: moments()(*given)[::-1], "another order"),
        (moments(square=lambda p, f, n: f ** (2 * n)), "new mask: that is the square of the mean"),
        (moments(square=lambda p, f, n: ((1 - p) * f**2) ** n), "mean square belongs to plain"),
        (moments(square=lambda p, f, n: (f / (1 - p)) ** n), "has to be squared"),
        (moments(square=lambda p, f, n: (f / (1 - p)) ** (2 * n)), "Square, then average"),
        (moments(square=lambda p, f, n: (f**2 / (1 - p)) ** n - f ** (2 * n)), "the variance"),
        (moments(square=lambda p, f, n: 0.0), "mean of a squared factor"),
        (moments(mean_once=lambda p, f, n: f**n), "returned what a new mask"),
        (moments(mean_once=lambda p, f, n: (f / (1 - p)) ** n), "those that are dropped"),
        (moments(mean_once=lambda p, f, n: (1 - p) * f**n), "belongs to a plain mask."),
        (moments(mean_once=lambda p, f, n: 0.0), "after all the steps"),
        (
            moments(square_once=lambda p, f, n: ((1 - p) * (f / (1 - p)) ** n) ** 2),
            "one mask: that is the square of the",
        ),
        (moments(square_once=lambda p, f, n: (f / (1 - p)) ** (2 * n)), "How likely is it"),
        (moments(square_once=lambda p, f, n: (f**2 / (1 - p)) ** n), "mean square for a new mask"),
        (moments(square_once=lambda p, f, n: 0.0), "how likely is each"),
    ],
    "half_life": [
        (4.4, "two decimals"),
        (5.0, "whole steps"),
        (np.log(0.5) / np.log(0.95), "without any mask"),
        (np.log(0.5) / np.log(0.9), "open forget gate"),
        (np.log(0.5) / np.log(0.9 * 0.95**2), "mean square"),
        (np.log(0.5) / np.log(0.095), "drop rate for the keep"),
        (-1 / np.log(0.855), "1/e"),
        (10.0, "How often"),
    ],
    "threshold": [
        (0.9, "Which bias"),
        (-np.log(9), "drop rate for the keep"),
        (np.log(0.9), "not an exponential"),
        (0.0, "far from the border"),
        (np.log(0.9**0.5 / (1 - 0.9**0.5)), "mean square"),
        (5.0, "invert the logistic"),
    ],
    "backward": [
        (backward(d_h=lambda g: g["y"] + g["h"]), "the mask is missing"),
        (backward(d_h=lambda g: g["m_h"] * (g["y"] + g["h"])), "from above has none"),
        (backward(d_h=lambda g: g["m_h"] * g["h"]), "layer above is missing"),
        (backward(d_h=lambda g: g["y"] + g["m_c"] * g["h"]), "the mask of c"),
        (backward(d_h=lambda g: 0 * g["y"]), "Where does h go"),
        (backward(d_c=lambda g: g["c"] + g["d_h"] * g["o"] * g["slope"]), "carried memory is missing"),
        (backward(d_c=lambda g: g["m_c"] * g["c"]), "path through the output is missing"),
        (backward(d_c=lambda g: g["m_c"] * (g["c"] + g["d_h"] * g["o"] * g["slope"])), "not on the path"),
        (backward(d_c=lambda g: g["m_c"] * g["c"] + g["d_h"] * g["o"]), "slope of tanh"),
        (backward(d_c=lambda g: g["m_c"] * g["c"] + g["d_h"] * g["slope"]), "output gate"),
        (backward(d_c=lambda g: g["m_c"] * g["c"] + g["y"] * g["o"] * g["slope"]), "both its parts"),
        (backward(d_c=lambda g: g["m_c"] * g["c"] + g["d_h"] / (1 + np.exp(-g["o"])) * g["slope"]), "after sigma"),
        (
            backward(d_c=lambda g: g["m_c"] * g["c"] + g["d_h"] * g["o"] * (1 - g["memory"] ** 2)),
            "tanh is still to be taken",
        ),
        (
            backward(d_c=lambda g: g["m_c"] * g["c"] + g["d_h"] * g["o"] * (1 - np.tanh(g["m_c"] * g["memory"]) ** 2)),
            "before its mask",
        ),
        (lambda *given: backward()(*given)[::-1], "another order"),
        (backward(d_c=lambda g: 0 * g["y"]), "Where does c go"),
    ],
    "zoneout": [
        (lambda old, new, zone: (1 - np.multiply(zone, 1.0)) * old + zone * new, "keeps the new one there"),
        (lambda old, new, zone: (1 - np.multiply(zone, 1.0)) * new, "That is dropout"),
        (lambda old, new, zone: new + zone * old, "instead of taking its place"),
        (lambda old, new, zone: old, "elsewhere the new"),
        (lambda old, new, zone: np.where(zone, old, new), "one of the two values"),
        (lambda old, new, zone: zone * old + ~zone * new, "works for bools alone"),
        (lambda old, new, zone: np.where(np.equal(zone, True), old, new), "the new value alone"),
        (
            lambda old, new, zone: np.where(zone, old, new) if np.ndim(zone) else (1 - zone) * old + zone * new,
            "weights are exchanged",
        ),
        (
            lambda old, new, zone: (
                np.where(zone, old, new) if np.ndim(zone) else (zone * old + (1 - zone) * new) / (1 - zone)
            ),
            "divided by q",
        ),
        (lambda old, new, zone: np.where(zone, old, new) if np.ndim(zone) else 0 * old, "mean over the draws"),
    ],
    "highest_rate": [
        (lambda steps, share: share ** (1 / steps), "probability to keep"),
        (lambda steps, share: 1 - share, "one mask a sequence"),
        (lambda steps, share: 1 - share**steps, "it is a root"),
        (lambda steps, share: (1 - share) / steps, "the shares multiply"),
        (lambda steps, share: -np.log(share) / steps, "too high"),
        (lambda steps, share: 1 / steps, "about 1/e"),
        (lambda steps, share: 1 - share ** (1 / (steps - 1)), "after one step, after two"),
    ],
    "memory": [
        (memory(per_example=False, factor=lambda p: 1 / (1 - p), end=lambda p: 1.0), "mask for each"),
        (memory(factor=lambda p: 1 / (1 - p), end=lambda p: 1.0), "at every step"),
        (memory(end=lambda p: 1.0), "has no factor"),
        (memory(draw_again=True), "the same at all steps"),
        (memory(end=lambda p: 1 / p), "exchanged keep and drop"),
        (memory(end=lambda p: 1 / (1 - p) ** 2), "there twice"),
        (memory(shape=lambda c: c[0]), "(batch, units)"),
        (lambda x, forget, rate, rng: np.ones((len(x), x.shape[2])), "and not all"),
    ],
}

EQUIVALENT = {
    "backward": {"d_c = m_c * next_c + d_h * o * (1 - np.tanh(-c) ** 2)": "its square is the same"},
    "memory": {
        "mask = rng.random((x.shape[0], x.shape[2])) > rate": "a draw that equals the rate has probability 2 ** -53",
    },
}

TestExercises = chapter.tests(WRONG, EQUIVALENT)


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda rng, shape: np.random.default_rng(0).random(shape), "not those of rng"),
        (lambda rng, shape: np.random.default_rng().random(shape), "comes from elsewhere"),
        (lambda rng, shape: rng.random((shape[0], 1)), "All units share their draws"),
        (lambda rng, shape: np.resize(rng.random((2, shape[1])), shape), "Some examples have the same draws"),
        (lambda rng, shape: rng.random(shape) ** 2, "not the rate"),
    ],
)
def test_masks_that_are_not_independent_draws_are_told_apart(draw, message):
    def answer(x, forget, rate, rng):
        shape = (len(x), x.shape[2])
        mask = (draw(rng, shape) >= rate) + np.zeros(shape)
        c = np.zeros(shape)
        for t in range(x.shape[1]):
            c = (forget * c + x[:, t]) * mask
        return c / (1 - rate)

    assert message in check.memory(answer).message


def test_the_scaling_may_come_with_the_last_step_or_be_taken_out_of_the_others():
    def last(x, forget, rate, rng):
        kept = rng.random((len(x), x.shape[2])) >= rate
        return kept * sum(forget ** (x.shape[1] - 1 - t) * x[:, t] for t in range(x.shape[1])) / (1 - rate)

    assert check.memory(last).ok


def test_two_decimals_are_asked_for():
    for right in (4.42, 4.425, np.float32(4.4247)):
        assert check.half_life(right).ok
    for wrong in (4.43, 4.41, 4.4):
        assert check.half_life(wrong).status == core.NOT_YET
    assert check.threshold(2.2).ok
    assert check.threshold(2.21).status == core.NOT_YET


def test_zoneout_with_a_method_that_a_number_does_not_have():
    result = check.zoneout(lambda old, new, zone: np.where(zone, old, new) + 0 * zone.astype(int))
    assert result.status == core.NOT_YET
    assert "works for bools alone" in result.message


def test_a_share_that_is_not_the_rate():
    def answer(x, forget, rate, rng):
        return memory()(x, forget, 1 - rate, rng) * rate / (1 - rate)

    assert "keep and drop are exchanged" in check.memory(answer).message


def test_the_bug_hunt_shares_its_mask():
    result = chapter.result(
        "memory", chapter.code_cell("memory").replace("forget * c + x[:, t]", "x[:, t] + forget * c")
    )
    assert result.status == core.NOT_YET
    assert "mask for each" in result.message
