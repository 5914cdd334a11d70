"""Regularization techniques for deep learning, from scratch in NumPy.

One idea a module; import the module you need, for instance
``from reglib import penalties``. Nothing is imported here, so that importing
``reglib`` stays quick and each module's dependencies stay visible.
"""

__version__ = "0.1.0"
