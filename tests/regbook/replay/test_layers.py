"""Noise layers under one draw: that the draw is the layer's, and that wrong masks, rates and signs are noticed.

That reglib agrees with each of the frameworks' layers stands in tests/parity.
"""

import numpy as np
import pytest
import torch

from regbook import replay
from regbook.replay.frameworks import load_keras
from regbook.replay.layers import Replayed, mask_of, own_part
from reglib.noise.affine import apply
from reglib.noise.kinds import Additive, Alpha, Bernoulli, Gaussian

keras = load_keras()
X, GRAD = np.random.default_rng(5).normal(size=(2, 6, 5, 4, 3))
DOUBLE = {"dtype": "float64"}


class Scaled(torch.nn.Module):
    """Gaussian noise of one's own, with a scale and a sign to get wrong."""

    def __init__(self, std, sign=1.0):
        super().__init__()
        self.std, self.sign = std, sign

    def forward(self, x):
        return self.sign * x * (1 + self.std * torch.randn_like(x)) if self.training else x


class Restless(torch.nn.Module):
    """Dropout with a new mask at each call, whatever the seed says."""

    def __init__(self):
        super().__init__()
        self.rng = np.random.default_rng(0)

    def forward(self, x):
        return x * torch.tensor(self.rng.random(x.shape) < 0.5)


@pytest.mark.parametrize("module", [torch.nn.Dropout(0.375), keras.layers.Dropout(0.375, **DOUBLE)])
def test_what_a_layer_did(module):
    done = replay.layer(module, X, GRAD)
    assert done.framework == ("PyTorch" if isinstance(module, torch.nn.Module) else "Keras")
    assert set(np.unique(done.gain)) == {0.0, 1.6}
    assert not done.offset.any()
    np.testing.assert_allclose(done.output, X * done.gain, rtol=1e-15)
    np.testing.assert_allclose(done.gradient, GRAD * done.gain, rtol=1e-15)
    np.testing.assert_array_equal(done.mask, done.gain > 0)
    np.testing.assert_array_equal(apply(done.noise(Bernoulli(0.375)), X), done.output)


@pytest.mark.parametrize("module", [torch.nn.AlphaDropout(0.375), keras.layers.AlphaDropout(0.375, **DOUBLE)])
def test_the_mask_of_alpha_dropout_shows_on_zeros(module):
    done = replay.layer(module, X, GRAD)
    assert 0.2 < 1 - done.mask.mean() < 0.55
    assert len(np.unique(done.offset)) == 2
    np.testing.assert_allclose(apply(done.noise(Alpha(0.375)), X), done.output, rtol=1e-14)


@pytest.mark.parametrize("make", [torch.nn.Dropout, lambda rate: keras.layers.Dropout(rate, **DOUBLE)])
def test_the_seed_decides_and_nothing_is_left_behind(make):
    module = make(0.5)
    state = torch.get_rng_state()
    one, same, other = (replay.layer(module, X, GRAD, seed=seed).mask for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    assert torch.equal(torch.get_rng_state(), state)


def test_keras_goes_on_where_it_was():
    module = keras.layers.Dropout(0.5, seed=3, **DOUBLE)
    before = module.seed_generator.state.numpy()
    replay.layer(module, X, GRAD)
    np.testing.assert_array_equal(module.seed_generator.state.numpy(), before)


def test_a_layer_in_evaluation_mode_is_tried_in_training_mode_and_put_back():
    module = torch.nn.Dropout(0.5).eval()
    assert 0 < replay.layer(module, X, GRAD).mask.mean() < 1
    assert not module.training


def test_a_layer_that_works_in_place():
    np.testing.assert_array_equal(
        replay.layer(torch.nn.Dropout(0.5, inplace=True), X, GRAD).output,
        replay.layer(torch.nn.Dropout(0.5), X, GRAD).output,
    )


@pytest.mark.parametrize("module", [Restless(), torch.nn.ReLU(), torch.nn.LayerNorm(3, dtype=torch.float64)])
def test_what_is_no_noise_under_one_draw_is_noticed(module):
    with pytest.raises(AssertionError, match="is not gain \\* x \\+ offset under one draw; output against PyTorch"):
        replay.layer(module, X, GRAD)


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (keras.layers.Dropout(0.5, dtype="float32"), "computes in float32 and x is float64"),
        (keras.layers.Dense(3, dtype="float64"), "has no seed_generator: it draws nothing"),
        (np.tanh, "of PyTorch or Keras is needed"),
    ],
)
def test_layers_that_cannot_be_replayed(module, words):
    with pytest.raises(TypeError, match=words):
        replay.layer(module, X, GRAD)


def test_arrays_that_do_not_fit():
    with pytest.raises(ValueError, match="grad must have the shape of x"):
        replay.layer(torch.nn.Dropout(0.5), X, GRAD[:1])
    with pytest.raises(TypeError, match="x must hold floating-point numbers"):
        replay.layer(torch.nn.Dropout(0.5), np.ones((2, 2), int), GRAD)


def test_noise_without_a_mask():
    done = replay.layer(keras.layers.GaussianDropout(0.5, **DOUBLE), X, GRAD)
    with pytest.raises(ValueError, match="this noise has no mask: its gain or its offset differ from unit to unit"):
        _ = done.mask
    with pytest.raises(ValueError, match="has no mask"):
        mask_of(np.array([1.0, 1.0, 0.0]), np.array([0.1, 0.2, 0.0]))
    with pytest.raises(ValueError, match="has no mask"):
        mask_of(np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.2, 0.1]))


def test_the_part_of_a_draw():
    draw = np.repeat(np.arange(6.0).reshape(2, 1, 3), 4, axis=1)
    np.testing.assert_array_equal(own_part(draw, (2, 1, 3)), draw[:, :1])
    with pytest.raises(AssertionError, match="does not repeat its part of shape \\(1, 4, 3\\)"):
        own_part(draw, (1, 4, 3))


PAIRS = {
    "Bernoulli": (Bernoulli(0.375), torch.nn.Dropout(0.375), keras.layers.Dropout(0.375, **DOUBLE)),
    "channels": (
        Bernoulli(0.375, shared=(-3, -2)),
        torch.nn.Dropout2d(0.375),
        keras.layers.SpatialDropout2D(0.375, **DOUBLE),
    ),
    "Alpha": (Alpha(0.375), torch.nn.AlphaDropout(0.375), keras.layers.AlphaDropout(0.375, **DOUBLE)),
    "Gaussian": (Gaussian(0.375), Scaled(0.6**0.5), keras.layers.GaussianDropout(0.375, **DOUBLE)),
    "Additive": (Additive(0.5), keras.layers.GaussianNoise(0.5, **DOUBLE)),
}


@pytest.mark.parametrize("name", PAIRS)
def test_kinds_against_layers(name):
    kind, *modules = PAIRS[name]
    parity = replay.noise_parity(kind, X, GRAD, *modules, name=name)
    assert list(parity.rows) == [f"{name}: output", f"{name}: gradient"]
    assert all(max(found.values()) < 1e-14 for _, found in parity.rows.values())
    assert all(len(found) == len(modules) for _, found in parity.rows.values())


def test_in_float32():
    x, grad = X.astype(np.float32), GRAD.astype(np.float32)
    modules = torch.nn.AlphaDropout(0.1), keras.layers.AlphaDropout(0.1, dtype="float32")
    parity = replay.noise_parity(Alpha(0.1), x, grad, *modules)
    assert {tolerance for tolerance, _ in parity.rows.values()} == {1e-6}


@pytest.mark.parametrize(
    ("kind", "module", "words"),
    [
        (Bernoulli(0.5), torch.nn.Dropout(0.375), "output against PyTorch: largest difference"),
        (Bernoulli(0.375, scaled=False), torch.nn.Dropout(0.375), "output against PyTorch: largest difference"),
        (Alpha(0.5), keras.layers.AlphaDropout(0.375, **DOUBLE), "output against Keras: largest difference"),
        (Bernoulli(0.375), torch.nn.AlphaDropout(0.375), "output against PyTorch: largest difference"),
        (
            Gaussian(0.8),
            keras.layers.GaussianDropout(0.375, **DOUBLE),
            "deviation 2; the layer's draw has",
        ),
        (
            Gaussian(0.376),
            keras.layers.GaussianDropout(0.375, **DOUBLE),
            "the rate 0.376, the layer of Keras 0.375",
        ),
        (Additive(0.51), keras.layers.GaussianNoise(0.5, **DOUBLE), "has the std 0.51, the layer of Keras 0.5"),
        (Gaussian(0.375), torch.nn.Dropout(0.375), "draws numbers that all differ; the layer drew 2 values"),
        (Gaussian(0.375), Scaled(0.5), "has the mean 1 and the standard deviation 0.775"),
        (Gaussian(0.375), Scaled(0.6**0.5, sign=-1.0), "has the mean 1 and the standard deviation"),
        (Additive(1.0), keras.layers.GaussianNoise(0.5, **DOUBLE), "has the mean 0 and the standard deviation 1"),
        (Bernoulli(0.375, shared=-2), torch.nn.Dropout(0.375), "does not repeat its part of shape"),
        (Bernoulli(0.375), torch.nn.Dropout(1e-9), "PyTorch kept all units, or none"),
        (Bernoulli(0.375), torch.nn.Dropout(1.0), "PyTorch kept all units, or none"),
    ],
)
def test_wrong_rates_kinds_and_shapes_are_noticed(kind, module, words):
    with pytest.raises(AssertionError, match=words):
        replay.noise_parity(kind, X, GRAD, module)


def test_unit_dropout_in_the_place_of_channels_is_noticed_too():
    """Under a mask of whole channels every single unit's mask is explained; the page must say shared=(-3, -2)."""
    replay.noise_parity(Bernoulli(0.375), X, GRAD, keras.layers.SpatialDropout2D(0.375, **DOUBLE))
    with pytest.raises(AssertionError, match="does not repeat"):
        replay.noise_parity(Bernoulli(0.375, shared=(-3, -2)), X, GRAD, keras.layers.Dropout(0.375, **DOUBLE))


@pytest.mark.parametrize("part", ["gain", "output", "gradient"])
def test_another_mask_or_a_changed_sign_is_noticed(monkeypatch, part):
    """If the replay itself went wrong: the next draw's mask, or a sign, in the place of the right one."""
    right, wrong = (replay.layer(torch.nn.Dropout(0.5), X, GRAD, seed=seed) for seed in (0, 1))
    values = vars(right) | {part: wrong.gain if part == "gain" else -getattr(right, part)}
    monkeypatch.setattr("regbook.replay.layers.layer", lambda *args, **options: Replayed(**values))
    with pytest.raises(AssertionError, match="against PyTorch: largest difference"):
        replay.noise_parity(Bernoulli(0.5), X, GRAD, torch.nn.Dropout(0.5))


def test_the_layers_to_compare():
    with pytest.raises(ValueError, match="at least one layer of PyTorch or Keras, got none"):
        replay.noise_parity(Bernoulli(0.5), X, GRAD)
    with pytest.raises(ValueError, match="one layer a framework, got two of PyTorch"):
        replay.noise_parity(Bernoulli(0.5), X, GRAD, torch.nn.Dropout(0.5), torch.nn.Dropout(0.5))


def test_a_layer_of_ones_own_may_be_named_like_one_of_keras():
    class GaussianDropout(torch.nn.Module):
        def forward(self, x):
            return x * (1 + 0.5 * torch.randn_like(x))

    x, grad = np.random.default_rng(0).normal(size=(2, 20, 40))
    found = replay.noise_parity(Gaussian(0.2), x, grad, GaussianDropout())
    assert set(found.rows) == {"output", "gradient"}
