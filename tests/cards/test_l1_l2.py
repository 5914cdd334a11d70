"""The tabs of the card of L1 and L2: one step with L2 on all weights, and exact zeros by L1 in the first layer."""

import keras
import numpy as np
import pytest
import torch

from regkit.keras import ProximalL1
from regkit.torch import proximal_l1_
from reglib.nets.mlp import MLP
from reglib.train import loop, optim
from reglib.train.technique import Technique, value_and_grads
from reglib.weights.penalties import L1
from tests.cards import harness

torch_tab, keras_tab, numpy_tab = harness.run("penalties/l1-l2")
NET, RATE, L1_STRENGTH, L2_STRENGTH = numpy_tab.net, 0.1, 1e-3, 1e-4


def one_step(params, x, y):
    """Return loss and parameters after one step, by hand: gradient step with L2 on weights, soft threshold on w1."""
    loss, grads = value_and_grads(NET, params, np.asarray(x, float), np.asarray(y))
    new = {}
    for name, w in params.items():
        pull = 2 * L2_STRENGTH * w if name.startswith("w") else 0.0
        new[name] = w - RATE * (grads[name] + pull)
    v = new["w1"]
    new["w1"] = np.sign(v) * np.maximum(np.abs(v) - RATE * L1_STRENGTH, 0)
    return loss, new


def assert_same(mine, theirs, tolerance):
    harness.assert_agree(theirs, mine, tolerance)
    # As many exact zeros, but for entries whose distance from the threshold is rounding.
    assert abs(np.sum(mine["w1"] == 0) - np.sum(theirs["w1"] == 0)) <= (0 if tolerance < 1e-9 else 2)


def fresh_start(dtype=np.float64):
    """Return parameters of which many are within the threshold of zero, and a batch."""
    rng = np.random.default_rng(7)
    start = {name: 1e-3 * w + (name[0] == "b") for name, w in NET.init(rng).items()}
    x, y = rng.normal(size=(50, 64)), rng.integers(10, size=50)
    return {name: w.astype(dtype) for name, w in start.items()}, x.astype(dtype), y


def test_numpy_takes_the_step_and_predicts():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((50, 64)), rng.integers(10, size=50)
    loss, new = one_step(NET.init(rng), x, y)
    assert numpy_tab.run.losses == pytest.approx([loss], abs=1e-12)
    assert_same(new, numpy_tab.run.params, 1e-12)
    np.testing.assert_array_equal(numpy_tab.prediction, NET.logits(numpy_tab.run.params, x).argmax(axis=1))


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 1e-6)])
def test_torch_takes_the_same_step_as_by_hand(dtype, tolerance):
    params, x, y = fresh_start(dtype)
    net, sgd = torch_tab.net, torch_tab.sgd
    kept, kind = {name: w.clone() for name, w in net.state_dict().items()}, torch.from_numpy(x).dtype
    before = [w.dtype for w in net.parameters()]
    try:
        net.to(kind)
        with torch.no_grad():
            for w, name in zip(net.parameters(), harness.NAMES, strict=True):
                w.copy_(torch.from_numpy(params[name].T))
        sgd.zero_grad()
        torch.nn.functional.cross_entropy(net(torch.from_numpy(x)), torch.from_numpy(y)).backward()
        sgd.step()
        proximal_l1_([net[0].weight], RATE * L1_STRENGTH)
        theirs = harness.from_torch(net.parameters())
    finally:
        net.to(before[0])
        net.load_state_dict(kept)
    mine = one_step({name: w.astype(float) for name, w in params.items()}, x, y)[1]
    assert np.sum(mine["w1"] == 0) > 100
    assert np.all(theirs["w2"] != 0)
    assert_same(mine, theirs, tolerance)


def test_the_tab_in_torch_spares_biases_and_predicts():
    decayed, spared = torch_tab.sgd.param_groups
    assert [tuple(w.shape) for w in decayed["params"]] == [(32, 64), (10, 32)]
    assert [tuple(w.shape) for w in spared["params"]] == [(32,), (10,)]
    assert (decayed["weight_decay"], spared["weight_decay"]) == (2 * L2_STRENGTH, 0)
    assert {group["lr"] for group in torch_tab.sgd.param_groups} == {RATE}
    harness.assert_evaluated_without_noise(torch_tab, NET)


def test_the_tab_in_torch_takes_the_step():
    torch.manual_seed(5)
    start = torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10))
    torch.manual_seed(5)
    again = harness.run_code(harness.tabs("penalties/l1-l2")["PyTorch"])
    mine = one_step(harness.from_torch(start.parameters()), again.x, again.y)[1]
    assert_same(mine, harness.weights(again), 1e-6)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-9), ("float32", 1e-6)])
def test_keras_takes_the_same_step_as_by_hand(dtype, tolerance):
    # Keras on TensorFlow passes the two strengths through 32 bits: 1e-8 of 1e-4.
    params, x, y = fresh_start(dtype)
    net = keras.Sequential(
        [type(layer).from_config(layer.get_config() | {"dtype": dtype}) for layer in keras_tab.net.layers]
    )
    optimizer = ProximalL1.from_config(keras_tab.net.optimizer.get_config())
    assert optimizer.get_config()["on"] == ("first/kernel",)
    usual = keras.config.floatx()
    keras.config.set_floatx(dtype)
    try:
        net.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        net.build((50, 64))
        net.set_weights([params[name] for name in harness.NAMES])
        reported = net.fit(x, y, batch_size=50, verbose=0).history["loss"]
    finally:
        keras.config.set_floatx(usual)
    theirs = harness.named(net.get_weights())
    start = {name: w.astype(float) for name, w in params.items()}
    loss, mine = one_step(start, x, y)
    squares = sum(np.sum(start[name] ** 2) for name in ("w1", "w2"))
    assert reported == pytest.approx([loss + L2_STRENGTH * squares], abs=1e-6)
    assert np.sum(mine["w1"] == 0) > 100
    assert np.all(theirs["w2"] != 0)
    assert_same(mine, theirs, tolerance)


def test_keras_predicts_without_a_penalty():
    harness.assert_evaluated_without_noise(keras_tab, NET)


def test_repeated_steps_leave_the_first_layer_sparse():
    # By the tab's technique; without the proximal step no weight is zero.
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((50, 64)), rng.integers(10, size=50)
    start, sgd = NET.init(rng), numpy_tab.sgd
    techniques = {"proximal": numpy_tab.l1, "gradient": Technique(penalty=L1(L1_STRENGTH, on="w1"))}
    zeros = {
        name: np.sum(dict(loop.train(NET, start, sgd, [(x, y)] * 300, technique=technique).params)["w1"] == 0)
        for name, technique in techniques.items()
    }
    assert zeros["proximal"] > 100
    assert zeros["gradient"] == 0
    assert (NET, sgd) == (MLP((64, 32, 10)), optim.SGD(RATE, l2=L2_STRENGTH, decay_on="weight"))
