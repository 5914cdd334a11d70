"""Gaussian dropout with a learned strength against `reglib.nets.variational` on the same noise."""

import numpy as np
import pytest
import torch

from regkit.torch import LearnedGaussianDropout
from reglib.nets import variational
from tests import statistical
from tests.conftest import exactly
from tests.regkit.torch.common import agree, given, leaf

H = 5


def layer(per_unit, seed=0):
    """Return a module in float64 whose strengths are no two the same."""
    module = LearnedGaussianDropout(H, p=0.3, per_unit=per_unit, dtype=torch.float64)
    shift = torch.tensor(np.random.default_rng(seed).standard_normal(module.log_alpha.shape))
    module.log_alpha.data += shift
    return module


@pytest.mark.parametrize("per_unit", [False, True])
def test_output_and_gradients_on_the_same_noise(per_unit):
    rng = np.random.default_rng(1)
    x, grad, epsilon = (rng.standard_normal((7, H)) for _ in range(3))
    module, inputs = given(layer(per_unit), epsilon), leaf(x)
    log_alpha = module.log_alpha.detach().numpy()
    assert log_alpha.shape == (H if per_unit else 1,)
    gain = variational.noise(log_alpha, epsilon)
    output = module(inputs)
    output.backward(torch.tensor(grad))
    agree(output, x * gain)
    agree(inputs.grad, grad * gain)
    agree(module.log_alpha.grad, variational.noise_backward(x * grad, log_alpha, epsilon))


@pytest.mark.parametrize("per_unit", [False, True])
def test_the_divergence_counts_each_unit_once(per_unit):
    module = layer(per_unit)
    log_alpha = module.log_alpha.detach().numpy()
    share = H / log_alpha.size
    value = module.kl()
    value.backward()
    agree(value, np.asarray(share * variational.kl(log_alpha).sum()))
    agree(module.log_alpha.grad, share * variational.kl_gradient(log_alpha))


@pytest.mark.parametrize("log_alpha", [-30.0, -8.0, -1.0, 0.0, 2.0, 9.0, 30.0])
def test_the_divergence_over_its_whole_range(log_alpha):
    module = LearnedGaussianDropout(1, dtype=torch.float64)
    module.log_alpha.data[:] = log_alpha
    assert module.kl().item() == pytest.approx(variational.kl(log_alpha), rel=1e-12, abs=1e-13)
    low = module.to(torch.bfloat16).kl()
    assert low.dtype == torch.float32
    assert low.item() == pytest.approx(variational.kl(log_alpha), rel=1e-4, abs=1e-6)


def test_the_start_is_the_variance_of_dropout():
    assert LearnedGaussianDropout(H, p=0.2, dtype=torch.float64).log_alpha.exp().item() == pytest.approx(0.25)
    assert LearnedGaussianDropout(H).log_alpha.item() == 0


def test_the_noise_has_the_learned_variance():
    torch.manual_seed(3)
    module = LearnedGaussianDropout(2, per_unit=True, dtype=torch.float64)
    module.log_alpha.data = torch.tensor([0.25, 4.0], dtype=torch.float64).log()
    y = module(torch.ones(100_000, 2, dtype=torch.float64)).detach().numpy()
    for unit, alpha in enumerate((0.25, 4.0)):
        statistical.assert_mean(y[:, unit], 1, alpha**0.5)
        statistical.assert_normal_variance(y[:, unit], alpha)


def test_evaluation_returns_the_input():
    x = torch.ones(3, H)
    assert LearnedGaussianDropout(H).eval()(x) is x


@pytest.mark.parametrize("p", [0, 1, -0.5])
def test_no_start(p):
    with pytest.raises(ValueError, match=exactly(f"p must be a number in (0, 1), got {p}")):
        LearnedGaussianDropout(H, p)


def test_another_width():
    with pytest.raises(ValueError, match=exactly("x must have 5 entries along its last axis, got shape (3, 4)")):
        LearnedGaussianDropout(H)(torch.ones(3, 4))


def test_it_shows_its_numbers():
    assert repr(layer(True)) == "LearnedGaussianDropout(5, per_unit=True)"
