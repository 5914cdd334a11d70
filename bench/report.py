"""What the races measured: as text for the terminal, as a stored file, as tables for the book's page."""

import datetime
import json
import os
import pathlib
import platform

STORED = pathlib.Path(__file__).with_name("results.json")
COLUMNS = ("", "median (ms)", "± quartile (ms)", "ours / this")


def provenance():
    """Return one line on what ran where: versions, processor, threads, date."""
    import keras
    import numpy as np
    import tensorflow as tf
    import torch

    versions = ", ".join(
        f"{name} {version}"
        for name, version in (
            ("Python", platform.python_version()),
            ("NumPy", np.__version__),
            ("PyTorch", torch.__version__),
            ("TensorFlow", tf.__version__),
            ("Keras", keras.__version__),
        )
    )
    processor = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads"
    return f"{versions}; {processor}; {datetime.date.today().isoformat()}"


def rows(timings):
    """Return a row for each competitor: its name, median and spread in milliseconds, our time as a share of its time.

    A competitor named "peak: ..." is not one: it is the time that the products alone would take at the machine's
    best speed, so that the last column reads backwards: its time as a share of ours. One without times was not run;
    its name says why.
    """
    ours = timings[0].median
    table = []
    for timing in timings:
        if not timing.seconds:
            table.append((timing.name, "—", "—", "—"))
            continue
        share = timing.median / ours if timing.name.startswith("peak") else ours / timing.median
        table.append((timing.name, f"{timing.median * 1e3:.3f}", f"{timing.spread * 1e3:.3f}", f"{share:.2f}"))
    return table


def text(title, timings):
    """Return a race as aligned text."""
    lines = [
        f"{name:<40}{median:>14}{spread:>17}{share:>13}" for name, median, spread, share in [COLUMNS, *rows(timings)]
    ]
    return "\n  ".join([title, *lines])


def save(about, results):
    """Store the tables of a whole run."""
    races = [{"title": title, "rows": rows(timings)} for title, timings in results]
    STORED.write_text(
        json.dumps({"about": about, "races": races}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )


def markdown():
    """Return the stored tables as Markdown, with a line on what ran where."""
    stored = json.loads(STORED.read_text(encoding="utf-8"))
    parts = [f"Measured with {stored['about']}."]
    for race in stored["races"]:
        lines = [f"**{race['title']}**", "", "| " + " | ".join(("Who", *COLUMNS[1:])) + " |", "|:--|--:|--:|--:|"]
        parts.append("\n".join([*lines, *("| " + " | ".join(row) + " |" for row in race["rows"])]))
    return "\n\n".join(parts)
