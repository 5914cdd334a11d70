"""Building, checking and serving the book. ``python -m tools.book --help`` is the way in."""
