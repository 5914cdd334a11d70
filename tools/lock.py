"""One run at a time works in a folder: a lock that says who holds it, and that a run which dies gives back.

Used before anything is installed, so it has the standard library alone and no syntax newer than Python 3.6.
"""

import contextlib
import os
import sys
import time

NAME = ".lock"
NOTE_AT = 1  # Windows locks bytes, and a locked byte cannot be read: the first is locked, the note stands behind it

if os.name == "nt":
    import msvcrt

    def _take(handle):
        handle.seek(0)
        msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _take(handle):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


class HeldError(Exception):
    """Somebody else holds the lock; the message says who."""


def note():
    """Return what the holder of the lock writes into it: who it is, and since when."""
    command = " ".join([os.path.basename(sys.argv[0]), *sys.argv[1:]])
    return f"process {os.getpid()} ({command}) since {time.strftime('%H:%M:%S')}"


@contextlib.contextmanager
def held(folder):
    """Hold the lock of ``folder``; raise `HeldError` if another run does, and `OSError` if the folder takes no files.

    The system takes the lock from processes that end, however they end: no lock is ever left behind. A program that
    `tools.process` runs holds it, too, so that a run whose parent was killed is not overtaken by the next.
    """
    handle = open(os.path.join(folder, NAME), "a+b")  # noqa: SIM115 (open while the lock is held)
    with handle:
        try:
            _take(handle)
        except OSError:
            handle.seek(NOTE_AT)
            who = handle.read().decode("utf-8", "replace").strip() or "another process"
            raise HeldError(f"{who} works in {folder}, or what it started; wait for its end, or end it") from None
        handle.truncate(0)
        handle.write(b" " * NOTE_AT + note().encode("utf-8"))
        handle.flush()
        os.set_inheritable(handle.fileno(), os.name != "nt")  # for `process.run`
        yield
