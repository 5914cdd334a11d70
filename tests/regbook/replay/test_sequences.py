"""Recurrent layers: the ways to run them, what they cannot do, and that wrong masks, places and signs are noticed.

That reglib agrees with all of them stands in tests/parity/test_recurrent_frameworks.py.
"""

import numpy as np
import pytest

from regbook import replay
from regbook.replay.frameworks import MissingError
from reglib.layers import recurrent
from reglib.layers.cells import GRU, LSTM, RNN
from reglib.layers.layer_norm_lstm import LayerNormLSTM
from reglib.noise.affine import Noise

B, T, D, H = 3, 5, 2, 4
RNG = np.random.default_rng(0)
X, GRAD = RNG.normal(size=(B, T, D)), RNG.normal(size=(B, T, H))
CELL = LSTM()
PARAMS = {name: p + 0.3 * RNG.normal(size=p.shape) for name, p in recurrent.init(RNG, CELL, D, H).items()}


def gain(*shape, keep=0.625):
    """Return inverted dropout; 5 / 8 is a number that float32 holds."""
    return Noise((RNG.random(shape) < keep) / keep)


def share(*shape):
    return Noise((RNG.random(shape) < 0.5).astype(float))


MASK = gain(B, T, H)
ROW = Noise(np.array([[[1.6, 0.0, 1.6, 1.6]]]))  # one mask for all sequences and steps
PLACES = {
    "torch": {"input": gain(B, T, D), "output": MASK},
    "torch cell": {"input": gain(B, T, D), "recurrent": gain(B, 1, H), "candidate": MASK, "state_h": MASK}
    | {"zone_h": share(B, T, H), "zone_c": share(B, T, H), "state_c": ROW, "output": MASK},
    "keras": {"input": gain(B, 1, D), "recurrent": gain(B, 1, H), "output": MASK},
    "tensorflow": {"input": gain(B, T, D), "state_h": MASK, "state_c": ROW, "output": ROW},
}
PLACES["keras cell"] = PLACES["torch cell"]


@pytest.mark.parametrize("by", PLACES)
def test_noise_at_every_place(by):
    parity = replay.recurrent_parity(CELL, PARAMS, X, GRAD, by, noise=PLACES[by], name=by)
    quantities = ["output", "final state", "gradient of x", "of the parameters", "of the initial state"]
    assert list(parity.rows) == [f"{by}: {quantity}" for quantity in quantities]


@pytest.mark.parametrize(("by", "place"), [(by, place) for by, noise in PLACES.items() for place in noise])
def test_each_place_is_told_from_the_others_and_from_none(monkeypatch, by, place):
    """What reglib does with the noise left out, or with another draw of it, is not what the framework does with it."""
    noise = PLACES[by][place]
    replay.recurrent_parity(CELL, PARAMS, X, GRAD, by, noise={place: noise})
    original = recurrent.forward
    for other in (None, Noise(np.roll(noise.gain, 1, axis=-1))):
        given = {} if other is None else {place: other}
        wrong = lambda *args, given=given, **options: original(*args, **(options | {"noise": given}))  # noqa: E731
        monkeypatch.setattr(recurrent, "forward", wrong)
        with pytest.raises(AssertionError, match=r"(output|final state) against .*: largest difference"):
            replay.recurrent_parity(CELL, PARAMS, X, GRAD, by, noise={place: noise})
        monkeypatch.setattr(recurrent, "forward", original)


@pytest.mark.parametrize(("cell", "gates"), [(LSTM(), 4), (GRU(), 3)])
def test_a_mask_for_each_gate_has_its_place(cell, gates):
    params = recurrent.init(RNG, cell, D, H)
    masks = {"input": gain(B, 1, gates, D), "recurrent": gain(B, 1, gates, H)}
    replay.recurrent_parity(cell, params, X, GRAD, "keras", noise=masks)
    ours = replay.sequence("numpy", cell, params, X, GRAD, noise=masks)
    other = masks | {"recurrent": Noise(np.roll(masks["recurrent"].gain, 1, axis=2))}
    assert np.abs(ours.output - replay.sequence("keras", cell, params, X, GRAD, noise=other).output).max() > 0.01


@pytest.mark.parametrize("which", range(3))
def test_a_changed_sign_of_a_gradient_is_noticed(monkeypatch, which):
    original = recurrent.backward

    def wrong(*args):
        grads = list(original(*args))
        negative = {0: lambda g: -g, 1: lambda g: g | {"b": -g["b"]}, 2: lambda g: (g[0], -g[1])}[which]
        grads[which] = negative(grads[which])
        return grads

    monkeypatch.setattr(recurrent, "backward", wrong)
    words = ["gradient of x", "of the parameters against PyTorch, b", "of the initial state against PyTorch, c"][which]
    with pytest.raises(AssertionError, match=words):
        replay.recurrent_parity(CELL, PARAMS, X, GRAD, "torch")


def test_states_and_padding():
    steps = np.arange(T) < np.array([5, 2, 1])[:, None]
    state, grad_state = (tuple(RNG.normal(size=(2, B, H))) for _ in range(2))
    given = {"state": state, "grad_state": grad_state, "steps": steps}
    replay.recurrent_parity(CELL, PARAMS, X, GRAD, **given)
    done = replay.sequence("torch", CELL, PARAMS, X, GRAD, **given)
    assert done.output.shape == (B, T, H)
    assert [part.shape for part in (*done.state, *done.grad_state)] == [(B, H)] * 4
    assert done.grad_x.shape == X.shape
    assert {name: grad.shape for name, grad in done.grads.items()} == {name: p.shape for name, p in PARAMS.items()}
    with pytest.raises(AssertionError, match="output against Keras: largest difference"):
        replay.recurrent_parity(CELL, PARAMS, X, GRAD, "keras", **given | {"steps": None}) | _unpadded(given)


def _unpadded(given):
    """Compare reglib without padding with Keras with it."""
    ours = replay.sequence("numpy", CELL, PARAMS, X, GRAD, **given | {"steps": None}).output
    theirs = replay.sequence("keras", CELL, PARAMS, X, GRAD, **given).output
    return replay.agree({"output": {"Keras": (ours, theirs)}})


@pytest.mark.parametrize("cell", [LSTM(), LayerNormLSTM(), LayerNormLSTM(norm="gates", carry="normalized")])
@pytest.mark.parametrize("by", ["torch cell", "keras cell"])
def test_the_candidate(cell, by):
    params = {name: p + 0.3 * RNG.normal(size=p.shape) for name, p in recurrent.init(RNG, cell, D, H).items()}
    replay.recurrent_parity(cell, params, X, GRAD, by, noise={"candidate": MASK})


@pytest.mark.parametrize(
    ("by", "cell", "noise", "words"),
    [
        ("torch", LSTM(), {"recurrent": gain(B, 1, H)}, "PyTorch can have gains at input, output; got 'recurrent'"),
        ("keras", LSTM(), {"candidate": MASK}, "Keras can have gains at input, recurrent, output; got 'candidate'"),
        ("torch", LSTM(), {"output": Noise(offset=np.ones((B, T, H)))}, "got 'output' with Noise"),
        ("keras", LSTM(), {"recurrent": MASK}, "Keras draws its masks once a sequence; the gain at 'recurrent'"),
        ("keras", LSTM(), {"input": gain(B, 1, 4, D)}, "only where there is one at 'recurrent', too"),
        ("torch cell", LSTM(), {"recurrent": gain(B, 1, 4, H)}, "a mask for each gate apart at 'recurrent'"),
        ("keras cell", GRU(), {"recurrent": gain(B, 1, H)}, "lets nobody in between to have noise at 'recurrent'"),
        ("torch cell", GRU(), {"candidate": MASK}, "lets nobody in between to have noise at 'candidate'"),
        ("torch", GRU(reset_after=False), {}, "its reset gate acts after the product"),
        ("torch", LayerNormLSTM(), {}, "PyTorch has no counterpart of LayerNormLSTM"),
        ("tensorflow", LSTM(), {"state_h": Noise(RNG.random((B, T, H)))}, "knows gains of 0 and 1 / keep alone"),
        (
            "tensorflow",
            LSTM(),
            {"state_h": gain(B, T, H, keep=0.5), "state_c": MASK},
            "knows gains of 0 and 1 / keep alone",
        ),
    ],
)
def test_what_a_framework_does_not_have(by, cell, noise, words):
    params = recurrent.init(RNG, cell, D, H)
    with pytest.raises(MissingError, match=words):
        replay.recurrent_parity(cell, params, X, GRAD, by, noise=noise)


@pytest.mark.parametrize("by", ["torch cell", "keras cell", "tensorflow"])
def test_cells_know_nothing_of_padding(by):
    with pytest.raises(MissingError, match="it knows nothing of padding"):
        replay.recurrent_parity(CELL, PARAMS, X, GRAD, by, steps=np.ones((B, T), bool))


def test_a_probability_that_tensorflow_rounds():
    with pytest.raises(ValueError, match="keep must be a number that float32 holds"):
        replay.recurrent_parity(CELL, PARAMS, X, GRAD, "tensorflow", noise={"state_h": gain(B, T, H, keep=0.7)})


def test_arguments():
    with pytest.raises(ValueError, match="by must be one of 'numpy', 'torch', 'torch cell'"):
        replay.sequence("jax", CELL, PARAMS, X, GRAD)
    with pytest.raises(TypeError, match="x must be float64, got float32"):
        replay.sequence("torch", CELL, PARAMS, X.astype(np.float32), GRAD)


def test_numpy_and_a_cell_without_memory():
    params = recurrent.init(RNG, RNN(), D, H)
    done = replay.sequence("numpy", RNN(), params, X, GRAD)
    assert len(done.state) == len(done.grad_state) == 1
    np.testing.assert_array_equal(done.output[:, -1], done.state[0])
