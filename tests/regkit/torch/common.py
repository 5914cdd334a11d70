"""What the tests of the PyTorch modules share: tensors from arrays, gradients, modules with given noise."""

import numpy as np
import torch

TOLERANCE = 1e-12


def leaf(array):
    """Return an array as a tensor with a gradient."""
    return torch.tensor(array, requires_grad=True)


def agree(ours, theirs):
    """Compare a tensor, or its gradient, with an array of reglib, in float64; relative to it where that exceeds 1."""
    ours = ours.detach().numpy()
    assert ours.dtype == np.float64
    assert ours.shape == theirs.shape
    assert (np.abs(ours - theirs) / np.maximum(np.abs(theirs), 1)).max() <= TOLERANCE


def given(module, *draws):
    """Let a module draw what is given, an array a call; return it."""
    draws = iter([torch.tensor(draw) for draw in draws])
    module.draw = lambda *_: next(draws)
    return module
