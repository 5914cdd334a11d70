"""The same sources give the same pages: cells that draw have a seed."""

import pytest

from tests.conftest import exactly
from tools import command, repeat

# Those with the most draws of the frameworks' own layers.
TRIED = ["evidence/conventions.ipynb", "evidence/dropout.ipynb"]


def cell(name, *outputs):
    return {"id": name, "cell_type": "code", "outputs": list(outputs)}


def printed(text, name="stream"):
    return {"output_type": "stream", "name": name, "text": text}


def value(text):
    return {"output_type": "execute_result", "data": {"text/plain": text}, "execution_count": 1}


def test_differences_are_those_that_a_page_shows():
    first = {"cells": [cell("a", printed("1\n2\n")), cell("b", value("3")), cell("c", printed("4")), cell("d")]}
    again = [cell("a", printed("1\n"), printed("2\n")), cell("b", value("3")), cell("c", printed("5")), cell("d")]
    assert repeat.differences(first, {"cells": again}) == ["c"]
    again = [
        cell("a", printed("1\n"), printed("2\n", "stderr")),
        cell("b", value("4")),
        cell("c"),
        cell("d", value("0")),
    ]
    assert repeat.differences(first, {"cells": again}) == ["a", "b", "c", "d"]


def test_what_was_not_built_is_refused(monkeypatch):
    monkeypatch.setattr(repeat.execute, "stale", lambda: {TRIED[0]: "a key", "other.ipynb": "a key"})
    message = exactly(f"{TRIED[0]} changed since the book was built; build it first")
    with pytest.raises(command.StopError, match=message):
        repeat.repeat(TRIED)


def test_two_notebooks_give_the_same_outputs_twice():
    found, status = repeat.repeat(TRIED)
    assert status == 0
    assert found == {name: [] for name in TRIED}
