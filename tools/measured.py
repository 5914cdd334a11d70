"""Measure anew what the cards say: ``python -m tools.measured [NOTEBOOK ...]``, all of them by default.

Executes the notebooks that confirm a result of a card, stores what they find in ``regbook/measured.json``, and writes
the sentences of the cards.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from regbook import measured
from tools import command, execute, notebooks, process


def measure(paths):
    """Measure by executing copies of notebooks; return the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        copies = [Path(folder, f"{number}-{path.name}") for number, path in enumerate(paths)]
        for path, copy in zip(paths, copies, strict=True):
            copy.write_bytes(path.read_bytes())
        environment = execute.environ() | {measured.WRITE: "write"}
        status = process.run(execute.command(copies, folder), env=environment)
    return notebooks.main(["--fix", *map(str, paths)]) or status


def main(arguments=None):
    """Measure; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.measured", description=str(__doc__).splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path)
    chosen = [path.resolve() for path in parser.parse_args(arguments).notebooks]

    def work():
        every = [path for path in notebooks.paths() if "measured.confirm(" in execute.code_of(notebooks.read(path))]
        command.check_names(chosen, every, "notebook that confirms a result of a card")
        return measure(chosen or every)

    return command.run(work)


if __name__ == "__main__":
    sys.exit(main())
