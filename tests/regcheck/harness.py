"""What the test of a chapter's exercises needs: the printed solutions, run; and wrong answers, each with its message.

from regcheck import l1_l2
from tests.regcheck.harness import Chapter

chapter = Chapter("penalties/l1-l2.ipynb", l1_l2)
WRONG = {"soft_threshold": [(lambda w, t: w - t * np.sign(w), "change sign"), ...], ...}
EQUIVALENT = {"strongest": {"return np.max(np.abs(X.T @ -y)) / len(y)": "the sizes are the same"}}

TestExercises = chapter.tests(WRONG, EQUIVALENT)

A wrong answer is a function, or the value that stands in the reader's cell. The fragment is a piece of its message.
A mutant is named by the lines that differ from the solution; ``...`` stands for any text, so that one entry may cover
several of a kind. The names that the chapter's imports define are at hand for solutions; others (data, say) are given
as Chapter(..., names={"X": X}).
"""

import ast
import functools
import linecache
import re
import sys

import numpy as np
import pytest

from regcheck import core
from tests.conftest import ROOT
from tests.regcheck import forms, leaks, mutants
from tools import notebooks


class Chapter:
    """A chapter's notebook beside the module of its checks."""

    def __init__(self, path, module, names=()):
        self.cells, self.names = notebooks.read(ROOT / "book" / path)["cells"], dict(names)
        self.module, self.exercises = module, core.exercises(module)

    def labels(self):
        """Return {name of the check: label}, read from the cells that call ``check.<name>``."""
        found, label = {}, None
        for cell in self.cells:
            text = notebooks.source(cell)
            if cell["cell_type"] == "markdown":
                match = re.search(r"^:{3,}\{exercise(?:-start)?\}.*\n:label: (\S+)", text, re.MULTILINE)
                label = match[1] if match else label
            elif label:
                found |= {name: label for name in re.findall(r"\bcheck\.(\w+)\(", text)}
        return found

    def solution(self, name):
        """Return the code of the printed solution."""
        label = self.labels()[name]
        for cell in self.cells:
            text = notebooks.source(cell)
            opening = rf"^:{{3,}}\{{solution(?:-start)?\}} {re.escape(label)}$"
            if cell["cell_type"] == "markdown" and re.search(opening, text, re.MULTILINE):
                return "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
        raise AssertionError(f"no solution is printed for {label}")

    def code_cell(self, name):
        """Return the code of the exercise's own cell."""
        return next(
            notebooks.source(cell)
            for cell in self.cells
            if cell["cell_type"] == "code" and re.search(rf"\bcheck\.{name}\(", notebooks.source(cell))
        )

    @functools.cached_property
    def context(self):
        """The names that the chapter's imports and the cell of checks define."""
        names = dict(self.names)
        code = [notebooks.source(cell) for cell in self.cells if cell["cell_type"] == "code"]
        wanted = re.compile(r"^(?:import numpy|from reg(?:lib|book|check))(?:[^\n(]*$|[^)]*\))", re.MULTILINE)
        exec("\n".join(line for text in code for line in wanted.findall(text)), names)
        return names

    def run(self, name, code):
        """Return the names that are defined after the code of an answer has run."""
        names = {"np": np} | self.context | {"check": self.module}
        linecache.cache[f"<{name}>"] = (len(code), None, code.splitlines(keepends=True), f"<{name}>")
        exec(compile(code, f"<{name}>", "exec"), names)
        return names

    def result(self, name, code):
        """Run code, then the check call of the exercise's cell; return the check's result."""
        return eval(self.call(name)[0], self.run(name, code))

    def answer(self, name):
        """Return the printed solution: a function, a number or a letter."""
        return self.run(name, self.solution(name))[self.call(name)[1]]

    def call(self, name):
        """Return the call of the check, as its cell has it, and the name that it hands in."""
        call = re.search(rf"^check\.{name}\((\w+)\)$", self.code_cell(name), re.MULTILINE)
        return call[0], call[1]

    def numbers(self, name, code):
        """Return the names of the variables that hold single numbers when the check calls a solution."""
        found = {}

        def look(frame, event, argument):
            if event == "return" and frame.f_code.co_filename == f"<{name}>":
                for key, value in frame.f_locals.items():
                    several = isinstance(value, list | tuple | np.random.Generator)  # also rows of unequal length
                    single = not several and np.ndim(value) == 0
                    found[key] = found.get(key, True) and single

        sys.setprofile(look)
        try:
            self.result(name, code)
        finally:
            sys.setprofile(None)
        return {key for key, number in found.items() if number}

    def mutants(self, name):
        """Return {change: source} for the printed solution of an exercise: of its code, and of its number or letter."""
        code, answer = self.solution(name), self.call(name)[1]
        found = {}
        for text in mutants.mutants(code, self.numbers(name, code)):
            change = mutants.changed(code, text)
            found[change if change not in found else f"{change} ({len(found)})"] = text
        value = ast.parse(code).body[-1]
        if isinstance(value, ast.Assign):
            letter = isinstance(value.value, ast.Constant) and isinstance(value.value.value, str)
            lines = [f"{answer} = {each!r}" for each in "abcd"] if letter else mutants.of_number(answer)
            found |= {line: f"{code}\n{line}" for line in lines if line not in code.replace('"', "'")}
        return found

    def survivors(self, name):
        """Return the changes to the printed solution that the check accepts."""
        accepted = []
        for change, text in self.mutants(name).items():
            try:
                if self.result(name, text).ok:
                    accepted.append(change)
            except Exception:
                pass
        return accepted

    def task(self, name):
        """Return what the reader sees before they answer: the text without its hints, and the cell."""
        label = self.labels()[name]
        texts = [notebooks.source(cell) for cell in self.cells if cell["cell_type"] == "markdown"]
        text = next(text for text in texts if re.search(rf"^:label: {re.escape(label)}$", text, re.MULTILINE))
        return re.sub(r"<details>.*?</details>", "", text, flags=re.DOTALL) + self.code_cell(name)

    def tests(self, wrong, equivalent=None):
        """Return six parametrized tests, as a class that pytest finds.

        Solutions pass; wrong answers fail with their message; blanks are blanks; solutions pass in other types and
        forms; their mutants fail, but for those that are no change; no message holds the answer, and each is said.
        """
        each = pytest.mark.parametrize("name", sorted(self.exercises))
        equivalent = equivalent or {}
        unknown = (set(wrong) | set(equivalent)) - set(self.exercises)
        assert not unknown, f"wrong answers to exercises that do not exist: {unknown}"

        @each
        def test_solutions(name):
            result = self.result(name, self.solution(name))
            assert result.ok, result.message

        @each
        def test_wrong_answers(name):
            answers = wrong.get(name, [])
            assert len(answers) >= 3, f"{name}: at least three plausible wrong answers"
            messages = []
            for answer, fragment in answers:
                result = self.exercises[name](answer)
                assert result.status == core.NOT_YET, f"{name}: {fragment!r} was accepted"
                assert fragment in result.message, f"{name}: {fragment!r} is not in {result.message!r}"
                messages.append(result.message)
                if callable(answer):
                    narrow = self.exercises[name](forms.of_function(answer)["float32"])
                    assert fragment in narrow.message, f"{name}, in float32: {fragment!r} is not in {narrow.message!r}"
            assert len(set(messages)) == len(messages), f"{name}: two mistakes share a message"

        @each
        def test_unanswered(name):
            assert self.exercises[name](...).status == core.NOT_ANSWERED
            hunt = "bug" in self.labels()[name] and self.exercises[name].given is None
            untouched = core.NOT_YET if hunt else core.NOT_ANSWERED
            assert self.result(name, self.code_cell(name)).status == untouched

        @each
        def test_forms(name):
            for form, answer in forms.of(self.answer(name)).items():
                result = self.exercises[name](answer)
                assert result.ok, f"{form}: {result.message}"

        @each
        def test_mutants(name):
            accepted, known = self.survivors(name), equivalent.get(name, {})
            patterns = {key: re.compile(".*".join(map(re.escape, key.split("...")))) for key in known}
            unexplained = [change for change in accepted if not any(p.fullmatch(change) for p in patterns.values())]
            assert not unexplained, "accepted, though wrong:\n" + "\n".join(unexplained)
            stale = [key for key, p in patterns.items() if not any(map(p.fullmatch, accepted))]
            assert not stale, f"listed as equivalent, but rejected or not there: {stale}"
            print(f"{len(self.mutants(name))} mutants, {len(accepted)} of them equivalent")

        @each
        def test_messages(name):
            told = leaks.told(self, name)
            assert not told, f"messages that hold the answer: {told}"
            said = [self.exercises[name](answer).message for answer, _ in wrong.get(name, [])]
            unsaid = leaks.unsaid(sys.modules[self.exercises[name].__module__], name, said)
            assert not unsaid, f"messages that no wrong answer gets: {unsaid}"

        tests = (test_solutions, test_wrong_answers, test_unanswered, test_forms, test_mutants, test_messages)
        return type("TestExercises", (), {test.__name__: staticmethod(test) for test in tests})
