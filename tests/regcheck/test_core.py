"""The mechanism of self-checking exercises: what a reader sees for every kind of answer."""

import re
import types
from fractions import Fraction

import numpy as np
import pytest

from regcheck import core
from regcheck.core import (
    NOT_ANSWERED,
    NOT_YET,
    RIGHT,
    agrees,
    choice,
    compare,
    exercise,
    expect,
    near,
    parts,
    trials,
    whole,
)

HALF = "You halved the threshold: the step multiplies the whole of it."
PASSES = "Small entries must stop at zero; yours pass through it."
OTHER = "Look again at entries larger, and smaller, than the threshold."


def right_threshold(w, threshold):
    return np.sign(w) * np.maximum(np.abs(w) - threshold, 0)


@exercise("The proximal step of L1")
def soft_threshold(answer):
    for rng in trials():
        w, threshold = rng.normal(size=5), rng.uniform(0.2, 1.0)
        mistakes = {PASSES: w - threshold * np.sign(w), HALF: right_threshold(w, threshold / 2)}
        compare(answer(w, threshold), right_threshold(w, threshold), mistakes, OTHER)


@exercise("A number")
def number(answer):
    near(answer, 0.81, {"That is what is gone.": 0.19}, "Two steps.", decimals=3, unit="percent")


@exercise("A letter")
def letter(answer):
    choice(answer, "b", {"a": "Not a, because.", "c": "Try (3, 0.1)."})


@exercise("Two results")
def pair(answer):
    low, high = parts(answer(np.array([3.0, 1.0])), 2)
    compare(low, 1.0, {}, "low")
    compare(high, 3.0, {}, "high")


def test_a_right_answer():
    result = soft_threshold(right_threshold)
    assert result.ok
    assert result.status == RIGHT
    assert str(result) == "✓ Right: Your answer passes every check."
    assert result.title == "The proximal step of L1"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda w, t: w - t * np.sign(w), PASSES),
        (lambda w, t: right_threshold(w, t / 2), HALF),
        (lambda w, t: 2 * w, OTHER),
        (lambda w, t: right_threshold(w, t)[:3], "The result must be an array of shape (5,); yours has shape (3,)."),
        (lambda w, t: right_threshold(w, t)[:, None], "shape (5,); yours has shape (5, 1)."),
        (lambda w, t: w / 0 * 0, "The result contains NaN or an infinite value."),
        (lambda w, t: "zero", "The result must be numbers; yours is 'zero'."),
        (lambda w, t: w + 0j, "The result must be numbers; yours is "),
        (lambda w, t: [[1.0], [1.0, 2.0]], "The result must be numbers; yours is [[1.0], [1.0, 2.0]]."),
        (3.0, "This exercise asks for a function; you gave 3.0."),
    ],
)
def test_wrong_answers_get_their_message(answer, message):
    result = soft_threshold(answer)
    assert result.status == NOT_YET
    assert not result.ok
    assert message in result.message


def test_a_mistake_that_shows_in_a_later_trial_only_is_found():
    calls = []

    def wrong_once(w, threshold):
        calls.append(w)
        return right_threshold(w, threshold) + (len(calls) == 4)

    assert soft_threshold(wrong_once).message == OTHER
    assert len(calls) == 4


def test_trials_are_random_and_repeat():
    first, again = ([rng.normal() for rng in trials(3)] for _ in range(2))
    assert first == again
    assert len(set(first)) == 3
    assert first != [rng.normal() for rng in trials(3, seed=1)]


def unedited(w, threshold):
    """Return the shrunken weights."""
    ...


def passing(w, threshold):
    pass


def partly(w, threshold):
    size = np.abs(w)
    kept = ...
    return None if kept is ... else kept * size


@pytest.mark.parametrize("answer", [..., None, unedited, passing, partly, lambda w, t: None, lambda w, t: ...])
def test_an_untouched_cell_is_not_answered(answer):
    result = soft_threshold(answer)
    assert result.status == NOT_ANSWERED
    assert result.message == "Write your answer in this cell and run it again."
    assert str(result).startswith("… Not answered: ")


@pytest.mark.parametrize("answer", [..., None, (..., ...), [1.0, ...]])
def test_an_untouched_value_is_not_answered(answer):
    assert number(answer).status == letter(answer).status == NOT_ANSWERED


def test_results_left_blank_in_part_are_not_answered():
    assert pair(lambda w: (1.0, ...)).status == NOT_ANSWERED


def test_a_forgotten_return_is_named():
    def forgot(w, threshold):
        small = np.abs(w) < threshold
        result = np.where(small, 0, w)  # noqa: F841

    assert (
        soft_threshold(forgot).message
        == "Your function returns None. Is a return missing at its end, or on one of its branches?"
    )


def test_a_return_missing_on_one_branch_is_named():
    thresholds = []

    def sometimes(w, threshold):
        thresholds.append(threshold)
        return right_threshold(w, threshold) if len(thresholds) < 3 else None

    def never(w, threshold):
        return right_threshold(w, threshold) if threshold > 2 else None

    assert soft_threshold(never).message.startswith("Your function returns None. Is a return missing")

    assert soft_threshold(sometimes).message == "Your function returns a value for some inputs and nothing for others."


def test_an_exception_is_told_with_its_line():
    def fails(w, threshold):
        scale = 2.0
        return w[7] * scale

    result = soft_threshold(fails)
    assert result.status == NOT_YET
    assert result.message.startswith(
        "Your function stops in line 3 of your function, `return w[7] * scale`, with IndexError: index 7"
    )


def test_an_exception_inside_numpy_is_placed_in_the_readers_line():
    def fails(w, threshold):
        return np.dot(w, np.ones(7))

    assert "in line 2 of your function, `return np.dot" in soft_threshold(fails).message


def test_an_exception_without_source_is_told_too():
    names = {}
    exec("def fails(w, threshold):\n    return 1 / 0", names)
    assert soft_threshold(names["fails"]).message == "Your function stops with ZeroDivisionError: division by zero"


def test_a_wrong_signature_is_told():
    assert "Your function stops with TypeError: " in soft_threshold(lambda w: w).message


def test_changing_the_argument_in_place_is_reported_even_if_the_result_is_right():
    def in_place(w, threshold):
        w[:] = right_threshold(w, threshold)
        return w

    assert soft_threshold(in_place).message.startswith("Your function changes its argument in place")


def test_changes_deep_inside_arguments_are_seen():
    @exercise("Nested")
    def nested(answer):
        answer([np.ones(2), {"b": np.zeros(2)}])

    def change(parameters):
        parameters[1]["b"] += 1
        return 1.0

    def swap(parameters):
        parameters.append(3)
        return 1.0

    assert nested(lambda parameters: 1.0).ok
    assert "in place" in nested(change).message
    assert "in place" in nested(swap).message


def test_the_arguments_of_the_check_itself_stay_as_they_are():
    seen = []

    @exercise("Keep")
    def keep(answer):
        w = np.ones(2)
        try:
            answer(w)
        finally:
            seen.append(w)

    def in_place(w):
        w *= 2
        return w

    keep(in_place)
    np.testing.assert_array_equal(seen[0], [1.0, 1.0])


def test_numbers():
    assert number(0.81).ok
    for right in (np.float32(0.8105), np.array(0.81), [0.81], np.array([[0.81]]), Fraction(81, 100), 0.8096):
        assert number(right).ok
    assert number(0.8125).message == core.NEARLY
    assert number(0.809).message == core.NEARLY
    assert number(0.19).message == "That is what is gone."
    assert number(5).message == "Two steps."
    asks = "This exercise asks for a single number, in percent; you gave "
    assert number([0.81, 0.2]).message == f"{asks}[0.81, 0.2]."
    assert number(lambda: 0.81).message.startswith(asks)
    assert number("0.81").message == "The result must be numbers; yours is '0.81'."
    assert "NaN" in number(float("nan")).message


def test_the_tolerance_is_relative_above_one_and_absolute_below():
    compare(1e6 + 0.5, 1e6, {}, "far", tolerance=1e-6)
    compare(1e-9, 0.0, {}, "far", tolerance=1e-6)
    for got, right in ((1e6 + 2, 1e6), (2e-6, 0.0)):
        with pytest.raises(core.Wrong, match=f"^{re.escape(core.NEARLY)}$"):
            compare(got, right, {}, "far")
    with pytest.raises(core.Wrong, match="far"):
        compare(1e-3, 0.0, {}, "far")


@pytest.mark.parametrize(
    "convert", [np.float32, lambda x: np.float32(x).tolist(), lambda x: [np.float32(v) for v in x]]
)
def test_an_answer_in_float32_may_be_off_by_as_much_as_float32_makes_it(convert):
    right = np.array([1 / 3, 1e3 / 7, -1e-4])
    compare(convert(right), right, {"false": right + 1e-7}, "otherwise")
    with pytest.raises(core.Wrong, match=f"^{re.escape(core.NEARLY)}$"):
        compare(convert(right * (1 + 5e-5)), right, {}, "otherwise")


def test_the_coarsest_type_in_a_list_counts():
    compare([0.5, np.float32(0.5) + np.float32(5e-6)], np.full(2, 0.5), {}, "far")
    with pytest.raises(core.Wrong):
        compare([0.5, 0.5 + 5e-6], np.full(2, 0.5), {}, "far")


def test_float16_is_told_to_be_too_coarse():
    assert "float16" in soft_threshold(lambda w, t: right_threshold(w, t).astype(np.float16)).message


@pytest.mark.parametrize(
    "form",
    [
        lambda x: x.tolist(),
        tuple,
        list,
        lambda x: x[None],
        lambda x: x[None, None],
        lambda x: np.float32(x),
        lambda x: [float(value) for value in x],
        lambda x: [Fraction(float(value)) for value in x],
    ],
)
def test_every_form_of_an_array_is_right(form):
    assert soft_threshold(lambda w, t: form(right_threshold(w, t))).ok


def test_a_column_is_not_a_vector():
    assert "shape (5,); yours has shape (5, 1)" in soft_threshold(lambda w, t: right_threshold(w, t)[:, None]).message


def test_whole_numbers():
    assert whole((3, 1), 2) == whole(np.array([3, 1]), 2) == whole([np.int64(3), 1], 2) == (3, 1)
    for wrong in ((3.0, 1.0), [True, False]):
        with pytest.raises(core.Wrong, match="whole numbers"):
            whole(wrong, 2)
    with pytest.raises(core.Wrong, match=r"^two, please$"):
        whole((3, 1, 1), 2, "two, please")


def test_agrees_says_whether_and_nothing_else():
    assert agrees(np.float32(1 / 3), 1 / 3)
    assert not agrees(0.3334, 1 / 3)
    assert not agrees("third", 1 / 3)
    assert not agrees([1 / 3] * 2, 1 / 3)


def test_the_first_mistake_that_fits_is_told_and_one_of_another_shape_is_passed_over():
    with pytest.raises(core.Wrong, match=r"^second$"):
        compare(np.array([2.0, 4.0]), np.array([1.0, 2.0]), {"shape": 2.0, "second": np.array([2.0, 4.0])}, "other")


def test_choices():
    assert letter("b").ok
    for given in (" B ", "(b)", "b)", "b.", '"b"'):
        assert letter(given).ok
    assert letter("a").message == "Not a, because."
    assert letter("c").message == "Try (3, 0.1)."
    assert letter("d").message == "Answer with one of 'a', 'b', 'c'; you gave 'd'."
    assert letter(2).message == "Answer with one of 'a', 'b', 'c'; you gave 2."


def test_parts():
    assert pair(lambda w: (w.min(), w.max())).ok
    assert pair(lambda w: (w.max(), w.min())).message == "low"
    wanted = "The result must be 2 values, separated by commas; yours is "
    assert pair(lambda w: w.min()).message == f"{wanted}a single float64."
    assert pair(lambda w: (1.0, 2.0, 3.0)).message == f"{wanted}3 of them."


def test_several_results_may_be_stacked():
    for form in (list, np.array, np.float32):
        assert pair(lambda w, form=form: form([w.min(), w.max()])).ok
    assert parts(np.ones((2, 3)), 2)[1].shape == (3,)


def test_results_in_another_order_are_recognized():
    right = (np.array([1.0, 2.0]), np.array([3.0, 4.0]), 5.0)
    assert parts((9.0, right[1], right[0]), right)[0] == 9.0
    for order in ((1, 0, 2), (2, 0, 1), (2, 1, 0)):
        with pytest.raises(core.Wrong, match=f"^{re.escape(core.EXCHANGED)}$"):
            parts([right[i] for i in order], right)
    same = (1.0, 1.0)
    assert parts(same, same) == same


def test_expect():
    expect(True, "fine")
    with pytest.raises(core.Wrong, match=r"^it grows$"):
        expect(False, "it grows")


def test_a_check_that_stumbles_over_an_answer_raises_nothing():
    @exercise("Adds")
    def adds(answer):
        answer.value + 1

    result = adds("three")
    assert result.status == NOT_YET
    assert result.message.startswith("The check cannot use your answer (TypeError: ")


def test_html_names_the_status_in_words_and_escapes():
    for status, symbol in ((RIGHT, "✓"), (NOT_YET, "✗"), (NOT_ANSWERED, "…")):
        text = core.Result(status, "w < 2 & more", "title")._repr_html_()
        assert f"<strong>{symbol} {status}.</strong> w &lt; 2 &amp; more</div>" in text
        assert "color:" not in text  # neither a color of text nor of ground: both are the theme's


def test_markdown_shows_formulas_as_they_are():
    assert core.Result(NOT_YET, "use 2*l2*w, not w_[0]", "t")._repr_markdown_() == (
        r"**✗ Not yet.** use 2\*l2\*w, not w\_\[0\]"
    )


def test_the_registry_lists_the_exercises_of_a_module():
    module = types.SimpleNamespace(letter=letter, number=number, other=3, helper=right_threshold)
    assert core.exercises(module) == {"letter": letter, "number": number}
    assert core.exercises("core") == {}
    assert letter.name == "letter"
    assert letter.__doc__ == "Check the exercise: A letter."
    assert letter.__module__ == __name__


def test_long_answers_are_shortened():
    assert number(list(range(100))).message.endswith("...") or "..." in number(list(range(100))).message
    assert len(number(list(range(100))).message) < 140


def found(w, threshold):
    return [w - threshold * sign for sign in np.sign(w)]


@exercise("Bug hunt", given=found)
def hunt(answer):
    for rng in trials():
        w, threshold = rng.normal(size=5), rng.uniform(0.2, 1.0)
        compare(answer(w, threshold), right_threshold(w, threshold), {}, OTHER)


def test_a_bug_hunt_as_found_is_not_answered():
    def same(w, threshold):
        # a comment changes nothing
        return [w - threshold * sign for sign in np.sign(w)]

    for answer in (found, same, ...):
        assert hunt(answer).status == NOT_ANSWERED
    assert hunt(same).message == "The function is as you found it. Mend it and run the cell again."


@pytest.mark.parametrize(
    "answer",
    [
        lambda w, threshold: [w + threshold * sign for sign in np.sign(w)],
        lambda w, threshold: [w - threshold * sign for sign in np.tanh(w)],
        lambda w, threshold: [w - 2 * threshold * sign for sign in np.sign(w)],
        lambda w, t: [w - t * sign for sign in np.sign(w)],
    ],
)
def test_a_changed_bug_hunt_is_checked(answer):
    assert hunt(answer).status == NOT_YET
    assert hunt(right_threshold).ok
