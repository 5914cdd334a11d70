"""Build, test and serve the book: ``python -m tools.book build``, ``test``, ``serve``, ``clean``."""

import argparse
import errno
import functools
import http.server
import os
import shutil
import subprocess
import sys

from tools import execute, notebooks, site

ROOT = notebooks.ROOT


def build(options):
    """Execute what changed, then build the site."""
    return execute.execute(options.workers) or site.build()


def test(options):
    """Execute what changed, build the site, then run every test."""
    status = build(options)
    if status:
        return status
    command = [sys.executable, "-m", "pytest", "-n", str(options.workers), "--dist", "loadgroup", *options.pytest]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **execute.ENVIRONMENT}, check=False).returncode


def serve(options):
    """Serve the built site on this machine alone."""
    if not (site.HTML / "index.html").exists():
        print("error: there is no site yet; build it first")
        return 1
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(site.HTML))
    with http.server.ThreadingHTTPServer(("127.0.0.1", options.port), handler) as server:
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
        return options.run(options)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        print("error: the disk is full; free some space and run the same command again")
        return 1


if __name__ == "__main__":
    sys.exit(main())
