"""Tasks for recurrent networks that need no download: three classics, digits row by row, and the manual of Python.

Every function returns `Sequences`: inputs of shape (N, T, D) in float64, and a target for each sequence or for each
step. `reglib.nets.sequence` is the network for them.
"""

import hashlib
import re
from dataclasses import dataclass, field

import numpy as np

from regbook import datasets
from reglib._validate import generator, integer

SYMBOLS = "BTPSXVE"
# Reber's grammar: from each node, the symbols that may follow and the nodes that they lead to.
_GRAPH = (
    (("B", 1),),
    (("T", 2), ("P", 3)),
    (("S", 2), ("X", 4)),
    (("T", 3), ("V", 5)),
    (("X", 3), ("S", 6)),
    (("P", 4), ("V", 6)),
    (("E", None),),
)
# Every digit of the manual becomes 0, and every character that is not in this list a #.
ALPHABET = "\n #'()*+,-./0:;<=>[]_abcdefghijklmnopqrstuvwxyz|"


@dataclass(frozen=True)
class Sequences:
    """Sequences, their targets, and in ``description`` and ``source`` what they are and where they come from.

    ``x`` is (N, T, D). ``y`` is (N,) classes or (N, 1) floats, a target for each sequence, or (N, T) classes, one for
    each step. ``steps`` is (N, T), False where a sequence is already over, or None when all have T steps. ``critical``
    is (N,), the step whose target can be known only by memory, or None.
    """

    x: np.ndarray = field(repr=False)
    y: np.ndarray = field(repr=False)
    description: str
    source: str
    steps: np.ndarray | None = field(default=None, repr=False)
    critical: np.ndarray | None = field(default=None, repr=False)


def adding(rng, n, steps):
    """The adding problem: remember two marked numbers and give their sum at the end.

    Each step has two inputs, a number from U[-1, 1] and a mark. One of the first ten numbers and one of the first
    T / 2 - 1 others carry the mark 1; the first and the last step carry -1, the rest 0. The target is
    0.5 + (X_1 + X_2) / 4, with X_1 = 0 in the rare case that the first step was to be marked (Hochreiter and
    Schmidhuber 1997, Section 5.4, whose lengths vary between T and T + T / 10; here all are T). For T < 20 the first
    mark is among the first T / 2.

    Parameters
    ----------
    rng : numpy.random.Generator
    n : int
        Sequences, N.
    steps : int
        T, at least 4.

    Returns
    -------
    Sequences
        x (N, T, 2), y (N, 1). Always answering 0.5 has the mean squared error 1/24 (a little less, for the zeros).
    """
    generator("rng", rng)
    n, steps = integer("n", n, low=1), integer("steps", steps, low=4)
    rows, half = np.arange(n), steps // 2
    x = np.zeros((n, steps, 2))
    x[..., 0] = rng.uniform(-1, 1, (n, steps))
    first = rng.integers(min(10, half), size=n)
    second = rng.integers(half - 1, size=n)
    second += second >= first
    for marked in (first, second):
        x[rows, marked, 1] = 1
        x[rows[marked == 0], 0, 0] = 0
    x[:, [0, -1], 1] = -1
    y = 0.5 + (x[rows, first, 0] + x[rows, second, 0]) / 4
    words = f"The adding problem: {n} sequences of {steps} steps"
    return Sequences(x, y[:, None], words, "generated, after Hochreiter and Schmidhuber (1997)")


def temporal_order(rng, n, steps):
    """Two marks among distractors: in which order did they come?

    One mark stands in the first third of a sequence and one in the second, each of them A or B with probability 1/2;
    all other symbols are drawn from four that say nothing. The class is 2 for a first B, plus 1 for a second B: AA,
    AB, BA, BB (after Hochreiter and Schmidhuber 1997, Section 5.6, whose sequences have 100 to 110 steps and symbols
    for their start and end).

    Parameters
    ----------
    rng : numpy.random.Generator
    n : int
        Sequences, N.
    steps : int
        T, at least 3.

    Returns
    -------
    Sequences
        x (N, T, 6), one-hot: A, B, and the four distractors; y (N,), the class, one of four.
    """
    generator("rng", rng)
    n, steps = integer("n", n, low=1), integer("steps", steps, low=3)
    rows, third = np.arange(n), steps // 3
    symbols, marks = rng.integers(2, 6, (n, steps)), rng.integers(2, size=(n, 2))
    symbols[rows, rng.integers(third, size=n)] = marks[:, 0]
    symbols[rows, rng.integers(third, 2 * third, size=n)] = marks[:, 1]
    words = f"Temporal order: {n} sequences of {steps} steps"
    source = "generated, after Hochreiter and Schmidhuber (1997)"
    return Sequences(np.eye(6)[symbols], 2 * marks[:, 0] + marks[:, 1], words, source)


def reber_string(rng):
    """Draw one string of the embedded Reber grammar with ``rng``: B, then T or P, a Reber string, T or P again, E.

    Where two symbols may follow, each has probability 1/2. The last symbol but one repeats the second: it can be
    known only by remembering that one over the whole inner string (Hochreiter and Schmidhuber 1997, Section 5.1).
    """
    generator("rng", rng)
    outer, inner, node = "TP"[rng.integers(2)], "", 0
    while node is not None:
        choices = _GRAPH[node]
        symbol, node = choices[rng.integers(len(choices))]
        inner += symbol
    return f"B{outer}{inner}{outer}E"


def reber(rng, n, *, shortest=9, longest=24):
    """Strings of the embedded Reber grammar, with the next symbol as the target of each step.

    Parameters
    ----------
    rng : numpy.random.Generator
    n : int
        Strings, N.
    shortest, longest : int
        Strings of another length are drawn again; the grammar has none of fewer than 9 symbols.

    Returns
    -------
    Sequences
        x (N, T, 7), one-hot in the order of `SYMBOLS`, with T = longest - 1; y (N, T), the next symbol; ``steps``,
        False beyond a string's end; ``critical``, the step whose target is the last symbol but one.
    """
    generator("rng", rng)
    n, shortest, longest = integer("n", n, low=1), integer("shortest", shortest), integer("longest", longest, low=9)
    if shortest > longest:
        raise ValueError(f"shortest must be at most longest, {longest}; got {shortest}")
    strings = []
    while len(strings) < n:
        string = reber_string(rng)
        if shortest <= len(string) <= longest:
            strings.append(string)
    lengths = np.array([len(string) for string in strings])
    codes = np.array([[SYMBOLS.index(symbol) for symbol in string.ljust(longest, "E")] for string in strings])
    steps = np.arange(longest - 1) < lengths[:, None] - 1
    x = np.eye(len(SYMBOLS))[codes[:, :-1]] * steps[..., None]
    words = f"Embedded Reber grammar: {n} strings of {shortest} to {longest} symbols"
    source = "generated, after Hochreiter and Schmidhuber (1997)"
    return Sequences(x, np.where(steps, codes[:, 1:], 0), words, source, steps, lengths - 3)


def digit_rows():
    """The digits of `regbook.datasets.digits`, read from top to bottom: 8 steps, each a row of 8 pixels in [0, 1].

    Reading an image as a sequence follows Le, Jaitly and Hinton (2015), who read MNIST pixel by pixel.
    """
    data = datasets.digits()
    x = data.x.reshape(-1, 8, 8)
    return Sequences(x, data.y, "Digits: 1797 images of 8 x 8 pixels, read row by row", data.source)


@dataclass(frozen=True)
class Text:
    """A text as ``codes``, positions in `ALPHABET`, and the ``sha256`` of what it was made from."""

    codes: np.ndarray = field(repr=False)
    sha256: str


def manual():
    """The topics of Python's manual that the interpreter carries for ``help()``: some 400,000 characters.

    The topics are joined in alphabetical order and simplified: lower case, every digit a 0, one of each run of blanks,
    dashes or line ends, and # for characters outside of `ALPHABET`. The text is another one in every version of
    Python; ``sha256`` tells which one was read.

    Returns
    -------
    Text
    """
    from pydoc_data.topics import topics

    raw = "\n\n".join(topics[name] for name in sorted(topics))
    simple = re.sub(r"([ \-\n])\1+", r"\1", re.sub(r"[0-9]", "0", raw.lower()))
    place = {character: code for code, character in enumerate(ALPHABET)}
    codes = np.array([place.get(character, place["#"]) for character in simple])
    return Text(codes, hashlib.sha256(raw.encode()).hexdigest())


def windows(rng, codes, n, steps):
    """Cut windows out of a text, with the next character as the target of each step.

    Parameters
    ----------
    rng : numpy.random.Generator
    codes : integer ndarray
        From `manual`, or a part of it.
    n : int
        Windows, N; each starts at a place drawn at random.
    steps : int
        T, at most one less than the text has characters.

    Returns
    -------
    Sequences
        x (N, T, 48), one-hot in the order of `ALPHABET`; y (N, T), the next character.
    """
    generator("rng", rng)
    codes = np.asarray(codes)
    if codes.ndim != 1 or codes.dtype.kind not in "iu":
        raise TypeError(f"codes must be a vector of integers, got {codes.dtype} of shape {codes.shape}")
    if codes.size and not 0 <= codes.min() <= codes.max() < len(ALPHABET):
        raise ValueError(f"codes must lie in 0, ..., {len(ALPHABET) - 1}; got {codes.min()} to {codes.max()}")
    n, steps = integer("n", n, low=1), integer("steps", steps, low=1)
    if steps >= len(codes):
        raise ValueError(f"steps must be below the {len(codes)} characters of the text, got {steps}")
    at = rng.integers(len(codes) - steps, size=n)[:, None] + np.arange(steps + 1)
    x, y = np.eye(len(ALPHABET))[codes[at[:, :-1]]], codes[at[:, 1:]]
    return Sequences(x, y, f"{n} windows of {steps} characters", "the manual that Python carries for help()")
