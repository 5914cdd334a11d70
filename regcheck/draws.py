"""What a check asks of random draws: that they come from the reader's generator, and that they are independent.

A function that draws has many right forms: it may draw the mask row by row, in float32, or as what is dropped. So no
stored draw is compared. With arrays of 80 by 90 and rates between 0.2 and 0.4, each test here rejects fewer than one
in a million right answers.
"""

import numpy as np

from regcheck.core import Wrong, expect

SIGMAS = 6.0
ALIKE = 0.95  # the correlation of two rows of 80 independent draws stays below 0.75


def from_generator(call):
    """Call a function with equal and with different generators; say so if its draws are not theirs.

    Parameters
    ----------
    call : callable
        Takes a generator; returns an array, or several, that depend on its draws.
    """
    first, again, other = (_flat(call(np.random.default_rng(seed))) for seed in (1, 1, 2))
    expect(
        not np.array_equal(first, other),
        "Generators of different seeds give the same result, so your draws are not those of rng.",
    )
    expect(
        np.array_equal(first, again),
        "The same state of rng gives another result the second time: part of your draws comes from elsewhere.",
    )


def distinct(values, *, rows="examples", columns="units"):
    """Say so if two rows, or two columns, have the same draws.

    Parameters
    ----------
    values : array, shape (rows, columns)
        The draws, or a mask.
    rows, columns : str
        What they are called in the messages.
    """
    values = np.asarray(values, dtype=float)
    for lines, name, share in ((values, rows, "have the same draws"), (values.T, columns, "share their draws")):
        alike = _alike(lines)
        expect(not alike.all(), f"All {name} {share}. Each should have its own.")
        expect(not alike.any(), f"Some {name} {share}. Each should have its own.")


def independent(kept, rate, *, rows="examples", columns="units"):
    """Say so if a mask has the wrong share, or if two of its rows or columns have the same draws.

    Parameters
    ----------
    kept : array of bool, shape (rows, columns)
    rate : float
        The probability to drop.
    rows, columns : str
        As in `distinct`.
    """
    kept = np.asarray(kept, dtype=bool)
    distinct(kept, rows=rows, columns=columns)
    share, std = kept.mean(), np.sqrt(rate * (1 - rate) / kept.size)
    if abs(share - rate) < SIGMAS * std:
        raise Wrong("The share of what is kept is the rate: keep and drop are exchanged.")
    expect(abs(share - (1 - rate)) < SIGMAS * std, "The share of what is dropped is not the rate.")


def standard_normal(values):
    """Return whether numbers have the mean, the variance and the mean size of standard normal draws."""
    values = np.asarray(values, dtype=float)
    size = (2 / np.pi) ** 0.5
    found = np.array([values.mean(), values.var(), np.abs(values).mean()])
    mean, variance = np.array([0.0, 1.0, size]), np.array([1.0, 2.0, 1 - size**2]) / values.size
    return bool(np.all(np.abs(found - mean) < SIGMAS * np.sqrt(variance)))


def _flat(result):
    """Return all numbers of a result as one row."""
    several = result if isinstance(result, tuple) else (result,)
    return np.hstack([np.ravel(part) for part in several])


def _alike(lines):
    """Return, for each pair of rows, whether one is the other up to a factor and a shift, as shared draws make it."""
    flat = 1e-3 * lines.std() * np.sqrt(lines.shape[1])  # a row without spread is like no other
    lines = lines - lines.mean(axis=1, keepdims=True)
    size = np.sqrt((lines**2).sum(axis=1, keepdims=True))
    lines = np.where(size > flat, lines / np.maximum(size, flat), 0)
    return (lines @ lines.T)[np.triu_indices(len(lines), 1)] > ALIKE
