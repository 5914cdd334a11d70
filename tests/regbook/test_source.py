"""What shown source leaves out: checks of arguments, and nothing else."""

import inspect
import textwrap

import pytest

from regbook import notebook
from regbook._source import without_checks, without_docstrings
from reglib.noise.affine import apply


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('async def f():\n    """Words."""\n    await g()', "async def f():\n    await g()"),
        ('def f(): "words"; return 1', 'def f(): "words"; return 1'),
        ('def f(\n    x,\n): "words"; return x', 'def f(\n    x,\n): "words"; return x'),
        ('def f():\n    "words"; return 1', 'def f():\n    "words"; return 1'),
        ('def f():\n    """Some\n    words."""; return 1', 'def f():\n    """Some\n    words."""; return 1'),
        ('class A:\n    """Words."""\n\n    @wrap\n    def f(self): ...', "class A:\n    @wrap\n    def f(self): ..."),
        ('@wrap\ndef f():\n    """Words."""\n    return 1', "@wrap\ndef f():\n    return 1"),
        ('def f():\n    """Words."""\n\n\n    return 1', "def f():\n    return 1"),
        ('def f():\n    x = "no docstring"\n    return x', 'def f():\n    x = "no docstring"\n    return x'),
        (
            'def f():\n    def g():\n        """In."""\n        pass\n    return g',
            "def f():\n    def g():\n        pass\n    return g",
        ),
    ],
)
def test_only_docstrings_go(text, expected):
    assert without_docstrings(text) == expected


def plain(code):
    return without_checks(textwrap.dedent(code).strip())


@pytest.mark.parametrize(
    ("code", "left"),
    [
        ("rate = number('rate', rate, low=0)", None),
        ("function('predict', predict)", None),
        ("if rate > 1:\n    raise ValueError('rate')", None),
        ("w, x = _checked(w, x)", None),
        ("dtype = float_type(dtype)", None),
        ("mask, n = gate('mask', mask), len(x)", "n = len(x)"),
        ("keep = 1 - number('rate', rate)", "keep = 1 - rate"),
        ("return np.asarray(number('rate', rate))", "return np.asarray(rate)"),
        ("total += positive('predict()', numbers('predict()', predict()))", "total += predict()"),
        # What only looks like a check stays.
        ("h = relu(h)", "h = relu(h)"),
        ("w = _soft(w, t)", "w = _soft(w, t)"),
        ("several = generators('rng', rng)", "several = generators('rng', rng)"),
        ("named = number('rate', other)", "named = number('rate', other)"),
        ("a, b = _checked(w, x)", "a, b = _checked(w, x)"),
        ("if rate > 1:\n    rate = 1", "if rate > 1:\n    rate = 1"),
        (
            "if rate > 1:\n    raise ValueError('rate')\nelse:\n    y = 1",
            "if rate > 1:\n    raise ValueError('rate')\nelse:\n    y = 1",
        ),
        ("print('rate', rate)", None),
    ],
)
def test_a_check_goes_and_the_rest_stays(code, left):
    function = "def f(x):\n" + textwrap.indent(code, "    ") + "\n    return x"
    expected = "def f(x):\n" + ("" if left is None else textwrap.indent(left, "    ") + "\n") + "    return x"
    assert plain(function) == expected


def test_checks_inside_of_a_loop_go_too():
    check = "        if k > 5:\n            raise ValueError\n"
    code = f"def f(x):\n    for k in range(3):\n{check}        x = x + 1\n    return x"
    assert plain(code) == "def f(x):\n    for k in range(3):\n        x = x + 1\n    return x"


def test_a_function_of_checks_alone_is_shown_whole():
    code = "def f(x):\n    number('x', x)\n    if x < 0:\n        raise ValueError"
    assert plain(code) == code


def test_a_source_without_checks_is_shown_as_it_stands_and_no_comment_is_added():
    shown = notebook.show_source(test_checks_inside_of_a_loop_go_too)
    assert "left out" not in shown.text
    assert shown.text == inspect.getsource(test_checks_inside_of_a_loop_go_too).strip()


def test_what_was_left_out_is_said_and_can_be_had():
    assert notebook.show_source(apply).text.endswith("# Checks of arguments are left out here.")
    assert "float_array" in notebook.show_source(apply, checks=True).text
    assert "left out" not in notebook.show_source(apply, checks=True).text
