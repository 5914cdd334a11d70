"""The loop: batches, the step with a penalty, learning curves, early stopping, and replicas as a loop over models."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reglib.nets import mlp
from reglib.train.loop import DivergenceError, EarlyStopping, Minibatches, minibatches, train
from reglib.train.optim import SGD, Adam
from reglib.weights import penalties
from tests.conftest import exactly


def rng(seed=7):
    return np.random.default_rng(seed)


def bowl(params, batch=None):
    """L = 1/2 sum (w - 3)^2 + 1/2 sum (b + 1)^2, one a replica: gradients w - 3 and b + 1."""
    w, b = params
    axes = tuple(range(w.ndim - 1, w.ndim))
    return (((w - 3) ** 2).sum(axis=axes) + ((b + 1) ** 2).sum(axis=axes)) / 2, [w - 3, b + 1]


START = [np.array([0.0, 1.0]), np.array([0.0])]


# Mini-batches


def test_every_epoch_passes_over_every_example_once():
    batches = list(minibatches(rng(), 10, 4, 3))
    assert [len(batch) for batch in batches] == [4, 4, 2] * 3
    for epoch in range(3):
        assert sorted(np.concatenate(batches[3 * epoch : 3 * epoch + 3])) == list(range(10))
    assert len({tuple(np.concatenate(batches[i : i + 3])) for i in (0, 3, 6)}) == 3
    assert len(list(minibatches(rng(), 10, 4))) == 3


@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 3), st.booleans())
def test_the_length_is_the_number_of_batches(n, batch_size, epochs, drop_last):
    if batch_size > n:
        return
    batches = minibatches(rng(), n, batch_size, epochs, drop_last=drop_last)
    assert len(list(batches)) == len(batches) == epochs * batches.per_epoch
    if drop_last:
        assert {len(batch) for batch in batches} == {batch_size}


def test_a_second_pass_and_the_same_seed_give_the_same_batches():
    batches = minibatches(rng(), 10, 4, 2)
    first, again, same, other = (
        list(batches),
        list(batches),
        list(minibatches(rng(), 10, 4, 2)),
        minibatches(rng(8), 10, 4),
    )
    for a, b, c in zip(first, again, same, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)
    assert first[0].tolist() != next(iter(other)).tolist()
    g = rng()
    assert minibatches(g, 10, 4).seed != minibatches(g, 10, 4).seed
    assert max(minibatches(g, 10, 4).seed for _ in range(50)) > 2**60


def test_replicas_shuffle_on_their_own():
    batches = minibatches(rng(), 6, 6, 300, replicas=(2, 3))
    orders = np.stack(list(batches))
    assert orders.shape == (300, 2, 3, 6)
    np.testing.assert_array_equal(np.sort(orders, axis=-1), np.broadcast_to(np.arange(6), orders.shape))
    assert (orders[:, 0, 0] != orders[:, 1, 2]).any()
    # each example is first in 1800 / 6 = 300 orders, standard deviation 15.8
    assert np.abs(np.bincount(orders[..., 0].ravel()) - 300).max() < 80


def test_rows_may_be_listed_for_all_or_for_each_replica():
    batches = list(minibatches(rng(), np.array([7, 9, 11], np.uint8), 2, 1))
    assert sorted(np.concatenate(batches)) == [7, 9, 11]
    rows = np.array([[0, 1, 2], [5, 6, 7]])
    both = np.concatenate(list(minibatches(rng(), rows, 2, 1)), axis=-1)
    np.testing.assert_array_equal(np.sort(both, axis=-1), rows)
    np.testing.assert_array_equal(rows, [[0, 1, 2], [5, 6, 7]])
    assert [b.shape for b in minibatches(rng(), rows, 2, 1)] == [(2, 2), (2, 1)]
    assert [b.shape for b in minibatches(rng(), [4, 5], 2, replicas=(3,))] == [(3, 2)]


def test_bad_batches_are_named():
    cases = [
        (
            lambda: minibatches(0, 10, 4),
            TypeError,
            "rng must be a numpy.random.Generator, for instance numpy.random.default_rng(0); got 0",
        ),
        (lambda: minibatches(rng(), 0, 4), ValueError, "rows must be at least 1, got 0"),
        (lambda: minibatches(rng(), 2.0, 1), TypeError, "rows must be an integer, got 2.0"),
        (
            lambda: minibatches(rng(), [0.5, 1.5], 1),
            TypeError,
            "rows must be a count or a non-empty integer array, got float64 of shape (2,)",
        ),
        (
            lambda: minibatches(rng(), np.zeros((2, 0), int), 1),
            TypeError,
            "rows must be a count or a non-empty integer array, got int64 of shape (2, 0)",
        ),
        (lambda: minibatches(rng(), 10, 0), ValueError, "batch_size must be at least 1, got 0"),
        (lambda: minibatches(rng(), 10, 11), ValueError, "batch_size must be at most the number of rows, 10; got 11"),
        (lambda: minibatches(rng(), 10, 4, 0), ValueError, "epochs must be at least 1, got 0"),
        (lambda: minibatches(rng(), 10, 4, replicas=(0,)), ValueError, "replicas must be at least 1, got 0"),
        (
            lambda: minibatches(rng(), np.zeros((2, 3), int), 2, replicas=(2,)),
            ValueError,
            "replicas must be left out when rows has leading axes of its own; got shape (2, 3)",
        ),
    ]
    for call, error, message in cases:
        with pytest.raises(error, match=exactly(message)):
            call()
    assert len(minibatches(rng(), 1, 1, 1, replicas=(1,))) == 1
    assert "rows" not in repr(minibatches(rng(), 5, 2))
    assert isinstance(minibatches(rng(), 5, 2), Minibatches)
    assert minibatches(rng(), 5, 2).drop_last is False


# The loop


def test_two_steps_by_hand():
    params, losses = train(START, bowl, SGD(0.5), range(2))
    # w: 0 -> 1.5 -> 2.25 and 1 -> 2 -> 2.5; b: 0 -> -0.5 -> -0.75
    np.testing.assert_allclose(params[0], [2.25, 2.5])
    np.testing.assert_allclose(params[1], [-0.75])
    # before the first step (9 + 4 + 1) / 2, before the second (2.25 + 1 + 0.25) / 2
    np.testing.assert_allclose(losses, [7, 1.75])
    assert isinstance(losses, np.ndarray)
    np.testing.assert_array_equal(START[0], [0, 1])
    np.testing.assert_array_equal(START[1], [0])


def test_the_run_without_measures():
    run = train(START, bowl, SGD(0.5), range(2))
    assert run.curves == {}
    assert run.steps.shape == (0,)
    assert run.steps.dtype == int
    assert run.best_step is None
    params, losses = run
    assert params is run.params
    assert losses is run.losses


def test_batches_reach_the_model_with_and_without_data():
    seen = []

    def model(params, *parts):
        seen.append(parts)
        return 0.0, [np.zeros(1)]

    x, y = np.arange(10.0).reshape(5, 2), np.arange(5)
    index = [np.array([4, 0]), np.array([[1, 2], [3, 3]])]
    train([np.zeros(1)], model, SGD(0.1), index, data=(x, y))
    np.testing.assert_array_equal(seen[0][0], [[8, 9], [0, 1]])
    np.testing.assert_array_equal(seen[0][1], [4, 0])
    assert seen[1][0].shape == (2, 2, 2)
    train([np.zeros(1)], model, SGD(0.1), index)
    assert len(seen[2]) == 1
    assert seen[2][0] is index[0]


def test_the_penalty_adds_its_gradient_to_the_weights_alone():
    params, losses = train(START, bowl, SGD(0.5), range(1), penalty=penalties.L2(0.25))
    # w - 0.5 (w - 3 + 2 * 0.25 w): 0 -> 1.5, 1 -> 1 - 0.5 (-2 + 0.5) = 1.75; the bias without it
    np.testing.assert_allclose(params[0], [1.5, 1.75])
    np.testing.assert_allclose(params[1], [-0.5])
    np.testing.assert_allclose(losses, [7])
    both, _ = train([START[0], np.array([2.0])], bowl, SGD(0.5), range(1), penalty=penalties.L2(0.25), weights=[1])
    np.testing.assert_allclose(both[0], [1.5, 2])
    np.testing.assert_allclose(both[1], [2 - 0.5 * (3 + 1)])
    every, _ = train([START[0], np.array([2.0])], bowl, SGD(0.5), range(1), penalty=penalties.L2(0.25), weights=(0, 1))
    np.testing.assert_allclose(every[0], [1.5, 1.75])
    np.testing.assert_allclose(every[1], [0])


def test_by_default_every_second_parameter_is_penalized():
    params = [np.full(1, float(i)) for i in range(1, 5)]

    def flat(p, batch):
        return 0.0, [np.zeros(1)] * 4

    after, _ = train(params, flat, SGD(0.5), range(1), penalty=penalties.L1(0.5))
    np.testing.assert_allclose(np.concatenate(after), [0.75, 2, 2.75, 4])


def test_the_proximal_step_reaches_the_minimum_with_exact_zeros():
    target = np.array([3.0, 0.2, -1.0])

    def model(p, batch):
        return 0.5 * ((p[0] - target) ** 2).sum(), [p[0] - target]

    run = train([np.ones(3)], model, SGD(0.5), range(80), penalty=penalties.L1(0.5), proximal=True)
    np.testing.assert_allclose(run.params[0], [2.5, 0, -0.5], atol=1e-12)
    assert run.params[0][1] == 0
    plain = train([np.ones(3)], model, SGD(0.5), range(80), penalty=penalties.L1(0.5))
    assert plain.params[0][1] != 0
    one = train([np.ones(3)], model, SGD(0.5), range(1), penalty=penalties.L1(0.5), proximal=True)
    # 1 - 0.5 (1 - target) = 2, 0.6, 0, then moved by 0.5 * 0.5
    np.testing.assert_allclose(one.params[0], [1.75, 0.35, 0])


def test_the_proximal_step_asks_for_plain_sgd():
    for optimizer in (SGD(0.1, momentum=0.9), Adam(0.1), SGD(0.1, momentum=np.array([0.0, 0.9]))):
        with pytest.raises(ValueError, match=exactly(f"proximal=True needs SGD without momentum, got {optimizer!r}")):
            train(START, bowl, optimizer, range(1), penalty=penalties.L1(0.5), proximal=True)
    with pytest.raises(ValueError, match=exactly("proximal=True needs a penalty; got penalty=None")):
        train(START, bowl, SGD(0.1), range(1), proximal=True)
    train(START, bowl, Adam(0.1), range(1), penalty=penalties.L1(0.5))


def test_replicas_with_their_own_rate_and_strength_are_a_loop_over_models():
    r = rng()
    x, y = r.standard_normal((30, 4)), r.integers(0, 3, 30)
    params = mlp.init(r, (4, 5, 3), replicas=(3,))
    batches = minibatches(r, 30, 8, 4, replicas=(3,))
    rates, strengths = np.array([0.1, 0.2, 0.3]), np.array([0.0, 0.01, 0.1])
    for proximal in (False, True):
        run = train(
            params,
            mlp.loss_and_grads,
            SGD(rates),
            batches,
            data=(x, y),
            penalty=penalties.L1(strengths),
            proximal=proximal,
        )
        assert run.losses.shape == (len(batches), 3)
        for s in range(3):
            alone = train(
                [p[s] for p in params],
                mlp.loss_and_grads,
                SGD(rates[s]),
                [batch[s] for batch in batches],
                data=(x, y),
                penalty=penalties.L1(strengths[s]),
                proximal=proximal,
            )
            np.testing.assert_allclose(run.losses[:, s], alone.losses, rtol=1e-10)
            for together, single in zip(run.params, alone.params, strict=True):
                np.testing.assert_allclose(together[s], single, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_training_learns_is_deterministic_and_keeps_the_dtype(dtype):
    def once():
        r = rng()
        x = r.standard_normal((60, 2)).astype(dtype)
        y = (x[:, 0] > x[:, 1]).astype(int)
        params = mlp.init(r, (2, 8, 2), replicas=(2,), dtype=dtype)
        run = train(
            params, mlp.loss_and_grads, SGD(0.5), minibatches(r, 60, 20, 30), data=(x, y), penalty=penalties.L2(1e-4)
        )
        assert (mlp.accuracy(run.params, x, y) > 0.9).all()
        return run

    one, two = once(), once()
    np.testing.assert_array_equal(one.losses, two.losses)
    assert one.losses.dtype == dtype
    assert {p.dtype for p in one.params} == {np.dtype(dtype)}


# Measures and early stopping


def counting(values):
    """A run whose single parameter counts the steps, and a measure that looks the step's value up."""
    table = np.asarray(values)

    def model(params, batch):
        return np.zeros(table.shape[1:]), [-np.ones_like(params[0])]

    def measure(params):
        step = np.rint(params[0][..., 0]).astype(int)
        if table.ndim == 1:
            return table[step]
        return table[step, np.arange(table.shape[1])]

    return [np.zeros((*table.shape[1:], 1))], model, measure


def test_measures_are_taken_at_the_start_every_k_steps_and_at_the_end():
    params, model, measure = counting(np.arange(10.0))
    run = train(params, model, SGD(1.0), range(7), measures={"m": measure, "twice": lambda p: 2 * measure(p)}, every=3)
    assert run.steps.tolist() == [0, 3, 6, 7]
    assert run.curves["m"].tolist() == [0, 3, 6, 7]
    assert run.curves["twice"].tolist() == [0, 6, 12, 14]
    run = train(params, model, SGD(1.0), range(6), measures={"m": measure}, every=3)
    assert run.steps.tolist() == [0, 3, 6]
    assert run.best_step is None
    assert train(params, model, SGD(1.0), [], measures={"m": measure}, every=1).steps.tolist() == [0]


def stop(values, patience, better="higher", steps=None, every=1):
    params, model, measure = counting(values)
    rule = EarlyStopping("m", patience=patience, better=better)
    steps = len(values) - 1 if steps is None else steps
    return train(params, model, SGD(1.0), range(steps), measures={"m": measure}, every=every, early_stopping=rule)


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


def test_divergence_is_loud_and_names_the_replicas():
    def model(params, batch):
        loss = np.array([1.0, np.inf if batch == 2 else 1.0, 1.0, np.nan if batch == 2 else 1.0])
        return loss, [np.zeros((4, 1))]

    tail = "; a smaller learning rate usually helps, and allow_divergence=True goes on with the others"
    message = "the loss of replicas [1, 3] is not finite at step 3" + tail
    with pytest.raises(DivergenceError, match=exactly(message)):
        train([np.zeros((4, 1))], model, SGD(0.1), range(5))
    with pytest.raises(DivergenceError, match=exactly("the loss is not finite at step 1" + tail)):
        train([np.zeros(1)], lambda p, batch: (np.nan, [np.zeros(1)]), SGD(0.1), range(5))


@pytest.mark.parametrize("proximal", [False, True])
def test_a_replica_that_diverges_stops_and_the_others_go_on(proximal):
    def model(params, batch):
        (w,) = params
        return np.exp(w[:, 0] ** 2), [2 * w * np.exp(w**2)]

    def run(start, steps, **options):
        return train([start], model, SGD(0.3), range(steps), penalty=penalties.L1(0.1), proximal=proximal, **options)

    good, bad = np.array([[0.1]]), np.array([[3.0]])
    both = run(np.concatenate([good, bad]), 6, allow_divergence=True)
    np.testing.assert_array_equal(both.params[0][0], run(good, 6).params[0][0])
    # the other one takes one step, from where its loss is finite to where it is not
    last = run(bad, 1).losses
    np.testing.assert_array_equal(both.losses[:, 1], [last[0, 0], *[np.nan] * 5])
    np.testing.assert_array_equal(both.params[0][1], bad[0])
    assert both.losses.dtype == float
    with pytest.raises(RuntimeWarning, match="overflow"):
        run(bad, 6)


def test_divergence_keeps_the_dtype_and_leaves_momentum_behind():
    def model(params, batch):
        loss = np.where(np.array([True, batch < 2]), 1, np.inf).astype(np.float32)
        return loss, [np.ones((2, 1), np.float32)]

    run = train([np.zeros((2, 1), np.float32)], model, SGD(1.0, momentum=0.5), range(4), allow_divergence=True)
    # steps 1, 1.5, 1.75, 1.875; the second replica has a finite loss before its first two steps
    np.testing.assert_array_equal(run.params[0], [[-6.125], [-1]])
    np.testing.assert_array_equal(run.losses, [[1, 1], [1, 1], [1, np.nan], [1, np.nan]])
    assert run.losses.dtype == run.params[0].dtype == np.float32


def test_progress_wraps_the_batches():
    quiet, seen = train(START, bowl, SGD(0.1), range(3)), []
    shown = train(START, bowl, SGD(0.1), range(3), progress=lambda batches: (seen.append(b) or b for b in batches))
    assert seen == [0, 1, 2]
    np.testing.assert_array_equal(quiet.losses, shown.losses)


def test_bad_arguments_are_named():
    measures = {"m": lambda p: 0.0}
    cases = [
        (
            lambda: train(START, bowl, SGD(0.1), range(1), measures=measures),
            TypeError,
            "every must be an integer, got None",
        ),
        (
            lambda: train(START, bowl, SGD(0.1), range(1), measures=measures, every=0),
            ValueError,
            "every must be at least 1, got 0",
        ),
        (
            lambda: train(
                START, bowl, SGD(0.1), range(1), measures=measures, every=1, early_stopping=EarlyStopping("n", 3)
            ),
            ValueError,
            "early_stopping.measure must be one of 'm'; got 'n'",
        ),
        (lambda: EarlyStopping("m", 0), ValueError, "patience must be at least 1, got 0"),
        (lambda: EarlyStopping("m", 1, better="up"), ValueError, "better must be one of 'higher', 'lower'; got 'up'"),
        (
            lambda: train(START, bowl, SGD(0.1), range(1), penalty=penalties.L2(1.0), weights=[0, 2]),
            ValueError,
            "weights must be positions below 2, the length of params; got [0, 2]",
        ),
        (
            lambda: train(START, bowl, SGD(0.1), range(1), penalty=penalties.L2(1.0), weights=[-1]),
            ValueError,
            "weights must be at least 0, got -1",
        ),
    ]
    for call, error, message in cases:
        with pytest.raises(error, match=exactly(message)):
            call()
