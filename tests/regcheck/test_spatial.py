"""The exercises of Spatial dropout: solutions pass, plausible wrong answers fail, each with its own message."""

import numpy as np
import pytest

from regcheck import core
from regcheck import spatial as check
from tests.regcheck.harness import Chapter

chapter = Chapter("variants/spatial.ipynb", check)


def shape(own):
    def answer(shape, channel_axis):
        return tuple(size if i in own(shape, channel_axis) else 1 for i, size in enumerate(shape))

    return answer


def layer(shape, scale=lambda p: 1 / (1 - p), rate=lambda p: p, result=lambda x: x):
    def answer(x, p, rng):
        return result(x * (rng.random(shape(x.shape)) >= rate(p)) * scale(p))

    return answer


def channels(s):
    return (s[0], s[1], 1, 1)


def odds(p):
    return p / (1 - p)


def gradient(noisy, reduce=np.sum):
    return lambda g, h, m, p: reduce(g[:, :, None] * noisy(h, m, p), axis=(0, 1))


WRONG = {
    "mask_shape": [
        (shape(lambda s, a: (a % len(s),)), "gave the batch the length 1"),
        (shape(lambda s, a: set(range(len(s))) - {a % len(s)}), "drops whole positions"),
        (lambda s, a: s, "mask of unit dropout"),
        (shape(lambda s, a: (0, len(s) - 1)), "took the last axis"),
        (shape(lambda s, a: (0, 1)), "took axis 1"),
        (shape(lambda s, a: (0, a)), "counts from the end"),
        (lambda s, a: tuple(float(size) for size in shape(lambda s, a: (0, a % len(s)))(s, a)), "whole numbers"),
        (lambda s, a: (s[0], s[a]), "as many axes"),
        (lambda s, a: tuple(2 for _ in s), "must stay on axis"),
    ],
    "strength": [
        (lambda p, n, r: odds(p) / (1 + n * r), "its own neighbours"),
        (lambda p, n, r: odds(p) / n, "rho is missing"),
        (lambda p, n, r: odds(p), "before averaging"),
        (lambda p, n, r: odds(p) * (1 + (n - 1) * r), "should weaken"),
        (lambda p, n, r: p * (1 - p) / (1 + (n - 1) * r), "not p q"),
        (lambda p, n, r: p / (1 + (n - 1) * r), "not a variance"),
        (lambda p, n, r: 1 / odds(p) / (1 + (n - 1) * r), "exchanged keep and drop"),
        (lambda p, n, r: np.sqrt(odds(p) / (1 + (n - 1) * r)), "standard deviations"),
        (lambda p, n, r: 1 / (1 + (n - 1) * r), "no part in it"),
        (lambda p, n, r: 1 + (n - 1) * r, "by how much averaging weakens"),
        (lambda p, n, r: (1 + (n - 1) * r) / odds(p), "turned it over"),
        (lambda p, n, r: 0.0, "Try rho = 0"),
    ],
    "match": [
        (7 / 9, "asks for p"),
        (0.1, "Equal rates"),
        (0.64, "perfectly correlated"),
        (0.7, "multiplied the rate itself"),
        (7.4 / 16.4, "its own neighbours"),
        (9 / 16, "probability to keep"),
        (1 / 64, "has to be stronger"),
        (0.2, "How strong is the channel noise"),
    ],
    "weight": [
        (gradient(lambda h, m, p: h / (1 - p)), "The mask is missing"),
        (gradient(lambda h, m, p: h), "Mask and factor"),
        (gradient(lambda h, m, p: h * m), "factor 1 / q"),
        (gradient(lambda h, m, p: h * m / (1 - p), np.mean), "That is a mean"),
        (gradient(lambda h, m, p: h * m / (1 - p), lambda a, axis: a.sum(1).mean(0)), "mean over the examples"),
        (gradient(lambda h, m, p: h * m / (1 - p), lambda a, axis: a.mean(1).sum(0)), "mean over the positions"),
        (gradient(lambda h, m, p: m / (1 - p) * np.ones_like(h)), "activations are missing"),
        (gradient(lambda h, m, p: h * m / p), "divided by the rate"),
        (lambda g, h, m, p: np.zeros(3), "differentiate by one weight"),
    ],
    "average": [("a", "independent"), ("c", "no noise"), ("d", "mixes the channels")],
    "spatial_dropout": [
        (layer(lambda s: (s[0], 1, 1, s[3])), "whole columns"),
        (layer(lambda s: (s[0], 1, s[2], 1)), "whole rows"),
        (layer(lambda s: s), "differ within a channel"),
        (layer(lambda s: (s[0], 1, 1, 1)), "drops the example"),
        (layer(lambda s: (1, s[1], 1, 1)), "All examples lose"),
        (layer(channels, scale=lambda p: 1), "divided by 1 - rate"),
        (layer(channels, scale=lambda p: 1 / p), "keep and drop in the factor"),
        (layer(channels, scale=lambda p: 7), "as you found it"),
        (layer(channels, rate=lambda p: 0.9), "not the rate"),
        (layer(channels, rate=lambda p: 1 - p), "keep and drop are exchanged"),
        (lambda x, p, rng: x, "should be noise"),
        (layer(channels, result=lambda x: x[0]), "shape of x"),
    ],
}

EQUIVALENT = {
    "mask_shape": {"own = (channel_axis % len(shape), 0)": "the order does not matter"},
    "match": {
        "unit_rate = 1.01 * unit_rate": "the same to the two digits that are asked for",
        "unit_rate = 0.99 * unit_rate": "the same to the two digits that are asked for",
    },
    "spatial_dropout": {
        "keep = rng.random((len(x), x.shape[1], 1, 1)) > rate": "a draw that equals the rate has probability 2 ** -53"
    },
    "weight": {"return (grad[:, :, None] * noisy).sum(axis=(1, 0))": "the order does not matter"},
}

TestExercises = chapter.tests(WRONG, EQUIVALENT)


def test_two_digits_are_enough_for_the_same_strength():
    assert check.match(0.44).ok
    assert not check.match(0.43).ok


def test_the_unedited_bug_hunt_is_unanswered_and_drops_columns():
    assert chapter.result("spatial_dropout", chapter.code_cell("spatial_dropout")).status == core.NOT_ANSWERED
    out = check.spatial_dropout.given(np.ones((20, 3, 4, 5)), 0.5, np.random.default_rng(0))
    assert (out == out[:, :1, :1]).all()
    assert not (out == out[:, :, :, :1]).all()


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda rng, shape: np.random.default_rng(0).random(shape), "not those of rng"),
        (lambda rng, shape: np.random.default_rng().random(shape), "comes from elsewhere"),
        (lambda rng, shape: np.resize(rng.random((2, *shape[1:])), shape), "Some examples have the same draws"),
        (lambda rng, shape: np.repeat(rng.random((shape[0], shape[1] // 2, 1, 1)), 2, 1), "Some channels share"),
    ],
)
def test_masks_that_are_not_independent_draws_are_told_apart(draw, message):
    answer = check.spatial_dropout(lambda x, p, rng: x * (draw(rng, (*x.shape[:2], 1, 1)) >= p) / (1 - p))
    assert message in answer.message


def test_a_shape_in_a_list_is_as_good():
    assert check.mask_shape(lambda s, a: [size if i in (0, a % len(s)) else 1 for i, size in enumerate(s)]).ok
