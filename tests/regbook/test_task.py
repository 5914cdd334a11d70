"""Tasks and arms: parts of one seed and of several, pools, grids."""

import dataclasses

import numpy as np
import pytest

from regbook.task import Arm, Part, Task, grid, log_loss, percent_wrong, random_split, stack
from reglib.nets.mlp import MLP
from reglib.train.optim import SGD
from reglib.train.technique import Technique
from tests.conftest import exactly

POOL = np.arange(40.0).reshape(20, 2)


def own(seed, n=4):
    """A part with inputs of its own, with steps and more."""
    rng = np.random.default_rng(seed)
    return Part(rng.normal(size=(n, 3, 2)), rng.integers(5, size=n), None, rng.random((n, 3)) < 0.8, rng.random(n))


def pooled(seed, n=4, pool=POOL):
    """A part that takes rows of a pool."""
    rng = np.random.default_rng(seed)
    return Part(pool, rng.integers(5, size=n), rows=rng.permutation(len(pool))[:n])


def task(**changes):
    options = {"net": MLP((2, 3, 5)), "data": lambda rng: (pooled(1), pooled(2), pooled(3)), "optimizer": optimizer}
    return Task("small", **(options | {"batch_size": 2, "epochs": 1} | changes))


def optimizer(setting):
    return SGD(setting.learning_rate)


def test_stacked_parts_have_the_seeds_in_front():
    parts = [own(0), own(1), own(2)]
    both = stack(parts)
    for name in ("x", "y", "steps", "extra"):
        expected = np.stack([getattr(part, name) for part in parts])
        np.testing.assert_array_equal(getattr(both, name), expected)
    assert both.rows is None
    np.testing.assert_array_equal(both.inputs(), both.x)


def test_a_pool_is_shared_and_other_pools_are_not():
    parts = [pooled(0), pooled(1)]
    shared, copied = stack(parts), stack([parts[0], pooled(1, pool=POOL.copy())])
    assert shared.x is POOL
    assert copied.rows is None
    for both in (shared, copied):
        np.testing.assert_array_equal(both.inputs(), [part.x[part.rows] for part in parts])
        np.testing.assert_array_equal(both.y, [part.y for part in parts])


@pytest.mark.parametrize("make", [own, pooled])
def test_taking_examples(make):
    parts = [make(0), make(1), make(2)]
    both, index = stack(parts), np.array([[3, 0], [1, 1], [2, 3]])
    x, y, *steps = both.take(index)
    for s, part in enumerate(parts):
        inputs = part.x if part.rows is None else part.x[part.rows]
        np.testing.assert_array_equal(x[s], inputs[index[s]])
        np.testing.assert_array_equal(y[s], part.y[index[s]])
        if part.steps is not None:
            np.testing.assert_array_equal(steps[0][s], part.steps[index[s]])
    assert len(steps) == (parts[0].steps is not None)
    for mine, all_of in zip(both.take(index[[2, 0]], [2, 0]), both.take(index), strict=True):
        np.testing.assert_array_equal(mine, all_of[[2, 0]])


@pytest.mark.parametrize("make", [own, pooled])
def test_the_part_of_some_seeds(make):
    parts = [make(0), make(1), make(2)]
    some, expected = stack(parts).of(np.array([2, 0])), stack([parts[2], parts[0]])
    np.testing.assert_array_equal(some.inputs(), expected.inputs())
    for name in ("y", "rows", "steps", "extra"):
        np.testing.assert_array_equal(getattr(some, name), getattr(expected, name))


def test_joined_parts():
    for first, second in (
        ([own(0), own(1)], [own(2, 6), own(3, 6)]),
        ([pooled(0), pooled(1)], [pooled(2, 6), pooled(3, 6)]),
        ([pooled(0), pooled(1)], [pooled(2, 6, POOL + 1), pooled(3, 6, POOL + 2)]),
    ):
        a, b = stack(first), stack(second)
        both = a.joined(b)
        np.testing.assert_array_equal(both.inputs(), np.concatenate([a.inputs(), b.inputs()], axis=1))
        for name in ("y", "steps", "extra"):
            if getattr(a, name) is not None:
                expected = np.concatenate([getattr(a, name), getattr(b, name)], axis=1)
                np.testing.assert_array_equal(getattr(both, name), expected)
        assert (both.x is POOL) is (b.x is POOL)


def test_parts_that_do_not_fit_together_are_refused():
    with pytest.raises(ValueError, match=exactly("a part must have as many examples in every seed; got 4 and 5")):
        stack([own(0), own(1, 5)])
    wrong = dataclasses.replace(own(0), extra=np.zeros(3))
    expected = "a part must have one entry of each for every example; got {'x': 4, 'y': 4, 'steps': 4, 'extra': 3}"
    with pytest.raises(ValueError, match=exactly(expected)):
        stack([wrong])
    wrong = dataclasses.replace(pooled(0), rows=np.arange(3))
    expected = "a part must have one entry of each for every example; got {'y': 4, 'rows': 3}"
    with pytest.raises(ValueError, match=exactly(expected)):
        stack([wrong])
    two = task(data=lambda rng: (own(0), own(1)))
    expected = "data must return three parts, train, validation, test; got 2"
    with pytest.raises(ValueError, match=exactly(expected)):
        two.parts([0])


def test_a_tasks_parts_are_those_of_each_seed_in_the_networks_dtype():
    def data(rng):
        return Part(rng.normal(size=(3, 2)), rng.normal(size=(3, 1))), pooled(1), Part(POOL, np.zeros(20, int))

    train, validation, test = task(data=data).parts([5, 7])
    for s, seed in enumerate((5, 7)):
        x, y, _ = (part for part in (*_drawn(seed), None))
        np.testing.assert_array_equal(train.x[s], x)
        np.testing.assert_array_equal(train.y[s], y)
    assert {part.x.dtype for part in (train, validation, test)} == {np.dtype(np.float32)}
    assert train.y.dtype == np.float32
    assert test.y.dtype.kind == "i"
    assert task(data=data, dtype=np.float64).parts([5])[0].x.dtype == np.float64
    np.testing.assert_array_equal(task(data=data).parts([7])[0].x[0], train.x[1])


def _drawn(seed):
    rng = np.random.default_rng([seed, 0])
    return rng.normal(size=(3, 2)).astype(np.float32), rng.normal(size=(3, 1)).astype(np.float32)


def test_parts_go_on_sharing_a_pool():
    train, validation, test = task().parts([0, 1])
    assert train.x is validation.x is test.x
    assert train.x.shape == POOL.shape


def test_percent_wrong_by_hand():
    logits = np.array([[[1.0, 0], [0, 1], [1, 0], [1, 0]], [[1, 0], [1, 0], [1, 0], [1, 0]]])
    part = Part(np.zeros((2, 4, 1)), np.array([[0, 0, 0, 1], [0, 0, 0, 0]]))
    np.testing.assert_array_equal(percent_wrong(logits, part), [50.0, 0.0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"better": "more"}, "better must be one of 'lower', 'higher'; got 'more'"),
        ({"stop": "early"}, "stop must be one of 'last', 'best'; got 'early'"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"looks": 0}, "looks must be at least 1, got 0"),
    ],
)
def test_a_task_says_what_is_wrong(change, message):
    with pytest.raises(ValueError, match=exactly(message)):
        task(**change)


def test_a_grid_has_all_combinations_the_last_name_fastest():
    assert grid(a=(1, 2), b=(3, 4)) == [{"a": 1, "b": 3}, {"a": 1, "b": 4}, {"a": 2, "b": 3}, {"a": 2, "b": 4}]


def test_an_arm_has_settings_of_the_same_names():
    setting = {"rate": 0.1, "learning_rate": 1}
    arm = Arm("dropout", [setting, {"learning_rate": 2, "rate": 0.1}])
    setting["rate"] = 0.9
    assert arm.settings[0]["rate"] == 0.1
    assert arm.technique(None) == Technique()
    for settings in ((), [{"a": 1}, {"b": 1}], [{"a": 1}, {"a": 1, "b": 1}]):
        expected = "settings of arm 'x' must be one or more dicts with the same names"
        with pytest.raises(ValueError, match=exactly(expected)):
            Arm("x", settings)


def test_a_random_split_changes_training_labels_alone():
    x, y = np.arange(90.0)[:, None], np.arange(90) % 3
    parts = random_split(x, y, (40, 30, 20), wrong=0.25)(np.random.default_rng(0))
    assert [len(part.y) for part in parts] == [40, 30, 20]
    assert [int((part.y != y[part.rows]).sum()) for part in parts] == [10, 0, 0]
    assert len(set(np.concatenate([part.rows for part in parts]))) == 90
    assert all(part.x is x for part in parts)
    assert {int(label) for label in parts[0].y} == {0, 1, 2}


def test_a_random_split_may_change_validation_labels_too():
    x, y = np.zeros((100, 2)), np.arange(100) % 4
    one, both = (random_split(x, y, (40, 30, 20), wrong=0.2, wrong_in=where) for where in ("train", "both"))
    alone, parts = (data(np.random.default_rng(0)) for data in (one, both))
    assert [int((part.y != y[part.rows]).sum()) for part in parts] == [8, 6, 0]
    for part, other in zip(alone, parts, strict=True):
        np.testing.assert_array_equal(part.rows, other.rows)
    np.testing.assert_array_equal(alone[0].y, parts[0].y)
    with pytest.raises(ValueError, match="wrong_in must be one of 'train', 'both'; got 'test'"):
        random_split(x, y, (40, 30, 20), wrong_in="test")


def test_a_random_split_is_the_seeds_own():
    data = random_split(np.zeros((30, 2)), np.arange(30) % 5, (10, 10, 10), wrong=0.3)
    a, b, c = (data(np.random.default_rng(seed))[0] for seed in (0, 0, 1))
    np.testing.assert_array_equal(a.y, b.y)
    np.testing.assert_array_equal(a.rows, b.rows)
    assert (a.rows != c.rows).any()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"y": np.zeros(3, int)}, "x and y must hold one entry each for every example; got 4 and 3"),
        ({"counts": (2, 2)}, "counts must be three, for training, validation and test; got (2, 2)"),
        ({"wrong": 1.5}, "wrong must be a finite number in [0, 1], got 1.5"),
    ],
)
def test_a_random_split_refuses(changed, message):
    given = {"x": np.zeros((4, 1)), "y": np.zeros(4, int), "counts": (2, 1, 1), "wrong": 0.0} | changed
    with pytest.raises(ValueError, match=exactly(message)):
        random_split(given.pop("x"), given.pop("y"), given.pop("counts"), **given)


def test_the_log_loss_of_each_seed():
    logits = np.log([[[1.0, 2.0, 5.0], [1.0, 1.0, 2.0]], [[5.0, 2.0, 1.0], [2.0, 1.0, 1.0]]])
    part = Part(np.zeros((2, 2, 1)), np.array([[2, 0], [0, 0]]))
    expected = [(np.log(8 / 5) + np.log(4)) / 2, (np.log(8 / 5) + np.log(2)) / 2]
    np.testing.assert_allclose(log_loss(logits, part), expected, rtol=1e-12)
