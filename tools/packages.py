"""Which packages and modules there are: found in the folders, so that no tool keeps a list of its own."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAMES = ("reglib", "regbook", "regcheck", "regstudy", "regkit")


def modules(package):
    """Return the dotted names of all modules of a package, those of its parts included; ``__main__`` left out."""
    files = [path for path in (ROOT / package).rglob("*.py") if not path.stem.startswith("__")]
    return sorted(".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files)


def folders():
    """Return the dotted names of all packages and of their parts."""
    found = [path.parent for package in NAMES for path in (ROOT / package).rglob("__init__.py")]
    return sorted(".".join(path.relative_to(ROOT).parts) for path in found)


def file(module):
    """Return the source file of a module or a package."""
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def test_file(module):
    """Return where the tests of a module stand: ``tests/``, its package, ``test_`` and its name."""
    *package, name = module.split(".")
    return ROOT.joinpath("tests", *package, f"test_{name.removeprefix('_')}.py")
