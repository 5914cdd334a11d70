"""Recurrent networks against PyTorch, Keras and TensorFlow: outputs, states, every gradient, float64 within 1e-12.

`regbook.replay` runs their layers and cells on reglib's parameters and masks.
"""

import numpy as np
import pytest

from regbook import replay
from regbook.replay.frameworks import load_keras
from reglib.convert import layouts
from reglib.layers import recurrent
from reglib.layers.cells import GRU, LSTM, RNN
from reglib.layers.layer_norm_lstm import LayerNormLSTM
from reglib.noise.affine import Noise

torch = pytest.importorskip("torch")
keras = load_keras()

B, T, D, H = 4, 9, 3, 5
CELLS = [RNN(), LSTM(), GRU(), GRU(reset_after=False)]
STEPS = np.arange(T) < np.array([9, 5, 2, 1])[:, None]


def problem(cell, seed=0):
    """Return asymmetric parameters, inputs and gradients; and the initial state and the gradient of the final one."""
    rng = np.random.default_rng(seed)
    params = {name: p + 0.3 * rng.standard_normal(p.shape) for name, p in recurrent.init(rng, cell, D, H).items()}
    x, grad = rng.standard_normal((B, T, D)), rng.standard_normal((B, T, H))
    state, grad_state = (tuple(rng.standard_normal((1 + cell.memory, B, H))) for _ in range(2))
    if not cell.memory:
        (state,), (grad_state,) = state, grad_state
    return (cell, params, x, grad), {"state": state, "grad_state": grad_state}


def gain(rng, *shape, keep=0.625):
    """Return a mask of inverted dropout; TensorFlow's wrapper holds its 5 / 8 as a float32."""
    return Noise((rng.random(shape) < keep) / keep)


def ways(cell, *words):
    """Return the words of the frameworks that have the cell: PyTorch's GRU resets after the product."""
    return [word for word in words if cell != GRU(reset_after=False) or "torch" not in word]


@pytest.mark.parametrize("cell", CELLS)
def test_sequences_and_steps(cell):
    arguments, states = problem(cell)
    words = ways(cell, "torch", "torch cell", "keras", "keras cell", "tensorflow")
    replay.recurrent_parity(*arguments, *words, **states)


@pytest.mark.parametrize("cell", CELLS)
def test_padded_sequences(cell):
    """PyTorch packs them, Keras masks them."""
    arguments, states = problem(cell)
    replay.recurrent_parity(*arguments, *ways(cell, "torch", "keras"), **states, steps=STEPS)


@pytest.mark.parametrize("cell", CELLS)
def test_keras_masks_for_each_gate_apart(cell):
    rng, (arguments, states) = np.random.default_rng(2), problem(cell)
    gates = () if cell.gates == 1 else (cell.gates,)
    noise = {"input": gain(rng, B, 1, *gates, D, keep=0.7), "recurrent": gain(rng, B, 1, *gates, H, keep=0.6)}
    replay.recurrent_parity(*arguments, "keras", **states, noise=noise)
    replay.recurrent_parity(*arguments, "keras", **states, noise=noise, steps=STEPS)


@pytest.mark.parametrize("cell", CELLS)
def test_noise_around_a_cell(cell):
    """Zoneout, and masks on what enters a step, leaves it, and is carried on."""
    rng, (arguments, states) = np.random.default_rng(3), problem(cell)
    noise = {"input": gain(rng, B, T, D), "state_h": gain(rng, B, T, H), "output": gain(rng, B, T, H)}
    noise |= {"zone_h": Noise((rng.random((B, T, H)) < 0.5).astype(float))}
    if cell.memory:
        noise |= {"zone_c": Noise((rng.random((B, T, H)) < 0.5).astype(float)), "state_c": gain(rng, B, 1, H)}
        noise |= {"recurrent": gain(rng, B, 1, H), "candidate": gain(rng, B, T, H)}
    replay.recurrent_parity(*arguments, *ways(cell, "torch cell", "keras cell"), **states, noise=noise)


@pytest.mark.parametrize("places", [("state_h", "state_c"), ("state_h",), ("input", "output")])
@pytest.mark.parametrize("schedule", [(1, 1), (B, T)])
def test_the_dropout_wrapper_of_tensorflow(places, schedule):
    """Its variational masks are one row for the whole batch."""
    rng, (arguments, states) = np.random.default_rng(4), problem(LSTM())
    noise = {place: gain(rng, *schedule, D if place == "input" else H) for place in places}
    replay.recurrent_parity(*arguments, "tensorflow", **states, noise=noise)


def test_the_masks_that_keras_draws():
    """Four, one a gate, for each sequence apart, the same at every step; they lie on h as the products see it."""
    (cell, params, x, grad), _ = problem(LSTM())
    layer = keras.layers.LSTM(H, recurrent_dropout=0.4, seed=5, return_sequences=True, dtype="float64")
    layer.build(x.shape)
    layer.set_weights(list(params.values()))
    original, drawn = layer.cell.get_recurrent_dropout_mask, {}
    layer.cell.get_recurrent_dropout_mask = lambda h: drawn.setdefault("masks", original(h))
    theirs = layer(x, training=True).numpy()
    masks = np.stack([mask.numpy() for mask in drawn["masks"]], axis=1)
    assert masks.shape == (B, 4, H)
    assert len(np.unique(masks.reshape(4 * B, H), axis=0)) > B
    ours = replay.sequence("numpy", cell, params, x, grad, noise={"recurrent": Noise(masks[:, None])})
    replay.agree({"output": {"Keras": (ours.output, theirs)}})


def in_torch(*layers, **options):
    """Return torch.nn.LSTM with the parameters of one LSTM of ours a layer, converted as the conventions say."""
    module = torch.nn.LSTM(D, H, num_layers=len(layers), batch_first=True, dtype=torch.float64, **options)
    arrays = [array for params in layers for array in layouts.lstm_keras_to_torch(*params.values())]
    with torch.no_grad():
        for weight, array in zip(module.parameters(), arrays, strict=True):
            weight.copy_(torch.tensor(array))
    return module


def test_dropout_between_two_layers_of_torch():
    """The mask of torch.nn.LSTM(dropout=) lies on the output of the lower layer, anew at every step."""
    rate, (cell, below, x, grad) = 0.4, problem(LSTM())[0]
    above = recurrent.init(np.random.default_rng(1), cell, H, H)
    module, inputs = in_torch(below, above, dropout=rate), torch.tensor(x, requires_grad=True)
    torch.manual_seed(3)
    output, _ = module(inputs)
    output.backward(torch.tensor(grad))
    torch.manual_seed(3)
    mask = torch.nn.functional.dropout(torch.ones((T, B, H), dtype=torch.float64), rate).numpy().swapaxes(0, 1)
    h, _, lower = recurrent.forward(cell, below, x, noise={"output": Noise(mask)})
    ours, _, upper = recurrent.forward(cell, above, h)
    grad_h, above_grads, _ = recurrent.backward(upper, grad)
    grad_x, below_grads, _ = recurrent.backward(lower, grad_h)
    pairs = {"output": (ours, output.detach()), "gradient of x": (grad_x, inputs.grad)}
    for layer, grads in enumerate((below_grads, above_grads)):
        for name, transposed in (("weight_ih", grads["w_x"].T), ("weight_hh", grads["w_h"].T), ("bias_ih", grads["b"])):
            pairs[f"{name} of layer {layer}"] = (transposed, getattr(module, f"{name}_l{layer}").grad)
    replay.agree({quantity: {"PyTorch": pair} for quantity, pair in pairs.items()})


def test_the_weights_convert_as_the_conventions_say():
    (cell, params, x, _), _ = problem(LSTM())
    output, _, _ = recurrent.forward(cell, params, x)
    replay.agree({"output": {"PyTorch": (output, in_torch(params)(torch.tensor(x))[0].detach())}})


@pytest.mark.parametrize("epsilon", [1e-5, 1e-3])
@pytest.mark.parametrize("norm", ["products", "gates"])
@pytest.mark.parametrize("carry", ["raw", "normalized"])
def test_the_layer_norm_lstm_from_the_norms_of_the_frameworks(epsilon, norm, carry):
    arguments, states = problem(LayerNormLSTM(epsilon=epsilon, norm=norm, carry=carry))
    noise = {"candidate": gain(np.random.default_rng(6), B, T, H, keep=0.7)}
    replay.recurrent_parity(*arguments, "torch cell", "keras cell", **states, noise=noise)
