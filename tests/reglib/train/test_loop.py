"""The loop: data, steps with a penalty, learning curves, early stopping, divergence, replicas as a loop over models."""

import numpy as np
import pytest

from reglib.layers.cells import GRU
from reglib.nets.mlp import MLP
from reglib.nets.sequence import Sequence
from reglib.noise.kinds import Bernoulli
from reglib.train.loop import DivergenceError, EarlyStopping, minibatches, train
from reglib.train.losses import squared_error
from reglib.train.optim import SGD, Adam
from reglib.train.technique import State, Technique, start, step, value_and_grads
from reglib.weights.penalties import L1, L2
from tests.conftest import exactly


def rng(seed=7):
    return np.random.default_rng(seed)


def bowl(params, batch=None):
    """L = 1/2 sum (w - 3)^2 + 1/2 sum (b + 1)^2: gradients w - 3 and b + 1."""
    w, b = params["w"], params["b"]
    return (((w - 3) ** 2).sum() + ((b + 1) ** 2).sum()) / 2, {"w": w - 3, "b": b + 1}


START = {"w": np.array([0.0, 1.0]), "b": np.array([0.0])}


def regularized(penalty, proximal=False, **parts):
    return Technique(penalty=penalty, proximal=proximal, **parts)


def of(params, s):
    return {name: p[s] for name, p in params.items()}


# The loop


def test_two_steps_by_hand():
    params, losses = train(bowl, START, SGD(0.5), range(2))
    # w: 0 -> 1.5 -> 2.25 and 1 -> 2 -> 2.5; b: 0 -> -0.5 -> -0.75
    np.testing.assert_allclose(params["w"], [2.25, 2.5])
    np.testing.assert_allclose(params["b"], [-0.75])
    # before the first step (9 + 4 + 1) / 2, before the second (2.25 + 1 + 0.25) / 2
    np.testing.assert_allclose(losses, [7, 1.75])
    assert isinstance(losses, np.ndarray)
    np.testing.assert_array_equal(START["w"], [0, 1])
    np.testing.assert_array_equal(START["b"], [0])


def test_the_run_without_measures():
    run = train(bowl, START, SGD(0.5), range(2))
    assert run.curves == run.memory == {}
    assert run.steps.shape == (0,)
    assert run.steps.dtype == int
    assert run.best_step is None
    params, losses = run
    assert params is run.params
    assert losses is run.losses


def test_the_loop_is_one_step_after_the_other():
    """With everything that a technique draws from one generator, which goes on from step to step."""
    net, r = MLP((4, 5, 3)), rng()
    x, y, params = r.standard_normal((12, 4)), r.integers(0, 3, 12), net.init(r)
    count = lambda p, memory: (p, {"steps": memory.get("steps", 0) + 1})  # noqa: E731
    technique = Technique(noise={"hidden1": Bernoulli(0.5)}, penalty=L2(0.1), between=count)
    optimizer, batches, twin = Adam(0.05), list(minibatches(r, 12, 5, 2)), rng(3)
    run = train(net, params, optimizer, batches, data=(x, y), technique=technique, rng=rng(3))
    state, losses = start(technique, optimizer, params), []
    for rows in batches:
        value, state = step(net, technique, optimizer, state, (x[rows], y[rows]), twin)
        losses.append(value)
    np.testing.assert_array_equal(run.losses, losses)
    for name, array in state.params.items():
        np.testing.assert_array_equal(run.params[name], array)
    assert run.memory == state.memory == {"steps": 6}


def test_batches_reach_a_function_with_and_without_data():
    seen = []

    def model(params, *parts):
        seen.append(parts)
        return 0.0, [np.zeros(1)]

    x, y = np.arange(10.0).reshape(5, 2), np.arange(5)
    index = [np.array([4, 0]), np.array([[1, 2], [3, 3]])]
    train(model, [np.zeros(1)], SGD(0.1), index, data=(x, y))
    np.testing.assert_array_equal(seen[0][0], [[8, 9], [0, 1]])
    np.testing.assert_array_equal(seen[0][1], [4, 0])
    assert seen[1][0].shape == (2, 2, 2)
    train(model, [np.zeros(1)], SGD(0.1), index)
    assert len(seen[2]) == 1
    assert seen[2][0] is index[0]
    train(model, [np.zeros(1)], SGD(0.1), [(x, y, 7)])
    assert seen[4] == (x, y, 7)
    train(model, [np.zeros(1)], SGD(0.1), [3], data=lambda batch: (batch, 2 * batch))
    assert seen[5] == (3, 6)


@pytest.mark.parametrize("readout", ["last", "every"])
def test_sequences_have_their_steps_as_the_third_part_of_the_data(readout):
    net, r = Sequence(GRU(), 1, 4, 2, readout), rng()
    params, x = net.init(r), r.standard_normal((6, 5, 1))
    y = r.integers(0, 2, 6 if readout == "last" else (6, 5))
    steps = np.arange(5) < np.array([5, 1, 3, 2, 4, 5])[:, None]
    x[~steps] = np.nan
    batches = [np.array([4, 1]), np.array([0, 3, 5])]
    run = train(net, params, SGD(0.3), batches, data=(x, y, steps))
    for rows, loss in zip(batches, run.losses, strict=True):
        value, grads = value_and_grads(net, params, x[rows], y[rows], steps=steps[rows])
        assert loss == pytest.approx(value, rel=1e-13)
        params = {name: p - 0.3 * grads[name] for name, p in params.items()}
    for name, array in params.items():
        np.testing.assert_allclose(run.params[name], array, rtol=1e-12)
    drawn = train(net, params, SGD(0.3), batches, data=lambda rows: (x[rows], y[rows], steps[rows]))
    given = train(net, params, SGD(0.3), [(x[rows], y[rows], steps[rows]) for rows in batches])
    np.testing.assert_array_equal(drawn.losses, given.losses)
    assert np.isfinite(drawn.losses).all()


def test_the_loss_of_the_task():
    net, r = MLP((2, 1)), rng()
    params, x, y = net.init(r), r.standard_normal((5, 2)), r.standard_normal((5, 1))
    run = train(net, params, SGD(0.1), [np.arange(5)], data=(x, y), loss=squared_error)
    assert run.losses[0] == squared_error(net.logits(params, x), y)[0]


def test_the_penalty_adds_its_gradient_to_the_weights_alone():
    params, losses = train(bowl, START, SGD(0.5), range(1), technique=regularized(L2(0.25)))
    # w - 0.5 (w - 3 + 2 * 0.25 w): 0 -> 1.5, 1 -> 1 - 0.5 (-2 + 0.5) = 1.75; the bias without it
    np.testing.assert_allclose(params["w"], [1.5, 1.75])
    np.testing.assert_allclose(params["b"], [-0.5])
    np.testing.assert_allclose(losses, [7])
    begin = START | {"b": np.array([2.0])}
    both, _ = train(bowl, begin, SGD(0.5), range(1), technique=regularized(L2(0.25, on="bias")))
    np.testing.assert_allclose(both["w"], [1.5, 2])
    np.testing.assert_allclose(both["b"], [2 - 0.5 * (3 + 1)])
    every, _ = train(bowl, begin, SGD(0.5), range(1), technique=regularized(L2(0.25, on="all")))
    np.testing.assert_allclose(every["w"], [1.5, 1.75])
    np.testing.assert_allclose(every["b"], [0])


def test_every_weight_of_a_recurrent_network_is_penalized_and_no_bias():
    """The old loop took every second parameter: of an LSTM the biases, and not the recurrent weights."""
    net = Sequence(GRU(), 1, 3, 2)
    params = {name: p + 1 for name, p in net.init(rng()).items()}
    flat = lambda p, batch: (0.0, {name: np.zeros_like(a) for name, a in p.items()})  # noqa: E731
    for proximal in (False, True):
        after = train(flat, params, SGD(0.1), range(1), technique=regularized(L1(0.5), proximal)).params
        for name, p in params.items():
            expected = p - 0.05 * np.sign(p) if name in ("w_x", "w_h", "w_out") else p
            np.testing.assert_allclose(after[name], expected, rtol=1e-14)


def test_the_proximal_step_reaches_the_minimum_with_exact_zeros():
    target = np.array([3.0, 0.2, -1.0])

    def model(p, batch):
        return 0.5 * ((p[0] - target) ** 2).sum(), [p[0] - target]

    def run(steps, proximal):
        return train(model, [np.ones(3)], SGD(0.5), range(steps), technique=regularized(L1(0.5), proximal)).params[0]

    np.testing.assert_allclose(run(80, True), [2.5, 0, -0.5], atol=1e-12)
    assert run(80, True)[1] == 0
    assert run(80, False)[1] != 0
    # 1 - 0.5 (1 - target) = 2, 0.6, 0, then moved by 0.5 * 0.5
    np.testing.assert_allclose(run(1, True), [1.75, 0.35, 0])


def test_replicas_with_their_own_rate_and_strength_are_a_loop_over_models():
    net, r = MLP((4, 5, 3)), rng()
    x, y = r.standard_normal((30, 4)), r.integers(0, 3, 30)
    params = net.init(r, replicas=(3,))
    batches = minibatches(r, 30, 8, 4, replicas=(3,))
    rates, strengths = np.array([0.1, 0.2, 0.3]), np.array([0.0, 0.01, 0.1])
    for proximal in (False, True):
        technique = regularized(L1(strengths), proximal)
        run = train(net, params, SGD(rates), batches, data=(x, y), technique=technique)
        assert run.losses.shape == (len(batches), 3)
        for s in range(3):
            own, rows = regularized(L1(strengths[s]), proximal), [batch[s] for batch in batches]
            alone = train(net, of(params, s), SGD(rates[s]), rows, data=(x, y), technique=own)
            np.testing.assert_allclose(run.losses[:, s], alone.losses, rtol=1e-10)
            for name, single in alone.params.items():
                np.testing.assert_allclose(run.params[name][s], single, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_training_learns_is_deterministic_and_keeps_the_dtype(dtype):
    net = MLP((2, 8, 2))

    def once():
        r = rng()
        x = r.standard_normal((60, 2)).astype(dtype)
        y = (x[:, 0] > x[:, 1]).astype(int)
        params = net.init(r, replicas=(2,), dtype=dtype)
        technique = regularized(L2(1e-4), noise={"input": Bernoulli(0.1)})
        batches = minibatches(r, 60, 20, 30)
        run = train(net, params, SGD(0.5), batches, data=(x, y), technique=technique, rng=r)
        assert ((net.logits(run.params, x).argmax(axis=-1) == y).mean(axis=-1) > 0.9).all()
        return run

    one, two = once(), once()
    np.testing.assert_array_equal(one.losses, two.losses)
    assert one.losses.dtype == dtype
    assert {p.dtype for p in one.params.values()} == {np.dtype(dtype)}


# Measures and early stopping


def counting(values):
    """A run whose single parameter counts the steps, and a measure that looks the step's value up."""
    table = np.asarray(values)

    def model(params, batch):
        return np.zeros(table.shape[1:]), [-np.ones_like(params[0])]

    def measure(state):
        step = np.rint(state.params[0][..., 0]).astype(int)
        if table.ndim == 1:
            return table[step]
        return table[step, np.arange(table.shape[1])]

    return model, [np.zeros((*table.shape[1:], 1))], measure


def test_measures_are_taken_at_the_start_every_k_steps_and_at_the_end():
    model, params, measure = counting(np.arange(10.0))
    measures = {"m": measure, "twice": lambda state: 2 * measure(state)}
    run = train(model, params, SGD(1.0), range(7), measures=measures, every=3)
    assert run.steps.tolist() == [0, 3, 6, 7]
    assert run.curves["m"].tolist() == [0, 3, 6, 7]
    assert run.curves["twice"].tolist() == [0, 6, 12, 14]
    run = train(model, params, SGD(1.0), range(6), measures={"m": measure}, every=3)
    assert run.steps.tolist() == [0, 3, 6]
    assert run.best_step is None
    assert train(model, params, SGD(1.0), [], measures={"m": measure}, every=1).steps.tolist() == [0]


def test_a_measure_sees_the_whole_state():
    seen = []
    technique = Technique(between=lambda p, memory: (p, {"sum": memory.get("sum", 0) + p["w"].sum()}))
    measures = {"m": lambda state: seen.append(state) or state.memory.get("sum", 0.0)}
    run = train(bowl, START, SGD(0.5), range(2), technique=technique, measures=measures, every=1)
    assert run.curves["m"].tolist() == [0, 3.5, 3.5 + 4.75]
    assert all(isinstance(state, State) for state in seen)
    assert seen[0].params is START


def stop(values, patience, better="higher", steps=None, every=1, min_delta=0.0, **options):
    model, params, measure = counting(values)
    rule = EarlyStopping("m", patience, better, min_delta)
    steps = len(values) - 1 if steps is None else steps
    options |= {"measures": {"m": measure}, "every": every, "early_stopping": rule}
    return train(model, params, SGD(1.0), range(steps), **options)


def test_early_stopping_returns_the_best_and_waits_for_patience():
    run = stop([0.1, 0.5, 0.4, 0.45, 0.9, 0.2], patience=2)
    # best at 1, two measurements without a better one: stopped after step 3, before 0.9 is seen
    assert run.best_step == 1
    assert run.params[0].tolist() == [1]
    assert run.steps.tolist() == [0, 1, 2, 3]
    assert len(run.losses) == 3
    run = stop([0.1, 0.5, 0.4, 0.45, 0.9, 0.2], patience=3)
    assert run.best_step == 4
    assert run.params[0].tolist() == [4]
    assert len(run.losses) == 5


def test_lower_may_be_better_and_a_tie_is_not():
    assert stop([0.9, 0.5, 0.7, 0.5, 0.6], patience=9, better="lower").best_step == 1
    assert stop([0.9, 0.5, 0.7, 0.9, 0.6], patience=9).best_step == 0
    assert stop([0.5, 0.5, 0.7], patience=1).best_step == 0


def test_a_measurement_may_be_an_unsigned_count():
    assert stop(np.array([2, 1, 0, 1], np.uint8), patience=9, better="lower").best_step == 2


def test_patience_counts_measurements_not_steps():
    run = stop([0, 9, 1, 9, 0, 9, 0, 9, 5, 9, 9.0], patience=2, every=2)
    assert run.steps.tolist() == [0, 2, 4, 6]
    assert run.best_step == 2


def test_the_end_counts_as_a_measurement():
    run = stop([0.1, 0.2, 0.3, 0.9], patience=5, steps=3, every=2)
    assert run.steps.tolist() == [0, 2, 3]
    assert run.best_step == 3
    assert run.params[0].tolist() == [3]


def test_each_replica_stops_as_it_would_alone():
    table = np.array(
        [[0.1, 0.9, 0.1], [0.5, 0.8, 0.2], [0.4, 0.7, 0.3], [0.3, 0.99, 0.4], [0.9, 0.1, 0.5], [0.9, 0.1, 0.45]]
    )
    run = stop(table, patience=2)
    assert run.best_step.tolist() == [1, 0, 4]
    assert run.best_step.dtype == run.steps.dtype == int
    assert run.params[0].tolist() == [[1], [0], [4]]
    for s in range(3):
        assert stop(table[:, s], patience=2).best_step == run.best_step[s]
    assert len(run.losses) == 5
    assert run.curves["m"].shape == (6, 3)


def test_a_nan_measurement_is_never_the_best():
    assert stop([np.nan, 0.1, np.nan, 0.05], patience=5).best_step == 1
    assert stop([np.nan, 0.1, np.nan, 0.05], patience=5, better="lower").best_step == 3


def test_a_gain_that_is_too_small_is_none():
    curve = [1.0, 0.95, 0.9, 0.5, 0.45]
    assert stop(curve, patience=9, better="lower", min_delta=0.1).best_step == 3
    assert stop(curve, patience=9, better="lower", min_delta=0.05).best_step == 3
    assert stop(curve, patience=2, better="lower", min_delta=0.2).best_step == 0
    # measured from the best that was accepted, not from the last
    assert stop([1.0, 0.94, 0.88, 0.82], patience=9, better="lower", min_delta=0.1).best_step == 2
    assert stop([0.0, 0.5, 1.0], patience=9, min_delta=0.5).best_step == 2


@pytest.mark.parametrize("better", ["higher", "lower"])
@pytest.mark.parametrize("patience", [1, 2, 3])
@pytest.mark.parametrize("min_delta", [0.0, 0.15])
def test_a_curve_is_read_as_training_reads_it(better, patience, min_delta):
    curves = [[0.1, 0.5, 0.4, 0.45, 0.9, 0.2], [3, 3, 3, 3], [np.nan, 2, np.nan, 1, 0], [5, 4, 3, 2, 1], [1, 2, 3, 4]]
    curves += [[np.inf, 1, np.inf, np.inf], [-np.inf, 1, 2], [1.0], np.random.default_rng(patience).random(12)]
    for curve in curves:
        rule = EarlyStopping("m", patience, better, min_delta)
        run = stop(curve, patience, better, min_delta=min_delta)
        stopped, kept = rule.read(curve)
        assert kept == run.best_step
        assert (len(curve) - 1 if stopped is None else stopped) == run.steps[-1]


def test_a_curve_that_is_read_by_hand():
    rule = EarlyStopping("loss", patience=2, better="lower")
    assert rule.read([3, 2, 4, 4, 1]) == (3, 1)
    assert rule.read([3, 2, 4, 1]) == (None, 3)
    assert rule.read([3]) == (None, 0)
    assert EarlyStopping("loss", patience=1, better="lower").read([3, 2, 2, 1]) == (2, 1)


def remembering(params, memory):
    """Remember the parameters, in an array and in a list of one; and the number of steps, which has no replicas."""
    return params, {"array": params[0], "list": [params[0]], "steps": memory.get("steps", 0) + 1, "name": "mine"}


def test_early_stopping_keeps_the_memory_of_the_best_step_too():
    technique = Technique(between=remembering)
    run = stop([0.1, 0.5, 0.4, 0.9, 0.2], patience=9, technique=technique)
    assert run.best_step == 3
    assert run.memory == {"array": [3], "list": [[3]], "steps": 3, "name": "mine"}
    table = np.array([[0.1, 0.9, 0.1], [0.5, 0.8, 0.2], [0.4, 0.99, 0.3], [0.3, 0.1, 0.4]])
    run = stop(table, patience=9, technique=technique)
    assert run.best_step.tolist() == [1, 2, 3]
    for array in (run.params[0], run.memory["array"], run.memory["list"][0]):
        assert array.tolist() == [[1], [2], [3]]
    assert run.memory["steps"] == 3


def test_a_start_that_stays_the_best_has_the_memory_of_the_start():
    technique = Technique(between=remembering)
    run = stop([0.9, 0.5, 0.4, 0.3], patience=2, technique=technique)
    assert run.best_step == 0
    assert run.params[0].tolist() == [0]
    assert run.memory == {}
    # beside replicas that go on there is no empty place: it has what was remembered first
    run = stop(np.array([[0.9, 0.1], [0.5, 0.5], [0.4, 0.8]]), patience=9, technique=technique)
    assert run.best_step.tolist() == [0, 2]
    assert run.params[0].tolist() == [[0], [2]]
    assert run.memory["array"].tolist() == [[1], [2]]


# Divergence

TAIL = "; a smaller learning rate usually helps, and allow_divergence=True goes on with the others"


def test_divergence_is_loud_and_names_the_replicas():
    def model(params, batch):
        loss = np.array([1.0, np.inf if batch == 2 else 1.0, 1.0, np.nan if batch == 2 else 1.0])
        return loss, [np.zeros((4, 1))]

    message = "the loss of replicas [1, 3] is not finite at step 3" + TAIL
    with pytest.raises(DivergenceError, match=exactly(message)):
        train(model, [np.zeros((4, 1))], SGD(0.1), range(5))
    with pytest.raises(DivergenceError, match=exactly("the loss is not finite at step 1" + TAIL)):
        train(lambda p, batch: (np.nan, [np.zeros(1)]), [np.zeros(1)], SGD(0.1), range(5))


@pytest.mark.parametrize("technique", [Technique(), regularized(L1(0.1)), regularized(L1(0.1), True)])
def test_a_replica_that_diverges_stops_and_the_others_go_on(technique):
    def model(params, batch):
        (w,) = params
        return np.exp(w[:, 0] ** 2), [2 * w * np.exp(w**2)]

    def run(start, steps, **options):
        return train(model, [start], SGD(0.3), range(steps), technique=technique, **options)

    good, bad = np.array([[0.1]]), np.array([[3.0]])
    both = run(np.concatenate([good, bad]), 6, allow_divergence=True)
    np.testing.assert_array_equal(both.params[0][0], run(good, 6).params[0][0])
    # the other one takes one step, from where its loss is finite to where it is not
    last = run(bad, 1).losses
    np.testing.assert_array_equal(both.losses[:, 1], [last[0, 0], *[np.nan] * 5])
    np.testing.assert_array_equal(both.params[0][1], bad[0])
    assert both.losses.dtype == float
    # where the processor tells of an overflow, that is heard first
    with pytest.raises((RuntimeWarning, DivergenceError), match=r"overflow|not finite"):
        run(bad, 6)


@pytest.mark.parametrize("proximal", [False, True])
@pytest.mark.parametrize("steps", [1, 3])
def test_a_penalty_beside_parameters_that_are_not_finite_any_more(steps, proximal):
    """The loss is finite, its gradient is not: the replica stops where it was, or the loop says so at once."""

    def model(params, batch):
        return np.ones(2), [np.array([[1.0], [np.inf]])]

    begin, technique = [np.array([[0.5], [0.5]])], regularized(L1(0.1), proximal)
    run = train(model, begin, SGD(0.1), range(steps), technique=technique, allow_divergence=True)
    np.testing.assert_allclose(run.params[0], [[0.5 - steps * 0.11], [0.5]])
    np.testing.assert_array_equal(run.losses[:, 0], np.ones(steps))
    np.testing.assert_array_equal(run.losses[:, 1], [1, np.nan, np.nan][:steps])
    with pytest.raises(DivergenceError, match=exactly("the loss of replicas [1] is not finite at step 2" + TAIL)):
        train(model, begin, SGD(0.1), range(steps), technique=technique)
    with pytest.raises(DivergenceError, match=exactly("the loss is not finite at step 2" + TAIL)):
        train(lambda p, b: (1.0, [np.full(1, np.inf)]), [np.zeros(1)], SGD(0.1), range(1), technique=technique)


def test_divergence_leaves_the_memory_where_the_parameters_are():
    def model(params, batch):
        return np.where(np.array([True, batch < 2]), 1.0, np.inf), [np.ones((2, 1))]

    technique = Technique(between=remembering)
    run = train(model, [np.zeros((2, 1))], SGD(1.0), range(4), technique=technique, allow_divergence=True)
    # the second replica has a finite loss before its first two steps: its parameters are those between the two
    assert run.params[0].tolist() == run.memory["array"].tolist() == run.memory["list"][0].tolist() == [[-4], [-1]]
    assert run.memory["steps"] == 4
    one = lambda p, batch: (1.0 if batch < 2 else np.nan, [np.ones(1)])  # noqa: E731
    alone = train(one, [np.zeros(1)], SGD(1.0), range(4), technique=technique, allow_divergence=True)
    assert alone.params[0] == alone.memory["array"] == -1


def test_divergence_keeps_the_dtype_and_leaves_momentum_behind():
    def model(params, batch):
        loss = np.where(np.array([True, batch < 2]), 1, np.inf).astype(np.float32)
        return loss, {"w": np.ones((2, 1), np.float32)}

    begin, optimizer = {"w": np.zeros((2, 1), np.float32)}, SGD(1.0, momentum=0.5)
    run = train(model, begin, optimizer, range(4), allow_divergence=True)
    # steps 1, 1.5, 1.75, 1.875; the second replica has a finite loss before its first two steps
    np.testing.assert_array_equal(run.params["w"], [[-6.125], [-1]])
    np.testing.assert_array_equal(run.losses, [[1, 1], [1, 1], [1, np.nan], [1, np.nan]])
    assert run.losses.dtype == run.params["w"].dtype == np.float32


# The rest


def test_progress_wraps_the_batches():
    quiet, seen = train(bowl, START, SGD(0.1), range(3)), []
    shown = train(bowl, START, SGD(0.1), range(3), progress=lambda batches: (seen.append(b) or b for b in batches))
    assert seen == [0, 1, 2]
    np.testing.assert_array_equal(quiet.losses, shown.losses)


def test_bad_arguments_are_named():
    measures = {"m": lambda state: 0.0}
    one = (bowl, START, SGD(0.1), range(1))
    cases = [
        (lambda: train(*one, measures=measures), TypeError, "every must be an integer, got None"),
        (lambda: train(*one, measures=measures, every=0), ValueError, "every must be at least 1, got 0"),
        (
            lambda: train(*one, measures=measures, every=1, early_stopping=EarlyStopping("n", 3)),
            ValueError,
            "early_stopping.measure must be one of 'm'; got 'n'",
        ),
        (
            lambda: EarlyStopping("m", 1, min_delta=-1),
            ValueError,
            "min_delta must be a finite number in [0, inf], got -1",
        ),
        (lambda: EarlyStopping("m", 0), ValueError, "patience must be at least 1, got 0"),
        (lambda: EarlyStopping("m", 1, better="up"), ValueError, "better must be one of 'higher', 'lower'; got 'up'"),
        (
            lambda: train(bowl, START, Adam(0.1), range(1), technique=regularized(L1(0.1), True)),
            ValueError,
            f"proximal=True needs SGD without momentum, got {Adam(0.1)!r}",
        ),
        (
            lambda: train(*one, technique=Technique(noise={"hidden1": Bernoulli(0.5)}), rng=rng()),
            ValueError,
            "noise and loss of a technique need a network of reglib.nets, got a function",
        ),
    ]
    for call, error, message in cases:
        with pytest.raises(error, match=exactly(message)):
            call()


def test_a_schedule_multiplies_the_learning_rate():
    seen = []

    def half_way(done):
        seen.append(done)
        return 1.0 if done < 0.5 else 0.1

    run = train(bowl, START, SGD(0.1), range(4), schedule=half_way)
    assert seen == [0.0, 0.25, 0.5, 0.75]
    w = START["w"]
    for rate in (0.1, 0.1, 0.01, 0.01):
        w = w - rate * (w - 3)
    np.testing.assert_allclose(run.params["w"], w, rtol=1e-14)
