"""Images of 28 x 28 pixels for the studies: 5,000 of MNIST, of which 1,500 are the test, the same for every seed.

Training and validation images are drawn from the other 3,500. So the seeds overlap, and a verdict is one over splits of
these images.
"""

from functools import lru_cache

import numpy as np

from regbook import datasets
from regbook.task import Part

TEST = 1500
mnist = lru_cache(maxsize=1)(datasets.mnist)


def rows(rng, train, validation):
    """Return which images to train on, to validate with, and to test: two draws of ``rng``, and the fixed rest."""
    order = np.random.default_rng(0).permutation(len(mnist().y))
    drawn = datasets.split(rng, len(order) - TEST, (train, validation))
    return *(order[:-TEST][part] for part in drawn), order[-TEST:]


def classed(rng, *, train, validation, test):
    """Return images as maps of one channel with their classes; ``test`` of the images of the test.

    Pixels have about mean 0 and variance 1, without which so small a network learns slowly.
    """
    x = _standard()
    return tuple(Part(x, mnist().y[part], rows=part) for part in _rows(rng, train, validation, test))


def strokes(rng, *, train, validation, test, noise):
    """Return noisy images, and for each block of 2 x 2 pixels whether there is ink in it, 1, or not, 0.

    ``noise`` is the standard deviation of what is added to each pixel; ink is a pixel above 1/2.
    """
    parts = []
    for part in _rows(rng, train, validation, test):
        clean = _maps()[part]
        ink = clean.reshape(-1, 14, 2, 14, 2).max(axis=(2, 4)) > 0.5
        parts.append(Part(clean + rng.normal(0, noise, clean.shape), ink.astype(int)))
    return tuple(parts)


@lru_cache(maxsize=1)
def _maps():
    """Return all images as maps of one channel, always the same array: the seeds share it."""
    return mnist().x.reshape(-1, 28, 28, 1)


@lru_cache(maxsize=1)
def _standard():
    """Return the same less 0.13, their mean, and divided by 0.31, their standard deviation, both rounded."""
    return (_maps() - 0.13) / 0.31


def _rows(rng, train, validation, test):
    """Return rows as `rows` does, of the test's images but a draw of ``test``."""
    *parts, held_out = rows(rng, train, validation)
    return *parts, rng.choice(held_out, test, replace=False)


def labelled(rng, *, train, validation, wrong=0.0):
    """Return images as rows of pixels with their classes; a share of the training labels is ``wrong``."""
    parts = rows(rng, train, validation)
    y = mnist().y.copy()
    y[parts[0]] = datasets.flip_labels(rng, y[parts[0]], wrong, 10)
    return tuple(Part(mnist().x, y[part], rows=part) for part in parts)
