"""What every command does alike: one at a time, Ctrl-C, a full disk, a folder that takes no files, unknown names."""

import errno
import os
import signal
import socket

import pytest

from tests.conftest import exactly
from tools import book, command, elsewhere, environment, lock, measured, pdf, pythons, repeat, site
from tools.lighthouse import __main__ as lighthouse

# Each command, and words that it understands.
COMMANDS = {
    book: ["build"], elsewhere: ["bare"], lighthouse: [], measured: [], pdf: [], pythons: [], repeat: []
}  # fmt: skip


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """An empty folder that the commands take for the book's."""
    monkeypatch.setattr(command, "ROOT", tmp_path)
    for module in (site, elsewhere):
        monkeypatch.setattr(module, "HTML", tmp_path / "_build" / "html")
    return tmp_path


@pytest.fixture
def empty_site(folder):
    """A site of one page."""
    (folder / "_build" / "html").mkdir(parents=True)
    (folder / "_build" / "html" / "index.html").touch()
    return folder / "_build" / "html"


def raising(error):
    def work(*_):
        raise error

    return work


def test_a_command_works_alone_and_gives_the_status_of_its_work(folder):
    def work():
        with pytest.raises(lock.HeldError), lock.held(folder):
            pytest.fail("two hold the lock")
        return 3

    assert command.run(work) == 3
    assert command.run(lambda: 0) == 0


def test_one_that_need_not_work_alone_leaves_the_lock(folder):
    def work():
        with lock.held(folder):
            return 0

    assert command.run(work, alone=False) == 0


@pytest.mark.parametrize("module", COMMANDS, ids=lambda module: module.__name__)
def test_every_command_says_who_works(module, folder, monkeypatch, capsys):
    monkeypatch.setattr(lock, "held", raising(lock.HeldError("process 1 (x) works in /x")))
    assert module.main(COMMANDS[module]) == 1
    assert capsys.readouterr().out == "error: process 1 (x) works in /x\n"


def test_what_stops_a_command_is_one_line(folder, capsys):
    assert command.run(raising(command.StopError("there is no x"))) == 1
    assert capsys.readouterr().out == "error: there is no x\n"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals of this kind")
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_kill_are_one_line(folder, capsys, stop):
    before = {each: signal.signal(each, signal.default_int_handler) for each in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def work():
        os.kill(os.getpid(), stop)
        signal.pause()

    assert command.run(work, stopped="stopped here") == environment.INTERRUPTED
    assert capsys.readouterr().out == "\nstopped here\n"
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    for each, handler in before.items():
        signal.signal(each, handler)


@pytest.mark.parametrize(
    ("number", "line"),
    [
        (errno.ENOSPC, "error: /x: the disk is full; free some space and run the same command again\n"),
        (errno.EROFS, "error: /x: this folder is read-only: copy the book to a folder of your own\n"),
        (errno.EACCES, "error: /x: no permission to write here: copy the book to a folder of your own\n"),
    ],
)
def test_where_nothing_can_be_written_one_line_says_so(folder, monkeypatch, capsys, number, line):
    no = raising(OSError(number, os.strerror(number), "/x"))
    assert command.run(no) == 1
    assert capsys.readouterr().out == line
    monkeypatch.setattr(lock, "held", no)
    assert command.run(lambda: 0) == 1
    assert capsys.readouterr().out == line
    monkeypatch.setattr(environment, "prepare", no)
    monkeypatch.setattr(environment, "VENV", str(folder / ".venv"))
    with pytest.raises(SystemExit) as stopped:
        environment.main([])
    assert f"{stopped.value}\n" == line


def test_other_errors_keep_their_traceback(folder):
    with pytest.raises(OSError, match="the disk is broken"):
        command.run(raising(OSError(errno.EIO, "the disk is broken")))


@pytest.mark.parametrize(("status", "free", "said"), [(1, 1e6, True), (0, 1e6, False), (1, 1e9, False)])
def test_a_failure_on_a_full_disk_says_so(folder, monkeypatch, capsys, status, free, said):
    monkeypatch.setattr(command.shutil, "disk_usage", lambda _: type("Usage", (), {"free": free}))
    assert command.run(lambda: status) == status
    assert capsys.readouterr().out.startswith("error: the disk is all but full") == said


@pytest.mark.parametrize(
    ("module", "words", "what"),
    [
        (elsewhere, ["bare", "nothing"], "notebook: nothing"),
        (lighthouse, ["index", "nothing"], "page: nothing"),
        (repeat, ["/nothing.ipynb"], "notebook: /nothing.ipynb"),
        (measured, ["/nothing.ipynb"], "notebook that confirms a result of a card: /nothing.ipynb"),
    ],
)
def test_names_that_nothing_has_are_refused_before_anything_is_done(module, words, what, empty_site, capsys):
    assert module.main(words) == 1
    assert capsys.readouterr().out == f"error: no such {what}\n"


@pytest.mark.parametrize(
    ("module", "words"), [(elsewhere, ["bare"]), (lighthouse, []), (pdf, []), (book, ["serve"])]
)  # fmt: skip
def test_without_a_site_one_line_says_so(module, words, folder, capsys):
    assert module.main(words) == 1
    assert capsys.readouterr().out == "error: there is no site yet; build it first\n"


def test_a_port_that_cannot_be_had_gets_one_line(empty_site, monkeypatch, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = {taken.getsockname()[1]: os.strerror(errno.EADDRINUSE), 70000: "bind(): port must be 0-65535."}
        for port, why in ports.items():
            assert book.main(["serve", "--port", str(port)]) == 1
            line = (
                f"error: port {port} cannot be had ({why}); --port names another, and --port 0 takes any that is free\n"
            )
            assert capsys.readouterr().out == line
    no = raising(PermissionError(errno.EACCES, "Permission denied"))
    monkeypatch.setattr(book.http.server, "ThreadingHTTPServer", no)
    assert book.main(["serve", "--port", "80"]) == 1
    assert capsys.readouterr().out.startswith("error: port 80 cannot be had (Permission denied); ")


def test_names_are_checked_against_those_that_are_known():
    command.check_names([], ["a"], "letter")
    command.check_names(["a"], ["a", "b"], "letter")
    with pytest.raises(command.StopError, match=exactly("no such letter: c, d")):
        command.check_names(["d", "a", "c"], ["a", "b"], "letter")
