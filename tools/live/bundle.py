"""The Python of the book as one zip for the page: our packages, the runner, and what stands in for scikit-learn.

The same sources give the same bytes, so that the fingerprint of the files changes only when they do.
"""

import ast
import io
import zipfile
from pathlib import Path

import numpy as np

from tools import packages

HERE = Path(__file__).resolve().parent
PACKAGES = ("reglib", "regbook", "regcheck", "regstudy")
# Imported by name when a cell needs them: (name of the module, package of the runtime).
HEAVY = {"matplotlib": "matplotlib", "scipy": "scipy"}
DATE = (1980, 1, 1, 0, 0, 0)


def data_sets():
    """Return {path in the zip: bytes} of the data sets of scikit-learn that pages read."""
    from sklearn import datasets

    found = {
        "diabetes": datasets.load_diabetes(scaled=False),
        "digits": datasets.load_digits(),
        "breast_cancer": datasets.load_breast_cancer(),
    }
    return {f"sklearn/{name}.npz": _npz(bunch) for name, bunch in found.items()}


def _npz(bunch):
    """Return the arrays of a data set as the bytes of an .npz file, whole numbers in one byte where they fit."""
    arrays = {
        "data": bunch.data,
        "target": bunch.target,
        "feature_names": np.array(list(map(str, bunch.feature_names))),
    }
    for name in ("data", "target"):
        if np.array_equal(arrays[name], arrays[name].astype(np.uint8)):
            arrays[name] = arrays[name].astype(np.uint8)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            one = io.BytesIO()
            np.save(one, array, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", DATE), one.getvalue(), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def heavy():
    """Return {module of ours: packages} for the modules whose import alone needs matplotlib or SciPy."""
    direct, ours = {}, {}
    for package in PACKAGES:
        for module in [package, *packages.modules(package)]:
            tree = ast.parse(packages.file(module).read_text(encoding="utf-8"))
            imported = {name for node in tree.body for name in _imported(node)}
            direct[module] = {HEAVY[name.partition(".")[0]] for name in imported if name.partition(".")[0] in HEAVY}
            ours[module] = imported
    known = set(direct)
    changed = True
    while changed:
        changed = False
        for module, imported in ours.items():
            more = set().union(*(direct[name] for name in imported & known)) - direct[module]
            direct[module] |= more
            changed = changed or bool(more)
    return {module: sorted(needs) for module, needs in sorted(direct.items()) if needs}


def _imported(node):
    """Return the modules that a statement imports, those that it may import as attributes included."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom):
        return {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return set()


def stand_ins():
    """Return {path in the zip: bytes} of what stands in for packages that pages have not, with its data sets."""
    folder = HERE / "stand_ins"
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.py"))}
    return found | data_sets()


def files():
    """Return {path in the zip: bytes}."""
    found = {}
    for package in PACKAGES:
        for path in sorted((packages.ROOT / package).rglob("*")):
            if path.suffix in (".py", ".json") and not path.name.endswith(".partial.json"):
                found[path.relative_to(packages.ROOT).as_posix()] = path.read_bytes()
    found |= {"tools/__init__.py": b"", "tools/live/__init__.py": b""}
    found |= {f"tools/live/{name}": (HERE / name).read_bytes() for name in ("names.py", "runner.py")}
    return found | stand_ins()


def archive():
    """Return the zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as out:
        for name, content in sorted(files().items()):
            out.writestr(zipfile.ZipInfo(name, DATE), content, zipfile.ZIP_DEFLATED, 9)
    return buffer.getvalue()
