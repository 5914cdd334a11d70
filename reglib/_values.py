"""Frozen values that compare and hash, even where they hold one number a replica.

A frozen dataclass compares its fields with ``==``, which for an array is an array and has no single answer. `Value`
compares and hashes the numbers themselves, so that two kinds of noise, penalties or optimizers with the same numbers
are equal, can be keys of a dict, and can be told apart in a stored study.
"""

from dataclasses import dataclass, fields

import numpy as np


@dataclass(frozen=True, eq=False)
class Value:
    """Equality and hash of a frozen dataclass (``@dataclass(frozen=True, eq=False)``) whose fields may be arrays."""

    def __eq__(self, other):
        return (
            self._content() == other._content()
            if type(self) is type(other)
            else NotImplemented
        )

    def __hash__(self):
        return hash((type(self), self._content()))

    def _content(self):
        return tuple(
            _plain(getattr(self, field.name)) for field in fields(self)
        )

    def _store(self, name, value):
        """Set a field of the frozen value; an array becomes read-only."""
        if isinstance(value, np.ndarray):
            value = value.copy()
            value.setflags(write=False)
        object.__setattr__(self, name, value)


def _plain(value):
    """Return an array as its shape and its numbers, anything else as it is."""
    return (
        (value.shape, value.dtype.str, value.tobytes())
        if isinstance(value, np.ndarray)
        else value
    )
