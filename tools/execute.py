"""Execute notebooks with nbmake, once each: only those whose code, modules or requirements have changed.

Executed copies live in ``_executed/notebooks``; the notebooks under ``book/``
are never modified. What each run cost stands in ``_executed/runs.json``.
"""

import ast
import hashlib
import json
import os
import shutil
import sys

import grimp

from regbook import measured
from tools import environment, notebooks, packages, process

ROOT = notebooks.ROOT
EXECUTED = ROOT / "_executed"
COPIES = EXECUTED / "notebooks"
RUNS = EXECUTED / "runs.json"
STARTED = EXECUTED / "started.json"  # the keys of a run that has begun, and that may have been interrupted
FINISHED = EXECUTED / "finished.json"  # what it has finished, written after each notebook
SETTINGS = ROOT / "pyproject.toml"
RESULTS = ROOT / "regstudy" / "results"
LIMIT_SECONDS = 60
LIMIT_MB = 1500
CELL_TIMEOUT = 300
ENVIRONMENT = {
    # Notebooks run in parallel: with one thread each they do not fight over the cores.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "IPYTHONDIR": str(ROOT / "tools" / "kernel_profile"),
    "PYTHONWARNINGS": "error::SyntaxWarning",
    # TensorFlow: quiet, and the same sums everywhere.
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    # A cell whose framework is missing is an error here, and not skipped (`regbook.missing`).
    "REQUIRE_FRAMEWORKS": "1",
}


def code_of(notebook):
    """Return the code of a notebook as one text, cell ids included."""
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return "\n".join(f"# {cell['id']}\n{notebooks.source(cell)}" for cell in code)


def imported_modules(code, graph):
    """Return the modules of our packages that ``code`` imports by name."""
    names = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names & graph.modules


def dependencies(code, graph):
    """Return every module of ours that ``code`` depends on, directly or through others."""
    direct = imported_modules(code, graph)
    found = set(direct)
    for module in direct:
        found |= graph.find_upstream_modules(module)
    parents = set()
    for module in found:
        while "." in module:
            module = module.rpartition(".")[0]
            parents.add(module)
    return found | parents


def key(notebook, graph):
    """Return a fingerprint of everything that a notebook's outputs depend on."""
    code = code_of(notebook)
    digest = hashlib.sha256(f"{sys.version_info[:2]}\n{code}".encode())
    for name in (environment.BOOK, environment.CONSTRAINTS):
        digest.update((ROOT / name).read_bytes())
    modules = sorted(dependencies(code, graph))
    files = [packages.file(module) for module in modules]
    if "regstudy" in modules:
        files += sorted(file for file in RESULTS.glob("*.json") if not file.stem.endswith(".partial"))
    for file in files:
        digest.update(file.read_bytes())
    for name, result in sorted(measured.stored().items()):
        if f'"{name}"' in code:  # a result that a card tells, and that this notebook confirms
            digest.update(json.dumps(result, sort_keys=True).encode())
    return digest.hexdigest()


def load(path):
    """Return the content of a JSON file; of one that is missing or damaged, an empty dictionary."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}


def store(path, content):
    """Write a JSON file in one go: a reader finds the old content or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(new, path)


def runs():
    """Return the record of the last runs: path in the book -> key, outcome, seconds, cpu_seconds, peak_mb."""
    return load(RUNS)


def name_of(path):
    """Return a notebook's path inside ``book/``, with forward slashes."""
    return path.relative_to(ROOT / "book").as_posix()


def stale(record=None):
    """Return the notebooks to execute, as {name: key}."""
    record = runs() if record is None else record
    graph = grimp.build_graph(*packages.NAMES, cache_dir=None)
    todo = {}
    for path in notebooks.paths():
        name, fingerprint = name_of(path), key(notebooks.read(path), graph)
        done = record.get(name, {})
        if done.get("key") != fingerprint or done.get("outcome") != "passed" or not (COPIES / name).exists():
            todo[name] = fingerprint
    return todo


def failure_line(name, row):
    """Return one line that names notebook, cell and error."""
    where = f"cell {row['cell']} (id {row['cell_id']})" if "cell" in row else "no cell"
    return f"book/{name}: {where}: {row.get('error', 'see the traceback above')}"


def collect():
    """Take over what the last call of nbmake has finished, also if it was interrupted; return its rows by notebook."""
    keys = load(STARTED)
    rows = {nodeid.replace("\\", "/").split("_executed/notebooks/")[-1]: row for nodeid, row in load(FINISHED).items()}
    rows = {name: {"key": keys[name], **row} for name, row in rows.items() if name in keys}
    if rows:
        store(RUNS, runs() | rows)
    for path in (STARTED, FINISHED):
        path.unlink(missing_ok=True)
    return rows


def begin(todo):
    """Lay out the copies to execute; what stood in the record about them is no longer true."""
    current = {name_of(path) for path in notebooks.paths()}
    store(RUNS, {name: row for name, row in runs().items() if name in current and name not in todo})
    store(STARTED, todo)
    for name in todo:
        (COPIES / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / "book" / name, COPIES / name)


def environ():
    """Return the environment that notebooks run in."""
    return {**os.environ, **ENVIRONMENT}


def command(copies, rootdir, options=()):
    """Return the command that executes notebooks in place."""
    nbmake = ["--nbmake", "--overwrite", "--nbmake-kernel=python3", f"--nbmake-timeout={CELL_TIMEOUT}"]
    rest = ["-q", "-c", str(SETTINGS), "--rootdir", str(rootdir), *map(str, copies)]
    return [sys.executable, "-m", "pytest", *nbmake, *options, *rest]


def execute(workers=2):
    """Execute every stale notebook; return the exit status."""
    collect()
    todo, number = stale(), len(notebooks.paths())
    if not todo:
        print(f"notebooks: all {number} are up to date")
        return 0
    print(f"notebooks: executing {len(todo)} of {number}", flush=True)
    begin(todo)
    record = ["-p", "tools.nbmake_record", "--record", str(FINISHED)]
    record += ["-n", str(min(workers, len(todo)))] if workers > 1 and len(todo) > 1 else []
    try:
        status = process.run(command([COPIES / name for name in todo], ROOT, record), cwd=ROOT, env=environ())
    finally:
        rows = collect()
    for name, row in rows.items():
        if row["outcome"] != "passed":
            print(f"error: {failure_line(name, row)}")
    return status
