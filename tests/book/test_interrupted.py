"""A run that is stopped, that finds another at work, or that cannot write: nothing is lost, and one line says so."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from tests.conftest import ROOT
from tools import environment, execute, lock, notebooks

# A book of three notebooks in a folder of its own: one passes, one waits for a file, one is like the first.
PROGRAM = """
import pathlib, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
from tools import book, command, execute, notebooks
here = pathlib.Path({folder!r})
notebooks.ROOT = execute.ROOT = command.ROOT = here
execute.EXECUTED = here / "_executed"
execute.COPIES = execute.EXECUTED / "notebooks"
for name in ("RUNS", "STARTED", "FINISHED"):
    setattr(execute, name, execute.EXECUTED / getattr(execute, name).name)
book.site.build = lambda: 0
execute.ENVIRONMENT["PYTHONPATH"] = {root!r}
sys.exit(book.main(["build", "--workers", "1"]))
"""


def notebook(code):
    cell = {"cell_type": "code", "id": "b", "metadata": {}, "source": code, "outputs": [], "execution_count": None}
    return {"cells": [cell], "metadata": notebooks.METADATA, "nbformat": 4, "nbformat_minor": 5}


def until(condition, seconds=60):
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


@pytest.fixture
def small_book(tmp_path):
    """A folder with three notebooks; the second is not done before there is a file ``go``."""
    wait = f"import os, time\nwhile not os.path.exists({str(tmp_path / 'go')!r}): time.sleep(0.05)"
    (tmp_path / "book").mkdir()
    for name, code in (("a", "1 + 1"), ("b", wait), ("c", "2 + 2")):
        (tmp_path / "book" / f"{name}.ipynb").write_bytes(notebooks.dump(notebook(code)))
    for name in ("requirements.txt", "constraints.txt", "pyproject.toml"):
        (tmp_path / name).write_text("")
    return tmp_path


def start(folder):
    """Start the build of a small book, as a program that Ctrl-C reaches with all that it has started."""
    command = [sys.executable, "-c", PROGRAM.format(folder=str(folder), root=str(ROOT))]
    with open(folder / f"said-{len(list(folder.glob('said-*')))}", "wb") as said:
        return subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=subprocess.STDOUT, start_new_session=True)


def end_of(run, folder):
    """Wait for the run that was started last; return what it said."""
    run.wait(timeout=120)
    return (folder / f"said-{len(list(folder.glob('said-*'))) - 1}").read_text()


def finished(folder):
    """Return the notebooks that the record of the run so far names."""
    path = folder / "_executed" / "finished.json"
    return [name.rpartition("/")[2] for name in json.loads(path.read_text())] if path.exists() else []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals of this kind")
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_run_keeps_what_it_has_finished(small_book, stop):
    first = start(small_book)
    until(lambda: finished(small_book) == ["a.ipynb"])
    if stop == signal.SIGKILL:
        for process in psutil.Process(first.pid).children(recursive=True):
            process.kill()
    first.send_signal(stop)
    said = end_of(first, small_book)
    assert "Traceback" not in said
    if stop != signal.SIGKILL:
        assert "stopped; nothing that was finished is lost" in said
        assert first.returncode == environment.INTERRUPTED
    (small_book / "go").touch()
    second = start(small_book)
    said = end_of(second, small_book)
    assert second.returncode == 0, said
    assert "notebooks: executing 2 of 3" in said
    record = json.loads((small_book / "_executed" / "runs.json").read_text())
    assert {name: row["outcome"] for name, row in record.items()} == dict.fromkeys(
        ("a.ipynb", "b.ipynb", "c.ipynb"), "passed"
    )
    third = start(small_book)
    assert "notebooks: all 3 are up to date" in end_of(third, small_book)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals of this kind")
def test_what_a_killed_run_started_keeps_the_next_one_out(small_book):
    first = start(small_book)
    until(lambda: finished(small_book) == ["a.ipynb"])
    first.kill()  # the parent alone: nbmake goes on
    first.wait()
    second = start(small_book)
    said = end_of(second, small_book)
    assert second.returncode == 1
    assert f"error: process {first.pid} (-c) since " in said
    assert said.count("\n") == 1
    (small_book / "go").touch()
    until(lambda: len(finished(small_book)) == 3)
    until(lambda: start(small_book).wait() == 0)
    record = json.loads((small_book / "_executed" / "runs.json").read_text())
    assert sorted(record) == ["a.ipynb", "b.ipynb", "c.ipynb"]


def test_a_second_run_says_who_works(tmp_path):
    program = (
        f"import time\nfrom tools import lock\nwith lock.held({str(tmp_path)!r}):\n    print('held', flush=True)\n"
    )
    program += "    time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline().strip() == b"held"
        message = rf"^process {holder.pid} \(-c\) since \d\d:\d\d:\d\d works in "
        with pytest.raises(lock.HeldError, match=message), lock.held(tmp_path):
            pytest.fail("two hold the lock")
        holder.kill()
    with lock.held(tmp_path):
        pass


def test_a_lock_can_be_taken_again(tmp_path):
    for _ in range(2):
        with contextlib.suppress(RuntimeError), lock.held(tmp_path):
            raise RuntimeError("a run that fails")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals of this kind")
@pytest.mark.parametrize("patience", [0, 1])
def test_a_program_ends_with_all_that_it_started(patience):
    child = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"
    program = (
        "import os, signal, sys, threading\n"
        "import psutil\n"
        "from tools import process\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "threading.Timer(2, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
        "try:\n"
        f"    process.run([sys.executable, '-c', {child!r}], patience={patience})\n"
        "except KeyboardInterrupt:\n"
        "    left = psutil.Process().children(recursive=True)\n"
        "    print([child for child in left if child.status() != psutil.STATUS_ZOMBIE])\n"
    )
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "[]\n", done.stderr
    assert time.monotonic() - began < 30


def test_a_damaged_record_is_no_record(tmp_path, monkeypatch):
    monkeypatch.setattr(execute, "RUNS", tmp_path / "runs.json")
    (tmp_path / "runs.json").write_text('{"half": ')
    assert execute.runs() == {}
    execute.store(execute.RUNS, {"a": 1})
    assert execute.runs() == {"a": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["runs.json"]
