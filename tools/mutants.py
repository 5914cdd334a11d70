"""Mutation testing of reglib: ``python -m tools.mutants [MODULE ...]``.

mutmut changes one thing at a time in the source and runs the unit tests of
``tests/`` (not the parity tests: those would catch too much). A mutant that no
test notices survives. Prints the share killed for each module and every
survivor; fails below 95%. A module given by name is run alone.
"""

import argparse
import json
import subprocess
import sys

from tools import notebooks

ROOT = notebooks.ROOT
TARGET = 0.95
SURVIVED, NOT_TESTED = 0, 33


def outcomes():
    """Return {module: {mutant: exit code of the tests}} from mutmut's records; None where it was not run."""
    found = {}
    for meta in sorted((ROOT / "mutants" / "reglib").glob("*.py.meta")):
        found[meta.name.removesuffix(".py.meta")] = json.loads(meta.read_text())["exit_code_by_key"]
    return found


def main(arguments=None):
    """Run mutmut and print the table; return 1 when too many mutants survive."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutants", description=__doc__.splitlines()[0])
    parser.add_argument("modules", nargs="*", help="modules of reglib, such as penalties; all when none is named")
    names = parser.parse_args(arguments).modules
    patterns = [f"reglib.{name}.*" for name in names]
    status = subprocess.run([sys.executable, "-m", "mutmut", "run", *patterns], cwd=ROOT, check=False).returncode
    if status:
        return status
    killed = total = 0
    survivors = []
    print(f"\n{'module':<14}{'mutants':>8}{'killed':>8}{'share':>8}")
    for module, codes in outcomes().items():
        run = {mutant: code for mutant, code in codes.items() if code is not None}
        if not run or (names and module not in names):
            continue
        alive = [mutant for mutant, code in run.items() if code in (SURVIVED, NOT_TESTED)]
        survivors += alive
        killed, total = killed + len(run) - len(alive), total + len(run)
        print(f"{module:<14}{len(run):>8}{len(run) - len(alive):>8}{(len(run) - len(alive)) / len(run):>8.1%}")
    print(f"{'all':<14}{total:>8}{killed:>8}{killed / max(total, 1):>8.1%}")
    print("\n".join(f"survived: {mutant}" for mutant in survivors))
    return int(killed < TARGET * total)


if __name__ == "__main__":
    sys.exit(main())
