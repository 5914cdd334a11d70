"""Techniques from values and a few lines of one's own, each against an exact reference.

Nothing here is part of reglib but what every technique shares: this is the proof that a step has a place for each.
"""

from dataclasses import dataclass

import numpy as np
import pytest

from regbook.datasets import digits
from reglib import gradcheck
from reglib.layers.activations import softmax
from reglib.nets.convnet import ConvNet
from reglib.nets.mlp import MLP
from reglib.noise import masks, places
from reglib.noise.affine import Noise
from reglib.noise.kinds import ALPHA_PRIME, Additive, Alpha, Bernoulli, Gaussian, alpha_constants
from reglib.train.loop import minibatches, train
from reglib.train.losses import softmax_cross_entropy
from reglib.train.optim import SGD, Adam
from reglib.train.technique import Technique, start, step, value_and_grads
from reglib.weights.parameters import choose, each
from reglib.weights.penalties import L1, L2

RATE = 0.2
NET, IMAGES = MLP((64, 8, 10)), ConvNet((1, 3, 4, 10))
X, Y = digits().x[:40], digits().y[:40]
PICTURES = X.reshape(40, 8, 8, 1)


def rng(seed=5):
    return np.random.default_rng(seed)


def params(replicas=(), net=NET):
    return net.init(rng(1), replicas=replicas)


def plain(p, x=X, y=Y, rate=RATE, net=NET, **options):
    """Return the parameters after one step of plain gradient descent."""
    _, grads = value_and_grads(net, p, x, y, **options)
    return {name: w - rate * grads[name] for name, w in p.items()}


def take(technique, optimizer=None, p=None, batch=(X, Y), r=None, count=1, net=NET):
    """Take steps, all on one batch; return the last loss and the state."""
    optimizer = SGD(RATE) if optimizer is None else optimizer
    state = start(technique, optimizer, params(net=net) if p is None else p)
    for _ in range(count):
        value, state = step(net, technique, optimizer, state, batch, r)
    return value, state


def same(one, other, rtol=1e-12):
    assert list(one) == list(other)
    for name, array in one.items():
        np.testing.assert_allclose(array, other[name], rtol=rtol, atol=1e-14, err_msg=name)


def differ(one, other, by=1e-6):
    assert max(np.abs(array - other[name]).max() for name, array in one.items()) > by


def one_of(p, s):
    return {name: array[s] for name, array in p.items()}


# Penalties and decay


def test_l1_by_its_proximal_step_has_exact_zeros_that_its_gradient_has_not():
    technique = Technique(penalty=L1(0.02), proximal=True)
    state, p = start(technique, SGD(RATE), params()), params()
    for _ in range(5):
        _, state = step(NET, technique, SGD(RATE), state, (X, Y))
        moved = plain(p)
        p = {
            name: np.sign(w) * np.maximum(np.abs(w) - RATE * 0.02, 0) if name.startswith("w") else w
            for name, w in moved.items()
        }
        same(state.params, p)
    assert (state.params["w1"] == 0).mean() > 0.05
    assert (state.params["b2"] != 0).all()
    _, by_gradient = take(Technique(penalty=L1(0.02)), count=5)
    assert (by_gradient.params["w1"] != 0).all()


@pytest.mark.parametrize("optimizer", [SGD, Adam])
@pytest.mark.parametrize("on", ["weight", "all", ("w2", "bias")])
def test_l2_as_a_penalty_is_the_l2_of_the_optimizer(optimizer, on):
    _, penalty = take(Technique(penalty=L2(0.03, on=on)), optimizer(0.1), count=3)
    _, own = take(Technique(), optimizer(0.1, l2=0.03, decay_on=on), count=3)
    same(penalty.params, own.params)
    differ(penalty.params, take(Technique(), optimizer(0.1), count=3)[1].params)


def test_decoupled_decay_is_a_matter_of_the_optimizer():
    optimizer = SGD(RATE, weight_decay=0.3, decoupled=True, decay_on="weight")
    state, p = take(Technique(noise={"input": Bernoulli(0.5)}), optimizer, r=rng())[1], params()
    moved = plain(p, noise=places.draw(rng(), {"input": Bernoulli(0.5)}, NET.places(p, X)))
    same(state.params, {name: w - RATE * 0.3 * p[name] * name.startswith("w") for name, w in moved.items()})


def test_several_penalties_each_act_where_they_are_meant_to():
    _, state = take(Technique(penalty=(L1(0.1, on="w1"), L2(0.2, on=("w2", "b2")))))
    p, moved = params(), plain(params())
    moved["w1"] -= RATE * 0.1 * np.sign(p["w1"])
    for name in ("w2", "b2"):
        moved[name] -= RATE * 0.4 * p[name]
    same(state.params, moved)
    # one after the other, the proximal steps of L1 and L2 are that of the elastic net
    both = Technique(penalty=(L1(0.1), L2(0.2)), proximal=True)
    moved = plain(params())
    for name in ("w1", "w2"):
        w = moved[name]
        moved[name] = np.sign(w) * np.maximum(np.abs(w) - RATE * 0.1, 0) / (1 + 2 * RATE * 0.2)
    same(take(both)[1].params, moved)


# Noise


def test_noise_on_the_inputs_is_other_inputs():
    """Dropout, Gaussian dropout, additive noise and alpha dropout: the step is the plain one on x by hand."""
    a, b = alpha_constants(0.3)
    kept = masks.bernoulli(rng(), X.shape, 0.3)
    expected = {
        Bernoulli(0.3): X * kept / 0.7,
        Bernoulli(0.3, scaled=False): X * kept,
        Gaussian(0.3): X * (1 + np.sqrt(0.3 / 0.7) * rng().standard_normal(X.shape)),
        Additive(0.3): X + 0.3 * rng().standard_normal(X.shape),
        Alpha(0.3): a * np.where(kept, X, ALPHA_PRIME) + b,
        Bernoulli(0.3, shared=-2): X * masks.bernoulli(rng(), (1, 64), 0.3) / 0.7,
    }
    for kind, x in expected.items():
        same(take(Technique(noise={"input": kind}), r=rng())[1].params, plain(params(), x))


@pytest.mark.parametrize("kind", [Bernoulli(0.5, shared=-2), Gaussian(0.5, shared=-2)])
def test_noise_on_units_that_the_batch_shares_is_noise_on_their_outgoing_weights(kind):
    _, state = take(Technique(noise={"hidden1": kind}), r=rng())
    gain = kind.draw(rng(), (40, 8)).gain[0, :, None]
    p = params()
    _, grads = value_and_grads(NET, p | {"w2": gain * p["w2"]}, X, Y)
    grads["w2"] *= gain
    same(state.params, {name: w - RATE * grads[name] for name, w in p.items()})


def test_spatial_dropout_drops_whole_maps():
    kinds = {"input": Bernoulli(0.4, shared=(-3, -2)), "maps1": Bernoulli(0.4, shared=(-3, -2))}
    _, state = take(Technique(noise=kinds), batch=(PICTURES, Y), r=rng(), net=IMAGES)
    twin = rng()
    x = PICTURES * masks.bernoulli(twin, (40, 1, 1, 1), 0.4) / 0.6
    maps = Noise(masks.bernoulli(twin, (40, 1, 1, 3), 0.4) / 0.6)
    same(state.params, plain(params(net=IMAGES), x, net=IMAGES, noise={"maps1": maps}))
    # a map that is dropped for every image learns nothing
    none = Technique(noise={"maps1": Bernoulli(0.4, shared=(-4, -3, -2))})
    dead = masks.bernoulli(rng(3), (1, 1, 1, 3), 0.4)[0, 0, 0] == 0
    assert dead.any()
    _, state = take(none, batch=(PICTURES, Y), r=rng(3), net=IMAGES)
    unmoved = (state.params["w1"] == params(net=IMAGES)["w1"]).all(axis=(0, 1, 2))
    np.testing.assert_array_equal(unmoved, dead)


# Between the steps


@dataclass(frozen=True)
class MaxNorm:
    """Project the incoming weights of each unit onto the ball of radius ``limit`` (Srivastava et al. 2014)."""

    limit: float
    on: str = "weight"

    def __call__(self, params, memory):
        chosen = choose(params, self.on)
        return {name: self._project(w) if name in chosen else w for name, w in params.items()}, memory

    def _project(self, w):
        norms = np.linalg.norm(w, axis=-2, keepdims=True)
        return w * np.minimum(1, self.limit / np.maximum(norms, self.limit))


def norms(w):
    return np.linalg.norm(w, axis=-2)


def test_max_norm_is_the_projection_of_each_step():
    technique = Technique(between=MaxNorm(1.2))
    state, p = start(technique, SGD(1.0), params()), params()
    for _ in range(4):
        _, state = step(NET, technique, SGD(1.0), state, (X, Y))
        p = plain(p, rate=1.0)
        free = norms(p["w1"]), norms(p["w2"])
        for name in ("w1", "w2"):
            for unit in range(p[name].shape[1]):
                length = np.sqrt((p[name][:, unit] ** 2).sum())
                if length > 1.2:
                    p[name][:, unit] *= 1.2 / length
        same(state.params, p)
        assert max(norms(state.params[name]).max() for name in ("w1", "w2")) <= 1.2 * (1 + 1e-12)
        assert max(lengths.max() for lengths in free) > 1.25
    assert norms(p["w2"]).min() < 1.19  # units inside of the ball are left alone


@dataclass(frozen=True)
class Average:
    """Remember an exponential average of the parameters, for `by_average` to predict with."""

    decay: float

    def __call__(self, params, memory):
        before = memory.get("average", params)
        mean = each(lambda old, new: self.decay * old + (1 - self.decay) * new, before, params)
        return params, memory | {"average": mean}


def by_average(rng, forward, x, params, memory):
    return forward(memory.get("average", params), x)


def test_an_average_of_the_weights_is_remembered_and_predicts():
    technique = Technique(between=Average(0.9), predict=by_average)
    state, seen = start(technique, SGD(RATE), params()), []
    np.testing.assert_array_equal(technique.output(NET, state.params, X, state.memory), NET.logits(params(), X))
    for _ in range(4):
        _, state = step(NET, technique, SGD(RATE), state, (X, Y))
        seen.append(state.params)
    same(state.params, take(Technique(), count=4)[1].params, 0)  # training itself is not touched
    share = [0.9**3, 0.1 * 0.9**2, 0.1 * 0.9, 0.1]
    mean = {name: sum(a * p[name] for a, p in zip(share, seen, strict=True)) for name in state.params}
    same(state.memory["average"], mean)
    output = technique.output(NET, state.params, X, state.memory)
    np.testing.assert_allclose(output, NET.logits(mean, X), rtol=1e-12)
    assert np.abs(output - NET.logits(state.params, X)).max() > 1e-3
    assert technique == Technique(between=Average(0.9), predict=by_average) != Technique(between=Average(0.8))


def test_what_happens_between_steps_happens_in_the_order_given():
    first, second = MaxNorm(1.0), Average(0.5)
    projected = take(Technique(between=(first, second)), count=3)[1]
    other = take(Technique(between=(second, first)), count=3)[1]
    same(projected.params, other.params, 0)
    assert norms(projected.memory["average"]["w1"]).max() <= 1 + 1e-12  # a mean of points in the ball
    assert norms(other.memory["average"]["w1"]).max() > 1.01


# The slope


@dataclass(frozen=True)
class SAM:
    """Sharpness-aware minimization: the gradient at w + rho g / ||g||, one norm a replica (Foret et al. 2021)."""

    rho: float

    def __call__(self, slope, params):
        value, grads = slope(params)
        axes = np.ndim(value)
        squares = [(g**2).sum(axis=tuple(range(axes, g.ndim))) for g in grads.values()]
        norm = np.sqrt(sum(squares))
        climbed = each(lambda w, g: w + self.rho * g / norm.reshape(norm.shape + (1,) * (g.ndim - axes)), params, grads)
        return value, slope(climbed)[1]


def climb(p, grads, rho):
    norm = np.sqrt(sum((g**2).sum() for g in grads.values()))
    return {name: w + rho * grads[name] / norm for name, w in p.items()}


def test_sam_is_two_gradients_under_the_same_draw_of_noise():
    technique = Technique(noise={"hidden1": Bernoulli(0.5)}, slope=SAM(0.5))
    value, state = take(technique, r=rng())
    p, twin = params(), rng()
    noise, fresh = (places.draw(twin, technique.noise, NET.places(p, X)) for _ in range(2))
    own, grads = value_and_grads(NET, p, X, Y, noise=noise)
    assert value == own
    expected = value_and_grads(NET, climb(p, grads, 0.5), X, Y, noise=noise)[1]
    same(state.params, {name: w - RATE * expected[name] for name, w in p.items()})
    another = value_and_grads(NET, climb(p, grads, 0.5), X, Y, noise=fresh)[1]
    differ(state.params, {name: w - RATE * another[name] for name, w in p.items()})
    differ(state.params, plain(p, noise=noise))


def test_the_penalty_is_outside_of_the_ascent():
    """Both variants by hand: Foret et al. (2021), Eq. 2, leave the L2 term outside of the maximum."""
    p, l2 = params(), 0.05
    pull = {name: 2 * l2 * w * name.startswith("w") for name, w in p.items()}
    _, grads = value_and_grads(NET, p, X, Y)
    outside = value_and_grads(NET, climb(p, grads, 0.5), X, Y)[1]
    outside = {name: w - RATE * (outside[name] + pull[name]) for name, w in p.items()}
    higher = climb(p, {name: grads[name] + pull[name] for name in p}, 0.5)
    inside = value_and_grads(NET, higher, X, Y)[1]
    inside = {name: w - RATE * (inside[name] + 2 * l2 * higher[name] * name.startswith("w")) for name, w in p.items()}
    _, state = take(Technique(slope=SAM(0.5), penalty=L2(l2)))
    same(state.params, outside)
    differ(outside, inside, 1e-4)


def test_sam_climbs_for_each_replica_alone():
    p = params((2,))
    value, state = take(Technique(slope=SAM(0.5)), p=p)
    for s in range(2):
        alone, found = take(Technique(slope=SAM(0.5)), p=one_of(p, s))
        assert value[s] == pytest.approx(alone, rel=1e-13)
        same(one_of(state.params, s), found.params, 1e-11)


# The batch


def one_hot(y, classes=10):
    return np.eye(classes)[y] if np.asarray(y).dtype.kind == "i" else y


@dataclass(frozen=True)
class Mixup:
    """Mix each example with another one, and so their targets (Zhang et al. 2018)."""

    alpha: float

    def __call__(self, rng, x, y):
        share, order, y = rng.beta(self.alpha, self.alpha), rng.permutation(len(x)), one_hot(y)
        return share * x + (1 - share) * x[order], share * y + (1 - share) * y[order]


@dataclass(frozen=True)
class Smoothing:
    """Move a share of each target to all classes alike (Szegedy et al. 2016)."""

    share: float

    def __call__(self, rng, x, y):
        return x, (1 - self.share) * one_hot(y) + self.share / 10


def test_mixup_is_two_losses_on_mixed_inputs():
    value, state = take(Technique(data=Mixup(0.4)), r=rng())
    twin = rng()
    share, order = twin.beta(0.4, 0.4), twin.permutation(40)
    assert 0.01 < share < 0.99
    mixed = share * X + (1 - share) * X[order]
    (own, own_grads), (other, other_grads) = (value_and_grads(NET, params(), mixed, y) for y in (Y, Y[order]))
    assert value == pytest.approx(share * own + (1 - share) * other, rel=1e-13)
    grads = {name: share * own_grads[name] + (1 - share) * other_grads[name] for name in own_grads}
    same(state.params, {name: w - RATE * grads[name] for name, w in params().items()})


def test_label_smoothing_is_the_loss_and_the_mean_loss_of_all_classes():
    value, state = take(Technique(data=Smoothing(0.1)))
    losses = [value_and_grads(NET, params(), X, np.full(40, k)) for k in range(10)]
    own, own_grads = value_and_grads(NET, params(), X, Y)
    assert value == pytest.approx(0.9 * own + 0.1 * np.mean([loss for loss, _ in losses]), rel=1e-13)
    grads = {name: 0.9 * g + 0.01 * sum(grads[name] for _, grads in losses) for name, g in own_grads.items()}
    same(state.params, {name: w - RATE * grads[name] for name, w in params().items()})


def test_data_changes_one_after_the_other():
    _, state = take(Technique(data=(Smoothing(0.1), Mixup(0.4))), r=rng())
    x, y = Mixup(0.4)(rng(), X, 0.9 * np.eye(10)[Y] + 0.01)
    same(state.params, plain(params(), x, y))


# The weights


@dataclass(frozen=True)
class DropConnect:
    """Drop single weights instead of units (Wan et al. 2013): the network uses w * mask / (1 - rate)."""

    rate: float
    on: str = "weight"

    def __call__(self, rng, params, memory):
        kind = Bernoulli(self.rate)
        gains = {name: kind.draw(rng, params[name].shape, params[name].dtype).gain for name in choose(params, self.on)}

        def masked(arrays):
            return {name: array * gains[name] if name in gains else array for name, array in arrays.items()}

        return lambda params: (masked(params), masked)


def gains_of(r, p, rate=0.3):
    return {name: masks.bernoulli(r, p[name].shape, rate) / (1 - rate) for name in ("w1", "w2")}


def test_dropconnect_trains_the_weights_through_its_mask():
    value, state = take(Technique(weights=DropConnect(0.3)), r=rng())
    p = params()
    gains = gains_of(rng(), p)
    own, grads = value_and_grads(NET, p | {name: p[name] * gain for name, gain in gains.items()}, X, Y)
    assert value == own
    same(state.params, {name: w - RATE * grads[name] * gains.get(name, 1) for name, w in p.items()})
    dropped = gains["w1"] == 0
    np.testing.assert_array_equal(state.params["w1"][dropped], p["w1"][dropped])


def test_dropconnect_draws_one_mask_a_step_and_sam_climbs_under_it():
    _, state = take(Technique(weights=DropConnect(0.3), slope=SAM(0.5)), r=rng(), count=2)
    p, twin = params(), rng()
    for _ in range(2):
        gains = gains_of(twin, p)

        def gradient(p, gains=gains):
            used = p | {name: p[name] * gain for name, gain in gains.items()}
            return {name: g * gains.get(name, 1) for name, g in value_and_grads(NET, used, X, Y)[1].items()}

        expected = gradient(climb(p, gradient(p), 0.5))
        p = {name: w - RATE * expected[name] for name, w in p.items()}
    same(state.params, p, 1e-11)


def test_the_slope_has_the_gradient_of_its_loss_whatever_acts_inside():
    """Noise, masked weights and mixed targets at once: central differences of the slope that a technique is handed."""

    def checked(slope, p):
        gradcheck.check(lambda p: slope(p)[0], lambda p: slope(p)[1], p, rng(), tolerance=2e-6)
        return slope(p)

    noise = {"input": Additive(0.2), "hidden1": Gaussian(0.3)}
    parts = {"data": (Smoothing(0.1), Mixup(0.4)), "noise": noise, "weights": DropConnect(0.3), "slope": checked}
    take(Technique(**parts), r=rng())
    take(Technique(**parts | {"noise": {"hidden1": Alpha(0.4)}}), r=rng())


# Prediction


@dataclass(frozen=True)
class MonteCarlo:
    """Average the probabilities under several draws of noise (Srivastava et al. 2014; Gal and Ghahramani 2016)."""

    draws: int

    def __call__(self, rng, forward, x, params, memory):
        return sum(softmax(forward(params, x, rng)) for _ in range(self.draws)) / self.draws


def test_monte_carlo_dropout_averages_probabilities():
    kinds = {"hidden1": Bernoulli(0.5)}
    technique = Technique(noise=kinds, predict=MonteCarlo(6))
    p = params()
    output = technique.output(NET, p, X, rng=rng())
    twin, total = rng(), 0
    for _ in range(6):
        total = total + softmax(NET.logits(p, X, noise={"hidden1": Noise(masks.bernoulli(twin, (40, 8), 0.5) * 2.0)}))
    np.testing.assert_allclose(output, total / 6, rtol=1e-13)
    np.testing.assert_allclose(output.sum(axis=-1), 1, rtol=1e-13)
    assert np.abs(output - technique.output(NET, p, X, rng=rng(6))).max() > 1e-3
    np.testing.assert_allclose(technique.output(NET, p, X), softmax(NET.logits(p, X)), rtol=1e-13)
    # many draws come close to one another, and are not the prediction without noise
    many = Technique(noise=kinds, predict=MonteCarlo(3000))
    one, two = (many.output(NET, p, X, rng=rng(seed)) for seed in (1, 2))
    assert np.abs(one - two).max() < 0.2 * np.abs(one - softmax(NET.logits(p, X))).max()


# All at once


def test_everything_together_for_replicas_is_a_loop_over_models():
    """Each with its own batches, noise, masks, rates and strengths, from its own generator."""

    def technique(rates, strengths):
        return Technique(
            data=Smoothing(0.1),
            noise={"input": Additive(rates), "hidden1": Bernoulli(rates)},
            weights=DropConnect(0.2),
            slope=SAM(0.2),
            penalty=(L1(strengths, on="w1"), L2(0.01, on="w2")),
            between=(MaxNorm(1.5), Average(0.8)),
            predict=by_average,
        )

    rates, strengths, speeds = np.array([0.1, 0.5]), np.array([0.02, 0.0]), np.array([0.1, 0.3])
    p, accuracy = params((2,)), {"loss": lambda state: softmax_cross_entropy(NET.logits(state.params, X), Y)[0]}
    options = {"data": (X, Y), "measures": accuracy, "every": 3}
    batches = minibatches([rng(20), rng(21)], 40, 15, 2)
    run = train(NET, p, SGD(speeds), batches, technique=technique(rates, strengths), rng=[rng(30), rng(31)], **options)
    for s in range(2):
        alone = train(
            NET,
            one_of(p, s),
            SGD(speeds[s]),
            minibatches(rng(20 + s), 40, 15, 2),
            technique=technique(rates[s], strengths[s]),
            rng=rng(30 + s),
            **options,
        )
        np.testing.assert_allclose(run.losses[:, s], alone.losses, rtol=1e-10)
        np.testing.assert_allclose(run.curves["loss"][:, s], alone.curves["loss"], rtol=1e-10)
        same(one_of(run.params, s), alone.params, 1e-9)
        same(one_of(run.memory["average"], s), alone.memory["average"], 1e-9)
