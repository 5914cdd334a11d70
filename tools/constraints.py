"""Pin what the requirements pull in: ``python -m tools.constraints`` writes ``constraints.txt``.

The pins are the versions that this environment has. To renew them, install the newest ones first:
``python tools/environment.py --tests --unpinned``. A test says what differs from what is installed.

Write it with the oldest Python of those supported: what it gets runs on the others, too.
"""

import argparse
import importlib.metadata
import re
import sys
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools import environment

ROOT = Path(environment.ROOT)
FILE = ROOT / environment.CONSTRAINTS
FILES = (environment.BOOK, environment.TESTS)
HEAD = "# What requirements.txt and requirements-dev.txt pull in, as tried. Written by python -m tools.constraints.\n"


def requirements(name):
    """Return the requirements of a file that hold on this machine."""
    lines = (line.partition("#")[0].strip() for line in (ROOT / name).read_text(encoding="utf-8").splitlines())
    found = [Requirement(line) for line in lines if line]
    return [requirement for requirement in found if requirement.marker is None or requirement.marker.evaluate()]


def needs(requirement):
    """Return what an installed package needs, with the extras that are asked for."""
    extras = [{"extra": extra} for extra in requirement.extras] or [{"extra": ""}]
    for line in importlib.metadata.requires(requirement.name) or []:
        needed = Requirement(line)
        if needed.marker is None or any(needed.marker.evaluate(extra) for extra in extras):
            yield needed


def closure(direct):
    """Return the names of requirements and of all that they pull in here."""
    todo, seen = list(direct), set()
    while todo:
        requirement = todo.pop()
        key = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if key not in seen:
            seen.add(key)
            todo += needs(requirement)
    return {name for name, _ in seen}


def pulled_in():
    """Return {name: version} of all that the requirements pull in here, themselves left out."""
    direct = [requirement for name in FILES for requirement in requirements(name)]
    names = closure(direct) - {canonicalize_name(requirement.name) for requirement in direct}
    return {name: importlib.metadata.version(name).partition("+")[0] for name in sorted(names)}


def pinned():
    """Return {name: version} of the file."""
    return dict(re.findall(r"^([\w.-]+)==(\S+)$", FILE.read_text(encoding="utf-8"), re.MULTILINE))


def problems():
    """Return what differs between the file and this environment, one line each.

    Packages that only other systems or other versions of Python need are no problem where the file names them.
    """
    there, found = pinned(), pulled_in()
    lines = [f"{name} {found[name]} is installed and not pinned" for name in sorted(found.keys() - there.keys())]
    lines += [
        f"{name} {found[name]} is installed, and {there[name]} pinned"
        for name in sorted(found.keys() & there.keys())
        if found[name] != there[name]
    ]
    return lines


def main(arguments=None):
    """Write the file; return the exit status."""
    argparse.ArgumentParser(prog="python -m tools.constraints", description=__doc__).parse_args(arguments)
    if sys.version_info[:2] != environment.SUPPORTED[0]:
        print("error: run this with Python {}.{}, the oldest that is supported".format(*environment.SUPPORTED[0]))
        return 1
    pins = "".join(f"{name}=={version}\n" for name, version in pulled_in().items())
    FILE.write_text(HEAD + pins, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
