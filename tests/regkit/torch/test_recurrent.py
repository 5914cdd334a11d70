"""LSTMs with noise against `reglib.layers.recurrent` on the same noise, and against PyTorch's own without any."""

import numpy as np
import pytest
import torch

from regbook import replay
from regkit.torch import LayerNormLSTM, NoisyLSTM
from regkit.torch.recurrent import PLACES
from reglib.layers import recurrent
from reglib.layers.cells import LSTM
from reglib.layers.layer_norm_lstm import LayerNormLSTM as Cell
from reglib.noise import places
from reglib.noise.affine import Noise
from reglib.noise.kinds import Bernoulli, Zoneout
from tests import statistical
from tests.conftest import exactly
from tests.regkit.torch.common import agree, leaf

T, B, D, H = 9, 4, 3, 5
P = 0.3
LENGTHS = np.array([5, 9, 2, 1])
ONCE = ("input", "recurrent", "output")
CELLS = [LSTM(), *(Cell(norm=norm, carry=carry) for norm in ("products", "gates") for carry in ("raw", "normalized"))]
CELLS.append(Cell(epsilon=1e-3, carry="normalized"))  # TensorFlow Addons'


def problem(cell, seed=0):
    """Return asymmetric parameters, inputs, gradients of output and final state, and an initial state."""
    rng = np.random.default_rng(seed)
    params = {name: p + 0.3 * rng.standard_normal(p.shape) for name, p in recurrent.init(rng, cell, D, H).items()}
    x, grad = rng.standard_normal((B, T, D)), rng.standard_normal((B, T, H))
    return params, x, grad, *(tuple(rng.standard_normal((2, B, H))) for _ in range(2))


def module(cell, params, *, batch_first=True, **options):
    """Return a module in float64 with reglib's parameters."""
    sizes = (D, H, batch_first)
    if isinstance(cell, LSTM):
        lstm = NoisyLSTM(*sizes, dtype=torch.float64, **options)
        values = {"weight_ih_l0": params["w_x"].T, "weight_hh_l0": params["w_h"].T, "bias_ih_l0": params["b"]}
        values["bias_hh_l0"] = np.zeros_like(params["b"])
    else:
        options |= {"norm": cell.norm, "carry": cell.carry, "epsilon": cell.epsilon}
        lstm = LayerNormLSTM(*sizes, dtype=torch.float64, **options)
        values = {"weight_ih_l0": params["w_x"].T, "weight_hh_l0": params["w_h"].T}
        norms = {"norm_c": (params["gain_c"], params["shift_c"])}
        if cell.norm == "products":
            norms["norm_x"] = (params["gain_x"], params["shift_x"] + params["b"])  # its shift is the bias
            norms["norm_h"] = (params["gain_h"], params["shift_h"])
        else:
            norms["norm_sum"] = (params["gain"], params["b"])
        for name, (gain, shift) in norms.items():
            values |= {f"{name}.weight": gain, f"{name}.bias": shift}
    lstm.load_state_dict({name: torch.tensor(value) for name, value in values.items()})
    return lstm


def gradients(cell, lstm):
    """Return a module's gradients by reglib's names and in its layout."""
    found = {name: parameter.grad for name, parameter in lstm.named_parameters()}
    grads = {"w_x": found["weight_ih_l0"].T, "w_h": found["weight_hh_l0"].T}
    if isinstance(cell, LSTM):
        torch.testing.assert_close(found["bias_hh_l0"], found["bias_ih_l0"], rtol=1e-13, atol=1e-13)
        return grads | {"b": found["bias_ih_l0"]}
    grads |= {"gain_c": found["norm_c.weight"], "shift_c": found["norm_c.bias"]}
    if cell.norm == "gates":
        return grads | {"gain": found["norm_sum.weight"], "b": found["norm_sum.bias"]}
    for part in "xh":
        grads |= {f"gain_{part}": found[f"norm_{part}.weight"], f"shift_{part}": found[f"norm_{part}.bias"]}
    return grads


def draw(rates, *, scaled=False, once=ONCE, seed=5):
    """Return reglib's noise by place, and the masks that a module would have drawn, (T or 1, B, K)."""
    rng, kinds = np.random.default_rng(seed), {}
    for place, p in rates.items():
        shared = -2 if place in once else ()
        zone, state = place.startswith("zone"), place.startswith("state")
        kinds[place] = Zoneout(p, shared) if zone else Bernoulli(p, shared, scaled=scaled or not state)
    noise = places.draw(rng, kinds, recurrent.places(LSTM(), problem(LSTM())[0], np.zeros((B, T, D))))
    masks = {place: (entry.gain > 0).astype(float).swapaxes(0, 1) for place, entry in noise.items()}
    assert all(len(np.unique(mask)) == 2 for mask in masks.values())
    return noise, {place: torch.tensor(mask.copy()) for place, mask in masks.items()}


def compare(cell, rates, *, lengths=None, scaled=False, once=ONCE, batch_first=True):
    """Compare output, final state and all gradients of a module with those of reglib."""
    params, x, grad, state, grad_state = problem(cell)
    noise, masks = draw(rates, scaled=scaled, once=once)
    steps = None if lengths is None else np.arange(T) < lengths[:, None]
    there = np.ones((B, T), bool) if steps is None else steps
    grad = np.where(there[..., None], grad, 0)
    ours = replay.sequence("numpy", cell, params, x, grad, state=state, grad_state=grad_state, noise=noise, steps=steps)
    lstm = module(cell, params, batch_first=batch_first, scaled=scaled, once=once, **rates)
    lstm.draw = lambda place, shape: checked(masks[place], shape)
    inputs, start = leaf(x), [leaf(part[None]) for part in state]
    fed = inputs if batch_first else inputs.swapaxes(0, 1)
    if lengths is not None:
        fed = torch.nn.utils.rnn.pack_padded_sequence(
            inputs, torch.tensor(lengths), batch_first=True, enforce_sorted=False
        )
    output, final = lstm(fed, start)
    if lengths is not None:
        output, found = torch.nn.utils.rnn.pad_packed_sequence(output, batch_first=True)
        assert found.tolist() == lengths.tolist()
    output = output if batch_first else output.swapaxes(0, 1)
    torch.autograd.backward([output, *final], [torch.tensor(array) for array in (grad, *(g[None] for g in grad_state))])
    agree(output, np.where(there[..., None], ours.output, 0))
    agree(inputs.grad, ours.grad_x)
    for part, own in zip(final, ours.state, strict=True):
        agree(part[0], own)
    for part, own in zip(start, ours.grad_state, strict=True):
        agree(part.grad[0], own)
    theirs = gradients(cell, lstm)
    missing = {"b"} if isinstance(cell, Cell) and cell.norm == "products" else set()
    assert set(ours.grads) - set(theirs) == missing
    for name, own in theirs.items():
        agree(own, ours.grads[name])


def checked(mask, shape):
    """Return a mask, if it has the shape that the module asked for."""
    assert mask.shape == torch.Size(shape)
    return mask


EVERYWHERE = dict.fromkeys(PLACES, P)


@pytest.mark.parametrize("place", PLACES)
def test_each_place_on_the_same_noise(place):
    compare(LSTM(), {place: P})


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_all_places_together_and_packed_sequences(cell, lengths):
    compare(cell, EVERYWHERE, lengths=lengths)


@pytest.mark.parametrize("cell", CELLS[:2])
def test_other_schedules_scaled_state_and_time_first(cell):
    compare(cell, EVERYWHERE, once=("input", "candidate", "zone_h", "state_c"), scaled=True, batch_first=False)


@pytest.mark.parametrize("cell", CELLS[1:])
def test_layer_normalization_without_noise(cell):
    compare(cell, {})


@pytest.mark.parametrize("packed", [False, True])
def test_without_noise_it_is_torchs(packed):
    params, x, _, state, _ = problem(LSTM())
    lstm = module(LSTM(), params, **{place: P for place in PLACES if not place.startswith(("zone", "state"))}).eval()
    plain = torch.nn.LSTM(D, H, batch_first=True, dtype=torch.float64)
    plain.load_state_dict(lstm.state_dict())
    x, state = torch.tensor(x), tuple(torch.tensor(part[None]) for part in state)
    if packed:
        x = torch.nn.utils.rnn.pack_padded_sequence(x, torch.tensor(LENGTHS), batch_first=True, enforce_sorted=False)
    for module_ in (lstm, module(LSTM(), params), module(LSTM(), params, candidate=0, zone_c=0.0)):
        (output, (h, c)), (theirs, (their_h, their_c)) = module_(x, state), plain(x, state)
        assert torch.equal(*(out.data if packed else out for out in (output, theirs)))
        assert torch.equal(h, their_h)
        assert torch.equal(c, their_c)


@pytest.mark.parametrize("cell", CELLS[:2])
@pytest.mark.parametrize("scaled", [False, True])
def test_evaluation_takes_the_mean_of_zoneout_and_of_unscaled_noise(cell, scaled):
    params, x, grad, state, _ = problem(cell)
    places_ = {"zone_h": 0.2, "zone_c": 0.4, "candidate": 0.5, "state_h": 0.1, "state_c": 0.3, "input": 0.5}
    lstm = module(cell, params, scaled=scaled, **places_).eval()
    output, _ = lstm(torch.tensor(x), [torch.tensor(part[None]) for part in state])
    means = {"zone_h": 0.8, "zone_c": 0.6} | ({} if scaled else {"state_h": 0.9, "state_c": 0.7})
    noise = {place: Noise(np.asarray(mean)) for place, mean in means.items()}
    agree(output, replay.sequence("numpy", cell, params, x, grad, state=state, noise=noise).output)


def test_packed_in_order_with_ties():
    """What was packed as sorted comes back so; equal lengths keep their order."""
    x, lengths = torch.randn(T, B, D), [9, 5, 5, 2]
    packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths)
    lstm = LayerNormLSTM(D, H)
    output, (h, _) = lstm(packed)
    assert output.sorted_indices is None
    alone = torch.cat([lstm(x[:length, b : b + 1])[1][0] for b, length in enumerate(lengths)], dim=1)
    torch.testing.assert_close(h, alone)
    padded, _ = torch.nn.utils.rnn.pad_packed_sequence(output)
    torch.testing.assert_close(padded[lengths[1] - 1, 1], h[0, 1])


def test_masks_are_drawn_with_the_rate_of_their_place_and_on_its_schedule():
    torch.manual_seed(6)
    rates = {place: 0.1 + 0.1 * k for k, place in enumerate(PLACES)}
    lstm = NoisyLSTM(40, 50, dtype=torch.float64, **rates)
    for place, p in rates.items():
        gain = lstm.gain(place, 30, 20)
        assert gain.shape == (1 if place in ONCE else 30, 20, 40 if place == "input" else 50)
        kept = 1.0 if place.startswith(("zone", "state")) else 1 / (1 - p)
        assert np.unique(gain) == pytest.approx([0, kept])
        statistical.assert_probability((gain > 0).sum(), gain.numel(), 1 - p)
        statistical.assert_independent_neighbors(gain.numpy(), 1)


def test_the_layer_norm_lstm_without_noise_in_bfloat16_follows_the_input():
    lstm = LayerNormLSTM(D, H, dtype=torch.bfloat16, **EVERYWHERE)
    for mode in (True, False):
        output, state = lstm.train(mode)(torch.ones(T, B, D, dtype=torch.bfloat16))
        assert {part.dtype for part in (output, *state)} == {torch.bfloat16}


def test_bad_arguments():
    words = ", ".join(map(repr, PLACES))
    with pytest.raises(ValueError, match=exactly(f"a place of noise must be one of {words}; got 'zone'")):
        NoisyLSTM(D, H, zone=0.1)
    with pytest.raises(ValueError, match=exactly(f"a place of noise must be one of {words}; got 'h'")):
        NoisyLSTM(D, H, once=("h",))
    with pytest.raises(ValueError, match=exactly("zone_c must be a number in [0, 1), got 1")):
        NoisyLSTM(D, H, zone_c=1)
    with pytest.raises(ValueError, match=exactly("norm must be one of 'products', 'gates'; got 'layer'")):
        LayerNormLSTM(D, H, norm="layer")
    with pytest.raises(ValueError, match=exactly("carry must be one of 'raw', 'normalized'; got 'c'")):
        LayerNormLSTM(D, H, carry="c")
    with pytest.raises(ValueError, match=exactly("epsilon must be a number in (0, inf), got 0")):
        LayerNormLSTM(D, H, epsilon=0)


@pytest.mark.parametrize("shape", [(T, D), (0, B, D), (T, 0, D)])
def test_no_sequences(shape):
    expected = f"input must have three axes, with steps and examples, got shape {shape}"
    with pytest.raises(ValueError, match=exactly(expected)):
        NoisyLSTM(D, H, candidate=P)(torch.ones(shape))


def test_a_state_of_another_shape():
    with pytest.raises(RuntimeError, match="Expected hidden size"):
        NoisyLSTM(D, H, candidate=P)(torch.ones(T, B, D), (torch.ones(B, H), torch.ones(B, H)))


def test_no_biases():
    lstm = NoisyLSTM(D, H, bias=False, candidate=P)
    assert [name for name, _ in lstm.named_parameters()] == ["weight_ih_l0", "weight_hh_l0"]
    assert lstm(torch.zeros(T, B, D))[0].abs().max() == 0


def test_it_shows_its_numbers():
    assert repr(NoisyLSTM(D, H, zone_h=0.1, recurrent=P)) == "NoisyLSTM(3, 5, zone_h=0.1, recurrent=0.3)"
