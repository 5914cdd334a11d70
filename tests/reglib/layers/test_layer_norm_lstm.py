"""The layer-normalized LSTM: where its norms sit, and what it forgets; test_recurrent.py has values and gradients."""

import numpy as np
import pytest

from reglib.layers import recurrent
from reglib.layers.layer_norm_lstm import LayerNormLSTM
from reglib.layers.norm import layer_norm
from tests.conftest import exactly
from tests.reglib.layers.recurrent_reference import problem


def test_the_defaults_are_the_paper_and_its_code():
    assert LayerNormLSTM() == LayerNormLSTM(epsilon=1e-5, norm="products", carry="raw")


def test_options_are_checked():
    cases = [
        ({"norm": "sum"}, "norm must be one of 'products', 'gates'; got 'sum'"),
        ({"carry": "both"}, "carry must be one of 'raw', 'normalized'; got 'both'"),
        ({"epsilon": -1.0}, "epsilon must be a finite number in [0, inf], got -1.0"),
    ]
    for options, message in cases:
        with pytest.raises(ValueError, match=exactly(message)):
            LayerNormLSTM(**options)


def test_shapes():
    names = ["w_x", "w_h", "b", "gain_x", "shift_x", "gain_h", "shift_h", "gain_c", "shift_c"]
    shapes = LayerNormLSTM().shapes(2, 5)
    assert list(shapes) == names
    assert list(shapes.values()) == [(2, 20), (5, 20)] + [(20,)] * 5 + [(5,)] * 2
    shapes = LayerNormLSTM(norm="gates").shapes(2, 5)
    assert list(shapes.items()) == [
        ("w_x", (2, 20)), ("w_h", (5, 20)), ("b", (20,)), ("gain", (20,)), ("gain_c", (5,)), ("shift_c", (5,)),
    ]  # fmt: skip


@pytest.mark.parametrize("norm", ["products", "gates"])
def test_the_carried_memory_is_raw_or_normalized(norm):
    raw, carried = (LayerNormLSTM(norm=norm, carry=carry) for carry in ("raw", "normalized"))
    params, x, state = problem(raw)
    output, (h, c), _ = recurrent.step(raw, params, x[:, 0], state)
    other, (_, normalized), _ = recurrent.step(carried, params, x[:, 0], state)
    np.testing.assert_array_equal(output, other)
    np.testing.assert_array_equal(output, h)
    np.testing.assert_allclose(normalized, layer_norm(c, params["gain_c"], params["shift_c"]), rtol=0, atol=1e-14)


def test_the_scale_of_a_product_is_forgotten_but_not_that_of_the_sum():
    products, gates = LayerNormLSTM(epsilon=0), LayerNormLSTM(epsilon=0, norm="gates")
    for cell, forgets in ((products, True), (gates, False)):
        params, x, state = problem(cell)
        one, _, _ = recurrent.forward(cell, params, x, state)
        other, _, _ = recurrent.forward(cell, params | {"w_h": 3 * params["w_h"]}, x, state)
        assert (np.abs(one - other).max() < 1e-10) == forgets
        scaled = {name: 3 * params[name] for name in ("w_x", "w_h")}
        both, _, _ = recurrent.forward(cell, params | scaled, x, state)
        np.testing.assert_allclose(both, one, rtol=0, atol=1e-10)
