"""The harness that chapters' exercise tests are built on: it must fail where a chapter falls short."""

import types

import pytest

from regcheck.core import compare, exercise, trials
from tests.regcheck import harness

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


def chapter(monkeypatch, *, label="demo-double", body="FACTOR * x", blank="..."):
    cells = [
        {"cell_type": "code", "source": "import numpy as np\nfrom regcheck import demo as check"},
        {"cell_type": "markdown", "source": f":::{{exercise}} Double it\n:label: {label}\n\nDo.\n:::"},
        {"cell_type": "code", "source": f"def double(x):\n    {blank}\n\n\ncheck.double(double)"},
        {"cell_type": "markdown", "source": SOLUTION.replace("demo-double", label).replace("BODY", body)},
    ]
    monkeypatch.setattr(harness.notebooks, "read", lambda path: {"cells": cells})
    monkeypatch.setattr(harness.Chapter, "context", lambda self: dict(self.names))
    return harness.Chapter("demo.ipynb", types.SimpleNamespace(double=double), names={"FACTOR": 2})


def run(made, wrong=WRONG):
    for test in made.tests(wrong):
        test("double")


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
