"""The recurrent layers and cells of PyTorch, Keras and TensorFlow as functions of reglib's parameters.

``forward(params, x, start, noise, steps) -> output, final`` acts on tensors of the framework. The built-in modules get
their weights from ``params``, tensors in reglib's layout, at each call: transposed, or with gates swapped, on the way,
so that gradients arrive in reglib's layout too.
"""

from regbook.replay import _unrolled
from regbook.replay._keras_cells import keras_cell, keras_layer, wrapped_cell
from regbook.replay._torch_cells import torch_cell, torch_layer
from regbook.replay.frameworks import NAMES, MissingError
from reglib.layers.cells import GRU, LSTM, RNN
from reglib.layers.layer_norm_lstm import LayerNormLSTM

# By the word for it, what makes a forward function, and the places that can have noise.
WAYS = {
    "torch": (torch_layer, ("input", "output")),
    "torch cell": (torch_cell, _unrolled.PLACES),
    "keras": (keras_layer, ("input", "recurrent", "output")),
    "keras cell": (keras_cell, _unrolled.PLACES),
    "tensorflow": (wrapped_cell, ("input", "state_h", "state_c", "output")),
}


def forward_of(by, cell, inputs, hidden, noise):
    """Return the forward function of a layer or cell.

    Parameters
    ----------
    by : str
        A word of `WAYS`.
    cell : RNN, LSTM, GRU or LayerNormLSTM, of reglib
    inputs, hidden : int
        D and H.
    noise : dict of Noise
        Noise of the places, the axes and the strengths that it will be given.

    Raises
    ------
    MissingError
        For a cell or noise that the framework does not have.
    """
    make, places = WAYS[by]
    for place, entry in noise.items():
        if place not in places or entry.gain is None or entry.offset is not None:
            raise MissingError(f"{NAMES[by]} can have gains at {', '.join(places)}; got {place!r} with {entry!r}")
    if not isinstance(cell, RNN | LSTM | GRU) and not (isinstance(cell, LayerNormLSTM) and by.endswith("cell")):
        raise MissingError(f"{NAMES[by]} has no counterpart of {cell!r}")
    return make(cell, inputs, hidden, noise)
