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
