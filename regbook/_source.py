"""What a page leaves out of source code that it shows: docstrings, and checks of arguments.

A check is known by its form: its first argument is the text of its second, as in ``number("rate", rate, low=0)``; or
it is a function of `REPEATED`, or a private one called ``_checked``, whose results take the names of its arguments,
as in ``w, x = _checked(w, x)``. A statement that does nothing but raise an error under a condition is one, too. What
is left computes the same for every argument that passes the checks.
"""

import ast
import copy
import textwrap

WIDTH = 79
REPEATED = ("float_type",)
_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef


def without_docstrings(text):
    """Return Python source without the docstrings of its functions and classes."""
    lines = text.splitlines()
    drop = set()
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, _FUNCTIONS | ast.ClassDef) or len(node.body) < 2:
            continue
        first, second = node.body[:2]
        after = first.end_lineno or first.lineno
        alone = not lines[first.lineno - 1][: first.col_offset].strip() and after < second.lineno
        if ast.get_docstring(node) is not None and alone:
            drop |= set(range(first.lineno - 1, after))
            while not lines[after].strip():
                drop.add(after)
                after += 1
    return "\n".join(line for index, line in enumerate(lines) if index not in drop)


def without_checks(text):
    """Return Python source without the checks of arguments; ``text`` itself where nothing would be left of a body."""
    lines = text.splitlines()
    edits = []  # first line, line after the last, what stands there instead
    for function in ast.walk(ast.parse(text)):
        if not isinstance(function, _FUNCTIONS):
            continue
        for body in _bodies(function):
            if all(_rewritten(statement) is None for statement in body):
                return text
            edits += [edit for statement in body if (edit := _edit(statement, lines)) is not None]
    for first, last, instead in sorted(edits, reverse=True):
        lines[first:last] = instead
    return "\n".join(lines)


def _bodies(node):
    """Return the lists of statements in a function, those of loops and conditions too, but not of inner functions."""
    found = []
    for name in ("body", "orelse", "finalbody"):
        body = getattr(node, name, [])
        if isinstance(body, list) and body:
            found.append(body)
            for statement in body:
                if not isinstance(statement, _FUNCTIONS | ast.ClassDef) and not _raises(statement):
                    found += _bodies(statement)
    return found


def _edit(statement, lines):
    """Return the edit that a statement needs, or None."""
    if isinstance(statement, _FUNCTIONS | ast.ClassDef):
        return None
    new = _rewritten(statement)
    if new is statement:
        return None
    first, last = statement.lineno - 1, statement.end_lineno or statement.lineno
    if new is None:
        return first, last, []
    if not isinstance(statement, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Expr | ast.Return):
        return None
    indent = " " * statement.col_offset
    code = ast.unparse(new)
    if len(indent + code) > WIDTH:  # as it was laid out
        return None
    return first, last, textwrap.indent(code, indent).splitlines()


def _rewritten(statement):
    """Return a statement without its checks: itself, another one, or None if nothing is left."""
    if _raises(statement):
        return None
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        pairs = [(a, _checked_value(a, b)) for a, b in _pairs(*_sides(statement))]
        left = [(a, b) for a, b in pairs if ast.unparse(a) != ast.unparse(b) and not _repeats(a, b)]
        if not left:
            return None
        if len(left) < len(pairs) or [b for _, b in pairs] != [b for _, b in _pairs(*_sides(statement))]:
            targets, values = ([pair[side] for pair in left] for side in (0, 1))
            if len(left) > 1:
                return ast.Assign([ast.Tuple(targets, ast.Store())], ast.Tuple(values, ast.Load()), lineno=0)
            return ast.Assign(targets, values[0], lineno=0)
        return statement
    if isinstance(statement, ast.Expr):
        value = _unchecked(statement.value)
        return statement if value is statement.value else None
    if isinstance(statement, ast.Return | ast.AugAssign | ast.AnnAssign) and statement.value is not None:
        value = _unchecked(statement.value)
        if value is not statement.value:
            statement = copy.copy(statement)
            statement.value = value
    return statement


def _sides(statement):
    return statement.targets[0], statement.value


def _pairs(target, value):
    """Return the targets of an assignment with their values."""
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
        return list(zip(target.elts, value.elts, strict=True))
    return [(target, value)]


def _checked_value(target, value):
    """Return a value without its checks; one that is nothing but a check keeps it where it gets another name."""
    new = _unchecked(value)
    return value if isinstance(new, ast.Name) and new.id != ast.unparse(target) else new


def _raises(statement):
    """Return whether a statement does nothing but raise under a condition."""
    return (
        isinstance(statement, ast.If)
        and not statement.orelse
        and all(isinstance(inner, ast.Raise) for inner in statement.body)
    )


def _repeats(target, value):
    """Return whether a check's results take the names of its arguments."""
    if not isinstance(value, ast.Call) or not isinstance(value.func, ast.Name):
        return False
    names = [each for each in getattr(target, "elts", [target]) if ast.unparse(each) != "_"]
    given = {ast.unparse(argument) for argument in value.args}
    known = value.func.id in REPEATED or value.func.id.startswith("_checked")
    return known and all(ast.unparse(name) in given for name in names)


def _unchecked(expression):
    """Return an expression with each ``check("x", x, ...)`` in it replaced by ``x``; itself if there is none."""
    changed = _Unchecked()
    new = changed.visit(ast.parse(ast.unparse(expression), mode="eval").body)
    return new if changed.found else expression


class _Unchecked(ast.NodeTransformer):
    def __init__(self):
        self.found = False

    def visit_Call(self, node):
        node = self.generic_visit(node)
        if isinstance(node, ast.Call) and len(node.args) >= 2:
            name, value = node.args[:2]
            if isinstance(name, ast.Constant) and name.value == ast.unparse(value):
                self.found = True
                return value
        return node
