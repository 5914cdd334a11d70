"""Noise for a whole network: which places are drawn, in which order, and what takes its place at inference."""

import numpy as np
import pytest

from reglib.layers import recurrent
from reglib.layers.cells import LSTM
from reglib.nets.convnet import ConvNet
from reglib.nets.mlp import MLP
from reglib.nets.sequence import Sequence
from reglib.noise import masks, places
from reglib.noise.affine import Noise
from reglib.noise.kinds import Additive, Alpha, Bernoulli, Gaussian, Zoneout
from tests.conftest import exactly

SHAPES = {"input": (4, 5), "hidden1": (4, 6), "hidden2": (4, 7)}


def rng(seed=6):
    return np.random.default_rng(seed)


def same(a, b):
    """Two sets of noise act at the same places in the same order, with the same numbers."""
    assert list(a) == list(b)
    for place in a:
        for one, other in ((a[place].gain, b[place].gain), (a[place].offset, b[place].offset)):
            assert (one is None) == (other is None)
            if one is not None:
                assert one.dtype == other.dtype
                np.testing.assert_array_equal(one, other)


def test_places_are_drawn_one_after_another_in_the_order_of_the_network():
    """The dict of kinds may be in any order; each place has a draw of its own."""
    kinds = {"hidden2": Alpha(0.2), "input": Additive(0.5), "hidden1": Bernoulli(0.5)}
    generator, after = rng(), rng()
    drawn = places.draw(generator, kinds, SHAPES)
    same(drawn, {place: kinds[place].draw(after, shape) for place, shape in SHAPES.items()})
    assert generator.random() == after.random()
    alike = places.draw(rng(), dict.fromkeys(SHAPES, Bernoulli(0.5)), dict.fromkeys(SHAPES, (30, 30)))
    gains = [noise.gain for noise in alike.values()]
    assert (gains[0] != gains[1]).any()
    assert (gains[1] != gains[2]).any()


def test_a_draw_by_hand():
    drawn = places.draw(rng(), {"input": Bernoulli(0.25), "hidden2": Gaussian(0.5)}, SHAPES)
    after = rng()
    np.testing.assert_array_equal(drawn["input"].gain, masks.bernoulli(after, (4, 5), 0.25) / 0.75)
    np.testing.assert_array_equal(drawn["hidden2"].gain, masks.gaussian(after, (4, 7), 0.5))
    assert list(drawn) == ["input", "hidden2"]


def test_places_without_noise_draw_nothing():
    kinds = {"input": Bernoulli(0), "hidden1": Gaussian(0.5), "hidden2": Additive(0.0)}
    generator = rng()
    same(places.draw(generator, kinds, SHAPES), {"hidden1": Gaussian(0.5).draw(rng(), (4, 6))})
    after = rng()
    after.standard_normal((4, 6))
    assert generator.random() == after.random()
    assert places.draw(rng(), {}, SHAPES) == {}
    assert list(places.draw(rng(), {"input": Bernoulli(np.zeros(4))}, SHAPES)) == ["input"]


def test_the_dtype_is_that_of_the_parameters():
    kinds = {"input": Bernoulli(0.5), "hidden1": Alpha(0.5), "hidden2": Additive(0.5)}
    for dtype in (np.float32, np.float64):
        for noise in places.draw(rng(), kinds, SHAPES, dtype).values():
            assert {part.dtype for part in (noise.gain, noise.offset) if part is not None} == {np.dtype(dtype)}
    assert places.draw(rng(), kinds, SHAPES)["input"].gain.dtype == np.float64


def test_with_a_generator_each_a_replica_draws_what_it_would_alone():
    """A replica whose rate is 0 at one place draws nothing there, so that its other places are those it has alone."""
    rates = np.array([0.0, 0.3, 0.6])
    kinds = {"input": Bernoulli(rates), "hidden1": Gaussian(rates[::-1].copy()), "hidden2": Bernoulli(0.5, -1)}
    shapes = {place: (3, *shape) for place, shape in SHAPES.items()}
    together = [rng(s) for s in range(3)]
    drawn = places.draw(together, kinds, shapes)
    for s in range(3):
        generator = rng(s)
        alone = places.draw(generator, {place: kind.take(s) for place, kind in kinds.items()}, SHAPES)
        for place, noise in drawn.items():
            if place in alone:
                np.testing.assert_array_equal(noise.gain[s], alone[place].gain)
            else:
                np.testing.assert_array_equal(noise.gain[s], 1)
        assert together[s].random() == generator.random()
    assert list(drawn) == list(SHAPES)


def test_networks_take_what_is_drawn_for_their_places():
    """The shapes come from the network, with replica axes, time or images in them."""
    generator = rng()
    cases = [
        (MLP((5, 6, 3)), (4, 5), Bernoulli(0.5)),
        (ConvNet((2, 3, 4, 3)), (4, 6, 8, 2), Bernoulli(0.5, (-3, -2))),
        (Sequence(LSTM(), 2, 4, 3), (4, 6, 2), Bernoulli(0.5, -2)),
    ]
    for net, shape, kind in cases:
        for replicas in ((), (2,)):
            params, x = net.init(generator, replicas=replicas), generator.standard_normal(shape)
            shapes = net.places(params, x)
            drawn = places.draw(generator, dict.fromkeys(shapes, kind), shapes)
            assert list(drawn) == list(shapes)
            for place, noise in drawn.items():
                assert noise.gain.shape == masks.noise_shape(shapes[place], kind.shared)
            assert net.logits(params, x, noise=drawn).shape[: len(replicas)] == replicas
            assert (net.logits(params, x, noise=drawn) != net.logits(params, x)).any()


# At inference


def test_expected_holds_only_the_places_that_need_a_change():
    kinds = {
        "input": Bernoulli(0.2),
        "recurrent": Gaussian(0.2),
        "state_h": Bernoulli(0.2, scaled=False),
        "zone_h": Zoneout(0.1),
        "zone_c": Zoneout(0.5),
        "output": Alpha(0.2),
        "candidate": Additive(0.2),
    }
    shapes = dict.fromkeys(kinds, (4, 6, 5))
    means = places.expected(kinds, shapes)
    assert {place: float(mean.gain) for place, mean in means.items()} == {"state_h": 0.8, "zone_h": 0.9, "zone_c": 0.5}
    assert all(isinstance(mean, Noise) and mean.offset is None for mean in means.values())
    assert places.expected({}, shapes) == {}


def test_what_is_expected_of_unscaled_dropout_scales_the_weights_behind_it():
    """Srivastava et al. (2014), Section 4: at test time the outgoing weights are multiplied by 1 - rate."""
    generator, rates = rng(), np.array([0.2, 0.5])
    net = MLP((5, 6, 3))
    params, x = net.init(generator, replicas=(2,)), generator.standard_normal((4, 5))
    for rate, kept in ((0.2, 0.8), (rates, (1 - rates)[:, None, None])):
        kinds = dict.fromkeys(("input", "hidden1"), Bernoulli(rate, scaled=False))
        means = places.expected(kinds, net.places(params, x))
        thinner = params | {"w1": kept * params["w1"], "w2": kept * params["w2"]}
        np.testing.assert_allclose(net.logits(params, x, noise=means), net.logits(thinner, x), rtol=1e-13)


def test_what_is_expected_of_zoneout_with_one_rate_a_replica():
    generator, rates = rng(), np.array([0.1, 0.6])
    net = Sequence(LSTM(), 2, 4, 3)
    params, x = net.init(generator, replicas=(2,)), generator.standard_normal((5, 6, 2))
    kinds = {"zone_h": Zoneout(rates), "zone_c": Zoneout(rates[::-1].copy())}
    together = net.logits(params, x, noise=places.expected(kinds, net.places(params, x)))
    for s in range(2):
        own = {name: array[s] for name, array in params.items()}
        alone = places.expected({place: kind.take(s) for place, kind in kinds.items()}, net.places(own, x))
        np.testing.assert_allclose(together[s], net.logits(own, x, noise=alone), rtol=1e-12)
    assert (together != net.logits(params, x)).all()


# Bad input


def test_bad_input_is_named():
    message = "a place of noise must be one of 'input', 'hidden1', 'hidden2'; got 'hidden3'"
    for kind in (Bernoulli(0.5), Bernoulli(0)):
        for call in (places.checked, places.expected, lambda kinds, shapes: places.draw(rng(), kinds, shapes)):
            with pytest.raises(ValueError, match=exactly(message)):
                call({"input": Bernoulli(0.5), "hidden3": kind}, SHAPES)
    for wrong in (0.5, None, Bernoulli, Noise(0.5), "dropout"):
        message = f"the noise at 'hidden1' must be a kind of reglib.noise.kinds, got {wrong!r}"
        for call in (places.checked, places.expected, lambda kinds, shapes: places.draw(rng(), kinds, shapes)):
            with pytest.raises(TypeError, match=exactly(message)):
                call({"hidden1": wrong}, SHAPES)
    with pytest.raises(TypeError, match=r"^rng must be a numpy\.random\.Generator"):
        places.draw(0, {"input": Bernoulli(0.5)}, SHAPES)
    with pytest.raises(TypeError, match=r"^dtype must be numpy\.float32 or numpy\.float64"):
        places.draw(rng(), {"input": Bernoulli(0.5)}, SHAPES, np.float16)
    message = "rng must hold one generator for each of the 4 replicas, got 2"
    with pytest.raises(ValueError, match=exactly(message)):
        places.draw([rng(), rng()], {"input": Bernoulli(0.5)}, SHAPES)


def test_checked_returns_the_kinds():
    kinds = {"hidden1": Bernoulli(0.5)}
    assert places.checked(kinds, SHAPES) is kinds
    assert places.checked(kinds, kinds) is kinds


@pytest.mark.parametrize("scaled", [False, True])
def test_in_a_memory_the_expected_noise_is_the_mean_over_masks_of_each_step_not_of_one_mask_a_sequence(scaled):
    """A memory that only dropout acts on: the forget gate is open, the input gate is shut."""
    steps, size, q = 3, 4000, 0.75
    params = {"w_x": np.zeros((1, 4)), "w_h": np.zeros((1, 4)), "b": np.array([-np.inf, np.inf, 0.0, 0.0])}
    start = np.zeros((size, 1)), np.ones((size, 1))

    def last(noise):
        return recurrent.forward(LSTM(), params, np.zeros((size, steps, 1)), start, noise=noise)[1][1]

    found = {}
    for shared in ((), -2):
        kinds = {"state_c": Bernoulli(1 - q, shared, scaled=scaled)}
        shapes = {"state_c": (size, steps, 1)}
        np.testing.assert_allclose(last(places.expected(kinds, shapes)), 1 if scaled else q**steps, rtol=1e-14)
        found[shared] = last(places.draw(rng(), kinds, shapes)).mean()
    anew, once = (1, q ** (1 - steps)) if scaled else (q**steps, q)
    assert abs(found[()] - anew) < 6 * anew * np.sqrt((q**-steps - 1) / size)
    assert abs(found[-2] - once) < 6 * once * np.sqrt((1 / q - 1) / size)


def test_what_is_no_dict_by_place_is_named():
    for function in (places.expected, lambda kinds, shapes: places.draw(rng(), kinds, shapes)):
        with pytest.raises(TypeError, match=exactly("kinds must be a dict by place, got 0.5")):
            function(0.5, SHAPES)
        with pytest.raises(TypeError, match=exactly("shapes must be a dict by place, got 5")):
            function({}, 5)
