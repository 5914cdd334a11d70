"""Build, test and serve the book: ``python -m tools.book build``, ``test``, ``serve``, ``clean``."""

import argparse
import functools
import http.server
import os
import shutil
import sys

from tools import command, execute, notebooks, process, site

ROOT = notebooks.ROOT
STOPPED = "stopped; nothing that was finished is lost, and the same command goes on from here"


def build(options):
    """Execute what changed, then build the site."""
    return execute.execute(options.workers) or site.build()


def test(options):
    """Execute what changed, build the site, then run every test."""
    status = build(options)
    if status:
        return status
    pytest = [sys.executable, "-m", "pytest", "-n", str(options.workers), "--dist", "loadgroup", *options.pytest]
    return process.run(pytest, patience=10, cwd=ROOT, env={**os.environ, **execute.ENVIRONMENT})


def serve(options):
    """Serve the built site on this machine alone."""
    command.check_site(site.HTML)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(site.HTML))
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", options.port), handler)
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or error
        raise command.StopError(
            f"port {options.port} cannot be had ({why}); --port names another, and --port 0 takes any that is free"
        ) from error
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
        one = commands.add_parser(function.__name__, help=function.__doc__)
        one.set_defaults(run=function)
        if function in (build, test):
            one.add_argument("--workers", type=int, default=2, help="notebooks and tests at a time (default 2)")
        if function is test:
            one.add_argument("pytest", nargs="*", help="further arguments for pytest, after --")
        if function is serve:
            one.add_argument("--port", type=int, default=8000, help="0 takes any free port")
    options = parser.parse_args(arguments)
    return command.run(lambda: options.run(options), STOPPED, alone=options.run is not serve)


if __name__ == "__main__":
    sys.exit(main())
