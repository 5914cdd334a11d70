"""The small convolutional network: shapes, gradients with noise, replicas, errors."""

import numpy as np
import pytest

from reglib import gradcheck
from reglib.layers import conv
from reglib.nets import convnet
from reglib.noise import dropout, masks
from reglib.train import loop, optim
from tests.conftest import exactly


def rng():
    return np.random.default_rng(9)


def problem(replicas=()):
    r = rng()
    params = [p + 0.1 * r.standard_normal(p.shape) for p in convnet.init(r, (2, 3, 4, 5), replicas=replicas)]
    return params, r.standard_normal((6, 4, 8, 2)), r.integers(0, 5, 6)


def test_init():
    params = convnet.init(rng(), (1, 40, 50, 10), replicas=(2,))
    shapes = [(2, 3, 3, 1, 40), (2, 40), (2, 3, 3, 40, 50), (2, 50), (2, 50, 10), (2, 10)]
    assert [p.shape for p in params] == shapes
    assert all((b == 0).all() for b in params[1::2])
    assert params[2].std() == pytest.approx(np.sqrt(2 / 360), rel=0.03)
    assert params[4].std() == pytest.approx(np.sqrt(2 / 50), rel=0.1)
    expected = rng().standard_normal((2, 3, 3, 1, 40)) * np.sqrt(2 / 9)
    np.testing.assert_allclose(params[0], expected, rtol=1e-14)
    assert {p.dtype for p in params} == {np.dtype(float)}
    assert {p.dtype for p in convnet.init(rng(), (1, 2, 3, 4), dtype=np.float32)} == {np.dtype(np.float32)}


def test_forward_is_what_it_says():
    params, x, _ = problem()
    noise = [None, np.full((6, 1, 1, 3), 2.0), None]
    h = 2 * np.maximum(conv.conv2d(x, params[0], params[1], padding=1), 0)
    h = np.maximum(conv.conv2d(conv.max_pool2d(h, 2), params[2], params[3], padding=1), 0)
    expected = h.mean(axis=(1, 2)) @ params[4] + params[5]
    np.testing.assert_allclose(convnet.forward(params, x, noise=noise)[0], expected, rtol=1e-12)


@pytest.mark.parametrize("granularity", ["unit", "channel"])
@pytest.mark.parametrize("replicas", [(), (2,)])
def test_gradients_under_noise(granularity, replicas):
    params, x, labels = problem(replicas)
    r = rng()
    noise = convnet.draw_noise(r, params, (6, 4, 8), (0.2, 0.3, 0.5), granularity=granularity)
    assert any((entry == 0).any() for entry in noise)

    def run(p):
        return convnet.loss_and_grads(p, x, labels, noise=noise)

    assert run(params)[0].shape == replicas
    gradcheck.check(lambda p: run(p)[0].sum(), lambda p: run(p)[1], params, r)


def test_draw_noise():
    params, _, _ = problem((2,))
    rates = (0.5, None, np.array([0.0, 0.4]))
    noise = convnet.draw_noise(rng(), params, (6, 4, 8), rates)
    assert noise[1] is None
    assert [noise[0].shape, noise[2].shape] == [(2, 6, 4, 8, 2), (2, 6, 2, 4, 4)]
    generator = rng()
    expected = dropout.multiplier(masks.bernoulli(generator, (2, 6, 4, 8, 2), 0.5), 0.5)
    np.testing.assert_array_equal(noise[0], expected)
    np.testing.assert_array_equal(
        noise[2], dropout.multiplier(masks.bernoulli(generator, (2, 6, 2, 4, 4), rates[2]), rates[2])
    )
    channel = convnet.draw_noise(rng(), params, (6, 4, 8), (None, 0.5, 0.5), granularity="channel")
    assert [n.shape for n in channel[1:]] == [(2, 6, 1, 1, 3), (2, 6, 1, 1, 4)]
    alone, _, _ = problem()
    channel = convnet.draw_noise(rng(), alone, (6, 4, 8), (0.5, 0.5, 0), granularity="channel")
    assert [n.shape for n in channel[:2]] == [(6, 1, 1, 2), (6, 1, 1, 3)]
    assert channel[2] is None
    single = [p.astype(np.float32) for p in params]
    assert convnet.draw_noise(rng(), single, (6, 4, 8), (0.5, 0, 0))[0].dtype == np.float32


def test_replicas_with_images_of_their_own_and_shared_images_alike():
    params, x, labels = problem((2,))
    noise = convnet.draw_noise(rng(), params, (6, 4, 8), (0.2, None, 0.5), granularity="channel")
    shared, shared_grads = convnet.loss_and_grads(params, x, labels, noise=noise)
    own, own_grads = convnet.loss_and_grads(params, np.stack([x, x]), np.stack([labels, labels]), noise=noise)
    np.testing.assert_array_equal(shared, own)
    for g, h in zip(shared_grads, own_grads, strict=True):
        np.testing.assert_array_equal(g, h)
    other = np.stack([x, -x])
    loss, _ = convnet.loss_and_grads(params, other, labels)
    assert loss[1] == pytest.approx(convnet.loss_and_grads([p[1] for p in params], -x, labels)[0], rel=1e-12)


def test_nothing_changes_in_place():
    params, x, labels = problem()
    noise = convnet.draw_noise(rng(), params, (6, 4, 8), (0.2, 0.3, 0.5))
    kept = [array.copy() for array in (*params, x, *noise)]
    convnet.loss_and_grads(params, x, labels, noise=noise)
    for array, before in zip((*params, x, *noise), kept, strict=True):
        np.testing.assert_array_equal(array, before)


def test_accuracy_by_hand():
    params = convnet.init(rng(), (1, 2, 2, 3))
    params = [np.zeros_like(p) for p in params]
    params[5][:] = (0.0, 2.0, 1.0)
    x = rng().standard_normal((4, 2, 2, 1))
    assert convnet.accuracy(params, x, [1, 0, 1, 1]) == 0.75


def test_replicas_are_a_loop_over_models():
    params, x, labels = problem((2,))
    noise = convnet.draw_noise(rng(), params, (6, 4, 8), (0.2, 0.3, 0.5))
    loss, grads = convnet.loss_and_grads(params, x, labels, noise=noise)
    accuracy = convnet.accuracy(params, x, labels)
    for s in range(2):
        one = [p[s] for p in params]
        alone, alone_grads = convnet.loss_and_grads(one, x, labels, noise=[n[s] for n in noise])
        assert loss[s] == pytest.approx(alone, rel=1e-12)
        assert accuracy[s] == convnet.accuracy(one, x, labels)
        for g, h in zip(grads, alone_grads, strict=True):
            np.testing.assert_allclose(g[s], h, rtol=1e-10, atol=1e-14)
    assert convnet.accuracy(params, np.stack([x, x]), np.stack([labels, labels])).shape == (2,)


def test_it_learns_and_stays_float32():
    r = rng()
    x = r.standard_normal((40, 4, 4, 1), dtype=np.float32)
    labels = (x.mean(axis=(1, 2, 3)) > 0).astype(int)
    start = convnet.init(r, (1, 8, 8, 2), dtype=np.float32)
    run = loop.train(start, convnet.loss_and_grads, optim.Adam(0.01), [np.arange(40)] * 60, data=(x, labels))
    assert run.losses[-1] < 0.5 * run.losses[0]
    assert {p.dtype for p in run.params} == {np.dtype(np.float32)}
    noise = convnet.draw_noise(r, start, (40, 4, 4), (0.2, 0.2, 0.2))
    wide = [entry.astype(float) for entry in noise]
    assert {g.dtype for g in convnet.loss_and_grads(start, x, labels, noise=wide)[1]} == {np.dtype(np.float32)}


def test_nan_spoils_its_own_image_alone():
    params, x, _ = problem()
    noise = [np.ones_like(x), None, None]
    for array in (x, noise[0]):
        array[1, 2, 3, 0] = np.nan
        logits, _ = convnet.forward(params, x, noise=noise)
        np.testing.assert_array_equal(np.isnan(logits).all(axis=1), np.arange(6) == 1)
        assert np.isfinite(np.delete(logits, 1, axis=0)).all()
        array[1, 2, 3, 0] = 1


def test_bad_input_is_named():
    params, x, labels = problem()
    with pytest.raises(TypeError, match=r"^rng must be a numpy.random.Generator"):
        convnet.init(0, (1, 2, 3, 4))
    message = "channels must hold four numbers, from the images to the classes; got (1, 2, 3)"
    with pytest.raises(ValueError, match=exactly(message)):
        convnet.init(rng(), (1, 2, 3))
    with pytest.raises(ValueError, match=exactly("channels must be at least 1, got 0")):
        convnet.init(rng(), (1, 0, 3, 4))
    with pytest.raises(ValueError, match=exactly("replicas must be at least 1, got 0")):
        convnet.init(rng(), (1, 2, 3, 4), replicas=(0,))
    with pytest.raises(ValueError, match=exactly("granularity must be one of 'unit', 'channel'; got 'pixel'")):
        convnet.draw_noise(rng(), params, (6, 4, 8), (0, 0, 0), granularity="pixel")
    for rates in (0.5, (0.5, 0.5)):
        with pytest.raises(
            ValueError, match=exactly(f"rates must hold one entry for each of the 3 layers, got {rates}")
        ):
            convnet.draw_noise(rng(), params, (6, 4, 8), rates)
    with pytest.raises(ValueError, match=exactly("shape must be at least 1, got 0")):
        convnet.draw_noise(rng(), params, (6, 0, 8), (0.5, 0, 0))
    with pytest.raises(ValueError, match=exactly("noise must hold one entry for each of the 3 layers, got 2")):
        convnet.forward(params, x, noise=[None, None])
    message = "noise must broadcast to the maps of shape (6, 4, 8, 3), got {}"
    for shape in ((6, 4, 8, 2), (6, 1, 4, 3), (5, 1, 1, 3)):
        with pytest.raises(ValueError, match=exactly(message.format(shape))):
            convnet.forward(params, x, noise=[None, np.ones(shape), None])
    with pytest.raises(
        ValueError, match=exactly("noise must broadcast to the maps of shape (6, 4, 8, 2), got (6, 4, 8, 3)")
    ):
        convnet.forward(params, x, noise=[np.ones((6, 4, 8, 3)), None, None])
    with pytest.raises(TypeError, match=r"^noise must hold floating-point numbers"):
        convnet.forward(params, x, noise=[None, np.ones((6, 1, 1, 3), bool), None])
    with pytest.raises(TypeError, match=r"^x must hold floating-point numbers"):
        convnet.forward(params, x.astype(int), noise=[np.ones((6, 1, 1, 2)), None, None])
    message = "params must be the list [W1, b1, W2, b2, W3, b3], got 4 arrays"
    for call in (
        lambda p: convnet.forward(p, x),
        lambda p: convnet.backward(p, None, x),
        lambda p: convnet.draw_noise(rng(), p, (6, 4, 8), (0.5, 0, 0)),
    ):
        with pytest.raises(ValueError, match=exactly(message)):
            call(params[:4])
    with pytest.raises(ValueError, match=exactly("labels must have shape (6,), or (6,) for all replicas; got (5,)")):
        convnet.accuracy(params, x, labels[:5])
    several = [np.stack([p] * 2) for p in params]
    with pytest.raises(ValueError, match=exactly("labels must have shape (2, 6), or (6,) for all replicas; got (2,)")):
        convnet.accuracy(several, x, labels[:2])
