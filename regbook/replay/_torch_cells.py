"""PyTorch's recurrent layers and cells as functions of reglib's parameters; see `regbook.replay._cells`."""

from types import SimpleNamespace

import numpy as np

from regbook.replay._unrolled import layer_norm_step, refuse, unrolled, with_candidate
from regbook.replay.frameworks import MissingError
from reglib.layers.cells import GRU, LSTM
from reglib.layers.layer_norm_lstm import LayerNormLSTM


def torch_layer(cell, inputs, hidden, noise):
    """Return torch.nn.RNN, LSTM or GRU; sequences of unequal length are packed."""
    import torch

    module = _module(cell, type(cell).__name__, inputs, hidden, batch_first=True)
    pack, unpack = torch.nn.utils.rnn.pack_padded_sequence, torch.nn.utils.rnn.pad_packed_sequence
    tensor = _ops().tensor

    def forward(params, x, start, noise, steps):
        start = [part[None] for part in start]
        x = tensor(noise["input"].gain) * x if "input" in noise else x
        if steps is not None:
            x = pack(x, torch.tensor(steps.sum(axis=1)), batch_first=True, enforce_sorted=False)
        arguments = (x, tuple(start) if cell.memory else start[0])
        output, final = torch.func.functional_call(module, _weights(cell, params, "_l0"), arguments)
        if steps is not None:
            output, _ = unpack(output, batch_first=True, total_length=steps.shape[1])
        output = tensor(noise["output"].gain) * output if "output" in noise else output
        return output, [part[0] for part in (final if cell.memory else (final,))]

    return forward


def torch_cell(cell, inputs, hidden, noise):
    """Return torch.nn.RNNCell, LSTMCell or GRUCell step by step; a cell with layer norm from torch.nn.LayerNorm."""
    import torch

    refuse("torch cell", cell, noise)
    ops = _ops()
    if isinstance(cell, LayerNormLSTM):
        norms = {n: torch.nn.LayerNorm(n, eps=cell.epsilon, dtype=torch.float64) for n in (4 * hidden, hidden)}

        def norm(u, gain, shift):
            return torch.func.functional_call(norms[u.shape[-1]], {"weight": gain, "bias": shift}, (u,))

        return unrolled(layer_norm_step(cell, norm, ops), ops, cell, "torch cell")
    module = _module(cell, type(cell).__name__ + "Cell", inputs, hidden)

    def call(params, x, h, c, candidate=None):
        state = torch.func.functional_call(module, _weights(cell, params), (x, (h, c) if cell.memory else h))
        return state if cell.memory else (state, None)

    step = with_candidate(call, ops.tanh) if isinstance(cell, LSTM) else call
    return unrolled(step, ops, cell, "torch cell")


def _ops():
    import torch

    return SimpleNamespace(
        tensor=lambda array: torch.tensor(np.asarray(array)),
        stack=lambda steps: torch.stack(steps, dim=1),
        split=lambda u: u.chunk(4, dim=-1),
        sigmoid=torch.sigmoid,
        tanh=torch.tanh,
    )


def _module(cell, name, *sizes, **options):
    """Return a module of torch.nn."""
    import torch

    if isinstance(cell, GRU) and not cell.reset_after:
        raise MissingError(f"PyTorch has no counterpart of {cell!r}: its reset gate acts after the product")
    return getattr(torch.nn, name)(*sizes, dtype=torch.float64, **options)


def _weights(cell, params, suffix=""):
    """Return our parameters as PyTorch's: transposed, and of its two biases one is zero but for a GRU's candidate."""
    import torch

    bias = torch.zeros_like(params["b"])
    if isinstance(cell, GRU):
        bias = torch.cat([bias[: 2 * len(params["b_h"])], params["b_h"]])
    weights = {"weight_ih": params["w_x"].T, "weight_hh": params["w_h"].T, "bias_ih": params["b"], "bias_hh": bias}
    return {name + suffix: weight for name, weight in weights.items()}
