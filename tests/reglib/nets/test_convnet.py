"""The small convolutional network: its start, its forward pass, gradients with noise of units and of channels."""

import numpy as np
import pytest

from reglib import gradcheck
from reglib.layers import conv
from reglib.nets.convnet import ConvNet
from reglib.noise import places
from reglib.noise.affine import Noise
from reglib.noise.kinds import Bernoulli
from reglib.train.loop import train
from reglib.train.losses import softmax_cross_entropy, squared_error
from reglib.train.optim import Adam
from reglib.train.technique import value_and_grads
from tests.conftest import exactly

NET = ConvNet((2, 3, 4, 5))
GRANULARITIES = {"unit": (), "channel": (-3, -2)}


def rng():
    return np.random.default_rng(9)


def problem(replicas=()):
    r = rng()
    params = {name: p + 0.1 * r.standard_normal(p.shape) for name, p in NET.init(r, replicas=replicas).items()}
    return params, r.standard_normal((6, 4, 8, 2)), r.integers(0, 5, 6)


def drop(params, x, granularity, rates=(0.2, 0.3, 0.5)):
    shared = GRANULARITIES[granularity]
    kinds = {place: Bernoulli(rate, shared) for place, rate in zip(("input", "maps1", "maps2"), rates, strict=True)}
    return places.draw(rng(), kinds, NET.places(params, x))


def test_init():
    params = ConvNet((1, 40, 50, 10)).init(rng(), replicas=(2,))
    assert {name: p.shape for name, p in params.items()} == {
        "w1": (2, 3, 3, 1, 40), "b1": (2, 40), "w2": (2, 3, 3, 40, 50), "b2": (2, 50), "w3": (2, 50, 10), "b3": (2, 10),
    }  # fmt: skip
    assert list(params) == ["w1", "b1", "w2", "b2", "w3", "b3"]
    assert not any(params[name].any() for name in ("b1", "b2", "b3"))
    assert params["w2"].std() == pytest.approx(np.sqrt(2 / 360), rel=0.03)
    assert params["w3"].std() == pytest.approx(np.sqrt(2 / 50), rel=0.1)
    expected = rng().standard_normal((2, 3, 3, 1, 40)) * np.sqrt(2 / 9)
    np.testing.assert_allclose(params["w1"], expected, rtol=1e-14)


def test_places():
    params, x, _ = problem((2,))
    expected = {"input": (2, 6, 4, 8, 2), "maps1": (2, 6, 4, 8, 3), "maps2": (2, 6, 2, 4, 4)}
    assert NET.places(params, x) == expected
    assert list(NET.places(params, x)) == list(expected)
    assert NET.places(problem()[0], x)["maps2"] == (6, 2, 4, 4)


def test_forward_is_what_it_says():
    params, x, _ = problem()
    gain, offset = 2.0, rng().standard_normal((6, 1, 1, 4))
    noise = {"maps1": Noise(np.full((6, 1, 1, 3), gain)), "maps2": Noise(None, offset)}
    h = gain * np.maximum(conv.conv2d(x, params["w1"], params["b1"], padding=1), 0)
    h = np.maximum(conv.conv2d(conv.max_pool2d(h, 2), params["w2"], params["b2"], padding=1), 0) + offset
    expected = h.mean(axis=(1, 2)) @ params["w3"] + params["b3"]
    np.testing.assert_allclose(NET.logits(params, x, noise=noise), expected, rtol=1e-12)
    doubled = {"input": Noise(np.full((1, 1, 1, 1), gain))}
    np.testing.assert_array_equal(NET.logits(params, x, noise=doubled), NET.logits(params, gain * x))


def test_noise_acts_before_the_pooling():
    """Where the largest of a window is dropped, another one comes through."""
    params, x, _ = problem()
    mask = np.ones((6, 4, 8, 3))
    mask[:, ::2, ::2] = 0
    _, cache = NET.forward(params, x, noise={"maps1": Noise(mask)})
    np.testing.assert_array_equal(cache.pooled, conv.max_pool2d(cache.before["maps1"] * mask, 2))
    assert (cache.pooled > conv.max_pool2d(cache.before["maps1"], 2) * mask[:, ::2, ::2]).any()


@pytest.mark.parametrize("granularity", GRANULARITIES)
@pytest.mark.parametrize("replicas", [(), (2,)])
def test_gradients_under_dropout(granularity, replicas):
    params, x, labels = problem(replicas)
    noise = drop(params, x, granularity)
    assert all((entry.gain == 0).any() for entry in noise.values())
    assert noise["maps1"].gain.shape == (*replicas, 6, *((4, 8) if granularity == "unit" else (1, 1)), 3)

    def run(p):
        return value_and_grads(NET, p, x, labels, noise=noise)

    assert run(params)[0].shape == replicas
    gradcheck.check(lambda p: run(p)[0].sum(), lambda p: run(p)[1], params, rng())


def test_replicas_with_images_of_their_own_and_shared_images_alike():
    params, x, labels = problem((2,))
    noise = drop(params, x, "channel")
    shared, shared_grads = value_and_grads(NET, params, x, labels, noise=noise)
    own, own_grads = value_and_grads(NET, params, np.stack([x, x]), np.stack([labels, labels]), noise=noise)
    np.testing.assert_array_equal(shared, own)
    for name, gradient in shared_grads.items():
        np.testing.assert_array_equal(gradient, own_grads[name])
    loss, _ = value_and_grads(NET, params, np.stack([x, -x]), labels)
    alone, _ = value_and_grads(NET, {name: p[1] for name, p in params.items()}, -x, labels)
    assert loss[1] == pytest.approx(alone, rel=1e-12)


def test_it_learns_and_stays_float32():
    r = rng()
    x = r.standard_normal((40, 4, 4, 1), dtype=np.float32)
    labels = (x.mean(axis=(1, 2, 3)) > 0).astype(int)
    net = ConvNet((1, 8, 8, 2))
    run = train(net, net.init(r, dtype=np.float32), Adam(0.01), [np.arange(40)] * 60, data=(x, labels))
    assert run.losses[-1] < 0.5 * run.losses[0]
    assert {p.dtype for p in run.params.values()} == {np.dtype(np.float32)}


def test_nan_spoils_its_own_image_alone():
    params, x, _ = problem()
    gain = np.ones_like(x)
    for array in (x, gain):
        array[1, 2, 3, 0] = np.nan
        logits = NET.logits(params, x, noise={"input": Noise(gain)})
        np.testing.assert_array_equal(np.isnan(logits).all(axis=1), np.arange(6) == 1)
        assert np.isfinite(np.delete(logits, 1, axis=0)).all()
        array[1, 2, 3, 0] = 1


def test_bad_input_is_named():
    params, x, labels = problem()
    message = "channels must hold four numbers, from the images to the classes; got (1, 2, 3)"
    with pytest.raises(ValueError, match=exactly(message)):
        ConvNet((1, 2, 3))
    with pytest.raises(ValueError, match=exactly("channels must be at least 1, got 0")):
        ConvNet((1, 0, 3, 4))
    assert ConvNet([2, 3, 4, 5]) == NET
    shapes = {"input": (6, 4, 8, 3), "maps1": (6, 1, 4, 3), "maps2": (5, 1, 1, 4)}
    acts = {"input": (6, 4, 8, 2), "maps1": (6, 4, 8, 3), "maps2": (6, 2, 4, 4)}
    for place, shape in shapes.items():
        message = (
            f"the noise's gain must have one axis for each of the activations' {acts[place]}, "
            f"of that length or of length 1 where it is shared; got shape {shape}"
        )
        with pytest.raises(ValueError, match=exactly(message)):
            NET.forward(params, x, noise={place: Noise(np.ones(shape))})
    with pytest.raises(ValueError, match=exactly("targets must have shape (6,), or (6,) for all replicas; got (5,)")):
        value_and_grads(NET, params, x, labels[:5])
    with pytest.raises(ValueError, match=exactly("size must divide the 3 rows and 8 columns of x, got 2")):
        NET.forward(params, x[:, :3])
    with pytest.raises(TypeError, match=r"^dtype must be numpy.float32 or numpy.float64"):
        NET.init(rng(), dtype=int)


EVERY = ConvNet(NET.channels, readout="every")


def test_a_readout_at_every_position_is_the_dense_layer_at_each():
    """Averaged over the positions it is the readout of their mean: the layer is linear."""
    params, x, _ = problem()
    noise = drop(params, x, "channel")
    logits, cache = EVERY.forward(params, x, noise=noise)
    assert logits.shape == (6, 2, 4, 5)
    at = cache.after["maps2"][4, 1, 2] @ params["w3"] + params["b3"]
    np.testing.assert_allclose(logits[4, 1, 2], at, rtol=1e-12)
    np.testing.assert_allclose(logits.mean(axis=(1, 2)), NET.logits(params, x, noise=noise), rtol=1e-12)
    assert EVERY.names() == NET.names()
    assert EVERY.places(params, x) == NET.places(params, x)


@pytest.mark.parametrize("granularity", GRANULARITIES)
@pytest.mark.parametrize("replicas", [(), (2,)])
def test_gradients_of_a_map_under_dropout(granularity, replicas):
    params, x, _ = problem(replicas)
    labels = rng().integers(0, 5, (6, 2, 4))
    noise = drop(params, x, granularity)

    def run(p):
        return value_and_grads(EVERY, p, x, labels, noise=noise)

    assert run(params)[0].shape == replicas
    gradcheck.check(lambda p: run(p)[0].sum(), lambda p: run(p)[1], params, rng())
    own = value_and_grads(EVERY, params, x, np.broadcast_to(labels, (*replicas, *labels.shape)), noise=noise)
    np.testing.assert_array_equal(own[0], run(params)[0])


def test_gradients_of_a_map_with_respect_to_images_and_noise():
    params, x, _ = problem()
    noise, target = drop(params, x, "unit"), rng().standard_normal((6, 2, 4, 5))

    def value(images):
        return EVERY.cost(squared_error, EVERY.logits(params, images, noise=noise), target)[0]

    logits, cache = EVERY.forward(params, x, noise=noise)
    grad = EVERY.cost(squared_error, logits, target)[1]
    found = EVERY.backward(params, cache, grad, everything=True)
    gradcheck.check(lambda p: value(p["x"]), lambda p: {"x": found.x}, {"x": x}, rng())
    assert {place: entry.gain.shape for place, entry in found.noise.items()} == EVERY.places(params, x)


def test_the_cost_of_a_map_is_the_mean_over_its_positions():
    logits, labels = rng().standard_normal((2, 3, 2, 2, 5)), rng().integers(0, 5, (3, 2, 2))
    value, grad = EVERY.cost(softmax_cross_entropy, logits, labels)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    right = np.take_along_axis(probabilities, np.broadcast_to(labels[..., None], (2, 3, 2, 2, 1)), axis=-1)
    np.testing.assert_allclose(value, -np.log(right).mean(axis=(1, 2, 3, 4)), rtol=1e-12)
    assert grad.shape == logits.shape
    soft = EVERY.cost(softmax_cross_entropy, logits, np.eye(5)[labels])
    np.testing.assert_allclose(soft[0], value, rtol=1e-12)
    np.testing.assert_allclose(soft[1], grad, rtol=1e-12, atol=1e-15)


def test_bad_input_of_a_map_is_named():
    params, x, _ = problem()
    with pytest.raises(ValueError, match=exactly("readout must be one of 'mean', 'every'; got 'all'")):
        ConvNet((1, 2, 3, 4), readout="all")
    logits, cache = EVERY.forward(params, x)
    for labels in (np.zeros(6, int), np.zeros((6, 2, 3), int)):
        message = f"y must have shape (6, 2, 4), or (6, 2, 4) for all replicas; got {labels.shape}"
        with pytest.raises(ValueError, match=exactly(message)):
            EVERY.cost(softmax_cross_entropy, logits, labels)
    with pytest.raises(ValueError, match=exactly("logits must have shape (..., B, rows, columns, C), got (6, 5)")):
        EVERY.cost(softmax_cross_entropy, np.zeros((6, 5)), np.zeros(6, int))
    with pytest.raises(
        ValueError, match=exactly("grad must have the shape of the logits, (6, 2, 4, 5); got (6, 8, 5)")
    ):
        EVERY.backward(params, cache, np.zeros((6, 8, 5)))
