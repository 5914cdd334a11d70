"""Make ``.venv`` and install everything in it: ``python tools/environment.py``.

Runs before anything is installed, on whatever Python is at hand, so it uses the
standard library alone and no syntax newer than Python 3.6: an old Python should
get a clear line, not a traceback.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import typing

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
STAMP = os.path.join(VENV, "installed.txt")
SUPPORTED = ((3, 11), (3, 12), (3, 13))
SPACE_NEEDED_GB = 5.0
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


def fail(line) -> "typing.NoReturn":
    """Say what is wrong in one line, and stop."""
    sys.exit("error: " + line)


def version_of(python):
    """Return (major, minor) of an interpreter, or None when it does not run."""
    try:
        out = subprocess.check_output([python, "-c", "import sys; print(*sys.version_info[:2])"])
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


def wanted():
    """Return a fingerprint of everything that decides what is installed."""
    digest = hashlib.sha256()
    for name in ("requirements.txt", "pyproject.toml"):
        with open(os.path.join(ROOT, name), "rb") as handle:
            digest.update(handle.read())
    return digest.hexdigest()


def installed():
    """Return the fingerprint of the last complete installation, or an empty string."""
    try:
        with open(STAMP) as handle:
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


def run_pip(arguments):
    """Run pip in the environment; on failure stop with one line."""
    command = [venv_python(), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "-q", *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = process.communicate()[0].decode("utf-8", "replace")
    if process.returncode:
        fail(explain(output))


def main():
    """Create the environment, or leave it alone when it is up to date."""
    python = find_python()
    if installed() == wanted() and version_of(venv_python()) in SUPPORTED:
        return
    if version_of(venv_python()) not in SUPPORTED:
        free = shutil.disk_usage(ROOT).free / 1e9
        if free < SPACE_NEEDED_GB:
            fail(f"the installation needs about {SPACE_NEEDED_GB:.0f} GB of disk, and {free:.1f} GB are free here")
        shutil.rmtree(VENV, ignore_errors=True)
        print(f"Creating .venv with {python}", flush=True)
        made = subprocess.Popen([python, "-m", "venv", VENV], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        output = made.communicate()[0].decode("utf-8", "replace")
        if made.returncode:
            fail("could not create .venv: " + " ".join(output.split())[-300:])
    print("Installing requirements.txt and reglib (a few minutes the first time)", flush=True)
    run_pip(["-r", "requirements.txt"])
    run_pip(["--no-deps", "-e", "."])
    with open(STAMP, "w") as handle:
        handle.write(wanted())


if __name__ == "__main__":
    main()
