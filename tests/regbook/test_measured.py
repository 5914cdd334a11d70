"""What the cards say, and how a page confirms it."""

import json

import pytest

from regbook import measured
from regbook.experiment import paired
from tests.conftest import exactly

WHERE = {"where": "three numbers", "unit": "points"}


def found(shift=1.0, arms=("new", "old")):
    """Compare 20 pairs whose differences are shift +- 0.1."""
    a = [0.1 * k for k in range(20)]
    b = [x + shift + 0.1 * (-1) ** k for k, x in enumerate(a)]
    return paired(a, b, better="lower", claim="less", arms=arms)


@pytest.fixture
def store(tmp_path, monkeypatch):
    file = tmp_path / "measured.json"
    monkeypatch.setenv(measured.WRITE, "write")
    measured.confirm("three", found(), **WHERE, file=file)
    monkeypatch.delenv(measured.WRITE)
    return file


def test_what_was_stored_is_confirmed_and_told(store):
    assert measured.confirm("three", found(), **WHERE, file=store) is None
    assert measured.sentence("three", store) == (
        "three numbers: 0.950 with new against 1.95 with old (points); difference −1.00, 95% interval [−1.05, −0.952], "
        "20 paired seeds: **supported**."
    )


def test_small_changes_of_rounding_pass_and_larger_ones_do_not(store):
    measured.confirm("three", found(1.009), **WHERE, file=store)
    with pytest.raises(AssertionError, match=r"'three' is not what the card says: mean_b .* for .*; run"):
        measured.confirm("three", found(1.02), **WHERE, file=store)


@pytest.mark.parametrize(
    "changed",
    [{"where": "four numbers"}, {"unit": "percent"}, {"over": "splits"}],
)
def test_other_words_do_not_pass(store, changed):
    (key,) = changed
    with pytest.raises(AssertionError, match=f"what the card says: {key} "):
        measured.confirm("three", found(), **WHERE | changed, file=store)


def test_other_arms_and_verdicts_do_not_pass(store):
    with pytest.raises(AssertionError, match="a 'x' for 'new'"):
        measured.confirm("three", found(arms=("x", "old")), **WHERE, file=store)
    content = json.loads(store.read_text())
    content["three"]["verdict"] = "inconclusive"
    store.write_text(json.dumps(content))
    with pytest.raises(AssertionError, match="verdict 'supported' for 'inconclusive'"):
        measured.confirm("three", found(), **WHERE, file=store)


def test_numbers_that_are_nan_do_not_pass(store):
    content = json.loads(store.read_text())
    content["three"]["mean_a"] = float("nan")
    store.write_text(json.dumps(content))
    with pytest.raises(AssertionError, match="mean_a"):
        measured.confirm("three", found(), **WHERE, file=store)


def test_what_is_not_stored(store, tmp_path):
    with pytest.raises(AssertionError, match=exactly("no result 'x' is stored; run python -m tools.measured")):
        measured.confirm("x", found(), **WHERE, file=store)
    with pytest.raises(AssertionError, match="no result"):
        measured.confirm("x", found(), **WHERE, file=tmp_path / "none.json")
    with pytest.raises(TypeError, match="comparison must be a Comparison"):
        measured.confirm("x", 3, **WHERE, file=store)


def test_writing_keeps_the_other_results(store, monkeypatch):
    monkeypatch.setenv(measured.WRITE, "write")
    measured.confirm("another", found(), **WHERE, file=store)
    assert list(measured.stored(store)) == ["another", "three"]
    assert list(store.parent.iterdir()) == [store]
