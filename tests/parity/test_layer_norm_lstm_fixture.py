"""Our layer-norm LSTM against numbers that TensorFlow Addons computed: outputs, states and every gradient, in float64.

fixtures/make_tfa_layer_norm_lstm.py wrote the file, in an environment of its own.
"""

import pathlib

import numpy as np
import pytest

from reglib.convert import layouts
from reglib.layers import recurrent
from reglib.layers.layer_norm_lstm import LayerNormLSTM
from reglib.noise.affine import Noise

NAMES = ("w_x", "w_h", "b", "gain_x", "shift_x", "gain_h", "shift_h", "gain_c", "shift_c")
RESULTS = ["output", "final_h", "final_c", *(f"grad_{name}" for name in ("x", *NAMES, "h", "c"))]
CASES = ["plain", "dropped"]
TOLERANCE = 1e-12


@pytest.fixture(scope="module")
def numbers():
    with np.load(pathlib.Path(__file__).parent / "fixtures" / "tfa_layer_norm_lstm.npz") as stored:
        return dict(stored)


def case_of(numbers, case):
    return {name.split("/")[1]: array for name, array in numbers.items() if name.startswith(case + "/")}


def masks(given):
    """Return the noise of the case: the first of the gates' masks, once a sequence."""
    if "recurrent_dropout_masks" not in given:
        return {}
    places = {"input": "dropout", "recurrent": "recurrent_dropout"}
    return {place: Noise(given[f"{name}_masks"][0, 0][:, None]) for place, name in places.items()}


def ours(given, params=None, noise=None, **options):
    """Return what RESULTS names, from our cell."""
    cell = LayerNormLSTM(**{"epsilon": float(given["default_epsilon"]), "carry": "normalized"} | options)
    params = {name: given[name] for name in NAMES} if params is None else params
    noise = masks(given) if noise is None else noise
    output, state, cache = recurrent.forward(cell, params, given["x"], (given["h"], given["c"]), noise=noise)
    upstream = given["upstream_output"], (given["upstream_h"], given["upstream_c"])
    grad_x, grads, start = recurrent.backward(cache, *upstream)
    return [output, *state, grad_x, *(grads[name] for name in NAMES), *start]


def largest_difference(mine, given):
    return max(np.abs(a - given[name]).max() for a, name in zip(mine, RESULTS, strict=True))


def test_what_the_file_holds(numbers):
    assert list(numbers["versions"]) == ["tensorflow 2.15.1", "tensorflow-addons 0.23.0"]
    for case in CASES:
        given = case_of(numbers, case)
        assert given["output"].shape == (4, 5, 6)
        assert all(given[name].dtype == np.float64 and np.isfinite(given[name]).all() for name in RESULTS)
        assert all(np.ptp(given[name]) > 0.1 for name in ("x", "h", "c", *NAMES))


@pytest.mark.parametrize("case", CASES)
def test_our_cell_is_that_of_addons(numbers, case):
    given = case_of(numbers, case)
    assert largest_difference(ours(given), given) <= TOLERANCE


def test_its_defaults(numbers):
    given = case_of(numbers, "plain")
    assert given["default_epsilon"] == 1e-3
    np.testing.assert_array_equal(given["default_bias"], np.repeat([0.0, 1.0, 0.0, 0.0], 6))


@pytest.mark.parametrize("place", ["dropout", "recurrent_dropout"])
def test_it_draws_four_masks_once_a_sequence_and_uses_the_first(numbers, place):
    given = case_of(numbers, "dropped")
    drawn = given[f"{place}_masks"]
    assert drawn.shape[1:3] == (4, 4)
    assert (drawn == drawn[:1]).all()
    assert not (drawn[:, 0] == drawn[:, 1]).all()
    assert 0 < (drawn == 0).mean() < 1
    field = {"dropout": "input", "recurrent_dropout": "recurrent"}[place]
    four = masks(given) | {field: Noise(np.swapaxes(drawn[0], 0, 1)[:, None])}
    assert largest_difference(ours(given, noise=four), given) > 1e-3


def test_the_mask_is_on_h_not_on_the_candidate(numbers):
    given = case_of(numbers, "dropped")
    noise = masks(given)
    as_cited = {"input": noise["input"], "candidate": noise["recurrent"]}
    assert largest_difference(ours(given, noise=as_cited), given) > 0.1


@pytest.mark.parametrize(
    "options", [{"carry": "raw"}, {"epsilon": 1e-5}], ids=["the raw memory carried", "another epsilon"]
)
def test_the_numbers_tell_other_cells_apart(numbers, options):
    given = case_of(numbers, "plain")
    assert largest_difference(ours(given, **options), given) > 1e-4


def test_the_numbers_tell_another_order_of_gates_apart(numbers):
    given = case_of(numbers, "plain")
    wide = NAMES[:-2]  # all but the norm of the memory
    params = {
        name: layouts.reorder_gates(given[name], "ifgo", "ifog") if name in wide else given[name] for name in NAMES
    }
    assert np.abs(ours(given, params=params)[0] - given["output"]).max() > 0.1
