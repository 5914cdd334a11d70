"""The branch that Colab and Binder open: the plain edition, the packages that it imports, and what Binder installs.

`write` lays it out in ``_build/notebooks``; the publish workflow pushes that folder as it is.
"""

import shutil

from tools import notebooks, packages, plain

ROOT = notebooks.ROOT
NAME = "notebooks"
FOLDER = ROOT / "_build" / NAME
README = """\
# The notebooks of the book, for Colab and Binder

This branch is made from the branch `main` by the workflow that publishes the site, and replaced each time: changes
belong to `main`. `book/` holds the plain edition of the notebooks, with outputs; the packages beside it are those that
they import; `requirements.txt` and `runtime.txt` are what Binder installs.
"""
# Where the pins of the site begin, which a notebook does not import.
REST = "# --- the site"
# PyTorch for processors alone: the one on PyPI brings several GB of CUDA.
CPU = "--extra-index-url https://download.pytorch.org/whl/cpu\n"


def requirements():
    """Return what Binder installs: what the notebooks import, with the book's pins."""
    needed, found, _ = (ROOT / "requirements.txt").read_text(encoding="utf-8").partition(REST)
    if not found:
        raise ValueError(f"requirements.txt must have a line that starts with {REST!r}")
    return CPU + needed


def write(html):
    """Lay out the branch in ``_build/notebooks``.

    Parameters
    ----------
    html : Path
        The built site, with the plain edition in it.
    """
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    for name, path in plain.edition(html).items():
        target = FOLDER / f"{name}.ipynb"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    for package in packages.NAMES:
        shutil.copytree(
            ROOT / package, FOLDER / package, ignore=shutil.ignore_patterns("__pycache__", "*.partial.json")
        )
    for name in ("pyproject.toml", "LICENSE", "runtime.txt"):
        shutil.copyfile(ROOT / name, FOLDER / name)
    (FOLDER / "requirements.txt").write_text(requirements(), encoding="utf-8")
    (FOLDER / "README.md").write_text(README, encoding="utf-8")
