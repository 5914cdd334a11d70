"""Everything that must be tidy: ``python -m tools.lint`` checks it, ``--fix`` mends what can be mended."""

import argparse
import subprocess
import sys

from tools import notebooks

# basedpyright brings its own Node and looks for packages where this Python does.
TYPES = ["basedpyright", "--pythonpath", sys.executable]


def main(arguments=None):
    """Run each tool, with its settings in pyproject.toml; return 1 if any complained."""
    parser = argparse.ArgumentParser(prog="python -m tools.lint", description=__doc__)
    parser.add_argument("--fix", action="store_true", help="mend what can be mended")
    fix = parser.parse_args(arguments).fix
    commands = [
        ["ruff", "check", *(["--fix"] if fix else []), "."],
        ["ruff", "format", *([] if fix else ["--check"]), "."],
        ["tools.notebooks", *(["--fix"] if fix else [])],
        TYPES,
        ["codespell"],
    ]
    failed = [
        command[0]
        for command in commands
        if subprocess.run([sys.executable, "-m", *map(_module, command)], cwd=notebooks.ROOT, check=False).returncode
    ]
    print(f"not tidy: {', '.join(failed)}" if failed else "tidy")
    return bool(failed)


def _module(word):
    return "codespell_lib" if word == "codespell" else word


if __name__ == "__main__":
    sys.exit(main())
