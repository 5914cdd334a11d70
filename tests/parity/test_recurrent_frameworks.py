"""Recurrent networks against PyTorch, Keras and TensorFlow: outputs, states, every gradient, float64 within 1e-12."""

import numpy as np
import pytest

from reglib.convert import layouts
from reglib.layers import recurrent
from reglib.layers.cells import GRU, LSTM, RNN
from reglib.layers.layer_norm_lstm import LayerNormLSTM
from reglib.layers.recurrent import Noise

B, T, D, H = 4, 9, 3, 5
TOLERANCE = 1e-12


def problem(cell, seed=0):
    """Return asymmetric parameters, inputs, an initial state, and weights of the output and of the final state."""
    rng = np.random.default_rng(seed)
    params = [p + 0.3 * rng.standard_normal(p.shape) for p in recurrent.init(rng, cell, D, H)]
    x, grad = rng.standard_normal((B, T, D)), rng.standard_normal((B, T, H))
    state, grad_state = ([rng.standard_normal((B, H)) for _ in range(1 + cell.memory)] for _ in range(2))
    return params, x, state, grad, grad_state


def form(cell, parts):
    return tuple(parts) if cell.memory else parts[0]


def ours(cell, params, x, state, grad, grad_state, **keywords):
    """Return output, final state, gradients of x, of the parameters, and of the initial state, in one flat list."""
    output, final, cache = recurrent.forward(cell, params, x, form(cell, state), **keywords)
    grad_x, grads, start = recurrent.backward(cache, grad, form(cell, grad_state))
    final, start = ((parts if cell.memory else (parts,)) for parts in (final, start))
    return [output, *final, grad_x, *grads, *start]


def agree(mine, theirs):
    assert len(mine) == len(theirs)
    for a, b in zip(mine, theirs, strict=True):
        assert a.shape == b.shape
        assert np.abs(a - b).max() <= TOLERANCE * max(1, np.abs(b).max())


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


@pytest.fixture(scope="module")
def keras():
    return pytest.importorskip("keras")


@pytest.fixture(scope="module")
def tf():
    return pytest.importorskip("tensorflow")


def fill_torch(torch, module, params, suffix=""):
    """Give a module of torch.nn our parameters: one bias of its two is zero, but for the candidate of a GRU."""
    bias_hh = np.zeros(params[2].shape)
    if len(params) == 4:
        bias_hh[2 * H :] = params[3]
    with torch.no_grad():
        for name, array in zip(
            ("weight_ih", "weight_hh", "bias_ih", "bias_hh"),
            (params[0].T, params[1].T, params[2], bias_hh),
            strict=True,
        ):
            getattr(module, name + suffix).copy_(torch.tensor(array))
    return module


def torch_gradients(module, params, suffix=""):
    grads = [getattr(module, name + suffix).grad.numpy() for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    return [grads[0].T, grads[1].T, grads[2]] + ([grads[3][2 * H :]] if len(params) == 4 else [])


@pytest.mark.parametrize(("cell", "name"), [(RNN(), "RNN"), (LSTM(), "LSTM"), (GRU(), "GRU")])
def test_sequences_of_torch(torch, cell, name):
    params, x, state, grad, grad_state = problem(cell)
    module = getattr(torch.nn, name)(D, H, batch_first=True, dtype=torch.float64)
    fill_torch(torch, module, params, "_l0")
    inputs, *start = (torch.tensor(a, requires_grad=True) for a in (x, *state))
    output, final = module(inputs, form(cell, [s[None] for s in start]))
    final = [s[0] for s in (final if cell.memory else (final,))]
    scalar = (output * torch.tensor(grad)).sum()
    sum([(a * torch.tensor(g)).sum() for a, g in zip(final, grad_state, strict=True)], start=scalar).backward()
    theirs = [a.detach().numpy() for a in (output, *final)] + [inputs.grad.numpy()]
    theirs += torch_gradients(module, params, "_l0") + [s.grad.numpy() for s in start]
    agree(ours(cell, params, x, state, grad, grad_state), theirs)


@pytest.mark.parametrize(("cell", "name"), [(RNN(), "RNNCell"), (LSTM(), "LSTMCell"), (GRU(), "GRUCell")])
def test_one_step_of_torch(torch, cell, name):
    params, x, state, _, grad_state = problem(cell)
    module = fill_torch(torch, getattr(torch.nn, name)(D, H, dtype=torch.float64), params)
    inputs, *start = (torch.tensor(a, requires_grad=True) for a in (x[:, 0], *state))
    final = module(inputs, form(cell, start))
    final = final if cell.memory else (final,)
    sum((a * torch.tensor(g)).sum() for a, g in zip(final, grad_state, strict=True)).backward()
    theirs = [a.detach().numpy() for a in (final[0], *final)] + [inputs.grad.numpy()]
    theirs += torch_gradients(module, params) + [s.grad.numpy() for s in start]
    output, end, cache = recurrent.step(cell, params, x[:, 0], form(cell, state))
    grad_x, grads, grad_start = recurrent.step_backward(cache, None, form(cell, grad_state))
    end, grad_start = ((parts if cell.memory else (parts,)) for parts in (end, grad_start))
    agree([output, *end, grad_x, *grads, *grad_start], theirs)


def test_packed_sequences_of_torch(torch):
    cell, lengths = LSTM(), [9, 5, 2, 1]
    params, x, state, grad, grad_state = problem(cell)
    steps = np.arange(T) < np.array(lengths)[:, None]
    module = fill_torch(torch, torch.nn.LSTM(D, H, batch_first=True, dtype=torch.float64), params, "_l0")
    inputs, *start = (torch.tensor(a, requires_grad=True) for a in (x, *state))
    packed = torch.nn.utils.rnn.pack_padded_sequence(inputs, lengths, batch_first=True)
    output, final = module(packed, tuple(s[None] for s in start))
    output, _ = torch.nn.utils.rnn.pad_packed_sequence(output, batch_first=True)
    there = torch.tensor(steps[..., None].astype(float))
    scalar = (output * torch.tensor(grad) * there).sum()
    sum([(a[0] * torch.tensor(g)).sum() for a, g in zip(final, grad_state, strict=True)], start=scalar).backward()
    theirs = [output.detach().numpy(), *(a[0].detach().numpy() for a in final), inputs.grad.numpy()]
    theirs += torch_gradients(module, params, "_l0") + [s.grad.numpy() for s in start]
    mine = ours(cell, params, x, state, grad * steps[..., None], grad_state, steps=steps)
    mine[0] = mine[0] * steps[..., None]
    agree(mine, theirs)


def test_dropout_between_two_layers_of_torch(torch):
    cell, rate = LSTM(), 0.4
    first, x, _, grad, _ = problem(cell)
    second = recurrent.init(np.random.default_rng(1), cell, H, H)
    module = torch.nn.LSTM(D, H, num_layers=2, dropout=rate, batch_first=True, dtype=torch.float64)
    fill_torch(torch, module, first, "_l0")
    fill_torch(torch, module, second, "_l1")
    inputs = torch.tensor(x, requires_grad=True)
    torch.manual_seed(3)
    output, _ = module(inputs)
    (output * torch.tensor(grad)).sum().backward()
    torch.manual_seed(3)
    mask = torch.nn.functional.dropout(torch.ones((T, B, H), dtype=torch.float64), rate).numpy().swapaxes(0, 1)
    mine = _two_layers(cell, first, second, x, mask, grad)
    theirs = [output.detach().numpy(), inputs.grad.numpy()]
    agree(mine, theirs + torch_gradients(module, first, "_l0") + torch_gradients(module, second, "_l1"))


def _two_layers(cell, first, second, x, mask, grad):
    h, _, lower = recurrent.forward(cell, first, x, noise=Noise(output=mask))
    output, _, upper = recurrent.forward(cell, second, h)
    grad_h, second_grads, _ = recurrent.backward(upper, grad)
    grad_x, first_grads, _ = recurrent.backward(lower, grad_h)
    return [output, grad_x, *first_grads, *second_grads]


def keras_order(cell, params):
    """Return our parameters as the weights of a Keras layer: for a GRU its gates z, r, h and its two biases."""
    if not isinstance(cell, GRU):
        return params
    swapped = [_swap(p) for p in params[:3]]
    if not cell.reset_after:
        return swapped
    recurrent_bias = np.concatenate([np.zeros(2 * H), params[3]])
    return [*swapped[:2], np.stack([swapped[2], recurrent_bias])]


def from_keras_order(cell, grads):
    if not isinstance(cell, GRU):
        return grads
    if not cell.reset_after:
        return [_swap(g) for g in grads]
    return [_swap(grads[0]), _swap(grads[1]), _swap(grads[2][0]), grads[2][1][2 * H :]]


def _swap(array):
    first, second, rest = array[..., :H], array[..., H : 2 * H], array[..., 2 * H :]
    return np.concatenate([second, first, rest], axis=-1)


def in_keras(tf, layer, cell, params, x, state, grad, grad_state, mask=None, training=False):
    """Return what `ours` does, from a Keras layer that returns sequences and states."""
    layer.build(x.shape)
    layer.set_weights(keras_order(cell, params))
    variables = [tf.Variable(a) for a in (x, *state)]
    with tf.GradientTape() as tape:
        output, *final = layer(variables[0], initial_state=variables[1:], mask=mask, training=training)
        scalar = tf.reduce_sum(output * grad)
        scalar += sum(tf.reduce_sum(a * g) for a, g in zip(final, grad_state, strict=True))
    weights = [weight.value for weight in layer.trainable_weights]
    grad_x, *rest = (g.numpy() for g in tape.gradient(scalar, [*variables[:1], *weights, *variables[1:]]))
    grads, start = from_keras_order(cell, rest[: len(weights)]), rest[len(weights) :]
    return [output.numpy(), *(a.numpy() for a in final), grad_x, *grads, *start]


KERAS = [(RNN(), "SimpleRNN", {}), (LSTM(), "LSTM", {}), (GRU(), "GRU", {})]
KERAS += [(GRU(reset_after=False), "GRU", {"reset_after": False})]
OPTIONS = {"return_sequences": True, "return_state": True, "dtype": "float64"}


@pytest.mark.parametrize(("cell", "name", "options"), KERAS)
def test_sequences_of_keras(keras, tf, cell, name, options):
    arguments = problem(cell)
    layer = getattr(keras.layers, name)(H, **OPTIONS, **options)
    agree(ours(cell, *arguments), in_keras(tf, layer, cell, *arguments))


@pytest.mark.parametrize(("cell", "name", "options"), KERAS)
def test_masked_sequences_of_keras(keras, tf, cell, name, options):
    arguments = problem(cell)
    steps = np.arange(T) < np.array([9, 5, 2, 1])[:, None]
    layer = getattr(keras.layers, name)(H, **OPTIONS, **options)
    agree(ours(cell, *arguments, steps=steps), in_keras(tf, layer, cell, *arguments, mask=steps))


@pytest.mark.parametrize(("cell", "name", "options"), KERAS)
def test_the_same_masks_in_keras(keras, tf, cell, name, options):
    rng = np.random.default_rng(2)
    arguments = problem(cell)
    layer = getattr(keras.layers, name)(H, dropout=0.3, recurrent_dropout=0.4, **OPTIONS, **options)
    gates = cell.gates
    inputs, states = (rng.random((B, gates, D)) < 0.7) / 0.7, (rng.random((B, gates, H)) < 0.6) / 0.6
    noise = Noise(input=inputs[:, None], recurrent=states[:, None])
    if isinstance(cell, GRU):
        inputs, states = inputs[:, [1, 0, 2]], states[:, [1, 0, 2]]
    one = gates == 1
    layer.cell.get_dropout_mask = lambda _: inputs[:, 0] if one else [inputs[:, k] for k in range(gates)]
    layer.cell.get_recurrent_dropout_mask = lambda _: states[:, 0] if one else [states[:, k] for k in range(gates)]
    agree(ours(cell, *arguments, noise=noise), in_keras(tf, layer, cell, *arguments, training=True))


def test_the_masks_that_keras_draws(keras, tf):
    cell = LSTM()
    arguments = problem(cell)
    layer = keras.layers.LSTM(H, recurrent_dropout=0.4, seed=5, **OPTIONS)
    original, drawn = layer.cell.get_recurrent_dropout_mask, {}
    layer.cell.get_recurrent_dropout_mask = lambda h: drawn.setdefault("masks", original(h))
    theirs = in_keras(tf, layer, cell, *arguments, training=True)
    masks = np.stack([mask.numpy() for mask in drawn["masks"]], axis=1)
    assert masks.shape == (B, 4, H)
    assert len(np.unique(masks.reshape(B, 4, H)[0], axis=0)) > 1
    agree(ours(cell, *arguments, noise=Noise(recurrent=masks[:, None])), theirs)


def test_the_weights_convert_as_the_conventions_say(torch):
    params, x, *_ = problem(LSTM())
    module = torch.nn.LSTM(D, H, batch_first=True, dtype=torch.float64)
    arrays = layouts.lstm_keras_to_torch(*params)
    with torch.no_grad():
        for weight, array in zip(module.parameters(), arrays, strict=True):
            weight.copy_(torch.tensor(array))
    output, _, _ = recurrent.forward(LSTM(), params, x)
    agree([output], [module(torch.tensor(x))[0].detach().numpy()])


def state_noise(tf, keep, masks, variational, whole):
    """Return TensorFlow's DropoutWrapper around a Keras LSTM cell, with masks of ours; ``whole`` drops c too."""
    import keras

    cell = keras.layers.LSTMCell(H, dtype="float64")
    options = (
        {} if whole else {"dropout_state_filter_visitor": lambda s: [True, False] if isinstance(s, list) else True}
    )
    wrapper = tf.nn.RNNCellDropoutWrapper(
        cell, state_keep_prob=keep, variational_recurrent=variational, dtype=tf.float64, **options
    )
    wrapper._recurrent_state_noise = [tf.constant(np.where(mask > 0, 0.99, 0.0)) for mask in masks]
    return cell, wrapper


@pytest.mark.parametrize("whole", [True, False])
def test_the_dropout_wrapper_of_tensorflow(keras, tf, whole):
    rng, keep, cell = np.random.default_rng(4), 0.625, LSTM()  # 5 / 8: TensorFlow keeps it as a float32
    params, x, state, grad, grad_state = problem(cell)
    masks = [(rng.random((1, H)) < keep) / keep for _ in range(2)]
    inner, wrapper = state_noise(tf, keep, masks, True, whole)
    wrapper.build((B, D))
    inner.set_weights(params)
    variables = [tf.Variable(a) for a in (x, *state)]
    with tf.GradientTape() as tape:
        outputs, carried = [], list(variables[1:])
        for t in range(T):
            output, carried = wrapper(variables[0][:, t], carried)
            outputs.append(output)
        output = tf.stack(outputs, axis=1)
        scalar = tf.reduce_sum(output * grad)
        scalar += sum(tf.reduce_sum(a * g) for a, g in zip(carried, grad_state, strict=True))
    weights = [weight.value for weight in inner.trainable_weights]
    grad_x, *rest = (g.numpy() for g in tape.gradient(scalar, [variables[0], *weights, *variables[1:]]))
    noise = Noise(state_h=masks[0][None], state_c=masks[1][None] if whole else None)
    theirs = [output.numpy(), *(a.numpy() for a in carried), grad_x, *rest]
    agree(ours(cell, params, x, state, grad, grad_state, noise=noise), theirs)


def layer_norm_in_torch(torch, cell, params, x, state, grad, grad_state, candidate):
    """Return what `ours` does, from torch.nn.LayerNorm and plain operations on tensors."""
    functional = torch.nn.functional

    def norm(u, gain, shift):
        layer = torch.nn.LayerNorm(u.shape[-1], eps=cell.epsilon, dtype=torch.float64)
        values = {"weight": gain, "bias": shift}
        return torch.func.functional_call(layer, values, (u,))

    weights = [torch.tensor(p, requires_grad=True) for p in params]
    inputs, *start = (torch.tensor(a, requires_grad=True) for a in (x, *state))
    (h, c), outputs = start, []
    for t in range(T):
        gx, gh = (functional.linear(v, w.T) for v, w in ((inputs[:, t], weights[0]), (h, weights[1])))
        if cell.norm == "products":
            a = norm(gx, weights[3], weights[4]) + norm(gh, weights[5], weights[6]) + weights[2]
            i, f, g, o = a.chunk(4, dim=-1)
        else:
            parts = zip((gx + gh).chunk(4, dim=-1), weights[3].chunk(4), weights[2].chunk(4), strict=True)
            i, f, g, o = (norm(*part) for part in parts)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g) * torch.tensor(candidate[:, t])
        normalized = norm(c, weights[-2], weights[-1])
        h = torch.sigmoid(o) * torch.tanh(normalized)
        c = normalized if cell.carry == "normalized" else c
        outputs.append(h)
    output = torch.stack(outputs, dim=1)
    scalar = (output * torch.tensor(grad)).sum()
    sum([(a * torch.tensor(g)).sum() for a, g in zip((h, c), grad_state, strict=True)], start=scalar).backward()
    return [a.detach().numpy() for a in (output, h, c)] + [a.grad.numpy() for a in (inputs, *weights, *start)]


@pytest.mark.parametrize("epsilon", [1e-5, 1e-3])
@pytest.mark.parametrize("norm", ["products", "gates"])
@pytest.mark.parametrize("carry", ["raw", "normalized"])
def test_the_layer_norm_lstm_from_the_norms_of_torch(torch, epsilon, norm, carry):
    cell = LayerNormLSTM(epsilon=epsilon, norm=norm, carry=carry)
    arguments = problem(cell)
    candidate = (np.random.default_rng(6).random((B, T, H)) < 0.7) / 0.7
    theirs = layer_norm_in_torch(torch, cell, *arguments, candidate)
    agree(ours(cell, *arguments, noise=Noise(candidate=candidate)), theirs)
