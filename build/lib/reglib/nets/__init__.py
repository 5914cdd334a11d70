"""Whole networks, each with its forward and its backward pass."""
