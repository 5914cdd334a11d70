"""Penalties: reglib's, Keras' regularizers, and formulas on tensors of PyTorch; values and gradients."""

import numpy as np

from regbook.replay.agreement import agree
from regbook.replay.frameworks import (
    NAMES,
    MissingError,
    as_array,
    framework_of,
    held_by_float32,
    load_keras,
    load_tensorflow,
)
from reglib._validate import float_array, one_of
from reglib.weights.penalties import L1, L2, ElasticNet, Penalty


def value_and_gradient(penalty, w):
    """Return the value and the gradient of a penalty at an array.

    Parameters
    ----------
    penalty : a penalty of reglib; a regularizer of Keras; or a function of a PyTorch tensor
        ``lambda w: 0.5 * w.abs().sum()``.
    w : ndarray of floats

    Returns
    -------
    (value, gradient) : ndarrays
    """
    w = float_array("w", w)
    return _AT[_kind(penalty)](penalty, w)


def penalty_parity(penalty, w, *theirs, name=None, tolerance=None):
    """Compare a penalty of reglib with regularizers and formulas of frameworks: value and gradient.

    Parameters
    ----------
    penalty : a penalty of `reglib.weights.penalties`
    w : ndarray of floats
        Zeros in it show the subgradient.
    *theirs : "torch", "keras", or a penalty as `value_and_gradient` takes it
        A word means the counterpart that `torch_penalty` or `keras_regularizer` makes. By default both words.
    name : str, optional
        Stands before the quantities; by default the class.
    tolerance : number > 0, optional
        By default 1e-12 in float64 and 1e-6 in float32.

    Returns
    -------
    Parity

    Raises
    ------
    MissingError
        Where a framework has no counterpart.
    AssertionError
        For a difference above the tolerance.
    """
    ours, pairs = value_and_gradient(penalty, w), {"value": {}, "gradient": {}}
    for their in theirs or ("torch", "keras"):
        if isinstance(their, str):
            one_of("theirs", their, ("torch", "keras"))
            their = torch_penalty(penalty) if their == "torch" else keras_regularizer(penalty)
        found = value_and_gradient(their, w)
        for quantity, own, other in zip(pairs, ours, found, strict=True):
            pairs[quantity][NAMES[_kind(their)]] = (own, other)
    return agree(pairs, tolerance, type(penalty).__name__ if name is None else name)


def torch_penalty(penalty):
    """Return a penalty of reglib, L1, L2 or ElasticNet, as a function of a PyTorch tensor.

    Raises
    ------
    MissingError
        For another penalty.
    """
    l1, l2 = _strengths(penalty, "torch")
    return lambda w: (l1 * w.abs().sum() if l1 else 0.0) + (l2 * w.square().sum() if l2 else 0.0)


def keras_regularizer(penalty):
    """Return a penalty of reglib, L1, L2 or ElasticNet, as a regularizer of Keras.

    L1 becomes ``L1L2(l1=...)``, the same sum: Keras' ``L1`` fails on float64 in versions up to 3.13.

    Raises
    ------
    MissingError
        For another penalty.
    ValueError
        For a strength that Keras would round.
    """
    l1, l2 = _strengths(penalty, "keras")
    held_by_float32(l1=l1, l2=l2)
    regularizers = load_keras().regularizers
    return regularizers.L2(l2) if isinstance(penalty, L2) else regularizers.L1L2(l1, l2)


def _strengths(penalty, framework):
    """Return the strengths l1 and l2 of a penalty, plain numbers."""
    if not isinstance(penalty, L1 | L2 | ElasticNet):
        raise MissingError(f"{NAMES[framework]} has no counterpart of {penalty!r}; it has L1, L2 and both together")
    strengths = penalty.strengths
    if penalty.replicas:
        raise ValueError(f"the strengths must be plain numbers, not one a replica; got {penalty!r}")
    return tuple(float(strengths.get(name, 0.0)) for name in ("l1", "l2"))


def _kind(penalty):
    """Return "numpy", "torch" or "keras": whose penalty this is."""
    if isinstance(penalty, Penalty):
        return "numpy"
    try:
        return framework_of(penalty)
    except TypeError:
        if not callable(penalty):
            raise
        return "torch"


def _in_numpy(penalty, w):
    return np.asarray(penalty.value(w)), penalty.gradient(w)


def _in_torch(penalty, w):
    import torch

    tensor = torch.tensor(w, requires_grad=True)
    value = penalty(tensor)
    value.backward()
    return as_array(value), as_array(tensor.grad)


def _in_keras(penalty, w):
    tf = load_tensorflow()

    variable = tf.Variable(w)
    with tf.GradientTape() as tape:
        value = penalty(variable)
    return as_array(value), as_array(tape.gradient(value, variable))


_AT = {"numpy": _in_numpy, "torch": _in_torch, "keras": _in_keras}
