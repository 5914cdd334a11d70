"""The unit tests of reglib and regcheck, under the interpreter of the pages: ``python -m tools.live.unit_tests [...]``.

That is Python 3.12 in WebAssembly with NumPy 2.0.2, the lowest that reglib promises. They run in Node; pytest and what
it needs are taken from this environment, for they are Python alone. Hypothesis, which is not any more, is fetched in an
older version. Arguments are pytest's; by default the folders ``tests/reglib`` and ``tests/regcheck``.
"""

import importlib.metadata
import subprocess
import sys
import tempfile
from pathlib import Path

from tools import node, notebooks
from tools.live import bundle, measure, runtime

HERE = Path(__file__).resolve().parent
NEEDED = ("pytest", "pluggy", "iniconfig", "pygments", "pyyaml", "packaging")
FETCHED = ("hypothesis==6.112.1", "sortedcontainers==2.4.0", "attrs==25.3.0")
FOLDERS = ("tests/reglib", "tests/regcheck")


def lend(folder):
    """Put the Python files of pytest and what it needs, and what stands in for scikit-learn, into a folder."""
    for name, content in bundle.stand_ins().items():
        target = Path(folder, name)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    for name in NEEDED:
        for file in importlib.metadata.distribution(name).files or ():
            path = Path(str(file.locate()))
            if file.suffix in (".py", ".txt", ".json", ".typed") and ".." not in file.parts:
                target = Path(folder, str(file))
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(path.read_bytes())


def fetched():
    """Return the folder of the packages that are fetched, once."""
    folder = node.cache() / f"tests-{FETCHED[0].replace('==', '-')}"
    if not (folder / "complete").exists():
        pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "-q", "--no-deps"]
        if subprocess.run([*pip, "--upgrade", "--target", str(folder), *FETCHED], check=False).returncode:
            raise node.UnavailableError(f"{' '.join(FETCHED)} could not be installed")
        runtime.keep(folder / "complete", b"")
    return folder


def main(arguments=None):
    """Run the tests; return pytest's exit status."""
    wanted = list(sys.argv[1:] if arguments is None else arguments) or list(FOLDERS)
    with tempfile.TemporaryDirectory() as folder:
        lend(folder)
        words, environment = measure.command(notebooks.ROOT, HERE / "pytest_in_node.py", folder, fetched(), *wanted)
        return subprocess.run(
            words, env=environment | {"PYODIDE_PACKAGES": "numpy,scipy,matplotlib"}, check=False
        ).returncode


if __name__ == "__main__":
    sys.exit(main())
