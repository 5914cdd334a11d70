"""Run the unit tests on every supported Python at hand: ``python tools/pythons.py``.

Each gets an environment of its own in ``_executed/pythons``, with NumPy and the extras for plots, data and tests, not
the frameworks. ``--lowest`` takes the oldest Python, and the oldest version of everything that ``pyproject.toml``
promises to work with.
"""

import argparse
import glob
import os
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)
from tools import command, environment  # noqa: E402 (the script finds its neighbours only now)

FOLDER = os.path.join(ROOT, "_executed", "pythons")
TESTS = [f"tests/{package}" for package in ("reglib", "regbook", "regcheck", "regstudy")]
FRAMEWORKS = ["--ignore=tests/regbook/replay", "--ignore=tests/regbook/test_decoder.py"]  # these need them
EXTRAS = ("plot", "data", "test")


def find(version):
    """Return the interpreter of a version, on the PATH or from pyenv; None if there is none."""
    name = "python{}.{}".format(*version)
    pyenv = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))
    candidates = [sys.executable, shutil.which(name), *sorted(glob.glob(f"{pyenv}/versions/*/bin/{name}"))]
    return next((one for one in candidates if one and environment.version_of(one) == version), None)


def needed(lowest):
    """Return what the unit tests need, as lines for pip."""
    import tomllib  # there since 3.11: see `main`

    with open(os.path.join(ROOT, "pyproject.toml"), "rb") as handle:
        project = tomllib.load(handle)["project"]
    extras = project["optional-dependencies"]
    lines = project["dependencies"] + [line for extra in EXTRAS for line in extras[extra]]
    return [line.replace(">=", "==") for line in lines] if lowest else lines


def try_on(version, python, lowest):
    """Run the unit tests on one interpreter; return the exit status."""
    name = "{}.{}".format(*version) + ("-lowest" if lowest else "")
    folder = os.path.join(FOLDER, name)
    own = os.path.join(folder, "Scripts" if os.name == "nt" else "bin", "python")
    commands = [] if environment.version_of(own) == version else [[python, "-m", "venv", "--clear", folder]]
    commands.append([own, "-m", "pip", "install", "-q", "--disable-pip-version-check", *needed(lowest)])
    commands.append([own, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", *FRAMEWORKS, *TESTS])
    print(f"Python {name}", flush=True)
    # Warnings of old versions about the Python that they run on are not ours to mend.
    environ = {**os.environ, **({"PYTEST_ADDOPTS": "-W default"} if lowest else {})}
    environ.pop("VIRTUAL_ENV", None)  # that of the Python which runs this
    return next((1 for one in commands if subprocess.run(one, cwd=ROOT, env=environ, check=False).returncode), 0)


def try_all(lowest):
    """Run the unit tests on each supported Python at hand, or on the oldest alone; return the exit status."""
    failed = []
    for version in environment.SUPPORTED[:1] if lowest else environment.SUPPORTED:
        python = find(version)
        if python is None:
            print("Python {}.{}: not at hand".format(*version))
        elif try_on(version, python, lowest):
            failed.append("{}.{}".format(*version))
    print(f"error: the tests fail on Python {', '.join(failed)}" if failed else "every Python at hand passes")
    return int(bool(failed))


def main(arguments=None):
    """Run the tests on each; return the exit status."""
    parser = argparse.ArgumentParser(prog="python tools/pythons.py", description=__doc__)
    parser.add_argument("--lowest", action="store_true", help="the oldest versions that are promised to work")
    lowest = parser.parse_args(arguments).lowest
    python = environment.find_python()
    if python != sys.executable:  # this one is not supported
        return subprocess.call([python, os.path.abspath(__file__), *(["--lowest"] if lowest else [])])
    return command.run(lambda: try_all(lowest))


if __name__ == "__main__":
    sys.exit(main())
