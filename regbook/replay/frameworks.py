"""What PyTorch and Keras have, and how they are called; both are imported inside of functions, never before."""

import os
from contextlib import contextmanager
from typing import Any

import numpy as np

NAMES = {
    "numpy": "NumPy",
    "torch": "PyTorch",
    "torch cell": "PyTorch cell",
    "keras": "Keras",
    "keras cell": "Keras cell",
    "tensorflow": "TensorFlow",
}


class MissingError(ValueError):
    """A framework has no counterpart of what was asked for."""


def framework_of(thing):
    """Return "torch" or "keras": whose class ``thing`` belongs to, or the class that its own was derived from.

    Raises
    ------
    TypeError
        For a thing of neither.
    """
    roots = {base.__module__.partition(".")[0] for base in type(thing).__mro__}
    for name in ("torch", "keras"):
        if name in roots:
            return name
    raise TypeError(f"a layer, an optimizer or a regularizer of PyTorch or Keras is needed, got {thing!r}")


def load_keras() -> Any:
    """Import Keras, without TensorFlow's greetings and with the same sums on every processor; return the module.

    Raises
    ------
    RuntimeError
        Where Keras runs on another backend than TensorFlow: on PyTorch, it computes some products in float32.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    import keras

    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(f"Keras must run on TensorFlow, got the backend {keras.backend.backend()!r}")
    return keras


def load_tensorflow() -> Any:
    """Import TensorFlow as `load_keras` does; return the module."""
    load_keras()
    import tensorflow

    return tensorflow


@contextmanager
def in_float64():
    """Let Keras make layers, optimizers and losses in float64 inside of a ``with`` block."""
    keras = load_keras()
    before = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    try:
        yield keras
    finally:
        keras.config.set_floatx(before[0])
        keras.config.set_dtype_policy(before[1])


def held_by_float32(**values):
    """Complain about ``values`` that Keras on TensorFlow would round: it casts hyperparameters through float32.

    Raises
    ------
    ValueError
        Naming the value and what Keras would make of it.
    """
    for name, value in values.items():
        rounded = float(np.float32(value))
        if rounded != value:
            raise ValueError(
                f"{name} must be a number that float32 holds, for Keras would round {value!r} to {rounded!r}; "
                "0.875 and 1 - 2**-10 are such numbers"
            )


def as_array(tensor):
    """Return the numbers of a ``tensor`` of PyTorch, of TensorFlow or of a variable of Keras as a NumPy array."""
    if hasattr(tensor, "detach"):
        tensor = tensor.detach().cpu()
    return np.asarray(tensor.numpy() if hasattr(tensor, "numpy") else tensor)
