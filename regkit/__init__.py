"""Drop-in modules for PyTorch and Keras: what they lack, or do otherwise than its name says.

``from regkit.torch import GaussianDropout`` needs PyTorch, ``from regkit.keras import ...`` Keras on TensorFlow;
``import regkit`` needs neither. The classes are short, and stand for themselves: you may as well copy one into your
own code. Each is tested against `reglib`, which is NumPy alone, on the same noise.
"""
