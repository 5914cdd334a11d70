"""The exercises of variational dropout: solutions pass, plausible wrong answers fail, each with its own message."""

import numpy as np
import pytest

from regcheck import core
from regcheck import variational as check
from tests.regcheck.harness import Chapter

chapter = Chapter("variants/variational.ipynb", check)


def learned(noise=lambda s: np.exp(s / 2) / 2, pull=lambda slope, units, n: units * slope / n):
    return lambda g, e, s, slope, n: np.sum(g * e) * noise(s) + pull(slope, g.shape[1], n)


def divergence(std=lambda s: np.exp(s / 2), mean=1, half=-0.5, size=-1.0, average=np.mean):
    def answer(s, e):
        return average(np.log(np.abs(mean + std(s) * e))) + half * s + size * average(np.log(np.abs(e)))

    return answer


def log_of_mean(s, e):
    return np.log(np.mean(np.abs(1 + np.exp(s / 2) * e))) - s / 2 - np.log(np.mean(np.abs(e)))


def noise(std=np.sqrt, mean=1.0, limit=np.minimum, on="alpha", result=lambda x: x, draw=None):
    """Return a layer that is right but for what is given."""
    draw = draw or (lambda rng, shape: rng.standard_normal(shape))

    def answer(x, log_alpha, rng, alpha_max):
        alpha = limit(np.exp(log_alpha), alpha_max) if on == "alpha" else np.exp(limit(log_alpha, alpha_max))
        return result(x * (mean + std(alpha) * draw(rng, x.shape)))

    return answer


def settles(form=lambda alpha: alpha, s=-1, n=-1, weight=1, factor=0.5):
    return lambda cost, examples, w: form(factor * cost**s * float(examples) ** n * w**weight)


WRONG = {
    "settles": [
        (settles(factor=1.0), "half is missing"),
        (settles(factor=2.0), "half has come in upside down"),
        (settles(weight=0), "weight is missing"),
        (settles(weight=-1), "larger weight"),
        (settles(n=1), "More examples"),
        (settles(n=0), "is divided by"),
        (settles(s=1), "should get less noise"),
        (settles(s=0), "from unit to unit"),
        (settles(form=lambda a: -a), "cannot be negative"),
        (settles(form=lambda a: a / (1 + a)), "That is the rate"),
        (settles(form=np.log), "That is the logarithm"),
        (settles(form=np.sqrt), "That is the standard deviation"),
        (settles(factor=7.0), "slopes cancel"),
    ],
    "learned": [
        (learned(noise=lambda s: np.exp(s / 2)), "half is missing"),
        (learned(noise=lambda s: np.exp(s) / 2), "used the variance"),
        (learned(noise=lambda s: 1.0), "with respect to sigma"),
        (learned(pull=lambda slope, units, n: slope / n), "once a unit"),
        (learned(pull=lambda slope, units, n: units * slope), "number of examples"),
        (learned(pull=lambda slope, units, n: 0.0), "with KL is missing"),
        (learned(noise=lambda s: 0.0), "with KL alone"),
        (learned(pull=lambda slope, units, n: -units * slope / n), "does not subtract"),
        (learned(noise=lambda s: np.exp(s / 2) / 12), "already holds the mean"),
        (learned(noise=lambda s: 7.0), "Set slope to 0"),
        (learned(pull=lambda slope, units, n: 6 * slope / n), "each of the B examples"),
        (learned(noise=lambda s: np.exp(-s / 2) / 2), "The first term is the derivative by alpha"),
        (lambda g, e, s, k, n: learned()(g, e, s, k, n) / np.exp(s), "That is the derivative by alpha"),
    ],
    "divergence": [
        (divergence(std=np.exp), "by the variance"),
        (divergence(half=-1.0), "comes in by half"),
        (divergence(size=0.0), "constant is missing"),
        (divergence(half=0.5), "other sign"),
        (divergence(size=1.0), "constant has the wrong sign"),
        (divergence(mean=0), "which yours lacks"),
        (log_of_mean, "then a logarithm"),
        (divergence(average=np.sum), "a sum over the draws"),
        (lambda s, e: 0.5, "Check each at alpha = 1"),
    ],
    "rate": [
        (np.exp(-1.2), "That is alpha"),
        (np.exp(-0.6), "That is the standard deviation."),
        (1 / (1 + np.exp(-1.2)), "probability to keep"),
        (1 / (1 + np.exp(2.4)), "logarithm of the standard deviation"),
        (1 / (1 + np.exp(0.6)), "for the variance"),
        (10**-1.2 / (1 + 10**-1.2), "to the base 10"),
        (0.5, "First the variance"),
    ],
    "decay": [("a", "no noise"), ("c", "Was it given"), ("d", "from either side")],
    "noise": [
        (noise(mean=0.0, std=lambda a: a, on="log"), "their variance"),
        (noise(mean=0.0), "their standard deviation"),
        (noise(std=lambda a: a), "what is multiplied with"),
        (noise(std=lambda a: a / 3), "Draw once"),
        (noise(on="log"), "what is compared with what"),
        (noise(limit=lambda a, limit: np.minimum(a, 1.3 * limit)), "should be alpha_max"),
        (noise(result=lambda x: x[0]), "shape of x"),
    ],
}

EQUIVALENT = {
    "learned": {"return through_noise + grad.shape[-1] * slope / N": "of two axes, the second is the last"},
    "divergence": {
        "factor = -(1 + np.exp(log_alpha / 2) * epsilon)": "its size counts",
        "return np.mean(np.mean(draws)) - log_alpha / 2": "the mean of one number",
    },
    "noise": {
        "return x * (1 - np.sqrt(alpha) * rng.standard_normal(x.shape))": "normal noise is symmetric",
        "return x * (1 + -...rng.standard_normal(x.shape)...": "normal noise is symmetric",
    },
}

TestExercises = chapter.tests(WRONG, EQUIVALENT)


def test_each_mended_bug_alone_is_not_enough():
    lines = chapter.code_cell("noise")
    for old, new in (
        ("np.minimum(log_alpha, alpha_max)", "np.minimum(log_alpha, np.log(alpha_max))"),
        ("(alpha * rng", "(np.sqrt(alpha) * rng"),
        ("(alpha * rng.standard_normal(x.shape))", "(1 + alpha * rng.standard_normal(x.shape))"),
    ):
        assert old in lines
        assert chapter.result("noise", lines.replace(old, new)).status == core.NOT_YET


def test_a_limit_on_the_logarithm_is_right():
    assert check.noise(noise(on="log", limit=lambda s, limit: np.minimum(s, np.log(limit)))).ok


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda rng, shape: np.random.default_rng(0).standard_normal(shape), "not those of rng"),
        (lambda rng, shape: rng.standard_normal((1, shape[1])) + np.zeros(shape), "All examples have the same draws"),
        (lambda rng, shape: rng.standard_normal((shape[0], 1)) + np.zeros(shape), "All units share their draws"),
        (lambda rng, shape: np.random.default_rng().standard_normal(shape), "comes from elsewhere"),
    ],
)
def test_draws_that_are_not_independent_are_told_apart(draw, message):
    assert message in check.noise(noise(draw=draw)).message
