"""Averages of the weights: their recursion by hand, prediction, replicas, early stopping, bad input."""

import numpy as np
import pytest

from reglib.train.loop import EarlyStopping, train
from reglib.train.optim import SGD
from reglib.train.technique import Technique, start, step
from reglib.weights.averaging import EMA, SWA, ema_weights
from tests.conftest import exactly
from tests.reglib.train.common import NET, X, Y, params

RATE = 0.2


def iterates(average, count=5, p=None, x=X):
    """Return the parameters after each step, and the memory."""
    technique = Technique(**average.parts())
    state, seen, memories = start(technique, SGD(RATE), params() if p is None else p), [], []
    for _ in range(count):
        _, state = step(NET, technique, SGD(RATE), state, (x, Y))
        seen.append(state.params)
        memories.append(state.memory)
    return seen, memories


def weighted(seen, weights):
    return {name: sum(a * p[name] for a, p in zip(weights, seen, strict=True)) for name in seen[0]}


def same(one, other, rtol=1e-12):
    assert list(one) == list(other)
    for name, array in one.items():
        np.testing.assert_allclose(array, other[name], rtol=rtol, atol=1e-14, err_msg=name)


def test_the_exponential_average_by_hand():
    seen, memories = iterates(EMA(0.9), 4)
    same(memories[0]["average"], seen[0], 0)
    same(memories[-1]["average"], weighted(seen, [0.9**3, 0.1 * 0.9**2, 0.1 * 0.9, 0.1]))


def test_without_bias_no_iterate_is_favored():
    seen, memories = iterates(EMA(0.9, unbiased=True), 4)
    powers = 0.9 ** np.array([3, 2, 1, 0])
    same(memories[-1]["average"], weighted(seen, powers / powers.sum()))


def test_the_plain_mean_begins_late_and_takes_every_so_many_steps():
    seen, memories = iterates(SWA(3, every=2), 8)
    assert "average" not in memories[1]
    same(memories[2]["average"], seen[2], 0)
    same(memories[3]["average"], seen[2], 0)
    same(memories[-1]["average"], weighted([seen[2], seen[4], seen[6]], [1 / 3] * 3))
    seen, memories = iterates(EMA(0.5, start=2, every=3), 6)
    same(memories[-1]["average"], weighted([seen[1], seen[4]], [0.5, 0.5]))


@pytest.mark.parametrize("average", [EMA(0.9), SWA(1)])
def test_training_goes_on_as_without_and_the_average_predicts(average):
    seen, memories = iterates(average, 3)
    plain, _ = iterates(SWA(100), 3)
    for one, other in zip(seen, plain, strict=True):
        same(one, other, 0)
    technique = Technique(**average.parts())
    output = technique.output(NET, seen[-1], X, memories[-1])
    np.testing.assert_array_equal(output, NET.logits(memories[-1]["average"], X))
    assert np.abs(output - NET.logits(seen[-1], X)).max() > 1e-4
    np.testing.assert_array_equal(technique.output(NET, seen[-1], X), NET.logits(seen[-1], X))


def test_replicas_with_one_decay_or_one_each():
    p = params((2,))
    for decays in (0.9, np.array([0.5, 0.9])):
        _, memories = iterates(EMA(decays), 4, p)
        for s in range(2):
            alone = iterates(EMA(np.broadcast_to(decays, 2)[s].item()), 4, {name: w[s] for name, w in p.items()})
            same({name: w[s] for name, w in memories[-1]["average"].items()}, alone[1][-1]["average"])
    with pytest.raises(ValueError, match="decay has shape"):
        iterates(EMA(np.array([0.5, 0.9])), 2)


def test_the_dtype_stays():
    p = {name: w.astype(np.float32) for name, w in params().items()}
    for average in (EMA(0.9), EMA(0.9, unbiased=True), SWA(1)):
        _, memories = iterates(average, 2, p, X.astype(np.float32))
        assert {w.dtype for w in memories[-1]["average"].values()} == {np.dtype(np.float32)}


def test_early_stopping_keeps_the_average_of_its_best_step():
    technique = Technique(**EMA(0.5).parts())
    values = iter([0, 1, 5, 2, 3])
    rule = EarlyStopping("score", patience=2)
    batches = [np.arange(20)] * 4
    measures = {"score": lambda state: next(values)}
    run = train(
        NET,
        params(),
        SGD(RATE),
        batches,
        data=(X, Y),
        technique=technique,
        measures=measures,
        every=1,
        early_stopping=rule,
    )
    two = train(NET, params(), SGD(RATE), batches[:2], data=(X, Y), technique=technique)
    same(run.memory["average"], two.memory["average"], 0)


@pytest.mark.parametrize("unbiased", [False, True])
def test_the_weights_of_the_iterates(unbiased):
    weights = ema_weights(0.9, 5, unbiased=unbiased)
    assert weights.sum() == pytest.approx(1, rel=1e-14)
    seen, memories = iterates(EMA(0.9, unbiased=unbiased), 5)
    same(memories[-1]["average"], weighted(seen, weights))
    np.testing.assert_array_equal(ema_weights(0.9, 1, unbiased=unbiased), [1])
    assert ema_weights(0.99, 100)[0] == pytest.approx(0.99**99)
    # the effective number of steps, one over the sum of squares
    assert 1 / (ema_weights(0.99, 5000, unbiased=True) ** 2).sum() == pytest.approx(199, rel=1e-6)
    np.testing.assert_array_equal(ema_weights(0.0, 3), [0, 0, 1])


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: EMA(1.0), "decay must be a finite number in [0, 1), got 1.0"),
        (lambda: EMA(-0.1), "decay must be a finite number in [0, 1), got -0.1"),
        (lambda: EMA(0.9, start=0), "start must be at least 1, got 0"),
        (lambda: EMA(0.9, every=0), "every must be at least 1, got 0"),
        (lambda: EMA(0.9, unbiased=1), "unbiased must be True or False, got 1"),
        (lambda: SWA(0), "start must be at least 1, got 0"),
        (lambda: SWA(1, every=1.5), "every must be an integer, got 1.5"),
        (lambda: ema_weights(1.0, 3), "decay must be a finite number in [0, 1), got 1.0"),
        (lambda: ema_weights(0.5, 0), "steps must be at least 1, got 0"),
        (lambda: ema_weights(0.5, 3, unbiased="no"), "unbiased must be True or False, got 'no'"),
        (lambda: EMA(0.5).predict(None, 3, X, {}, {}), "forward must be a function, got 3"),
        (lambda: EMA(0.5).predict(None, NET.logits, X, params(), 3), "memory must be a dict, got 3"),
    ],
)
def test_what_is_wrong_is_named(make, text):
    with pytest.raises((TypeError, ValueError), match=exactly(text)):
        make()


def test_they_are_values():
    assert EMA(0.9) == EMA(0.9) != EMA(0.9, unbiased=True)
    assert len({SWA(1), SWA(1), SWA(2), EMA(np.array([0.1, 0.2])), EMA(np.array([0.1, 0.2]))}) == 3
