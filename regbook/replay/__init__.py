"""Parity: NumPy, PyTorch and Keras on the same mask, each with its own built-in layers.

A call a job; each fails, with the numbers, where somebody differs, and returns what shows as a table:

    noise_parity(kind, x, grad, *layers)                          one noise layer: output and gradient
    training_parity(net, params, technique, optimizer, ...)       whole training runs; ``.plot()`` draws them
    recurrent_parity(cell, params, x, grad, *by, noise=...)       recurrent layers and cells
    optimizer_parity(optimizer, params, gradients, *theirs)       optimizers on given gradients
    penalty_parity(penalty, w, *theirs)                           penalties: value and gradient

and what they are made of: `layer`, `sequence`, `path` and `value_and_gradient` run one of them alone. PyTorch and Keras
are imported by the calls that need them, never by importing this package.
"""

from regbook.replay.agreement import Parity, agree
from regbook.replay.frameworks import MissingError
from regbook.replay.layers import Replayed, layer, noise_parity
from regbook.replay.optimizers import keras_optimizer, optimizer_parity, path, torch_optimizer
from regbook.replay.penalties import keras_regularizer, penalty_parity, torch_penalty, value_and_gradient
from regbook.replay.sequences import Sequenced, recurrent_parity, sequence
from regbook.replay.training import Runs, training_parity

__all__ = [
    "MissingError",
    "Parity",
    "Replayed",
    "Runs",
    "Sequenced",
    "agree",
    "keras_optimizer",
    "keras_regularizer",
    "layer",
    "noise_parity",
    "optimizer_parity",
    "path",
    "penalty_parity",
    "recurrent_parity",
    "sequence",
    "torch_optimizer",
    "torch_penalty",
    "training_parity",
    "value_and_gradient",
]
