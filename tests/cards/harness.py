"""The tabs of a chapter's card, run as they stand.

from tests.cards import harness

torch_tab, keras_tab, numpy_tab = harness.run("dropout/dropout")

Each is the namespace that the tab's code leaves behind: what it trained, and what it evaluated. The rest is what
several cards ask of it: weights in reglib's layout, a step of PyTorch on its own noise, a layer of Keras again.
"""

import functools
import linecache
import re
from types import SimpleNamespace

import numpy as np
import pytest

from reglib.train.technique import value_and_grads
from tests.conftest import ROOT
from tools import notebooks, reading

TABS = ("PyTorch", "Keras", "NumPy")
NAMES = ("w1", "b1", "w2", "b2")  # of a network with one hidden layer, in the order of both frameworks
TAB = re.compile(r"^:::\{tab-item\} (\w+)\n(?::\w+: \w+\n)*\s*```python\n(.*?)```\n:::$", re.MULTILINE | re.DOTALL)


def card(chapter):
    """Return the text of a chapter's card; ``chapter`` is its path in the book, without the suffix."""
    return reading.card(notebooks.read(ROOT / "book" / f"{chapter}.ipynb"))


def tabs(chapter):
    """Return the code of the tabs of a chapter's card, by name."""
    return dict(TAB.findall(card(chapter)))


@functools.cache
def run(chapter):
    """Run the three tabs of a chapter's card, each by itself, and return what each of them defines."""
    return tuple(run_code(tabs(chapter)[name], f"<card of {chapter}: {name}>") for name in TABS)


def run_code(code, name="<tab>", given=None):
    """Run code and return the names that it defines; ``given``: those that code before it has defined."""
    linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
    names = {"__name__": name} | (vars(given) if given else {})
    exec(compile(code, name, "exec"), names)
    return SimpleNamespace(**{key: value for key, value in names.items() if not key.startswith("__")})


def named(arrays, names=NAMES):
    """Return arrays that stand in reglib's layout, as Keras' do, by name and in float64."""
    return {name: np.asarray(array, float) for name, array in zip(names, arrays, strict=True)}


def from_torch(tensors, names=NAMES):
    """Return PyTorch's parameters or gradients by name, in reglib's layout and in float64."""
    return named([tensor.detach().numpy().T for tensor in tensors], names)


def weights(tab):
    """Return the weights that a tab has trained, in PyTorch, Keras or NumPy, as `named` does."""
    if hasattr(tab, "run"):
        return tab.run.params
    return from_torch(tab.net.parameters()) if hasattr(tab.net, "parameters") else named(tab.net.get_weights())


def keras_layer(net, kind, dtype):
    """Return the first layer of a ``kind`` in a network of Keras, made again in a dtype."""
    layer = next(layer for layer in net.layers if isinstance(layer, kind))
    return type(layer).from_config(layer.get_config() | {"dtype": np.dtype(dtype).name})


def torch_step(net, layer, probe, x, y):
    """Return what a ``layer`` of the network makes of a probe, and loss and gradients under the same draw."""
    import torch

    net.train()
    try:
        torch.manual_seed(3)
        seen = layer(probe).double().numpy()
        torch.manual_seed(3)
        loss = torch.nn.functional.cross_entropy(net(x), y)
        return seen, loss.item(), from_torch(torch.autograd.grad(loss, list(net.parameters())))
    finally:
        net.eval()


def assert_agree(found, expected, tolerance=1e-6):
    """Compare two dicts of arrays."""
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=0, atol=tolerance, err_msg=name)


def assert_evaluated_without_noise(tab, net):
    """Check a tab's ``prediction`` for its inputs against reglib's network without noise."""
    logits = net.logits(weights(tab), np.asarray(tab.x, float))
    np.testing.assert_array_equal(tab.prediction, logits.argmax(axis=1))


def assert_both_evaluated_without_noise(torch_tab, keras_tab, net):
    """Check the evaluation of two tabs, and that PyTorch's network was told to evaluate."""
    assert not torch_tab.net.training
    for tab in (torch_tab, keras_tab):
        assert_evaluated_without_noise(tab, net)


def assert_gradients_of_noise(tab, net):
    """Check that the gradients which a tab in PyTorch has left are not those that it would have without noise."""
    plain = value_and_grads(net, weights(tab), np.asarray(tab.x, float), np.asarray(tab.y))[1]
    found = from_torch([w.grad for w in tab.net.parameters()])
    assert np.abs(found["w2"] - plain["w2"]).max() > 1e-3


def assert_took_a_noisy_step(tab, x, y, start, noise, rate):
    """Check the one step of gradient descent of a tab in NumPy, and that it evaluated without noise."""
    value, grads = value_and_grads(tab.net, start, x, y, noise=noise)
    assert tab.run.losses == pytest.approx([value], abs=1e-12)
    assert_agree(tab.run.params, {name: start[name] - rate * grads[name] for name in start}, 1e-12)
    assert_evaluated_without_noise(tab, tab.net)
