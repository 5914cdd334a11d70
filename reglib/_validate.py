"""Checks of arguments, shared by every module: each names the argument, the value and what was expected."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

FLOATS = (np.dtype(np.float64), np.dtype(np.float32))
# The largest integer that an array's shape, or a count, can be.
LARGEST = 2**63 - 1
# A name that can stand in code: "x", "params[0]", "grads['w1']".
_EXPRESSION = re.compile(r"[\w.]+(\[[\w']+\])?")


def as_array(name, value):
    """Return ``value`` as an array, or say why it is none: a ragged list, or a masked array."""
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(
            f"{name} must be a plain array, got a masked one; fill it with {name}.filled(...) first"
        )
    try:
        return np.asarray(value)
    except (ValueError, OverflowError):
        raise ValueError(
            f"{name} must have rows of equal length, got a ragged list"
        ) from None


def float_array(name, value, *, ndim=None, finite=True):
    """Return ``value`` as a floating-point array, or say what is wrong with it.

    Python numbers and lists of Python floats become float64. Integer, boolean,
    complex and object *arrays* are refused: a gradient taken in them would be
    silently wrong. So is half precision, in which an optimizer's epsilon is 0.
    """
    array = as_array(name, value)
    if array.dtype not in FLOATS:
        if (
            isinstance(value, int)
            and not isinstance(value, bool)
            and abs(value) <= LARGEST
        ):
            array = np.asarray(float(value))
        else:
            called = name if _EXPRESSION.fullmatch(name) else ""
            raise TypeError(
                f"{name} must hold floating-point numbers (float32 or float64), got dtype {array.dtype}; "
                f"convert it with {called}.astype(float) if that is meant"
            )
    if ndim is not None and array.ndim != ndim:
        raise ValueError(
            f"{name} must have {ndim} axes, got shape {array.shape}"
        )
    if finite and not np.isfinite(array).all():
        bad = array.size - int(np.isfinite(array).sum())
        raise ValueError(
            f"{name} must be finite, got {bad} NaN or infinite values in shape {array.shape}"
        )
    return array


def number(
    name,
    value,
    *,
    low=None,
    high=None,
    low_open=False,
    high_open=False,
    replicas=False,
) -> Any:
    """Return ``value`` as a finite float in the stated interval.

    With ``replicas=True`` an array is welcome too, one number a replica; its
    shape is kept, and its numbers become float64: what is computed from them,
    such as 1 / (1 - rate), is rounded once, at the end.
    """
    array = as_array(name, value)
    if array.dtype.kind not in "iuf":
        raise TypeError(f"{name} must be a real number, got {_short(value)}")
    if array.ndim and not replicas:
        raise TypeError(
            f"{name} must be a single number, got an array of shape {array.shape}"
        )
    array = array.astype(float)
    left, right = "(" if low_open else "[", ")" if high_open else "]"
    interval = f"{left}{'-inf' if low is None else low}, {'inf' if high is None else high}{right}"
    wrong = ~np.isfinite(array)
    if low is not None:
        wrong |= (array <= low) if low_open else (array < low)
    if high is not None:
        wrong |= (array >= high) if high_open else (array > high)
    if wrong.any():
        raise ValueError(
            f"{name} must be a finite number in {interval}, got {_short(value)}"
        )
    return array if array.ndim else float(array)


def replica_shape(name, per_replica, array_name, array, dtype=None):
    """Check that the leading axes of ``array`` are the shape of ``per_replica``; reshape the latter to broadcast.

    The rule of the whole package: a hyperparameter of shape ``(S,)`` belongs to
    arrays of shape ``(S, ...)``, one number a replica; a plain number belongs to
    every replica alike. The result has the given dtype, by default the array's.
    """
    per_replica = np.asarray(per_replica)
    lead = per_replica.shape
    if array.shape[: len(lead)] != lead:
        raise ValueError(
            f"{name} has shape {lead}, one number a replica, so {array_name} must have shape "
            f"({', '.join(map(str, lead))}, ...); got {array.shape}"
        )
    return per_replica.reshape(lead + (1,) * (array.ndim - len(lead))).astype(
        dtype or array.dtype, copy=False
    )


def generator(name, rng):
    """Return ``rng`` if it is a ``numpy.random.Generator``; say how to make one otherwise."""
    if not isinstance(rng, np.random.Generator):
        expected = "a numpy.random.Generator, for instance numpy.random.default_rng(0)"
        raise TypeError(f"{name} must be {expected}; got {_short(rng)}")
    return rng


def generators(name, rng):
    """Return the list of generators, one a replica, that ``rng`` is; None for a single generator."""
    if not isinstance(rng, list | tuple):
        generator(name, rng)
        return None
    return [generator(f"{name}[{s}]", one) for s, one in enumerate(rng)]


def float_type(dtype):
    """Return a dtype that is float32 or float64."""
    try:
        found = np.dtype(
            object if dtype is None else dtype
        )  # None is float64 to NumPy
    except (TypeError, ValueError):
        found = np.dtype(object)
    if found not in FLOATS:
        raise TypeError(
            f"dtype must be numpy.float32 or numpy.float64, got {_short(dtype)}"
        )
    return found


def one_of(name, value, choices):
    """Return ``value`` if it is among ``choices``; list them otherwise."""
    if not any(
        isinstance(value, type(choice)) and value == choice
        for choice in choices
    ):
        raise ValueError(
            f"{name} must be one of {', '.join(map(repr, choices))}; got {_short(value)}"
        )
    return value


def boolean(name, value):
    """Return ``value`` if it is True or False; "no" and 0 are neither."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, got {_short(value)}")
    return bool(value)


def function(name, value, *, optional=False) -> Any:
    """Return ``value`` if it can be called; None, too, where it is ``optional``."""
    if not callable(value) and not (optional and value is None):
        raise TypeError(f"{name} must be a function, got {_short(value)}")
    return value


def instance(name, value, kind, words):
    """Return ``value`` if it is of a ``kind``, a class or several; say in ``words`` what was expected."""
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be {words}, got {_short(value)}")
    return value


def by_name(name, values, names, owner=""):
    """Return ``values`` if it is a dict with these ``names`` in this order; ``owner`` says whose they are."""
    if not isinstance(values, dict) or list(values) != list(names):
        got = (
            ", ".join(map(str, values))
            if isinstance(values, dict)
            else type(values).__name__
        )
        raise ValueError(
            f"{name} must be a dict by name, {', '.join(names)}{owner}; got {got}"
        )
    return values


def by_place(name, values, places, kind, words):
    """Return ``values`` if it is a dict by place, of the ``places`` that there are, with values of a ``kind``."""
    for place, value in instance(
        name, values, Mapping, "a dict by place"
    ).items():
        if place not in places:
            raise ValueError(
                f"a place of noise must be one of {', '.join(map(repr, places))}; got {place!r}"
            )
        instance(f"the noise at {place!r}", value, kind, words)
    return values


def pair(name, value):
    """Return what a function called ``name`` has returned, if it is a pair."""
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise TypeError(f"{name} must return a pair, got {_short(value)}")
    return value


def text(name, value):
    """Return ``value`` if it is a string."""
    return instance(name, value, str, "a string")


def integers(name, values, *, low=None):
    """Return a sequence of integers as a tuple; a single number is not one."""
    if isinstance(values, str | dict | np.ma.MaskedArray) or not np.iterable(
        values
    ):
        raise TypeError(
            f"{name} must be a sequence of integers, got {_short(values)}"
        )
    return tuple(integer(name, value, low=low) for value in values)


def axes(name, value):
    """Return one axis, or a sequence of them, as a tuple of integers."""
    several = np.iterable(value) and not isinstance(value, str)
    return integers(name, value) if several else (integer(name, value),)


def integer(name, value, *, low=None):
    """Return ``value`` as an ``int`` that is at least ``low``."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} must be an integer, got {_short(value)}")
    if low is not None and value < low:
        raise ValueError(f"{name} must be at least {low}, got {_short(value)}")
    if abs(value) > LARGEST:
        raise ValueError(f"{name} must fit into 64 bits, got {_short(value)}")
    return int(value)


def same_shape(name, array, other_name, other):
    """Check that two arrays have the same shape, when one is the gradient of the other."""
    if array.shape != other.shape:
        raise ValueError(
            f"{name} must have the shape of {other_name}, {other.shape}; got {array.shape}"
        )


def _short(value):
    """Return a value as it stands in an error: its repr, or its type where that is long."""
    if isinstance(value, int) and abs(value) > LARGEST:
        return f"an integer of {value.bit_length()} bits"
    shown = repr(value)
    if len(shown) <= 80 and "\n" not in shown:
        return shown
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    return f"{type(value).__name__} {shown[:60]}..."


def same_replicas(x, w, trailing):
    """Raise unless the axes of x and w before the ``trailing`` ones are the same replicas, or one has none."""
    ours, theirs = x.shape[:-trailing], w.shape[:-trailing]
    if ours and theirs and ours != theirs:
        raise ValueError(
            f"the leading axes of x and w must be the same replicas, or one of them must have none; "
            f"got x of shape {x.shape} and w of shape {w.shape}"
        )
