"""Mutation testing of reglib: ``python -m tools.mutants [MODULE ...]``.

mutmut changes one thing at a time in the source and runs the unit tests that
reach it (not the parity tests: those would catch too much). A mutant that no
test notices survives. Each module first meets the tests of its own file,
``tests/reglib/.../test_MODULE.py``, which is quick; whatever survives those, and modules
without such a file, then meet all unit tests.

Prints the share killed for each module and every survivor, which
``python -m mutmut show NAME`` shows; fails if a module falls below 95%.
"""

import argparse
import json
import os
import subprocess
import sys

from tools import packages

ROOT = packages.ROOT
TARGET = 0.95
MUTATED = ("reglib", "regbook")
NOT_MUTATED = {"regbook.plotting"}  # how a figure looks is judged by eye
SURVIVED = {0, 5, 33, None}  # exit codes: passed; no test collected; no test reaches it; not run


def outcomes(module):
    """Return {mutant: exit code of the tests} of a module from mutmut's records."""
    return json.loads((ROOT / "mutants" / f"{module.replace('.', '/')}.py.meta").read_text())["exit_code_by_key"]


def survivors(module):
    """Return the mutants of a module that no test has noticed."""
    return [mutant for mutant, code in outcomes(module).items() if code in SURVIVED]


def run(mutants, tests=None, children=None):
    """Let the named mutants (patterns are welcome) meet the tests of one file, or all unit tests; stop if mutmut fails.

    mutmut's table of which test reaches which function is made anew: it does not see that the choice of tests changed.
    """
    (ROOT / "mutants" / "mutmut-stats.json").unlink(missing_ok=True)
    others = [] if tests is None else [path for path in sorted((ROOT / "tests").rglob("test_*.py")) if path != tests]
    ignored = " ".join(f"--ignore={path.relative_to(ROOT)}" for path in others)
    command = [sys.executable, "-m", "mutmut", "run", *mutants]
    if children:
        command += ["--max-children", str(children)]
    subprocess.run(command, cwd=ROOT, check=True, env=os.environ | {"PYTEST_ADDOPTS": ignored})


def main(arguments=None):
    """Run mutmut and print the table; return 1 when too many mutants survive."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutants", description=str(__doc__).splitlines()[0])
    parser.add_argument("modules", nargs="*", help="such as reglib.weights.penalties; all when none is named")
    parser.add_argument("-j", "--children", type=int, help="mutants tested at a time; one a processor when not given")
    options = parser.parse_args(arguments)
    everything = sorted({name for package in MUTATED for name in packages.modules(package)} - NOT_MUTATED)
    modules = options.modules or everything
    if unknown := set(modules) - set(everything):
        parser.error(f"no such module to mutate: {', '.join(sorted(unknown))}")
    remaining = []
    for module in modules:
        own = packages.test_file(module)
        if own.exists():
            run([f"{module}.*"], own, options.children)
            remaining += survivors(module)
        else:
            remaining.append(f"{module}.*")
    if remaining:
        run(remaining, children=options.children)
    alive = {module: survivors(module) for module in modules}
    total = {module: len(outcomes(module)) for module in modules}
    print(f"\n{'module':<32}{'mutants':>8}{'killed':>8}{'share':>8}")
    for module, count in total.items():
        killed = count - len(alive[module])
        print(f"{module:<32}{count:>8}{killed:>8}{killed / max(count, 1):>8.1%}")
    for module in modules:
        for mutant in alive[module]:
            print(f"survived: {mutant}")
    return int(any(len(alive[module]) > (1 - TARGET) * count for module, count in total.items()))


if __name__ == "__main__":
    sys.exit(main())
