"""The mutants of a printed solution: the same code with one thing changed, as a reader might get it wrong.

    mutants("def double(x):\n    return 2 * x")  # 3 * x, 2 / x, 2, x, -(2 * x), 2 * np.mean(x), ...

A check that accepts one of them misses a mistake, unless the change is none.
"""

import ast
import difflib

SWAPS = {
    ast.Add: [ast.Sub],
    ast.Sub: [ast.Add],
    ast.Mult: [ast.Div, ast.Add],
    ast.Div: [ast.Mult],
    ast.Pow: [ast.Mult],
    ast.MatMult: [ast.Mult],
    ast.Mod: [ast.FloorDiv],
}
ORDERED = (ast.Sub, ast.Div, ast.Pow, ast.MatMult, ast.Mod)
COMPARISONS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq)
FUNCTIONS = {
    "maximum": ["minimum"],
    "minimum": ["maximum"],
    "mean": ["sum", "median"],
    "sum": ["mean", "max"],
    "max": ["min", "sum"],
    "std": ["var"],
    "var": ["std"],
    "exp": ["log"],
    "log": ["exp", "log10"],
    "sqrt": ["square"],
    "abs": ["square"],
    "sign": ["abs"],
    "tanh": ["sin"],
    "argmin": ["argmax"],
    "argmax": ["argmin"],
    "zeros_like": ["ones_like"],
    "zeros": ["ones"],
}
# What makes no difference: a sign inside of these, the order of the arguments of those, values where a shape is asked.
EVEN = {"np.abs", "np.linalg.norm"}
SYMMETRIC = {"np.maximum", "np.minimum"}
SHAPE_ONLY = {"len", "np.zeros_like"}
MODULES = {"np", "rng", "solvers"}


def mutants(code, numbers=()):
    """Return the sources that differ from ``code`` by one change, each once and none equal to it.

    The names in ``numbers`` stand for single numbers, which are their own mean.
    """
    tree = ast.parse(code)
    known = {ast.unparse(tree)}
    return [text for text in _all(tree, numbers) if "--" not in text and not (text in known or known.add(text))]


def changed(code, mutant):
    """Return the lines that a mutant has and the code has not; where it only lost some, those with a minus."""
    old, new = ast.unparse(ast.parse(code)).splitlines(), mutant.splitlines()
    lines = [line for line in difflib.ndiff(old, new) if line[:1] in "+-"]
    more = [line[2:].strip() for line in lines if line[0] == "+" and line[2:].strip() != "pass"]
    return " | ".join(more or [f"-{line[2:].strip()}" for line in lines if line[0] == "-"])


def _all(tree, numbers):
    names = {name: (name not in numbers, line) for name, line in _names(tree).items()}
    unsigned = set(_unsigned(tree))
    for owner, key, node in _places(tree):
        for new in _instead(node, names, node not in unsigned):
            yield _with(tree, owner, key, new)
    for owner, key, node in _statements(tree):
        for new in _other_statements(node):
            yield _with(tree, owner, key, new)
    yield from _exchanged(tree)
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        read = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
        for line in _first_lines({each.arg: names[each.arg][0] for each in function.args.args if each.arg in read}):
            function.body.insert(0, ast.parse(line).body[0])
            yield ast.unparse(tree)
            del function.body[0]


def _with(tree, owner, key, new):
    """Return the source with one node replaced; the tree stays as it was."""
    old = owner[key] if isinstance(owner, list) else getattr(owner, key)
    put = owner.__setitem__ if isinstance(owner, list) else lambda at, node: setattr(owner, at, node)
    put(key, new)
    try:
        return ast.unparse(ast.fix_missing_locations(tree))
    finally:
        put(key, old)


def _places(tree):
    """Yield each expression with where it stands: its owner, and the owner's key. Of some, the shape alone counts."""
    for node in list(ast.walk(tree)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in SHAPE_ONLY:
            continue
        if isinstance(node, ast.Attribute) and node.attr == "shape":
            continue
        for name, value in ast.iter_fields(node):
            if isinstance(value, ast.expr):
                yield node, name, value
            elif isinstance(value, list):
                yield from ((value, i, each) for i, each in enumerate(value) if isinstance(each, ast.expr))


def _statements(tree):
    for node in list(ast.walk(tree)):
        for body in (getattr(node, name, None) for name in ("body", "orelse")):
            if isinstance(body, list):
                yield from ((body, i, each) for i, each in enumerate(body))


def _exchanged(tree):
    """Yield the code with two lines exchanged of which one needs the other."""
    for body, i, second in _statements(tree):
        first = body[i - 1] if i else None
        if isinstance(first, ast.Assign) and isinstance(second, ast.Assign):
            (made, read), (made_then, read_then) = map(_made_and_read, (first, second))
            if made & read_then or read & made_then:
                body[i - 1 : i + 1] = second, first
                yield ast.unparse(tree)
                body[i - 1 : i + 1] = first, second


def _made_and_read(statement):
    names = [node for node in ast.walk(statement) if isinstance(node, ast.Name)]
    made = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    return made, {node.id for node in names} - made


def _names(tree):
    """Return the arguments and the variables of the code, each with the line that gives it a value; loops' not."""
    found = {node.arg: 0 for node in ast.walk(tree) if isinstance(node, ast.arg)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for part in (part for target in node.targets for part in ast.walk(target)):
                if isinstance(part, ast.Name):
                    found.setdefault(part.id, node.lineno)
    return found


def _instead(node, names, signed):
    """Yield what may stand in an expression's place."""
    kind = getattr(_MUTATIONS, type(node).__name__, None)
    if kind:
        yield from kind(node, names)
    if signed and isinstance(node, ast.BinOp | ast.Call | ast.Name):
        yield ast.UnaryOp(ast.USub(), node)


def _unsigned(tree):
    """Yield the expressions whose sign makes no difference, or that have none."""
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) and ast.unparse(node.right) == "2":
            yield node.left
        elif isinstance(node, ast.If | ast.IfExp):
            yield node.test
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            yield from node.args if name in EVEN else ()
            yield node.func
            if isinstance(node.func, ast.Attribute):
                yield node.func.value
            if name.startswith(("np.zeros", "rng.")):
                yield node


class _MUTATIONS:
    """One function for each kind of expression."""

    @staticmethod
    def BinOp(node, names):
        yield node.left
        yield node.right
        for op in SWAPS.get(type(node.op), ()):
            yield ast.BinOp(node.left, op(), node.right)
        if isinstance(node.op, ORDERED):
            yield ast.BinOp(node.right, node.op, node.left)

    @staticmethod
    def UnaryOp(node, names):
        yield node.operand  # the same as another sign of the operand

    @staticmethod
    def Compare(node, names):
        yield from (ast.Compare(node.left, [op()], node.comparators) for op in COMPARISONS)

    @staticmethod
    def Constant(node, names):
        value = node.value
        if isinstance(value, bool):
            others = [not value]
        elif isinstance(value, int):
            others = [value + 1, value - 1, -value, 2 * value]
        elif isinstance(value, float):
            last = 10.0 ** -len(repr(value).partition(".")[2]) if "e" not in repr(value) else value
            others = [2 * value, value / 2, -value, round(1 - value, 12), value + last, 0.0, 1.0]
        else:
            others = []
        yield from (ast.Constant(other) for other in others if other != value)

    @staticmethod
    def Name(node, names):
        if not isinstance(node.ctx, ast.Load):
            return
        known = [name for name, (_, line) in names.items() if line < node.lineno]
        yield from (ast.Name(other, ast.Load()) for other in known if node.id in names and other != node.id)
        array = names.get(node.id, (False, 0))[0]
        for text in (f"0 * {node.id}", f"np.mean({node.id})")[: 1 + array] if node.id not in MODULES else ():
            yield ast.parse(text, mode="eval").body

    @staticmethod
    def Call(node, names):
        for i in range(len(node.keywords)):
            yield ast.Call(node.func, node.args, node.keywords[:i] + node.keywords[i + 1 :])
        for i in range(1, len(node.args) if ast.unparse(node.func) not in SYMMETRIC else 0):
            order = list(node.args)
            order[i - 1 : i + 1] = order[i], order[i - 1]
            yield ast.Call(node.func, order, node.keywords)
        if len(node.args) == 1:
            yield node.args[0]
        if isinstance(node.func, ast.Attribute):
            if not node.args and not (isinstance(node.func.value, ast.Name) and node.func.value.id == "np"):
                yield node.func.value
            for other in FUNCTIONS.get(node.func.attr, ()):
                yield ast.Call(ast.Attribute(_numpy(node.func, other), other, ast.Load()), *_arguments(node, other))
            if isinstance(node.func.value, ast.Name) and node.func.value.id == "rng" and node.args:
                yield from _other_draws(node)

    @staticmethod
    def Tuple(node, names):
        if not isinstance(node.ctx, ast.Load):
            return
        for i in range(len(node.elts)):
            for j in range(i):
                order = list(node.elts)
                order[i], order[j] = order[j], order[i]
                yield ast.Tuple(order, ast.Load())

    @staticmethod
    def Subscript(node, names):
        if isinstance(node.ctx, ast.Load):
            yield node.value

    @staticmethod
    def Attribute(node, names):
        if isinstance(node.ctx, ast.Load) and node.attr == "T":
            yield node.value

    @staticmethod
    def IfExp(node, names):
        yield node.body
        yield node.orelse


def _numpy(function, other):
    """Return the owner of a function's replacement: NumPy, for the median, which is no method."""
    return ast.Name("np", ast.Load()) if other == "median" else function.value


def _arguments(node, other):
    method = not (isinstance(node.func.value, ast.Name) and node.func.value.id == "np")
    args = [node.func.value, *node.args] if other == "median" and method else node.args
    return args, node.keywords


def _other_draws(node):
    """Yield draws that are not what they should be: shared along an axis, repeated, or from another generator."""
    call, shape = ast.unparse(node.func), ast.unparse(node.args[0])
    rest = "".join(f", {ast.unparse(each)}" for each in [*node.args[1:], *node.keywords])
    once = f"{call}([1 if i == {{}} else n for i, n in enumerate({shape})]{rest})"
    own = node.args[0].elts if isinstance(node.args[0], ast.Tuple) else [None, None]
    texts = [once.format(i) for i, length in enumerate(own) if not (length and ast.unparse(length) == "1")]
    texts.append(f"np.resize({call}((2, *{shape}[1:]){rest}), {shape})")
    texts.append(f"np.random.default_rng(0).{node.func.attr}({shape}{rest})")
    texts.append(f"np.random.{node.func.attr}({shape}{rest})" if node.func.attr == "random" else call)
    yield from (ast.parse(text, mode="eval").body for text in texts)


def _other_statements(node):
    """Yield what may stand in a statement's place."""
    if isinstance(node, ast.Assign | ast.AugAssign | ast.Expr | ast.If | ast.For):
        yield ast.Pass()
    if isinstance(node, ast.If):
        for test in (ast.UnaryOp(ast.Not(), node.test), ast.Constant(True), ast.Constant(False)):
            yield ast.If(test, node.body, node.orelse)


def _first_lines(arguments):
    """Yield lines that make a function ignore one of its arguments."""
    for name in arguments:
        if name == "rng":
            yield "rng = np.random.default_rng(0)"
            continue
        mean = [f"np.mean({name})"] * arguments[name]
        for value in (f"0 * {name}", *mean, "0.5", *(each for each in arguments if each != name)):
            yield f"{name} = {value}"


def of_number(name):
    """Return lines that spoil a number in the ways of hurried arithmetic."""
    others = (
        f"2 * {name}",
        f"{name} / 2",
        f"-{name}",
        f"1 - {name}",
        f"{name} ** 2",
        f"1.01 * {name}",
        f"0.99 * {name}",
    )
    return [f"{name} = {other}" for other in others]
