"""Keras' recurrent layers and cells, and TensorFlow's wrapper, as functions of reglib's parameters.

See `regbook.replay._cells`.
"""

from types import SimpleNamespace

import numpy as np

from regbook.replay._unrolled import gain_at, layer_norm_step, refuse, unrolled, with_candidate
from regbook.replay.frameworks import MissingError, held_by_float32, load_keras, load_tensorflow
from reglib.layers.cells import GRU, LSTM
from reglib.layers.layer_norm_lstm import LayerNormLSTM

STATES = ("state_h", "state_c")


def keras_layer(cell, inputs, hidden, noise):
    """Return keras.layers.SimpleRNN, LSTM or GRU, its masks given to it instead of drawn by it."""
    options = {"return_sequences": True, "return_state": True, "dtype": "float64"}
    # The rates say no more than that there is a mask: a mask for each gate where there is one on h.
    options |= {"dropout": 0.5 * ("input" in noise), "recurrent_dropout": 0.5 * ("recurrent" in noise)}
    each = cell.gates > 1 and "recurrent" in noise
    layer = _made(cell, "", hidden, **options)
    layer.build((None, None, inputs))
    order, ops = [1, 0, 2] if isinstance(cell, GRU) else range(cell.gates), _ops()

    def give(method, place, noise):
        if place not in noise:
            return
        gain = noise[place].gain
        if gain.ndim < 3 or gain.shape[1] != 1:
            raise MissingError(f"Keras draws its masks once a sequence; the gain at {place!r} has shape {gain.shape}")
        if gain.ndim == 4 and not each:
            raise MissingError("Keras has a mask for each gate at 'input' only where there is one at 'recurrent', too")
        masks = [gain[:, 0, k] if gain.ndim == 4 else gain[:, 0] for k in order]
        setattr(layer.cell, method, lambda step_input: masks if each else masks[0])

    def forward(params, x, start, noise, steps):
        give("get_dropout_mask", "input", noise)
        give("get_recurrent_dropout_mask", "recurrent", noise)
        with _scope(layer, _weights(cell, params)):
            output, *final = layer(x, initial_state=start, mask=steps, training=True)
        return ops.tensor(noise["output"].gain) * output if "output" in noise else output, final

    return forward


def keras_cell(cell, inputs, hidden, noise):
    """Return a cell of Keras step by step; one with layer norm from keras.layers.LayerNormalization."""
    refuse("keras cell", cell, noise)
    ops = _ops()
    if isinstance(cell, LayerNormLSTM):
        make, norms = load_keras().layers.LayerNormalization, {}
        for width in (4 * hidden, hidden):
            norms[width] = make(epsilon=cell.epsilon, dtype="float64")
            norms[width].build((None, width))

        def norm(u, gain, shift):
            module = norms[u.shape[-1]]
            with _scope(module, (gain, shift)):
                return module(u)

        return unrolled(layer_norm_step(cell, norm, ops), ops, cell, "keras cell")
    module = _made(cell, "Cell", hidden, dtype="float64")
    module.build((None, inputs))

    def call(params, x, h, c, candidate=None):
        with _scope(module, _weights(cell, params)):
            _, state = module(x, [h, c] if cell.memory else [h])
        return state if cell.memory else (state[0], None)

    step = with_candidate(call, ops.tanh) if isinstance(cell, LSTM) else call
    return unrolled(step, ops, cell, "keras cell")


def wrapped_cell(cell, inputs, hidden, noise):
    """Return TensorFlow's RNNCellDropoutWrapper around a cell of Keras, with given numbers in place of its own."""
    tf, ops = load_tensorflow(), _ops()
    module = _made(cell, "Cell", hidden, dtype="float64")
    states = STATES[: 1 + cell.memory]
    keep = {"input": _kept(noise, "input"), "state": _kept(noise, *STATES), "output": _kept(noise, "output")}
    dropped = [place in noise for place in states]
    log = tf.get_logger()
    level = log.level
    log.setLevel("ERROR")  # no note that the wrapper is deprecated
    wrapper = tf.nn.RNNCellDropoutWrapper(
        module,
        **{f"{place}_keep_prob": value for place, value in keep.items()},
        variational_recurrent=True,
        input_size=tf.TensorShape([inputs]),
        dtype=tf.float64,
        dropout_state_filter_visitor=lambda state: dropped if isinstance(state, list) else True,
    )
    log.setLevel(level)
    wrapper.build((1, inputs))

    def numbers(noise, place, t, keep):
        """Return random numbers of our choice; the wrapper keeps where keep + number reaches 1."""
        entry = noise.get(place)
        return ops.tensor(0.0 if entry is None else (gain_at(entry, t) > 0) * (1 - keep / 2))

    def forward(params, x, start, noise, steps):
        if steps is not None:
            raise MissingError("TensorFlow's wrapper takes no steps: it knows nothing of padding")
        state, outputs = list(start), []
        for t in range(x.shape[1]):
            wrapper._recurrent_input_noise = numbers(noise, "input", t, keep["input"])
            wrapper._recurrent_state_noise = [numbers(noise, place, t, keep["state"]) for place in states]
            wrapper._recurrent_output_noise = numbers(noise, "output", t, keep["output"])
            with _scope(module, _weights(cell, params)):
                output, state = wrapper(x[:, t], state)
            outputs.append(output)
        return ops.stack(outputs), list(state)

    return forward


def _kept(noise, *places):
    """Return the one probability to keep that the gains at some places show, 0 or 1 / keep; 1 without noise."""
    gains = [np.ravel(noise[place].gain) for place in places if place in noise]
    if not gains:
        return 1.0
    gains = np.concatenate(gains)
    keep = 1 / max(gains.max(), 1.0)
    if not np.isclose(gains, (gains > 0) / keep, rtol=1e-12, atol=0).all():
        raise MissingError(f"TensorFlow's wrapper knows gains of 0 and 1 / keep alone, got {np.unique(gains)}")
    held_by_float32(keep=keep)
    return float(keep)


def _ops():
    tf = load_tensorflow()
    return SimpleNamespace(
        tensor=lambda array: tf.constant(array, tf.float64),
        stack=lambda steps: tf.stack(steps, axis=1),
        split=lambda u: tf.split(u, 4, axis=-1),
        sigmoid=tf.sigmoid,
        tanh=tf.tanh,
    )


def _made(cell, suffix, hidden, **options):
    """Return a layer of Keras, or a cell."""
    name = {"RNN": "SimpleRNN"}.get(type(cell).__name__, type(cell).__name__) + suffix
    options |= {"reset_after": cell.reset_after} if isinstance(cell, GRU) else {}
    return getattr(load_keras().layers, name)(hidden, **options)


def _scope(layer, weights):
    """Return a scope in which the variables of a layer are these tensors."""
    return load_keras().StatelessScope(state_mapping=list(zip(layer.trainable_variables, weights, strict=True)))


def _weights(cell, params):
    """Return our parameters in the order of a Keras layer's: for a GRU its gates z, r, h and its two biases."""
    tf = load_tensorflow()
    weights = list(params.values())
    if not isinstance(cell, GRU):
        return weights

    def swapped(array):
        r, z, n = tf.split(array, 3, axis=-1)
        return tf.concat([z, r, n], axis=-1)

    w_x, w_h, b = (swapped(weight) for weight in weights[:3])
    if not cell.reset_after:
        return [w_x, w_h, b]
    zeros = tf.zeros_like(b)[: 2 * params["b_h"].shape[0]]
    return [w_x, w_h, tf.stack([b, tf.concat([zeros, params["b_h"]], axis=0)])]
