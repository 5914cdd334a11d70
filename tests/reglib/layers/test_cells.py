"""Cells: their parameters, what they keep, the weights of the steps, a step by hand. Values: test_recurrent.py."""

import numpy as np
import pytest

from reglib.layers._gates import blocks, dropped, sigmoid
from reglib.layers.cells import GRU, LSTM, RNN
from tests.reglib.layers.recurrent_reference import CELLS

PLAIN = ("rnn", "lstm", "gru after", "gru before")  # not normalized
S, T, B, D, H = 2, 3, 4, 3, 5


def drawn(cell, dtype=np.float64):
    """Return parameters and inputs in the layout of the cells: (S, ...) and (S, T, B, D)."""
    rng = np.random.default_rng(0)
    params = [rng.standard_normal((S, *shape)).astype(dtype) for shape in cell.shapes(D, H).values()]
    return params, rng.standard_normal((S, T, B, D)).astype(dtype)


def test_shapes_of_the_parameters():
    assert RNN().shapes(2, 5) == {"w_x": (2, 5), "w_h": (5, 5), "b": (5,)}
    assert LSTM().shapes(2, 5) == {"w_x": (2, 20), "w_h": (5, 20), "b": (20,)}
    before = {"w_x": (2, 15), "w_h": (5, 15), "b": (15,)}
    assert GRU(reset_after=False).shapes(2, 5) == before
    assert GRU().shapes(2, 5) == before | {"b_h": (5,)}
    for cell in (RNN(), LSTM(), GRU(reset_after=False)):
        assert list(cell.shapes(2, 5)) == ["w_x", "w_h", "b"]
    assert list(GRU().shapes(2, 5)) == ["w_x", "w_h", "b", "b_h"]


def test_the_reset_gate_acts_after_the_product_by_default():
    assert GRU() == GRU(reset_after=True)


def test_a_cell_keeps_no_more_than_it_needs():
    widths = {"rnn": (), "lstm": (5,), "gru after": (5,), "gru before": (), "layer norm": (20, 1, 5, 1, 5)}
    for name, width in widths.items():
        assert CELLS[name].kept(5) == width
    assert CELLS["layer norm of gates"].kept(5) == (20, 4, 5, 1, 5)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("name", CELLS)
def test_what_a_cell_prepares_and_projects_keeps_the_dtype(name, tied):
    cell = CELLS[name]
    params, x = drawn(cell, np.float32)
    assert {w.dtype for w in cell.prepare(params, tied)} == {np.dtype(np.float32)}
    assert cell.project(params, x, None).dtype == np.float32


@pytest.mark.parametrize("name", CELLS)
def test_the_steps_use_the_weights_as_they_are(name):
    cell = CELLS[name]
    params, _ = drawn(cell)
    w_h, *others = cell.prepare(params, True)
    w_h = np.concatenate([w_h, others[0]], axis=-1) if name == "gru before" else w_h
    np.testing.assert_array_equal(w_h, params[1])
    w_h, *others = cell.prepare(params, False)  # (S, gates, H, H)
    w_h = np.concatenate([w_h, others[0][:, None]], axis=1) if name == "gru before" else w_h
    assert w_h.shape == (S, cell.gates, H, H)
    for k, block in enumerate(np.split(params[1], cell.gates, axis=-1)):
        np.testing.assert_array_equal(w_h[:, k], block)


@pytest.mark.parametrize("name", PLAIN)
def test_the_projection_is_affine(name):
    cell = CELLS[name]
    params, x = drawn(cell)
    for s in range(S):
        np.testing.assert_allclose(
            cell.project(params, x, None)[s], x[s] @ params[0][s] + params[2][s], rtol=0, atol=1e-13
        )


def test_one_step_of_an_lstm_by_hand():
    """With W_h = 0 and pre-activations whose sigma and tanh are known, forwards and backwards."""
    cell, zero = LSTM(), np.zeros((1, 1, 4))
    a = np.log([[[3.0, 4.0, 2.0, 9.0]]])  # sigma(log v) = v / (v + 1), tanh(log 2) = 3 / 5
    h, c, mask = np.ones((1, 1, 1)), np.full((1, 1, 1), 2.0), np.full((1, 1, 1), 1.5)
    h_new, c_new, tanh_c = np.empty((3, 1, 1, 1))
    weights = cell.prepare([zero, zero, zero[0]], True)
    cell.step(weights, a, h, h, c, mask, h_new, c_new, [tanh_c])
    np.testing.assert_allclose(a, [[[0.75, 0.8, 0.6, 0.9]]], rtol=1e-14)
    np.testing.assert_allclose(c_new, 0.8 * 2 + 0.75 * 0.6 * 1.5, rtol=1e-14)
    np.testing.assert_allclose(tanh_c, np.tanh(2.275), rtol=1e-14)
    np.testing.assert_allclose(h_new, 0.9 * np.tanh(2.275), rtol=1e-14)

    grad_a, grad_h, grad_c = np.empty((1, 1, 4)), np.full((1, 1, 1), 10.0), np.full((1, 1, 1), -3.0)
    grad_in, around, grad_old_c = cell.step_backward(weights, a, h, h, c, mask, [tanh_c], grad_h, grad_c, grad_a)
    total = -3 + 10 * 0.9 / np.cosh(2.275) ** 2
    inner = [total * 0.6 * 1.5 * 0.75 * 0.25, total * 2 * 0.8 * 0.2, total * 0.75 * 1.5 * 0.64]
    np.testing.assert_allclose(grad_a[0, 0], [*inner, 10 * np.tanh(2.275) * 0.9 * 0.1], rtol=1e-13)
    np.testing.assert_allclose(grad_old_c, total * 0.8, rtol=1e-13)
    assert grad_in == 0
    assert around is None
    assert grad_c == -3


@pytest.mark.parametrize("reset_after", [True, False])
def test_one_step_of_a_gru_by_hand(reset_after):
    """With h W_hn = 2 the two forms differ by the bias b_h inside the reset."""
    cell = GRU(reset_after=reset_after)
    w_h, b_h = np.array([[[0.0, 0.0, 0.5]]]), np.array([[-1.0]])
    a, h, mask = np.log([[[3.0, 4.0, 2.0]]]), np.full((1, 1, 1), 4.0), np.full((1, 1, 1), 1.5)
    h_new, u = np.empty((2, 1, 1, 1))
    weights = cell.prepare([w_h, w_h, w_h[0], b_h][: 3 + reset_after], True)
    keep = [u] if reset_after else []
    cell.step(weights, a, h, h, None, mask, h_new, None, keep)
    inside = 0.75 * (2 - 1) if reset_after else 0.75 * 2
    n = np.tanh(np.log(2) + inside)
    np.testing.assert_allclose(a, [[[0.75, 0.8, n]]], rtol=1e-14)
    np.testing.assert_allclose(h_new, 0.8 * 4 + 0.2 * n * 1.5, rtol=1e-14)

    grad_a, grad_h = np.empty((1, 1, 3)), np.full((1, 1, 1), 10.0)
    grad_in, around, grad_c = cell.step_backward(weights, a, h, h, None, mask, keep, grad_h, None, grad_a)
    grad_n = 10 * 0.2 * 1.5 * (1 - n**2)
    grad_r = grad_n * (1 if reset_after else 2) * 0.75 * 0.25
    np.testing.assert_allclose(grad_a[0, 0], [grad_r, 10 * (4 - 1.5 * n) * 0.8 * 0.2, grad_n], rtol=1e-13)
    np.testing.assert_allclose(grad_in, grad_n * 0.75 * 0.5, rtol=1e-13)
    np.testing.assert_allclose(around, 10 * 0.8)
    assert grad_c is None


def test_blocks_are_views():
    array = np.arange(12.0).reshape(2, 6)
    first, second, third = blocks(array, 3)
    np.testing.assert_array_equal(second, [[2, 3], [8, 9]])
    first[...], third[...] = -1, -2
    np.testing.assert_array_equal(array, [[-1, -1, 2, 3, -2, -2], [-1, -1, 8, 9, -2, -2]])


def test_sigmoid():
    a = np.linspace(-30, 30, 121)
    np.testing.assert_allclose(sigmoid(a), 1 / (1 + np.exp(-a)), rtol=0, atol=1e-15)
    np.testing.assert_allclose(sigmoid(np.log([1 / 3, 1.0, 3.0])), [0.25, 0.5, 0.75], rtol=1e-14)
    ends = np.array([-np.inf, -1e300, 1e300, np.inf])
    np.testing.assert_array_equal(sigmoid(ends), [0, 0, 1, 1])
    assert np.isnan(sigmoid(np.array([np.nan]))).all()
    assert sigmoid(np.float32(a)).dtype == np.float32
    np.testing.assert_array_equal(a, np.linspace(-30, 30, 121))


def test_dropped():
    g = np.array([1.0, 2.0])
    assert dropped(g, None) is g
    np.testing.assert_array_equal(dropped(g, np.array([0.0, 2.0])), [0, 4])
