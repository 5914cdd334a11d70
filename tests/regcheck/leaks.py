"""Messages that hold the answer: an expression or the number of the printed solution that the task does not show."""

import ast
import inspect
import re
import sys

from regcheck.core import Exercise

NUMBER = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?![\w])")


def told(chapter, name):
    """Return (message, piece of the answer) for each message of an exercise that gives something away."""
    code, task = chapter.solution(name), chapter.task(name)
    module = sys.modules[chapter.exercises[name].__module__]
    shown = _plain(task)
    pieces = [piece for piece in _expressions(code) if piece not in shown]
    numbers = _numbers(chapter.answer(name))
    given = {_value(text) for text in NUMBER.findall(task)}
    found = []
    for message in messages(module, name):
        found += [(message, piece) for piece in pieces if piece in _plain(message)]
        for text in NUMBER.findall(message):
            if _value(text) not in given and any(_says(text, number) for number in numbers):
                found.append((message, text))
    answer = chapter.answer(name)
    if isinstance(answer, str):
        letter = re.compile(rf"[(\"'*]{answer}[)\"'*]")
        found += [(message, answer) for message in messages(module, name) if letter.search(message)]
    return found


def messages(module, name):
    """Return every text that a check in a module can say, those of its helpers there included."""
    tree = ast.parse(inspect.getsource(module))
    top = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            top[node.name] = node
        elif isinstance(node, ast.Assign):
            top |= {target.id: node.value for target in node.targets if isinstance(target, ast.Name)}
    others = {key: thing.title for key, thing in vars(module).items() if isinstance(thing, Exercise)}
    texts, seen, todo = [], set(others), [name]
    while todo:
        node = top[todo.pop()]
        skip = {ast.get_docstring(node, clean=False)} if isinstance(node, ast.FunctionDef) else set()
        texts += [text for text in _texts(node) if text not in skip | set(others.values())]
        used = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)} & set(top)
        todo += sorted(used - seen)
        seen |= used
    return [text for text in texts if text.endswith((".", "?"))]


def unsaid(module, name, said):
    """Return the messages of an exercise that are not among those said."""
    patterns = {text: ".*".join(map(re.escape, text.split("{}"))) for text in messages(module, name)}
    return [text for text, pattern in patterns.items() if not any(re.search(pattern, each) for each in said)]


def _texts(node):
    """Yield the texts in a piece of code; of a formatted one, its fixed parts with ``{}`` between them."""
    inside = {id(part) for text in ast.walk(node) if isinstance(text, ast.JoinedStr) for part in text.values}
    for part in ast.walk(node):
        if isinstance(part, ast.JoinedStr):
            yield "{}".join(each.value for each in part.values if isinstance(each, ast.Constant))
        elif isinstance(part, ast.Constant) and isinstance(part.value, str) and id(part) not in inside:
            yield part.value


def _expressions(code):
    """Return the expressions of a solution with an operator between names or numbers, as plain text."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.BinOp | ast.Compare):
            found.append(_plain(ast.unparse(node)))
    return found


def _plain(text):
    return re.sub(r"np\.|[\s`]", "", text)


def _numbers(answer):
    if isinstance(answer, str):
        return []
    if callable(answer):
        try:
            answer = answer()
        except TypeError:  # it has arguments, and no fixed result
            return []
    return [float(number) for number in (answer if isinstance(answer, tuple) else [answer])]


def _value(text):
    return float(text.replace(",", ""))


def _says(text, number):
    """Return whether a number in a message is the answer, rounded to the digits that are there; or a percentage."""
    decimals = len(text.partition(".")[2])
    if sum(character.isdigit() for character in text.lstrip("0.")) < 2:
        return _value(text) == number
    return any(abs(_value(text) - each) <= 0.5 * 10.0**-decimals for each in (number, 100 * number))
