"""Exercises that check themselves: one module a chapter, and `regcheck.core` with the mechanism."""
