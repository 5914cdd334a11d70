"""Source, tables and parity as a chapter shows them."""

import numpy as np
import pytest

from regbook import notebook
from regbook.experiment import paired
from regbook.notebook import parity_table, show_source, table, verdict_table


def documented(w, step):
    """Shrink.

    With an explanation.
    """

    # The comment stays.
    half = step / 2
    return w * half


def bare(w):
    return w


def only_words():
    """Only words."""


class Shape:
    """A shape."""

    sides = 3

    def area(self):
        """Return nothing much."""
        return "a string stays", self.sides


DOCUMENTED = """\
def documented(w, step):
    # The comment stays.
    half = step / 2
    return w * half"""


def test_source_comes_without_docstrings():
    assert repr(show_source(documented)) == DOCUMENTED


def test_source_with_docstrings():
    text = repr(show_source(documented, docstring=True))
    assert text.startswith('def documented(w, step):\n    """Shrink.\n\n    With an explanation.\n    """\n\n    # The')
    assert text.endswith("return w * half")


def test_several_objects_stand_two_lines_apart():
    assert repr(show_source(documented, bare)) == f"{DOCUMENTED}\n\n\ndef bare(w):\n    return w"


def test_classes_and_methods():
    assert repr(show_source(Shape)) == (
        'class Shape:\n    sides = 3\n\n    def area(self):\n        return "a string stays", self.sides'
    )
    assert repr(show_source(Shape.area)) == 'def area(self):\n    return "a string stays", self.sides'


def test_a_body_of_words_alone_stays_valid_python():
    assert repr(show_source(only_words)) == 'def only_words():\n    """Only words."""'


def test_source_as_markdown_is_a_python_fence():
    assert show_source(bare)._repr_markdown_() == "```python\ndef bare(w):\n    return w\n```"
    assert notebook.Source('"```"')._repr_markdown_() == '````python\n"```"\n````'


@pytest.mark.parametrize("thing", [len, 3])
def test_what_has_no_source_is_refused(thing):
    with pytest.raises(TypeError) as caught:
        show_source(bare, thing)
    assert str(caught.value) == f"objects must have Python source code, got {thing!r}"


ROWS = [{"method": "lasso <1>", "error": 0.123456, "count": 12}, {"method": "ridge", "error": 12.0, "count": 3}]


def test_a_table_as_text():
    assert repr(table(ROWS, caption="Errors")) == (
        "Errors\nmethod      error  count\nlasso <1>  0.1235     12\nridge          12      3"
    )
    assert repr(table([["a", 1.0]], ["name", "x"])) == "name  x\na     1"


LEFT = 'style="text-align: left; padding: 0.2em 0.7em"'
RIGHT = 'style="text-align: right; padding: 0.2em 0.7em"'


def test_a_table_as_html():
    assert table(ROWS, caption="A & B")._repr_html_() == (
        '<div class="reglib-table" style="overflow-x: auto" tabindex="0" role="group" aria-label="A &amp; B">'
        '<table><caption style="color: inherit">A &amp; B</caption><thead><tr>'
        f'<th scope="col" {LEFT}>method</th><th scope="col" {RIGHT}>error</th><th scope="col" {RIGHT}>count</th>'
        "</tr></thead><tbody>"
        f'<tr><th scope="row" {LEFT}>lasso &lt;1&gt;</th><td {RIGHT}>0.1235</td><td {RIGHT}>12</td></tr>'
        f'<tr><th scope="row" {LEFT}>ridge</th><td {RIGHT}>12</td><td {RIGHT}>3</td></tr>'
        "</tbody></table></div>"
    )


def test_a_table_without_caption_is_named_all_the_same():
    text = table([["<a>", "b"]], ["<x>", "y"])._repr_html_()
    assert 'aria-label="Table"><table><thead>' in text
    assert f'<th scope="col" {LEFT}>&lt;x&gt;</th>' in text
    assert f"<td {LEFT}>b</td>" in text


def test_a_caption_with_quotes_stays_inside_its_attribute():
    assert 'aria-label="the &quot;best&quot;"' in table([["a"]], ["x"], caption='the "best"')._repr_html_()


def test_one_row_is_enough_and_floats_have_four_digits():
    assert repr(table([{"name": "a", "x": 1 / 3}])) == "name       x\na     0.3333"
    assert repr(notebook.Table([["a", 1 / 3]], ["name", "x"])) == "name       x\na     0.3333"


def test_an_empty_table_shows_its_headings():
    assert repr(table([], ["name", "x"])) == "name  x"


def test_columns_choose_and_order():
    assert repr(table(ROWS, ["count", "method"])) == "count  method\n   12  lasso <1>\n    3  ridge"
    assert repr(table(iter([(1, 2)]), (3, 4))) == "3  4\n1  2"


def test_digits_and_kinds_of_values():
    cells = table(
        [["x", 1 / 3, np.float32(2.5), True, np.bool_(False), 1234567, None]], list("abcdefg"), digits=2
    ).cells()
    assert cells == [["x", "0.33", "2.5", "yes", "no", "1234567", "None"]]


@pytest.mark.parametrize(
    ("values", "numeric"),
    [
        ([1, 2.5], True),
        ([-1e-9, float("nan")], True),
        ([float("inf"), -float("inf")], True),
        (["1.0e-16", "—"], True),
        (["1,000", "−2.5"], True),
        ([1, "one"], False),
        ([True, False], False),
        (["1 of 3", "2"], False),
    ],
)
def test_columns_of_numbers_are_aligned_right(values, numeric):
    text = table([["name", value] for value in values], ["a", "b"])._repr_html_()
    assert text.count(f"<td {RIGHT}>") == (2 if numeric else 0)


def test_a_row_of_the_wrong_length():
    with pytest.raises(ValueError, match=r"^rows must have 2 entries, one a column; got \[1\]$"):
        table([[1, 2], [1]], ["a", "b"])


def test_headings_are_needed_without_dicts():
    with pytest.raises(ValueError, match=r"^columns must name the headings when the rows are not dicts, got None$"):
        table([[1, 2]])


class Tensor:
    """Stands for PyTorch's: NumPy's conversion is refused while a gradient is asked for."""

    def __init__(self, values, attached=True):
        self.values, self.attached = values, attached

    def detach(self):
        return Tensor(self.values, attached=False)

    def cpu(self):
        return self

    def numpy(self):
        assert not self.attached
        return np.array(self.values)


class Eager:
    """Stands for TensorFlow's, where ``value`` is a method and there is no ``detach``."""

    def __init__(self, values):
        self.values = values

    def value(self):
        raise AssertionError

    def cpu(self):
        raise AssertionError

    def numpy(self):
        return np.array(self.values)


class Variable:
    """Stands for Keras'."""

    def __init__(self, values):
        self.value = Eager(values)

    def numpy(self):
        raise AssertionError


def test_parity_of_arrays_and_tensors():
    ours = np.array([1.0, -2.0])
    shown = parity_table(
        {"forward": (ours, Tensor([1.0, -2.0]), Variable([1.0, -2.0 + 1e-13])), "gradient": (1.5, None, Eager(1.5))}
    )
    assert repr(shown) == (
        "Largest absolute difference from NumPy\n"
        "Quantity  PyTorch    Keras  Within 1e-12\n"
        "forward   0.0e+00  1.0e-13  yes\n"
        "gradient        —  0.0e+00  yes"
    )


def test_parity_with_other_names_caption_and_tolerance():
    shown = parity_table({"coef": ([1.0], [1.5])}, tolerance=0.5, names=["scikit-learn"], caption="Close")
    assert repr(shown) == "Close\nQuantity  scikit-learn  Within 5e-01\ncoef           5.0e-01  yes"


def test_the_worst_difference_is_named():
    results = {"a": ([1.0], [1.1], [1.0]), "b": ([1.0], [1.0], [0.5]), "c": ([1.0], [1.2], [1.0])}
    message = r"^b against Keras: largest difference 0\.5, above the tolerance 0\.01$"
    with pytest.raises(AssertionError, match=message):
        parity_table(results, tolerance=0.01)


def test_a_difference_beyond_the_default_tolerance_fails():
    with pytest.raises(
        AssertionError, match=r"^a against PyTorch: largest difference 2e-12, above the tolerance 1e-12$"
    ):
        parity_table({"a": (0.0, 2e-12, None)})


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_nan_never_passes_wherever_it_stands(place):
    row = [np.array([1.0, 2.0]) for _ in range(3)]
    row[place] = np.array([1.0, np.nan])
    with pytest.raises(AssertionError, match="largest difference inf"):
        parity_table({"first": ([1.0], [1.0], [1.0]), "a": row, "last": ([1.0], [1.0], [1.0])})


def test_the_sign_of_a_difference_does_not_matter():
    for theirs in (0.5, 1.5):
        with pytest.raises(AssertionError, match=r"difference 0\.5"):
            parity_table({"a": (1.0, theirs, None)})


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"^w: shape \(2,\) of ours against \(2, 1\) of Keras$"):
        parity_table({"w": (np.ones(2), np.ones(2), np.ones((2, 1)))})


def test_each_framework_needs_an_entry():
    with pytest.raises(ValueError, match=r"^results\['w'\] must hold ours and 2 others, got 1 others$"):
        parity_table({"w": (1.0, 1.0)})


@pytest.mark.parametrize("tolerance", [0, -1.0, float("nan")])
def test_the_tolerance_is_positive(tolerance):
    with pytest.raises(ValueError, match=r"^tolerance must be a finite number in \(0, inf\]"):
        parity_table({"w": (1.0, 1.0, 1.0)}, tolerance=tolerance)


def test_masks_and_counts_are_compared_as_numbers():
    mask, count = np.array([True, False]), np.array([1, 2], np.uint8)
    assert "0.0e+00" in repr(parity_table({"mask": (mask, mask.copy()), "count": (count, count)}, names=["other"]))
    for ours, theirs in ((mask, ~mask), (count, count + np.uint8(1))):
        with pytest.raises(AssertionError, match="largest difference 1, above"):
            parity_table({"a": (ours, theirs)}, names=["other"])


def test_empty_arrays_agree():
    assert "0.0e+00" in repr(parity_table({"w": (np.ones(0), np.ones(0), np.ones(0))}))


def test_nothing_to_compare_is_an_empty_table():
    assert repr(parity_table({})).endswith("Within 1e-12")


def compared(arms=("new", "old"), better="lower"):
    return paired(np.arange(20.0), 1.25 + np.arange(20.0), better=better, claim="less", arms=arms)


def test_verdicts_stand_one_a_row():
    found = verdict_table([compared(), compared(better="higher")], caption="errors", digits=2)
    assert found.columns == ["Claim", "new", "old", "Difference, 95%", "Verdict"]
    assert found.rows[0] == ["less", 9.5, 10.75, "[-1.2, -1.2]", "supported"]
    assert found.rows[1][-1] == "contradicted"
    assert found.caption == "errors"
    assert found.cells()[0][1:3] == ["9.5", "11"]


@pytest.mark.parametrize("comparisons", [[], [compared(), compared(("other", "old"))]])
def test_verdicts_of_different_arms_or_of_none_are_refused(comparisons):
    with pytest.raises(ValueError, match="comparisons must hold one or more of the same arms"):
        verdict_table(comparisons)


def test_verdicts_of_different_arms_stand_under_headings_that_are_given():
    pairs = [compared(), compared(("other", "old"))]
    found = verdict_table(pairs, columns=("It is", "a", "b"), marks=("", " *"))
    assert found.columns == ["It is", "a", "b", "Difference, 95%", "Verdict"]
    assert [row[-1] for row in found.rows] == ["supported", "supported *"]
    assert found.digits == 3
    assert verdict_table([], columns=("It is", "a", "b")).rows == []
    with pytest.raises(ValueError, match="marks must hold one for each of the 2 comparisons, got 1"):
        verdict_table(pairs, columns=("It is", "a", "b"), marks=("",))
