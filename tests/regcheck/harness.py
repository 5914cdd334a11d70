"""What the test of a chapter's exercises needs: the printed solutions, run; and wrong answers, each with its message.

from regcheck import l1_l2
from tests.regcheck.harness import Chapter

chapter = Chapter("penalties/l1-l2.ipynb", l1_l2)
WRONG = {"soft_threshold": [(lambda w, t: w - t * np.sign(w), "change sign"), ...], ...}

test_solutions, test_wrong_answers, test_unanswered = chapter.tests(WRONG)

A wrong answer is a function, or the value that stands in the reader's cell. The fragment is a piece of its message.
The names that the chapter's imports define are at hand for solutions; others (data, say) are given as
Chapter(..., names={"X": X}).
"""

import linecache
import re

import pytest

from regcheck import core
from tests.conftest import ROOT
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

    def context(self):
        """Return the names that the chapter's imports and the cell of checks define."""
        names = dict(self.names)
        code = [notebooks.source(cell) for cell in self.cells if cell["cell_type"] == "code"]
        wanted = re.compile(r"^(?:import numpy|from reg(?:lib|book|check))(?:[^\n(]*$|[^)]*\))", re.MULTILINE)
        exec("\n".join(line for text in code for line in wanted.findall(text)), names)
        return names

    def result(self, name, code):
        """Run code, then the check call of the exercise's cell; return the check's result."""
        call = re.search(rf"^check\.{name}\(.*\)$", self.code_cell(name), re.MULTILINE)[0]
        names = self.context() | {"check": self.module}
        linecache.cache[f"<{name}>"] = (len(code), None, code.splitlines(keepends=True), f"<{name}>")
        exec(compile(code, f"<{name}>", "exec"), names)
        return eval(call, names)

    def tests(self, wrong):
        """Return three parametrized tests: solutions pass, wrong answers fail with their message, blanks are blanks."""
        each = pytest.mark.parametrize("name", sorted(self.exercises))
        unknown = set(wrong) - set(self.exercises)
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
                assert fragment in result.message
                messages.append(result.message)
            assert len(set(messages)) == len(messages), f"{name}: two mistakes share a message"

        @each
        def test_unanswered(name):
            assert self.exercises[name](...).status == core.NOT_ANSWERED
            hunt = "bug" in self.labels()[name] and self.exercises[name].given is None
            untouched = core.NOT_YET if hunt else core.NOT_ANSWERED
            assert self.result(name, self.code_cell(name)).status == untouched

        return test_solutions, test_wrong_answers, test_unanswered
