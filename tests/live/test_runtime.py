"""Files by hash: from whichever source has them, kept, and refused when they are not what they should be."""

import hashlib
import http.server
import json
import re
import subprocess
import threading
import zipfile

import pytest

from tools import node
from tools.live import runtime

GOOD, BAD = b"the right content", b"another content"
FILE = runtime.File("a.whl", len(GOOD), hashlib.sha256(GOOD).hexdigest())


class Source:
    """A source that has one file, and counts how often it was asked."""

    def __init__(self, content):
        self.content, self.asked = content, []

    def __str__(self):
        return f"a source of {self.content!r}"

    def find(self, names):
        self.asked.append(list(names))
        if self.content is not None:
            yield from ((name, self.content) for name in names)


def test_sources_are_asked_in_order_until_one_has_the_right_content(tmp_path):
    nothing, bad, good, later = Source(None), Source(BAD), Source(GOOD), Source(GOOD)
    paths = runtime.fetch([FILE], tmp_path / "new", [nothing, bad, good, later])
    assert paths["a.whl"].read_bytes() == GOOD
    assert [bool(source.asked) for source in (nothing, bad, good, later)] == [True, True, True, False]


def test_what_is_kept_is_not_asked_for_again(tmp_path):
    source = Source(GOOD)
    for _ in range(2):
        runtime.fetch([FILE], tmp_path, [source])
    assert source.asked == [["a.whl"]]


def test_a_damaged_file_is_fetched_again(tmp_path):
    (tmp_path / "a.whl").write_bytes(BAD)
    assert runtime.fetch([FILE], tmp_path, [Source(GOOD)])["a.whl"].read_bytes() == GOOD


def test_content_with_another_hash_is_refused_and_not_kept(tmp_path):
    with pytest.raises(node.UnavailableError, match=r"a\.whl could not be fetched .*has another hash"):
        runtime.fetch([FILE], tmp_path, [Source(BAD)])
    assert not list(tmp_path.iterdir())


def test_an_address_that_has_the_file_and_one_that_cannot_be_reached(tmp_path):
    (tmp_path / "a.whl").write_bytes(GOOD)

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(tmp_path))

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        address = f"http://127.0.0.1:{server.server_port}/"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert list(runtime.Address(address).find(["b.whl", "a.whl"])) == [("a.whl", GOOD)]
        server.shutdown()
    assert list(runtime.Address(address).find(["a.whl"])) == []


def test_a_package_that_holds_the_file(tmp_path, monkeypatch):
    def download(command, **_):
        with zipfile.ZipFile(f"{command[command.index('-d') + 1]}/some-1-py3-none-any.whl", "w") as archive:
            archive.writestr("some/a.whl", GOOD)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(runtime.subprocess, "run", download)
    assert list(runtime.InPackage("some==1", "some/").find(["a.whl", "b.whl"])) == [("a.whl", GOOD)]


def test_the_cache_is_outside_the_project_and_can_be_moved(monkeypatch, tmp_path, root):
    monkeypatch.delenv("REGBOOK_CACHE", raising=False)
    assert root not in node.cache().parents
    monkeypatch.setenv("REGBOOK_CACHE", str(tmp_path))
    assert node.cache() == tmp_path


def test_the_official_source_comes_first():
    assert isinstance(runtime.SOURCES[0], runtime.Address)
    assert runtime.SOURCES[0].address == runtime.OFFICIAL


def test_everything_is_pinned():
    files = [*runtime.core(), *runtime.wheels()]
    assert all(re.fullmatch("[0-9a-f]{64}", file.sha256) and file.bytes > 0 for file in files)
    packages = json.loads(runtime.lock())["packages"]
    assert {name for its in packages.values() for name in its["depends"]} <= set(packages)
    assert packages["numpy"]["version"] == "2.0.2"


def test_no_binary_is_committed(root):
    listed = subprocess.run(["git", "-C", str(root), "ls-files", "tools"], capture_output=True, text=True, check=True)
    assert not re.search(r"\.(whl|wasm|zip|npz)$", listed.stdout, re.MULTILINE)
    lock = (root / "tools/live/package-lock.json").read_text(encoding="utf-8")
    assert '"resolved"' not in lock
    assert "integrity" in lock
