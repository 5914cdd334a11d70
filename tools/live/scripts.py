"""The scripts of the pages: each bundled into one module with all that it imports, by esbuild."""

import json
import os
import subprocess
from pathlib import Path

from tools import node

HERE = Path(__file__).resolve().parent
WEB = HERE / "web"


def installed():
    """Return the folder of the packages that ``package-lock.json`` names, installed once and kept."""
    return node.modules(HERE) / "node_modules"


def bundled(script, defined=None):
    """Return one of our scripts and all that it imports as one minified module.

    Parameters
    ----------
    script : str
        A file of ``web/``.
    defined : dict, optional
        Names that stand for JSON values.
    """
    packages = installed()
    programs = sorted(packages.glob(f"@esbuild/*/**/esbuild{'.exe' if os.name == 'nt' else ''}"))
    if not programs:
        raise node.UnavailableError("esbuild has no program for this machine")
    command = [str(programs[0]), str(WEB / script), "--bundle", "--minify", "--format=esm", "--target=es2022"]
    command += [f"--define:{name}={json.dumps(value)}" for name, value in (defined or {}).items()]
    environment = os.environ | {"NODE_PATH": str(packages)}
    done = subprocess.run([*command, "--legal-comments=none"], env=environment, capture_output=True, check=False)
    if done.returncode:
        raise node.UnavailableError(f"esbuild: {done.stderr.decode(errors='replace').strip()[:300]}")
    return done.stdout


def licences():
    """Return the licences of what a page gets from npm, one after the other."""
    parts = []
    for path in sorted(installed().glob("**/LICENSE*")):
        name = path.parent.relative_to(installed()).as_posix()
        if "esbuild" not in name:
            parts.append(f"{name}\n{'=' * len(name)}\n\n{path.read_text(encoding='utf-8').strip()}\n")
    parts.append("pyodide\n=======\n\nMozilla Public License 2.0, https://www.mozilla.org/MPL/2.0/\n")
    return "\n\n".join(parts).encode()
