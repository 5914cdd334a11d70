"""The bad values that take an argument's place, and how a call with one of them may end."""

import re
import warnings
from collections.abc import Mapping
from dataclasses import fields, is_dataclass

import numpy as np

from reglib.gradcheck import GradientError
from reglib.linear.solvers import ConvergenceError
from reglib.train.loop import DivergenceError

OWN_ERRORS = (ConvergenceError, GradientError, DivergenceError)


def nothing(*args):
    """Be a function where another thing is meant, and return None where a function is meant."""


def bad_values(valid):
    """Return what takes the place of the ``valid`` value of an argument, by the name of what is bad about it."""
    array = valid if isinstance(valid, np.ndarray) and valid.ndim else np.array([0.5, 0.25, 0.25])
    found = {
        "None": None,
        "string": "a string",
        "object": object(),
        "NaN": float("nan"),
        "infinity": float("inf"),
        "minus one": -1,
        "huge integer": 10**400,
        "complex": 1j,
        "ragged": [[1.0, 2.0], [3.0]],
        "masked": np.ma.masked_array(array, np.arange(array.size).reshape(array.shape) == 0),
        "float16": array.astype(np.float16),
        "integers": array.astype(int) if array.dtype.kind == "f" else np.arange(3),
        "bool": True,
        "empty": np.empty(0, array.dtype),
        "no axes": np.array(0.5, array.dtype),
        "two axes more": array[None, None],
        "dict": {"a": 1.0},
        "function": nothing,
    }
    if isinstance(valid, np.ndarray) and valid.ndim:
        found["wrong length"] = valid[..., :-1]
        spoiled = valid.copy()
        if valid.dtype.kind == "f":
            spoiled.flat[0] = np.nan
            found["one NaN"] = spoiled
        if valid.dtype.kind in "iu":
            for number in (-1, 99):
                spoiled = spoiled.copy()
                spoiled.flat[0] = number
                found[f"one {number}"] = spoiled
    elif isinstance(valid, list | tuple) and len(valid):
        found["wrong length"] = valid[:-1]
        found["empty"] = type(valid)() if type(valid) in (list, tuple) else valid[:0]
        found["None in it"] = type(valid)((None, *valid[1:])) if type(valid) in (list, tuple) else [None]
    elif isinstance(valid, dict) and valid:
        first, *others = valid
        found["wrong length"] = {name: valid[name] for name in others}
        found["None in it"] = valid | {first: None}
        found["string in it"] = valid | {first: "a string"}
    return found


def outcome(function, arguments, name, bad, what, valid_result, is_default):
    """Call with a bad value; return what is wrong with how it ends, None if nothing, "" if a result is to be judged."""
    changed = arguments | {name: bad}
    before = copied(changed)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            result = function(**changed)
        except OWN_ERRORS:
            return None
        except (TypeError, ValueError) as error:
            return None if named(error, name, arguments, what) else f"{type(error).__name__}: {error}"
        except Exception as error:
            return f"{type(error).__name__}: {error}"
    if not unchanged(before, changed):
        return "an argument was changed"
    if is_default:
        return None
    if what == "one NaN":
        return None if has_nan(result) else "NaN was lost"
    if has_nan(result) and not has_nan(changed):
        return "NaN came out of nowhere"
    if what == "two axes more" and isinstance(arguments[name], np.ndarray) and same_numbers(result, valid_result):
        return None  # leading axes are replicas: the same numbers
    return ""


# What else a message may call an argument: by its parts, or by the name that the loss and the penalty have for it.
PARTS = {
    "params": ("parameters", "w_x", "w_h", "w_out", "b_out", "w1", "the gradient of w1"),
    "w": ("parameters",),
    "cell": ("params",),
    "grads": ("the gradient of w1",),
    "x": ("the activations",),
    "logits": ("prediction",),
    "y": ("target", "targets"),
    "labels": ("targets",),
    "batch": ("x", "y", "targets"),
    "batches": ("batch", "x"),
    "data": ("batch", "x", "y", "targets"),
    "kinds": ("place of noise", "the noise at"),
    "shapes": ("place of noise", "shape"),
    "net": ("network",),
    "schedule": ("multiplier",),
    "measures": ("measure",),
    "step": ("w",),
}
SHAPES = ("two axes more", "wrong length", "empty", "no axes")


def named(error, name, arguments, what):
    """Return whether a message names the argument; where shapes do not fit together, the other one may be named."""
    words = [word for one in (arguments if what in SHAPES else [name]) for word in (one, *PARTS.get(one, ()))]
    return any(re.search(rf"(?<![A-Za-z]){re.escape(word)}(?![A-Za-z])", str(error)) for word in words)


def leaves(value):
    """Yield the arrays, the numbers and all else that a value holds."""
    if is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from leaves(getattr(value, field.name))
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield key
            yield from leaves(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from leaves(part)
    else:
        yield value


def arrays(value):
    """Return the arrays of floats in a value, numbers of NumPy's types among them."""
    return [leaf for leaf in leaves(value) if isinstance(leaf, np.ndarray | np.generic) and leaf.dtype.kind == "f"]


def has_nan(value):
    """Return whether a number in a value is NaN or infinite."""
    numbers = [leaf for leaf in leaves(value) if isinstance(leaf, float)]
    return any(not np.isfinite(array).all() for array in (*arrays(value), *numbers))


def same_numbers(first, second):
    """Return whether two results hold the same numbers, whatever the shapes of their arrays."""
    one, other = arrays(first), arrays(second)
    return len(one) == len(other) and all(
        a.size == b.size and np.allclose(a.ravel(), b.ravel(), equal_nan=True) for a, b in zip(one, other, strict=True)
    )


def copied(value):
    """Return a copy of arguments whose arrays a call must not change."""
    return [leaf.copy() if isinstance(leaf, np.ndarray) else leaf for leaf in leaves(value)]


def unchanged(before, after):
    """Return whether `copied` arguments are still the same."""
    now = list(leaves(after))
    return len(now) == len(before) and all(
        a.tobytes() == b.tobytes() if isinstance(a, np.ndarray) else a is b for a, b in zip(before, now, strict=True)
    )
