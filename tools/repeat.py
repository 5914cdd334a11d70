"""Do the same sources give the same pages: ``python -m tools.repeat [NOTEBOOK ...]``, all of them by default.

Executes the notebooks a second time, beside the executed copies that the site is built from, and names each cell whose
outputs differ: it draws without a seed, or shows what a machine was busy with.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from tools import command, execute, notebooks, process


def shown(cell):
    """Return what a page shows of a cell: its outputs, a printed text in one piece however it was sent."""
    found = []
    for output in cell["outputs"]:
        text = "".join(output.get("text", ""))
        if found and output["output_type"] == "stream" and found[-1][0] == ("stream", output["name"]):
            found[-1] = (found[-1][0], found[-1][1] + text)
        elif output["output_type"] == "stream":
            found.append((("stream", output["name"]), text))
        else:
            found.append((output["output_type"], output.get("data")))
    return found


def differences(first, second):
    """Return the ids of the code cells whose outputs differ between two executions of a notebook."""
    again = {cell["id"]: cell for cell in second["cells"]}
    cells = [cell for cell in first["cells"] if cell["cell_type"] == "code"]
    return [cell["id"] for cell in cells if shown(cell) != shown(again[cell["id"]])]


def repeat(names):
    """Execute notebooks again; return {name: cells that differ} and the exit status of nbmake."""
    stale = sorted(execute.stale().keys() & set(names))
    if stale:
        raise command.StopError(f"{', '.join(stale)} changed since the book was built; build it first")
    with tempfile.TemporaryDirectory() as folder:
        copies = {name: Path(folder, name) for name in names}
        for name, copy in copies.items():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(execute.ROOT / "book" / name, copy)
        status = process.run(execute.command(copies.values(), Path(folder)), env=execute.environ())
        there = {name: notebooks.read(copy) for name, copy in copies.items()}
    return {name: differences(notebooks.read(execute.COPIES / name), there[name]) for name in names}, status


def main(arguments=None):
    """Execute and compare; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.repeat", description=__doc__)
    parser.add_argument("notebooks", nargs="*", type=Path, help="notebooks under book/")
    chosen = [path.resolve() for path in parser.parse_args(arguments).notebooks]

    def work():
        command.check_names(chosen, notebooks.paths(), "notebook")
        found, status = repeat([execute.name_of(path) for path in chosen or notebooks.paths()])
        for name, cells in found.items():
            print(f"book/{name}: {'differs in ' + ', '.join(cells) if cells else 'the same'}")
        return status or int(any(found.values()))

    return command.run(work)


if __name__ == "__main__":
    sys.exit(main())
