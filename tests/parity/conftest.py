"""Quiet TensorFlow, the rounding of its plain kernels, one thread each: all must be set before the first import."""

import os

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
# Small arrays gain nothing from threads, and tests that run side by side would fight for the cores.
for variable in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
    os.environ.setdefault(variable, "1")


@pytest.fixture
def keras_float64():
    """Let Keras compute in float64: the default type, and the policy of layers, which remembers the first one used."""
    import keras

    before = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx(before[0])
    keras.config.set_dtype_policy(before[1])
