"""What gated cells share: the blocks of the gates, the logistic function, the mask on a candidate."""

import numpy as np


def blocks(array, gates):
    """Return the blocks of an array (..., gates * H), one a gate: views (..., H), to read and to write."""
    hidden = array.shape[-1] // gates
    return [array[..., k * hidden : (k + 1) * hidden] for k in range(gates)]


def sigmoid(a):
    """Return sigma(a) = 1 / (1 + exp(-a)) = (1 + tanh(a / 2)) / 2; unlike exp, tanh cannot overflow."""
    return 0.5 * np.tanh(0.5 * a) + 0.5


def dropped(g, candidate):
    """Return g * candidate, or g where there is no mask."""
    return g if candidate is None else g * candidate
