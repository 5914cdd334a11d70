"""Timings beside PyTorch, Keras and scikit-learn: ``make bench`` or ``python -m bench``."""
