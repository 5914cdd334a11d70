"""What all networks share: values, the start of each replica, places, all gradients, what is refused."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from reglib import gradcheck
from reglib.layers._noise import PLACES
from reglib.layers.cells import GRU, LSTM
from reglib.nets.convnet import ConvNet
from reglib.nets.mlp import MLP
from reglib.nets.net import Net
from reglib.nets.sequence import Sequence
from reglib.noise import places
from reglib.noise.affine import Noise
from reglib.noise.kinds import Additive, Alpha, Bernoulli, Gaussian
from reglib.train.losses import softmax_cross_entropy, squared_error
from reglib.train.technique import value_and_grads
from tests.conftest import exactly

B, T = 4, 3
NETS = {
    "mlp": MLP((3, 5, 4, 2), "tanh"),
    "one layer": MLP((3, 2)),
    "convnet": ConvNet((2, 3, 4, 5)),
    "last": Sequence(LSTM(), 3, 4, 2),
    "every": Sequence(GRU(), 3, 4, 2, readout="every"),
}
SHAPES = {"mlp": (B, 3), "one layer": (B, 3), "convnet": (B, 4, 6, 2), "last": (B, T, 3), "every": (B, T, 3)}
LOGITS = {"mlp": (B, 2), "one layer": (B, 2), "convnet": (B, 5), "last": (B, 2), "every": (B, T, 2)}
AFFINE = ("mlp", "one layer", "convnet")
GAIN_ALONE = ("recurrent", "candidate", "state_h", "state_c", "zone_h", "zone_c")


def rng(seed=11):
    return np.random.default_rng(seed)


def problem(name, replicas=(), own=False):
    """Return a network, parameters away from their start, and inputs; with ``own`` each replica has its own."""
    net, r = NETS[name], rng()
    params = {key: p + 0.1 * r.standard_normal(p.shape) for key, p in net.init(r, replicas=replicas).items()}
    return net, params, r.standard_normal((*(replicas if own else ()), *SHAPES[name]))


def full_noise(net, params, x, seed=5):
    """Draw a gain at every place of a network, and an offset where it may have one: smooth, so that nothing ties."""
    r, found = rng(seed), {}
    for place, shape in net.places(params, x).items():
        offset = None if place in GAIN_ALONE else 0.3 * r.standard_normal(shape)
        found[place] = Noise(1 + 0.3 * r.standard_normal(shape), offset)
    return found


@pytest.mark.parametrize("name", NETS)
def test_a_network_is_a_frozen_value_of_its_options(name):
    net = NETS[name]
    again = eval(repr(net), {"MLP": MLP, "ConvNet": ConvNet, "Sequence": Sequence, "LSTM": LSTM, "GRU": GRU})
    assert again == net
    assert hash(again) == hash(net)
    assert isinstance(net, Net)
    assert len({*NETS.values()}) == len(NETS)
    with pytest.raises(FrozenInstanceError):
        net.sizes = (1, 2)


@pytest.mark.parametrize("name", NETS)
def test_the_start_has_the_names_and_the_replica_axes(name):
    net = NETS[name]
    alone, several = net.init(rng()), net.init(rng(), replicas=(2, 3), dtype=np.float32)
    assert tuple(alone) == tuple(several) == net.names()
    for key, array in several.items():
        assert array.shape == (2, 3, *alone[key].shape)
        assert array.dtype == np.float32
        assert alone[key].dtype == np.float64
    assert len(np.unique(several[net.names()[0]])) == several[net.names()[0]].size
    for key, array in net.init(rng()).items():
        np.testing.assert_array_equal(array, alone[key])


@pytest.mark.parametrize("name", NETS)
def test_each_of_a_list_of_generators_draws_what_it_would_draw_alone(name):
    net = NETS[name]
    for kind in (list, tuple):
        together = net.init(kind(rng(seed) for seed in (3, 4, 3)), dtype=np.float32)
        for s, seed in enumerate((3, 4, 3)):
            alone = net.init(rng(seed), dtype=np.float32)
            assert tuple(together) == tuple(alone)
            for key in alone:
                np.testing.assert_array_equal(together[key][s], alone[key])
                assert together[key].dtype == np.float32
    first = net.names()[0]
    assert (together[first][0] != together[first][1]).all()


@pytest.mark.parametrize("name", NETS)
def test_a_bad_start_is_named(name):
    net = NETS[name]
    for wrong in (0, None, np.random.RandomState(0)):
        with pytest.raises(TypeError, match=r"^rng must be a numpy.random.Generator"):
            net.init(wrong)
    with pytest.raises(TypeError, match=r"^rng\[1\] must be a numpy.random.Generator, .*; got 7$"):
        net.init([rng(), 7])
    for wrong, options in ([], {}), ([rng(), rng()], {"replicas": (2,)}):
        message = f"rng must be one generator, or one a replica and replicas left out; got {len(wrong)}"
        with pytest.raises(ValueError, match=exactly(message)):
            net.init(wrong, **options)
    with pytest.raises(ValueError, match=exactly("replicas must be at least 1, got 0")):
        net.init(rng(), replicas=(0,))
    with pytest.raises(TypeError, match=exactly("replicas must be an integer, got 2.0")):
        net.init(rng(), replicas=(2.0,))
    with pytest.raises(TypeError, match=exactly("dtype must be numpy.float32 or numpy.float64, got 'float16'")):
        net.init(rng(), dtype="float16")


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize(("replicas", "own"), [((), False), ((2,), False), ((2,), True)])
def test_places_are_the_shapes_of_the_activations(name, replicas, own):
    net, params, x = problem(name, replicas, own)
    shapes = net.places(params, x)
    assert shapes[next(iter(shapes))] == (*replicas, *SHAPES[name])
    logits, _ = net.forward(params, x, noise=full_noise(net, params, x))
    assert logits.shape == (*replicas, *LOGITS[name])
    for place, shape in shapes.items():
        for axis in range(len(shape)):  # no place is smaller along any axis than it says
            longer = (*shape[:axis], shape[axis] + 1, *shape[axis + 1 :])
            with pytest.raises(ValueError, match=r"the noise|the leading axes"):
                net.forward(params, x, noise={place: Noise(np.ones(longer))})
    if name in AFFINE:
        cache = net.forward(params, x, noise=full_noise(net, params, x))[1]
        assert {place: array.shape for place, array in cache.after.items()} == shapes


@pytest.mark.parametrize("name", NETS)
def test_places_of_inputs_of_their_own_for_one_model(name):
    net, params, x = problem(name)
    stacked = np.stack([x, -x])
    assert all(shape[0] == 2 for shape in net.places(params, stacked).values())
    logits = net.logits(params, stacked, noise=full_noise(net, params, stacked))
    assert logits.shape == (2, *LOGITS[name])


@pytest.mark.parametrize("name", NETS)
def test_noise_of_one_and_no_noise_are_the_same_and_noise_at_any_place_is_not(name):
    net, params, x = problem(name, (2,))
    plain = net.logits(params, x)
    for noise in ({}, None, {place: Noise() for place in net.places(params, x)}):
        np.testing.assert_array_equal(net.logits(params, x, noise=noise), plain)
    for place, shape in net.places(params, x).items():
        for ones in (np.ones(shape), np.ones((2, *(1,) * len(SHAPES[name]))), np.ones(())):
            np.testing.assert_allclose(net.logits(params, x, noise={place: Noise(ones)}), plain, rtol=1e-13)
        assert np.abs(net.logits(params, x, noise={place: full_noise(net, params, x)[place]}) - plain).max() > 1e-4


@pytest.mark.parametrize("name", NETS)
def test_logits_are_the_output_of_forward_and_cost_is_the_loss_of_them(name):
    net, params, x = problem(name, (2,))
    noise = full_noise(net, params, x)
    logits = net.logits(params, x, noise=noise)
    np.testing.assert_array_equal(logits, net.forward(params, x, noise=noise)[0])
    target = rng().standard_normal(LOGITS[name])
    flat = (*logits.shape[:1], -1, logits.shape[-1])
    value, grad = net.cost(squared_error, logits, target)
    expected, expected_grad = squared_error(logits.reshape(flat), target.reshape(flat[1:]))
    np.testing.assert_allclose(value, expected, rtol=1e-14)
    np.testing.assert_allclose(grad, expected_grad.reshape(logits.shape), rtol=1e-14)


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize(("replicas", "own"), [((), False), ((2,), False), ((2,), True)])
def test_gradients_of_the_parameters_and_of_the_input_under_noise(name, replicas, own):
    net, params, x = problem(name, replicas, own)
    noise = full_noise(net, params, x)
    cotangent = rng(1).standard_normal(net.logits(params, x).shape)

    def split(point):
        return {key: array for key, array in point.items() if key != "x"}, point["x"]

    def value(point):
        return np.sum(cotangent * net.logits(*split(point), noise=noise))

    def gradient(point):
        params, x = split(point)
        _, cache = net.forward(params, x, noise=noise)
        found = net.backward(params, cache, cotangent, everything=True)
        for key, array in net.backward(params, cache, cotangent).items():
            np.testing.assert_array_equal(found.params[key], array)
        assert tuple(found.params) == net.names()
        return found.params | {"x": found.x}

    gradcheck.check(value, gradient, params | {"x": x}, rng(2), tolerance=2e-6)


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize(("replicas", "own"), [((), False), ((2,), False), ((2,), True)])
def test_gradients_of_the_noise(name, replicas, own):
    net, params, x = problem(name, replicas, own)
    noise = full_noise(net, params, x)
    cotangent = rng(1).standard_normal(net.logits(params, x).shape)

    def parts_of(noise):
        parts = {(place, part): getattr(noise[place], part) for place in noise for part in ("gain", "offset")}
        return {f"{place} {part}": array for (place, part), array in parts.items() if array is not None}

    def made(parts):
        return {place: Noise(parts[f"{place} gain"], parts.get(f"{place} offset")) for place in noise}

    def value(parts):
        return np.sum(cotangent * net.logits(params, x, noise=made(parts)))

    def gradient(parts):
        _, cache = net.forward(params, x, noise=made(parts))
        found = net.backward(params, cache, cotangent, everything=True).noise
        assert {place: entry.gain.shape for place, entry in found.items()} == net.places(params, x)
        return parts_of(found)

    gradcheck.check(value, gradient, parts_of(noise), rng(2), tolerance=2e-6)


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("own", [False, True])
def test_the_gradient_of_noise_that_is_shared_is_the_sum_along_what_shares_it(name, own):
    net, params, x = problem(name, (2,), own)
    cotangent = rng(1).standard_normal(net.logits(params, x).shape)
    for place, shape in net.places(params, x).items():
        shared = (1, *shape[1:-1], 1)

        def value(gain, place=place):
            return np.sum(cotangent * net.logits(params, x, noise={place: Noise(gain)}))

        def gradient(gain, place=place, shape=shape):
            _, cache = net.forward(params, x, noise={place: Noise(gain)})
            found = net.backward(params, cache, cotangent, everything=True).noise[place]
            found = found.gain.reshape(-1, *shape[1:])  # one x for all replicas is summed over them already
            return found.sum(axis=(0, -1), keepdims=True)

        gradcheck.check(value, gradient, rng(3).standard_normal(shared), rng(2), tolerance=2e-6)


@pytest.mark.parametrize("name", AFFINE)
def test_noise_alone_may_tell_replicas_apart(name):
    """One model and one batch under several draws: gradients are the sums over them."""
    net, params, x = problem(name)
    r = rng(4)
    for place, shape in net.places(params, x).items():
        noise = {place: Noise(1 + 0.3 * r.standard_normal((3, *shape)), 0.3 * r.standard_normal((1, *shape)))}
        cotangent = r.standard_normal((3, *LOGITS[name]))

        def value(point, noise=noise, cotangent=cotangent):
            own = {key: array for key, array in point.items() if key != "x"}
            return np.sum(cotangent * net.logits(own, point["x"], noise=noise))

        def gradient(point, noise=noise, cotangent=cotangent):
            own = {key: array for key, array in point.items() if key != "x"}
            found = net.backward(own, net.forward(own, point["x"], noise=noise)[1], cotangent, everything=True)
            plain = net.backward(own, net.forward(own, point["x"], noise=noise)[1], cotangent)
            for key, array in plain.items():
                np.testing.assert_array_equal(array, found.params[key])
            return found.params | {"x": found.x}

        gradcheck.check(value, gradient, params | {"x": x}, r, tolerance=2e-6)
        for s in range(3):
            one = {place: Noise(noise[place].gain[s], noise[place].offset[0])}
            logits = net.logits(params, x, noise=noise)
            np.testing.assert_allclose(logits[s], net.logits(params, x, noise=one), rtol=1e-12)


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("own", [False, True])
def test_without_noise_its_gradients_are_those_at_gain_one_and_offset_zero(name, own):
    net, params, x = problem(name, (2,), own)
    grads = []
    ones = {
        place: Noise(np.ones(shape), None if place in GAIN_ALONE else np.zeros(shape))
        for place, shape in net.places(params, x).items()
    }
    for noise in (None, ones):
        logits, cache = net.forward(params, x, noise=noise)
        grads.append(net.backward(params, cache, np.cos(logits), everything=True).noise)
    for place in ones:
        for part in ("gain",) if place in GAIN_ALONE else ("gain", "offset"):
            without, at_one = (getattr(found[place], part) for found in grads)
            if place == "input" and not own:  # one x, and no noise that would tell the replicas apart
                at_one = at_one.sum(axis=0)
            np.testing.assert_allclose(without, at_one, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("own", [False, True])
def test_replicas_are_a_loop_over_models(name, own):
    net, params, x = problem(name, (3,), own)
    noise = full_noise(net, params, x)
    logits, cache = net.forward(params, x, noise=noise)
    found = net.backward(params, cache, np.cos(logits), everything=True)
    grad_x = np.zeros((3, *SHAPES[name]))
    for s in range(3):
        one, one_x = {key: p[s] for key, p in params.items()}, x[s] if own else x
        one_noise = {
            place: Noise(entry.gain[s], None if entry.offset is None else entry.offset[s])
            for place, entry in noise.items()
        }
        alone, one_cache = net.forward(one, one_x, noise=one_noise)
        one_found = net.backward(one, one_cache, np.cos(alone), everything=True)
        np.testing.assert_allclose(logits[s], alone, rtol=1e-12)
        for key, gradient in one_found.params.items():
            np.testing.assert_allclose(found.params[key][s], gradient, rtol=1e-10, atol=1e-13)
        for place, entry in one_found.noise.items():
            np.testing.assert_allclose(found.noise[place].gain[s], entry.gain, rtol=1e-10, atol=1e-13)
        assert one_found.noise.keys() == net.places(params, x).keys()
        grad_x[s] = one_found.x
    np.testing.assert_allclose(found.x, grad_x if own else grad_x.sum(axis=0), rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("name", NETS)
def test_float32_stays_and_nothing_changes_in_place(name):
    net = NETS[name]
    params = net.init(rng(), replicas=(2,), dtype=np.float32)
    x = rng().standard_normal(SHAPES[name], dtype=np.float32)
    noise = full_noise(net, params, x)  # in float64
    arrays = [*params.values(), x, *(part for n in noise.values() for part in (n.gain, n.offset) if part is not None)]
    kept = [array.copy() for array in arrays]
    logits, cache = net.forward(params, x, noise=noise)
    grad = np.cos(logits)
    before = grad.copy()
    first, second = (net.backward(params, cache, grad, everything=True) for _ in range(2))
    for key in params:
        np.testing.assert_array_equal(first.params[key], second.params[key])
        assert first.params[key].dtype == np.float32
    assert logits.dtype == first.x.dtype == np.float32
    parts = [part for n in first.noise.values() for part in (n.gain, n.offset) if part is not None]
    assert {part.dtype for part in parts} == {np.dtype(np.float32)}
    for array, copy in zip([*arrays, grad], [*kept, before], strict=True):
        np.testing.assert_array_equal(array, copy)


KINDS = (Bernoulli(0.4), Gaussian(0.4), Additive(0.5), Alpha(0.4))
# In a convolutional network two zeros, or two values of alpha, in one window of the pooling would be a kink.
DRAWN = [(name, kind) for name in NETS for kind in KINDS if name != "convnet" or isinstance(kind, Gaussian | Additive)]


@pytest.mark.parametrize(("name", "kind"), DRAWN)
def test_drawn_noise_of_every_kind_trains(name, kind):
    """Gradients of a loss under the noise that `reglib.noise.places.draw` draws, at all places that take the kind."""
    net, params, x = problem(name, (2,))
    drawn = (kind,) if not isinstance(kind, Additive | Alpha) else ()
    taken = [place for place in net.places(params, x) if place not in GAIN_ALONE or (drawn and "zone" not in place)]
    noise = places.draw(rng(), dict.fromkeys(taken, kind), net.places(params, x))
    assert list(noise) == taken
    y = rng().integers(0, 2, LOGITS[name][:-1])

    def run(p):
        return value_and_grads(net, p, x, y, noise=noise)

    assert np.shape(run(params)[0]) == (2,)
    gradcheck.check(lambda p: run(p)[0].sum(), lambda p: run(p)[1], params, rng(), tolerance=2e-6)


@pytest.mark.parametrize("name", NETS)
def test_wrong_gradients_are_refused(name):
    net, params, x = problem(name, (2,))
    logits, cache = net.forward(params, x)
    wrongs = (logits[0], logits[..., :1], logits[:, :1], np.stack([logits, logits]), logits.swapaxes(0, 1))
    for wrong in wrongs:
        for everything in (False, True):
            with pytest.raises(ValueError, match=r"^grad must have the shape of the (output|logits), .*; got "):
                net.backward(params, cache, wrong, everything=everything)
    with pytest.raises(TypeError, match=r"^grad must hold floating-point numbers"):
        net.backward(params, cache, np.ones(logits.shape, int))


@pytest.mark.parametrize("name", NETS)
def test_bad_parameters_and_noise_are_named(name):
    net, params, x = problem(name)
    names = ", ".join(net.names())
    fewer = dict(list(params.items())[:-1])
    swapped = dict(reversed(params.items()))
    for wrong, got in (
        (fewer, ", ".join(fewer)),
        (swapped, ", ".join(swapped)),
        (params | {"w9": x}, f"{names}, w9"),
        ({}, ""),
        (list(params.values()), "list"),
    ):
        with pytest.raises(ValueError, match=exactly(f"params must be a dict by name, {names}; got {got}")):
            net.forward(wrong, x)
    known = PLACES if isinstance(net, Sequence) else net.places(params, x)
    taken = ", ".join(map(repr, known))
    with pytest.raises(ValueError, match=exactly(f"a place of noise must be one of {taken}; got 'hidden9'")):
        net.forward(params, x, noise={"hidden9": Noise()})
    place = next(iter(net.places(params, x)))
    for wrong, kind in ((0.5, "0.5"), (Bernoulli, repr(Bernoulli)), (np.ones(x.shape), f"an array of shape {x.shape}")):
        with pytest.raises(TypeError, match=exactly(f"the noise at {place!r} must be a Noise, got {kind}")):
            net.forward(params, x, noise={place: wrong})
    for noise in (None, {place: Noise(np.ones(x.shape))}):
        with pytest.raises(TypeError, match=r"^x must hold floating-point numbers"):
            net.forward(params, x.astype(int), noise=noise)


@pytest.mark.parametrize("name", NETS)
def test_the_loss_of_value_and_grads_is_that_of_the_logits(name):
    net, params, x = problem(name, (2,))
    noise = full_noise(net, params, x)
    y = rng().integers(0, 2, LOGITS[name][:-1])
    value, grads = value_and_grads(net, params, x, y, noise=noise)
    logits, cache = net.forward(params, x, noise=noise)
    expected, grad = net.cost(softmax_cross_entropy, logits, y)
    np.testing.assert_array_equal(value, expected)
    for key, gradient in net.backward(params, cache, grad).items():
        np.testing.assert_array_equal(grads[key], gradient)
    target = rng().standard_normal(LOGITS[name])
    other, _ = value_and_grads(net, params, x, target, loss=squared_error)
    np.testing.assert_array_equal(other, net.cost(squared_error, net.logits(params, x), target)[0])


@pytest.mark.parametrize("name", NETS)
def test_what_is_no_loss_no_array_and_no_noise_is_named(name):
    net, params, x = problem(name)
    logits = net.logits(params, x)
    y = rng().integers(0, 2, LOGITS[name][:-1])
    with pytest.raises(TypeError, match=exactly("loss must be a function, got 5")):
        net.cost(5, logits, y)
    with pytest.raises(TypeError, match=exactly("loss must return a pair, got 5")):
        net.cost(lambda logits, y: 5, logits, y)
    first = net.names()[0]
    with pytest.raises(TypeError, match=exactly(f"params[{first!r}] must be an array of floats, got 5")):
        net.forward(params | {first: 5}, x)
    with pytest.raises(TypeError, match=exactly("noise must be a dict by place, got 0.5")):
        net.forward(params, x, noise=0.5)
