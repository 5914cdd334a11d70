"""Quiet TensorFlow, and the rounding of its plain kernels: both must be set before its first import."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
