"""Races of a long short-term memory over whole sequences: one network, and 32."""

import numpy as np
import torch

from bench.timing import race
from reglib.layers import recurrent
from reglib.layers.cells import LSTM

BATCH, STEPS, INPUTS, HIDDEN = 32, 50, 32, 64


def sequence_race():
    """Forward and backward through time with the gradients of inputs and weights, beside torch.nn.LSTM."""
    size = f"batch {BATCH}, {STEPS} steps, {INPUTS} inputs, {HIDDEN} units, float32"
    one, many = "PyTorch: nn.LSTM, autograd", "PyTorch: 32 LSTMs in turn"
    return [
        (f"LSTM, {size}", race(competitors((), "reglib: forward, backward", one))),
        (f"32 LSTMs, {size}", race(competitors((32,), "reglib: 32 in one pass", many), turns=7)),
    ]


def competitors(replicas, our_name, their_name):
    """Return two callables that take the same networks over the same sequences, and back."""
    rng = np.random.default_rng(0)
    cell = LSTM()
    params = recurrent.init(rng, cell, INPUTS, HIDDEN, replicas=replicas, dtype=np.float32)
    x = rng.standard_normal((*replicas, BATCH, STEPS, INPUTS), dtype=np.float32)
    grad = rng.standard_normal((*replicas, BATCH, STEPS, HIDDEN), dtype=np.float32)
    networks = [
        torch_network([p[s] for p in params.values()], x[s], grad[s])
        for s in ([...] if not replicas else range(replicas[0]))
    ]

    def ours():
        output, _, cache = recurrent.forward(cell, params, x)
        return output, recurrent.backward(cache, grad)

    def pytorch():
        gradients = []
        for lstm, sequences, upstream in networks:
            output, _ = lstm(sequences)
            gradients.append(torch.autograd.grad(output, [sequences, *lstm.parameters()], upstream))
        return gradients

    return {our_name: ours, their_name: pytorch}


def torch_network(params, x, grad):
    """Return torch.nn.LSTM with our parameters (one of its two biases is zero), sequences and upstream gradient."""
    w_x, w_h, b = (torch.from_numpy(np.ascontiguousarray(p)) for p in params)
    lstm = torch.nn.LSTM(INPUTS, HIDDEN, batch_first=True)
    with torch.no_grad():
        lstm.weight_ih_l0.copy_(w_x.T)
        lstm.weight_hh_l0.copy_(w_h.T)
        lstm.bias_ih_l0.copy_(b)
        lstm.bias_hh_l0.zero_()
    return lstm, torch.from_numpy(np.ascontiguousarray(x)).requires_grad_(), torch.from_numpy(grad)
