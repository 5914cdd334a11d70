"""Studies: equal budgets, ties, edges, choices that never see the test, verdicts."""

import dataclasses

import numpy as np
import pytest

from regbook.fit import Result, fit
from regbook.study import measured_by, shares, study
from regbook.task import Arm, Part, Task, grid
from reglib.nets.mlp import MLP
from reglib.noise.kinds import Bernoulli
from reglib.train.losses import squared_error
from reglib.train.optim import SGD
from reglib.train.technique import Technique
from reglib.weights.averaging import EMA
from reglib.weights.parameters import each as each_parameter
from tests.conftest import exactly


def data(rng, test=1.0):
    """A line with noise; ``test`` multiplies the targets of the test."""

    def draw(n, factor=1.0):
        x = rng.normal(size=(n, 3))
        return Part(x, factor * (x[:, :1] + 0.1 * rng.normal(size=(n, 1))))

    return draw(12), draw(20), draw(20, test)


def squared(logits, part):
    return ((logits - part.y) ** 2).mean(axis=(-2, -1))


TASK = Task(
    "line",
    MLP((3, 4, 1)),
    data,
    lambda s: SGD(s.learning_rate),
    batch_size=6,
    epochs=2,
    loss=squared_error,
    measure=squared,
    unit="squared error",
)
RATES = (0.05, 0.1, 0.2)
NONE = Arm("none", grid(learning_rate=RATES))
DROPOUT = Arm(
    "dropout",
    grid(rate=(0.1, 0.25, 0.5), learning_rate=(0.1,)),
    lambda s: Technique(noise={"hidden1": Bernoulli(s.rate)}),
)


class Told:
    """Does the work of a study by saying what came out; remembers what was asked for.

    ``validation`` and ``test`` are (K, S) by arm; the final test is one more than that of the choice.
    """

    def __init__(self, validation, test=None, final=None):
        self.validation, self.test, self.final, self.jobs = validation, test or validation, final or {}, {}

    def __call__(self, jobs):
        self.jobs |= jobs
        return {name: self.result(*name.split("/"), job) for name, job in jobs.items()}

    def result(self, arm, stage, job):
        shape = len(job.settings), len(job.seeds)
        validation = np.array(self.validation[arm], float) if stage == "tuning" else np.full(shape, 0.5)
        test = np.array(self.test[arm], float) if stage == "tuning" else np.full(shape, 100.0)
        if stage == "final":
            test = np.array(self.final[arm], float)
        nothing = np.zeros((0, *shape))
        return Result(
            tuple(job.settings), tuple(job.seeds), validation, validation, test, nothing, nothing, nothing, test
        )


def arm(name, **options):
    """An arm with two settings."""
    return Arm(name, grid(rate=(0.1, 0.5)), **options)


# Four seeds: the first setting is better in two, the second in one, and one seed cannot tell.
VALIDATION = [[1, 1, 3, 2], [2, 2, 1, 2]]
TEST = [[10, 20, 30, 40], [50, 60, 70, 80]]


def test_shares_by_hand():
    np.testing.assert_array_equal(shares(VALIDATION), [[1, 1, 0, 0.5], [0, 0, 1, 0.5]])
    np.testing.assert_array_equal(shares(VALIDATION, "higher"), [[0, 0, 1, 0.5], [1, 1, 0, 0.5]])
    np.testing.assert_array_equal(shares([[1, 2], [1, 2], [1, 3]]), [[1 / 3, 0.5], [1 / 3, 0.5], [1 / 3, 0]])
    for better in ("lower", "higher"):
        np.testing.assert_array_equal(shares([[np.nan, 1], [7, np.nan]], better), [[0, 1], [1, 0]])
        expected = "at least one setting must have a validation result in every seed; all of them diverged"
        with pytest.raises(ValueError, match=exactly(expected)):
            shares([[np.nan, 1], [np.nan, np.nan]], better)
    with pytest.raises(ValueError, match=exactly("better must be one of 'lower', 'higher'; got 'more'")):
        shares(VALIDATION, "more")


def test_each_seed_chooses_for_itself_and_ties_are_shared():
    told = Told({"a": VALIDATION, "b": VALIDATION[::-1]}, {"a": TEST, "b": TEST})
    found = study(TASK, [arm("a"), arm("b")], seeds=4, run=told)
    np.testing.assert_array_equal(found.test["a"], [10, 20, 70, 60])
    np.testing.assert_array_equal(found.test["b"], [50, 60, 30, 60])
    np.testing.assert_array_equal(found.validation["a"], [1, 1, 1, 2])
    assert found.choices("a") == [({"rate": 0.1}, 2.5), ({"rate": 0.5}, 1.5)]
    assert found.choices("b") == [({"rate": 0.5}, 2.5), ({"rate": 0.1}, 1.5)]
    assert list(told.jobs) == ["a/tuning", "b/tuning"]
    assert found.final == found.tried
    job = told.jobs["b/tuning"]
    assert (job.arm.name, job.settings, job.seeds) == ("b", arm("b").settings, range(4))
    assert (job.test, job.joined, job.which) == (True, False, None)


def test_higher_is_better_where_the_task_says_so():
    told = Told({"a": VALIDATION, "b": VALIDATION}, {"a": TEST, "b": TEST})
    found = study(dataclasses.replace(TASK, better="higher"), [arm("a"), arm("b")], seeds=4, run=told)
    np.testing.assert_array_equal(found.test["a"], [50, 60, 30, 60])
    comparison = found.compare("a", "b", minimum=2)
    assert comparison.better == "higher"


def test_diverged_settings_are_not_chosen():
    validation = [[np.nan, 1, np.nan, 2], [2, np.nan, 1, 9]]
    told = Told({"a": validation, "b": VALIDATION}, {"a": np.where(np.isnan(validation), np.nan, TEST), "b": TEST})
    found = study(TASK, [arm("a"), arm("b")], seeds=4, run=told)
    np.testing.assert_array_equal(found.test["a"], [50, 20, 70, 40])
    told = Told({"a": [[np.nan] * 4, [np.nan, 1, 1, 1]], "b": VALIDATION})
    expected = "arm 'a': at least one setting must have a validation result in every seed; all of them diverged"
    with pytest.raises(ValueError, match=exactly(expected)):
        study(TASK, [arm("a"), arm("b")], seeds=4, run=told)


def test_ends_of_a_grid_are_counted():
    settings = grid(rate=(0.1, 0.3, 0.5), place=("x", "y"), fixed=(1,))
    validation = np.ones((6, 8))
    for seed, best in enumerate((0, 1, 2, 2, 3, 3, 3, 5)):
        validation[best, seed] = 0
    found = study(TASK, [Arm("a", settings)], seeds=8, run=Told({"a": validation}))
    assert found.at_edge("a") == {"rate=0.1": 0.25, "rate=0.5": 0.125}
    validation[:, :2], validation[:, 7] = validation[:, 2:4], 0
    found = study(TASK, [Arm("a", settings)], seeds=8, run=Told({"a": validation}))
    assert found.at_edge("a") == pytest.approx(
        {"rate=0.1": 1 / 24, "rate=0.5": 1 / 24}
    )  # one seed of eight cannot tell
    validation[:, 7] = validation[:, 6]
    assert study(TASK, [Arm("a", settings)], seeds=8, run=Told({"a": validation})).at_edge("a") == {}


def test_budgets_must_be_equal():
    expected = "every arm must try the same number of settings, at least one; got {'a': 2, 'b': 3}"
    with pytest.raises(ValueError, match=exactly(expected)):
        study(TASK, [arm("a"), Arm("b", grid(rate=(1, 2, 3)))])
    with pytest.raises(
        ValueError, match=exactly("every arm must try the same number of settings, at least one; got {}")
    ):
        study(TASK, [])
    with pytest.raises(ValueError, match=exactly("arms must have different names, got a, b, a")):
        study(TASK, [arm("a"), arm("b"), arm("a")])
    with pytest.raises(ValueError, match=exactly("seeds must be at least 2, got 1")):
        study(TASK, [arm("a")], seeds=1)
    with pytest.raises(ValueError, match=exactly("tuning_seeds must be at least 0, got -1")):
        study(TASK, [arm("a")], tuning_seeds=-1)
    expected = "refit=True leaves no validation data to stop by, so stop must be 'last'; got arm 'b'"
    with pytest.raises(ValueError, match=exactly(expected)):
        study(dataclasses.replace(TASK, stop="best"), [arm("a"), arm("b", refit=True)])


def test_a_refit_trains_what_each_seed_chose_on_all_labels():
    final = [[1, 2, np.nan, 4], [np.nan, np.nan, 7, 8]]
    told = Told({"a": VALIDATION, "b": VALIDATION}, final={"a": final})
    found = study(TASK, [arm("a", refit=True), arm("b")], seeds=4, run=told)
    assert list(told.jobs) == ["a/tuning", "b/tuning", "a/final"]
    job = told.jobs["a/final"]
    assert (job.settings, job.seeds, job.test, job.joined) == (arm("a").settings, range(4), True, True)
    np.testing.assert_array_equal(job.which, [[1, 1, 0, 1], [0, 0, 1, 1]])
    np.testing.assert_array_equal(found.test["a"], [1, 2, 7, 6])
    np.testing.assert_array_equal(found.validation["a"], [1, 1, 1, 2])  # of the choice
    np.testing.assert_array_equal(found.test["b"], [1, 1, 1, 2])


def test_other_seeds_choose_one_setting_for_all():
    validation = {"a": [[1, 9, 2], [3, 3, 3]], "b": [[2, 1, 3], [1, 2, 3]]}  # the second mean; a tie, to the first
    told = Told(validation, final={"a": [[1, 2, 3, 4]], "b": [[5, 6, 7, 8]]})
    found = study(TASK, [arm("a"), arm("b")], seeds=4, tuning_seeds=3, first_tuning_seed=50, run=told)
    tuning, final = told.jobs["a/tuning"], told.jobs["a/final"]
    assert (tuning.settings, tuning.seeds, tuning.test) == (arm("a").settings, range(50, 53), False)
    assert (final.settings, final.seeds, final.test, final.joined) == (({"rate": 0.5},), range(4), True, False)
    assert told.jobs["b/final"].settings == ({"rate": 0.1},)
    np.testing.assert_array_equal(found.share["a"], [[0], [1]])
    np.testing.assert_array_equal(found.share["b"], [[1], [0]])
    np.testing.assert_array_equal(found.test["a"], [1, 2, 3, 4])
    np.testing.assert_array_equal(found.validation["a"], [0.5] * 4)
    assert found.choices("a") == [({"rate": 0.5}, 1.0)]
    assert found.at_edge("a") == {"rate=0.5": 1.0}
    told = Told({"a": [[np.nan, 1], [3, 3]], "b": VALIDATION}, final={"a": [[0] * 4], "b": [[0] * 4]})
    study(TASK, [arm("a"), arm("b")], seeds=4, tuning_seeds=2, run=told)
    assert told.jobs["a/final"].settings == ({"rate": 0.5},)


@pytest.mark.parametrize("tuning_seeds", [0, 3])
def test_the_choice_never_sees_the_test(tuning_seeds):
    options = {"seeds": 4, "tuning_seeds": tuning_seeds}
    found, other, blind = (
        study(dataclasses.replace(TASK, data=lambda rng, f=f: data(rng, f)), [NONE, DROPOUT], **options)
        for f in (1.0, -3.0, np.nan)
    )
    for name in ("none", "dropout"):
        for again in (other, blind):
            np.testing.assert_array_equal(again.share[name], found.share[name])
            np.testing.assert_array_equal(again.validation[name], found.validation[name])
        assert not np.array_equal(other.test[name], found.test[name])
        assert np.isnan(blind.test[name]).all()
        if tuning_seeds:
            assert found.tried[name].test is None


def test_a_whole_study_is_its_fits():
    found = study(TASK, [NONE, DROPOUT], seeds=5)
    for each in (NONE, DROPOUT):
        alone = fit(TASK, each, seeds=range(5))
        np.testing.assert_array_equal(found.tried[each.name].validation, alone.validation)
        best = alone.validation.argmin(axis=0)
        np.testing.assert_array_equal(found.test[each.name], alone.test[best, range(5)])
    tuned = study(TASK, [NONE, DROPOUT], seeds=5, tuning_seeds=3)
    for each in (NONE, DROPOUT):
        best = fit(TASK, each, seeds=range(1000, 1003)).validation.mean(axis=1).argmin()
        alone = fit(TASK, each, [each.settings[best]], seeds=range(5))
        np.testing.assert_array_equal(tuned.test[each.name], alone.test[0])


def test_a_refit_is_a_fit_on_all_labels_even_one_after_the_other():
    """With lengths among the settings, and settings that are trained in turn."""
    settings = grid(rate=(0.1, 0.4), epochs=(1, 4), learning_rate=(0.1,))
    arms = [
        Arm(name, settings, DROPOUT.technique, refit=True, one_pass=one_pass)
        for name, one_pass in (("one", True), ("turn", False))
    ]
    found = study(TASK, arms, seeds=6)
    np.testing.assert_array_equal(found.test["one"], found.test["turn"])
    assert len(found.choices("one")) > 1
    whole = fit(TASK, arms[0], seeds=range(6), joined=True)
    best = found.tried["one"].validation.argmin(axis=0)
    np.testing.assert_array_equal(found.test["one"], whole.test[best, range(6)])
    assert not np.array_equal(whole.test, found.tried["one"].test)


def averaging(setting):
    """Predict with an average of the weights that begins at the first ones, plus a number that each seed draws."""

    def memory(rng, params):
        return {"mean": params, "drawn": np.stack([one.standard_normal(2) for one in rng])}

    def between(params, memory):
        return params, memory | {"mean": each_parameter(lambda old, new: 0.8 * old + 0.2 * new, memory["mean"], params)}

    def predict(rng, forward, x, params, memory):
        return forward(memory["mean"], x) + 0.1 * memory["drawn"][:, :1, None]

    return Technique(noise={"input": Bernoulli(setting.rate)}, between=between, predict=predict, memory=memory)


@pytest.mark.parametrize("stop", ["last", "best"])
def test_memory_from_the_start_is_that_of_each_network_alone(stop):
    """Several settings and seeds in one pass, against one setting after the other, and one seed after the other."""
    task = dataclasses.replace(TASK, stop=stop, looks=4, epochs=3)
    settings = grid(rate=(0.1, 0.4), learning_rate=(0.05, 0.2, 0.5))
    arms = [Arm(name, settings, averaging, one_pass=one_pass) for name, one_pass in (("one", True), ("turn", False))]
    found = study(task, arms, seeds=5)
    np.testing.assert_array_equal(found.test["one"], found.test["turn"])
    assert len(found.choices("one")) > 1
    whole = fit(task, arms[0], seeds=range(5))
    for seed in range(5):
        alone = fit(task, arms[0], seeds=[seed])
        np.testing.assert_array_equal(alone.test[:, 0], whole.test[:, seed])
        rows = slice(seed, None, 5)
        np.testing.assert_array_equal(alone.memory["drawn"], whole.memory["drawn"][rows])
        np.testing.assert_array_equal(alone.memory["mean"]["w2"], whole.memory["mean"]["w2"][rows])


def far(logits, part):
    return np.abs(logits - part.y).max(axis=(-2, -1))


@pytest.mark.parametrize("better", ["lower", "higher"])
def test_the_same_networks_by_another_measure(better):
    """Averages in the memory predict, and a run that diverged has no measure."""
    ema = Arm("average", grid(learning_rate=(0.05, 0.2, 1e9)), lambda s: Technique(**EMA(0.5).parts()))
    arms = [ema, Arm("none", ema.settings)]
    task = dataclasses.replace(TASK, measure=far, unit="largest error", better=better)
    other = measured_by(study(TASK, arms, seeds=3), far, unit="largest error", better=better)
    expected = study(task, arms, seeds=3)
    assert other.task == task
    for name in expected.arms:
        for part in ("train", "validation", "test"):
            values = getattr(other.tried[name], part)
            np.testing.assert_array_equal(values, getattr(expected.tried[name], part))
            assert np.isnan(values[2]).all()
        for part in ("share", "test", "validation"):
            np.testing.assert_array_equal(getattr(other, part)[name], getattr(expected, part)[name])
    assert not np.array_equal(other.test["average"], other.test["none"])


@pytest.mark.parametrize("options", [{"tuning_seeds": 2}, {}])
def test_networks_that_were_trained_anew_are_not_measured_again(options):
    again = dataclasses.replace(NONE, refit=not options)
    found = study(TASK, [again], seeds=2, **options)
    text = "found must be a study whose networks were chosen on their own seeds and not fitted again"
    with pytest.raises(ValueError, match=exactly(text)):
        measured_by(found, far, unit="largest error")


def test_progress_sees_the_names_of_the_jobs():
    seen = []

    def progress(names):
        seen.extend(names)
        return names

    study(TASK, [NONE, DROPOUT], seeds=2, tuning_seeds=2, progress=progress)
    assert seen == ["none/tuning", "dropout/tuning", "none/final", "dropout/final"]


def compared():
    """A study of three arms whose numbers are known: b is better than a by 1 or 2, c stays away from the ends."""
    rng = np.random.default_rng(0)
    base = rng.normal(size=20)
    numbers = {"a": base + 1 + rng.random(20), "b": base, "c": base + rng.normal(size=20)}
    validation = {name: np.stack([np.zeros(20), np.ones(20), np.ones(20)]) for name in numbers}
    validation["c"] = validation["c"][[1, 0, 2]]
    told = Told(validation, {name: np.stack([value] * 3) for name, value in numbers.items()})
    arms = [Arm(name, grid(rate=(0.0, 0.25, 0.5), learning_rate=(0.1,))) for name in numbers]
    return study(TASK, arms, seeds=20, run=told), numbers


def test_comparisons_are_paired():
    found, numbers = compared()
    comparison = found.compare("b", "a")
    assert (comparison.claim, comparison.arms, comparison.n) == ("b against a", ("b", "a"), 20)
    assert comparison.difference == pytest.approx((numbers["b"] - numbers["a"]).mean())
    assert comparison.verdict == "supported"
    assert found.compare("b", "a", "b helps", smallest=5.0).verdict == "contradicted"
    assert found.compare("b", "a", "b helps").claim == "b helps"
    with pytest.raises(ValueError, match=exactly("arm must be one of 'a', 'b', 'c'; got 'd'")):
        found.compare("a", "d")


def test_the_table_of_verdicts_marks_choices_at_the_end_of_a_grid():
    found, _ = compared()
    shown = found.verdicts(("b", "a", "b helps"), ("c", "c", "nothing"), ("a", "c"), ("c", "a"))
    rows = shown.cells()
    comparison = found.compare("b", "a")
    low, high = comparison.interval
    expected = [f"{comparison.mean_a:.3g}", f"{comparison.mean_b:.3g}", f"[{low:.3g}, {high:.3g}]"]
    assert rows[0] == ["b helps", *expected, "supported *"]
    assert rows[1][-1] == "inconclusive"
    assert rows[2][0] == "a against c"
    assert rows[2][-1].endswith(" *")
    assert rows[3][-1].endswith(" *")
    assert shown.caption == "squared error, 20 paired seeds, * where a chosen setting lies at the end of its grid"
    assert found.verdicts(("c", "c")).caption == "squared error, 20 paired seeds"
    assert found.verdicts(("b", "a"), digits=6).cells()[0][1] == f"{comparison.mean_a:.6g}"


def test_a_study_shows_as_a_table_of_its_arms():
    found, numbers = compared()
    rows = found.table().cells()
    assert [row[0] for row in rows] == ["a", "b", "c"]
    assert rows[0][1] == "rate 0, learning_rate 0.1"
    assert rows[0][2] == "rate=0: 100%"
    assert rows[2][2] == "none"
    assert rows[1][3].startswith(f"{numbers['b'].mean():.4g} [")
    assert repr(found) == repr(found.table())
    assert "squared error, mean and 95%" in repr(found)
    assert found._repr_html_() == found.table()._repr_html_()
    assert "<td" in found._repr_html_()
    shared = study(TASK, [arm("a")], seeds=4, run=Told({"a": VALIDATION})).table().cells()[0]
    assert shared[1] == "rate 0.1 (2.5 of 4 seeds)"
    assert shared[2] == "rate=0.1: 62%, rate=0.5: 38%"


def test_a_choice_that_diverges_in_the_end_is_named():
    told = Told({"a": VALIDATION, "b": VALIDATION}, final={"a": [[1, np.nan, 3, np.nan]], "b": [[1, 2, 3, 4]]})
    found = study(TASK, [arm("a"), arm("b")], seeds=4, tuning_seeds=4, run=told)
    assert found.table().cells()[0][-1] == "2 seeds diverged"
    with pytest.raises(ValueError, match=exactly("arm 'a' must have a result in every seed; it diverged in [1, 3]")):
        found.compare("b", "a", minimum=2)
