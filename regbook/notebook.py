"""What a chapter shows besides figures: source code, tables, and the proof of parity.

Everything here returns an object that renders itself: as HTML or Markdown on
the site, in Jupyter and in Colab, and as plain text elsewhere.
"""

import html
import inspect
import re
import textwrap

import numpy as np

from regbook._source import without_checks, without_docstrings
from reglib._validate import number


class Source:
    """The source code of functions, classes or methods, in ``text``; made by `show_source`."""

    def __init__(self, text):
        self.text = text

    def __repr__(self):
        return self.text

    def _repr_markdown_(self):
        fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`{3,}", self.text))])
        return f"{fence}python\n{self.text}\n{fence}"


def show_source(*objects, docstring=False, checks=False):
    """Show the source of functions, classes or methods: the code that runs, without what the page says in words.

    Parameters
    ----------
    *objects : functions, classes or methods
    docstring : bool
        Keep the docstrings. By default they are left out, since the page explains.
    checks : bool
        Keep the checks of arguments. By default they are left out, and a comment says so.

    Returns
    -------
    Source
        Renders as highlighted Python.

    Raises
    ------
    TypeError
        If an object has no Python source.
    """
    texts, left_out = [], False
    for thing in objects:
        try:
            text = textwrap.dedent(inspect.getsource(thing)).strip()
        except (OSError, TypeError) as error:
            raise TypeError(f"objects must have Python source code, got {thing!r}") from error
        text = text if docstring else without_docstrings(text)
        plain = text if checks else without_checks(text)
        left_out |= plain != text
        texts.append(plain)
    if left_out:
        texts[-1] += "\n\n# Checks of arguments are left out here."
    return Source("\n\n\n".join(texts))


class Table:
    """A small table; made by `table`.

    ``rows`` holds the values, ``columns`` the headings, ``caption`` a line of text, and ``digits`` is how many
    significant digits floating-point numbers show.
    """

    def __init__(self, rows, columns, caption=None, digits=4):
        self.rows, self.columns, self.caption, self.digits = rows, columns, caption, digits

    def cells(self):
        """Return the table's cells as text, row by row."""
        return [[_text(value, self.digits) for value in row] for row in self.rows]

    def __repr__(self):
        cells = [self.columns, *self.cells()]
        widths = [max(len(row[i]) for row in cells) for i in range(len(self.columns))]
        pads = [str.rjust if self._numeric(i) else str.ljust for i in range(len(self.columns))]
        lines = ["  ".join(pads[i](text, widths[i]) for i, text in enumerate(row)).rstrip() for row in cells]
        return "\n".join(([self.caption] if self.caption else []) + lines)

    def _numeric(self, column):
        """Return whether a column holds numbers, or text that shows numbers; these are aligned right."""
        return bool(self.rows) and all(
            re.fullmatch(r"[-−]?[\d.,]+(e[-+]?\d+)?|nan|-?inf|—", row[column]) for row in self.cells()
        )

    def _repr_html_(self):
        sides = ["right" if self._numeric(i) else "left" for i in range(len(self.columns))]
        looks = [f' style="text-align: {side}; padding: 0.2em 0.7em"' for side in sides]
        head = "".join(f'<th scope="col"{looks[i]}>{html.escape(name)}</th>' for i, name in enumerate(self.columns))
        body = ""
        for row in self.cells():
            first, *rest = (html.escape(text) for text in row)
            cells = f'<th scope="row"{looks[0]}>{first}</th>'
            cells += "".join(f"<td{looks[i]}>{text}</td>" for i, text in enumerate(rest, 1))
            body += f"<tr>{cells}</tr>"
        caption = f'<caption style="color: inherit">{html.escape(self.caption)}</caption>' if self.caption else ""
        return (
            '<div class="reglib-table" style="overflow-x: auto" tabindex="0" role="group" '
            f'aria-label="{html.escape(self.caption or "Table")}">'
            f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        )


def table(rows, columns=None, *, caption=None, digits=4):
    """Show rows as a table.

    Parameters
    ----------
    rows : list of dicts with the same keys, or list of sequences
    columns : list of str
        The headings; needed for sequences, taken from the keys for dicts.
    caption : str
    digits : int
        Significant digits of floating-point numbers.

    Returns
    -------
    Table

    Raises
    ------
    ValueError
        If a row's length differs from the number of columns.

    Examples
    --------
    >>> table([{"rate": 0.5, "error": 0.123456}, {"rate": 0.25, "error": 0.2}])
    rate   error
     0.5  0.1235
    0.25     0.2
    """
    rows = list(rows)
    if rows and isinstance(rows[0], dict):
        columns = list(rows[0]) if columns is None else list(columns)
        rows = [[row[column] for column in columns] for row in rows]
    if columns is None:
        raise ValueError("columns must name the headings when the rows are not dicts, got None")
    for row in rows:
        if len(row) != len(columns):
            raise ValueError(f"rows must have {len(columns)} entries, one a column; got {list(row)!r}")
    return Table([list(row) for row in rows], [str(column) for column in columns], caption, digits)


def verdict_table(comparisons, *, columns=None, marks=None, caption=None, digits=3):
    """Show comparisons of two arms, one a row.

    Parameters
    ----------
    comparisons : sequence of `regbook.experiment.Comparison`
    columns : sequence of 3 str, optional
        The headings of the claim and of the two means. By default the names of the arms, which must then be the same
        in all comparisons.
    marks : sequence of str, optional
        What stands behind each verdict.
    caption : str
    digits : int
        Significant digits of means and intervals.

    Returns
    -------
    Table

    Raises
    ------
    ValueError
        For no comparisons, or such of different arms, without ``columns``; for another number of marks.

    Examples
    --------
    >>> from regbook.experiment import paired
    >>> a, b = np.arange(20.0), 1.0 + np.arange(20.0)
    >>> verdict_table([paired(a, b, better="lower", claim="less", arms=("new", "old"))])
    Claim  new   old  Difference, 95%  Verdict
    less   9.5  10.5  [-1, -1]         supported
    """
    comparisons = list(comparisons)
    if columns is None:
        if len({each.arms for each in comparisons}) != 1:
            raise ValueError(
                f"comparisons must hold one or more of the same arms, got {[each.arms for each in comparisons]}"
            )
        columns = ("Claim", *comparisons[0].arms)
    marks = [""] * len(comparisons) if marks is None else list(marks)
    if len(marks) != len(comparisons):
        raise ValueError(f"marks must hold one for each of the {len(comparisons)} comparisons, got {len(marks)}")
    rows = []
    for each, mark in zip(comparisons, marks, strict=True):
        low, high = each.interval
        interval = f"[{low:.{digits}g}, {high:.{digits}g}]"
        rows.append([each.claim, each.mean_a, each.mean_b, interval, each.verdict + mark])
    return table(rows, [*columns, "Difference, 95%", "Verdict"], caption=caption, digits=digits)


def parity_table(results, *, tolerance=1e-12, names=("PyTorch", "Keras"), caption=None):
    """Compare our numbers with the frameworks' and show the largest differences; fail if one is too large.

    Parameters
    ----------
    results : dict of str to sequence
        For each quantity ``(ours, theirs, theirs, ...)``, one for each of ``names``; ``None`` where a
        framework has no counterpart. Arrays, or tensors of any framework; masks of bool count as 0 and 1.
    tolerance : number > 0
        Largest absolute difference allowed.
    names : sequence of str
    caption : str

    Returns
    -------
    Table

    Raises
    ------
    AssertionError
        Naming the quantity, the framework and the difference.
    ValueError
        If shapes differ or a row has the wrong length.

    Examples
    --------
    >>> parity_table({"gradient": (np.array([0.5]), np.array([0.5 + 1e-15]), None)})
    Largest absolute difference from NumPy
    Quantity  PyTorch  Keras  Within 1e-12
    gradient  1.0e-15      —  yes
    """
    tolerance = number("tolerance", tolerance, low=0, low_open=True)
    rows, worst = [], (0.0, "")
    for quantity, (ours, *others) in results.items():
        if len(others) != len(names):
            raise ValueError(f"results[{quantity!r}] must hold ours and {len(names)} others, got {len(others)} others")
        differences = []
        for name, theirs in zip(names, others, strict=True):
            if theirs is None:
                differences.append("—")
                continue
            difference = _difference(quantity, name, ours, theirs)
            differences.append(f"{difference:.1e}")
            worst = max(worst, (difference, f"{quantity} against {name}"))
        rows.append([quantity, *differences, "yes"])
    if worst[0] > tolerance:
        raise AssertionError(f"{worst[1]}: largest difference {worst[0]:.3g}, above the tolerance {tolerance:.3g}")
    caption = caption or "Largest absolute difference from NumPy"
    return Table(rows, ["Quantity", *names, f"Within {tolerance:.0e}"], caption)


def _difference(quantity, name, ours, theirs):
    """Return the largest absolute difference between two arrays or tensors; infinite where either has a NaN."""
    ours, theirs = _array(ours), _array(theirs)
    if ours.shape != theirs.shape:
        raise ValueError(f"{quantity}: shape {ours.shape} of ours against {theirs.shape} of {name}")
    difference = np.max(np.abs(np.subtract(ours, theirs, dtype=float)), initial=0.0)
    return float("inf") if np.isnan(difference) else float(difference)


def _array(value):
    """Return an array from an array or from any framework's tensor or variable."""
    if hasattr(value, "detach"):  # PyTorch
        value = value.detach().cpu()
    inside = getattr(value, "value", None)  # a Keras variable holds a tensor
    value = value if inside is None or callable(inside) else inside
    return np.asarray(value.numpy() if hasattr(value, "numpy") else value)


def _text(value, digits):
    """Return a cell's text."""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, float | np.floating):
        return f"{value:.{digits}g}"
    return str(value)
