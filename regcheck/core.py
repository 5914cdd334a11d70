"""How an exercise checks itself, and how to write a check.

A chapter's module holds one function for each exercise, made into a check by a decorator::

    @exercise("The proximal step of L1")
    def soft_threshold(answer):
        for rng in trials():
            w, threshold = rng.normal(size=5), rng.uniform(0.2, 1.0)
            right = penalties.soft_threshold(w, threshold)
            compare(
                answer(w, threshold),
                right,
                {
                    "Small entries must stop at zero; yours pass through it.": w - threshold * np.sign(w),
                    "You only zeroed the small entries. The large ones move, too.": np.where(abs(w) > threshold, w, 0),
                },
                "Look again at what happens to entries larger, and smaller, than the threshold.",
            )

    @exercise("How much is left")
    def what_is_left(answer):
        near(answer, 0.81, {"That is what is gone.": 0.19}, "Two steps, each of the same factor.", decimals=2)

    @exercise("Which is sparse")
    def which_is_sparse(answer):
        choice(answer, "b", {"a": "Shrinking leaves something of each weight.", "c": "Try w = (3, 0.1)."})

The reader calls ``check.soft_threshold(my_function)`` and sees one of three results: *not answered*
(the cell is as it was: the value is ``...`` or None, or the function returns ``...`` or has no body yet), *right*,
or *not yet* with a message. Nothing is raised, so the page runs through. A bug hunt's function has a body from
the start; give it to the decorator, ``@exercise("Bug hunt: ...", given=function)``, so that an untouched cell does
not print what is wrong before the reader has looked. A check

- uses random inputs and properties, never one stored value; `trials` makes them the same each time;
- recognizes plausible mistakes: each message of the table says what is wrong and why, not what to write;
- tests a property with ``expect(condition, message)``;
- lets `Answer` do the general part: exceptions in the reader's code, a forgotten ``return``, arguments changed
  in place, and answers of the wrong type, shape or with NaN get their own messages.

Where a mistake shows in one trial only (a sign, say), draw inputs in which it shows. ``answer.value`` is what was
given, ``answer(...)`` calls it. An answer of several arrays: `parts`, then `compare` each. Draws: `regcheck.draws`.

**Every right answer is accepted**, here and not check by check:

- *Numbers* come as Python's or NumPy's scalars, fractions, arrays (of no axis, too), lists or tuples, nested or not.
- *Shapes*: axes of length 1 in front are dropped, since an array of shape (1, D) broadcasts like one of shape (D,);
  so ``keepdims=True`` over the first axes is welcome. A column, (D, 1), is another thing and is told so. A single
  number may have any axes of length 1.
- *Several results* are a tuple, a list, or an array with the results along its first axis.
- *Tolerance* follows the type of the answer: a number may differ from the right one by 1e-6 in float64 (room for
  1e-8 in a denominator and for central differences) and by 2e-5 in float32 (about 170 times its precision), times
  the size of the right number where that is above 1. float16 is too coarse to tell right from wrong, and is told so.
  In nested lists the coarsest type counts. A check may ask for less, never for more: so inputs are drawn such that
  every mistake shows by more than 1e-4. A number with ``decimals`` may be off by half a unit of the last of them.
- *Whole numbers* are asked for by `whole`.

**Every wrong answer is rejected**: the tests change each printed solution in some hundred ways (an operator, a
constant, an axis, an argument left out or exchanged) and hold that the check notices, or that the change is none.
**A message names a mistake that was made**: the table is asked before ``otherwise``, which claims nothing. An answer
that is right in its first digits only, or right but in another order, hears that. **No message holds the answer.**
"""

import ast
import copy
import html
import importlib
import inspect
import itertools
import numbers
import re
import textwrap
import traceback
from dataclasses import dataclass

import numpy as np

NOT_ANSWERED, RIGHT, NOT_YET = "Not answered", "Right", "Not yet"
SYMBOLS = {NOT_ANSWERED: "…", RIGHT: "✓", NOT_YET: "✗"}
TOLERANCE, TOLERANCE_32 = 1e-6, 2e-5
NEARLY = (
    "Nearly: the first digits are right, the later ones are not. Is something rounded, or is there a small difference "
    "in a constant?"
)
EXCHANGED = "Each of your results is right, but they come in another order than the task asks for."


class Wrong(Exception):
    """Raised inside a check; its text is the message for the reader."""


class Unanswered(Exception):
    """Raised inside a check when the reader has not written anything yet."""


@dataclass(frozen=True)
class Result:
    """What a check says: a status (right, not yet, not answered), a message, and the exercise's title."""

    status: str
    message: str
    title: str

    @property
    def ok(self):
        """Whether the answer is right."""
        return self.status == RIGHT

    def __repr__(self):
        return f"{SYMBOLS[self.status]} {self.status}: {self.message}"

    def _repr_html_(self):
        return (
            '<div class="regcheck" style="border-left: 4px solid currentColor; padding: 0.3em 0.8em; margin: 0.3em 0">'
            f"<strong>{SYMBOLS[self.status]} {self.status}.</strong> {html.escape(self.message)}</div>"
        )

    def _repr_markdown_(self):
        message = re.sub(r"([\\`*_<$\[\]])", r"\\\1", self.message)
        return f"**{SYMBOLS[self.status]} {self.status}.** {message}"


class Answer:
    """What the reader handed in. Call it like their function, or read ``value``."""

    def __init__(self, value):
        if _blank(value):
            raise Unanswered
        self.value = value
        self._answered = False

    def __call__(self, *arguments, **options):
        if not callable(self.value):
            raise Wrong(f"This exercise asks for a function; you gave {_brief(self.value)}.")
        given = copy.deepcopy((arguments, options))
        try:
            with np.errstate(all="ignore"):
                result = self.value(*given[0], **given[1])
        except Exception as error:
            raise Wrong(_failure(error, self.value)) from error
        if _blank(result):
            if self._answered:
                raise Wrong("Your function returns a value for some inputs and nothing for others.")
            if result is None and _has_body(self.value):
                raise Wrong("Your function returns None. Is a return missing at its end, or on one of its branches?")
            raise Unanswered
        self._answered = True
        if not _equal(given, (arguments, options)):
            raise Wrong(
                "Your function changes its argument in place, so that the caller's array is different afterwards. "
                "Make a new array instead."
            )
        return result


class Exercise:
    """A check that a reader can call; made by `exercise`."""

    def __init__(self, title, check, given=None):
        self.title, self.check, self.name, self.given = title, check, check.__name__, given
        self.__doc__, self.__module__ = check.__doc__ or f"Check the exercise: {title}.", check.__module__

    def __call__(self, answer):
        if self.given is not None and _same_code(answer, self.given):
            return Result(NOT_ANSWERED, "The function is as you found it. Mend it and run the cell again.", self.title)
        try:
            self.check(Answer(answer))
        except Unanswered:
            return Result(NOT_ANSWERED, "Write your answer in this cell and run it again.", self.title)
        except Wrong as reason:
            return Result(NOT_YET, str(reason), self.title)
        except Exception as error:
            text = f"The check cannot use your answer ({type(error).__name__}: {error}). Is it what the task asks for?"
            return Result(NOT_YET, text, self.title)
        return Result(RIGHT, "Your answer passes every check.", self.title)


def exercise(title, *, given=None):
    """Turn a function of an `Answer`, which raises when the answer is wrong, into a check for the reader.

    Parameters
    ----------
    title : str
        The exercise's title on the page.
    given : function, optional
        What the reader finds in the cell of a bug hunt: handed in unchanged, it counts as not answered.

    Examples
    --------
    >>> @exercise("Three and three")
    ... def six(answer):
    ...     near(answer, 6, {"That is their product.": 9}, "Count again.")
    >>> six(9)
    ✗ Not yet: That is their product.
    >>> six(6)
    ✓ Right: Your answer passes every check.
    """
    return lambda check: Exercise(title, check, given)


def exercises(module):
    """Return the exercises of a chapter's module, by name; the module itself or its name, such as "l1_l2"."""
    if isinstance(module, str):
        module = importlib.import_module(f"regcheck.{module}")
    return {name: thing for name, thing in vars(module).items() if isinstance(thing, Exercise)}


def trials(count=5, seed=0):
    """Yield generators for ``count`` random trials, the same ones each time."""
    for child in np.random.SeedSequence(seed).spawn(count):
        yield np.random.default_rng(child)


def expect(condition, message):
    """Say ``message`` to the reader unless ``condition`` holds."""
    if not condition:
        raise Wrong(message)


def compare(got, right, mistakes, otherwise, *, tolerance=0.0):
    """Compare an array or number with the right one; recognize known mistakes.

    Parameters
    ----------
    got : what the reader's function returned
    right : array or number
    mistakes : dict of str to array or number
        Message: the result that this mistake leads to. The first that fits is told.
    otherwise : str
        The message when no known mistake fits.
    tolerance : float
        Where more is allowed than the type of the answer asks for; relative to the size of the right answer, and
        absolute below size 1.
    """
    found, tolerance = array(got, np.shape(right)), max(tolerance, _tolerance(got))
    if _close(found, right, tolerance):
        return
    for message, result in mistakes.items():
        if np.shape(result) == found.shape and _close(found, result, tolerance):
            raise Wrong(message)
    raise Wrong(NEARLY if _close(found, right, 2e-4) else otherwise)


def agrees(got, right):
    """Return whether a result is equal to an array or number, as `compare` understands it; False if it is no number."""
    try:
        return _close(array(got, np.shape(right)), right, _tolerance(got))
    except Wrong:
        return False


def parts(got, right):
    """Return an answer of several results as a tuple, or say what is wrong with it as a whole.

    Parameters
    ----------
    got : what the reader's function returned
        A tuple, a list, or an array whose first axis counts the results.
    right : int or tuple
        How many there must be; or the right results, so that another order of them is recognized.
    """
    count = right if isinstance(right, int) else len(right)
    several = isinstance(got, list | tuple) or (isinstance(got, np.ndarray) and got.ndim > 0)
    if not several or len(got) != count:
        found = f"{len(got)} of them" if several else f"a single {type(got).__name__}"
        raise Wrong(f"The result must be {count} values, separated by commas; yours is {found}.")
    if isinstance(right, tuple) and not all(map(agrees, got, right)):
        for order in itertools.permutations(right):
            if all(map(agrees, got, order)):
                raise Wrong(EXCHANGED)
    return tuple(got)


def array(got, shape, message=None):
    """Return the reader's result as an array of float64 of the right shape, or say what is wrong with it.

    Parameters
    ----------
    got : what the reader's function returned
    shape : tuple of int
        Axes of length 1 in front of it are dropped.
    message : str, optional
        What to say of another shape.
    """
    try:
        found = np.asarray(got)
        if found.dtype.kind == "O" and all(isinstance(number, numbers.Real) for number in found.flat):
            found = found.astype(float)  # fractions
    except Exception:
        found = np.array(None)
    if found.dtype.kind not in "biuf":
        raise Wrong(f"The result must be numbers; yours is {_brief(got)}.")
    extra = found.ndim - len(shape)
    same = found[(0,) * extra] if extra > 0 and found.shape[:extra] == (1,) * extra else found
    if same.shape != tuple(shape):
        wanted = f"an array of shape {shape}" if shape else "a single number"
        raise Wrong(message or f"The result must be {wanted}; yours has shape {found.shape}.")
    if not np.isfinite(same).all():
        raise Wrong("The result contains NaN or an infinite value. Is there a division by zero, or a log of zero?")
    return same.astype(float)


def whole(got, count, message=None):
    """Return ``count`` whole numbers, such as a shape, as a tuple of int; or say what is wrong with them."""
    found = array(got, (count,), message)
    if np.asarray(got).dtype.kind not in "iu":
        raise Wrong(f"A shape is made of whole numbers; yours is {_brief(got)}.")
    return tuple(map(int, found))


def near(answer, right, mistakes, otherwise, *, decimals=None, unit=""):
    """Compare a number that the reader worked out with the right one.

    Parameters
    ----------
    answer : Answer
    right : float
    mistakes, otherwise
        As in `compare`.
    decimals : int, optional
        How many decimals are asked for; more are welcome.
    unit : str
        The unit that is asked for, if the task names one.
    """
    value = answer.value
    if callable(value) or np.size(value) != 1:
        asked = f"a single number, in {unit}" if unit else "a single number"
        raise Wrong(f"This exercise asks for {asked}; you gave {_brief(value)}.")
    if decimals is None:
        return compare(value, float(right), mistakes, otherwise)
    number, half = float(array(value, ())), 0.5 * 10.0**-decimals + _tolerance(value)
    for message, result in {None: right, **mistakes}.items():
        if abs(number - result) <= half:
            return expect(message is None, message)
    raise Wrong(NEARLY if abs(number - right) < 20 * half else otherwise)


def choice(answer, right, reasons):
    """Check a multiple choice.

    Parameters
    ----------
    answer : Answer
    right : str
        The right letter.
    reasons : dict of str to str
        For each other letter, what speaks against it.
    """
    letters = sorted([right, *reasons])
    given = answer.value.strip(" ().\"'").lower() if isinstance(answer.value, str) else None
    if given not in letters:
        raise Wrong(f"Answer with one of {', '.join(map(repr, letters))}; you gave {_brief(answer.value)}.")
    if given != right:
        raise Wrong(reasons[given])


def _tolerance(got):
    """Return by how much a result may differ from the right one, for the coarsest type of float in it."""
    if isinstance(got, list | tuple):
        return max(map(_tolerance, got), default=TOLERANCE)
    if isinstance(got, int | float):  # and float64, which is a float
        return TOLERANCE
    dtype = np.asarray(got).dtype
    if dtype.kind != "f" or dtype.itemsize >= 8:
        return TOLERANCE
    if dtype.itemsize == 2:
        raise Wrong("Your result is in float16, which is too coarse to be checked. Use float32 or float64.")
    return TOLERANCE_32


def _close(a, b, tolerance):
    return bool(np.all(np.abs(a - np.asarray(b)) <= tolerance * np.maximum(1.0, np.abs(b))))


def _equal(a, b):
    """Return whether two nested structures of arrays hold the same numbers."""
    if isinstance(a, np.ndarray):
        return a.shape == b.shape and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_equal(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(_equal, a, b))
    return True  # numbers cannot be changed in place; generators and functions may be used


def _blank(value):
    """Return whether a value, or one of several, is still the placeholder."""
    return (
        value is None or value is Ellipsis or (isinstance(value, tuple | list) and any(part is ... for part in value))
    )


def _same_code(answer, given):
    """Return whether a function has the arguments and statements of another, as far as its source can be seen."""
    try:
        a, b = map(_definition, (answer, given))
        return all(ast.dump(x) == ast.dump(y) for x, y in zip([a.args, *a.body], [b.args, *b.body], strict=True))
    except Exception:
        return False


def _definition(function):
    """Return the syntax tree of a function; raise if it is not the ``def`` of one, or its source cannot be seen."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    if not isinstance(tree, ast.FunctionDef):
        raise TypeError(f"a def statement is needed, got {type(tree).__name__}")
    return tree


def _has_body(function):
    """Return whether a function's source, as far as it can be seen, is more than a placeholder."""
    try:
        tree = _definition(function)
    except Exception:
        return False
    if tree.name != function.__name__:
        return False
    if any(isinstance(node, ast.Constant) and node.value is Ellipsis for node in ast.walk(tree)):
        return False
    return not all(
        isinstance(statement, ast.Pass)
        or (isinstance(statement, ast.Expr | ast.Return) and isinstance(statement.value, ast.Constant | None))
        for statement in tree.body
    )


def _failure(error, function):
    """Return what went wrong in the reader's function, with the line if it is theirs."""
    where = ""
    try:
        file = inspect.getsourcefile(function)
        start = inspect.getsourcelines(function)[1]
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
        inside = [frame for frame in frames if frame.name == function.__name__]
        if inside:
            where = f" in line {(inside[-1].lineno or start) - start + 1} of your function, `{inside[-1].line}`,"
    except (OSError, TypeError):
        pass
    return f"Your function stops{where} with {type(error).__name__}: {error}"


def _brief(value):
    """Return a short text of a value."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
