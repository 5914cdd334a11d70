"""Build, test and serve the book: ``python -m tools.book build``, ``test``, ``serve``, ``clean``."""

import argparse
import errno
import functools
import http.server
import os
import shutil
import signal
import sys

from tools import environment, execute, lock, notebooks, process, site

ROOT = notebooks.ROOT
FULL = 50e6  # bytes left of a disk that a program may have filled


def build(options):
    """Execute what changed, then build the site."""
    return execute.execute(options.workers) or site.build()


def test(options):
    """Execute what changed, build the site, then run every test."""
    status = build(options)
    if status:
        return status
    command = [sys.executable, "-m", "pytest", "-n", str(options.workers), "--dist", "loadgroup", *options.pytest]
    return process.run(command, patience=10, cwd=ROOT, env={**os.environ, **execute.ENVIRONMENT})


def serve(options):
    """Serve the built site on this machine alone."""
    if not (site.HTML / "index.html").exists():
        print("error: there is no site yet; build it first")
        return 1
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(site.HTML))
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", options.port), handler)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        print(f"error: port {options.port} is taken; --port names another, and --port 0 takes any that is free")
        return 1
    with server:
        print(f"http://127.0.0.1:{server.server_port}/ (Ctrl-C stops it)", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()
    return 0


def clean(_options):
    """Remove everything that was built; the environment stays."""
    for folder in ("_build", "_executed", ".elsewhere", "mutants", ".pytest_cache", ".hypothesis", ".ruff_cache"):
        shutil.rmtree(ROOT / folder, ignore_errors=True)
    return 0


def main(arguments=None):
    """Run one command; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.book", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for function in (build, test, serve, clean):
        command = commands.add_parser(function.__name__, help=function.__doc__)
        command.set_defaults(run=function)
        if function in (build, test):
            command.add_argument("--workers", type=int, default=2, help="notebooks and tests at a time (default 2)")
        if function is test:
            command.add_argument("pytest", nargs="*", help="further arguments for pytest, after --")
        if function is serve:
            command.add_argument("--port", type=int, default=8000, help="0 takes any free port")
    options = parser.parse_args(arguments)
    try:
        if options.run is serve:
            return serve(options)
        with lock.held(ROOT):
            status = options.run(options)
        if status and shutil.disk_usage(ROOT).free < FULL:
            print("error: the disk is all but full, which may be why; free some space and run the same command again")
        return status
    except lock.HeldError as error:
        print(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        print("\nstopped; nothing that was finished is lost, and the same command goes on from here")
        return environment.INTERRUPTED
    except OSError as error:
        line = environment.failure_to_write(error)
        if line is None:
            raise
        print(f"error: {line}")
        return 1


def program(arguments=None):
    """Run one command as a program, which `kill` ends as Ctrl-C does; return the exit status."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    return main(arguments)


if __name__ == "__main__":
    sys.exit(program())
