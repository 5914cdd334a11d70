"""Measure anew what the cards say: ``python -m tools.measured [NOTEBOOK ...]``, all of them by default.

Executes the notebooks that confirm a result of a card, stores what they find in ``regbook/measured.json``, and writes
the sentences of the cards.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from regbook import measured
from tools import execute, notebooks, process


def main(arguments=None):
    """Measure; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.measured", description=str(__doc__).splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path)
    chosen = parser.parse_args(arguments).notebooks or notebooks.paths()
    there = [path for path in chosen if "measured.confirm(" in execute.code_of(notebooks.read(path))]
    with tempfile.TemporaryDirectory() as folder:
        copies = [Path(folder, f"{number}-{path.name}") for number, path in enumerate(there)]
        for path, copy in zip(there, copies, strict=True):
            copy.write_bytes(path.read_bytes())
        environment = execute.environ() | {measured.WRITE: "write"}
        status = process.run(execute.command(copies, folder), env=environment)
    return notebooks.main(["--fix", *map(str, there)]) or status


if __name__ == "__main__":
    sys.exit(main())
