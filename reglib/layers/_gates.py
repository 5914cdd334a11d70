"""What gated cells share: blocks of gates, sigma and tanh in one call, the memory of an LSTM."""

import numpy as np


def sigmoids(pattern, hidden, dtype):
    """Return factor and offset that make tanh of the halved pre-activations the gates: "s" for sigma, "t" for tanh."""
    factor = np.repeat([0.5 if letter == "s" else 1.0 for letter in pattern], hidden).astype(dtype)
    return factor, 1 - factor


def activate(a, factor, offset):
    """Do a = factor * tanh(a) + offset in place."""
    np.tanh(a, out=a)
    a *= factor
    a += offset


def blocks(array, gates):
    """Return the blocks of an array (..., G * H), views, one a gate."""
    hidden = array.shape[-1] // gates
    return [array[..., k * hidden : (k + 1) * hidden] for k in range(gates)]


def lstm_memory(gates, c, candidate, c_new):
    """Do c_new = f c + i g, with the candidate's mask on g."""
    i, f, g, _ = blocks(gates, 4)
    np.multiply(f, c, out=c_new)
    c_new += i * dropped(g, candidate)


def lstm_memory_backward(gates, c, candidate, grad_c, grad_a, offset):
    """Take grad_c back to the gates and to c; grad_a holds the gradient of the gate o, and then of all pre-activations.

    sigma' = sigma (1 - sigma) and tanh' = (1 + tanh)(1 - tanh): for both (gate + 1 - 2 offset)(1 - gate).
    """
    i, f, g, _ = blocks(gates, 4)
    grad_i, grad_f, grad_g, _ = blocks(grad_a, 4)
    np.multiply(grad_c, dropped(g, candidate), out=grad_i)
    np.multiply(grad_c, c, out=grad_f)
    np.multiply(dropped(grad_c, candidate), i, out=grad_g)
    grad_a *= 1 - gates
    grad_a *= gates + (1 - 2 * offset)
    return grad_c * f


def dropped(g, candidate):
    """Return the candidate after its mask."""
    return g if candidate is None else g * candidate
