"""Cells that need a missing package are skipped with one line; every other error is shown as it is."""

import ast
import sys

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from regbook import missing


@pytest.fixture
def shell(monkeypatch):
    """A shell of IPython that skips cells, on a machine where the packages `absent` and `gone` are not installed."""
    monkeypatch.setitem(missing.PACKAGES, "absent", ("Absent", "absent-package"))
    monkeypatch.setitem(missing.PACKAGES, "gone", ("Gone", "gone"))
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])  # a shell puts its own there
    monkeypatch.delenv("REQUIRE_FRAMEWORKS", raising=False)
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)  # of whoever runs the tests: a shell warns of another one
    config = Config()
    config.HistoryManager.enabled = False
    made = InteractiveShell.instance(config=config, colors="nocolor")
    missing.skip_cells(made)
    yield made
    InteractiveShell.clear_instance()


@pytest.fixture
def run(shell, capsys):
    """Run a cell; return whether it counts as run, and what it printed."""

    def run_cell(cell):
        result = shell.run_cell(cell)
        return result.success, capsys.readouterr().out.replace("Out[0]: ", "")

    return run_cell


LINE = "Skipped: needs Absent. To run it: pip install absent-package. The notebook's page shows the output.\n"


def test_a_missing_import_takes_away_its_own_names_alone(run, shell):
    assert run("import math\nfrom absent import Net, fit as fit_net\nimport json") == (True, LINE)
    assert {"math", "json"} <= set(shell.user_ns)
    assert run("math.sqrt(4)") == (True, "2.0\n")
    assert run("fit_net(3)") == (True, LINE)
    assert run("Net(3)") == (True, LINE)


def test_a_line_is_printed_once_a_cell_and_each_missing_package_has_its_own(run):
    success, printed = run("import absent\nimport absent.layers as layers\nimport gone")
    assert success
    assert printed.splitlines() == [missing.line("absent"), missing.line("gone")]


def test_what_a_skipped_cell_would_have_bound_is_skipped_too(run):
    run("import absent")
    assert run("net = absent.Net()\ndef f(x):\n    return net(x)\nscore, rest = f(1), 2") == (True, LINE)
    assert run("print(score)\nbetter = score + 1") == (True, LINE)
    assert run("better") == (True, LINE)
    assert run("rest") == (True, LINE)


def test_an_import_inside_of_a_function_counts(run):
    run("def load():\n    import absent.data\n    return 1")
    assert run("data = load()") == (True, LINE)
    assert run("data") == (True, LINE)


def test_an_old_value_is_not_taken_for_the_one_that_is_missing(run, shell):
    run("import absent\nimport math\nrows, table, kept = [1], {'a': 1}, 3")
    assert run("print(kept)\nrows = [2]\ntable['b'] = 2\nmath.floor(2.0)\nabsent.run()") == (True, "3\n" + LINE)
    assert run("rows") == (True, LINE)
    assert run("table") == (True, LINE)
    assert run("kept") == (True, "3\n")
    assert run("math.floor(2.5)") == (True, "2\n")


def test_a_value_that_cannot_be_displayed_is_kept(run, shell):
    run("class Result:\n    def __repr__(self):\n        import absent\n    _repr_html_ = __repr__")
    shell.display_formatter.active_types = ["text/html", "text/plain"]
    assert run("value, result = 3, Result()\nresult") == (True, LINE)
    assert run("value") == (True, "3\n")
    assert "ZeroDivisionError" in run("class Result:\n    def __repr__(self):\n        1 / 0\nResult()")[1]


def test_a_name_that_is_bound_after_all_is_used(run):
    run("import absent")
    run("score = absent.score()")
    run("score = 5")
    assert run("score") == (True, "5\n")


@pytest.mark.parametrize(
    ("cell", "error"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("never_bound", "NameError: name 'never_bound' is not defined"),
        ("def f():\n    print(score)\n    score = 1\nf()", "UnboundLocalError"),
        ("import not_in_the_list", "ModuleNotFoundError: No module named 'not_in_the_list'"),
        ("import math.absent", "ModuleNotFoundError"),
        ("from math import nothing", "ImportError"),
        ("raise NameError('mine')", "NameError: mine"),
        ("raise NameError('mine', name='score')", "NameError: mine"),
        ("exec('score', {})", "NameError: name 'score' is not defined"),
        ("1 +", "SyntaxError"),
    ],
)
def test_other_errors_are_shown(run, cell, error):
    run("import absent")
    run("other = absent.score()" if "name=" in cell else "score = absent.score()")
    success, printed = run(cell)
    assert not success
    assert error in printed
    assert "Skipped" not in printed


def test_an_error_in_an_import_names_the_readers_line(run):
    success, printed = run("x = 1\nimport not_in_the_list\n")
    assert not success
    assert "----> 2 import not_in_the_list" in printed
    assert "imported_nothing" not in printed


def test_an_installed_package_without_a_module_is_an_error(run, monkeypatch):
    monkeypatch.setitem(missing.PACKAGES, "json", ("JSON", "json"))
    success, printed = run("import json.nothing")
    assert not success
    assert "No module named 'json.nothing'" in printed


def test_a_package_that_wraps_the_failure_counts(run):
    wrapped = (
        "try:\n    import absent\nexcept ModuleNotFoundError as e:\n    raise ModuleNotFoundError('get it') from e"
    )
    assert run(wrapped) == (True, LINE)


def test_a_reader_who_handles_the_failure_is_left_alone(run):
    assert run("try:\n    import absent\nexcept ImportError:\n    print('without')") == (True, "without\n")


def test_the_value_of_a_last_line_and_future_imports_stay(run):
    assert run("from __future__ import annotations\nimport math\nmath.pi > 3") == (True, "True\n")


def test_a_shell_is_changed_once_and_not_where_all_is_required(shell, monkeypatch):
    missing.skip_cells(shell)
    assert sum(isinstance(each, missing.Skipping) for each in shell.ast_transformers) == 1
    monkeypatch.setenv("REQUIRE_FRAMEWORKS", "1")
    other = InteractiveShell(config=shell.config)
    missing.skip_cells(other)
    assert not other.ast_transformers


def test_bound_names():
    code = "import a.b, c as d\nwith f() as g, h() as (i, j): k[0].l = 1\nm.n.append(2)\no += 1\n[p for p in q]"
    code += "\nr: int = 1"
    names, changed = missing.bound(ast.parse(code).body)
    assert names == {"a", "d", "g", "i", "j", "o", "r"}
    assert changed == {"k", "m"}


def test_every_line_fits_a_cell():
    for package in missing.PACKAGES:
        assert missing.PACKAGES[package][0] in missing.line(package)
        assert len(missing.line(package)) <= 120
