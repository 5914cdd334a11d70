"""Checks of arguments: what is let through, and what the errors say."""

import numpy as np
import pytest

from regkit import _check
from tests.conftest import exactly


@pytest.mark.parametrize("value", [0, 0.0, 0.25, np.float32(0.25), np.float64(0.25)])
def test_rates(value):
    found = _check.rate("p", value)
    assert type(found) is float
    assert found == value


@pytest.mark.parametrize("value", [1, 1.0, 1.5, -0.1, 50, float("nan"), float("inf")])
def test_no_rates(value):
    with pytest.raises(ValueError, match=exactly(f"p must be a number in [0, 1), got {value!r}")):
        _check.rate("p", value)


@pytest.mark.parametrize("value", ["0.5", None, [0.5], True, 0.5j])
def test_no_numbers(value):
    with pytest.raises(TypeError, match=exactly(f"p must be a number in [0, 1), got {value!r}")):
        _check.rate("p", value)


def test_open_intervals():
    assert _check.number("x", 1e-300, low_open=True) == 1e-300
    assert _check.number("x", 7) == 7
    with pytest.raises(ValueError, match=exactly("x must be a number in (0, inf), got 0")):
        _check.number("x", 0, low_open=True)


def test_choices():
    assert _check.one_of("word", "b", ("a", "b")) == "b"
    with pytest.raises(ValueError, match=exactly("word must be one of 'a', 'b'; got 'c'")):
        _check.one_of("word", "c", ("a", "b"))
