"""What a technique remembers before the first step: averages that begin somewhere, vectors that are drawn."""

from dataclasses import dataclass

import numpy as np
import pytest

from reglib import gradcheck
from reglib.noise.kinds import Bernoulli
from reglib.train.loop import EarlyStopping, train
from reglib.train.optim import SGD
from reglib.train.technique import Technique, start, step, value_and_grads
from reglib.weights.parameters import each
from tests.conftest import exactly
from tests.reglib.train.common import NET, X, Y, params, rng

RATE = 0.2


def take(technique, p=None, r=None, count=1):
    """Take steps of plain gradient descent on one batch; return all states."""
    states = [start(technique, SGD(RATE), params() if p is None else p, r)]
    for _ in range(count):
        states.append(step(NET, technique, SGD(RATE), states[-1], (X, Y), r)[1])
    return states


def one_of(values, s):
    return {name: one_of(value, s) if isinstance(value, dict) else value[s] for name, value in values.items()}


def same(one, other, rtol=0.0):
    assert list(one) == list(other)
    for name, array in one.items():
        np.testing.assert_allclose(array, other[name], rtol=rtol, atol=rtol * 1e-2, err_msg=name)


# An average of the weights that begins at the first weights


@dataclass(frozen=True)
class Average:
    decay: float

    def start(self, rng, params):
        return {"average": params}

    def __call__(self, params, memory):
        mix = lambda old, new: self.decay * old + (1 - self.decay) * new  # noqa: E731
        return params, {"average": each(mix, memory["average"], params)}

    def predict(self, rng, forward, x, params, memory):
        return forward(memory["average"], x)

    def technique(self):
        return Technique(between=self, predict=self.predict, memory=self.start)


def test_an_average_begins_at_the_first_weights():
    technique = Average(0.9).technique()
    first, *rest = take(technique, count=3)
    same(first.memory["average"], params())
    np.testing.assert_array_equal(technique.output(NET, rest[-1].params, X, first.memory), NET.logits(params(), X))
    share = [0.9**3, 0.1 * 0.9**2, 0.1 * 0.9, 0.1]
    seen = [params(), *(state.params for state in rest)]
    mean = {name: sum(a * p[name] for a, p in zip(share, seen, strict=True)) for name in params()}
    same(rest[-1].memory["average"], mean, 1e-12)


def test_the_loop_begins_with_it_and_measures_it_before_the_first_step():
    technique, batches = Average(0.5).technique(), [np.arange(20), np.arange(20, 40)]
    measures = {"first weight": lambda state: state.memory["average"]["w1"][0, 5]}
    run = train(NET, params(), SGD(RATE), batches, data=(X, Y), technique=technique, measures=measures, every=1)
    plain = train(NET, params(), SGD(RATE), batches[:1], data=(X, Y))
    assert run.curves["first weight"][0] == params()["w1"][0, 5]
    assert run.curves["first weight"][1] == 0.5 * params()["w1"][0, 5] + 0.5 * plain.params["w1"][0, 5]
    same(train(NET, params(), SGD(RATE), [], technique=technique).memory["average"], params())


# Spectral normalization: the vectors of a power iteration are drawn once, and go on from step to step


def unit(v):
    return v / np.sqrt((v * v).sum(axis=-1, keepdims=True))


@dataclass(frozen=True)
class Spectral:
    """Use W1 / sigma, sigma = u^T W1 v from one power iteration a step (Miyato et al. 2018, Algorithm 1)."""

    def start(self, rng, params):
        *replicas, n, _ = params["w1"].shape
        drawn = [one.standard_normal(n) for one in (rng if isinstance(rng, list) else [rng])]
        return {"u": unit(np.stack(drawn) if replicas else drawn[0])}

    def __call__(self, rng, params, memory):
        w = params["w1"]
        v = unit((memory["u"][..., None] * w).sum(axis=-2))
        memory["u"] = u = unit((w * v[..., None, :]).sum(axis=-1))
        outer = u[..., None] * v[..., None, :]

        def use(params):
            sigma = (params["w1"] * outer).sum(axis=(-2, -1), keepdims=True)
            used = params["w1"] / sigma

            def pullback(grads):
                along = (grads["w1"] * used).sum(axis=(-2, -1), keepdims=True)
                return grads | {"w1": (grads["w1"] - along * outer) / sigma}

            return params | {"w1": used}, pullback

        return use


def spectral(**more):
    return Technique(weights=Spectral(), memory=Spectral().start, **more)


def test_spectral_normalization_is_its_reference_step_by_step():
    states = take(spectral(), r=rng(), count=3)
    p, u = params(), rng().standard_normal(64)
    u /= np.linalg.norm(u)
    np.testing.assert_allclose(states[0].memory["u"], u, rtol=1e-14)
    for state in states[1:]:
        w = p["w1"]
        v = w.T @ u / np.linalg.norm(w.T @ u)
        u = w @ v / np.linalg.norm(w @ v)
        sigma = u @ w @ v
        _, grads = value_and_grads(NET, p | {"w1": w / sigma}, X, Y)
        g = grads["w1"]
        grads["w1"] = g / sigma - np.sum(g * w) / sigma**2 * np.outer(u, v)
        p = {name: array - RATE * grads[name] for name, array in p.items()}
        same(state.params, p, 1e-11)
        np.testing.assert_allclose(state.memory["u"], u, rtol=1e-11)


def test_its_slope_has_the_gradient_of_its_loss_and_sigma_is_the_norm_after_many_steps():
    memory = {"u": unit(rng().standard_normal(64))}
    use = Spectral()(None, params(), memory)

    def run(p):
        used, pullback = use(p)
        value, grads = value_and_grads(NET, used, X, Y)
        return value, pullback(grads)

    gradcheck.check(lambda p: run(p)[0], lambda p: run(p)[1], params(), rng(), tolerance=1e-5)
    for _ in range(1000):
        use = Spectral()(None, params(), memory)
    assert np.linalg.norm(use(params())[0]["w1"], 2) == pytest.approx(1, rel=1e-12)


# Draws and replicas


def test_memory_is_drawn_first_and_the_steps_draw_on():
    noise = {"hidden1": Bernoulli(0.5)}
    r, twin = rng(), rng()
    states = take(spectral(noise=noise), r=r, count=2)
    plain = start(spectral(noise=noise), SGD(RATE), params(), twin)
    assert twin.bit_generator.state != rng().bit_generator.state
    for state in states[1:]:
        _, plain = step(NET, spectral(noise=noise), SGD(RATE), plain, (X, Y), twin)
        same(plain.params, state.params)
    assert r.bit_generator.state == twin.bit_generator.state


@pytest.mark.parametrize("technique", [spectral(noise={"hidden1": Bernoulli(0.5)}), Average(0.8).technique()])
def test_each_replica_begins_and_goes_on_as_it_would_alone(technique):
    p = params((3,))
    together = take(technique, p, [rng(seed) for seed in (3, 8, 3)], count=3)
    for s, seed in enumerate((3, 8, 3)):
        for state, alone in zip(together, take(technique, one_of(p, s), rng(seed), count=3), strict=True):
            same(one_of(state.params, s), alone.params, 1e-11)
            for name, value in one_of(state.memory, s).items():
                if isinstance(value, dict):
                    same(value, alone.memory[name], 1e-11)
                else:
                    np.testing.assert_allclose(value, alone.memory[name], rtol=1e-11)


def test_the_loop_hands_its_generators_to_the_memory():
    p, generators = params((2,)), [rng(3), rng(8)]
    run = train(NET, p, SGD(RATE), [np.arange(40)], data=(X, Y), technique=spectral(), rng=generators)
    state = take(spectral(), p, [rng(3), rng(8)])[-1]
    np.testing.assert_array_equal(run.memory["u"], state.memory["u"])
    same(run.params, state.params)


def test_a_replica_whose_start_stays_the_best_has_the_memory_of_the_start():
    """By its measure the first replica gets better with every step, and the second worse."""
    p, technique, counter = params((2,)), Average(0.5).technique(), iter(range(9))
    measures = {"step": lambda state: np.array([1.0, -1.0]) * next(counter)}
    run = train(
        NET,
        p,
        SGD(0.2),
        [np.arange(40)] * 3,
        data=(X, Y),
        technique=technique,
        measures=measures,
        every=1,
        early_stopping=EarlyStopping("step", patience=9),
    )
    assert run.best_step.tolist() == [3, 0]
    same(one_of(run.memory["average"], 1), one_of(p, 1))
    states = take(technique, p, count=3)
    same(one_of(run.memory["average"], 0), one_of(states[-1].memory["average"], 0))


# Errors


def test_what_is_no_function_is_named():
    with pytest.raises(TypeError, match=exactly("memory must be a function, got {}")):
        Technique(memory={})
