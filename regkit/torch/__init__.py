"""Drop-in modules and functions for PyTorch."""
