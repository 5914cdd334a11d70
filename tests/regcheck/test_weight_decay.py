"""The exercises of Weight decay: printed solutions pass, plausible wrong answers fail, each with its own message."""

import numpy as np

from regcheck import core
from regcheck import weight_decay as check
from tests.regcheck.harness import Chapter

chapter = Chapter("penalties/weight-decay.ipynb", check)


def sgd(velocity=lambda w, g, v, mu, d: mu * v + g + d * w, step=lambda w, g, v, old, r, d: w - r * v):
    def answer(w, g, v, rate, momentum, decay):
        new = velocity(w, g, v, momentum, decay)
        return step(w, g, new, v, rate, decay), new

    return answer


def right_sgd(w, g, v, rate, momentum, decay):
    return sgd()(w, g, v, rate, momentum, decay)


def conversion(torch=lambda a, r: 2 * a, keras=lambda a, r: a, paper=lambda a, r: 2 * a * r):
    return lambda l2, rate: (torch(l2, rate), keras(l2, rate), paper(l2, rate))


def keras_sgd(w, g, v, rate, momentum, decay):
    v = momentum * v - rate * (g + decay * w)
    return w + v, v


def nesterov(w, g, v, rate, momentum, decay):
    full = g + decay * w
    v = momentum * v + full
    return w - rate * (full + momentum * v), v


def root(v, correction):
    return np.sqrt(v / correction) + 1e-8


def adam(
    *,
    m_decay=1.0,
    v_decay=1.0,
    outside=lambda w, r, d: 0.0,
    after=False,
    correct=(1, 1),
    b=(0.9, 0.999),
    root=root,
    at=0,
):
    def answer(w, g, m, v, t, rate, decay):
        m = b[0] * m + (1 - b[0]) * (g + m_decay * decay * w)
        v = b[1] * v + (1 - b[1]) * (g + v_decay * decay * w) ** 2
        c1, c2 = (1 - beta ** (t + at) if wanted else 1.0 for beta, wanted in zip(b, correct, strict=True))
        new = w - rate * (m / c1) / root(v, c2)
        return new * (1 - rate * decay) if after else new - outside(w, rate, decay)

    return answer


def slips(**options):
    """Return wrong answers that Adam with and without decoupled decay has in common."""
    return [
        (adam(correct=(0, 0), **options), "start at zero"),
        (adam(correct=(0, 1), **options), "Only the second average is corrected"),
        (adam(correct=(1, 0), **options), "Only the first average is corrected"),
        (adam(at=1, **options), "step after this one"),
        (adam(at=-1, **options), "step before this one"),
        (adam(b=(0.999, 0.9), **options), "betas are exchanged"),
        (adam(root=lambda v, c: v / c + 1e-8, **options), "root is missing"),
        (adam(root=lambda v, c: np.sqrt(v / c), **options), "Epsilon is missing"),
        (adam(root=lambda v, c: np.sqrt(v / c + 1e-8), **options), "under the root"),
        (adam(root=lambda v, c: (np.sqrt(v) + 1e-8) / np.sqrt(c), **options), "Keras' place"),
    ]


def carried(left=lambda rates, d: np.prod(1 - rates * d), n=None, rate=None):
    """Return a wrong answer: with another share left, over another number of steps, at another rate."""
    return lambda rates, d, new, steps: (1 - left(rates, d) ** (1 / (n or steps))) / (rate or new)


WRONG = {
    "sgd_step": [
        (sgd(lambda w, g, v, mu, d: mu * v + g), "no decay in it"),
        (sgd(lambda w, g, v, mu, d: mu * v + g + 2 * d * w), "twice too much"),
        (sgd(lambda w, g, v, mu, d: mu * v + g + d * v), "decay the velocity"),
        (sgd(lambda w, g, v, mu, d: mu * v + g - d * w), "wrong sign"),
        (sgd(lambda w, g, v, mu, d: g + d * w), "forgets the past"),
        (sgd(lambda w, g, v, mu, d: mu * v + (1 - mu) * (g + d * w)), "averaged old and new"),
        (lambda *given: (right_sgd(*given)[1], right_sgd(*given)[0]), "another order"),
        (lambda w, g, v, r, mu, d: (w, mu * v + r * (g + d * w)), "contains the learning rate"),
        (keras_sgd, "Keras' velocity"),
        (nesterov, "Nesterov's step"),
        (sgd(step=lambda w, g, v, old, r, d: w - v), "learning rate is missing"),
        (sgd(lambda w, g, v, mu, d: 9 * w), "what of it fades"),
        (sgd(step=lambda w, g, v, old, r, d: w - r * (g + d * w)), "the gradient alone"),
        (sgd(step=lambda w, g, v, old, r, d: w - r * v - r * d * w), "decayed twice"),
        (sgd(step=lambda w, g, v, old, r, d: w - r * old), "old velocity"),
        (sgd(step=lambda w, g, v, old, r, d: w + r * v), "uphill"),
        (sgd(step=lambda w, g, v, old, r, d: 9 * w), "how far"),
        (lambda *given: right_sgd(*given)[0], "must be 2 values"),
    ],
    "convert": [
        (conversion(torch=lambda a, r: a), "half as strong"),
        (conversion(torch=lambda a, r: a / 2), "other direction"),
        (conversion(torch=lambda a, r: 2 * a * r), "leave it out"),
        (conversion(torch=lambda a, r: 9.0), "PyTorch's weight_decay is not right"),
        (conversion(keras=lambda a, r: 2 * a), "no half"),
        (conversion(keras=lambda a, r: a / 2), "does not double"),
        (conversion(keras=lambda a, r: 9.0), "add to the loss"),
        (conversion(paper=lambda a, r: 2 * a), "must it contain"),
        (conversion(paper=lambda a, r: a * r), "lost the factor"),
        (conversion(paper=lambda a, r: 2 * a / r), "divided by the learning rate"),
        (conversion(paper=lambda a, r: 9.0), "one step take away"),
    ],
    "adam_step": [
        (adam(m_decay=0, v_decay=0), "no decay in your step"),
        (adam(m_decay=0, v_decay=0, outside=lambda w, r, d: r * d * w), "that is AdamW"),
        (adam(v_decay=0), "second average"),
        (adam(m_decay=0), "first average"),
        (adam(m_decay=-1, v_decay=-1), "decay has the wrong sign"),
        (lambda w, *rest: 2 * w - adam()(w, *rest), "uphill"),
        *slips(m_decay=1),
        (adam(m_decay=2, v_decay=2), "twice too large"),
        (lambda w, *rest: w, "check them in turn"),
    ],
    "which": [("a", "divided by afterwards"), ("c", "small denominator"), ("d", "forget slowly")],
    "carry": [
        (carried(rate=1.0), "one new step takes"),
        (lambda rates, d, rate, n: d * np.sum(rates) / (rate * n), "added up the shares"),
        (lambda rates, d, rate, n: -np.log(np.prod(1 - np.multiply(rates, d))) / (rate * n), "added up logarithms"),
        (carried(n=7), "steps of the old run"),
        (lambda rates, d, rate, n: d * rates[-1] / rate, "last learning rate"),
        (lambda rates, d, rate, n: d * rates[0] / rate, "first learning rate"),
        (carried(lambda r, d: np.mean(1 - r * d)), "mean of the factors"),
        (carried(lambda r, d: np.prod(np.abs(1 - 2 * r * d))), "with its 2"),
        (lambda rates, d, rate, n: (1 - np.prod(1 - rates * d) / n) / rate, "by a root"),
        (carried(n=1), "everything at once"),
        (lambda rates, d, rate, n: np.prod(1 - rates * d) ** (1 / n) / rate, "missing to 1"),
        (lambda rates, d, rate, n: 0 * d, "with your decay"),
    ],
    "adamw": [
        (adam(), "under another name"),
        (adam(m_decay=0, v_decay=0), "no decay at all"),
        (adam(m_decay=0, v_decay=0, outside=lambda w, r, d: d * w), "paper's convention"),
        (adam(outside=lambda w, r, d: r * d * w), "acts twice"),
        (adam(m_decay=0, v_decay=0, after=True), "after Adam's step"),
        (adam(v_decay=0), "but not the other"),
        (adam(m_decay=0, v_decay=0, outside=lambda w, r, d: -r * d * w), "Your weights grow"),
        *slips(m_decay=0, v_decay=0, outside=lambda w, r, d: r * d * w),
        (lambda w, *rest: w, "Follow the decay"),
    ],
}

EQUIVALENT = {}

TestExercises = chapter.tests(WRONG, EQUIVALENT)


def test_the_carried_decay_leaves_the_same():
    rates = 0.002 * (1 - np.arange(1000) / 1000)
    decay = chapter.answer("carry")(rates, 0.1, 0.001, 1000)
    np.testing.assert_allclose((1 - 0.001 * decay) ** 1000, np.prod(1 - rates * 0.1), rtol=1e-12)
    assert abs(decay - 0.1) < 2e-4


def test_the_bug_hunt_is_adam_with_l2():
    turned = chapter.code_cell("adamw").replace("g = g + weight_decay * w", "g = weight_decay * w + g")
    result = chapter.result("adamw", turned)
    assert result.status == core.NOT_YET
    assert "under another name" in result.message
