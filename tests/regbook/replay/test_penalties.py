"""Penalties in terms of the frameworks': what maps to what, what has no counterpart, what is noticed."""

import numpy as np
import pytest

from regbook import replay
from regbook.replay.frameworks import load_keras
from reglib.weights.penalties import L1, L2, ElasticNet, GroupLasso

keras = load_keras()
W = np.random.default_rng(1).normal(size=(4, 3))
W[0, :2] = 0.0  # kinks


@pytest.mark.parametrize("penalty", [L1(0.375), L2(0.25), ElasticNet(0.375, 0.25), ElasticNet(0.0, 0.25)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_counterparts(penalty, dtype):
    parity = replay.penalty_parity(penalty, W.astype(dtype))
    name = type(penalty).__name__
    assert {quantity: list(found) for quantity, (_, found) in parity.rows.items()} == {
        f"{name}: value": ["PyTorch", "Keras"],
        f"{name}: gradient": ["PyTorch", "Keras"],
    }


def test_penalties_that_are_written_out():
    parity = replay.penalty_parity(
        L2(0.5), W, lambda w: 0.5 * w.square().sum(), keras.regularizers.L1L2(l2=0.5), name="half"
    )
    assert list(parity.rows) == ["half: value", "half: gradient"]


@pytest.mark.parametrize("framework", ["torch", "keras"])
def test_what_a_framework_does_not_have(framework):
    with pytest.raises(replay.MissingError, match="has no counterpart of GroupLasso"):
        replay.penalty_parity(GroupLasso(0.5, np.arange(4)), W, framework)


def test_strengths_without_a_counterpart():
    with pytest.raises(ValueError, match="l1 must be a number that float32 holds"):
        replay.penalty_parity(L1(0.3), W, "keras")
    replay.penalty_parity(L1(0.3), W, "torch")
    with pytest.raises(ValueError, match="must be plain numbers, not one a replica"):
        replay.torch_penalty(L1(np.array([0.1, 0.2])))


@pytest.mark.parametrize(
    ("penalty", "theirs"),
    [
        (L1(0.5), lambda w: 0.25 * w.abs().sum()),
        (L1(0.5), lambda w: -0.5 * w.abs().sum()),
        (L2(0.5), lambda w: 0.25 * w.square().sum()),
        (L2(0.5), keras.regularizers.L1(0.5)),
        (L2(0.3), keras.regularizers.L2(0.3)),  # rounded to float32
        (ElasticNet(0.5, 0.25), keras.regularizers.L1L2(0.25, 0.5)),
    ],
)
def test_wrong_strengths_and_signs_are_noticed(penalty, theirs):
    with pytest.raises(AssertionError, match=r"value against .*: largest difference"):
        replay.penalty_parity(penalty, W, theirs)


def test_a_wrong_gradient_with_the_right_value_is_noticed():
    with pytest.raises(AssertionError, match="gradient against PyTorch: largest difference"):
        replay.penalty_parity(L1(0.5), W, lambda w: 0.5 * (w.abs().sum().detach() + 0 * w.sum()))


def test_words_and_things_that_are_no_penalty():
    with pytest.raises(ValueError, match="theirs must be one of 'torch', 'keras'"):
        replay.penalty_parity(L1(0.5), W, "jax")
    with pytest.raises(TypeError, match="of PyTorch or Keras is needed, got"):
        replay.value_and_gradient(0.5, W)
