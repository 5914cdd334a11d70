"""Style sheets: many into one, without the rules that no page and no script has a use for."""

import os
import re

import tinycss2

WORD = re.compile(r"[\w-]+")
TAG = re.compile(r"<[a-zA-Z][^>]*>", re.DOTALL)
SCRIPT = re.compile(r"<script\b[^>]*>(.*?)</script>", re.DOTALL)
ADDRESS = re.compile(r"url\(\s*(['\"]?)(?!data:|#)([^)'\"]+)\1\s*\)")
IMPORT = re.compile(r"@import\s+[\"']([^\"']+)[\"'];")
NESTED = {"media", "supports", "layer", "container"}


def words(pages, scripts):
    """Return every word that may be a class or an id: those in tags, and all in scripts, which may set them later."""
    found = set()
    for page in pages:
        for tag in TAG.findall(page):
            found.update(WORD.findall(tag))
        for script in SCRIPT.findall(page):
            found.update(WORD.findall(script))
    for script in scripts:
        found.update(WORD.findall(script))
    return found


def joined(paths, folder):
    """Return the text of style sheets in order, imports included, with addresses as seen from ``folder``."""
    return "\n".join(_read(path, folder) for path in paths)


def _read(path, folder):
    text = path.read_text(encoding="utf-8")

    def address(match):
        target = os.path.relpath((path.parent / match[2].partition("?")[0]).resolve(), folder.resolve())
        return f"url({target.replace(os.sep, '/')})"

    text = IMPORT.sub(lambda match: _read(path.parent / match[1], folder), text)
    return re.sub(r"/\*# sourceMappingURL=.*?\*/", "", ADDRESS.sub(address, text))


def purged(text, known, fonts):
    """Return a style sheet without rules for classes and ids outside ``known``, and fonts whose files are not kept.

    Parameters
    ----------
    text : str
        The style sheet.
    known : set of str
        Words of pages and scripts.
    fonts : callable
        Says of the text of a ``@font-face`` whether it stays.
    """
    return "".join(_rules(tinycss2.parse_stylesheet(text, True, True), known, fonts))


def _rules(nodes, known, fonts):
    for node in nodes:
        if node.type == "qualified-rule":
            kept = [choice for choice in _split(node.prelude) if _wanted(choice, known)]
            if kept and (body := _plain(node.content)):
                yield f"{','.join(map(_plain, kept))}{{{body}}}"
        elif node.type == "at-rule" and node.at_keyword in NESTED and node.content is not None:
            inner = "".join(_rules(tinycss2.parse_rule_list(node.content, True, True), known, fonts))
            if inner:
                yield f"@{node.at_keyword} {_plain(node.prelude)}{{{inner}}}"
        elif node.type == "at-rule" and (node.at_keyword != "font-face" or fonts(_plain(node.content))):
            body = ";" if node.content is None else f"{{{_plain(node.content)}}}"
            yield f"@{node.at_keyword} {_plain(node.prelude)}{body}"


def _split(tokens):
    """Return the selectors between the commas of a rule."""
    choices = [[]]
    for token in tokens:
        if token == ",":
            choices.append([])
        else:
            choices[-1].append(token)
    return choices


def _wanted(tokens, known):
    """Return whether a selector's classes and ids are all known, those in brackets, as in :not(), apart."""
    for before, token in zip([None, *tokens], tokens, strict=False):
        if token.type == "hash" and token.value not in known:
            return False
        if token.type == "ident" and before == "." and token.value not in known:
            return False
    return True


def _plain(tokens):
    """Return tokens as text, comments left out and white space in one piece."""
    text = tinycss2.serialize([token for token in tokens if token.type != "comment"])
    return re.sub(r"\s+", " ", text).strip()
