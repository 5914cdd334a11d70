"""Dropout of PyTorch modules against reglib on the same noise, and the noise that they draw."""

import numpy as np
import pytest
import torch

from regkit.torch import DropoutEmbedding, DropPath, GaussianDropout, LockedDropout, SharedDropout
from reglib.noise import affine
from reglib.noise.kinds import Bernoulli, Gaussian
from tests import statistical
from tests.conftest import exactly
from tests.regkit.torch.common import agree, given, leaf

P = 0.3
# By name: the module, the same noise in reglib, and the shape of the input.
CASES = {
    "gaussian": (lambda: GaussianDropout(P), Gaussian(P), (4, 6, 5)),
    "single": (lambda: SharedDropout(P), Bernoulli(P), (4, 6, 5)),
    "steps": (lambda: SharedDropout(P, shared=-2), Bernoulli(P, shared=-2), (4, 6, 5)),
    "positions": (lambda: SharedDropout(P, shared=(-3, -2)), Bernoulli(P, shared=(-3, -2)), (4, 3, 6, 5)),
    "locked": (lambda: LockedDropout(P), Bernoulli(P, shared=-3), (6, 4, 5)),
    "locked, batch first": (lambda: LockedDropout(P, batch_first=True), Bernoulli(P, shared=-2), (4, 6, 5)),
    "path": (lambda: DropPath(P), Bernoulli(P, shared=(-3, -2, -1)), (9, 6, 5, 3)),
}


@pytest.mark.parametrize("name", CASES)
def test_output_and_gradient_on_the_same_noise(name):
    make, kind, shape = CASES[name]
    rng = np.random.default_rng(0)
    x, grad, noise = rng.standard_normal(shape), rng.standard_normal(shape), kind.draw(rng, shape)
    # What reglib calls gain is scaled; the modules with masks scale apart.
    drawn = noise.gain if name == "gaussian" else (noise.gain > 0).astype(float)
    assert len(np.unique(drawn)) > 1
    inputs = leaf(x)
    output = given(make(), drawn)(inputs)
    output.backward(torch.tensor(grad))
    agree(output, affine.apply(noise, x))
    agree(inputs.grad, affine.apply_backward(noise, grad))


@pytest.mark.parametrize("name", CASES)
def test_the_shape_that_is_drawn(name):
    make, kind, shape = CASES[name]
    assert tuple(make().draw(torch.ones(shape)).shape) == kind.draw(np.random.default_rng(0), shape).gain.shape


def test_gaussian_noise_is_normal_with_the_variance_of_dropout():
    torch.manual_seed(1)
    noise = GaussianDropout(P)(torch.ones(400, 500, dtype=torch.float64)).numpy()
    std = (P / (1 - P)) ** 0.5
    statistical.assert_mean(noise, 1, std)
    statistical.assert_normal_variance(noise, P / (1 - P))
    statistical.assert_distribution((noise - 1) / std, statistical.stats.norm)
    for axis in (0, 1):
        statistical.assert_independent_neighbors(noise, axis)


@pytest.mark.parametrize("name", ["single", "locked", "path"])
def test_masks_are_coins_of_the_stated_probability_scaled_to_mean_one(name):
    torch.manual_seed(2)
    shapes = {"single": (200, 300), "locked": (2, 200, 300), "path": (60_000, 2)}
    y = CASES[name][0]()(torch.ones(shapes[name], dtype=torch.float64)).numpy()
    assert np.unique(y) == pytest.approx([0, 1 / (1 - P)], rel=1e-15)
    coins = {"single": y, "locked": y[0], "path": y[:, :1]}[name]  # what is drawn independently
    statistical.assert_probability((coins > 0).sum(), coins.size, 1 - P)
    for axis in range(1 if name == "path" else 2):
        statistical.assert_independent_neighbors(coins, axis)


def test_words_of_an_embedding_against_reglib():
    rng = np.random.default_rng(3)
    table, ids, grad = rng.standard_normal((7, 4)), rng.integers(7, size=(5, 6)), rng.standard_normal((5, 6, 4))
    noise = Bernoulli(P, shared=-1).draw(rng, (7, 4))
    embedding = given(DropoutEmbedding(7, 4, p=P, dtype=torch.float64), (noise.gain > 0).astype(float))
    embedding.load_state_dict({"weight": torch.tensor(table)})
    output = embedding(torch.tensor(ids))
    output.backward(torch.tensor(grad))
    agree(output, affine.apply(noise, table)[ids])
    grad_rows = np.zeros_like(table)
    np.add.at(grad_rows, ids, grad)
    agree(embedding.weight.grad, affine.apply_backward(noise, grad_rows))
    assert 0 < (noise.gain == 0).sum() < 7


def test_words_are_dropped_with_the_stated_probability():
    torch.manual_seed(4)
    embedding = DropoutEmbedding(60_000, 3, p=P)
    words = embedding(torch.arange(60_000))
    kept = (words != 0).any(dim=1)
    statistical.assert_probability(kept.sum(), len(kept), 1 - P)
    torch.testing.assert_close(words[kept], embedding.weight[kept] / (1 - P))


def test_an_embedding_in_evaluation_is_torchs():
    embedding, plain = DropoutEmbedding(9, 4, p=P, padding_idx=2), torch.nn.Embedding(9, 4, padding_idx=2)
    plain.load_state_dict(embedding.state_dict())
    ids = torch.arange(9)
    assert torch.equal(embedding.eval()(ids), plain(ids))
    assert torch.equal(DropoutEmbedding(9, 4, p=0, _weight=plain.weight)(ids), plain(ids))
    assert embedding.train()(ids)[2].abs().max() == 0
    assert "padding_idx=2, p=0.3" in repr(embedding)


def test_bad_axes():
    with pytest.raises(ValueError, match=exactly("shared must hold axes below 0, got 1")):
        SharedDropout(P, shared=1)
    with pytest.raises(ValueError, match=exactly("x must have the axes (-3,), got (2, 5)")):
        LockedDropout(P)(torch.ones(2, 5))


def test_they_show_their_numbers():
    found = [repr(module) for module in (GaussianDropout(P), LockedDropout(P), DropPath(P))]
    assert found == ["GaussianDropout(p=0.3)", "LockedDropout(p=0.3, shared=(-3,))", "DropPath(p=0.3)"]
