"""The exercises of Dropout: printed solutions pass, plausible wrong answers fail, each with its own message."""

import numpy as np
import pytest

from regcheck import core
from regcheck import dropout as check
from tests.regcheck.harness import Chapter

chapter = Chapter("dropout/dropout.ipynb", check)


def ways(forward=lambda x, m, r: x * m / (1 - r), backward=lambda g, m, r: g * m / (1 - r)):
    def answer(x, grad, rate, rng):
        mask = rng.random(x.shape) >= rate
        return forward(x, mask, rate), backward(grad, mask, rate)

    return answer


def in_place(x, grad, rate, rng):
    mask = rng.random(x.shape) >= rate
    x *= mask / (1 - rate)
    return x, grad * mask / (1 - rate)


def two_draws(x, grad, rate, rng):
    first, second = (rng.random(x.shape) >= rate for _ in range(2))
    return x * first / (1 - rate), grad * second / (1 - rate)


def from_the_output(x, grad, rate, rng):
    y = x * (rng.random(x.shape) >= rate) / (1 - rate)
    return y, grad * (y != 0) / (1 - rate)


def drawn(mask):
    """Return both ways, right but for how the mask is drawn."""

    def answer(x, grad, rate, rng):
        kept = mask(rng, x, rate) + np.zeros(x.shape)
        return x * kept / (1 - rate), grad * kept / (1 - rate)

    return answer


def seeded_by_x(rng, x, rate):
    return np.random.default_rng([int(rng.integers(99)), int(10 * x[0, 0])]).random(x.shape) >= rate


WRONG = {
    "forward": [
        (lambda x, u, r: x * (u >= r), "mean is not preserved"),
        (lambda x, u, r: x * (u < r) / r, "keep what should be dropped"),
        (lambda x, u, r: x * (u < r) / (1 - r), "turned around"),
        (lambda x, u, r: x * (u >= r) * (1 - r), "make what is kept larger"),
        (lambda x, u, r: x * (u >= r) / r, "divide by the probability to drop"),
        (lambda x, u, r: x / (1 - r), "Nothing is dropped"),
        (lambda x, u, r: x * (u > r) / (1 - r), "equals the rate"),
        (lambda x, u, r: x * 0, "on two lines"),
    ],
    "backward": [
        (lambda g, m: 2 * g, "mask is missing"),
        (lambda g, m: g * m, "did two things"),
        (lambda g, m: g * m / 2, "Look at your factor"),
        (lambda g, m: 2 * g * ~m, "to the dropped units"),
        (lambda g, m: g * 0, "derivative of one output"),
    ],
    "variance": [
        (1.44, "unscaled dropout"),
        (11.25, "mean square"),
        (1.5, "standard deviation"),
        (36.0, "exchanged keep and drop"),
        (0.25, "variance of the gate"),
        (0.75, "comes in squared"),
        (7.0, "List the two values"),
    ],
    "keep": [
        (lambda: (0.9, 0.5, 1 / 0.9), "the paper's number"),
        (lambda: (0.2, 0.5, 1 / 0.9), "drop an input"),
        (lambda: (0.1, 0.1, 1 / 0.9), "number for the inputs"),
        (lambda: (0.1, 0.7, 1 / 0.9), "hidden units are kept"),
        (lambda: (0.1, 0.5, 0.9), "unscaled form"),
        (lambda: (0.1, 0.5, 10.0), "one over the probability to drop"),
        (lambda: (0.1, 0.5, 2.0), "factor of the hidden units"),
        (lambda: (0.1, 0.5, 1.1), "three digits"),
        (lambda: (0.1, 0.5, 3.0), "makes up for"),
        (lambda: 0.1, "must be 3 values"),
    ],
    "next_layer": [
        (lambda w, h, rate: rate / (1 - rate) * (w @ h) ** 2, "all units together"),
        (lambda w, h, rate: rate * (1 - rate) * np.sum((w * h) ** 2), "of unscaled dropout"),
        (lambda w, h, rate: np.sum((w * h) ** 2) / (1 - rate), "adds up mean squares"),
        (lambda w, h, rate: rate / (1 - rate) * np.sum(w * h**2), "into its variance squared"),
        (lambda w, h, rate: np.sqrt(rate / (1 - rate) * np.sum((w * h) ** 2)), "a standard deviation"),
        (lambda w, h, rate: (1 - rate) / rate * np.sum((w * h) ** 2), "exchanged keep and drop"),
        (lambda w, h, rate: np.sum((w * h) ** 2), "variance of a gate"),
        (lambda w, h, rate: w @ h, "of one summand first"),
    ],
    "test_time": [("a", "do to a mean"), ("b", "there in training"), ("d", "too many")],
    "verdict": [("a", "other values"), ("b", "interval lie"), ("d", "how many rows")],
    "both_ways": [
        (from_the_output, "Where x itself is 0"),
        (drawn(seeded_by_x), "from rng alone"),
        (two_draws, "Which mask does it use"),
        (in_place, "changes its argument in place"),
        (ways(forward=lambda x, m, r: x * m), "output has lost its factor"),
        (ways(backward=lambda g, m, r: g * m), "gradient has lost its factor"),
        (ways(backward=lambda g, m, r: g / (1 - r)), "to all units"),
        (ways(backward=lambda g, m, r: g * ~m / (1 - r)), "to the dropped units"),
        (ways(forward=lambda x, m, r: x / (1 - r)), "drop some units"),
        (ways(forward=lambda x, m, r: x * m * 7), "Keep its mask"),
        (lambda x, g, r, rng: (x[0], g), "the shape of x"),
        (
            lambda x, g, r, rng: (np.where(np.arange(x.size).reshape(x.shape) > 3, x, 0) / (1 - r), g),
            "and has no factor",
        ),
    ],
}

EQUIVALENT = {
    "both_ways": {"mask = rng.random(x.shape) > rate": "a draw that equals the rate has the probability 2 ** -53"},
    "keep": {"return (1 - 0.9, 0.5, 1 / 0.9)": "1 - 0.5 is 0.5"},
    "next_layer": {
        "return rate / (1 - rate) * np.sum((-w * h) ** 2)": "a square has no sign",
        "return rate / (1 - rate) * np.sum((w * -h) ** 2)": "a square has no sign",
    },
}

TestExercises = chapter.tests(WRONG, EQUIVALENT)


def test_the_bug_hunt_says_nothing_before_the_first_change():
    result = chapter.result("both_ways", chapter.code_cell("both_ways"))
    assert "as you found it" in result.message
    half = chapter.code_cell("both_ways").replace("x *= mask", "x = x * mask")
    result = chapter.result("both_ways", half)
    assert result.status == core.NOT_YET
    assert "Which mask does it use" in result.message


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (lambda rng, x, rate: np.random.default_rng(0).random(x.shape) >= rate, "not those of rng"),
        (lambda rng, x, rate: rng.random((1, x.shape[1])) >= rate, "All examples have the same draws"),
        (lambda rng, x, rate: rng.random((len(x), 1)) >= rate, "All units share their draws"),
        (lambda rng, x, rate: np.resize(rng.random((2, x.shape[1])) >= rate, x.shape), "Some examples have the same"),
        (lambda rng, x, rate: rng.random(x.shape) >= 0.5, "dropped is not the rate"),
        (lambda rng, x, rate: rng.random(x.shape) < rate, "keep and drop are exchanged"),
        (lambda rng, x, rate: np.random.default_rng().random(x.shape) >= rate, "comes from elsewhere"),
    ],
)
def test_masks_that_are_not_independent_draws_are_told_apart(mask, message):
    assert message in check.both_ways(drawn(mask)).message


def test_other_ways_to_draw_are_right():
    for mask in (
        lambda rng, x, rate: 1 - (rng.random(x.shape) < rate),
        lambda rng, x, rate: rng.binomial(1, 1 - rate, x.shape),
        lambda rng, x, rate: [[rng.random() >= rate for _ in row] for row in x],
        lambda rng, x, rate: rng.random(x.shape, dtype=np.float32) > rate,
    ):
        assert check.both_ways(drawn(mask)).ok


def test_three_digits_are_enough():
    assert check.keep(lambda: (0.1, 0.5, 1.11)).ok
