"""What a technique and a training step refuse, and in which words."""

import numpy as np
import pytest

from reglib.nets.convnet import ConvNet
from reglib.nets.mlp import MLP
from reglib.noise.kinds import Bernoulli
from reglib.train.optim import SGD, Adam, AdamW
from reglib.train.technique import Technique, start, step
from reglib.weights.penalties import L1, L2
from tests.conftest import exactly
from tests.reglib.train.common import NET, X, Y, params, rng


def take(technique, r=None):
    """Take one step."""
    return step(NET, technique, SGD(0.1), start(technique, SGD(0.1), params()), (X, Y), r)


def smooth(r, x, y):
    return x, y


def test_parts_that_are_none_are_named():
    cases = [
        ({"data": 5}, TypeError, "data must be a function, got 5"),
        ({"data": (smooth, "mixup")}, TypeError, "data must be a function, got 'mixup'"),
        ({"between": 0.5}, TypeError, "between must be a function, got 0.5"),
        ({"weights": 5}, TypeError, "weights must be a function, got 5"),
        ({"loss": "l2"}, TypeError, "loss must be a function, got 'l2'"),
        ({"slope": 5}, TypeError, "slope must be a function, got 5"),
        ({"predict": 5}, TypeError, "predict must be a function, got 5"),
        ({"penalty": 0.1}, TypeError, "penalty must be a penalty of reglib.weights.penalties, got 0.1"),
        ({"penalty": (L1(0.1), "l2")}, TypeError, "penalty must be a penalty of reglib.weights.penalties, got 'l2'"),
        ({"penalty": L1}, TypeError, f"penalty must be a penalty of reglib.weights.penalties, got {L1!r}"),
        ({"noise": Bernoulli(0.5)}, TypeError, f"noise must be a dict of kinds by place, got {Bernoulli(0.5)!r}"),
        (
            {"noise": {"input": 0.5}},
            TypeError,
            "the noise at 'input' must be a kind of reglib.noise.kinds, got 0.5",
        ),
        ({"proximal": 1, "penalty": L1(0.1)}, TypeError, "proximal must be True or False, got 1"),
        ({"proximal": True}, ValueError, "proximal=True needs a penalty, got none"),
    ]
    for parts, error, message in cases:
        with pytest.raises(error, match=exactly(message)):
            Technique(**parts)


def test_the_proximal_step_asks_for_plain_sgd():
    technique = Technique(penalty=L1(0.5), proximal=True)
    for optimizer in (SGD(0.1, momentum=0.9), Adam(0.1), AdamW(0.1), SGD(0.1, momentum=np.array([0.0, 0.9]))):
        with pytest.raises(ValueError, match=exactly(f"proximal=True needs SGD without momentum, got {optimizer!r}")):
            start(technique, optimizer, params())
    start(technique, SGD(np.array([0.1, 0.2]), momentum=np.zeros(2)), params((2,)))
    start(Technique(penalty=L1(0.5)), Adam(0.1), params())


def test_a_step_names_what_is_wrong():
    with pytest.raises(ValueError, match=exactly("a place of noise must be one of 'input', 'hidden1'; got 'hidden2'")):
        take(Technique(noise={"hidden2": Bernoulli(0.5)}), r=rng())
    with pytest.raises(TypeError, match=r"^rng must be a numpy.random.Generator"):
        take(Technique(noise={"hidden1": Bernoulli(0.5)}))
    message = "on must hold roles, places or names of the parameters w1, b1, w2, b2, or be 'all'; got 'recurrent'"
    with pytest.raises(ValueError, match=exactly(message)):
        take(Technique(penalty=L2(0.1, on="recurrent")))
    net, technique = ConvNet((1, 2, 3, 10)), Technique(noise={"hidden1": Bernoulli(0.5, scaled=False)})
    message = "a place of noise must be one of 'input', 'maps1', 'maps2'; got 'hidden1'"
    with pytest.raises(ValueError, match=exactly(message)):
        technique.output(net, net.init(rng()), X.reshape(40, 8, 8, 1))
    with pytest.raises(TypeError, match=exactly(f"net must be a network of reglib.nets, got {smooth!r}")):
        Technique().output(smooth, params(), X)


def test_the_parts_of_a_step_that_are_none_are_named():
    state = start(Technique(), SGD(0.1), params())
    given = {"net": NET, "technique": Technique(), "optimizer": SGD(0.1), "state": state, "batch": (X, Y), "rng": rng()}
    cases = [
        ("net", 5, TypeError, "net must be a network of reglib.nets or a function, got 5"),
        ("net", MLP, TypeError, f"net must be a network of reglib.nets or a function, got {MLP!r}"),
        ("technique", 5, TypeError, "technique must be a Technique, got 5"),
        ("optimizer", 5, TypeError, "optimizer must be an optimizer of reglib.train.optim, got 5"),
        ("state", 5, TypeError, "state must be a State, from start or from the step before, got 5"),
        ("batch", 5, TypeError, "batch must be a tuple (x, y) or (x, y, steps), got 5"),
        ("batch", (X,), ValueError, "batch must be (x, y) or (x, y, steps), got 1 parts"),
        ("batch", (X, Y, None, None), ValueError, "batch must be (x, y) or (x, y, steps), got 4 parts"),
        ("loss", 5, TypeError, "loss must be a function, got 5"),
    ]
    for name, wrong, error, message in cases:
        with pytest.raises(error, match=exactly(message)):
            step(**(given | {name: wrong}))
    with pytest.raises(TypeError, match=r"^rng must be a numpy.random.Generator"):
        step(**(given | {"rng": 5}))
    step(**(given | {"batch": [X, Y], "rng": None}))


def test_the_start_names_what_is_wrong():
    with pytest.raises(TypeError, match=exactly("technique must be a Technique, got 5")):
        start(5, SGD(0.1), params())
    with pytest.raises(TypeError, match=exactly("optimizer must be an optimizer of reglib.train.optim, got 5")):
        start(Technique(), 5, params())
    for wrong in (None, 5, []):
        with pytest.raises(TypeError, match=exactly(f"what memory returns must be a dict, got {wrong}")):
            start(Technique(memory=lambda rng, params, wrong=wrong: wrong), SGD(0.1), params())
    with pytest.raises(TypeError, match=r"^rng must be a numpy.random.Generator"):
        start(Technique(), SGD(0.1), params(), 7)


def test_the_output_names_what_is_wrong():
    with pytest.raises(TypeError, match=exactly("memory must be a dict, got 5")):
        Technique().output(NET, params(), X, 5)
    with pytest.raises(TypeError, match=r"^rng must be a numpy.random.Generator"):
        Technique().output(NET, params(), X, rng=5)


def test_a_function_has_batches_of_any_length():
    model = lambda p, *batch: (float(len(batch)), {name: 0 * w for name, w in p.items()})  # noqa: E731
    for batch in ((), (X,), (X, Y, None, None)):
        value, _ = step(model, Technique(), SGD(0.1), start(Technique(), SGD(0.1), params()), batch)
        assert value == len(batch)


@pytest.mark.parametrize("technique", [Technique(), Technique(penalty=L1(0.01), proximal=True)])
def test_the_multiplier_is_one_of_the_learning_rate(technique):
    state = start(technique, SGD(0.2), params())
    _, half = step(NET, technique, SGD(0.2), state, (X, Y), multiplier=0.5)
    _, small = step(NET, technique, SGD(0.1), state, (X, Y))
    _, whole = step(NET, technique, SGD(0.2), state, (X, Y))
    for name, array in small.params.items():
        np.testing.assert_array_equal(half.params[name], array)
        assert (whole.params[name] != array).any()


def test_a_draw_at_prediction_is_in_the_dtype_of_the_parameters():
    technique = Technique(noise={"input": Bernoulli(0.5)}, predict=lambda r, forward, x, p, memory: forward(p, x, r))
    low = {name: w.astype(np.float32) for name, w in params().items()}
    drawn = technique.output(NET, low, X.astype(np.float32), rng=rng())
    gain = Bernoulli(0.5).draw(rng(), X.shape, np.float32)
    np.testing.assert_array_equal(drawn, NET.logits(low, X.astype(np.float32), noise={"input": gain}))
