"""The tasks: each against its rules, checked on every sequence that is drawn."""

import numpy as np
import pytest

from regbook import datasets, sequences
from tests.conftest import exactly


def rng(seed=4):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("steps", [4, 7, 30])
def test_adding_follows_its_rules(steps):
    data = sequences.adding(rng(), 4000, steps)
    numbers, marks = data.x[..., 0], data.x[..., 1]
    assert data.x.shape == (4000, steps, 2)
    assert data.y.shape == (4000, 1)
    assert data.steps is data.critical is None
    assert np.abs(numbers).max() <= 1
    assert (marks[:, [0, -1]] == -1).all()
    inner = marks[:, 1:-1]
    assert set(np.unique(inner)) <= {0, 1}
    first_marked = numbers[:, 0] == 0
    np.testing.assert_array_equal((inner == 1).sum(axis=1), np.where(first_marked, 1, 2))
    np.testing.assert_allclose(data.y[:, 0], 0.5 + (numbers * (marks == 1)).sum(axis=1) / 4, rtol=1e-12)
    assert marks[:, steps // 2 + 1 : -1].sum() == 0 or steps == 30
    assert data.description == f"The adding problem: 4000 sequences of {steps} steps"
    assert data.source == "generated, after Hochreiter and Schmidhuber (1997)"


def test_adding_marks_every_place_that_may_be_marked_equally_often():
    steps, n = 12, 60_000
    data = sequences.adding(rng(), n, steps)
    marked = (data.x[..., 1] == 1).mean(axis=0)
    # First mark: any of the first 6. Second: any of the first 5 of the others.
    first = np.zeros(steps)
    second = np.zeros(steps)
    first[:6] = 1 / 6
    for a in range(6):
        others = [place for place in range(steps) if place != a][:5]
        second[others] += 1 / 6 / 5
    expected = first + second
    expected[[0, -1]] = 0
    np.testing.assert_allclose(marked, expected, atol=5 * 0.5 / np.sqrt(n))
    assert data.y.var() == pytest.approx((2 - (1 / 6 + 1 / 6)) / 3 / 16, rel=0.03)


def test_the_first_mark_is_among_the_first_ten_also_in_a_long_sequence():
    data = sequences.adding(rng(), 40_000, 60)
    marked = (data.x[..., 1] == 1).mean(axis=0)
    assert marked[9] == pytest.approx(1 / 10 + (1 - 1 / 10) / 29, abs=5 * 0.5 / np.sqrt(40_000))
    assert marked[10] == pytest.approx(1 / 29, abs=5 * 0.2 / np.sqrt(40_000))
    assert marked[29] == pytest.approx(1 / 29, abs=5 * 0.2 / np.sqrt(40_000))
    assert marked[30] == 0


def test_temporal_order_follows_its_rules():
    data = sequences.temporal_order(rng(), 4000, 10)
    symbols = data.x.argmax(axis=-1)
    assert data.x.shape == (4000, 10, 6)
    np.testing.assert_array_equal(data.x.sum(axis=-1), 1)
    marked = symbols < 2
    np.testing.assert_array_equal(marked[:, :3].sum(axis=1), 1)
    np.testing.assert_array_equal(marked[:, 3:6].sum(axis=1), 1)
    assert not marked[:, 6:].any()
    first, second = (np.where(marked[:, part], symbols[:, part], 0).sum(axis=1) for part in (slice(3), slice(3, 6)))
    np.testing.assert_array_equal(data.y, 2 * first + second)
    for shares, expected in (
        (np.bincount(data.y) / 4000, 1 / 4),
        (marked[:, :6].mean(axis=0), 1 / 3),
        (np.bincount(symbols[~marked]) / 32_000, np.array([0, 0, 1, 1, 1, 1]) / 4),
    ):
        np.testing.assert_allclose(shares, expected, atol=5 * 0.5 / np.sqrt(4000))
    assert data.description == "Temporal order: 4000 sequences of 10 steps"


def accepts(string):
    """Whether a string is of Reber's grammar, by an automaton written down apart from the generator's."""
    follow = {
        ("", "B"): "B",
        ("B", "T"): "T1",
        ("B", "P"): "P",
        ("T1", "S"): "S1",
        ("T1", "X"): "X1",
        ("S1", "S"): "S1",
        ("S1", "X"): "X1",
        ("X1", "X"): "X2",
        ("X1", "S"): "E?",
        ("P", "T"): "T2",
        ("P", "V"): "V",
        ("T2", "T"): "T2",
        ("T2", "V"): "V",
        ("X2", "T"): "T2",
        ("X2", "V"): "V",
        ("V", "P"): "P2",
        ("V", "V"): "E?",
        ("P2", "X"): "X2",
        ("P2", "S"): "E?",
        ("E?", "E"): "end",
    }
    state = ""
    for symbol in string:
        if (state, symbol) not in follow:
            return False
        state = follow[(state, symbol)]
    return state == "end"


@pytest.mark.parametrize("string", ["BTXSE", "BPVVE", "BTSSXXTVVE", "BTXXVPSE", "BPVPXVPXVPXVVE"])
def test_the_test_knows_the_grammar(string):
    assert accepts(string)


@pytest.mark.parametrize("string", ["BTSSPXSE", "BPTVVB", "BTXXVVSE", "BPVSPSE", "BTSSSE", "BTXS", ""])
def test_the_test_knows_what_the_grammar_forbids(string):
    assert not accepts(string)


def test_reber_strings_are_of_the_embedded_grammar():
    generator = rng()
    strings = [sequences.reber_string(generator) for _ in range(3000)]
    for string in strings:
        assert string[0] == "B"
        assert string[1] == string[-2]
        assert string[1] in "TP"
        assert string[-1] == "E"
        assert accepts(string[2:-2])
    assert min(map(len, strings)) == 9
    seconds = np.array([string[1] == "T" for string in strings])
    assert seconds.mean() == pytest.approx(0.5, abs=5 * 0.5 / np.sqrt(3000))
    thirds = np.array([string[3] == "T" for string in strings])
    assert thirds.mean() == pytest.approx(0.5, abs=5 * 0.5 / np.sqrt(3000))
    assert abs(np.corrcoef(seconds, thirds)[0, 1]) < 5 / np.sqrt(3000)
    loops = [string for string in strings if string[3] == "T"]
    assert np.mean([string[4] == "S" for string in loops]) == pytest.approx(0.5, abs=5 * 0.5 / np.sqrt(len(loops)))


def test_reber_encodes_its_strings():
    data = sequences.reber(rng(), 300, shortest=12, longest=20)
    assert data.x.shape == (300, 19, 7)
    assert data.y.shape == data.steps.shape == (300, 19)
    lengths = data.steps.sum(axis=1) + 1
    assert (lengths.min(), lengths.max()) == (12, 20)
    for row in range(300):
        length = lengths[row]
        assert data.steps[row, : length - 1].all()
        seen = "".join(sequences.SYMBOLS[k] for k in data.x[row, : length - 1].argmax(axis=-1))
        ahead = "".join(sequences.SYMBOLS[k] for k in data.y[row, : length - 1])
        assert seen[1:] == ahead[:-1]
        string = seen + ahead[-1]
        assert accepts(string[2:-2])
        assert ahead[data.critical[row]] == string[1] == string[-2]
        assert data.critical[row] == length - 3
    np.testing.assert_array_equal(data.x.sum(axis=-1), data.steps)
    assert data.description == "Embedded Reber grammar: 300 strings of 12 to 20 symbols"
    assert data.source == "generated, after Hochreiter and Schmidhuber (1997)"
    assert (data.y[~data.steps] == 0).all()
    assert sequences.reber(rng(), 5, shortest=10, longest=10).steps.all()
    usual = sequences.reber(rng(), 300)
    assert usual.steps.shape == (300, 23)
    assert usual.steps.sum(axis=1).min() == 8


def test_digit_rows_are_the_digits():
    data = sequences.digit_rows()
    whole = datasets.digits()
    assert data.x.shape == (1797, 8, 8)
    np.testing.assert_array_equal(data.x[5, 3], whole.x[5, 24:32])
    np.testing.assert_array_equal(data.y, whole.y)
    assert data.description == "Digits: 1797 images of 8 x 8 pixels, read row by row"
    assert data.source == whole.source


def test_the_manual_is_simplified_text(monkeypatch):
    from pydoc_data import topics

    text = sequences.manual()
    assert len(text.codes) > 100_000
    assert len(text.sha256) == 64
    words = "".join(sequences.ALPHABET[code] for code in text.codes)
    assert not any(run in words for run in ("  ", "--", "\n\n"))
    assert set(words) == set(sequences.ALPHABET)
    monkeypatch.setattr(topics, "topics", {"b": "Second: x = 3.14", "a": "First  --- TOPIC\n\n\n(ü)"})
    small = sequences.manual()
    assert "".join(sequences.ALPHABET[code] for code in small.codes) == "first - topic\n(#)\nsecond: x = 0.00"
    assert small.sha256 != text.sha256
    monkeypatch.setattr(topics, "topics", {"a": "First  --- TOPIC\n\n\n(ü)", "b": "Second: x = 3.14"})
    assert sequences.manual().sha256 == small.sha256


def test_the_alphabet_has_no_character_twice():
    assert len(set(sequences.ALPHABET)) == len(sequences.ALPHABET) == 48


def test_windows_are_of_the_text():
    codes = rng(0).integers(0, 48, 500)
    data = sequences.windows(rng(), codes, 200, 7)
    assert data.x.shape == (200, 7, 48)
    assert data.y.shape == (200, 7)
    whole = np.concatenate([data.x.argmax(axis=-1), data.y[:, -1:]], axis=1)
    np.testing.assert_array_equal(whole[:, 1:], data.y)
    np.testing.assert_array_equal(data.x.sum(axis=-1), 1)
    possible = {tuple(codes[at : at + 8]) for at in range(493)}
    found = {tuple(row) for row in whole}
    assert found <= possible
    assert len(found) > 130
    assert data.description == "200 windows of 7 characters"
    assert data.source == "the manual that Python carries for help()"
    same = sequences.windows(rng(), np.full(9, 3, np.uint8), 2, 7)
    assert (same.y == 3).all()
    edge = sequences.windows(rng(), codes[:9], 100, 7)
    starts = {tuple(row) for row in edge.x.argmax(axis=-1)}
    assert starts == {tuple(codes[0:7]), tuple(codes[1:8])}


def test_the_same_generator_gives_the_same_data():
    codes = np.arange(48)
    for draw in (
        lambda r: sequences.adding(r, 5, 8),
        lambda r: sequences.temporal_order(r, 5, 8),
        lambda r: sequences.reber(r, 5),
        lambda r: sequences.windows(r, codes, 5, 4),
    ):
        one, two, other = draw(rng()), draw(rng()), draw(rng(5))
        np.testing.assert_array_equal(one.x, two.x)
        np.testing.assert_array_equal(one.y, two.y)
        assert not np.array_equal(one.x, other.x)


def test_bad_input_is_named():
    g, codes = rng(), np.arange(10)
    for call in (
        lambda r: sequences.adding(r, 5, 8),
        lambda r: sequences.temporal_order(r, 5, 8),
        lambda r: sequences.reber(r, 5),
        sequences.reber_string,
        lambda r: sequences.windows(r, codes, 5, 8),
    ):
        with pytest.raises(TypeError, match=r"^rng must be a numpy.random.Generator"):
            call(0)
    cases = [
        (lambda: sequences.adding(g, 0, 8), "n must be at least 1, got 0"),
        (lambda: sequences.adding(g, 5, 3), "steps must be at least 4, got 3"),
        (lambda: sequences.temporal_order(g, 0, 8), "n must be at least 1, got 0"),
        (lambda: sequences.temporal_order(g, 5, 2), "steps must be at least 3, got 2"),
        (lambda: sequences.reber(g, 0), "n must be at least 1, got 0"),
        (lambda: sequences.reber(g, 5, longest=8), "longest must be at least 9, got 8"),
        (lambda: sequences.reber(g, 5, shortest=12, longest=11), "shortest must be at most longest, 11; got 12"),
        (lambda: sequences.windows(g, codes, 0, 4), "n must be at least 1, got 0"),
        (lambda: sequences.windows(g, codes, 5, 0), "steps must be at least 1, got 0"),
        (lambda: sequences.windows(g, codes, 5, 10), "steps must be below the 10 characters of the text, got 10"),
        (lambda: sequences.windows(g, codes + 39, 5, 4), "codes must lie in 0, ..., 47; got 39 to 48"),
        (lambda: sequences.windows(g, codes + 40, 5, 4), "codes must lie in 0, ..., 47; got 40 to 49"),
        (lambda: sequences.windows(g, codes - 1, 5, 4), "codes must lie in 0, ..., 47; got -1 to 8"),
    ]
    for call, message in cases:
        with pytest.raises(ValueError, match=exactly(message)):
            call()
    with pytest.raises(TypeError, match=exactly("shortest must be an integer, got 9.5")):
        sequences.reber(g, 5, shortest=9.5)
    for wrong in (codes * 1.0, codes[None]):
        message = f"codes must be a vector of integers, got {wrong.dtype} of shape {wrong.shape}"
        with pytest.raises(TypeError, match=exactly(message)):
            sequences.windows(g, wrong, 5, 4)
