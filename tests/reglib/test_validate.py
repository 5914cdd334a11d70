"""The checks of arguments: what they let through, what they refuse, and in which words."""

import re

import numpy as np
import pytest

from reglib._validate import (
    LARGEST,
    as_array,
    axes,
    boolean,
    by_name,
    by_place,
    float_array,
    float_type,
    function,
    generator,
    generators,
    instance,
    integer,
    integers,
    number,
    one_of,
    pair,
    replica_shape,
    same_shape,
    text,
)
from reglib.layers import recurrent
from reglib.layers.cells import LSTM
from reglib.layers.dense import dense
from reglib.nets.convnet import ConvNet
from reglib.nets.mlp import MLP
from reglib.nets.sequence import Sequence
from reglib.noise import masks
from reglib.noise.affine import Noise, apply, apply_backward
from reglib.noise.kinds import Bernoulli
from reglib.train import losses
from reglib.train.optim import SGD, Adam, AdamW
from reglib.weights.penalties import L1, L2, ElasticNet, GroupLasso
from tests.conftest import exactly


def exactly_ends(text):
    """Return a pattern for a message that ends like this."""
    return f"{re.escape(text)}$"


def test_float_array_lets_floats_through_unchanged():
    for dtype in (np.float32, np.float64):
        array = np.ones((2, 3), dtype)
        assert float_array("x", array) is array
    assert float_array("x", [1.0, 2.0]).dtype == np.float64
    for value in (2, 2.0):
        converted = float_array("x", value)
        assert converted.dtype == np.float64
        assert converted.shape == ()
        assert converted == 2
    assert np.isnan(float_array("x", [np.nan], finite=False)).all()
    assert float_array("x", np.ones((2, 3)), ndim=2).shape == (2, 3)


BAD = [np.arange(3), np.array([True]), True, np.array([1j]), np.array([None]), "a", [1, 2], np.ones(3, np.float16)]


@pytest.mark.parametrize("bad", BAD)
def test_float_array_refuses_everything_else(bad):
    message = (
        "grad_w must hold floating-point numbers (float32 or float64), got dtype "
        f"{np.asarray(bad).dtype}; convert it with grad_w.astype(float) if that is meant"
    )
    with pytest.raises(TypeError, match=exactly(message)):
        float_array("grad_w", bad)


def test_as_array_names_what_is_no_array():
    array = np.ones(3)
    assert as_array("x", array) is array
    np.testing.assert_array_equal(as_array("x", [[1, 2], [3, 4]]), [[1, 2], [3, 4]])
    for call in (as_array, float_array, number):
        with pytest.raises(ValueError, match=exactly("x must have rows of equal length, got a ragged list")):
            call("x", [[1.0, 2.0], [3.0]])
        message = "x must be a plain array, got a masked one; fill it with x.filled(...) first"
        with pytest.raises(TypeError, match=exactly(message)):
            call("x", np.ma.masked_array([1.0, 2.0], [True, False]))


def test_float_array_checks_axes_and_finiteness():
    with pytest.raises(ValueError, match=exactly("x must have 2 axes, got shape (3,)")):
        float_array("x", np.ones(3), ndim=2)
    with pytest.raises(ValueError, match=exactly("x must be finite, got 2 NaN or infinite values in shape (2, 2)")):
        float_array("x", np.array([[np.nan, 1.0], [-np.inf, 0.0]]))


def test_number_returns_a_float():
    for value in (2, 2.0, np.float32(2), np.int64(2), np.uint8(2), np.array(2.0)):
        assert number("rate", value) == 2
        assert type(number("rate", value)) is float
    kept = number("l2", np.array([0.5, 1.0], np.float32), replicas=True)
    assert kept.dtype == np.float64, "what is computed of a rate is rounded at its end alone"
    assert kept.shape == (2,)
    assert number("l2", np.array([1, 2]), replicas=True).dtype == np.float64
    assert type(number("l2", 1, replicas=True)) is float


@pytest.mark.parametrize(
    ("limits", "inside", "outside", "interval"),
    [
        ({}, [-1e300, 1e300], [np.nan, np.inf, -np.inf], "[-inf, inf]"),
        ({"low": 0}, [0, 0.5], [-0.1, np.nan], "[0, inf]"),
        ({"low": 0, "low_open": True}, [0.1], [0, -1], "(0, inf]"),
        ({"high": 1}, [-5, 1], [1.1], "[-inf, 1]"),
        ({"low": 0, "high": 1, "high_open": True}, [0, 0.99], [1, 2, -0.1], "[0, 1)"),
    ],
)
def test_number_keeps_to_its_interval(limits, inside, outside, interval):
    for value in inside:
        assert number("rate", value, **limits) == value
    for value in outside:
        with pytest.raises(ValueError, match=exactly(f"rate must be a finite number in {interval}, got {value!r}")):
            number("rate", value, **limits)
        many = np.array([inside[0], value], float)
        with pytest.raises(ValueError, match=exactly(f"rate must be a finite number in {interval}, got {many!r}")):
            number("rate", many, replicas=True, **limits)


def test_number_refuses_what_is_not_one_real_number():
    for bad in ("0.5", None, 1j, True, [None]):
        with pytest.raises(TypeError, match=exactly(f"rate must be a real number, got {bad!r}")):
            number("rate", bad)
    with pytest.raises(TypeError, match=exactly("rate must be a single number, got an array of shape (2,)")):
        number("rate", [0.1, 0.2])


def test_replica_shape_gives_each_replica_its_number():
    array = np.ones((2, 3, 4), np.float32)
    shaped = replica_shape("l2", np.array([1.0, 2.0]), "w", array)
    assert shaped.shape == (2, 1, 1)
    assert shaped.dtype == np.float32
    np.testing.assert_array_equal((shaped * array)[:, 0, 0], [1, 2])
    assert replica_shape("l2", 0.5, "w", array).shape == (1, 1, 1)
    assert replica_shape("l2", np.ones((2, 3)), "w", array).shape == (2, 3, 1)
    for dtype in (np.float32, np.float64):
        assert replica_shape("l2", np.array([1.0, 2.0], dtype), "w", array, np.float64).dtype == np.float64
        assert replica_shape("l2", np.array([1.0, 2.0], dtype), "w", array, np.float32).dtype == np.float32
    message = "l2 has shape (3,), one number a replica, so w must have shape (3, ...); got (2, 3, 4)"
    with pytest.raises(ValueError, match=exactly(message)):
        replica_shape("l2", np.ones(3), "w", array)
    message = "l2 has shape (2, 4), one number a replica, so w must have shape (2, 4, ...); got (2, 3, 4)"
    with pytest.raises(ValueError, match=exactly(message)):
        replica_shape("l2", np.ones((2, 4)), "w", array)


def test_generator():
    rng = np.random.default_rng(0)
    assert generator("rng", rng) is rng
    for bad in (0, None, np.random.RandomState):
        message = f"rng must be a numpy.random.Generator, for instance numpy.random.default_rng(0); got {bad!r}"
        with pytest.raises(TypeError, match=exactly(message)):
            generator("rng", bad)


def test_generators():
    one, other = np.random.default_rng(0), np.random.default_rng(1)
    assert generators("rng", one) is None
    for several in ([one, other], (one, other)):
        assert generators("rng", several) == [one, other]
    assert generators("rng", []) == []
    text = "must be a numpy.random.Generator, for instance numpy.random.default_rng(0); got"
    with pytest.raises(TypeError, match=exactly(f"rng {text} 3")):
        generators("rng", 3)
    with pytest.raises(TypeError, match=exactly(f"rng[1] {text} None")):
        generators("rng", [one, None])


def test_float_type():
    for dtype in (np.float32, np.float64):
        for name in (dtype, np.dtype(dtype), np.dtype(dtype).name):
            assert float_type(name) == np.dtype(dtype)
    assert float_type(float) == np.dtype(np.float64)
    for bad in (np.float16, "half", int, bool, complex, object, "no type", 3):
        message = f"dtype must be numpy.float32 or numpy.float64, got {bad!r}"
        with pytest.raises(TypeError, match=exactly(message)):
            float_type(bad)


HALF = np.ones((2, 2), np.float16)
FULL = np.ones((2, 2))
RNG = np.random.default_rng(0)
PARAMS = MLP((2, 2)).init(RNG)


@pytest.mark.parametrize(
    "call",
    [
        lambda: MLP((2, 2)).init(RNG, dtype=np.float16),
        lambda: ConvNet((1, 1, 1, 1)).init(RNG, dtype=np.float16),
        lambda: Sequence(LSTM(), 1, 1, 1).init(RNG, dtype=np.float16),
        lambda: recurrent.init(RNG, LSTM(), 1, 1, dtype=np.float16),
        lambda: MLP((2, 2)).forward(PARAMS, HALF),
        lambda: MLP((2, 2)).forward(PARAMS | {"w1": HALF}, FULL),
        lambda: dense(HALF, FULL, FULL[0]),
        lambda: dense(FULL, HALF, FULL[0]),
        lambda: dense(FULL, FULL, HALF[0]),
        lambda: masks.gaussian(RNG, (2,), 0.5, dtype=np.float16),
        lambda: masks.normal(RNG, (2,), 0.5, dtype=np.float16),
        lambda: Bernoulli(0.5).draw(RNG, (2,), np.float16),
        lambda: Bernoulli(0.5).given(np.ones(2, bool), np.float16),
        lambda: Noise(HALF),
        lambda: Noise(offset=HALF),
        lambda: apply(None, HALF),
        lambda: apply_backward(None, HALF),
        lambda: losses.softmax_cross_entropy(HALF, np.zeros(2, int)),
        lambda: losses.softmax_cross_entropy(FULL, HALF / 2),
        lambda: losses.squared_error(HALF, FULL),
        lambda: losses.squared_error(FULL, HALF),
        lambda: L1(0.1).value(HALF),
        lambda: L2(0.1).gradient([HALF]),
        lambda: ElasticNet(0.1, 0.1).prox({"w": HALF}, 0.1),
        lambda: GroupLasso(0.1, [0, 1]).value(HALF),
        *(lambda optimizer=optimizer: optimizer.init([HALF]) for optimizer in (SGD(0.1), Adam(), AdamW())),
        lambda: Adam().step({"w": HALF}, {"w": HALF}, Adam().init({"w": FULL})),
        lambda: Adam().step([FULL], [HALF], Adam().init([FULL])),
    ],
)
def test_half_precision_is_refused_everywhere(call):
    """Adam's epsilon would be 0 in it, and a step at a zero gradient NaN."""
    with pytest.raises(TypeError, match=r"float32 or (numpy\.)?float64.*, got .*float16"):
        call()


def test_one_of():
    assert one_of("better", "lower", ("lower", "higher")) == "lower"
    for bad in ("best", None, ["lower"], np.array(["lower", "higher"]), 0):
        with pytest.raises(ValueError, match=exactly(f"better must be one of 'lower', 'higher'; got {bad!r}")):
            one_of("better", bad, ("lower", "higher"))


def test_integer():
    for value in (3, np.int64(3), np.uint8(3)):
        assert integer("n", value) == 3
        assert type(integer("n", value)) is int
    assert integer("n", 0, low=0) == 0
    assert integer("n", -5) == -5
    for bad in (3.0, True, "3", None, np.array([3])):
        with pytest.raises(TypeError, match=exactly(f"n must be an integer, got {bad!r}")):
            integer("n", bad)
    with pytest.raises(ValueError, match=exactly("n must be at least 1, got 0")):
        integer("n", 0, low=1)


def test_integers():
    for values in ((3, 4), [3, 4], np.array([3, 4]), range(3, 5)):
        assert integers("sizes", values) == (3, 4)
        assert {type(value) for value in integers("sizes", values)} == {int}
    assert integers("sizes", ()) == ()
    for bad in (3, None, "34", {3: 4}):
        with pytest.raises(TypeError, match=exactly(f"sizes must be a sequence of integers, got {bad!r}")):
            integers("sizes", bad)
    with pytest.raises(TypeError, match=exactly("sizes must be an integer, got 4.0")):
        integers("sizes", (3, 4.0))
    with pytest.raises(ValueError, match=exactly("sizes must be at least 1, got 0")):
        integers("sizes", (3, 0), low=1)


def test_boolean():
    for value in (True, False, np.bool_(True), np.bool_(False)):
        assert boolean("scaled", value) is bool(value)
    for bad in (1, 0, "no", None, 1.0, np.array([True])):
        with pytest.raises(TypeError, match=exactly(f"scaled must be True or False, got {bad!r}")):
            boolean("scaled", bad)


def test_function():
    for value in (len, test_boolean, np.exp, int):
        assert function("loss", value) is value
    for bad in (None, "relu", 3):
        with pytest.raises(TypeError, match=exactly(f"loss must be a function, got {bad!r}")):
            function("loss", bad)


def test_a_long_value_is_cut_short_in_its_error():
    bad = "x" * 78
    with pytest.raises(TypeError, match=exactly(f"rate must be a real number, got {bad!r}")):
        number("rate", bad)
    bad = "x" * 79
    with pytest.raises(TypeError, match=exactly(f"rate must be a real number, got str '{'x' * 59}...")):
        number("rate", bad)
    rates = np.full(100, 1.5)
    with pytest.raises(
        ValueError, match=exactly("rate must be a finite number in [-inf, 1], got an array of shape (100,)")
    ):
        number("rate", rates, high=1, replicas=True)
    with pytest.raises(TypeError, match=exactly("it must be a Noise, got an array of shape (2, 1)")):
        instance("it", np.ones((2, 1)), Noise, "a Noise")
    with pytest.raises(TypeError, match=exactly("it must be a Noise, got array([1., 1.])")):
        instance("it", np.ones(2), Noise, "a Noise")


def test_a_name_that_is_no_code_is_not_shown_as_code():
    for name in ("x", "grads[1]", "grads['w1']", "cell.w_h"):
        with pytest.raises(TypeError, match=exactly_ends(f"convert it with {name}.astype(float) if that is meant")):
            float_array(name, np.ones(2, int))
    for name in ("the noise's gain", "h of state"):
        with pytest.raises(TypeError, match=exactly_ends("; convert it with .astype(float) if that is meant")):
            float_array(name, np.ones(2, int))


def test_dicts_by_name_and_by_place():
    values = {"w": 1, "b": 2}
    assert by_name("params", values, ("w", "b")) is values
    for wrong, got in (({"b": 2, "w": 1}, "b, w"), ({"w": 1}, "w"), ({}, ""), ([1, 2], "list"), (None, "NoneType")):
        with pytest.raises(ValueError, match=exactly(f"params must be a dict by name, w, b, for LSTM; got {got}")):
            by_name("params", wrong, {"w": 0, "b": 0}, ", for LSTM")
    noise = {"input": Noise(1.0)}
    assert by_place("noise", noise, ("input", "output"), Noise, "a Noise") is noise
    assert by_place("noise", {}, (), Noise, "a Noise") == {}
    cases = [
        (0.5, TypeError, "noise must be a dict by place, got 0.5"),
        ({"hidden": Noise(1.0)}, ValueError, "a place of noise must be one of 'input', 'output'; got 'hidden'"),
        ({"input": 0.5}, TypeError, "the noise at 'input' must be a Noise, got 0.5"),
    ]
    for wrong, error, message in cases:
        with pytest.raises(error, match=exactly(message)):
            by_place("noise", wrong, ("input", "output"), Noise, "a Noise")


def test_same_shape():
    same_shape("grad", np.ones((2, 3)), "y", np.zeros((2, 3)))
    with pytest.raises(ValueError, match=exactly("grad must have the shape of y, (2, 3); got (3, 2)")):
        same_shape("grad", np.ones((3, 2)), "y", np.zeros((2, 3)))


def test_integers_fit_into_64_bits():
    assert integer("n", LARGEST) == LARGEST
    message = "n must fit into 64 bits, got an integer of 1329 bits"
    with pytest.raises(ValueError, match=exactly(message)):
        integer("n", 10**400)
    with pytest.raises(TypeError, match=r"^x must hold floating-point numbers .* got dtype object; "):
        float_array("x", 10**400)


def test_axes_are_one_or_several():
    assert axes("shared", -1) == (-1,)
    assert axes("shared", [0, -1]) == (0, -1)
    with pytest.raises(TypeError, match=exactly("shared must be an integer, got 'rows'")):
        axes("shared", "rows")


def test_instances_pairs_and_functions():
    assert instance("net", 5, int, "a number") == 5
    with pytest.raises(TypeError, match=exactly("net must be a number, got None")):
        instance("net", None, int, "a number")
    assert text("measure", "accuracy") == "accuracy"
    with pytest.raises(TypeError, match=exactly("measure must be a string, got 1")):
        text("measure", 1)
    assert pair("loss", (1, 2)) == (1, 2)
    for value in (None, (1, 2, 3)):
        with pytest.raises(TypeError, match=exactly(f"loss must return a pair, got {value!r}")):
            pair("loss", value)
    assert function("progress", None, optional=True) is None
    with pytest.raises(TypeError, match=exactly("progress must be a function, got None")):
        function("progress", None)
