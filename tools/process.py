"""Run a program of the build, and end it with all that it has started when the reader presses Ctrl-C."""

import subprocess

import psutil


def run(command, patience=0, **options):
    """Run a program; return its exit status.

    On Ctrl-C, a program with ``patience`` hears it, too, and has so many seconds to say its last words. One without
    does not hear it, and ends at once, with its workers and kernels.
    """
    # The one file that a child inherits is the lock: see `tools.lock`.
    with subprocess.Popen(command, close_fds=False, start_new_session=not patience, **options) as child:
        try:
            return child.wait()
        except KeyboardInterrupt:
            family = [psutil.Process(child.pid), *psutil.Process(child.pid).children(recursive=True)]
            _, alive = psutil.wait_procs(family, timeout=patience)
            for member in alive:
                member.kill()
            psutil.wait_procs(alive, timeout=1)
            raise
