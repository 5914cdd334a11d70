"""The branch that Colab and Binder open: the plain edition, the packages that it imports, and what Binder installs.

`write` lays it out beside the site, in ``_build/notebooks``; the publish workflow pushes that folder as it is.
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


def sources():
    """Return the files that the branch has as they stand here: the packages, and three beside them."""
    found = [path for package in packages.NAMES for path in sorted((ROOT / package).rglob("*")) if path.is_file()]
    kept = [path for path in found if path.parent.name != "__pycache__" and not path.match("*.partial.json")]
    return kept + [ROOT / name for name in ("pyproject.toml", "LICENSE", "runtime.txt")]


def write(html):
    """Lay out the branch in a folder beside the site.

    Parameters
    ----------
    html : Path
        The built site, with the plain edition in it.
    """
    folder = html.parent / NAME
    copies = {f"{name}.ipynb": path for name, path in plain.edition(html).items()}
    copies |= {path.relative_to(ROOT).as_posix(): path for path in sources()}
    for name, path in copies.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / name)
    (folder / "requirements.txt").write_text(requirements(), encoding="utf-8")
    (folder / "README.md").write_text(README, encoding="utf-8")
