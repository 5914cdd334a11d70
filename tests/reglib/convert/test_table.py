"""The rows of the decoder; that each function has its row, tests/reglib/convert/test_conventions.py checks."""

from reglib.convert import _table


def test_one_row_in_full():
    assert _table.rows() == _table.TABLE
    row = next(row for row in _table.TABLE if row.topic == "Ridge")
    assert row == _table.Row(
        "Ridge", "l2", "—", "—", "Ridge(alpha)", "alpha = 2 * N * l2", ("l2_to_ridge_alpha", "ridge_alpha_to_l2")
    )
