"""Parameters by role, place and name: what a name says, and what a choice takes."""

import numpy as np
import pytest

from reglib.layers.cells import GRU, LSTM, RNN
from reglib.layers.layer_norm_lstm import LayerNormLSTM
from reglib.nets.convnet import ConvNet
from reglib.nets.mlp import MLP
from reglib.nets.sequence import Sequence
from reglib.weights.parameters import choose, each, place, role, words
from tests.conftest import exactly

NAMES = {
    # name: role, place
    "w": ("weight", None),
    "w1": ("weight", None),
    "w12": ("weight", None),
    "w_x": ("weight", "input"),
    "w_h": ("weight", "recurrent"),
    "w_out": ("weight", "output"),
    "w_key": ("weight", None),
    "b": ("bias", None),
    "b3": ("bias", None),
    "b_h": ("bias", None),
    "b_out": ("bias", None),
    "gain": ("gain", None),
    "gain_x": ("gain", None),
    "gain_h": ("gain", None),
    "shift_c": ("shift", None),
    "shift_x": ("shift", None),
    "log_alpha1": ("strength", None),
    "block1.w_x": ("weight", "input"),
    "encoder.block2.b_h": ("bias", None),
    "w_x.b": ("bias", None),
    "b.w_out": ("weight", "output"),
    "weights": (None, None),
    "bias": (None, None),
    "wx": (None, None),
    "W": (None, None),
    "w1_x": (None, None),
    "w_": (None, None),
    "_w": (None, None),
    "my_w_x": (None, None),
    "log": (None, None),
    "x": (None, None),
    "w_x.": (None, None),
    "": (None, None),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_says_role_and_place(name):
    assert (role(name), place(name)) == NAMES[name]


@pytest.mark.parametrize(
    ("net", "roles"),
    [
        (MLP((2, 3, 2)), {"weight": ["w1", "w2"], "bias": ["b1", "b2"]}),
        (ConvNet((1, 2, 2, 2)), {"weight": ["w1", "w2", "w3"], "bias": ["b1", "b2", "b3"]}),
        (Sequence(RNN(), 2, 3, 2), {"weight": ["w_x", "w_h", "w_out"], "bias": ["b", "b_out"]}),
        (Sequence(LSTM(), 2, 3, 2), {"weight": ["w_x", "w_h", "w_out"], "bias": ["b", "b_out"]}),
        (Sequence(GRU(), 2, 3, 2), {"weight": ["w_x", "w_h", "w_out"], "bias": ["b", "b_h", "b_out"]}),
        (Sequence(GRU(reset_after=False), 2, 3, 2), {"weight": ["w_x", "w_h", "w_out"], "bias": ["b", "b_out"]}),
        (
            Sequence(LayerNormLSTM(), 2, 3, 2),
            {
                "weight": ["w_x", "w_h", "w_out"],
                "bias": ["b", "b_out"],
                "gain": ["gain_x", "gain_h", "gain_c"],
                "shift": ["shift_x", "shift_h", "shift_c"],
            },
        ),
        (
            Sequence(LayerNormLSTM(norm="gates"), 2, 3, 2),
            {
                "weight": ["w_x", "w_h", "w_out"],
                "bias": ["b", "b_out"],
                "gain": ["gain", "gain_c"],
                "shift": ["shift_c"],
            },
        ),
    ],
)
def test_every_parameter_of_every_network_has_its_role(net, roles):
    params = net.init(np.random.default_rng(0))
    assert sorted(name for names in roles.values() for name in names) == sorted(params)
    for word, names in roles.items():
        assert choose(params, word) == names
    assert choose(params) == roles["weight"]
    assert choose(params, "all") == list(params)
    if "w_x" in params:
        assert [choose(params, word) for word in ("input", "recurrent", "output")] == [["w_x"], ["w_h"], ["w_out"]]


PARAMS = dict.fromkeys(["w_x", "w_h", "b", "block1.w_x", "block1.gain", "w_out", "other"])


@pytest.mark.parametrize(
    ("on", "chosen"),
    [
        ("weight", ["w_x", "w_h", "block1.w_x", "w_out"]),
        ("input", ["w_x", "block1.w_x"]),
        ("recurrent", ["w_h"]),
        ("output", ["w_out"]),
        ("bias", ["b"]),
        ("gain", ["block1.gain"]),
        ("all", list(PARAMS)),
        ("w_x", ["w_x"]),
        ("block1.w_x", ["block1.w_x"]),
        ("other", ["other"]),
        (("bias", "w_h"), ["w_h", "b"]),
        (("output", "input", "w_x"), ["w_x", "block1.w_x", "w_out"]),
        (["weight", "all"], list(PARAMS)),
    ],
)
def test_a_choice_by_role_place_or_name_in_the_order_of_the_parameters(on, chosen):
    assert choose(PARAMS, on) == chosen


@pytest.mark.parametrize(
    ("on", "word"),
    [
        ("weights", "weights"),
        ("shift", "shift"),
        ("strength", "strength"),
        ("w", "w"),
        ("None", "None"),
        (("weight", "kernel"), "kernel"),
        ("", ""),
    ],
)
def test_a_word_that_chooses_nothing_is_an_error(on, word):
    message = (
        "on must hold roles, places or names of the parameters w_x, w_h, b, block1.w_x, block1.gain, w_out, other, "
        f"or be 'all'; got {word!r}"
    )
    with pytest.raises(ValueError, match=exactly(message)):
        choose(PARAMS, on)


def test_of_a_list_only_all_can_be_chosen():
    for container in (list, tuple):
        assert choose(container([1.0, 2.0, 3.0]), "all") == [0, 1, 2]
    assert choose([1.0], ("all",)) == choose([1.0], ["all"]) == [0]
    assert choose([], "all") == []
    for on in ("weight", ("all", "weight"), "w1"):
        message = f'params must be a dict by name where on chooses some of them, or on="all"; got {on!r}'
        with pytest.raises(TypeError, match=exactly(message)):
            choose([1.0, 2.0], on)


def test_words():
    assert words("on", "weight") == "weight"
    assert words("on", ["input", "w1"]) == ("input", "w1")
    for wrong in (None, 3, ("weight", 3), [True], {"weight": True}, b"weight"):
        message = f"decay_on must be a role, a place or a name of parameters, or a tuple of these; got {wrong!r}"
        with pytest.raises(TypeError, match=exactly(message)):
            words("decay_on", wrong)
        with pytest.raises(TypeError, match=exactly(message.replace("decay_on", "on"))):
            choose(PARAMS, wrong)


def test_each_keeps_the_structure_and_pairs_by_name():
    params, other = {"w": 1, "b": 2}, {"b": 20, "w": 10}
    assert each(lambda w: w + 1, params) == {"w": 2, "b": 3}
    assert list(each(lambda a, b: a - b, params, other).items()) == [("w", -9), ("b", -18)]
    assert each(lambda a, b, c: a + b + c, [1, 2], [10, 20], (100, 200)) == [111, 222]
    assert each(lambda w: w, (1, 2)) == [1, 2]
    with pytest.raises(ValueError, match=exactly("others must have the names of params, w, b; got {'w': 1}")):
        each(lambda a, b: a, params, {"w": 1})
    with pytest.raises(ValueError, match=exactly("others must be lists as long as params, 2")):
        each(lambda a, b: a, [1, 2], [1])


def test_what_is_no_name_no_parameters_and_no_function_is_named():
    for function in (role, place):
        with pytest.raises(TypeError, match=exactly("name must be a string, got 3")):
            function(3)
    for wrong in (3, "w1", None):
        message = f"params must be a dict by name or a list, got {wrong!r}"
        with pytest.raises(TypeError, match=exactly(message)):
            choose(wrong, "all")
        with pytest.raises(TypeError, match=exactly(message)):
            each(lambda w: w, wrong)
    with pytest.raises(TypeError, match=exactly("function must be a function, got 3")):
        each(3, {})
