"""The tabs of the card of weight decay: AdamW's decay acts on matrices alone, in all three, and by the same amount."""

import keras
import numpy as np
import pytest
import torch

from regbook import replay
from reglib.train.optim import AdamW
from reglib.train.technique import value_and_grads
from tests.cards.harness import from_torch, named, run

torch_tab, keras_tab, numpy_tab = run("penalties/weight-decay")
# The parameters of the networks with a normalization, in the order of both frameworks, by the names of reglib.
NAMES = ("w1", "b1", "gain", "shift", "w2", "b2")
SHAPES = {"w1": (64, 128), "b1": (128,), "gain": (128,), "shift": (128,), "w2": (128, 10), "b2": (10,)}
RATE, DECAY = 1e-3, 0.1


def before_the_step(now, gradients, epsilon):
    """Return the weights before Adam's first step, which moves each by about the learning rate, and decayed some."""
    decays = {name: DECAY if name in ("w1", "w2") else 0.0 for name in now}
    moved = {name: RATE * g / (np.abs(g) + epsilon) for name, g in gradients.items()}
    return {name: (now[name] + moved[name]) / (1 - RATE * decays[name]) for name in now}


def torch_decays():
    """Return the decay of each parameter, as the tab's optimizer has it."""
    groups = torch_tab.optimizer.param_groups
    decays = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
    return {name: decays[id(p)] for name, p in zip(NAMES, torch_tab.net.parameters(), strict=True)}


def test_torch_decays_matrices_alone():
    assert isinstance(torch_tab.optimizer, torch.optim.AdamW)
    assert torch_decays() == {"w1": DECAY, "b1": 0.0, "gain": 0.0, "shift": 0.0, "w2": DECAY, "b2": 0.0}
    assert {group["lr"] for group in torch_tab.optimizer.param_groups} == {RATE}


def test_torch_took_one_step_and_cleared_the_gradients():
    parameters = list(torch_tab.net.parameters())
    assert all(w.grad is None for w in parameters)
    # Gains started at 1 and shifts at 0: what they have moved is Adam's first step, without decay.
    state = torch_tab.optimizer.state
    gradients = from_torch([state[w]["exp_avg"] / 0.1 for w in parameters], NAMES)
    start = before_the_step(from_torch(parameters, NAMES), gradients, 1e-8)
    np.testing.assert_allclose(start["gain"], 1, atol=1e-6)
    np.testing.assert_allclose(start["shift"], 0, atol=1e-6)
    assert np.abs(gradients["gain"]).max() > 1e-4


def test_torch_evaluates_with_the_weights_as_they_are():
    assert not torch_tab.net.training
    np.testing.assert_array_equal(torch_tab.prediction, torch_tab.net(torch_tab.x).argmax(dim=1))


def test_keras_decays_matrices_alone():
    # With gradients of zero the decay is alone; the tab's optimizer, anew.
    optimizer = keras.optimizers.AdamW.from_config(keras_tab.optimizer.get_config())
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    variables = keras_tab.net.trainable_variables
    for other in (optimizer, keras_tab.optimizer):
        decays = {name: other._use_weight_decay(v) for name, v in zip(NAMES, variables, strict=True)}
        assert decays == {"w1": True, "b1": False, "gain": False, "shift": False, "w2": True, "b2": False}
    start = [v.numpy() for v in variables]
    variables = [keras.Variable(a, name=v.name) for a, v in zip(start, variables, strict=True)]
    optimizer.apply([keras.ops.zeros_like(v) for v in variables], variables)
    kept = {name: 1 - RATE * DECAY if name in ("w1", "w2") else 1.0 for name in NAMES}
    for name, old, new in zip(NAMES, start, variables, strict=True):
        np.testing.assert_allclose(new, kept[name] * old, rtol=1e-6, atol=0, err_msg=name)


def test_keras_took_one_step_from_gains_of_one():
    optimizer = keras_tab.optimizer
    assert int(optimizer.iterations) == 1
    gradients = named([np.asarray(m, float) / 0.1 for m in optimizer._momentums], NAMES)
    now = named([v.numpy() for v in keras_tab.net.trainable_variables], NAMES)
    # Keras adds epsilon before the correction: at the first step it counts sqrt(1000) times.
    start = before_the_step(now, gradients, 1e-7 * np.sqrt(1000))
    np.testing.assert_allclose(start["gain"], 1, atol=1e-6)
    np.testing.assert_allclose(start["shift"], 0, atol=1e-6)


def test_keras_predicts_with_the_weights_as_they_are():
    logits = np.asarray(keras_tab.net(keras_tab.x))
    np.testing.assert_array_equal(keras_tab.prediction, logits.argmax(axis=1))


def test_numpy_took_the_step_that_was_asked_for():
    rng = np.random.default_rng(0)
    x, y = rng.random((50, 64)), rng.integers(10, size=50)
    net = numpy_tab.net
    start = net.init(rng)
    value, grads = value_and_grads(net, start, x, y)
    now = numpy_tab.run.params
    assert numpy_tab.run.losses == pytest.approx([value], abs=1e-12)
    for name, g in grads.items():
        decay = DECAY if name in ("w1", "w2") else 0.0
        expected = (1 - RATE * decay) * start[name] - RATE * g / (np.abs(g) + 1e-8)
        np.testing.assert_allclose(now[name], expected, rtol=0, atol=1e-12, err_msg=name)
    np.testing.assert_array_equal(numpy_tab.prediction, net.logits(now, x).argmax(axis=1))


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 1e-6)])
def test_five_steps_agree(dtype, tolerance):
    """The optimizers of the tabs for PyTorch and NumPy on the same gradients: what decays decays alike."""
    rng = np.random.default_rng(1)
    start = {name: rng.normal(size=shape).astype(dtype) for name, shape in SHAPES.items()}
    steps = [{name: rng.normal(size=shape).astype(dtype) for name, shape in SHAPES.items()} for _ in range(5)]
    decays = torch_decays()
    tensors = {name: torch.nn.Parameter(torch.tensor(a)) for name, a in start.items()}
    groups = [{"params": [tensor], "weight_decay": decays[name]} for name, tensor in tensors.items()]
    theirs = torch.optim.AdamW(groups, lr=torch_tab.optimizer.param_groups[0]["lr"])
    mine, params = numpy_tab.adamw, start
    state = mine.init(params)
    for gradients in steps:
        params, state = mine.step(params, gradients, state)
        for name, tensor in tensors.items():
            tensor.grad = torch.tensor(gradients[name])
        theirs.step()
        for name, tensor in tensors.items():
            assert params[name].dtype == dtype
            np.testing.assert_allclose(tensor.detach(), params[name], rtol=0, atol=tolerance, err_msg=name)


def test_keras_steps_agree():
    """Numbers that float32 holds exactly: Keras rounds the others (see the evidence of the chapter)."""
    rng = np.random.default_rng(2)
    start, steps = [rng.normal(size=(4, 3))], [[g] for g in rng.normal(size=(5, 4, 3))]
    how = {"learning_rate": 2**-10, "weight_decay": 0.125, "beta_1": 0.875, "beta_2": 1 - 2**-10}
    theirs = keras.optimizers.AdamW.from_config(keras_tab.optimizer.get_config() | how)
    mine = AdamW(2**-10, 0.875, 1 - 2**-10, 1e-7, weight_decay=0.125, epsilon_at="raw")
    table = replay.optimizer_parity(mine, start, steps, theirs, tolerance=1e-12)
    assert "Keras" in repr(table)
