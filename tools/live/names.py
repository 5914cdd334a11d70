"""What a cell needs from the cells above it, what it binds, and what it changes: read from its source, not run.

The build uses this to find the cells that cannot run in a page; the page uses the very same file to find what must
run before the cell that the reader runs. It needs the standard library alone.

A cell is taken apart into *units*: each import by itself (``import matplotlib.pyplot as plt`` is loaded only for a
cell that draws, though it stands beside ``import numpy as np``), and the rest of the cell as one.
"""

import ast
from dataclasses import dataclass, field


@dataclass
class Unit:
    """A piece of a cell that runs as a whole.

    ``needs`` are the names that it reads before it binds them; among them are ``late``, those that only the functions
    read which it defines, when they are called. ``binds`` are the names that it leaves behind, ``changes`` those that
    it changes in place, ``streams`` those that it binds to a random generator, whose every use changes it.
    """

    cell: str
    source: str
    line: int = 1
    needs: set = field(default_factory=set)
    late: set = field(default_factory=set)
    binds: set = field(default_factory=set)
    changes: set = field(default_factory=set)
    streams: set = field(default_factory=set)
    modules: set = field(default_factory=set)

    @property
    def is_import(self):
        """Whether this is an import by itself, which runs whatever becomes of the rest of its cell."""
        return bool(self.modules) and not self.needs


def units(cell, source):
    """Return the units of a cell; raise SyntaxError if it has no meaning.

    ``line`` is where a unit starts in its cell; the source of the rest has its imports blanked out, so that the
    lines of a traceback are the reader's.
    """
    tree = ast.parse(source)
    lines = source.splitlines()
    found, rest = [], []
    for statement in tree.body:
        if isinstance(statement, ast.Import | ast.ImportFrom) and not _shares_a_line(statement, tree.body):
            found += _imports(cell, statement)
            for number in range(statement.lineno - 1, statement.end_lineno or statement.lineno):
                lines[number] = ""
        else:
            rest.append(statement)
    if rest:
        unit = Unit(cell, "\n".join(lines))
        _read(rest, unit)
        found.append(unit)
    return found


def plan(cells, target, done=None, owners=None):
    """Return the units to run so that the cell ``target`` finds all that it needs, itself included, in page order.

    Parameters
    ----------
    cells : list of (id, source, runs)
        The cells of the page, in order; of one that does not run in the page the imports are at hand all the same.
    target : str
        The id of the cell that is wanted. Its own units come in any case.
    done : collection of (cell, source), optional
        Units that have run; they are not run again.
    owners : dict, optional
        Name: the unit, as (cell, source), that bound it last. A name that another unit has taken is bound again.
    """
    before, own = [], []
    for cell, source, runs in cells:
        try:
            parts = [unit for unit in units(cell, source) if runs or unit.is_import]
        except SyntaxError:
            parts = []  # a cell that the reader has broken binds nothing; itself it is reported when it is run
        if cell == target:
            own = parts
            break
        before += parts
    chosen = set()
    bound = set()
    for unit in own:
        _choose(unit, unit.needs - bound, [*before, unit], len(before), chosen, done or set(), owners or {})
        bound |= unit.binds
    return [before[index] for index in sorted(chosen)] + own


def _choose(unit, needs, page, end, chosen, done, owners):
    """Add the indices of the units, among those before ``end``, that a unit depends on for the names that it needs.

    What a function reads when it is called may be bound after the function is, up to the cell that is wanted, which
    is the last of ``page``. A module is not changed by a call of what it holds: no figure needs the figures above it.
    """
    for name in needs:
        last = len(page) - 1 if name in unit.late else end
        binder = next((k for k in range(last - 1, -1, -1) if name in page[k].binds), None)
        if binder is None:
            continue
        later = () if page[binder].is_import else range(binder + 1, last)
        touched = [k for k in later if _touches(page, binder, k, name)]
        stale = owners.get(name, key(page[binder])) != key(page[binder])
        for index in [binder, *touched]:
            if index not in chosen and page[index] is not unit and (stale or key(page[index]) not in done):
                chosen.add(index)
                _choose(page[index], page[index].needs, page, index, chosen, done, owners)


def _touches(page, binder, index, name):
    """Return whether a unit changes what another bound: in place, or by drawing from it if it is a generator."""
    return name in page[index].changes or (name in page[binder].streams and name in page[index].needs)


def key(unit):
    """Return what a unit is known by."""
    return unit.cell, unit.source


def _shares_a_line(statement, body):
    return any(other is not statement and other.lineno == statement.lineno for other in body)


def _imports(cell, statement):
    """Return one unit for each name that an import binds."""
    for alias in statement.names:
        one = (
            ast.Import([alias])
            if isinstance(statement, ast.Import)
            else ast.ImportFrom(statement.module, [alias], statement.level)
        )
        unit = Unit(cell, ast.unparse(one), statement.lineno)
        unit.binds = {alias.asname or alias.name.partition(".")[0]}
        unit.modules = _modules(one)
        yield unit


def _modules(statement):
    if isinstance(statement, ast.Import):
        return {alias.name for alias in statement.names}
    module = statement.module or ""
    return {module} | {f"{module}.{alias.name}" for alias in statement.names}


def _read(statements, unit):
    """Fill in what a list of statements needs, binds and changes."""
    reader = _Reader(unit)
    for statement in statements:
        reader.visit(statement)


class _Reader(ast.NodeVisitor):
    """Walks over code in the order in which it runs, as far as a straight line can follow it."""

    def __init__(self, unit):
        self.unit, self.local, self.later = unit, [], 0

    def _load(self, name):
        if name in self.unit.binds or any(name in names for names in self.local):
            return
        if not self.later:
            self.unit.late.discard(name)
        elif name not in self.unit.needs:
            self.unit.late.add(name)
        self.unit.needs.add(name)

    def _store(self, name):
        if not self.local:
            self.unit.binds.add(name)

    def visit_Name(self, node):
        (self._load if isinstance(node.ctx, ast.Load) else self._store)(node.id)

    def visit_Import(self, node):
        self._import(node)

    def visit_ImportFrom(self, node):
        self._import(node)

    def _import(self, node):
        self.unit.modules |= _modules(node)
        for alias in node.names:
            self._store(alias.asname or alias.name.partition(".")[0])

    def visit_Assign(self, node):
        self.visit(node.value)
        for target in node.targets:
            self._target(target)
        if not self.local and any("default_rng" in ast.unparse(part.func) for part in _calls(node.value)):
            self.unit.streams |= {part.id for target in node.targets for part in _names(target)}

    def visit_AnnAssign(self, node):
        if node.value is not None:
            self.visit(node.value)
            self._target(node.target)

    def visit_AugAssign(self, node):
        self.visit(node.value)
        for part in _names(node.target):
            self._load(part.id)
            self._change(part.id)

    def visit_NamedExpr(self, node):
        self.visit(node.value)
        self._store(node.target.id)

    def visit_Delete(self, node):
        for target in node.targets:
            self._target(target)

    def visit_Expr(self, node):
        """A method called for its own sake, such as ``rows.append(...)``, changes what it is called on."""
        call = node.value
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
            owner = call.func.value
            while isinstance(owner, ast.Attribute | ast.Subscript | ast.Call):
                owner = owner.func if isinstance(owner, ast.Call) else owner.value
            if isinstance(owner, ast.Name):
                self._change(owner.id)
        self.generic_visit(node)

    def visit_For(self, node):
        self.visit(node.iter)
        self._target(node.target)
        for statement in [*node.body, *node.orelse]:
            self.visit(statement)

    def visit_FunctionDef(self, node):
        for part in [*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)]:
            self.visit(part)
        self._store(node.name)
        self._inside([*_arguments(node.args), *_stored(node.body)], node.body, later=True)

    def visit_Lambda(self, node):
        for part in [*node.args.defaults, *filter(None, node.args.kw_defaults)]:
            self.visit(part)
        self._inside(_arguments(node.args), [node.body], later=True)

    def visit_ClassDef(self, node):
        for part in [*node.decorator_list, *node.bases, *node.keywords]:
            self.visit(part)
        self._store(node.name)
        self._inside(_stored(node.body), node.body)

    def _comprehension(self, node):
        first = node.generators[0].iter
        self.visit(first)
        names = [part.id for each in node.generators for part in _names(each.target)]
        parts = [each.iter for each in node.generators[1:]] + [test for each in node.generators for test in each.ifs]
        values = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        self._inside(names, parts + values)

    visit_ListComp = visit_SetComp = visit_GeneratorExp = visit_DictComp = _comprehension

    def _inside(self, names, parts, later=False):
        self.local.append(set(names))
        self.later += later
        for part in parts:
            self.visit(part)
        self.later -= later
        self.local.pop()

    def _target(self, target):
        """Bind a name; an entry or an attribute is a change of what it belongs to."""
        if isinstance(target, ast.Tuple | ast.List):
            for part in target.elts:
                self._target(part)
        elif isinstance(target, ast.Starred):
            self._target(target.value)
        elif isinstance(target, ast.Name):
            self._store(target.id)
        else:
            self.visit(target)
            for part in _names(target):
                self._change(part.id)
                break

    def _change(self, name):
        if not any(name in names for names in self.local) and name not in self.unit.binds:
            self.unit.changes.add(name)


def _names(node):
    return [part for part in ast.walk(node) if isinstance(part, ast.Name)]


def _calls(node):
    return [part for part in ast.walk(node) if isinstance(part, ast.Call)]


def _arguments(arguments):
    parts = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    return [part.arg for part in parts if part is not None]


def _stored(body):
    """Return the names that a function or a class binds inside of itself."""
    found = set()
    shared = set()
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found.add(node.id)
            elif isinstance(node, ast.FunctionDef | ast.ClassDef):
                found.add(node.name)
            elif isinstance(node, ast.alias):
                found.add(node.asname or node.name.partition(".")[0])
            elif isinstance(node, ast.Global):
                shared |= set(node.names)
    return found - shared
