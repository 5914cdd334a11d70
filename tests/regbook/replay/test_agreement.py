"""Comparing arrays with a tolerance, and the table of what passed."""

import numpy as np
import pytest

from regbook.replay.agreement import agree
from tests.conftest import exactly

ONE = np.array([1.0, 20.0])


def test_differences_that_pass_show_as_a_table():
    parity = agree({"output": {"PyTorch": (ONE, ONE), "Keras": (ONE, ONE * (1 + 2**-50))}})
    assert repr(parity) == (
        "Largest difference from NumPy\nQuantity  PyTorch    Keras  Allowed\noutput    0.0e+00  8.9e-16    1e-12"
    )
    assert "<table>" in parity._repr_html_()


def test_the_tolerance_is_that_of_the_dtype_and_relative_above_one():
    single = ONE.astype(np.float32)
    assert agree({"x": {"Keras": (single, single * np.float32(1 + 2**-21))}}).rows["x"][0] == 1e-6
    assert agree({"x": {"Keras": (1e6 * ONE, 1e6 * ONE + 1e-7)}}).rows["x"][1]["Keras"] < 1e-12


@pytest.mark.parametrize(
    ("ours", "theirs", "words"),
    [
        (ONE, ONE + 1e-9, "y: x against Keras: largest difference 1e-09, above the tolerance 1e-12"),
        (ONE, np.array([1.0, np.nan]), "y: x against Keras: largest difference nan, above the tolerance 1e-12"),
        (ONE, ONE[:1], "y: x against Keras: ours is float64 of shape (2,), theirs float64 of shape (1,)"),
        (
            ONE,
            ONE.astype(np.float32),
            "y: x against Keras: ours is float64 of shape (2,), theirs float32 of shape (2,)",
        ),
        ({"w": ONE}, {"w": -ONE}, "y: x against Keras, w: largest difference 2, above the tolerance 1e-12"),
        ({"w": ONE}, {"b": ONE}, "y: x against Keras: ours has w, theirs b"),
    ],
)
def test_what_does_not_agree_fails_with_the_numbers(ours, theirs, words):
    with pytest.raises(AssertionError, match=exactly(words)):
        agree({"x": {"Keras": (ours, theirs)}}, name="y")


def test_an_own_tolerance():
    assert agree({"x": {"Keras": (ONE, ONE + 1e-9)}}, 1e-8).rows["x"][0] == 1e-8


def test_tables_are_put_together():
    torch, keras = ({"x": {name: (ONE, ONE)}} for name in ("PyTorch", "Keras"))
    both = agree(torch) | agree(keras) | agree(torch, name="again")
    assert list(both.rows) == ["x", "again: x"]
    assert list(both.rows["x"][1]) == ["PyTorch", "Keras"]
    assert "—" in repr(both)


def test_rows_of_one_name_are_refused():
    one = agree({"x": {"Keras": (ONE, ONE)}})
    with pytest.raises(ValueError, match=exactly("two rows are called 'x'; name one of them")):
        one | one
    with pytest.raises(ValueError, match="two rows are called"):
        one | agree({"x": {"PyTorch": (ONE, ONE)}}, 1e-3)
    with pytest.raises(TypeError):
        one | 3
