"""Averages of the weights against PyTorch's AveragedModel and Keras' use_ema, on the same gradients in float64."""

import keras
import numpy as np
import pytest
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from reglib.train.loop import train
from reglib.train.optim import SGD
from reglib.train.technique import Technique
from reglib.weights.averaging import EMA, SWA

pytestmark = pytest.mark.usefixtures("keras_float64")

RATE = 0.125  # which float32, in which Keras holds it, represents exactly, like the decays
SHAPES = [(3, 2), (4,)]
RNG = np.random.default_rng(0)
START = [RNG.standard_normal(shape) for shape in SHAPES]
GRADIENTS = [[RNG.standard_normal(shape) for shape in SHAPES] for _ in range(40)]


def ours(average):
    """Return reglib's average after all gradients."""
    technique = Technique(**average.parts())
    run = train(lambda w, g: (0.0, g), START, SGD(RATE), GRADIENTS, data=lambda g: (g,), technique=technique)
    return run.memory["average"]


def in_torch(*, start=1, every=1, **how):
    """Return PyTorch's average of the steps from ``start`` on, every so many."""
    net = torch.nn.ParameterList([torch.tensor(w) for w in START])
    average, sgd = AveragedModel(net, **how), torch.optim.SGD(net.parameters(), lr=RATE)
    for t, gradients in enumerate(GRADIENTS, start=1):
        for w, g in zip(net, gradients, strict=True):
            w.grad = torch.tensor(g)
        sgd.step()
        if t >= start and (t - start) % every == 0:
            average.update_parameters(net)
    return [w.detach().numpy() for w in average.module.parameters()]


def in_keras(decay, **how):
    """Return what Keras writes into the weights at the end."""
    weights = [keras.Variable(w) for w in START]
    sgd = keras.optimizers.SGD(RATE, use_ema=True, ema_momentum=decay, **how)
    for gradients in GRADIENTS:
        sgd.apply([keras.ops.convert_to_tensor(g) for g in gradients], weights)
    sgd.finalize_variable_values(weights)
    return [w.numpy() for w in weights]


def assert_same(one, other, tolerance=1e-12):
    for left, right in zip(one, other, strict=True):
        np.testing.assert_allclose(left, right, rtol=0, atol=tolerance)


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.9375, 1 - 2**-10])
def test_exponential_averages(decay):
    assert_same(ours(EMA(decay)), in_torch(multi_avg_fn=get_ema_multi_avg_fn(decay)))
    assert_same(ours(EMA(decay)), in_keras(decay))


@pytest.mark.parametrize(("start", "every"), [(1, 1), (21, 1), (5, 7), (40, 1)])
def test_plain_means(start, every):
    assert_same(ours(SWA(start, every=every)), in_torch(start=start, every=every))
    late = {"start": start, "every": every}
    assert_same(ours(EMA(0.5, **late)), in_torch(multi_avg_fn=get_ema_multi_avg_fn(0.5), **late))


def test_an_average_that_overwrites_at_every_step_is_sgd_with_a_smaller_rate():
    """From the second step on, as the chapter's exercise says."""
    decay = 0.75
    found = in_keras(decay, ema_overwrite_frequency=1)
    w = [w - RATE * g for w, g in zip(START, GRADIENTS[0], strict=True)]
    for gradients in GRADIENTS[1:]:
        w = [w - (1 - decay) * RATE * g for w, g in zip(w, gradients, strict=True)]
    assert_same(found, w)


def test_recomputed_statistics_count_batches_alike_in_torch():
    """As the bug hunt says: PyTorch's update_bn takes the mean of the batches' means."""
    average = AveragedModel(torch.nn.BatchNorm1d(1, dtype=torch.float64))
    batches = [torch.tensor([[0.0], [2.0], [4.0], [6.0]]).double(), torch.tensor([[10.0], [20.0]]).double()]
    torch.optim.swa_utils.update_bn(batches, average)
    found = average.module.state_dict()
    assert found["running_mean"].item() == pytest.approx(9, rel=1e-12)
    assert torch.cat(batches).mean().item() == pytest.approx(7, rel=1e-12)
    assert found["running_var"].item() == pytest.approx(np.mean([torch.var(b).item() for b in batches]), rel=1e-12)
