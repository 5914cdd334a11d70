"""Atomic files, and a fingerprint that sees code but not words."""

import ast
import dataclasses
import json
import os
import re
import sys

import pytest

from regstudy import store
from tests.regstudy import tiny as home


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    file = tmp_path / "deep" / "tiny.json"
    store.write(file, {"task": "tiny", "cells": {"a": {"x": [1, 2]}, "b": {}}})
    before = file.read_bytes()
    assert json.loads(before) == {"task": "tiny", "cells": {"a": {"x": [1, 2]}, "b": {}}}

    def broken(*_, **__):
        raise OSError("the disk is full")

    for place, name in ((os, "replace"), (type(file), "write_text")):
        with monkeypatch.context() as patch:
            patch.setattr(place, name, broken)
            with pytest.raises(OSError, match="the disk is full"):
                store.write(file, {"task": "tiny", "cells": {}})
        assert file.read_bytes() == before
        assert [entry.name for entry in file.parent.iterdir()] == ["tiny.json"]


def test_the_fingerprint_sees_the_task(monkeypatch):
    problem = home.PROBLEMS["tiny"]
    first = store.code(problem.home, "tiny")
    assert re.fullmatch("[0-9a-f]{16}", first)
    assert store.code(problem.home, "tiny") == first
    changes = [{"task": dataclasses.replace(problem.task, epochs=4)}, {"tuning_seeds": 3}, {"arms": problem.arms[1:]}]
    for change in changes:
        monkeypatch.setitem(home.PROBLEMS, "tiny", dataclasses.replace(problem, **change))
        assert store.code(problem.home, "tiny") != first


def test_the_fingerprint_sees_every_module(monkeypatch):
    problem, modules = home.PROBLEMS["tiny"], store.modules
    first = store.code(problem.home, "tiny")
    for other in (True, False):
        store._code.cache_clear()
        changed = {"reglib.train.optim": ast.parse("changed = True")} if other else {}
        monkeypatch.setattr(store, "modules", lambda *names, changed=changed: modules(*names) | changed)
        assert (store.code(problem.home, "tiny") != first) is other


def test_the_fingerprint_sees_code_but_not_words():
    texts = ['def f():\n    """One."""\n    return 1  # two\n', "def f():\n    return 1\n", "def f():\n    return 2\n"]
    one, same, other = (ast.dump(store._bare(ast.parse(text))) for text in texts)
    assert one == same != other


def test_the_fingerprint_follows_every_import(tmp_path, monkeypatch):
    """Those inside of functions, and of modules that are named after ``from``; not what is no module, or not ours."""
    package = tmp_path / "regtestpackage"
    package.mkdir()
    files = {
        "__init__": "",
        "a": "import numpy\nfrom regtestpackage import b, NOTHING\n",
        "b": "def f():\n    from regtestpackage.c import g\n    import regtestpackage.d\n",
        "c": "from regtestpackage import a\n",
        "d": "",
        "e": "",
    }
    for name, text in files.items():
        (package / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    found = store.modules("regtestpackage.a")
    assert set(found) == {"regtestpackage", *(f"regtestpackage.{name}" for name in "abcd")}
    sys.modules.pop("regtestpackage", None)


def test_the_fingerprint_covers_what_the_numbers_depend_on():
    found = set(store.modules(*store.START, "regstudy.problems.recurrent"))
    assert found >= {"regbook.fit", "regbook.task", "regbook.sequences", "regbook.datasets", "regstudy.problem"}
    assert found >= {"reglib.layers.cells", "reglib.layers._gates", "reglib.noise.masks", "reglib.train.loop"}
    assert not found & {
        "regstudy.studies",
        "regstudy.recurrent",
        "regstudy.store",
        "regbook.study",
        "regbook.experiment",
        "reglib.nets.mlp",
    }
