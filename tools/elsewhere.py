"""Run the plain edition where a reader may run it: ``python -m tools.elsewhere colab`` or ``bare``, and names.

Each environment is a virtual one in ``.elsewhere``, made once. ``colab`` has the versions that Colab has, as far as
they are pinned below, PyTorch as it is here (its files are linked, since it is large), and no reglib: the set-up cell
installs that from a Git repository made of the packages as they stand, which takes the place of the book's address.
``bare`` has NumPy and matplotlib alone. There a missing framework is no error, whatever the run that starts it says.
"""

import argparse
import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from tools import command, notebooks, packages, plain, process

ROOT = notebooks.ROOT
FOLDER = ROOT / ".elsewhere"
HTML = ROOT / "_build" / "html"
RUN = ("ipykernel", "nbmake", "pytest", "pytest-xdist")
COLAB = (
    "numpy==2.1.*",
    "tensorflow-cpu==2.20.*; platform_system == 'Linux' and platform_machine == 'x86_64'",
    "tensorflow==2.20.*; platform_system != 'Linux' or platform_machine != 'x86_64'",
    "keras==3.13.*",
    "matplotlib==3.10.*",
    "scikit-learn>=1.6,<2",
    "scipy>=1.16,<2",
    "pandas",
    "mlxtend",
    "tqdm",
)
BARE = ("numpy", "matplotlib")
NEEDS = {"colab": COLAB + RUN, "bare": BARE + RUN}
TIMEOUT = 900


class NoEnvironmentError(command.StopError):
    """An environment could not be made, most often since no package index could be reached."""


def python(kind):
    """Return the interpreter of an environment, "colab" or "bare"; make the environment if need be."""
    folder = FOLDER / kind
    found = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = folder / "made-of"
    wanted = hashlib.sha256(f"{sys.version}{NEEDS[kind]}{_version('torch')}".encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return found
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True)
    done = subprocess.run(
        [str(found), "-m", "pip", "install", "-q", *NEEDS[kind]], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise NoEnvironmentError(f"{kind}: pip could not install: {done.stderr.strip().splitlines()[-1:]}")
    if kind == "colab":
        _link("torch", found)
    stamp.write_text(wanted)
    return found


def _version(name):
    """Return the version of a distribution that is installed here, or an empty string."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _link(name, interpreter):
    """Link a distribution that is installed here into an environment, and what it requires and is not there."""
    ask = "import json, sysconfig, importlib.metadata as m; print(json.dumps([sysconfig.get_path('purelib'),"
    ask += " [d.metadata['Name'].lower().replace('_', '-') for d in m.distributions()]]))"
    site, there = json.loads(subprocess.run([str(interpreter), "-c", ask], capture_output=True, check=True).stdout)
    todo, done = [name], set(there)
    while todo:
        name = todo.pop().lower().replace("_", "-")
        if name in done or not _version(name):
            continue
        done.add(name)
        found = importlib.metadata.distribution(name)
        for top in {file.parts[0] for file in found.files or () if file.parts[0] not in ("..", "__pycache__")}:
            target = Path(site) / top
            if not target.exists():
                target.symlink_to(Path(str(found.locate_file(top))).resolve())
        todo += [re.split(r"[^\w.-]", each)[0] for each in found.requires or () if "extra ==" not in each]


def repository(folder):
    """Make a Git repository of the packages as they stand; return its address."""
    for package in packages.NAMES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copyfile(ROOT / name, folder / name)
    git = ["git", "-C", str(folder), "-c", "user.name=book", "-c", "user.email=book@localhost"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "The packages as they stand"]):
        subprocess.run([*git, *words], check=True)
    return folder.as_uri()


def lay_out(folder, html, names, address):
    """Write notebooks of the plain edition, without outputs, with an address in the set-up cell; return their paths."""
    written = []
    for name, path in plain.edition(html).items():
        if names and name.removeprefix("book/") not in names:
            continue
        notebook = notebooks.read(path)
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                cell |= {"outputs": [], "execution_count": None}
            if cell["id"] == notebooks.SETUP_ID:
                told = re.sub(r'(?m)^REPOSITORY = ".*"$', f'REPOSITORY = "{address}"', notebooks.source(cell))
                cell["source"] = notebooks.lines(told)
        target = folder / f"{name}.ipynb"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(notebooks.dump(notebook))
        written.append(target)
    return written


def run(kind, html, names=(), *, folder, workers=1):
    """Execute notebooks of the plain edition in an environment; return the exit status.

    Parameters
    ----------
    kind : str, "colab" or "bare"
    html : Path
        The built site, with the plain edition in it.
    names : collection of str
        Such as "penalties/l1-l2"; all by default.
    folder : Path
        An empty one, outside of the book: the notebooks and the repository are laid out there, and outputs stay.
    workers : int
        How many notebooks run at a time. The first runs alone, since its set-up cell installs reglib.
    """
    command.check_names(names, [name.removeprefix("book/") for name in plain.edition(html)], "notebook")
    interpreter = python(kind)
    subprocess.run([str(interpreter), "-m", "pip", "uninstall", "-q", "-y", "reglib"], check=True)
    (folder / "repository").mkdir()
    paths = lay_out(folder, html, names, repository(folder / "repository"))
    inherited = ("PYTHONPATH", "IPYTHONDIR", "REQUIRE_FRAMEWORKS")
    environment = {key: value for key, value in os.environ.items() if key not in inherited}
    environment["PATH"] = f"{interpreter.parent}{os.pathsep}{environment['PATH']}"
    if kind == "colab":
        environment["REQUIRE_FRAMEWORKS"] = "1"
    nbmake = [str(interpreter), "-m", "pytest", "--nbmake", "--overwrite", "--nbmake-kernel=python3", "-q"]
    nbmake += [f"--nbmake-timeout={TIMEOUT}", "-p", "no:cacheprovider", "--rootdir", str(folder)]
    status = 0
    for group in filter(None, (paths[:1], paths[1:])):
        several = ["-n", str(min(workers, len(group)))] if workers > 1 and len(group) > 1 else []
        files = [str(path) for path in group]
        status = process.run([*nbmake, *several, *files], cwd=folder, env=environment) or status
    return status


def main(arguments=None):
    """Run the notebooks named, or all; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.elsewhere", description=str(__doc__).splitlines()[0])
    parser.add_argument("kind", choices=NEEDS)
    parser.add_argument("names", nargs="*", help="such as penalties/l1-l2; all by default")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args(arguments)

    def work():
        command.check_site(HTML)
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder).resolve()
            return run(options.kind, HTML, options.names, folder=place, workers=options.workers)

    return command.run(work)


if __name__ == "__main__":
    sys.exit(main())
