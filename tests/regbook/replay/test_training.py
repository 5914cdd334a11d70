"""Whole training runs in three libraries: what agrees, what has no counterpart, and what is noticed."""

from collections import deque

import matplotlib as mpl
import numpy as np
import pytest
import torch

from regbook import replay
from regbook.replay import _models, training
from regbook.replay.frameworks import in_float64
from reglib.layers.cells import GRU, LSTM
from reglib.nets.convnet import ConvNet
from reglib.nets.mlp import MLP
from reglib.nets.sequence import Sequence
from reglib.nets.variational import start
from reglib.noise.affine import Noise
from reglib.noise.kinds import Additive, Alpha, Bernoulli, Gaussian, Zoneout
from reglib.train.losses import squared_error
from reglib.train.optim import SGD, AdamW
from reglib.train.technique import Technique
from reglib.weights.penalties import L1, L2, ElasticNet, GroupLasso

mpl.use("Agg")
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(40, 6)), RNG.integers(3, size=40)
IMAGES = RNG.normal(size=(40, 4, 4, 2))
WORDS, LAST = RNG.normal(size=(40, 4, 2)), RNG.integers(3, size=40)
ROWS = RNG.integers(40, size=(6, 8))
NET = MLP((6, 5, 3))
CHANNELS = (-3, -2)


class GaussianDropout(torch.nn.Module):
    """What PyTorch does not have."""

    def __init__(self, rate):
        super().__init__()
        self.std = (rate / (1 - rate)) ** 0.5

    def forward(self, x):
        return x * (1 + self.std * torch.randn_like(x)) if self.training else x


def run(net, technique, optimizer=None, data=(X, Y), **options):
    params = net.init(np.random.default_rng(1))
    return replay.training_parity(net, params, technique, optimizer or SGD(0.25), ROWS, data, **options)


RATE = 0.375
CASES = {
    "plain": (NET, Technique(), {}),
    "dropout": (NET, Technique(noise={"hidden1": Bernoulli(RATE), "input": Bernoulli(0.125)}), {}),
    "a mask for the batch": (NET, Technique(noise={"hidden1": Bernoulli(RATE, shared=-2)}), {"frameworks": ["keras"]}),
    "alpha": (MLP((6, 5, 4, 3), "selu"), Technique(noise={"hidden1": Alpha(0.25), "hidden2": Alpha(0.25)}), {}),
    "tanh": (MLP((6, 5, 3), "tanh"), Technique(penalty=(L1(2**-5), L2(2**-6, on=("weight", "bias")))), {}),
    "sigmoid": (MLP((6, 5, 3), "sigmoid"), Technique(penalty=ElasticNet(2**-5, 2**-6, on="w2")), {}),
    "gaussian": (
        NET,
        Technique(noise={"hidden1": Gaussian(RATE), "input": Additive(0.5)}),
        {"frameworks": ["keras"]},
    ),
    "own": (NET, Technique(noise={"hidden1": Gaussian(RATE)}), {"layers": {"hidden1": GaussianDropout(RATE)}}),
    "channels": (
        ConvNet((2, 3, 4, 3)),
        Technique(noise={"maps1": Bernoulli(RATE, shared=CHANNELS), "maps2": Bernoulli(RATE, shared=CHANNELS)}),
        {"data": (IMAGES, Y)},
    ),
    "units of maps": (
        ConvNet((2, 3, 4, 3)),
        Technique(noise={"input": Bernoulli(0.125), "maps1": Alpha(RATE, shared=CHANNELS), "maps2": Alpha(RATE)}),
        {"data": (IMAGES, Y)},
    ),
    "soft labels": (NET, Technique(), {"data": (X, np.full((40, 3), 1 / 3))}),
    "squares": (
        MLP((6, 1)),
        Technique(noise={"input": Bernoulli(0.5)}),
        {"data": (X, X @ np.ones((6, 1))), "loss": squared_error},
    ),
    "two targets": (NET, Technique(), {"data": (X, X[:, :3]), "loss": squared_error}),
    "adamw": (NET, Technique(noise={"hidden1": Bernoulli(RATE)}), {"optimizer": "adamw"}),
    "the state": (
        Sequence(LSTM(), 2, 4, 3),
        Technique(noise={"state_h": Bernoulli(0.25), "state_c": Bernoulli(0.25)}, penalty=L2(2**-6)),
        {"data": (WORDS, LAST), "frameworks": ["keras cell", "torch cell", "tensorflow"]},
    ),
    "the candidate": (
        Sequence(LSTM(), 2, 4, 3),
        Technique(noise={"candidate": Bernoulli(0.25)}),
        {"data": (WORDS, LAST)},
    ),
    "every step": (
        Sequence(GRU(), 2, 4, 2, readout="every"),
        Technique(noise={"zone_h": Zoneout(0.25)}),
        {"data": (WORDS, (WORDS[..., 0] > 0).astype(int))},
    ),
    "four masks": (
        Sequence(LSTM(), 2, 4, 3),
        Technique(noise={"recurrent": Bernoulli(0.25, shared=-2, gates=4)}),
        {"data": (WORDS, LAST), "frameworks": ["keras"]},
    ),
    "layers": (Sequence(LSTM(), 2, 4, 3), Technique(), {"data": (WORDS, LAST), "frameworks": ["torch", "keras"]}),
}
ADAMW = AdamW(0.02, weight_decay=0.125, beta1=0.875, beta2=1 - 2**-10, epsilon=1e-15, decay_on="weight")


@pytest.mark.parametrize("case", CASES)
def test_runs_agree(case):
    net, technique, options = CASES[case]
    optimizer = ADAMW if options.get("optimizer") else SGD(0.25, momentum=0.5, nesterov=True)
    runs = run(net, technique, **options | {"optimizer": optimizer})
    default = ["torch cell", "keras cell"] if isinstance(net, Sequence) else ["torch", "keras"]
    words = options.get("frameworks", default)
    assert list(runs) == ["NumPy", *(replay.frameworks.NAMES[word] for word in words)]
    for name in runs:
        assert runs[name].shape == (6,)
        assert np.ptp(runs[name]) > 1e-3
        for key, ours in runs.params["NumPy"].items():
            assert np.abs(runs.params[name][key] - ours).max() < 1e-9


def test_the_masks_are_the_frameworks_own_and_another_seed_draws_others():
    technique = CASES["dropout"][1]
    one, same, other = (run(NET, technique, seed=seed)["NumPy"] for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert (one[1:] != other[1:]).any()
    plain = run(NET, Technique())["NumPy"]
    assert np.abs(one - plain).max() > 0.01


def test_batches_from_a_function_and_the_random_state():
    state = torch.get_rng_state()
    technique, params = CASES["dropout"][1], NET.init(np.random.default_rng(1))
    runs = replay.training_parity(NET, params, technique, SGD(0.25), ROWS, lambda rows: (X[rows], Y[rows]))
    np.testing.assert_array_equal(runs["Keras"], run(NET, technique)["Keras"])
    assert torch.equal(torch.get_rng_state(), state)


def test_modules_of_ones_own_stay_as_they_are():
    module = GaussianDropout(RATE).eval()
    run(NET, Technique(noise={"hidden1": Gaussian(RATE)}), layers={"hidden1": module}, frameworks=["torch"])
    assert not module.training
    assert not module._forward_pre_hooks


def test_a_module_of_ones_own_with_another_rate_is_noticed():
    with pytest.raises(AssertionError, match=r"Gaussian.* has the mean 1 and the standard deviation 0.775"):
        run(NET, Technique(noise={"hidden1": Gaussian(RATE)}), layers={"hidden1": GaussianDropout(0.9)})


def test_runs_show_as_a_table_and_as_a_figure():
    runs = run(NET, CASES["dropout"][1])
    assert len(runs) == 3
    lines = repr(runs).splitlines()
    assert lines[1].split() == ["Run", "Steps", "First", "loss", "Last", "loss", "Largest", "gap"]
    assert [line.split()[:2] for line in lines[2:]] == [["NumPy", "6"], ["PyTorch", "6"], ["Keras", "6"]]
    assert f"{runs['NumPy'][-1]:.6f}" in runs._repr_html_()
    axis = runs.plot(ylabel="loss")
    assert [line.get_label() for line in axis.lines] == ["NumPy", "PyTorch", "Keras"]
    np.testing.assert_array_equal(axis.lines[2].get_ydata(), runs["Keras"])
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("step", "loss")
    assert runs.plot(axis) is axis
    mpl.pyplot.close(axis.figure)
    both = replay.agree({"output": {"PyTorch": (np.ones(2), np.ones(2))}}) | runs
    assert list(both.rows) == ["output", "loss of every step", "loss after the last"]


def changed(monkeypatch, change):
    """Let reglib's run see other noise than what was recorded."""
    original = training.Given.draw
    monkeypatch.setattr(training.Given, "draw", lambda self, *args: change(original(self, *args)))


@pytest.mark.parametrize(
    "change",
    [
        lambda noise: Noise(np.roll(noise.gain, 1, axis=-1)),
        lambda noise: Noise(-noise.gain),
        lambda noise: Noise(noise.gain * 0.9),
        lambda noise: Noise(noise.gain, 1e-6 * noise.gain),
    ],
)
def test_another_mask_rate_or_sign_is_noticed(monkeypatch, change):
    changed(monkeypatch, change)
    with pytest.raises(AssertionError, match="loss of every step against PyTorch: largest difference"):
        run(NET, CASES["dropout"][1])


@pytest.mark.parametrize("name", ["torch_optimizer", "keras_optimizer"])
def test_another_optimizer_is_noticed(monkeypatch, name):
    original = getattr(training, name)
    monkeypatch.setattr(training, name, lambda optimizer, named: original(SGD(0.25 + 1e-6), named))
    with pytest.raises(AssertionError, match="loss of every step against"):
        run(NET, Technique())


def test_a_wrong_last_step_is_noticed(monkeypatch):
    original = _models._reader
    monkeypatch.setattr(_models, "_reader", lambda *args: lambda: {k: 1.01 * p for k, p in original(*args)().items()})
    with pytest.raises(AssertionError, match="loss after the last against PyTorch: largest difference"):
        run(NET, Technique())


@pytest.mark.parametrize("framework", ["torch", "keras"])
def test_a_penalty_that_is_left_out_is_noticed(monkeypatch, framework):
    nothing = {"torch": ("torch_penalty", lambda penalty: lambda w: 0.0), "keras": ("_regularizers", lambda *_: {})}
    module = training if framework == "torch" else _models
    monkeypatch.setattr(module, *nothing[framework])
    with pytest.raises(AssertionError, match="loss of every step against"):
        run(NET, Technique(penalty=L2(2**-6)), frameworks=[framework])


def test_keras_own_rate_counts(monkeypatch):
    """Keras is given random numbers, not results: a layer with another rate shows."""
    with in_float64() as keras:
        wrong = {"hidden1": keras.layers.Dropout(0.25)}
    monkeypatch.setattr(_models, "_keras_noise", lambda kind, net, place: wrong[place])
    with pytest.raises(AssertionError, match="loss of every step against Keras"):
        run(NET, Technique(noise={"hidden1": Bernoulli(RATE)}))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Bernoulli(0.5), "Keras draws \\(2, 3\\) for Alpha; the next noise is Bernoulli"),
        (Alpha(0.5), "Keras draws \\(2, 3\\) for Alpha; the next noise is Alpha"),
        (None, "Keras draws \\(2, 3\\) for Alpha; the next noise is None"),
    ],
)
def test_noise_that_is_not_what_keras_draws(kind, words):
    with in_float64() as keras:
        layer = keras.layers.AlphaDropout(0.5)
        queue = deque([(kind, Noise(np.ones((1, 3))))] if kind else [])
        with _models.given_to_keras(queue), pytest.raises(AssertionError, match=words):
            layer(np.ones((2, 3)), training=True)


MISSING = {
    "PyTorch has no layer of Gaussian": (NET, Technique(noise={"hidden1": Gaussian(0.5)})),
    "PyTorch has no layer of Bernoulli": (NET, Technique(noise={"hidden1": Bernoulli(0.5, shared=-2)})),
    "PyTorch has no layer of Bernoulli\\(rate=0.25": (NET, Technique(noise={"input": Bernoulli(0.25, scaled=False)})),
    "PyTorch has no layer of Alpha": (NET, Technique(noise={"hidden1": Alpha(0.5, mean=0.5)})),
    "PyTorch has no counterpart of GroupLasso": (NET, Technique(penalty=GroupLasso(0.5, np.arange(6), on="w1"))),
    "the technique has data": (NET, Technique(data=lambda rng, x, y: (x, y))),
    "the technique has between": (NET, Technique(between=lambda params, memory: (params, memory))),
    "the technique has proximal": (NET, Technique(penalty=L1(0.5), proximal=True)),
    "a batch has 3 parts": (NET, Technique()),
    "a ConvNet's readout 'mean', got 'every'": (ConvNet((2, 3, 4, 3), readout="every"), Technique()),
}


@pytest.mark.parametrize("words", MISSING)
def test_what_frameworks_do_not_have(words):
    net, technique = MISSING[words]
    data = (X, Y, Y) if "3 parts" in words else (X, Y)
    with pytest.raises(replay.MissingError, match=words):
        run(net, technique, data=data)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Zoneout(0.5), "Keras has no layer of Zoneout"),
        (Gaussian(0.5, shared=-2), "normal noise is one number a unit"),
    ],
)
def test_what_keras_does_not_have(kind, words):
    with pytest.raises(replay.MissingError, match=words):
        run(NET, Technique(noise={"hidden1": kind}), frameworks=["keras"])


def test_arguments():
    with pytest.raises(ValueError, match="frameworks must be one of 'torch', 'keras'; got 'torch cell'"):
        run(NET, Technique(), frameworks=["torch cell"])
    with pytest.raises(ValueError, match="frameworks must name at least one, got none"):
        run(NET, Technique(), frameworks=[])
    with pytest.raises(ValueError, match="loss must be one of"):
        run(NET, Technique(), loss=abs)
    with pytest.raises(ValueError, match="layers must hold modules of PyTorch at places with noise"):
        run(NET, Technique(), layers={"hidden1": GaussianDropout(0.5)})
    params = NET.init(RNG, dtype=np.float32)
    with pytest.raises(TypeError, match="params must be float64"):
        replay.training_parity(NET, params, Technique(), SGD(0.1), ROWS, (X, Y))
    with pytest.raises(replay.MissingError, match="no framework has a counterpart of"):
        replay.training_parity(abs, start(NET.init(RNG), 0.5), Technique(), SGD(0.1), ROWS, (X, Y))
