"""The tabs of the card of weight averaging: what is averaged, and that the average predicts."""

from typing import Any

import keras
import numpy as np
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from reglib.nets.mlp import MLP
from reglib.train.loop import train
from reglib.train.losses import softmax_cross_entropy
from reglib.train.optim import SGD
from reglib.train.technique import Technique, value_and_grads
from reglib.weights.averaging import EMA, ema_weights
from tests.cards import harness

torch_tab, keras_tab, numpy_tab = harness.run("beyond/weight-averaging")
NAMES, NET = ("w1", "b1"), MLP((64, 10))


def path_of(params, x, y, batches, rate=0.1):
    """Return the parameters after each step of plain SGD, in float64."""
    path = []
    for rows in batches:
        grads: Any = value_and_grads(NET, params, x[rows], y[rows])[1]
        params = {name: params[name] - rate * grads[name] for name in params}
        path.append(params)
    return path


def average_of(path, decay=0.99):
    """Return the exponential average of a path by the weights of its steps."""
    weights = ema_weights(decay, len(path))
    return {name: np.tensordot(weights, np.stack([w[name] for w in path]), 1) for name in path[0]}


def predicted(params, x):
    return NET.logits(params, np.asarray(x, float)).argmax(axis=1)


def test_torch_keeps_the_average_of_its_steps_and_predicts_with_it():
    """Replay the tab's draws: the same start, the same batches, float64."""
    torch.manual_seed(3)
    tab = harness.run_code(harness.tabs("beyond/weight-averaging")["PyTorch"])
    torch.manual_seed(3)
    net = torch.nn.Linear(64, 10)
    x, y = torch.randn(200, 64), torch.randint(10, (200,))
    batches = torch.randint(200, (600, 10)).numpy()
    start = harness.from_torch(net.parameters(), NAMES)
    path = path_of(start, x.double().numpy(), y.numpy(), batches)
    average, last = (harness.from_torch(one.parameters(), NAMES) for one in (tab.average.module, tab.net))
    harness.assert_agree(average, average_of(path), 2e-6)
    harness.assert_agree(last, path[-1], 2e-6)
    assert np.abs(average["w1"] - last["w1"]).max() > 0.01
    assert not tab.average.training
    np.testing.assert_array_equal(tab.prediction, predicted(average, x))


def test_keras_ends_with_the_average_and_predicts_with_it():
    found = harness.named(keras_tab.net.get_weights(), NAMES)
    kept = [w.numpy() for w in keras_tab.sgd._model_variables_moving_average]
    harness.assert_agree(found, harness.named(kept, NAMES), 0)
    assert int(keras_tab.sgd.iterations) == 600
    np.testing.assert_array_equal(keras_tab.prediction, predicted(found, keras_tab.x))


def test_numpy_predicts_with_the_average_of_its_steps():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((200, 64)), rng.integers(10, size=200)
    start, batches = NET.init(rng), list(numpy_tab.loop.minibatches(rng, 200, 10, 30))
    path = path_of(start, x, y, batches)
    assert len(path) == 600
    harness.assert_agree(numpy_tab.run.params, path[-1], 1e-12)
    harness.assert_agree(numpy_tab.run.memory["average"], average_of(path), 1e-12)
    np.testing.assert_array_equal(numpy_tab.prediction, predicted(average_of(path), x))


def test_the_three_averages_of_one_run_are_one():
    """The same start and batches in float64, numbers that float32 holds: PyTorch, Keras and reglib agree."""
    rng, decay, rate = np.random.default_rng(4), 0.9375, 0.125
    x, y, start = rng.standard_normal((200, 64)), rng.integers(10, size=200), NET.init(rng)
    batches = list(rng.integers(200, size=(60, 10)))
    ours = train(NET, start, SGD(rate), batches, data=(x, y), technique=Technique(**EMA(decay).parts()))
    net = torch.nn.Linear(64, 10, dtype=torch.float64)
    with torch.no_grad():
        net.weight.copy_(torch.tensor(start["w1"].T))
        net.bias.copy_(torch.tensor(start["b1"]))
    average = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(decay))
    sgd = torch.optim.SGD(net.parameters(), lr=rate)
    for rows in batches:
        sgd.zero_grad()
        torch.nn.functional.cross_entropy(net(torch.tensor(x[rows])), torch.tensor(y[rows])).backward()
        sgd.step()
        average.update_parameters(net)
    layer = keras.Sequential([keras.Input((64,), dtype="float64"), keras.layers.Dense(10, dtype="float64")])
    layer.set_weights(list(start.values()))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, dtype="float64")
    layer.compile(keras.optimizers.SGD(rate, use_ema=True, ema_momentum=decay), loss)
    for rows in batches:
        layer.train_on_batch(x[rows], y[rows])
    layer.optimizer.finalize_variable_values(layer.trainable_variables)
    expected = ours.memory["average"]
    harness.assert_agree(harness.from_torch(average.module.parameters(), NAMES), expected, 1e-12)
    harness.assert_agree(harness.named(layer.get_weights(), NAMES), expected, 1e-12)
    with torch.no_grad():
        np.testing.assert_allclose(average(torch.tensor(x)), NET.logits(expected, x), rtol=0, atol=1e-12)
    cost = softmax_cross_entropy(NET.logits(expected, x), y)[0]
    assert cost != softmax_cross_entropy(NET.logits(ours.params, x), y)[0]
