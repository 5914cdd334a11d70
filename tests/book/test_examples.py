"""Examples in docstrings and in the README show what they say."""

import ast
import doctest
import importlib
import re

import pytest

from tests.conftest import ROOT
from tools import packages

MODULES = [name for package in ("reglib", "regbook", "regcheck", "regkit") for name in packages.modules(package)]
FINDER = doctest.DocTestFinder(exclude_empty=True)
EXAMPLES = {
    test.name: test for name in MODULES for test in FINDER.find(importlib.import_module(name), name) if test.examples
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_of_a_docstring(name):
    told = []
    results = doctest.DocTestRunner(verbose=False).run(EXAMPLES[name], out=told.append)
    assert results.attempted > 0
    assert not results.failed, "".join(told)


def test_the_examples_are_found():
    assert {name.split(".")[0] for name in EXAMPLES} == {"reglib", "regbook", "regcheck", "regkit"}
    assert "reglib.linear.solvers.Path.order_of_entry" in EXAMPLES
    assert len(EXAMPLES) >= 15


def run(code):
    """Run a piece of Python; return a pair for each expression with a comment behind it: its value, the comment."""
    names, pairs = {}, []
    for node in ast.parse(code).body:
        piece = ast.get_source_segment(code, node)
        comment = code.splitlines()[node.end_lineno - 1][node.end_col_offset :].partition("# ")[2]
        if isinstance(node, ast.Expr) and comment:
            pairs.append((repr(eval(piece, names)), comment))
        else:
            exec(piece, names)
    return pairs


def test_the_readme():
    """An expression with a comment behind it must have that value."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    pairs = [pair for block in blocks for pair in run(block)]
    assert pairs
    for value, comment in pairs:
        assert value == comment


def test_a_wrong_comment_would_be_seen():
    assert run("x = 2  # two\nx + 1  # 4\nx * x  # 4") == [("3", "4"), ("4", "4")]
