"""Studies of models that are fitted at once: choices, refits, ties, verdicts."""

import numpy as np
import pytest

from regbook import scores
from regbook.scores import Model, Scores
from regbook.study import Study
from regbook.task import DATA, Part, grid
from reglib.linear import solvers


def problem(rng):
    """Six inputs of which the last three do not matter; three parts."""
    parts = []
    for n in (12, 10, 50):
        x = rng.standard_normal((n, 6))
        parts.append(Part(x, x[:, :3].sum(axis=1) + rng.standard_normal(n)))
    return parts


RIDGE = Model("ridge", grid(l2=(0.01, 0.1, 1.0)), lambda s, x, y: solvers.ridge(x, y, s.l2).predict)


def first_columns(s, x, y):
    fits = [solvers.ridge(x[:, :k], y, 0.0) for k in s.columns]
    return lambda new: [fit.predict(new[:, : len(fit.coef)]) for fit in fits]


FEWER = Model("fewer", grid(columns=(1, 3, 6)), first_columns)


def by_hand(seed, refit):
    """Ridge on one seed, written out: validation, test and training error of each strength."""
    train, validation, test = problem(np.random.default_rng([seed, DATA]))
    rows = []
    for l2 in (0.01, 0.1, 1.0):
        fit = solvers.ridge(train.x, train.y, l2)
        judged = np.mean((fit.predict(validation.x) - validation.y) ** 2)
        x, y = train.x, train.y
        if refit:
            x, y = np.vstack([x, validation.x]), np.hstack([y, validation.y])
            fit = solvers.ridge(x, y, l2)
        rows.append([judged, np.mean((fit.predict(test.x) - test.y) ** 2), np.mean((fit.predict(x) - y) ** 2)])
    return np.array(rows).T


@pytest.mark.parametrize("refit", [False, True])
def test_a_race_is_the_loop_by_hand(refit):
    model = Model("ridge", RIDGE.settings, RIDGE.fit, refit=refit)
    found = scores.race(problem, [model, FEWER], seeds=5)
    expected = np.stack([by_hand(seed, refit) for seed in range(5)], axis=-1)
    tried = found.tried["ridge"]
    np.testing.assert_allclose([tried.validation, tried.test, tried.train], expected, rtol=1e-10)
    best = expected[0].argmin(axis=0)
    np.testing.assert_allclose(found.test["ridge"], expected[1][best, range(5)], rtol=1e-10)
    np.testing.assert_allclose(found.validation["ridge"], expected[0].min(axis=0), rtol=1e-10)
    np.testing.assert_allclose(scores.train_scores(found, "ridge"), expected[2][best, range(5)], rtol=1e-10)


def test_the_seeds_of_a_race_do_not_depend_on_each_other_or_on_the_models():
    few, many = scores.race(problem, [RIDGE], seeds=3), scores.race(problem, [FEWER, RIDGE], seeds=6)
    np.testing.assert_array_equal(few.tried["ridge"].test, many.tried["ridge"].test[:, :3])


def test_a_measure_of_ones_own_and_higher_is_better():
    def within(predictions, part):
        return (np.abs(predictions - part.y) < 1).mean(axis=-1)

    found = scores.race(problem, [RIDGE, FEWER], seeds=4, measure=within, better="higher", unit="share within 1")
    assert 0 < found.test["ridge"].min() <= found.test["ridge"].max() <= 1
    chosen = found.share["ridge"] > 0
    assert (found.tried["ridge"].validation[chosen].min()) >= 0
    np.testing.assert_array_equal(found.validation["ridge"], found.tried["ridge"].validation.max(axis=0))
    assert found.task.unit == "share within 1"


VALIDATION = np.array([[1.0, 2.0, 3.0], [1.0, 1.0, 4.0]])
TEST = np.array([[10.0, 20.0, 30.0], [14.0, 24.0, 34.0]])


def arm(validation=VALIDATION, test=TEST, **rest):
    return Scores(grid(rate=range(1, len(validation) + 1)), validation, test, **rest)


def test_each_seed_takes_its_best_and_ties_share():
    found = scores.compare({"a": arm()})
    np.testing.assert_array_equal(found.test["a"], [12.0, 24.0, 30.0])
    np.testing.assert_array_equal(found.share["a"], [[0.5, 0, 1], [0.5, 1, 0]])
    assert found.choices("a") == [({"rate": 1}, 1.5), ({"rate": 2}, 1.5)]
    assert found.at_edge("a") == {"rate=1": 0.5, "rate=2": 0.5}
    higher = scores.compare({"a": arm()}, better="higher")
    np.testing.assert_array_equal(higher.test["a"], [12.0, 20.0, 34.0])


def test_a_setting_that_failed_is_not_chosen():
    found = scores.compare({"a": arm(np.array([[np.nan, 2, 3], [1, 1, 4]]), np.array([[np.nan, 2, 3], [1, 1, 4]]))})
    np.testing.assert_array_equal(found.test["a"], [1, 1, 3])


def test_a_chosen_setting_without_a_test_score_is_told():
    found = scores.compare({"a": arm(test=np.array([[10, 20, np.nan], [14, 24, 34]])), "b": arm()})
    with pytest.raises(ValueError, match=r"result in every seed; it diverged in \[2\]"):
        found.compare("a", "b", minimum=3)


def test_an_arm_with_nothing_to_choose_meets_tuned_ones():
    one = Scores([{}], [[9.0, 9.0, 9.0]], [[1.0, 2.0, 3.0]])
    found = scores.compare({"a": arm(), "b": arm(), "fixed": one})
    assert isinstance(found, Study)
    np.testing.assert_array_equal(found.test["fixed"], [1, 2, 3])
    assert found.compare("a", "fixed", minimum=3).difference == pytest.approx(20)
    assert found.table().rows[2][:3] == ["fixed", "", "none"]
    with pytest.raises(ValueError, match="arm must be one of"):
        found.compare("a", "c", minimum=3)


def test_unequal_budgets_are_refused():
    three = Scores(grid(rate=(1, 2, 3)), np.ones((3, 2)), np.ones((3, 2)))
    with pytest.raises(ValueError, match=r"same number of settings, or have only one; got \{'a': 2, 'b': 3\}"):
        scores.compare({"a": arm(), "b": three})


def test_models_of_one_name_are_refused():
    with pytest.raises(ValueError, match="different names, got ridge, ridge"):
        scores.race(problem, [RIDGE, RIDGE], seeds=2)


def test_scores_of_the_wrong_shape_are_refused():
    with pytest.raises(ValueError, match=r"test must have shape \(2, S\), a row a setting; got \(3, 2\)"):
        Scores(grid(rate=(1, 2)), np.ones((2, 3)), np.ones((3, 2)))
    with pytest.raises(ValueError, match=r"train must have shape \(2, S\)"):
        Scores(grid(rate=(1, 2)), np.ones((2, 3)), np.ones((2, 3)), np.ones(3))
    with pytest.raises(ValueError, match="better must be one of"):
        scores.compare({"a": arm()}, better="more")


def test_several_studies_in_one_table():
    rng = np.random.default_rng(0)
    studies = {}
    for claim, gain in (("small", 0.0), ("large", 5.0)):
        shared = rng.standard_normal(24)
        arms = {}
        for name, level in (("a", -gain), ("b", 0.0)):
            test = shared + level + 0.1 * rng.standard_normal((3, 24))
            validation = np.zeros((3, 24))
            validation[1] = -1 if name == "a" else 0
            arms[name] = Scores(grid(rate=(1, 2, 3)), validation, test)
        studies[claim] = scores.compare(arms, unit="error")
    shown = scores.verdicts(studies, "a", "b", minimum=20)
    assert [row[0] for row in shown.rows] == ["small", "large"]
    assert shown.rows[1] == studies["large"].verdicts(("a", "b", "large")).rows[0]
    assert shown.rows[1][-1] == "supported *"
    assert "error, 24 paired seeds, * where" in shown.caption
    words = scores.verdicts({3: studies["small"], 5: studies["large"]}, "a", "b", claim="with {} inputs")
    assert [row[0] for row in words.rows] == ["with 3 inputs", "with 5 inputs"]
    assert [row[1:] for row in words.rows] == [row[1:] for row in shown.rows]


def test_single_settings_are_compared_without_a_choice():
    rng = np.random.default_rng(1)
    validation, test = rng.standard_normal((2, 3, 24))
    test[2] -= 10
    both = {
        "a": Scores(grid(rate=(1, 2, 3)), validation, test),
        "b": Scores(grid(rate=(4, 5, 6)), validation, test + 1),
    }
    study = scores.compare(both, better="lower", unit="error")
    found = scores.single(study, {"a at 3": ("a", 2), "b at 4": ("b", 0)})
    np.testing.assert_array_equal(found.test["a at 3"], test[2])
    np.testing.assert_array_equal(found.test["b at 4"], test[0] + 1)
    assert found.choices("a at 3") == [({"rate": 3}, 24.0)]
    assert found.task == study.task
    assert found.verdicts(("a at 3", "b at 4")).rows[0][-1] == "supported"
