"""Penalized linear models, solved to a certified accuracy."""
