"""The tabs of the card of early stopping: the rule, the weights that are kept, and that they are evaluated."""

import copy

import keras
import numpy as np
import torch

from reglib.train.loop import EarlyStopping
from reglib.train.losses import softmax_cross_entropy
from reglib.train.optim import Adam
from reglib.train.technique import Technique, start, step
from tests.cards import harness

torch_tab, keras_tab, numpy_tab = harness.run("beyond/early-stopping")
RULE = EarlyStopping("held", 10, "lower")


def torch_path(net, x, y, steps):
    """Return the weights after each step of the card's training, and the held-out losses."""
    optimizer, cost = torch.optim.Adam(net.parameters()), torch.nn.CrossEntropyLoss()
    weights, losses = [], []
    for _ in range(steps):
        optimizer.zero_grad()
        cost(net(x[:60]), y[:60]).backward()
        optimizer.step()
        weights.append(copy.deepcopy(net.state_dict()))
        losses.append(cost(net(x[60:]), y[60:]).item())
    return weights, losses


def test_torch_stops_where_our_rule_does_and_restores_the_best():
    """Run the tab again from a start of our own, and beside it the same training to the end."""
    code = harness.tabs("beyond/early-stopping")["PyTorch"]
    for seed in range(3):
        torch.manual_seed(seed)
        again = harness.run_code(code)
        torch.manual_seed(seed)
        net = torch.nn.Linear(64, 10)
        x, y = torch.randn(80, 64), torch.randint(10, (80,))
        weights, losses = torch_path(net, x, y, 600)
        stopped, kept = RULE.read(losses)
        assert stopped - kept == 10
        for name, tensor in again.net.state_dict().items():
            assert torch.equal(tensor, weights[kept][name])
        assert again.best == losses[kept]
        assert not torch.equal(weights[kept]["weight"], weights[stopped]["weight"])


def test_keras_stops_where_our_rule_does_and_predicts_with_the_best():
    losses = keras_tab.history.history["val_loss"]
    stopped, kept = RULE.read(losses)
    assert stopped in (None, len(losses) - 1)
    x, y = keras_tab.x[60:], keras_tab.y[60:]
    now = float(keras_tab.loss(y, keras_tab.net(x)))
    np.testing.assert_allclose(now, losses[kept], rtol=1e-5)
    np.testing.assert_array_equal(keras_tab.prediction, np.asarray(keras_tab.net(keras_tab.x)).argmax(axis=1))
    assert keras_tab.stop.restore_best_weights
    assert isinstance(keras_tab.stop, keras.callbacks.EarlyStopping)


def test_numpy_returns_the_best_of_its_steps():
    net, run_ = numpy_tab.net, numpy_tab.run
    stopped, kept = RULE.read(run_.curves["held"])
    assert (stopped, kept) == (len(run_.losses), run_.best_step)
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((80, 64)), rng.integers(10, size=80)
    state = start(Technique(), Adam(0.001), net.init(rng))
    for _ in range(kept):
        _, state = step(net, Technique(), Adam(0.001), state, (x[:60], y[:60]))
    for name, array in state.params.items():
        np.testing.assert_array_equal(run_.params[name], array)
    found = softmax_cross_entropy(net.logits(run_.params, x[60:]), y[60:])[0]
    assert found == min(run_.curves["held"])
    np.testing.assert_array_equal(numpy_tab.prediction, net.logits(run_.params, x).argmax(axis=1))


def test_the_same_losses_stop_torch_and_numpy_at_the_same_step():
    """The same start, data and optimizer in float64: the two paths are one, and so is the step that is kept."""
    net, rng = numpy_tab.net, np.random.default_rng(4)
    x, y, params = rng.standard_normal((80, 64)), rng.integers(10, size=80), net.init(rng)
    twin = torch.nn.Linear(64, 10, dtype=torch.float64)
    with torch.no_grad():
        twin.weight.copy_(torch.tensor(params["w1"].T))
        twin.bias.copy_(torch.tensor(params["b1"]))
    weights, losses = torch_path(twin, torch.tensor(x), torch.tensor(y), 60)
    state, ours = start(Technique(), Adam(0.001), params), []
    for _ in range(60):
        _, state = step(net, Technique(), Adam(0.001), state, (x[:60], y[:60]))
        ours.append(softmax_cross_entropy(net.logits(state.params, x[60:]), y[60:])[0])
    np.testing.assert_allclose(ours, losses, rtol=1e-12)
    np.testing.assert_allclose(state.params["w1"].T, weights[-1]["weight"], rtol=0, atol=1e-12)
    assert RULE.read(ours) == RULE.read(losses)
