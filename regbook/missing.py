"""Cells that need a package which is not installed say so in one line, and the notebook goes on.

Where PyTorch, Keras, scikit-learn or SciPy is missing, a notebook would stop at the first cell that imports it. With
`skip_cells`, that cell prints what to install. The names that it would have defined are remembered, so that a later
cell that needs one of them prints the same line instead of a ``NameError``. Every other error is shown as ever.
"""

import ast
import importlib.util
import os
import sys
from types import ModuleType

# Name to import: name in prose, and what pip installs.
PACKAGES = {
    "torch": ("PyTorch", "torch"),
    "tensorflow": ("TensorFlow", "tensorflow"),
    "keras": ("Keras", "tensorflow"),
    "sklearn": ("scikit-learn", "scikit-learn"),
    "scipy": ("SciPy", "scipy"),
    "mlxtend": ("mlxtend", "mlxtend"),
    "pandas": ("pandas", "pandas"),
    "joblib": ("joblib", "joblib"),
    "threadpoolctl": ("threadpoolctl", "threadpoolctl"),
    "tqdm": ("tqdm", "tqdm"),
}
GUARD = "__imported_nothing__"


def line(package):
    """Return the line that a skipped cell prints.

    Parameters
    ----------
    package : str, one of ``PACKAGES``

    Examples
    --------
    >>> print(line("torch"))
    Skipped: needs PyTorch. To run it: pip install torch. The notebook's page shows the output.
    """
    name, distribution = PACKAGES[package]
    return f"Skipped: needs {name}. To run it: pip install {distribution}. The notebook's page shows the output."


def package_of(error):
    """Return which of ``PACKAGES`` is not installed, if that is why an import failed; else None.

    Parameters
    ----------
    error : exception, or None
        Those that caused it are looked at, too.
    """
    while error is not None:
        root = (getattr(error, "name", None) or "").partition(".")[0]
        if isinstance(error, ModuleNotFoundError) and root in PACKAGES and not _installed(root):
            return root
        error = error.__cause__
    return None


def _installed(package):
    return importlib.util.find_spec(package) is not None


def bound(statements):
    """Return the names that statements bind at the level of a cell, and those that they change.

    An item or an attribute that is assigned, and a method called for its effect, change the name before the first
    dot or bracket: ``rows["torch"] = 1`` and ``rows.append(1)`` both change ``rows``. What happens inside of functions
    is left out.

    Parameters
    ----------
    statements : list of ast.stmt

    Returns
    -------
    names, changed : two sets of str

    Examples
    --------
    >>> names = bound(ast.parse("a = b = f(c)\\nd.append(a)\\nfor i in d: e[i] = 2\\ndef g(): h = 1").body)
    >>> [sorted(each) for each in names]
    [['a', 'b', 'g', 'i'], ['d', 'e']]
    """
    names, changed = set(), set()
    todo = list(statements)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
            continue
        if isinstance(node, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store):
            changed |= _owner(node)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            changed |= _owner(node.value.func) if isinstance(node.value.func, ast.Attribute) else set()
        todo += ast.iter_child_nodes(node)
    return names, changed - names


def _owner(node):
    """Return the name before the first dot or bracket of an expression, as a set; empty if it starts otherwise."""
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    return {node.id} if isinstance(node, ast.Name) else set()


def skip_cells(shell):
    """Let cells of a notebook that need a missing package say so in one line; once for a shell.

    With ``REQUIRE_FRAMEWORKS`` set in the environment nothing happens: the build of the book must stop there.

    Parameters
    ----------
    shell : IPython's ``InteractiveShell``
    """
    if os.environ.get("REQUIRE_FRAMEWORKS") or any(isinstance(each, Skipping) for each in shell.ast_transformers):
        return
    skipping = Skipping(shell)
    shell.ast_transformers.append(skipping)
    shell.showtraceback = skipping.showtraceback
    shell.events.register("post_run_cell", skipping.after)


class Skipping(ast.NodeTransformer):
    """What `skip_cells` keeps for one ``shell``: ``lost``, the names that skipped cells would have bound, and why."""

    def __init__(self, shell):
        self.shell = shell
        self.as_ever = shell.showtraceback
        self.lost = {}
        self.cell = []
        self.stopped = None, None
        self.told = set()

    def visit_Module(self, node):
        """Guard each import of a cell, so that a missing package takes away its own names and no others."""
        self.shell.user_ns[GUARD] = self.imported_nothing
        self.cell, self.told = node.body, set()
        node.body = [_guarded(each) if isinstance(each, ast.Import | ast.ImportFrom) else each for each in node.body]
        return ast.fix_missing_locations(node)

    def imported_nothing(self, error, names):
        """Return whether an import failed for a missing package; then say so, and remember its names."""
        package = package_of(error)
        if package is not None:
            self.tell(package)
            self.lose(names, package)
        return package is not None

    def tell(self, package):
        """Say what is missing, once a cell."""
        if package not in self.told:
            print(line(package))
        self.told.add(package)

    def lose(self, names, package):
        """Take away what a skipped cell would have given a new value, and remember why."""
        for name in names:
            self.shell.user_ns.pop(name, None)
            self.lost[name] = package

    def reason(self, error, traceback):
        """Return the missing package behind an error of a cell, or None for any other error."""
        if type(error) is not NameError:
            return package_of(error)
        while traceback.tb_next is not None:
            traceback = traceback.tb_next
        package = self.lost.get(error.name)
        of_a_cell = traceback.tb_frame.f_globals is self.shell.user_ns and error.name not in self.shell.user_ns
        return package if package and of_a_cell and not _installed(package) else None

    def showtraceback(self, exc_tuple=None, *args, **options):
        """Print one line for an error that a missing package caused; show every other one as ever.

        The shell calls this for what stops a cell, and for what keeps its last value from being displayed.
        """
        _, error, traceback = exc_tuple or sys.exc_info()
        package = self.reason(error, traceback)
        if package is None:
            self.as_ever(exc_tuple, *args, **options)
        else:
            self.tell(package)
            self.stopped = error, package

    def after(self, result):
        """Let a cell that a missing package stopped count as run; take away the names that it would have bound."""
        error, package = self.stopped
        if error is not None and result is not None and result.error_in_exec is error:
            result.error_in_exec = None
            names, changed = bound(self.cell)
            values = self.shell.user_ns
            self.lose(names | {name for name in changed if not isinstance(values.get(name), ModuleType)}, package)
        self.stopped = None, None


def _guarded(statement):
    """Return an import inside of a ``try``, whose failure the shell hears of first."""
    if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
        return statement
    names = sorted(bound([statement])[0])
    tell = f"except ModuleNotFoundError as _error:\n    if not {GUARD}(_error, {names!r}):\n        raise"
    guard = ast.parse(f"try:\n    pass\n{tell}").body[0]
    assert isinstance(guard, ast.Try)
    for node in ast.walk(guard):
        ast.copy_location(node, statement)  # a traceback quotes the reader's own line
    guard.body = [statement]
    return guard
