"""The checks of arguments that the classes share."""

from numbers import Real


def number(name, value, low=0, high=float("inf"), *, low_open=False):
    """Return ``value`` as a float, if it is a number in [low, high), or (low, high) with ``low_open``."""
    expected = f"a number in {'(' if low_open else '['}{low}, {high})"
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be {expected}, got {value!r}")
    if not low <= float(value) < high or (low_open and value == low):
        raise ValueError(f"{name} must be {expected}, got {value!r}")
    return float(value)


def rate(name, value):
    """Return the probability to drop, if it is a number in [0, 1)."""
    return number(name, value, 0, 1)


def one_of(name, value, choices):
    """Return ``value``, if it is among the ``choices``."""
    if value not in choices:
        words = ", ".join(map(repr, choices))
        raise ValueError(f"{name} must be one of {words}; got {value!r}")
    return value


def only_candidate(cell):
    """Complain about Keras' own masks on a cell that drops the candidate alone."""
    for name in ("dropout", "recurrent_dropout"):
        if getattr(cell, name):
            raise ValueError(
                f"{name} must be 0, got {getattr(cell, name)!r}: {type(cell).__name__} drops the candidate alone; "
                "for the inputs put keras.layers.SpatialDropout1D before the RNN"
            )
