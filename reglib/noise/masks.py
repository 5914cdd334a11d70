"""Draws of noise: the only module of the package that does.

A mask is data. It is drawn here, from a generator that the caller passes in, and
handed to the function that applies it and to the one that takes the gradient back
through it; the same array can be handed to another framework. `reglib.noise.kinds` draws
with these functions for whole networks.

The *shape* of a mask decides what is dropped together. An axis of length 1 is
shared: one draw for everything along it (`noise_shape` writes such shapes).

    activations             mask             what is dropped
    (B, H)                  (B, H)           single units, anew for each example
    (B, rows, columns, C)   (B, 1, 1, C)     whole channels of an image
    (B, T, H)               (B, 1, H)        units, the same ones at every time step
    (B, H)                  (B, 1)           a whole branch of an example: a path

Replicas: a rate of shape (S,) belongs to a mask of shape (S, ...), one rate a
replica. Every entry of a mask is drawn independently of every other.
"""

from math import prod

import numpy as np

from reglib._validate import (
    as_array,
    axes,
    float_type,
    generator,
    generators,
    integer,
    integers,
    number,
    replica_shape,
)


def bernoulli(rng, shape, rate):
    """Draw a mask of ones and zeros: True, kept, with probability 1 - rate; False, dropped, with probability rate.

    The draws are exact to the resolution of a double: an entry is compared by one
    random byte with 256 (1 - rate), and the one entry in 256 that the byte leaves
    undecided by a uniform double.

    Parameters
    ----------
    rng : numpy.random.Generator, or list of them
        A list holds one a replica, for the first axis of ``shape``, each of which draws what it would draw alone.
    shape : tuple of int
    rate : float or ndarray, (S,)
        Probability to drop, in [0, 1). An array holds one rate a replica, and
        ``shape`` is then (S, ...).

    Returns
    -------
    ndarray of bool
        The gate of Srivastava et al. (2014, Section 4), r ~ Bernoulli, whose p is
        the probability to keep: 1 - rate.
    """
    several = generators("rng", rng)
    shape, rate = _checked_shape(shape), _checked_rate(rate)
    if several is not None:
        return _side_by_side(several, shape, rate)
    whole, rest = _in_bytes(rate)
    size = prod(shape)
    random_bytes = _bytes(rng, size).reshape(shape)
    threshold = _per_replica(whole, shape)
    mask = random_bytes < threshold
    if rest.any():
        undecided = np.flatnonzero(random_bytes == threshold)
        probability = rest.ravel()[undecided // (size // rest.size)]
        decided = rng.random(len(undecided)) < probability
        mask.ravel()[undecided] = decided
    return mask


def _in_bytes(rate):
    """Return 256 (1 - rate), the whole bytes below which a unit is kept, and the rest that a byte leaves undecided."""
    below = np.asarray(256 * (1 - rate))
    whole = np.minimum(np.floor(below), 255).astype(np.uint8)
    return whole, below - whole


def _bytes(rng, size):
    """Draw bytes, as a part of whole words."""
    words = rng.integers(2**64, size=-(-size // 8), dtype=np.uint64)
    return words.view(np.uint8)[:size]


def _side_by_side(several, shape, rate):
    """Draw for several generators, one a replica, what each would draw alone, in few calls of NumPy."""
    if shape[:1] != (len(several),):
        raise ValueError(
            f"rng must hold one generator for each of the replicas of shape {shape}, got {len(several)}"
        )
    whole, rest = _in_bytes(rate)
    each = prod(shape[1:])
    drawn = [_bytes(rng, each) for rng in several]
    random_bytes = np.concatenate(drawn).reshape(shape)
    threshold = _per_replica(whole, shape)
    mask = random_bytes < threshold
    rest = np.broadcast_to(rest, len(several))
    undecided = np.flatnonzero(random_bytes == threshold)
    own = undecided // max(each, 1)
    undecided, own = undecided[rest[own] > 0], own[rest[own] > 0]
    counts = np.bincount(own, minlength=len(several))
    pairs = zip(several, counts, strict=True)
    chance = np.concatenate([rng.random(count) for rng, count in pairs])
    mask.ravel()[undecided] = chance < rest[own]
    return mask


def gaussian(rng, shape, rate, *, dtype=np.float64):
    """Draw multiplicative noise with the mean and variance of inverted dropout: N(1, rate / (1 - rate)).

    The second parameter is the variance: the standard deviation is
    sqrt(rate / (1 - rate)) (Srivastava et al. 2014, Section 10, where p, the
    probability to keep, makes it sqrt((1 - p) / p)).

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : tuple of int
    rate : float or ndarray, (S,)
        The drop rate to match, in [0, 1); an array holds one rate a replica.
    dtype : numpy.float64 or numpy.float32

    Returns
    -------
    ndarray of floats
    """
    generator("rng", rng)
    shape, rate = _checked_shape(shape), _checked_rate(rate)
    dtype = float_type(dtype)
    std = _per_replica(
        np.sqrt(np.asarray(rate) / (1 - np.asarray(rate))), shape
    ).astype(dtype)
    noise = rng.standard_normal(shape, dtype=dtype)
    noise *= std
    noise += 1
    return noise


def normal(rng, shape, std, *, dtype=np.float64):
    """Draw additive noise: N(0, std^2), the mean 0 and the standard deviation ``std``.

    Added to the inputs it is the noise of Bishop (1995); with ``std=1`` it is the
    epsilon that `reglib.nets.variational` turns into noise of a learned strength.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : tuple of int
    std : float or ndarray, (S,)
        Standard deviation, at least 0; an array holds one number a replica.
    dtype : numpy.float64 or numpy.float32

    Returns
    -------
    ndarray of floats
    """
    generator("rng", rng)
    shape, std = (
        _checked_shape(shape),
        number("std", std, low=0, replicas=True),
    )
    dtype = float_type(dtype)
    std = _per_replica(np.asarray(std), shape, "std").astype(dtype)
    noise = rng.standard_normal(shape, dtype=dtype)
    noise *= std
    return noise


def noise_shape(shape, shared):
    """Return ``shape`` with length 1 at the axes ``shared``: entries along them share one draw.

    Parameters
    ----------
    shape : tuple of int
        Of the activations.
    shared : int or tuple of int
        Axes, counted from the end when negative; ``()`` for unit dropout. For
        channels-last images (B, rows, columns, C), ``(1, 2)`` drops channels.

    Returns
    -------
    tuple of int
    """
    shape = _checked_shape(shape)
    named = axes("shared", shared)
    if any(not -len(shape) <= axis < len(shape) for axis in named):
        raise ValueError(
            f"shared must name axes of the shape {shape}, got {shared!r}"
        )
    named = {axis % len(shape) for axis in named}
    return tuple(
        1 if axis in named else length for axis, length in enumerate(shape)
    )


def gate(name, mask):
    """Return a mask of zeros and ones as an array: ``mask`` is of bool, or of floats that are all 0 or 1.

    ``name`` stands in the error for anything else.
    """
    mask = as_array(name, mask)
    if mask.dtype != bool and (
        mask.dtype.kind != "f" or not ((mask == 0) | (mask == 1)).all()
    ):
        raise TypeError(
            f"{name} must be of bool, or of floats that are all 0 or 1 (True keeps, False drops); got {mask.dtype}"
        )
    return mask


def all_masks(n):
    """Return every mask of n units, as an array of bool of shape (2**n, n); n is at most 20.

    With `probabilities` it turns an expectation over the noise into a finite sum.
    """
    n = integer("n", n, low=1)
    if n > 20:
        raise ValueError(
            f"n must be at most 20, for there are 2**n masks; got {n}"
        )
    return (np.arange(2**n)[:, None] >> np.arange(n)) % 2 == 1


def probabilities(masks, rate):
    """Return the probability of each mask: the product over its units of 1 - rate if kept, and rate if dropped.

    Parameters
    ----------
    masks : ndarray of bool, (..., n)
    rate : float or ndarray, (n,)
        Probability to drop, in [0, 1); an array holds one rate a unit.

    Returns
    -------
    ndarray of floats, (...)
    """
    masks = as_array("masks", masks)
    if masks.dtype != bool or masks.ndim == 0:
        raise TypeError(
            f"masks must be an array of bool, (..., n); got {masks.dtype} of shape {masks.shape}"
        )
    rate = np.asarray(_checked_rate(rate))
    if rate.shape not in ((), masks.shape[-1:]):
        raise ValueError(
            f"rate must be a number or have shape {masks.shape[-1:]}, one a unit; got {rate.shape}"
        )
    return np.where(masks, 1 - rate, rate).prod(axis=-1)


def _checked_shape(shape):
    """Return a shape as a tuple of lengths that are at least 0."""
    return integers("shape", shape, low=0)


def _checked_rate(rate):
    """Return a drop rate, or one a replica, in [0, 1)."""
    return number("rate", rate, low=0, high=1, high_open=True, replicas=True)


def _per_replica(values, shape, name="rate"):
    """Return one value a replica in a shape that broadcasts to that of the mask."""
    return replica_shape(
        name, values, "the mask", np.broadcast_to(values.dtype.type(0), shape)
    )
