"""Runs in Node, under Pyodide, called by `tools.live.measure`: the cells of one page, each timed, told as one line."""

import json
import sys

import host  # pyright: ignore[reportMissingImports]

from tools.live import names, runner

CELLS, PATIENCE = json.loads(host.arguments[0]), float(host.arguments[1])


def main():
    """Run each cell after what it needs; print {cell: [seconds of the processor, error]}."""
    errors = {}
    python = runner.Runner(lambda cell, kind, text: errors.update({cell: text} if kind == "error" else {}), print, {})
    found, lost, whole = {}, set(), []
    terminal = sys.stdout
    python.settle()
    for cell, source, runs in CELLS:
        parts = names.units(cell, source)
        good = runs and not lost & set().union(*(unit.needs for unit in parts))
        whole.append([cell, source, good])
        if good:
            found[cell], good = timed(python, whole, cell, errors)
            whole[-1][2] = good
        for unit in parts:
            lost = lost - unit.binds if good or unit.is_import else lost | unit.binds | unit.changes
    sys.stdout = terminal
    print(json.dumps(found))


def timed(python, cells, cell, errors):
    """Run one cell; return its seconds and its error, and whether it ran to its end."""
    started = host.seconds()
    host.limit(PATIENCE)
    try:
        plan = json.loads(python.plan(json.dumps(cells), cell))
        good = all(python.run(index) for index in range(len(plan["cells"])))
    except KeyboardInterrupt:
        good = False
    host.limit(0)
    last = errors.get(cell, "").strip().splitlines()[-1:] or [""]
    stopped = "KeyboardInterrupt" in last[0]
    return [host.seconds() - started, "" if good or stopped else last[0]], good


main()
