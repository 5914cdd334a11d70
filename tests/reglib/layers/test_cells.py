"""Cells: their parameters, what they keep, and the dtype of what they prepare. Values: test_recurrent.py."""

import numpy as np
import pytest

from reglib.layers.cells import GRU, LSTM, RNN
from tests.reglib.layers.recurrent_reference import CELLS, problem


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
    params, x, _ = problem(cell, leads=(1,))
    params = [p.astype(np.float32) for p in params]
    assert {w.dtype for w in cell.prepare(params, tied)} == {np.dtype(np.float32)}
    assert cell.project(params, x.swapaxes(1, 2).astype(np.float32), None).dtype == np.float32
