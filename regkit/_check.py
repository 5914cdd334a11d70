"""The checks of arguments that the modules for PyTorch and for Keras share; no framework is needed for them."""

from numbers import Real


def number(name, value, low=0.0, high=float("inf"), *, low_open=False):
    """Return ``value`` as a float, if it is a number in [low, high), or (low, high) with ``low_open``."""
    expected = f"a number in {'(' if low_open else '['}{low:g}, {high:g})"
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be {expected}, got {value!r}")
    found = float(value)
    if not low <= found < high or (low_open and found == low):
        raise ValueError(f"{name} must be {expected}, got {value!r}")
    return found


def rate(name, value):
    """Return the probability to drop, if it is a number in [0, 1)."""
    return number(name, value, 0, 1)


def one_of(name, value, choices):
    """Return ``value``, if it is among the ``choices``."""
    if value not in choices:
        words = ", ".join(map(repr, choices))
        raise ValueError(f"{name} must be one of {words}; got {value!r}")
    return value
