"""Noise for a whole network: a kind for each place, drawn in the order of the places.

A network says which places it has and the shapes of the activations there (its method ``places``): the input and the
hidden layers of `reglib.nets.mlp`, the maps of `reglib.nets.convnet`, the eight places of a recurrent network. A dict
says which kind of noise acts where, ``{"hidden1": Bernoulli(0.5)}``; `draw` turns it into one
`reglib.noise.affine.Noise` a place, which the network's ``forward`` takes.
"""

from collections.abc import Mapping

import numpy as np

from reglib._validate import by_place, instance
from reglib.noise.kinds import Kind


def draw(rng, kinds, shapes, dtype=np.float64):
    """Draw the noise of one step: independent at every place, and for every entry that is not shared.

    Parameters
    ----------
    rng : numpy.random.Generator, or list of them
        A list holds one a replica.
    kinds : dict
        A kind of `reglib.noise.kinds` by place. A rate that is the plain number 0 draws nothing.
    shapes : dict
        The shape of the activations by place, from the network's ``places``.
    dtype : numpy.float64 or numpy.float32
        That of the parameters.

    Returns
    -------
    dict
        A `reglib.noise.affine.Noise` for each place that has one, drawn in the order of ``shapes``.

    Raises
    ------
    ValueError
        For a place that the network does not have.
    TypeError
        For what is no kind of noise.
    """
    checked(kinds, shapes)
    return {
        place: kinds[place].draw(rng, shape, dtype)
        for place, shape in shapes.items()
        if _acts(kinds, place)
    }


def expected(kinds, shapes):
    """Return what takes the noise's place at inference: the `expected` of each of the ``kinds``, by place.

    Only the places where inference needs a change: unscaled dropout, and zoneout. ``shapes`` is that of `draw`.

    Every mask is replaced by its mean. Where the output is linear in every mask, and none acts twice along a path, it
    is then the mean over the masks. Elsewhere it is an approximation. Behind an activation, the mean of a function is
    not the function of the mean (Srivastava et al. 2014, Section 7.5, measure how far apart they are). And in a
    recurrent network a mask at "recurrent", "state_h" or "state_c" acts again at every step. Let q = 1 - rate, and let
    c be carried through T steps by dropout alone, c_T = m_1 ... m_T c_0::

                                                not scaled          scaled
        what this function gives                q^T c_0             c_0
        the mean, a mask drawn at every step    q^T c_0             c_0
        the mean, one mask a sequence           q c_0               c_0 / q^(T-1)

    With one mask a sequence (``shared=-2``), m_1 = ... = m_T, and a mask of zeros and ones is its own power.
    """
    checked(kinds, shapes)
    means = {
        place: kind.expected(shapes[place]) for place, kind in kinds.items()
    }
    return {place: mean for place, mean in means.items() if mean is not None}


def checked(kinds, shapes):
    """Complain about ``kinds`` that are none, or at places that are not among ``shapes``; return them."""
    instance("shapes", shapes, Mapping, "a dict by place")
    by_place("kinds", kinds, shapes, Kind, "a kind of reglib.noise.kinds")
    return kinds


def _acts(kinds, place):
    return place in kinds and kinds[place].acts
