"""Replicas that each draw from a generator of their own."""

import numpy as np

from reglib._validate import generators, integers


def drawn(draw, rng, replicas):
    """Return ``draw(rng, replicas)``, a dict of arrays; from a list of generators, what each draws alone, stacked."""
    several, replicas = (
        generators("rng", rng),
        integers("replicas", replicas, low=1),
    )
    if several is None:
        return draw(rng, replicas)
    if replicas or not several:
        raise ValueError(
            f"rng must be one generator, or one a replica and replicas left out; got {len(several)}"
        )
    each = [draw(one, ()) for one in several]
    return {
        name: np.stack([arrays[name] for arrays in each]) for name in each[0]
    }
