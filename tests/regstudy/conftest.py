"""What the tests of regstudy share: a task that takes a moment, and a record of what was trained."""

import pytest

from regstudy import cells, store, studies
from tests.regstudy import tiny as home


@pytest.fixture
def tiny(monkeypatch):
    """A problem known by the name "tiny"."""
    monkeypatch.setitem(studies.PROBLEMS, "tiny", home.PROBLEMS["tiny"])
    return home.PROBLEMS["tiny"]


@pytest.fixture
def calls(monkeypatch):
    """A record of the cells that were trained in this process, (arm, settings, seeds, test)."""
    record, train = [], cells.train

    def spy(where, task, arm, settings, seeds, *, test):
        record.append((arm, tuple(map(str, settings)), tuple(seeds), test))
        return train(where, task, arm, settings, seeds, test=test)

    monkeypatch.setattr(cells, "train", spy)
    return record


def numbers(file):
    """What a run computed, in its order, without what it cost and when."""
    done = store.read(file)["cells"]
    keep = {key: {k: v for k, v in cell.items() if "seconds" not in k and k != "date"} for key, cell in done.items()}
    return list(keep.items())
