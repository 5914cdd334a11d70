"""How the parameters of a recurrent layer start, and what its functions refuse."""

import numpy as np
import pytest

from reglib.layers import recurrent
from reglib.layers.cells import GRU, LSTM, RNN
from reglib.noise.affine import Noise
from tests.conftest import exactly
from tests.reglib.layers.recurrent_reference import CELLS, B, D, H, T, problem

# The start


@pytest.mark.parametrize("cell", CELLS.values())
def test_parameters_are_drawn_in_the_shapes_of_the_cell(cell):
    params = recurrent.init(np.random.default_rng(0), cell, 3, 50, forget_bias=2.5, replicas=(2, 4), dtype=np.float32)
    shapes = {name: (2, 4, *shape) for name, shape in cell.shapes(3, 50).items()}
    assert {name: p.shape for name, p in params.items()} == shapes
    assert list(params) == list(shapes)
    for name, p in params.items():
        assert p.dtype == np.float32
        if name.startswith("w"):
            limit = 1 / np.sqrt(50)
            assert 0.98 * limit < p.max() <= limit
            assert -limit <= p.min() < -0.98 * limit
            assert abs(p.mean()) < 0.05 * limit
        elif name.startswith("gain"):
            assert (p == 1).all()
        elif name == "b" and cell.memory:
            assert (p[..., 50:100] == 2.5).all()
            assert (p[..., :50] == 0).all()
            assert (p[..., 100:] == 0).all()
        else:
            assert (p == 0).all()
    assert recurrent.init(np.random.default_rng(0), cell, 3, 50)["b"].dtype == np.float64


def test_the_forget_bias_is_one_by_default():
    assert recurrent.init(np.random.default_rng(0), LSTM(), 2, 1)["b"].tolist() == [0, 1, 0, 0]


def test_each_of_a_list_of_generators_draws_what_it_would_draw_alone():
    options = {"forget_bias": 0.5, "dtype": np.float32}
    together = recurrent.init([np.random.default_rng(seed) for seed in (1, 2)], GRU(), 2, 3, **options)
    for s, seed in enumerate((1, 2)):
        alone = recurrent.init(np.random.default_rng(seed), GRU(), 2, 3, **options)
        assert list(together) == list(alone)
        for name, array in alone.items():
            np.testing.assert_array_equal(together[name][s], array)
            assert together[name].dtype == np.float32


def test_init_names_what_is_wrong():
    rng = np.random.default_rng(0)
    with pytest.raises(TypeError, match=r"^rng must be a numpy"):
        recurrent.init(0, LSTM(), 2, 3)
    for wrong, shown in ((LSTM, "<class "), ("lstm", "'lstm'$")):
        message = rf"^cell must be a cell such as LSTM\(\), from reglib.layers.cells; got {shown}"
        with pytest.raises(TypeError, match=message):
            recurrent.init(rng, wrong, 2, 3)
    with pytest.raises(ValueError, match=exactly("inputs must be at least 1, got 0")):
        recurrent.init(rng, LSTM(), 0, 3)
    with pytest.raises(ValueError, match=exactly("hidden must be at least 1, got 0")):
        recurrent.init(rng, LSTM(), 2, 0)
    with pytest.raises(TypeError, match=r"^forget_bias must be a real number"):
        recurrent.init(rng, LSTM(), 2, 3, forget_bias="one")
    with pytest.raises(ValueError, match=exactly("replicas must be at least 1, got 0")):
        recurrent.init(rng, LSTM(), 2, 3, replicas=(0,))
    for wrong, options in ([], {}), ([rng], {"replicas": (2,)}):
        message = f"rng must be one generator, or one a replica and replicas left out; got {len(wrong)}"
        with pytest.raises(ValueError, match=exactly(message)):
            recurrent.init(wrong, LSTM(), 2, 3, **options)


# Errors


def refused(error, message, cell=None, *, params=None, x=None, state=None, **keywords):
    cell = LSTM() if cell is None else cell
    good = problem(cell)
    with pytest.raises(error, match=exactly(message)):
        recurrent.forward(cell, good[0] if params is None else params, good[1] if x is None else x, state, **keywords)


def test_bad_parameters_and_inputs_are_named():
    params = problem(LSTM())[0]
    w_h = params["w_h"]
    refused(ValueError, "x must have shape (..., B, T, D), got (4, 2)", x=np.ones((4, 2)))
    text = "params must be a dict by name, w_x, w_h, b, for LSTM; got {}"
    refused(ValueError, text.format("w_x, b"), params={"w_x": params["w_x"], "b": params["b"]})
    refused(ValueError, text.format("b, w_h, w_x"), params=dict(reversed(params.items())))
    refused(ValueError, text.format("ndarray"), params=w_h)
    refused(ValueError, text.format("list"), params=list(params.values()))
    refused(
        ValueError, "params must be a dict by name, w_x, w_h, b, b_h, for GRU; got w_x, w_h, b", GRU(), params=params
    )
    refused(ValueError, "w_h must have shape (..., H, 4H) for LSTM, got (5,)", params=params | {"w_h": w_h[:, 0]})
    refused(ValueError, "w_h must have shape (..., H, 4H) for LSTM, got (5, 19)", params=params | {"w_h": w_h[:, 1:]})
    refused(ValueError, "w_h must have shape (..., H, H) for RNN, got (5, 20)", RNN(), params=params)
    tail = "for LSTM with x of 2 inputs and w_h of shape (5, 20); got"
    refused(ValueError, f"w_x must have shape (2, 20) {tail} (3, 20)", params=params | {"w_x": np.ones((3, 20))})
    refused(ValueError, f"b must have shape (20,) {tail} (1, 20)", params=params | {"b": params["b"][None]})
    tail = tail.replace("of 2 inputs", "of 3 inputs")
    refused(ValueError, f"w_x must have shape (3, 20) {tail} (2, 20)", x=np.ones((B, T, 3)))
    refused(
        ValueError,
        "the leading axes of x and the parameters must be the same replicas, or one of them must have none; "
        "got x of shape (3, 3, 4, 2) and w_x of shape (2, 2, 20)",
        params=problem(LSTM(), leads=(2,))[0],
        x=np.ones((3, B, T, D)),
    )
    with pytest.raises(TypeError, match=r"^w_h must hold floating-point numbers"):
        recurrent.forward(LSTM(), params | {"w_h": np.ones((5, 20), int)}, np.ones((B, T, D)))
    with pytest.raises(TypeError, match=r"^x must hold floating-point numbers"):
        recurrent.forward(LSTM(), params, np.ones((B, T, D), int))
    with pytest.raises(TypeError, match=r"^cell must be a cell such as LSTM\(\)"):
        recurrent.forward(LSTM, params, np.ones((B, T, D)))


def test_wrong_states_are_named():
    h = np.zeros((B, H))
    refused(TypeError, "state must be a pair (h, c) for LSTM, got one ndarray", state=h)
    refused(TypeError, "state must be a pair (h, c) for LSTM, got a tuple of 3", state=(h, h, h))
    refused(TypeError, "state must be a pair (h, c) for LSTM, got a list of 1", state=[h])
    refused(TypeError, "state must be one array h for GRU, got a tuple of 2", GRU(), state=(h, h))
    refused(ValueError, "h of state must have shape (3, 5), got (3, 4)", state=(h[:, 1:], h))
    refused(ValueError, "c of state must have shape (3, 5), got (5,)", state=(h, h[0]))
    refused(ValueError, "h of state must have shape (3, 5), got (1, 3, 5)", RNN(), state=h[None])
    with pytest.raises(TypeError, match=r"^c of state must hold floating-point numbers"):
        recurrent.forward(LSTM(), *problem(LSTM())[:2], (h, np.zeros((B, H), int)))
    params, x, _ = problem(LSTM(), leads=(2,))
    with pytest.raises(ValueError, match=exactly("h of state must have shape (2, 3, 5), got (3, 5)")):
        recurrent.forward(LSTM(), params, x, (h, h))
    output, _, _ = recurrent.forward(LSTM(), params, x, [np.zeros((2, B, H))] * 2)
    assert output.shape == (2, B, T, H)


def test_wrong_gradients_are_named():
    params, x, state = problem(LSTM())
    output, _, cache = recurrent.forward(LSTM(), params, x, state)
    message = "grad_output must have the shape of the output, (3, 4, 5); got {}"
    for wrong in (output[:, 0], output[..., :1], output[None]):
        with pytest.raises(ValueError, match=exactly(message.format(wrong.shape))):
            recurrent.backward(cache, wrong)
    with pytest.raises(TypeError, match=r"^grad_output must hold floating-point numbers"):
        recurrent.backward(cache, np.ones((B, T, H), int))
    with pytest.raises(TypeError, match=exactly("grad_state must be a pair (h, c) for LSTM, got one ndarray")):
        recurrent.backward(cache, output, state[0])
    with pytest.raises(ValueError, match=exactly("c of grad_state must have shape (3, 5), got (5,)")):
        recurrent.backward(cache, output, (state[0], state[1][0]))


def test_one_step_names_what_is_wrong():
    params, _, state = problem(LSTM())
    with pytest.raises(ValueError, match=exactly("x must have shape (..., B, D), got (2,)")):
        recurrent.step(LSTM(), params, np.ones(2), state)
    with pytest.raises(TypeError, match=r"^x must hold floating-point numbers"):
        recurrent.step(LSTM(), params, np.ones((B, D), int), state)
    with pytest.raises(TypeError, match=r"^cell must be a cell such as LSTM\(\)"):
        recurrent.step("lstm", params, np.ones((B, D)), state)
    with pytest.raises(TypeError, match=r"^cell must be a cell such as LSTM\(\)"):
        recurrent.step(LSTM, params, np.ones((B, D)), state, noise={"candidate": Noise(2.0)})
    with pytest.raises(TypeError, match=exactly("noise must be a dict by place, got 0.5")):
        recurrent.step(LSTM(), params, np.ones((B, D)), state, noise=0.5)
    with pytest.raises(ValueError, match=r"^params must be a dict by name, w_x, w_h, b, for LSTM; got list"):
        recurrent.step(LSTM(), list(params.values()), np.ones((B, D)), state)
    message = "the noise at 'recurrent' must have 3 axes, for it acts on (3, 1, 5); got shape (5,)"
    with pytest.raises(ValueError, match=exactly(message)):
        recurrent.step(LSTM(), params, np.ones((B, D)), state, noise={"recurrent": Noise(np.ones(H))})
