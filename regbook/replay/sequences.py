"""Recurrent layers on the same masks: reglib's, PyTorch's, Keras' and TensorFlow's, forward and backward.

Whose layer or cell it is, is said in a word:

    "numpy"         reglib.layers.recurrent
    "torch"         torch.nn.RNN, LSTM, GRU; noise at input and output, which act outside
    "torch cell"    torch.nn.RNNCell, LSTMCell, GRUCell, step by step, with noise around the cell
    "keras"         keras.layers.SimpleRNN, LSTM, GRU; noise as by dropout= and recurrent_dropout=, once a sequence
    "keras cell"    keras.layers.SimpleRNNCell, LSTMCell, GRUCell, step by step, with noise around the cell
    "tensorflow"    tf.nn.RNNCellDropoutWrapper around a Keras cell, with given masks

The candidate of an LSTM is masked by three calls of the built-in cell (`regbook.replay._unrolled.with_candidate`). The
cells with layer normalization, which no framework has today, are put together from the framework's own LayerNorm. What
cannot be had raises `regbook.replay.frameworks.MissingError`: candidate noise in a GRU, recurrent noise in a cell of a
GRU, one mask a gate but in Keras' layers.
"""

from dataclasses import dataclass

import numpy as np

from regbook.replay import _cells
from regbook.replay.agreement import agree
from regbook.replay.frameworks import NAMES, as_array, in_float64, load_tensorflow
from reglib._validate import float_array, one_of
from reglib.layers import recurrent


@dataclass(frozen=True, eq=False)
class Sequenced:
    """What a recurrent layer did with sequences; made by `sequence`.

    Attributes
    ----------
    output : ndarray, (B, T, H)
    state : list of ndarray, (B, H)
        The final h, and c of an LSTM.
    grad_x : ndarray, (B, T, D)
    grads : dict of ndarray
        Of the parameters, by reglib's names and in its layout.
    grad_state : list of ndarray
        With respect to the initial state.
    """

    output: np.ndarray
    state: list
    grad_x: np.ndarray
    grads: dict
    grad_state: list


def sequence(by, cell, params, x, grad, *, state=None, grad_state=None, noise=None, steps=None):
    """Run a recurrent layer over sequences, and take gradients back.

    Parameters
    ----------
    by : str
        A word of the list above.
    cell : a cell of `reglib.layers.cells` or `reglib.layers.layer_norm_lstm`
    params : dict of ndarray
        By reglib's names; float64, without replica axes.
    x : ndarray, (B, T, D)
    grad : ndarray, (B, T, H)
        The gradient with respect to the output.
    state, grad_state : ndarray or (ndarray, ndarray), optional
        The initial h, or (h, c); and the gradient with respect to the final state. Zeros by default.
    noise : dict of Noise, optional
        By place.
    steps : ndarray of bool, (B, T), optional
        False where a sequence is over.

    Returns
    -------
    Sequenced

    Raises
    ------
    MissingError
        For a cell, noise or padding that the framework does not have.
    """
    one_of("by", by, ("numpy", *_cells.WAYS))
    x, grad = float_array("x", x, ndim=3), float_array("grad", grad, ndim=3)
    if x.dtype != np.float64:
        raise TypeError(f"x must be float64, got {x.dtype}")
    batch, hidden = len(x), params["w_h"].shape[0]
    start, ends = (_parts(cell, given, batch, hidden) for given in (state, grad_state))
    run = {"numpy": _in_numpy, "torch": _in_torch}.get(by.split()[0], _in_keras)
    return run(by, cell, params, x, grad, start, ends, noise or {}, steps)


def recurrent_parity(
    cell, params, x, grad, *by, state=None, grad_state=None, noise=None, steps=None, name="", tolerance=None
):
    """Compare reglib's recurrent layer with those of frameworks under the same noise.

    Parameters
    ----------
    cell, params, x, grad, state, grad_state, noise, steps :
        As for `sequence`. Where a sequence is over, outputs are not compared, for frameworks differ in what they put
        there.
    *by : str
        Words of the list above; by default "torch" and "keras".
    name : str
        Stands before the quantities.
    tolerance : number > 0, optional
        By default 1e-12.

    Returns
    -------
    Parity
        Of the output, the final state, and the gradients of x, of all parameters and of the initial state.

    Raises
    ------
    MissingError, AssertionError
    """
    there = np.ones(np.shape(x)[:2], bool) if steps is None else np.asarray(steps)
    given = {"state": state, "grad_state": grad_state, "noise": noise, "steps": steps}
    grad = np.where(there[..., None], grad, 0.0)
    ours, pairs = _quantities(sequence("numpy", cell, params, x, grad, **given), there), {}
    for word in by or ("torch", "keras"):
        theirs = _quantities(sequence(word, cell, params, x, grad, **given), there)
        for quantity, own in ours.items():
            pairs.setdefault(quantity, {})[NAMES[word]] = (own, theirs[quantity])
    return agree(pairs, tolerance, name)


def _quantities(done, there):
    """Return what is compared, by name."""
    return {
        "output": np.where(there[..., None], done.output, 0.0),
        "final state": _named(done.state),
        "gradient of x": done.grad_x,
        "of the parameters": done.grads,
        "of the initial state": _named(done.grad_state),
    }


def _named(state):
    return dict(zip("hc", state, strict=False))


def _parts(cell, state, batch, hidden):
    """Return a state as a list of arrays."""
    if state is None:
        return [np.zeros((batch, hidden)) for _ in range(1 + cell.memory)]
    return [float_array("state", part, ndim=2) for part in (state if cell.memory else (state,))]


def _in_numpy(by, cell, params, x, grad, start, ends, noise, steps):
    def form(parts):
        return tuple(parts) if cell.memory else parts[0]

    def parts(state):
        return list(state) if cell.memory else [state]

    output, final, cache = recurrent.forward(cell, params, x, form(start), noise=noise, steps=steps)
    grad_x, grads, grad_start = recurrent.backward(cache, grad, form(ends))
    return Sequenced(output, parts(final), grad_x, grads, parts(grad_start))


def _in_torch(by, cell, params, x, grad, start, ends, noise, steps):
    import torch

    def leaf(array):
        return torch.tensor(array, requires_grad=True)

    forward = _cells.forward_of(by, cell, x.shape[-1], ends[0].shape[-1], noise)
    leaves, inputs, state = {name: leaf(p) for name, p in params.items()}, leaf(x), [leaf(part) for part in start]
    output, final = forward(leaves, inputs, state, noise, steps)
    sources = [inputs, *leaves.values(), *state]
    tops = [torch.tensor(array) for array in (grad, *ends)]
    grads = torch.autograd.grad([output, *final], sources, tops, allow_unused=True, materialize_grads=True)
    return _sequenced(output, final, grads, params)


def _in_keras(by, cell, params, x, grad, start, ends, noise, steps):
    with in_float64():
        tf = load_tensorflow()

        forward = _cells.forward_of(by, cell, x.shape[-1], ends[0].shape[-1], noise)
        leaves, inputs = {name: tf.Variable(p) for name, p in params.items()}, tf.Variable(x)
        state = [tf.Variable(part) for part in start]
        with tf.GradientTape() as tape:
            output, final = forward(leaves, inputs, state, noise, steps)
        sources, tops = [inputs, *leaves.values(), *state], [tf.constant(array) for array in (grad, *ends)]
        grads = tape.gradient([output, *final], sources, tops, unconnected_gradients="zero")
    return _sequenced(output, final, grads, params)


def _sequenced(output, final, grads, params):
    """Return tensors as arrays, each in its place."""
    grad_x, *rest = (as_array(grad) for grad in grads)
    count = len(params)
    grads = dict(zip(params, rest[:count], strict=True))
    return Sequenced(as_array(output), [as_array(part) for part in final], grad_x, grads, rest[count:])
