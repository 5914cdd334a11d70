"""The book's sources outside of the site: how they are cited, and how they are listed."""

import re
from functools import cache
from pathlib import Path

from pybtex.backends.markdown import Backend
from pybtex.database import parse_file
from pybtex.plugin import find_plugin

FILE = Path(__file__).resolve().parent.parent / "book" / "references.bib"


class Unescaped(Backend):
    """Markdown without a backslash before each full stop: the entries hold formulas, and no marks of Markdown."""

    def format_str(self, text):
        return text


@cache
def database():
    """Return all sources, as {key: entry}."""
    return parse_file(str(FILE)).entries


def authors(key):
    """Return who wrote a source, by last names: one, two, or the first "et al."."""
    persons = database()[key].persons
    names = [_plain(" ".join([*each.prelast_names, *each.last_names])) for each in persons["author"]]
    return names[0] + {1: "", 2: f" and {names[-1]}"}.get(len(names), " et al.")


def cite(keys, form):
    """Return a citation in words: "Author (year)" for the form "t", "(Author, year)" for the form "p".

    Several are separated as the site separates them.
    """
    each = [(authors(key), database()[key].fields["year"]) for key in keys]
    if form == "p":
        return f"({'; '.join(f'{who}, {year}' for who, year in each)})"
    return ", ".join(f"{who} ({year})" for who, year in each)


def listed(keys):
    """Return the sources as a list in Markdown, in the order of authors and years."""
    style = find_plugin("pybtex.style.formatting", "unsrt")()
    backend = Unescaped()
    order = sorted(keys, key=lambda key: (authors(key).lower(), database()[key].fields["year"]))
    formatted = style.format_entries([database()[key] for key in order])
    lines = [re.sub(r"\s+", " ", entry.text.render(backend)) for entry in formatted]
    return "\n".join(f"- {line}" for line in lines)


def _plain(name):
    """Return a name without the braces and accents of TeX."""
    from pybtex.richtext import Text

    return Text.from_latex(name).render(find_plugin("pybtex.backends", "plaintext")())
