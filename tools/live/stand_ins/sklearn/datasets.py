"""Three data sets of scikit-learn, stored as arrays, for a page without it: what `regbook.datasets` asks for."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np


def _load(name):
    with np.load(Path(__file__).with_name(f"{name}.npz")) as stored:
        arrays = {key: stored[key] for key in stored.files}
    names = [str(name) for name in arrays.pop("feature_names")]
    return SimpleNamespace(**{key: array.astype(float) for key, array in arrays.items()}, feature_names=names)


def load_diabetes(*, scaled=True):
    """Return the diabetes data in their own units, as ``scaled=False`` gives them; the scaled ones are not here."""
    if scaled:
        raise ValueError("scaled must be False here, got True")
    return _load("diabetes")


def load_digits():
    """Return the digits: data (1797, 64) from 0 to 16, target (1797,)."""
    return _load("digits")


def load_breast_cancer():
    """Return the breast cancer data: data (569, 30), target (569,)."""
    return _load("breast_cancer")
