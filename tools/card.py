"""The book's sign as a picture of points, for the cards that other sites show of a page: those take no drawing."""

import io

import matplotlib.figure
from matplotlib import patches


def picture():
    """Return the unit balls of L1 and L2, as in ``book/_static/logo.svg``, as the bytes of a PNG."""
    figure = matplotlib.figure.Figure(figsize=(2.56, 2.56), dpi=100)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set(xlim=(0, 64), ylim=(0, 64))
    axes.set_axis_off()
    axes.add_patch(patches.Circle((32, 32), 24, facecolor="#cfe3f3", edgecolor="#0072b2", linewidth=8))
    corners = [(32, 8), (56, 32), (32, 56), (8, 32)]
    axes.add_patch(patches.Polygon(corners, facecolor="#f6d9c4", edgecolor="#b34700", linewidth=8, joinstyle="round"))
    axes.add_patch(patches.Circle((32, 56), 4.5, facecolor="#1a1a1a"))
    written = io.BytesIO()
    figure.savefig(written, format="png", transparent=True, metadata={"Software": None})
    return written.getvalue()
