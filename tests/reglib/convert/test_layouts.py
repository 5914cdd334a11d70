"""Layouts and settings of layers: hand-made arrays, inverses, and clear errors. The frameworks: tests/parity.

Drop rates, axes, dense weights and running averages are tested beside the other conversions in
`test_conventions.py`.
"""

import numpy as np
import pytest

from reglib.convert import layouts as c

D, H = 3, 2
RNG = np.random.default_rng(0)
WEIGHT_IH, WEIGHT_HH = RNG.normal(size=(4 * H, D)), RNG.normal(size=(4 * H, H))
BIAS_IH, BIAS_HH = RNG.normal(size=4 * H), RNG.normal(size=4 * H)


def test_lstm_from_torch_transposes_and_adds_the_biases():
    kernel, recurrent, bias = c.lstm_torch_to_keras(WEIGHT_IH, WEIGHT_HH, BIAS_IH, BIAS_HH)
    np.testing.assert_array_equal(kernel, WEIGHT_IH.T)
    np.testing.assert_array_equal(recurrent, WEIGHT_HH.T)
    np.testing.assert_array_equal(bias, BIAS_IH + BIAS_HH)


def test_lstm_from_keras_leaves_the_second_bias_at_zero():
    ih, hh, bias_ih, bias_hh = c.lstm_keras_to_torch(WEIGHT_IH.T, WEIGHT_HH.T, BIAS_IH)
    np.testing.assert_array_equal(ih, WEIGHT_IH)
    np.testing.assert_array_equal(hh, WEIGHT_HH)
    np.testing.assert_array_equal(bias_ih, BIAS_IH)
    np.testing.assert_array_equal(bias_hh, np.zeros(4 * H))


def test_lstm_arrays_are_copies():
    given = [WEIGHT_IH, WEIGHT_HH, BIAS_IH, BIAS_HH]
    for array in c.lstm_torch_to_keras(*given):
        assert not any(np.shares_memory(array, other) for other in given)
    given = [WEIGHT_IH.T, WEIGHT_HH.T, BIAS_IH]
    for array in c.lstm_keras_to_torch(*given):
        assert not any(np.shares_memory(array, other) for other in given)


def test_lstm_keeps_float32_and_lets_a_diverged_net_pass():
    single = [array.astype(np.float32) for array in (WEIGHT_IH, WEIGHT_HH, BIAS_IH, BIAS_HH)]
    assert all(array.dtype == np.float32 for array in c.lstm_torch_to_keras(*single))
    assert all(array.dtype == np.float32 for array in c.lstm_keras_to_torch(single[0].T, single[1].T, single[2]))
    nan = [array * np.nan for array in (WEIGHT_IH, WEIGHT_HH, BIAS_IH, BIAS_HH)]
    assert all(np.isnan(array).all() for array in c.lstm_torch_to_keras(*nan))


def test_gates_by_hand():
    array = np.arange(16.0).reshape(2, 8)
    np.testing.assert_array_equal(
        c.reorder_gates(array, "ifgo", "igfo"), [[0, 1, 4, 5, 2, 3, 6, 7], [8, 9, 12, 13, 10, 11, 14, 15]]
    )
    np.testing.assert_array_equal(c.reorder_gates(np.arange(4.0), "ifgo", "gifo"), [2, 0, 1, 3])
    np.testing.assert_array_equal(c.reorder_gates(np.arange(4.0), "gifo", "ifgo"), [1, 2, 0, 3])
    along_rows = c.reorder_gates(array.T, "ifgo", "igfo", axis=0)
    np.testing.assert_array_equal(along_rows, c.reorder_gates(array, "ifgo", "igfo").T)
    np.testing.assert_array_equal(along_rows, c.reorder_gates(array.T, "ifgo", "igfo", axis=-2))


def test_gates_there_and_back():
    there = c.reorder_gates(WEIGHT_IH * np.nan, "ifgo", "ofig", axis=0)
    assert np.isnan(there).all()
    there = c.reorder_gates(WEIGHT_IH, "ifgo", "ofig", axis=0)
    assert not np.array_equal(there, WEIGHT_IH)
    np.testing.assert_array_equal(c.reorder_gates(there, "ofig", "ifgo", axis=0), WEIGHT_IH)


def test_defaults():
    torch, keras = c.framework_defaults("torch"), c.framework_defaults("keras")
    assert torch.keys() == keras.keys()
    assert torch["adamw_weight_decay"] == 0.01
    assert keras["layer_norm_epsilon"] == 0.001
    torch["adamw_weight_decay"] = 7
    assert c.framework_defaults("torch")["adamw_weight_decay"] == 0.01


GOOD = {"weight_ih": WEIGHT_IH, "weight_hh": WEIGHT_HH, "bias_ih": BIAS_IH, "bias_hh": BIAS_HH}
GOOD_KERAS = {"kernel": WEIGHT_IH.T, "recurrent_kernel": WEIGHT_HH.T, "bias": BIAS_IH}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weight_ih": np.ones(8)}, r"weight_ih must have 2 axes, got shape \(8,\)$"),
        ({"weight_hh": np.ones(8)}, r"weight_hh must have 2 axes, got shape \(8,\)$"),
        ({"weight_hh": np.ones((6, 2))}, r"weight_hh must have shape \(4H, H\), got \(6, 2\)$"),
        ({"weight_ih": np.ones((6, 3))}, r"weight_ih must have shape \(8, D\), as weight_hh says; got \(6, 3\)$"),
        ({"bias_ih": np.ones(1)}, r"bias_ih must have shape \(8,\), got \(1,\)$"),
        ({"bias_hh": np.ones((8, 1))}, r"bias_hh must have shape \(8,\), got \(8, 1\)$"),
    ],
)
def test_bad_arrays_of_torch(change, message):
    with pytest.raises(ValueError, match="^" + message):
        c.lstm_torch_to_keras(**(GOOD | change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kernel": np.ones(8)}, r"kernel must have 2 axes, got shape \(8,\)$"),
        ({"recurrent_kernel": np.ones(8)}, r"recurrent_kernel must have 2 axes, got shape \(8,\)$"),
        ({"recurrent_kernel": np.ones((2, 6))}, r"recurrent_kernel must have shape \(H, 4H\), got \(2, 6\)$"),
        ({"kernel": np.ones((3, 6))}, r"kernel must have shape \(D, 8\), as recurrent_kernel says; got \(3, 6\)$"),
        ({"bias": np.ones(4)}, r"bias must have shape \(8,\), got \(4,\)$"),
    ],
)
def test_bad_arrays_of_keras(change, message):
    with pytest.raises(ValueError, match="^" + message):
        c.lstm_keras_to_torch(**(GOOD_KERAS | change))


@pytest.mark.parametrize("name", GOOD)
def test_whole_numbers_are_refused_from_torch(name):
    with pytest.raises(TypeError, match=rf"^{name} must hold floating-point numbers"):
        c.lstm_torch_to_keras(**(GOOD | {name: GOOD[name].astype(int)}))


@pytest.mark.parametrize("name", GOOD_KERAS)
def test_whole_numbers_are_refused_from_keras(name):
    with pytest.raises(TypeError, match=rf"^{name} must hold floating-point numbers"):
        c.lstm_keras_to_torch(**(GOOD_KERAS | {name: GOOD_KERAS[name].astype(int)}))


EACH_ONCE = r"must hold the letters i, f, g and o, each once; got "


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.ones(8), "ifco", "ifgo"), r"order " + EACH_ONCE + "'ifco'$"),
        ((np.ones(8), "ifgo", "ifg"), r"new_order " + EACH_ONCE + "'ifg'$"),
        ((np.ones(8), ("i", "f", "g", "o"), "ifgo"), r"order " + EACH_ONCE + r"\('i', 'f', 'g', 'o'\)$"),
        ((np.ones(8), "ifgo", "ifgo", 1), r"axis must be one of the 1 axes of array, got 1$"),
        ((np.ones(8), "ifgo", "ifgo", -2), r"axis must be one of the 1 axes of array, got -2$"),
        ((np.ones((8, 6)), "ifgo", "ifgo"), r"array must hold four gates along axis -1, got shape \(8, 6\)$"),
    ],
)
def test_bad_gates(arguments, message):
    with pytest.raises(ValueError, match="^" + message):
        c.reorder_gates(*arguments)


def test_bad_types_of_gates():
    with pytest.raises(TypeError, match=r"^array must hold floating-point numbers"):
        c.reorder_gates(np.arange(8), "ifgo", "igfo")
    with pytest.raises(TypeError, match=r"^axis must be an integer, got 0\.0$"):
        c.reorder_gates(np.ones(8), "ifgo", "igfo", 0.0)


def test_an_unknown_library():
    with pytest.raises(ValueError, match=r"^library must be one of 'torch', 'keras'; got 'jax'$"):
        c.framework_defaults("jax")
