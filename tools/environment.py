"""Make ``.venv`` and install what the book needs: ``python tools/environment.py``; ``--tests`` installs the rest, too.

``--unpinned`` lets pip choose what the requirements pull in, and ``--newest`` the requirements themselves as well, up
to the bounds that stand behind the pins: the scheduled run tries both.

Runs before anything is installed, on whatever Python is at hand, so it uses the
standard library alone and no syntax newer than Python 3.6: an old Python should
get a clear line, not a traceback.
"""

import argparse
import errno
import hashlib
import os
import re
import shutil
import subprocess
import sys
import typing

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)
from tools import lock  # noqa: E402 (the script finds its neighbours only now)

VENV = os.path.join(ROOT, ".venv")
BOOK, TESTS, CONSTRAINTS = "requirements.txt", "requirements-dev.txt", "constraints.txt"
SUPPORTED = ((3, 11), (3, 12), (3, 13))
SPACE_NEEDED_GB = 5.0
INTERRUPTED = 130
# PyTorch's own index of builds without CUDA. On other systems PyPI's build is without CUDA anyway.
TORCH_CPU = "https://download.pytorch.org/whl/cpu"
TORCH_COST = "PyPI's build for Linux brings CUDA: by estimate 3 GB more to download and 5 GB more on the disk"
NETWORK_SIGNS = (
    "Temporary failure in name resolution",
    "Failed to establish a new connection",
    "NewConnectionError",
    "Network is unreachable",
    "Could not fetch URL",
    "Connection refused",
    "Read timed out",
    "getaddrinfo failed",
    "nodename nor servname",
)
WRITING_FAILS = {
    errno.ENOSPC: "the disk is full; free some space and run the same command again",
    errno.EROFS: "this folder is read-only: copy the book to a folder of your own",
    errno.EACCES: "no permission to write here: copy the book to a folder of your own",
}


def fail(line) -> "typing.NoReturn":
    """Say what is wrong in one line, and stop."""
    sys.exit("error: " + line)


def failure_to_write(error):
    """Return one line for an error of the system that says that nothing can be written, else None."""
    line = WRITING_FAILS.get(error.errno)
    return line and (f"{error.filename}: {line}" if error.filename else line)


def version_of(python):
    """Return (major, minor) of an interpreter, or None when it does not run."""
    try:
        ask = [python, "-c", "import sys; print(*sys.version_info[:2])"]
        out = subprocess.check_output(ask, stderr=subprocess.DEVNULL)
        return tuple(int(part) for part in out.split())
    except (OSError, ValueError, subprocess.CalledProcessError):
        return None


def find_python():
    """Return a supported interpreter: the one running, else one on the PATH."""
    if sys.version_info[:2] in SUPPORTED:
        return sys.executable
    for version in SUPPORTED:
        candidate = shutil.which("python{}.{}".format(*version))
        if candidate and version_of(candidate) == version:
            return candidate
    fail(
        f"this book needs Python 3.11, 3.12 or 3.13; {sys.executable} is {sys.version.split()[0]} and no other was "
        "found on the PATH. Install one, or name it: make PYTHON=/path/to/python3.12"
    )


def wanted(requirements):
    """Return a fingerprint of everything that decides what is installed for a file of requirements."""
    digest = hashlib.sha256()
    for name in (requirements, CONSTRAINTS, "pyproject.toml"):
        with open(os.path.join(ROOT, name), "rb") as handle:
            digest.update(handle.read())
    return digest.hexdigest()


def stamp(requirements):
    """Return the file that holds the fingerprint of the last complete installation."""
    return os.path.join(VENV, f"installed-{requirements}")


def installed(requirements):
    """Return the fingerprint of the last complete installation, or an empty string."""
    try:
        with open(stamp(requirements)) as handle:
            return handle.read().strip()
    except OSError:
        return ""


def venv_python():
    """Return the path of the environment's interpreter."""
    return os.path.join(VENV, "Scripts" if os.name == "nt" else "bin", "python")


def explain(output):
    """Return one line that says why pip failed."""
    if "No space left on device" in output or "not enough space on the disk" in output:
        return f"the disk is full: about {SPACE_NEEDED_GB:.0f} GB are needed; free some and run the same command again"
    if any(sign in output for sign in NETWORK_SIGNS):
        return "the package index could not be reached; check the network and run the same command again"
    errors = [line for line in output.splitlines() if line.startswith("ERROR")]
    return "pip could not install the requirements: " + (errors[-1] if errors else output.strip()[-300:])


def pip(arguments):
    """Run pip in the environment; return its exit status and what it said."""
    command = [venv_python(), "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = process.communicate()[0].decode("utf-8", "replace")
    return process.returncode, output


def install(arguments):
    """Let pip install something; on failure stop with one line."""
    status, output = pip(["install", "-q", *arguments])
    if status:
        fail(explain(output))


def torch_pin(requirements):
    """Return the line that pins torch in a file of requirements, or an empty string."""
    with open(os.path.join(ROOT, requirements)) as handle:
        found = re.search(r"^torch==\S+", handle.read(), re.MULTILINE)
    return found.group() if found else ""


def is_there(pin):
    """Return whether the environment has the pinned version of a package; "2.13.0+cpu" is one of 2.13.0."""
    name, _, version = pin.partition("==")
    found = re.search(r"^Version: ([^+\s]+)", pip(["show", name])[1], re.MULTILINE)
    return bool(found) and found.group(1) == version


def install_torch(pin, index=TORCH_CPU):
    """On Linux, take torch from the index without CUDA; say so in one line where that does not work.

    pip's configuration holds: where it names an index of its own, or forbids any, nothing else is asked.
    """
    if not sys.platform.startswith("linux") or not pin or is_there(pin):
        return
    if any(pip(["config", "get", f"global.{name}"])[0] == 0 for name in ("index-url", "no-index")) or (
        {"PIP_INDEX_URL", "PIP_NO_INDEX"} & set(os.environ)
    ):
        print(f"torch: from the index that pip is set up with. Unless it has builds of its own: {TORCH_COST}.")
        return
    quick = ["--retries", "0", "--timeout", "15"]
    status, output = pip(["install", "-q", "--no-deps", "-c", CONSTRAINTS, "--index-url", index, *quick, pin])
    if status and "No space left on device" in output:
        fail(explain(output))
    if status:
        print(f"torch: {index} could not be reached, or lacks {pin}. {TORCH_COST}.", flush=True)


def make_venv(python):
    """Make an empty environment."""
    free = shutil.disk_usage(ROOT).free / 1e9
    if free < SPACE_NEEDED_GB:
        fail(f"the installation needs about {SPACE_NEEDED_GB:.0f} GB of disk, and {free:.1f} GB are free here")
    shutil.rmtree(VENV, ignore_errors=True)
    print(f"Creating .venv with {python}", flush=True)
    made = subprocess.Popen([python, "-m", "venv", VENV], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = made.communicate()[0].decode("utf-8", "replace")
    if made.returncode:
        fail("could not create .venv: " + " ".join(output.split())[-300:])


def loosened(line):
    """Return a line of requirements whose pin has become a lower bound; "# <2" behind the pin is the upper one."""
    pin, _, comment = line.partition("#")
    bound = "," + comment.strip() if comment.strip().startswith("<") else ""
    return re.sub(r"==([^;\s]+)", r">=\1" + bound, pin).strip()


def write_loosened(name):
    """Write a file of requirements with lower bounds for pins into the environment; return its path."""
    path = os.path.join(VENV, "newest-" + name)
    with open(os.path.join(ROOT, name)) as pinned, open(path, "w") as new:
        new.writelines(loosened(line) + "\n" for line in pinned)
    return path


def prepare(requirements, python, how=""):
    """Create the environment, or bring it up to date; ``how`` is "", "--unpinned" or "--newest"."""
    # One that was stopped half made has a Python, and no pip that knows itself.
    if version_of(venv_python()) not in SUPPORTED or pip(["show", "pip"])[0]:
        make_venv(python)
    for name in requirements:
        if os.path.exists(stamp(name)):
            os.remove(stamp(name))
        print(f"Installing {name} (a few minutes the first time)", flush=True)
        if name == BOOK and how != "--newest":
            install_torch(torch_pin(name))
        if how == "--newest":
            install(["--upgrade", "-r", write_loosened(name)])
        else:
            install(["-r", name] + (["--upgrade", "--upgrade-strategy=eager"] if how else ["-c", CONSTRAINTS]))
    # Without isolation: the build then needs no network either.
    install(["--no-deps", "--no-build-isolation", "-e", "."])
    if not how:
        for name in requirements:
            with open(stamp(name), "w") as handle:
                handle.write(wanted(name))


def main(arguments=None):
    """Do what is missing, and nothing else."""
    parser = argparse.ArgumentParser(prog="python tools/environment.py", description=str(__doc__).splitlines()[0])
    parser.add_argument("--tests", action="store_true", help="install what tests and tools need, too")
    only = parser.add_mutually_exclusive_group()
    for option, words in (("--unpinned", "let pip choose what they pull in"), ("--newest", "let pip choose them, too")):
        only.add_argument(option, dest="how", action="store_const", const=option, default="", help=words)
    options = parser.parse_args(arguments)
    python, how = find_python(), options.how
    requirements = [BOOK, TESTS] if options.tests else [BOOK]
    if version_of(venv_python()) in SUPPORTED and not how:
        requirements = [name for name in requirements if installed(name) != wanted(name)]
    if not requirements:
        return
    try:
        with lock.held(ROOT):
            prepare(requirements, python, how)
    except lock.HeldError as error:
        fail(str(error))
    except OSError as error:
        fail(failure_to_write(error) or str(error))
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on with the installation")
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
