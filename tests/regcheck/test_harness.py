"""The harness that chapters' exercise tests are built on: it must fail where a chapter falls short."""

import types

import numpy as np
import pytest

from regcheck.core import compare, exercise, expect, trials
from tests.regcheck import harness, mutants

SOLUTION = """:::{solution} demo-double
<details><summary>Show the solution</summary>

```python
def double(x):
    return BODY
```

</details>
:::"""


@exercise("Double it")
def double(answer):
    for rng in trials():
        x = rng.normal(size=3)
        compare(answer(x), 2 * x, {"You squared it.": x**2, "You halved it.": x / 2, "Unchanged.": x}, "No.")


WRONG = {"double": [(lambda x: x**2, "squared"), (lambda x: x / 2, "halved"), (lambda x: x, "Unchanged")]}
WRONG["double"].append((lambda x: x + 9, "No"))


def chapter(monkeypatch, *, label="demo-double", body="FACTOR * x", blank="..."):
    cells = [
        {"cell_type": "code", "source": "import numpy as np\nfrom regcheck import demo as check"},
        {"cell_type": "markdown", "source": f":::{{exercise}} Double it\n:label: {label}\n\nDo.\n:::"},
        {"cell_type": "code", "source": f"def double(x):\n    {blank}\n\n\ncheck.double(double)"},
        {"cell_type": "markdown", "source": SOLUTION.replace("demo-double", label).replace("BODY", body)},
    ]
    monkeypatch.setattr(harness.notebooks, "read", lambda path: {"cells": cells})
    monkeypatch.setattr(harness.Chapter, "context", property(lambda self: dict(self.names)))
    return harness.Chapter("demo.ipynb", types.SimpleNamespace(double=double), names={"FACTOR": 2})


def run(made, wrong=WRONG):
    tests = made.tests(wrong)
    for name in [name for name in vars(tests) if name.startswith("test_")]:
        getattr(tests, name)("double")


def test_a_good_chapter_passes(monkeypatch):
    made = chapter(monkeypatch)
    assert made.labels() == {"double": "demo-double"}
    run(made)


def test_a_wrong_solution_fails(monkeypatch):
    with pytest.raises(AssertionError, match="You halved it"):
        run(chapter(monkeypatch, body="x / 2"))


def test_two_wrong_answers_are_too_few(monkeypatch):
    with pytest.raises(AssertionError, match="at least three plausible wrong answers"):
        run(chapter(monkeypatch), {"double": WRONG["double"][:2]})


def test_a_wrong_answer_that_passes_is_found(monkeypatch):
    with pytest.raises(AssertionError, match="'sum' was accepted"):
        run(chapter(monkeypatch), {"double": [*WRONG["double"], (lambda x: x + x, "sum")]})


def test_mistakes_may_not_share_a_message(monkeypatch):
    same = [(lambda x: x + 9, "No"), (lambda x: x - 9, "No")]
    with pytest.raises(AssertionError, match="two mistakes share a message"):
        run(chapter(monkeypatch), {"double": [*WRONG["double"], *same]})


def test_a_cell_that_gives_the_answer_away_is_found(monkeypatch):
    with pytest.raises(AssertionError):
        run(chapter(monkeypatch, blank="return 2 * x"))


def test_a_bug_hunt_starts_wrong_and_not_blank(monkeypatch):
    run(chapter(monkeypatch, label="demo-bug", blank="return x**2"))
    with pytest.raises(AssertionError):
        run(chapter(monkeypatch, label="demo-bug", blank="..."))


def test_a_bug_hunt_that_knows_its_function_starts_as_not_answered(monkeypatch):
    def cube(x):
        return x * x * x

    monkeypatch.setattr(double, "given", cube)
    run(chapter(monkeypatch, label="demo-bug", blank="return x * x * x"))
    with pytest.raises(AssertionError):
        run(chapter(monkeypatch, label="demo-bug", blank="return x**2"))


def test_answers_to_no_exercise_are_found(monkeypatch):
    with pytest.raises(AssertionError, match=r"do not exist: \{'triple'\}"):
        run(chapter(monkeypatch), {**WRONG, "triple": []})


@exercise("Add it")
def add(answer):
    for rng in trials():
        x, y = rng.normal(size=(2, 3))
        compare(answer(x, y)[:2], (x + y)[:2], {"y is missing.": x[:2], "That is 3 * x + y.": 0 * x[:2] + 9}, "No.")


def adding(monkeypatch, task="Do."):
    cells = [
        {"cell_type": "markdown", "source": f":::{{exercise}} Add it\n:label: demo-add\n\n{task}\n:::"},
        {"cell_type": "code", "source": "def add(x, y):\n    ...\n\n\ncheck.add(add)"},
        {
            "cell_type": "markdown",
            "source": SOLUTION.replace("demo-double", "demo-add")
            .replace("double(x)", "add(x, y)")
            .replace("BODY", "x + y"),
        },
    ]
    monkeypatch.setattr(harness.notebooks, "read", lambda path: {"cells": cells})
    return harness.Chapter("demo.ipynb", types.SimpleNamespace(add=add))


def test_a_mutant_that_passes_is_found(monkeypatch):
    made = chapter(monkeypatch)
    monkeypatch.setattr(double, "check", lambda answer: compare(abs(answer(np.ones(3))), 2 * np.ones(3), {}, "No."))
    with pytest.raises(AssertionError, match=r"accepted, though wrong:(.|\n)*return -\(FACTOR \* x\)"):
        made.tests(WRONG).test_mutants("double")


def test_a_mutant_that_is_no_change_is_listed_and_must_be_there(monkeypatch):
    made = chapter(monkeypatch, body="x * FACTOR")
    with pytest.raises(AssertionError, match=r"listed as equivalent, but rejected or not there: \['return FACTOR"):
        made.tests(WRONG, {"double": {"return FACTOR...": "the order does not matter"}}).test_mutants("double")


def test_a_check_that_does_not_take_float32_is_found(monkeypatch):
    made = chapter(monkeypatch)
    strict = "compare needs all digits"
    monkeypatch.setattr(double, "check", lambda answer: expect(answer(np.ones(3) / 3).dtype == float, strict))
    with pytest.raises(AssertionError, match=f"float32: {strict}"):
        made.tests(WRONG).test_forms("double")


def test_a_message_that_holds_the_answer_is_found(monkeypatch):
    wrong = {"add": [(lambda x, y: x, "y is"), (lambda x, y: 0 * x + 9, "3 * x"), (lambda x, y: y, "No")]}
    made = adding(monkeypatch)
    with pytest.raises(AssertionError, match=r"messages that hold the answer: \[\('That is 3 \* x \+ y\.', 'x\+y'\)\]"):
        made.tests(wrong).test_messages("add")
    adding(monkeypatch, task="Add `x + y`.").tests(wrong).test_messages("add")  # the task says it already


def test_a_message_that_nobody_gets_is_found(monkeypatch):
    with pytest.raises(AssertionError, match=r"messages that no wrong answer gets: \['No\.'\]"):
        chapter(monkeypatch).tests({"double": WRONG["double"][:3]}).test_messages("double")


def test_mutants_are_what_hurried_readers_write():
    code = """
def step(x, rate, rng):
    kept = rng.random(x.shape) >= rate
    scaled = kept / (1 - rate)
    return np.maximum(x * scaled, 0).sum(axis=0), 0.5"""
    found = {mutants.changed(code, text) for text in mutants.mutants(code, {"rate"})}
    assert {
        "kept = rng.random(x.shape) > rate",
        "kept = rng.random([1 if i == 0 else n for i, n in enumerate(x.shape)]) >= rate",
        "kept = np.resize(rng.random((2, *x.shape[1:])), x.shape) >= rate",
        "kept = np.random.default_rng(0).random(x.shape) >= rate",
        "rng = np.random.default_rng(0)",
        "rate = 0.5",
        "scaled = kept",
        "scaled = kept * (1 - rate)",
        "scaled = kept / rate",
        "scaled = kept / (rate - 1)",
        "-scaled = kept / (1 - rate)",
        "return (np.minimum(x * scaled, 0).sum(axis=0), 0.5)",
        "return (np.maximum(np.mean(x) * scaled, 0).sum(axis=0), 0.5)",
        "return (np.maximum(x * scaled, 1).sum(axis=0), 0.5)",
        "return (np.maximum(x * scaled, 0).sum(axis=1), 0.5)",
        "return (np.maximum(x * scaled, 0).sum(), 0.5)",
        "return (np.maximum(x * scaled, 0).mean(axis=0), 0.5)",
        "return (np.maximum(x * scaled, 0).sum(axis=0), 0.6)",
        "return (0.5, np.maximum(x * scaled, 0).sum(axis=0))",
    } <= found
    assert "scaled = kept / (1 - np.mean(rate))" not in found  # one number is its own mean
    assert not any("len(-" in change for change in found)


def test_lines_are_exchanged_where_one_needs_the_other():
    found = mutants.mutants(
        "def f(a, b):\n    a = a + b\n    c = a * b\n    d = b\n    return c + d", {"a", "b", "c", "d"}
    )
    assert "def f(a, b):\n    c = a * b\n    a = a + b\n    d = b\n    return c + d" in found
    assert not any("d = b\n    c = a * b\n" in text for text in found)
