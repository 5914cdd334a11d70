"""The home page's map: where in a training step each technique acts. ``python -m tools.drawing`` draws it anew.

One catalogue, two drawings: a wide one, and a narrow one for phones; the style sheet shows the one that fits. Each
technique is a link to its chapter. The drawing holds no colors of its own: they come from the page's theme.
"""

import argparse
import html
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "book" / "_static" / "map.html"
TITLE = "Where in a training step each technique acts"
WIDE, NARROW = 690, 340
GAP, PAD = 10, 10
CHIP, CHIP_NARROW = 28, 36


@dataclass(frozen=True)
class Place:
    """One place of a training step: its name, what happens there, and the chapters about it."""

    name: str
    note: str
    chapters: tuple = ()


@dataclass(frozen=True)
class Chapter:
    """A chapter: what stands on its link, and its file in ``book/`` without the ending."""

    label: str
    file: str


BATCH = Place("1 Batch", "inputs and targets")
UNITS = Place(
    "single units",
    "dropped, or made noisy",
    (
        Chapter("Dropout", "dropout/dropout"),
        Chapter("Gaussian dropout", "variants/gaussian"),
        Chapter("Variational", "variants/variational"),
        Chapter("Alpha dropout", "variants/alpha"),
    ),
)
MAPS = Place("whole channels", "of a feature map", (Chapter("Spatial dropout", "variants/spatial"),))
MEMORY = Place(
    "over time",
    "what is carried on, what is written",
    (Chapter("State dropout", "variants/state"), Chapter("Recurrent dropout", "variants/recurrent")),
)
FORWARD = Place("2 Forward pass", "noise on what the layers hand on")
PANELS = (UNITS, MAPS, MEMORY)
LOSS = Place("3 Loss", "of outputs and targets")
BACKWARD = Place("4 Backward pass", "the gradient, through the masks of step 2")
PENALTY = Place("5 Penalty", "pulls the weights towards zero", (Chapter("L1 and L2", "penalties/l1-l2"),))
STEP = Place(
    "6 Step",
    "moves the weights, shrinks them, averages them; one step is the last",
    (
        Chapter("Weight decay", "penalties/weight-decay"),
        Chapter("Early stopping", "beyond/early-stopping"),
        Chapter("Weight averaging", "beyond/weight-averaging"),
    ),
)
PREDICT = Place(
    "After training",
    "the noise is off, one net stands for many; or it stays on",
    (
        Chapter("Understanding dropout", "dropout/understanding-dropout"),
        Chapter("Monte Carlo dropout", "beyond/two-masks"),
    ),
)
BEFORE = Place(
    "Before training",
    "how strong, and by whose convention",
    (Chapter("Why regularize", "foundations/why-regularize"), Chapter("Conventions", "foundations/conventions")),
)
PLACES = (BATCH, FORWARD, *PANELS, LOSS, BACKWARD, PENALTY, STEP, PREDICT, BEFORE)


def chapters():
    """Return the files of all chapters on the map."""
    return [chapter.file for place in PLACES for chapter in place.chapters]


# Elements


def text(x, y, words, kind="note", anchor="start"):
    """Return a line of text."""
    return f'<text class="map-{kind}" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{html.escape(words)}</text>'


def lines(x, y, words, width, kind="note", anchor="start"):
    """Return text broken into lines no wider than ``width``, and the height that it takes."""
    rows = [""]
    for word in words.split():
        longer = f"{rows[-1]} {word}".strip()
        if rows[-1] and breadth(longer, 12.5) > width:
            rows.append(word)
        else:
            rows[-1] = longer
    shown = [text(x, y + 12 + 16 * row, words, kind, anchor) for row, words in enumerate(rows)]
    return "".join(shown), 16 * len(rows)


def breadth(words, size):
    """Return about how wide a line of text is; a little more than most fonts need."""
    return 0.56 * size * len(words)


def box(x, y, width, height, kind="box"):
    """Return a rectangle with round corners."""
    return f'<rect class="map-{kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="8"/>'


def chip(x, y, width, height, chapter):
    """Return a link to a chapter: a box with the chapter's name."""
    label = text(x + width / 2, y + height / 2 + 5, chapter.label, "label", "middle")
    return f'<a href="{chapter.file}.html">{box(x, y, width, height, "chip")}{label}</a>'


def arrow(*points):
    """Return a line along ``points`` with a head at its end."""
    path = "M" + " L".join(f"{x:g} {y:g}" for x, y in points)
    (x0, y0), (x, y) = points[-2:]
    length = max(abs(x - x0), abs(y - y0))
    u, v = (x - x0) / length, (y - y0) / length
    head = f"M{x - 7 * u - 5 * v:g} {y - 7 * v - 5 * u:g} L{x:g} {y:g} L{x - 7 * u + 5 * v:g} {y - 7 * v + 5 * u:g}"
    return f'<path class="map-arrow" d="{path} {head}"/>'


def units_icon(x, y):
    """Return six units of a layer, of which two are dropped."""
    spots = [(x + 9 + 19 * column, y + 9 + 20 * row) for row in range(2) for column in range(3)]
    return "".join(
        f'<circle class="map-{"off" if index in (1, 5) else "on"}" cx="{cx:g}" cy="{cy:g}" r="7"/>'
        for index, (cx, cy) in enumerate(spots)
    )


def maps_icon(x, y):
    """Return three feature maps, one behind the other, of which one is dropped."""
    return "".join(
        f'<rect class="map-{"off" if index == 1 else "on"}" x="{x + 2 + 18 * index:g}" y="{y + 10 - 4 * index:g}" '
        'width="15" height="27" rx="2"/>'
        for index in range(3)
    )


def memory_icon(x, y):
    """Return three time steps in a row, with a cut in what is carried from one to the next."""
    steps = "".join(f'<circle class="map-on" cx="{x + 9 + 24 * i:g}" cy="{y + 19:g}" r="6"/>' for i in range(3))
    kept = f'<path class="map-thread" d="M{x + 16:g} {y + 19:g} h10"/>'
    cut = f'<path class="map-thread map-cut" d="M{x + 40:g} {y + 19:g} h10"/>'
    return steps + kept + cut


ICONS = {UNITS: units_icon, MAPS: maps_icon, MEMORY: memory_icon}


def stage(x, y, width, place, height=None, chip_height=CHIP, across=False):
    """Return a box for a place, its chapters one below the other or side by side, and its height."""
    note, note_height = lines(x + PAD, y + 28, place.note, width - 2 * PAD)
    top = y + 36 + note_height
    count = len(place.chapters)
    wide = (width - 2 * PAD - GAP * (count - 1)) / count if across and count else width - 2 * PAD
    links = []
    for index, chapter in enumerate(place.chapters):
        left = x + PAD + (index * (wide + GAP) if across else 0)
        links.append(chip(left, top + (0 if across else index * (chip_height + 8)), wide, chip_height, chapter))
    rows = min(count, 1) if across else count
    height = height or top - y + rows * (chip_height + 8) + 4
    return box(x, y, width, height) + text(x + PAD, y + 22, place.name, "name") + note + "".join(links), height


def panel(x, y, width, place, chip_height=CHIP):
    """Return a part of the forward pass: a picture, what is hit, and its chapters; and its height.

    The words stand beside the picture, or below it where there is little room.
    """
    roomy = width > 200
    left, first = (x + 74, y + 16) if roomy else (x, y + 60)
    note, note_height = lines(left, first + 4, place.note, width - (left - x))
    top = first + 12 + note_height
    links = "".join(
        chip(x, top + index * (chip_height + 8), width, chip_height, chapter)
        for index, chapter in enumerate(place.chapters)
    )
    height = top - y + len(place.chapters) * (chip_height + 8)
    return ICONS[place](x, y) + text(left, first, place.name, "part") + note + links, height


def frame(kind, width, height, content):
    """Return an SVG of the given size."""
    return (
        f'<svg class="map-{kind}" viewBox="0 0 {width:g} {height:g}" role="group" aria-labelledby="map-title">'
        f"{content}</svg>"
    )


def wide():
    """Return the drawing for wide pages: forward on the first row, back on the second."""
    side, between = 92, 22
    middle = WIDE - 2 * (side + between)
    panel_width = (middle - 2 * PAD - 2 * 14) / 3
    top, parts, tallest = 62, [], 0
    for index, place in enumerate(PANELS):
        drawn, height = panel(side + between + PAD + index * (panel_width + 14), top, panel_width, place)
        parts.append(drawn)
        tallest = max(tallest, height)
    row = top + tallest + 4
    forward = box(side + between, 0, middle, row)
    forward += text(side + between + PAD, 22, FORWARD.name, "name")
    forward += text(side + between + PAD, 42, FORWARD.note)
    batch, _ = stage(0, 0, side, BATCH, row)
    loss, _ = stage(WIDE - side, 0, side, LOSS, row)
    parts = [batch, forward, *parts, loss]  # in the order in which they are read aloud
    half = row / 2
    parts.append(arrow((side, half), (side + between - 3, half)))
    parts.append(arrow((WIDE - side - between, half), (WIDE - side - 3, half)))
    below = row + 36
    width = (WIDE - 2 * 26) / 3
    third = []
    for index, place in enumerate((STEP, PENALTY, BACKWARD)):
        drawn, height = stage(index * (width + 26), below, width, place)
        third.append((place, index * (width + 26), height))
    height = max(tall for _, _, tall in third)
    for place, x, _ in reversed(third):
        parts.append(stage(x, below, width, place, height)[0])
    parts.append(arrow((WIDE - side / 2, row), (WIDE - side / 2, below - 3)))
    for index in (1, 2):
        x = index * (width + 26)
        parts.append(arrow((x, below + height / 2), (x - 23, below + height / 2)))
    parts.append(arrow((side / 2, below), (side / 2, row + 3)))
    parts.append(text(side / 2 + 10, row + 22, "next step"))
    last = below + height + 26
    left, tall = stage(0, last, WIDE / 2 - 13, BEFORE, across=True)
    right, tall_right = stage(WIDE / 2 + 13, last, WIDE / 2 - 13, PREDICT)
    parts += [left, right]
    return frame("wide", WIDE, last + max(tall, tall_right) + 2, "".join(parts))


def narrow():
    """Return the drawing for phones: the places one below the other."""
    parts, y = [], 0

    def put(drawn, height, follows=True):
        nonlocal y
        parts.append(drawn)
        if follows:
            parts.append(arrow((NARROW / 2, y + height), (NARROW / 2, y + height + 19)))
        y += height + 22

    def plain(place, **options):
        return stage(0, y, NARROW, place, chip_height=CHIP_NARROW, **options)

    put(*plain(BEFORE, across=True), follows=False)
    put(*plain(BATCH))
    top, inner = y + 54, []
    for place in PANELS:
        drawn, height = panel(PAD, top, NARROW - 2 * PAD, place, CHIP_NARROW)
        inner.append(drawn)
        top += height + 12
    content = text(PAD, y + 22, FORWARD.name, "name") + text(PAD, y + 42, FORWARD.note) + "".join(inner)
    put(box(0, y, NARROW, top - y - 6) + content, top - y - 6)
    for place in (LOSS, BACKWARD, PENALTY):
        put(*plain(place))
    put(*plain(STEP), follows=False)
    parts.append(text(NARROW / 2, y - 4, "then the next batch", anchor="middle"))
    y += 12
    put(*plain(PREDICT), follows=False)
    return frame("narrow", NARROW, y - 18, "".join(parts))


def page():
    """Return the map as HTML: a figure with both drawings, one of which is shown."""
    figure = (
        f'<figure class="map" aria-labelledby="map-title">\n{wide()}\n{narrow()}\n'
        f'<figcaption id="map-title">{TITLE}. Every framed name is a link to its chapter.</figcaption>\n</figure>\n'
    )
    return re.sub(r"(\.\d\d)\d+", r"\1", figure)


def main(arguments=None):
    """Write the map."""
    argparse.ArgumentParser(prog="python -m tools.drawing", description=__doc__).parse_args(arguments)
    FILE.write_text(page(), encoding="utf-8")
    print(f"{FILE.relative_to(ROOT)}: {len(chapters())} chapters")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
