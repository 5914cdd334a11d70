"""What every command shares: one run at a time, and one line where it is stopped or cannot go on.

Used by `tools/pythons.py` on any Python at hand, so it has the standard library alone.
"""

import contextlib
import os
import shutil
import signal

from tools import environment, lock

ROOT = environment.ROOT
FULL = 50e6  # bytes left of a disk that a program may have filled


class StopError(Exception):
    """The command cannot go on; the message says why, in one line."""


def check_names(names, known, what):
    """Refuse names that nothing has; ``what`` says what they should name."""
    unknown = sorted(str(name) for name in set(names) - set(known))
    if unknown:
        raise StopError(f"no such {what}: {', '.join(unknown)}")


def check_site(folder):
    """Refuse a folder that no site has been built in."""
    if not os.path.exists(os.path.join(folder, "index.html")):
        raise StopError("there is no site yet; build it first")


def run(work, stopped="stopped", alone=True):
    """Do the work of a command; return its exit status.

    Parameters
    ----------
    work : callable
        Returns an exit status, or raises `StopError`.
    stopped : str
        The line for Ctrl-C, and for `kill`, which ends a command as Ctrl-C does.
    alone : bool
        Whether no other command may work in this folder meanwhile.
    """
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with lock.held(ROOT) if alone else contextlib.nullcontext():
            status = work()
        if status and shutil.disk_usage(ROOT).free < FULL:
            print("error: the disk is all but full, which may be why; free some space and run the same command again")
        return status
    except (StopError, lock.HeldError) as error:
        print(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        print(f"\n{stopped}")
        return environment.INTERRUPTED
    except OSError as error:
        line = environment.failure_to_write(error)
        if line is None:
            raise
        print(f"error: {line}")
        return 1
    finally:
        signal.signal(signal.SIGTERM, before)
