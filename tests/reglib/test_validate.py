"""The checks of arguments: what they let through, what they refuse, and in which words."""

import numpy as np
import pytest

from reglib._validate import float_array, generator, integer, number, one_of, replica_shape, same_shape
from tests.conftest import exactly


def test_float_array_lets_floats_through_unchanged():
    for dtype in (np.float32, np.float64):
        array = np.ones((2, 3), dtype)
        assert float_array("x", array) is array
    assert float_array("x", [1.0, 2.0]).dtype == np.float64
    for value in (2, 2.0):
        converted = float_array("x", value)
        assert converted.dtype == np.float64
        assert converted.shape == ()
        assert converted == 2
    assert np.isnan(float_array("x", [np.nan], finite=False)).all()
    assert float_array("x", np.ones((2, 3)), ndim=2).shape == (2, 3)


@pytest.mark.parametrize("bad", [np.arange(3), np.array([True]), True, np.array([1j]), np.array([None]), "a", [1, 2]])
def test_float_array_refuses_everything_else(bad):
    message = (
        "grad_w must hold floating-point numbers (float32 or float64), got dtype "
        f"{np.asarray(bad).dtype}; convert it with grad_w.astype(float) if that is meant"
    )
    with pytest.raises(TypeError, match=exactly(message)):
        float_array("grad_w", bad)


def test_float_array_checks_axes_and_finiteness():
    with pytest.raises(ValueError, match=exactly("x must have 2 axes, got shape (3,)")):
        float_array("x", np.ones(3), ndim=2)
    with pytest.raises(ValueError, match=exactly("x must be finite, got 2 NaN or infinite values in shape (2, 2)")):
        float_array("x", np.array([[np.nan, 1.0], [-np.inf, 0.0]]))


def test_number_returns_a_float():
    for value in (2, 2.0, np.float32(2), np.int64(2), np.uint8(2), np.array(2.0)):
        assert number("rate", value) == 2
        assert type(number("rate", value)) is float
    kept = number("l2", np.array([0.5, 1.0], np.float32), replicas=True)
    assert kept.dtype == np.float32
    assert number("l2", np.array([1, 2]), replicas=True).dtype == np.float64
    assert type(number("l2", 1, replicas=True)) is float


@pytest.mark.parametrize(
    ("limits", "inside", "outside", "interval"),
    [
        ({}, [-1e300, 1e300], [np.nan, np.inf, -np.inf], "[-inf, inf]"),
        ({"low": 0}, [0, 0.5], [-0.1, np.nan], "[0, inf]"),
        ({"low": 0, "low_open": True}, [0.1], [0, -1], "(0, inf]"),
        ({"high": 1}, [-5, 1], [1.1], "[-inf, 1]"),
        ({"low": 0, "high": 1, "high_open": True}, [0, 0.99], [1, 2, -0.1], "[0, 1)"),
    ],
)
def test_number_keeps_to_its_interval(limits, inside, outside, interval):
    for value in inside:
        assert number("rate", value, **limits) == value
    for value in outside:
        with pytest.raises(ValueError, match=exactly(f"rate must be a finite number in {interval}, got {value!r}")):
            number("rate", value, **limits)
        many = np.array([inside[0], value], float)
        with pytest.raises(ValueError, match=exactly(f"rate must be a finite number in {interval}, got {many!r}")):
            number("rate", many, replicas=True, **limits)


def test_number_refuses_what_is_not_one_real_number():
    for bad in ("0.5", None, 1j, True, [None]):
        with pytest.raises(TypeError, match=exactly(f"rate must be a real number, got {bad!r}")):
            number("rate", bad)
    with pytest.raises(TypeError, match=exactly("rate must be a single number, got an array of shape (2,)")):
        number("rate", [0.1, 0.2])


def test_replica_shape_gives_each_replica_its_number():
    array = np.ones((2, 3, 4), np.float32)
    shaped = replica_shape("l2", np.array([1.0, 2.0]), "w", array)
    assert shaped.shape == (2, 1, 1)
    assert shaped.dtype == np.float32
    np.testing.assert_array_equal((shaped * array)[:, 0, 0], [1, 2])
    assert replica_shape("l2", 0.5, "w", array).shape == (1, 1, 1)
    assert replica_shape("l2", np.ones((2, 3)), "w", array).shape == (2, 3, 1)
    message = "l2 has shape (3,), one number a replica, so w must have shape (3, ...); got (2, 3, 4)"
    with pytest.raises(ValueError, match=exactly(message)):
        replica_shape("l2", np.ones(3), "w", array)
    message = "l2 has shape (2, 4), one number a replica, so w must have shape (2, 4, ...); got (2, 3, 4)"
    with pytest.raises(ValueError, match=exactly(message)):
        replica_shape("l2", np.ones((2, 4)), "w", array)


def test_generator():
    rng = np.random.default_rng(0)
    assert generator("rng", rng) is rng
    for bad in (0, None, np.random.RandomState):
        message = f"rng must be a numpy.random.Generator, for instance numpy.random.default_rng(0); got {bad!r}"
        with pytest.raises(TypeError, match=exactly(message)):
            generator("rng", bad)


def test_one_of():
    assert one_of("better", "lower", ("lower", "higher")) == "lower"
    with pytest.raises(ValueError, match=exactly("better must be one of 'lower', 'higher'; got 'best'")):
        one_of("better", "best", ("lower", "higher"))


def test_integer():
    for value in (3, np.int64(3), np.uint8(3)):
        assert integer("n", value) == 3
        assert type(integer("n", value)) is int
    assert integer("n", 0, low=0) == 0
    assert integer("n", -5) == -5
    for bad in (3.0, True, "3", None, np.array([3])):
        with pytest.raises(TypeError, match=exactly(f"n must be an integer, got {bad!r}")):
            integer("n", bad)
    with pytest.raises(ValueError, match=exactly("n must be at least 1, got 0")):
        integer("n", 0, low=1)


def test_same_shape():
    same_shape("grad", np.ones((2, 3)), "y", np.zeros((2, 3)))
    with pytest.raises(ValueError, match=exactly("grad must have the shape of y, (2, 3); got (3, 2)")):
        same_shape("grad", np.ones((3, 2)), "y", np.zeros((2, 3)))
