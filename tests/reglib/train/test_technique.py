"""One training step: what acts where and when, what is drawn in which order, and what a technique is as a value."""

from dataclasses import FrozenInstanceError, dataclass

import numpy as np
import pytest

from reglib.layers.cells import GRU, LSTM
from reglib.nets.sequence import Sequence
from reglib.noise import masks, places
from reglib.noise.affine import Noise
from reglib.noise.kinds import Additive, Bernoulli, Gaussian, Zoneout
from reglib.train.losses import softmax_cross_entropy, squared_error
from reglib.train.optim import SGD, Adam, AdamW
from reglib.train.technique import State, Technique, start, step, value_and_grads
from reglib.weights.penalties import L1, L2, GroupLasso
from tests.conftest import exactly
from tests.reglib.train.common import NET, X, Y, params, rng

OPTIMIZERS = [SGD(0.1), SGD(0.1, momentum=0.9, nesterov=True), Adam(0.01), AdamW(0.01, weight_decay=0.1)]


def take(technique, optimizer=None, p=None, batch=(X, Y), r=None, count=1, net=NET, **options):
    """Take steps, all on one batch; return the last loss and the state."""
    optimizer = SGD(0.1) if optimizer is None else optimizer
    state = start(technique, optimizer, params() if p is None else p)
    for _ in range(count):
        value, state = step(net, technique, optimizer, state, batch, r, **options)
    return value, state


def same(one, other, rtol=0.0):
    assert list(one) == list(other)
    for name, array in one.items():
        np.testing.assert_allclose(array, other[name], rtol=rtol, atol=rtol * 1e-3, err_msg=name)


# Nothing


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("loss", [softmax_cross_entropy, squared_error])
def test_the_default_technique_changes_nothing_bit_for_bit(optimizer, loss):
    y = Y if loss is softmax_cross_entropy else np.eye(10)[Y]
    p, slots, r = params(), optimizer.init(params()), rng()
    _, state = take(Technique(), optimizer, count=3, batch=(X, y), r=r, loss=loss)
    for _ in range(3):
        _, grads = value_and_grads(NET, p, X, y, loss=loss)
        p, slots = optimizer.step(p, grads, slots)
    same(state.params, p)
    assert state.memory == {}
    assert r.bit_generator.state == rng().bit_generator.state


def test_a_rate_of_zero_and_no_penalty_draw_and_change_nothing():
    for technique in (
        Technique(noise={"hidden1": Bernoulli(0.0), "input": Additive(0.0)}),
        Technique(penalty=()),
        Technique(penalty=None),
        Technique(penalty=L2(0.0)),
        Technique(data=[], between=None),
    ):
        r = rng()
        same(take(technique, r=r)[1].params, take(Technique())[1].params)
        assert r.bit_generator.state == rng().bit_generator.state


# The order


def test_every_place_acts_in_its_turn():
    said = []

    def say(word, result):
        said.append(word)
        return result

    def data(word):
        return lambda r, x, y: say(word, (x, y))

    def weights(r, p, memory):
        return say("weights", lambda p: say("use", (p, lambda grads: say("pullback", grads))))

    def loss(logits, y):
        return say("loss", softmax_cross_entropy(logits, y))

    def twice(slope, p):
        said.append("slope")
        slope(p)
        return say("slope is over", slope(p))

    class Marked(L2):
        def gradient(self, w):
            return say("penalty", super().gradient(w)) if isinstance(w, dict) else super().gradient(w)

        def prox(self, w, step):
            return say("prox", super().prox(w, step)) if isinstance(w, dict) else super().prox(w, step)

    class Watched(SGD):
        def step(self, *arguments, **options):
            return say("optimizer", super().step(*arguments, **options))

    def between(word):
        return lambda p, memory: say(word, (p, memory))

    parts = {"data": (data("data"), data("more data")), "weights": weights, "loss": loss, "slope": twice}
    parts |= {"penalty": Marked(0.1), "between": (between("between"), between("then"))}
    take(Technique(**parts), Watched(0.1))
    passes = ["use", "loss", "pullback"]
    before = ["data", "more data", "weights", "slope", *passes, *passes, "slope is over"]
    assert said == [*before, "penalty", "optimizer", "between", "then"]
    said.clear()
    take(Technique(**parts, proximal=True), Watched(0.1))
    assert said == [*before, "optimizer", "prox", "between", "then"]


def test_one_generator_draws_data_then_noise_then_weights():
    """The order of the draws is part of the interface: another one would change every stored result."""
    drawn = []

    def shuffle(r, x, y):
        drawn.append(r.permutation(len(x)))
        return x[drawn[-1]], y[drawn[-1]]

    def drop(r, p, memory):
        drawn.append(masks.bernoulli(r, p["w1"].shape, 0.5))
        return lambda p: (p, lambda grads: grads)

    kinds = {"hidden1": Gaussian(0.3), "input": Bernoulli(0.2)}  # drawn in the order of the network's places
    _, state = take(Technique(data=shuffle, noise=kinds, weights=drop), r=rng())
    twin = rng()
    order = twin.permutation(40)
    gain = masks.bernoulli(twin, (40, 64), 0.2) / 0.8
    noise = {"input": Noise(gain), "hidden1": Noise(masks.gaussian(twin, (40, 8), 0.3))}
    mask = masks.bernoulli(twin, (64, 8), 0.5)
    np.testing.assert_array_equal(drawn[0], order)
    np.testing.assert_array_equal(drawn[1], mask)
    _, grads = value_and_grads(NET, params(), X[order], Y[order], noise=noise)
    same(state.params, {name: p - 0.1 * grads[name] for name, p in params().items()}, 1e-13)


def test_everything_random_is_drawn_once_a_step():
    """A slope that is taken twice sees the same noise and the same weights; the next step sees others."""
    seen = []

    def drop(r, p, memory):
        mask = masks.bernoulli(r, p["w2"].shape, 0.5)
        return lambda p: (p | {"w2": p["w2"] * mask}, lambda grads: grads | {"w2": grads["w2"] * mask})

    def twice(slope, p):
        seen.extend(slope(p) for _ in range(2))
        return seen[-1]

    take(Technique(noise={"hidden1": Bernoulli(0.5)}, weights=drop, slope=twice), SGD(0.0), r=rng(), count=2)
    assert seen[0][0] == seen[1][0] != seen[2][0] == seen[3][0]
    same(seen[0][1], seen[1][1])


def test_the_penalty_is_added_after_the_slope_and_is_not_in_the_loss():
    def nothing(slope, p):
        value, grads = slope(p)
        return value, {name: 0 * gradient for name, gradient in grads.items()}

    value, state = take(Technique(slope=nothing, penalty=L2(0.25)))
    assert value == value_and_grads(NET, params(), X, Y)[0]
    expected = {name: p * (1 - 0.1 * 0.5 * name.startswith("w")) for name, p in params().items()}
    same(state.params, expected, 1e-14)


def test_the_technique_s_loss_takes_the_place_of_the_task_s():
    def half(logits, y):
        value, grad = softmax_cross_entropy(logits, y)
        return value / 2, grad / 2

    value, state = take(Technique(loss=half), SGD(0.2), loss=squared_error)
    other, expected = take(Technique(), SGD(0.1))
    assert value == other / 2
    same(state.params, expected.params, 1e-13)


def test_the_value_is_what_the_slope_says():
    value, _ = take(Technique(slope=lambda slope, p: (7.0, slope(p)[1])))
    assert value == 7


# Memory


def test_memory_goes_from_step_to_step_and_on_to_prediction():
    def weights(r, p, memory):
        memory["drawn"] = memory.get("drawn", 0) + 1
        return lambda p: (p, lambda grads: grads)

    def between(p, memory):
        assert memory["drawn"] == memory.get("counted", 0) + 1
        return p, memory | {"counted": memory.get("counted", 0) + 1}

    def predict(r, forward, x, p, memory):
        return forward(p, x) + memory["counted"]

    technique = Technique(weights=weights, between=between, predict=predict)
    state = start(technique, SGD(0.1), params())
    assert state.memory == {}
    for count in (1, 2, 3):
        before = state
        _, state = step(NET, technique, SGD(0.1), state, (X, Y))
        assert state.memory == {"drawn": count, "counted": count}
        assert before.memory.get("drawn", 0) == count - 1  # what was handed over is not changed
    output = technique.output(NET, state.params, X, state.memory)
    np.testing.assert_allclose(output, NET.logits(state.params, X) + 3, rtol=1e-14)


def test_nothing_changes_in_place():
    technique = Technique(
        data=lambda r, x, y: (x + 1, y),
        noise={"input": Bernoulli(0.5), "hidden1": Additive(0.5)},
        penalty=(L1(0.1), L2(0.1)),
        between=lambda p, memory: ({name: 0.9 * w for name, w in p.items()}, {"last": p}),
    )
    state = start(technique, Adam(0.1), params())
    for _ in range(2):
        slots = [array for pair in state.slots.slots.values() for array in pair]
        arrays = [*state.params.values(), *slots, X, Y, *state.memory.get("last", {}).values()]
        kept = [array.copy() for array in arrays]
        _, after = step(NET, technique, Adam(0.1), state, (X, Y), rng())
        for array, before in zip(arrays, kept, strict=True):
            np.testing.assert_array_equal(array, before)
        state = after


# Replicas


def test_a_list_of_generators_is_one_a_replica():
    def jitter(r, x, y):
        return np.stack([x + 0.1 * one.standard_normal(x.shape) for one in (r if isinstance(r, list) else [r])]), y

    def alone(r, x, y):
        return jitter(r, x, y)[0][0], y

    def drop(r, p, memory):
        gain = Bernoulli(0.3).draw(r, p["w1"].shape).gain
        return lambda p: (p | {"w1": p["w1"] * gain}, lambda grads: grads | {"w1": grads["w1"] * gain})

    noise = {"input": Gaussian(0.2), "hidden1": Bernoulli(0.5)}
    p = params((3,))
    together = Technique(data=jitter, noise=noise, weights=drop)
    value, state = take(together, p=p, r=[rng(s) for s in (7, 8, 9)], count=2)
    for s, seed in enumerate((7, 8, 9)):
        one = {name: array[s] for name, array in p.items()}
        own, found = take(Technique(data=alone, noise=noise, weights=drop), p=one, r=rng(seed), count=2)
        assert value[s] == pytest.approx(own, rel=1e-12)
        same({name: array[s] for name, array in state.params.items()}, found.params, 1e-10)


def test_rates_strengths_and_learning_rates_of_their_own():
    rates, strengths, speeds = np.array([0.0, 0.5]), np.array([0.2, 0.0]), np.array([0.1, 0.3])
    p = params((2,))
    for proximal in (False, True):
        options = {"penalty": L1(strengths), "proximal": proximal}
        together = Technique(noise={"hidden1": Bernoulli(rates)}, **options)
        value, state = take(together, SGD(speeds), p, r=[rng(7), rng(8)], count=2)
        for s in range(2):
            kind = Bernoulli(rates).take(s)
            own = Technique(noise={"hidden1": kind}, penalty=L1(strengths[s]), proximal=proximal)
            one = {name: array[s] for name, array in p.items()}
            if s == 0:  # a plain rate of 0 draws nothing; one of a list does
                own = Technique(penalty=L1(strengths[s]), proximal=proximal)
            alone, found = take(own, SGD(speeds[s]), one, r=rng(7 + s), count=2)
            assert value[s] == pytest.approx(alone, rel=1e-12)
            same({name: array[s] for name, array in state.params.items()}, found.params, 1e-10)


# Parameters that are not trained, functions, sequences, types


@pytest.mark.parametrize("proximal", [False, True])
def test_what_has_no_gradient_is_neither_penalized_nor_moved(proximal):
    def frozen(slope, p):
        value, grads = slope(p)
        return value, grads | {"w1": None}

    technique = Technique(slope=frozen, penalty=L1(0.5), proximal=proximal)
    _, state = take(technique, SGD(0.1, weight_decay=0.3))
    np.testing.assert_array_equal(state.params["w1"], params()["w1"])
    full = take(Technique(penalty=L1(0.5), proximal=proximal), SGD(0.1, weight_decay=0.3))[1]
    np.testing.assert_array_equal(state.params["w2"], full.params["w2"])
    assert (state.params["w2"] != params()["w2"]).any()


def test_a_function_is_a_model_too_with_its_parameters_in_a_dict_or_in_a_list():
    target = np.array([3.0, -1.0])

    def of_dict(p, x, y):
        assert (x, y) == (1, 3)
        return 0.5 * ((p["w"] - target) ** 2).sum(), {"w": p["w"] - target, "b": 0 * p["b"]}

    def of_list(p):
        return 0.5 * ((p[0] - target) ** 2).sum(), [p[0] - target, 0 * p[1]]

    technique = Technique(data=lambda r, x, y: (x, y + 1), penalty=L2(0.25))
    value, state = take(technique, p={"w": np.zeros(2), "b": np.ones(1)}, batch=(1, 2), net=of_dict)
    assert value == 5
    same(state.params, {"w": 0.1 * target, "b": np.ones(1)}, 1e-14)
    _, state = take(Technique(penalty=L2(0.25)), p=[np.zeros(2), np.ones(1)], batch=(), net=of_list)
    np.testing.assert_allclose(state.params[0], 0.1 * target, rtol=1e-14)
    np.testing.assert_allclose(state.params[1], [1 - 0.1 * 0.5], rtol=1e-14)  # a list has no roles: all is penalized
    for wrong in (Technique(noise={"hidden1": Bernoulli(0.5)}), Technique(loss=squared_error)):
        message = "noise and loss of a technique need a network of reglib.nets, got a function"
        with pytest.raises(ValueError, match=exactly(message)):
            take(wrong, p=[np.zeros(2), np.ones(1)], batch=(), net=of_list)


@pytest.mark.parametrize("readout", ["last", "every"])
def test_the_steps_of_sequences_are_the_third_part_of_a_batch(readout):
    net, r = Sequence(LSTM(), 2, 3, 2, readout), rng()
    p, x = net.init(r), r.standard_normal((5, 4, 2))
    steps = np.arange(4) < np.array([4, 2, 1, 3, 4])[:, None]
    y = r.integers(0, 2, 5 if readout == "last" else (5, 4))
    technique = Technique(data=lambda r, x, y: (2 * x, y), noise={"recurrent": Bernoulli(0.3, -2)})
    value, state = take(technique, p=p, batch=(x, y, steps), r=rng(), net=net)
    noise = places.draw(rng(), technique.noise, net.places(p, x))
    expected, grads = value_and_grads(net, p, 2 * x, y, noise=noise, steps=steps)
    assert value == expected
    same(state.params, {name: w - 0.1 * grads[name] for name, w in p.items()}, 1e-13)
    assert value != value_and_grads(net, p, 2 * x, y, noise=noise)[0]


@pytest.mark.parametrize("proximal", [False, True])
def test_float32_stays(proximal):
    p = NET.init(rng(1), dtype=np.float32)
    noise = {"input": Additive(0.1), "hidden1": Gaussian(0.2)}
    technique = Technique(noise=noise, penalty=L1(np.float64(0.01)), proximal=proximal)
    x = X.astype(np.float32)
    value, state = take(technique, p=p, batch=(x, Y), r=rng(), count=2)
    assert value.dtype == np.float32
    assert {array.dtype for array in state.params.values()} == {np.dtype(np.float32)}
    # normal numbers are drawn in the type of the network, and those in float32 are others than those in float64
    drawn = places.draw(rng(), noise, NET.places(p, x), np.float32)
    assert take(technique, p=p, batch=(x, Y), r=rng())[0] == value_and_grads(NET, p, x, Y, noise=drawn)[0]


# Prediction


def test_the_output_is_that_of_the_network_with_the_expected_noise():
    p = params()
    plain = NET.logits(p, X)
    for technique in (Technique(), Technique(noise={"input": Additive(0.3), "hidden1": Bernoulli(0.5)})):
        np.testing.assert_array_equal(technique.output(NET, p, X), plain)
    old = Technique(noise={"hidden1": Bernoulli(0.25, scaled=False)})
    smaller = NET.logits(p | {"w2": 0.75 * p["w2"]}, X)
    np.testing.assert_allclose(old.output(NET, p, X), smaller, rtol=1e-13)


def test_the_output_of_zoneout_for_each_replica_at_its_rate_and_with_steps():
    net, r = Sequence(GRU(), 2, 3, 2, "every"), rng()
    p, x = net.init(r, replicas=(2,)), r.standard_normal((5, 4, 2))
    steps = np.arange(4) < np.array([4, 2, 1, 3, 4])[:, None]
    technique = Technique(noise={"zone_h": Zoneout(np.array([0.2, 0.6])), "input": Bernoulli(0.5)})
    output = technique.output(net, p, x, steps=steps)
    for s, rate in enumerate((0.2, 0.6)):
        one = {name: array[s] for name, array in p.items()}
        expected = net.logits(one, x, noise={"zone_h": Noise(1 - rate)}, steps=steps)
        np.testing.assert_allclose(output[s], expected, rtol=1e-12)
        assert np.abs(output[s] - net.logits(one, x, steps=steps)).max() > 1e-3


def test_predict_is_handed_the_generator_the_network_and_the_memory():
    r, p = rng(), params()
    seen = []

    def predict(*arguments):
        seen.append(arguments)
        return arguments[1](arguments[3], arguments[2], arguments[0])

    technique = Technique(noise={"hidden1": Bernoulli(0.5)}, predict=predict)
    output = technique.output(NET, p, X, {"a": 1}, rng=r)
    drawn = places.draw(rng(), technique.noise, NET.places(p, X))
    np.testing.assert_array_equal(output, NET.logits(p, X, noise=drawn))
    given, _, x, used, memory = seen[0]
    assert given is r
    assert x is X
    assert used is p
    assert memory == {"a": 1}
    technique.output(NET, p, X)
    assert seen[1][0] is None
    assert seen[1][4] == {}


# A value


def smooth(r, x, y):
    return x, y


@dataclass(frozen=True)
class Project:
    limit: float

    def __call__(self, p, memory):
        return p, memory


def test_techniques_compare_and_hash_where_their_parts_do():
    def one():
        return Technique(
            data=smooth,
            noise={"input": Bernoulli(np.array([0.1, 0.2])), "hidden1": Additive(0.1)},
            penalty=(L1(np.array([0.1, 0.2])), L2(0.3, on="all")),
            between=Project(3.0),
        )

    assert one() == one()
    assert hash(one()) == hash(one())
    assert len({one(), one(), Technique()}) == 2
    kinds = {"hidden1": Additive(0.1), "input": Bernoulli(np.array([0.1, 0.2]))}
    assert Technique(noise=kinds) == Technique(noise=dict(reversed(kinds.items())))  # drawn in the network's order
    others = [
        Technique(data=smooth),
        Technique(data=(smooth, smooth)),
        Technique(noise={"input": Bernoulli(0.1)}),
        Technique(noise={"hidden1": Bernoulli(0.1)}),
        Technique(noise={"input": Bernoulli(0.2)}),
        Technique(loss=squared_error),
        Technique(slope=smooth),
        Technique(weights=smooth),
        Technique(predict=smooth),
        Technique(memory=smooth),
        Technique(penalty=L1(0.1)),
        Technique(penalty=L1(0.1), proximal=True),
        Technique(penalty=L1(0.1, on="all")),
        Technique(penalty=GroupLasso(0.1, [0, 1])),
        Technique(between=Project(3.0)),
        Technique(between=Project(2.0)),
    ]
    assert len({*others, Technique()}) == len(others) + 1
    assert Technique(data=smooth) == Technique(data=(smooth,)) == Technique(data=[smooth])
    assert Technique(penalty=L1(0.1)) == Technique(penalty=[L1(0.1)])
    assert Technique() != 5
    with pytest.raises(FrozenInstanceError):
        one().proximal = True
    assert eval(repr(Technique(noise={"input": Bernoulli(0.1)}))) == Technique(noise={"input": Bernoulli(0.1)})


def test_a_technique_keeps_what_it_was_given():
    kinds = {"input": Bernoulli(0.1)}
    technique = Technique(noise=kinds)
    kinds["hidden1"] = Bernoulli(0.5)
    assert technique == Technique(noise={"input": Bernoulli(0.1)})


def test_a_state_is_three_things():
    assert State._fields == ("params", "slots", "memory")
