"""Training settings side by side: every network gets the numbers that it would get alone."""

import dataclasses

import numpy as np
import pytest

from regbook.fit import fit
from regbook.task import Arm, Part, Task, grid, log_loss, percent_wrong
from reglib._validate import replica_shape
from reglib.layers.cells import LSTM
from reglib.nets.mlp import MLP
from reglib.nets.sequence import Sequence
from reglib.noise.kinds import Bernoulli, Gaussian, Zoneout
from reglib.train.loop import minibatches, train
from reglib.train.losses import squared_error
from reglib.train.optim import SGD, Adam
from reglib.train.technique import Technique
from reglib.weights.parameters import each
from reglib.weights.penalties import L2
from tests.conftest import exactly


def classes(rng):
    """Two classes in three dimensions."""

    def draw(n):
        x = rng.normal(size=(n, 3))
        return Part(x, (x[:, 0] + 0.3 * rng.normal(size=n) > 0).astype(int))

    return draw(12), draw(20), draw(20)


def line(rng, test=1.0):
    """A line with noise; ``test`` multiplies the targets of the test."""

    def draw(n, factor=1.0):
        x = rng.normal(size=(n, 3))
        return Part(x, factor * (x[:, :1] + 0.1 * rng.normal(size=(n, 1))))

    return draw(12), draw(20), draw(20, test)


def words(rng, padding=0.0, last=False):
    """Sequences of 2 to 5 steps; a class for every step, or that of the last one."""

    def draw(n):
        steps = np.arange(5) < rng.integers(2, 6, size=(n, 1))
        x = rng.normal(size=(n, 5, 2))
        y = ((x * steps[..., None]).cumsum(axis=1)[..., 0] > 0).astype(int)
        return Part(np.where(steps[..., None], x, padding), y[:, -1] if last else y, steps=steps)

    return draw(12), draw(8), draw(8)


def optimizer(setting):
    return SGD(setting.learning_rate)


def squared(logits, part):
    return ((logits - part.y) ** 2).mean(axis=(-2, -1))


def wrong_steps(logits, part):
    wrong = (logits.argmax(axis=-1) != part.y) & part.steps
    return wrong.sum(axis=(-2, -1)) / part.steps.sum(axis=(-2, -1))


CLASSES = Task("classes", MLP((3, 4, 2)), classes, optimizer, batch_size=5, epochs=4, looks=2, training_curve=True)
LINE = Task(
    "line",
    MLP((3, 4, 1)),
    line,
    optimizer,
    batch_size=5,
    epochs=4,
    loss=squared_error,
    measure=squared,
    looks=4,
    training_curve=True,
)
WORDS = Task(
    "words",
    Sequence(LSTM(), 2, 3, 2, "every"),
    words,
    lambda s: Adam(s.learning_rate),
    batch_size=5,
    epochs=3,
    measure=wrong_steps,
    stop="best",
    looks=3,
    training_curve=True,
)
RATES = grid(rate=(0.0, 0.25, 0.5), learning_rate=(0.5, 0.05))


def averaging(setting):
    """Average the weights, and predict with the average."""

    def mix(old, new):
        keep = replica_shape("keep", setting.keep, "the average", old)
        return keep * old + (1 - keep) * new

    def average(params, memory):
        return params, memory | {"average": each(mix, memory.get("average", params), params)}

    def predict(rng, forward, x, params, memory):
        return forward(memory.get("average", params), x)

    return Technique(between=average, predict=predict)


def monte_carlo(setting):
    """Predict with noise."""

    def predict(rng, forward, x, params, memory):
        return forward(params, x, rng)

    return Technique(noise={"hidden1": Gaussian(setting.rate)}, predict=predict)


def smoothing(rng, x, y):
    """Shuffle nothing, but add noise to the inputs, of each replica's own."""
    noise = np.stack([one.normal(size=x.shape[1:]) for one in rng])
    return x + 0.1 * noise.astype(x.dtype), y


def unit(vectors):
    return vectors / np.sqrt((vectors * vectors).sum(axis=-1, keepdims=True))


def spectral(setting, name="w1"):
    """Divide a weight by its norm from a power iteration whose vectors are drawn at the start; noise beside it."""

    def memory(rng, params):
        return {"u": unit(np.stack([one.standard_normal(params[name].shape[1]) for one in rng])), "steps": 0}

    def weights(rng, params, memory):
        v = unit((memory["u"][..., None] * params[name]).sum(axis=-2))
        memory["u"] = u = unit((params[name] * v[..., None, :]).sum(axis=-1))
        memory["steps"] += 1
        norm = (u[..., None] * params[name] * v[..., None, :]).sum(axis=(-2, -1), keepdims=True).astype(np.float32)

        def divide(arrays):
            return arrays | {name: arrays[name] / norm}

        return lambda params: (divide(params), divide)  # its gradient takes the norm as a constant

    def predict(rng, forward, x, params, memory):
        return forward(params, x) + memory["u"][..., :2].mean(axis=-1).reshape(-1, *[1] * (np.ndim(x) - 1))

    noise = {"input": Bernoulli(setting.rate)}
    return Technique(noise=noise, weights=weights, predict=predict, memory=memory)


def recurrent_spectral(setting):
    return spectral(setting, "w_h")


TECHNIQUES = {
    "nothing": (CLASSES, RATES, lambda s: Technique()),
    "dropout": (CLASSES, RATES, lambda s: Technique(noise={"hidden1": Bernoulli(s.rate), "input": Gaussian(s.rate)})),
    "penalty": (LINE, RATES, lambda s: Technique(penalty=L2(s.rate))),
    "data": (LINE, RATES, lambda s: Technique(data=smoothing)),
    "prediction": (CLASSES, RATES, monte_carlo),
    "sequences": (
        WORDS,
        RATES,
        lambda s: Technique(noise={"zone_h": Zoneout(s.rate), "input": Bernoulli(s.rate, shared=-2)}),
    ),
    "lengths": (
        CLASSES,
        grid(rate=(0.1, 0.5), epochs=(2, 3, 5), learning_rate=(0.3,)),
        lambda s: Technique(noise={"hidden1": Bernoulli(s.rate)}),
    ),
    "memory": (CLASSES, grid(keep=(0.9,), learning_rate=(0.5, 0.1), epochs=(2, 3)), averaging),
    "memory from the start": (CLASSES, RATES, spectral),
    "memory and the best step": (WORDS, RATES, recurrent_spectral),
}


def equal(one, other):
    """Whether two dicts of arrays are equal, bit for bit."""
    return list(one) == list(other) and all(np.array_equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("name", TECHNIQUES)
def test_a_networks_numbers_do_not_depend_on_what_is_trained_beside_it(name):
    task, settings, technique = TECHNIQUES[name]
    arm = Arm(name, settings, technique)
    together = fit(task, arm, seeds=(3, 8, 1))
    in_turn = fit(task, dataclasses.replace(arm, one_pass=False), seeds=(3, 8, 1))
    for part in ("validation", "train", "test", "best_step", "train_curve", "validation_curve"):
        np.testing.assert_array_equal(getattr(together, part), getattr(in_turn, part))
    assert equal(together.params, in_turn.params)
    assert len(np.unique(together.of(0)["w_x" if task is WORDS else "w1"])) > 20
    for k, setting in enumerate(settings):
        alone = fit(task, arm, [setting], seeds=(1,))
        for part in ("validation", "train", "test", "best_step"):
            assert getattr(alone, part)[0, 0] == getattr(together, part)[k, 2]
        assert equal(alone.of(0), each(lambda w: w[2:], together.of(k)))
        if len(together.steps):
            np.testing.assert_array_equal(alone.validation_curve[:, 0, 0], together.validation_curve[:, k, 2])


@pytest.mark.parametrize("seed", [0, 5])
def test_each_seed_draws_from_generators_of_its_own(seed):
    """One network by hand, with the four generators that are promised."""
    technique = Technique(noise={"hidden1": Bernoulli(0.5)})
    result = fit(CLASSES, Arm("dropout", [{"learning_rate": 0.5}], lambda s: technique), seeds=(2, seed))
    rngs = [np.random.default_rng([seed, part]) for part in range(4)]
    training, validation, test = classes(rngs[0])
    start = CLASSES.net.init(rngs[1], dtype=np.float32)
    batches = minibatches(rngs[2], 12, 5, 4)
    data = training.x.astype(np.float32), training.y
    run = train(CLASSES.net, start, SGD(0.5), batches, data=data, technique=technique, rng=rngs[3])
    assert equal(run.params, each(lambda w: w[1], result.of(0)))
    for name, part in (("train", training), ("validation", validation), ("test", test)):
        wrong = CLASSES.net.logits(run.params, part.x.astype(np.float32)).argmax(axis=-1) != part.y
        assert getattr(result, name)[0, 1] == 100 * wrong.mean()


def test_arms_are_paired():
    """Data, start and batches are the same in every arm, and noise of rate 0 is none."""
    arms = [lambda s: Technique(), lambda s: Technique(noise={"hidden1": Bernoulli(0.0)})]
    plain, same = (fit(CLASSES, Arm("a", RATES[:1], technique), seeds=range(3)) for technique in arms)
    assert equal(plain.params, same.params)
    noisy = fit(CLASSES, Arm("a", RATES[:1], lambda s: Technique(noise={"hidden1": Bernoulli(0.5)})), seeds=range(3))
    np.testing.assert_array_equal(noisy.validation_curve[0], plain.validation_curve[0])
    assert not equal(noisy.params, plain.params)


def test_what_a_result_holds():
    result = fit(CLASSES, Arm("none", RATES), seeds=(4, 2))
    assert result.settings == tuple(RATES)
    assert result.seeds == (4, 2)
    assert result.validation.shape == result.train.shape == result.test.shape == result.best_step.shape == (6, 2)
    assert list(result.steps) == [0, 6, 12]
    assert result.train_curve.shape == result.validation_curve.shape == (3, 6, 2)
    np.testing.assert_array_equal(result.validation_curve[-1], result.validation)
    assert (result.best_step == 12).all()
    assert result.params["w1"].shape == (12, 3, 4)
    np.testing.assert_array_equal(result.of(2)["w1"], result.params["w1"][4:6])
    assert result.test.dtype == float


def test_epochs_are_a_setting_like_others():
    settings = [{"epochs": epochs, "learning_rate": 0.5} for epochs in (5, 2, 5)]
    result = fit(CLASSES, Arm("none", settings), seeds=range(3))
    assert list(result.best_step[:, 0]) == [15, 6, 15]
    for k, epochs in ((0, 5), (1, 2)):
        task = dataclasses.replace(CLASSES, epochs=epochs)
        alone = fit(task, Arm("none", [{"learning_rate": 0.5}]), seeds=range(3))
        np.testing.assert_array_equal(result.test[k], alone.test[0])
        assert equal(result.of(k), alone.of(0))
    assert len(result.steps) == len(result.train_curve) == len(result.validation_curve) == 0


def test_the_last_batch_and_the_learning_rate():
    arm = Arm("none", [{"learning_rate": 0.5}])
    dropped = fit(dataclasses.replace(CLASSES, drop_last=True), arm, seeds=range(2))
    assert list(dropped.steps) == [0, 4, 8]  # 2 batches of 5 in 12 examples, 4 epochs
    stopped = fit(dataclasses.replace(CLASSES, schedule=lambda done: float(done < 0.5)), arm, seeds=range(2))
    half = fit(dataclasses.replace(CLASSES, epochs=2), arm, seeds=range(2))
    assert equal(stopped.params, half.params)


def test_an_arm_may_bring_an_optimizer():
    own = Arm("own", grid(rate=(0.05, 0.01)), optimizer=lambda s: Adam(s.rate))
    found = fit(CLASSES, own, seeds=range(2))
    expected = fit(dataclasses.replace(CLASSES, optimizer=own.optimizer), Arm("task", own.settings), seeds=range(2))
    assert equal(found.params, expected.params)


def test_curves_at_different_steps_are_no_curves():
    """Two looks each, but at other updates."""
    settings = [{"epochs": epochs, "learning_rate": 0.5} for epochs in (4, 2)]
    result = fit(CLASSES, Arm("none", settings), seeds=range(2))
    assert result.steps.shape == (0,)
    assert result.validation_curve.shape == (0, 2, 2)


@pytest.mark.parametrize("better", ["lower", "higher"])
def test_stopping_keeps_the_best_measurement(better):
    task = dataclasses.replace(CLASSES, stop="best", better=better, looks=12)
    result = fit(task, Arm("none", grid(learning_rate=(3.0, 0.05))), seeds=range(6))
    pick = np.min if better == "lower" else np.max
    np.testing.assert_array_equal(result.validation, pick(result.validation_curve, axis=0))
    at = np.searchsorted(result.steps, result.best_step)
    for curve, end in ((result.validation_curve, result.validation), (result.train_curve, result.train)):
        np.testing.assert_array_equal(np.take_along_axis(curve, at[None], axis=0)[0], end)
    assert (result.best_step < result.steps[-1]).any()
    last = fit(dataclasses.replace(task, stop="last"), Arm("none", grid(learning_rate=(3.0, 0.05))), seeds=range(6))
    np.testing.assert_array_equal(last.validation, last.validation_curve[-1])
    np.testing.assert_array_equal(last.validation_curve, result.validation_curve)


def test_stopping_may_go_by_another_measure():
    task = dataclasses.replace(CLASSES, stop="best", looks=12, training_curve=True)
    arm, seeds = Arm("none", grid(learning_rate=(3.0, 0.05))), range(6)
    by_loss = fit(dataclasses.replace(task, stop_by=log_loss), arm, seeds=seeds)
    losses = fit(dataclasses.replace(task, stop="last", measure=log_loss), arm, seeds=seeds).validation_curve
    errors = fit(dataclasses.replace(task, stop="last"), arm, seeds=seeds).validation_curve
    at = losses.argmin(axis=0)
    np.testing.assert_array_equal(by_loss.best_step, by_loss.steps[at])
    np.testing.assert_array_equal(by_loss.validation, np.take_along_axis(errors, at[None], axis=0)[0])
    np.testing.assert_array_equal(by_loss.validation_curve, errors)
    assert (by_loss.best_step != fit(task, arm, seeds=seeds).best_step).any()


@pytest.mark.parametrize("stop", ["last", "best"])
def test_memory_reaches_the_prediction(stop):
    task, seeds = dataclasses.replace(CLASSES, stop=stop, looks=6), (0, 1, 3)
    settings = grid(keep=(0.5, 0.9), learning_rate=(1.0,))
    result = fit(task, Arm("average", settings, averaging), seeds=seeds)
    plain = fit(task, Arm("none", settings), seeds=seeds)
    assert (result.best_step > 0).all()  # at the start there is no memory yet
    test = task.parts(seeds)[2]
    logits = task.net.logits(result.memory["average"], np.concatenate([test.x] * 2))
    wrong = logits.argmax(axis=-1) != np.concatenate([test.y] * 2)
    np.testing.assert_array_equal(result.test, 100 * wrong.mean(axis=-1).reshape(2, 3))
    assert not np.array_equal(result.test, plain.test)
    if stop == "last":
        assert equal(result.params, plain.params)


def test_prediction_draws_the_same_at_every_look():
    task = dataclasses.replace(CLASSES, looks=4)
    result = fit(task, Arm("monte carlo", [{"rate": 0.5, "learning_rate": 0.0}], monte_carlo), seeds=range(4))
    assert (result.validation_curve == result.validation_curve[0]).all()
    plain = fit(task, Arm("none", [{"learning_rate": 0.0}]), seeds=range(4))
    assert not np.array_equal(plain.validation, result.validation)


@pytest.mark.parametrize("readout", ["every", "last"])
def test_padding_reaches_nothing(readout):
    arm, last = Arm("zoneout", RATES, TECHNIQUES["sequences"][2]), readout == "last"
    net, measure = Sequence(LSTM(), 2, 3, 2, readout), percent_wrong if last else wrong_steps
    clean, dirty = (
        fit(
            dataclasses.replace(WORDS, net=net, data=lambda rng, p=p: words(rng, p, last), measure=measure),
            arm,
            seeds=range(2),
        )
        for p in (0.0, 1e3)
    )
    assert equal(clean.params, dirty.params)
    for part in ("validation", "train", "test"):
        np.testing.assert_array_equal(getattr(clean, part), getattr(dirty, part))


def test_a_pool_gives_the_numbers_of_copies():
    pool = np.random.default_rng(0).normal(size=(60, 3))
    labels = (pool[:, 0] > 0).astype(int)

    def rows(rng):
        order = rng.permutation(60)
        return order[:12], order[12:32], order[32:]

    def pooled(rng):
        return tuple(Part(pool, labels[part], rows=part) for part in rows(rng))

    def copied(rng):
        return tuple(Part(pool[part], labels[part]) for part in rows(rng))

    arm = Arm("dropout", RATES, lambda s: Technique(noise={"hidden1": Bernoulli(s.rate)}))
    one, other = (fit(dataclasses.replace(CLASSES, data=data), arm, seeds=range(3)) for data in (pooled, copied))
    assert equal(one.params, other.params)
    for part in ("validation", "train", "test"):
        np.testing.assert_array_equal(getattr(one, part), getattr(other, part))


def test_joined_trains_on_training_and_validation_data():
    def together(rng):
        training, validation, test = classes(rng)
        x, y = (np.concatenate([getattr(training, name), getattr(validation, name)]) for name in ("x", "y"))
        return Part(x, y), validation, test

    arm = Arm("none", RATES[:2])
    joined = fit(CLASSES, arm, seeds=range(3), joined=True)
    expected = fit(dataclasses.replace(CLASSES, data=together), arm, seeds=range(3))
    assert equal(joined.params, expected.params)
    np.testing.assert_array_equal(joined.test, expected.test)
    with pytest.raises(
        ValueError,
        match=exactly("joined=True leaves no validation data to stop by, so the task must have stop='last'"),
    ):
        fit(dataclasses.replace(CLASSES, stop="best"), arm, joined=True)


def test_the_test_data_are_not_read_unless_asked_for():
    arm = Arm("none", RATES)
    task = dataclasses.replace(LINE, data=lambda rng: line(rng, test=np.nan))
    blind = fit(task, arm, seeds=range(2), test=False)
    assert blind.test is None
    np.testing.assert_array_equal(blind.validation, fit(LINE, arm, seeds=range(2)).validation)
    assert np.isnan(fit(task, arm, seeds=range(2)).test).all()


def test_only_what_was_asked_for_is_trained():
    arm = Arm("dropout", RATES, TECHNIQUES["dropout"][2])
    which = np.random.default_rng(0).random((6, 4)) < 0.4
    which[2] = False
    some, every = fit(CLASSES, arm, seeds=range(4), which=which), fit(CLASSES, arm, seeds=range(4))
    for part in ("validation", "train", "test"):
        np.testing.assert_array_equal(getattr(some, part), np.where(which, getattr(every, part), np.nan))
    np.testing.assert_array_equal(some.best_step, np.where(which, 12, -1))
    for k in range(6):
        assert equal(some.of(k), each(lambda w, k=k: w[which[k]], every.of(k)))


@pytest.mark.parametrize("one_pass", [True, False])
def test_a_run_that_diverges_has_no_result_and_disturbs_no_other(one_pass):
    arm = Arm("none", grid(learning_rate=(0.05, 1e20)), one_pass=one_pass)
    result = fit(LINE, arm, seeds=range(3))
    for part in ("validation", "train", "test"):
        assert np.isnan(getattr(result, part)[1]).all()
    expected = fit(LINE, Arm("none", grid(learning_rate=(0.05,))), seeds=range(3))
    np.testing.assert_array_equal(result.test[0], expected.test[0])
    kept = fit(dataclasses.replace(LINE, stop="best", looks=12), arm, seeds=range(3))
    assert np.isfinite(kept.validation).all()  # the best measurement came before
    assert (kept.best_step[1] == 0).all()


def test_an_output_with_nan_has_no_measure():
    """The class of a NaN would be the first one, and right half of the time."""

    def predict(rng, forward, x, params, memory):
        return forward(params, x) * np.array([1, np.nan])[: len(x), None, None]

    result = fit(CLASSES, Arm("nan", RATES[:1], lambda s: Technique(predict=predict)), seeds=range(2))
    assert np.isfinite(result.test[0, 0])
    assert np.isnan([result.test[0, 1], result.train[0, 1], result.validation[0, 1]]).all()


def test_values_that_are_no_numbers():
    arm = Arm("place", grid(place=("input", "hidden1"), learning_rate=(0.5,)), lambda s: noisy(s.place))
    expected = "settings with different values of 'place' that are no numbers need one_pass=False"
    with pytest.raises(ValueError, match=exactly(expected)):
        fit(CLASSES, arm, seeds=range(2))
    result = fit(CLASSES, dataclasses.replace(arm, one_pass=False), seeds=range(2))
    for k, place in enumerate(("input", "hidden1")):
        alone = fit(CLASSES, Arm("one", [{"learning_rate": 0.5}], lambda s, place=place: noisy(place)), seeds=range(2))
        assert equal(result.of(k), alone.of(0))


def noisy(place):
    return Technique(noise={place: Bernoulli(0.5)})


def test_nothing_to_train_is_refused():
    expected = "settings and seeds must hold at least one each, got 6 and 0"
    with pytest.raises(ValueError, match=exactly(expected)):
        fit(CLASSES, Arm("none", RATES), seeds=())
