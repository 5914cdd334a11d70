"""Which framework a thing belongs to, Keras in float64, numbers that Keras does not round."""

import numpy as np
import pytest
import torch

from regbook.replay import frameworks
from tests.conftest import exactly

keras = frameworks.load_keras()
tf = frameworks.load_tensorflow()


class Own(torch.nn.Module):
    """A class of one's own."""


@pytest.mark.parametrize(
    ("thing", "expected"),
    [
        (torch.nn.Dropout(0.5), "torch"),
        (Own(), "torch"),
        (keras.layers.Dropout(0.5), "keras"),
        (keras.optimizers.SGD(), "keras"),
        (keras.regularizers.L1(0.5), "keras"),
    ],
)
def test_whose_it_is(thing, expected):
    assert frameworks.framework_of(thing) == expected


def test_whose_it_is_not():
    with pytest.raises(TypeError, match="of PyTorch or Keras is needed, got 3"):
        frameworks.framework_of(3)


def test_float64_inside_of_a_block_alone():
    before = keras.config.floatx()
    with frameworks.in_float64() as module:
        assert module is keras
        assert keras.layers.Dense(2).compute_dtype == keras.config.floatx() == "float64"
    assert keras.config.floatx() == before
    with pytest.raises(ZeroDivisionError), frameworks.in_float64():
        _ = 1 / 0
    assert keras.config.floatx() == before
    assert keras.layers.Dense(2).compute_dtype == "float32"


def test_numbers_that_keras_rounds():
    frameworks.held_by_float32(momentum=0.875, weight_decay=0.0)
    words = (
        "momentum must be a number that float32 holds, for Keras would round 0.9 to 0.8999999761581421; "
        "0.875 and 1 - 2**-10 are such numbers"
    )
    with pytest.raises(ValueError, match=exactly(words)):
        frameworks.held_by_float32(weight_decay=0.5, momentum=0.9)


def test_another_backend_is_refused(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    with pytest.raises(RuntimeError, match="Keras must run on TensorFlow, got the backend 'torch'"):
        frameworks.load_tensorflow()


@pytest.mark.parametrize(
    "tensor", [torch.ones(2, requires_grad=True), tf.ones(2), tf.Variable([1.0, 1.0]), keras.Variable(np.ones(2))]
)
def test_numbers_of_tensors(tensor):
    np.testing.assert_array_equal(frameworks.as_array(tensor), [1.0, 1.0])
