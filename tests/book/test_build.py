"""The build: what is executed again and what is not, and how failures read."""

import importlib.util
import json
import subprocess
import sys

import grimp
import pytest

from tests.conftest import ROOT
from tools import execute, notebooks, packages, site


@pytest.fixture(scope="module")
def graph():
    return grimp.build_graph(*packages.NAMES, cache_dir=None)


@pytest.fixture(scope="module")
def environment():
    """The set-up script, loaded as a module."""
    spec = importlib.util.spec_from_file_location("environment", ROOT / "tools" / "environment.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def notebook(code, text="words"):
    cells = [
        {"cell_type": "markdown", "id": "a", "metadata": {}, "source": text},
        {"cell_type": "code", "id": "b", "metadata": {}, "source": code, "outputs": [], "execution_count": None},
    ]
    return {"cells": cells, "metadata": notebooks.METADATA, "nbformat": 4, "nbformat_minor": 5}


def test_dependencies_follow_imports(graph):
    found = execute.dependencies("from reglib.linear import solvers", graph)
    assert found >= {"reglib", "reglib.linear", "reglib.linear.solvers", "reglib.weights.penalties"}
    assert execute.dependencies("import reglib.weights.penalties as p", graph) == {
        "reglib",
        "reglib.weights",
        "reglib.weights.penalties",
        "reglib.weights.parameters",
        "reglib._validate",
        "reglib._values",
    }
    assert execute.dependencies("import numpy", graph) == set()


def test_the_key_sees_code_and_the_modules_it_needs_but_not_prose(graph, monkeypatch, tmp_path):
    code = "from reglib.weights import penalties"
    key = execute.key(notebook(code), graph)
    assert execute.key(notebook(code, "other words"), graph) == key
    assert execute.key(notebook(code + "  # changed"), graph) != key
    original = packages.file
    changed = tmp_path / "changed.py"
    changed.write_text("changed = True")
    needed = {"reglib.weights.penalties": False, "reglib._validate": False, "reglib.train.optim": True}
    for module, same in needed.items():
        monkeypatch.setattr(packages, "file", lambda name, m=module: changed if name == m else original(name))
        assert (execute.key(notebook(code), graph) == key) is same


def test_the_key_of_a_notebook_that_loads_a_study_sees_its_results(graph, monkeypatch, tmp_path):
    code = "from regstudy import recurrent"
    found = execute.dependencies(code, graph)
    assert found >= {"regstudy", "regstudy.store", "reglib.layers.recurrent", "reglib.noise.masks"}
    monkeypatch.setattr(execute, "RESULTS", tmp_path)
    keys = [[execute.key(notebook(text), graph) for text in (code, "from reglib.layers import recurrent")]]
    for name, text in (("a.json", "1"), ("a.json", "2"), ("a.partial.json", "3")):
        (tmp_path / name).write_text(text)
        keys.append([execute.key(notebook(text), graph) for text in (code, "from reglib.layers import recurrent")])
    with_study, without = zip(*keys, strict=True)
    assert len(set(with_study[:3])) == 3
    assert with_study[2] == with_study[3]
    assert len(set(without)) == 1


def test_every_notebooks_key_sees_reglib(graph):
    for path in notebooks.paths():
        assert "regbook.plotting" in execute.dependencies(execute.code_of(notebooks.read(path)), graph)


def test_a_failing_cell_names_notebook_cell_and_error(tmp_path):
    source = tmp_path / "broken.ipynb"
    source.write_bytes(notebooks.dump(notebook("x = 1\nx / 0")))
    report = tmp_path / "report.json"
    command = [sys.executable, "-m", "pytest", "--nbmake", "--nbmake-kernel=python3", "-p", "tools.nbmake_record"]
    command += ["--record", str(report), "--rootdir", str(tmp_path), "-c", str(ROOT / "pyproject.toml"), str(source)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    (row,) = json.loads(report.read_text()).values()
    assert execute.failure_line("broken.ipynb", row) == (
        "book/broken.ipynb: cell 2 (id b): ZeroDivisionError: division by zero"
    )
    assert row["cpu_seconds"] > 0
    assert row["peak_mb"] > 10


def test_kernels_refuse_the_network():
    startup = ROOT / "tools" / "kernel_profile" / "profile_default" / "startup" / "00-no-network.py"
    program = startup.read_text(encoding="utf-8") + (
        "\nserver = socket.create_server(('127.0.0.1', 0))\n"
        "socket.create_connection(server.getsockname()).close()\n"
        "socket.create_connection(('192.0.2.1', 9), timeout=1)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "chapters of this book run without a network" in done.stderr
    assert done.returncode == 1


def test_outputs_come_from_the_executed_copies():
    for path in notebooks.paths():
        staged = site.with_outputs(path)
        assert [cell["source"] for cell in staged["cells"]] == [
            cell["source"] for cell in notebooks.read(path)["cells"]
        ]
        assert any(cell.get("outputs") for cell in staged["cells"])


def test_cleaning_is_idempotent_and_strips():
    dirty = notebook("1 + 1")
    dirty["cells"][1] |= {"outputs": [{"output_type": "stream"}], "execution_count": 3, "metadata": {"collapsed": True}}
    dirty["metadata"] = {"kernelspec": {"name": "other"}}
    assert len(notebooks.problems(dirty)) == 4
    once = notebooks.clean(dirty)
    assert once == notebooks.clean(once)
    assert once["cells"][1]["metadata"] == {}
    assert [problem for problem in notebooks.problems(once) if "set-up" not in problem] == []


@pytest.mark.parametrize(
    ("output", "line"),
    [
        ("OSError: [Errno 28] No space left on device", "the disk is full"),
        ("NewConnectionError: Failed to establish a new connection", "the package index could not be reached"),
        ("Collecting x\nERROR: No matching distribution found for x\n", "No matching distribution found for x"),
    ],
)
def test_pips_failures_become_one_line(environment, output, line):
    explained = environment.explain(output)
    assert line in explained
    assert "\n" not in explained


def test_an_old_python_gets_one_clear_line(environment, monkeypatch):
    monkeypatch.setattr(environment.sys, "version_info", (3, 8, 10))
    monkeypatch.setattr(environment.shutil, "which", lambda name: None)
    with pytest.raises(SystemExit, match=r"^error: this book needs Python 3\.11, 3\.12 or 3\.13; \S+ is [^\n]+$"):
        environment.find_python()


def test_too_little_disk_gets_one_clear_line(environment, monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "VENV", str(tmp_path / "venv"))
    monkeypatch.setattr(environment, "ROOT", str(tmp_path))
    monkeypatch.setattr(environment.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1e9}))
    with pytest.raises(
        SystemExit, match=r"^error: the installation needs about 5 GB of disk, and 1\.0 GB are free here$"
    ):
        environment.main([])
