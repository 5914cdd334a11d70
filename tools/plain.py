"""The plain edition: every notebook of the book without MyST, so that it reads well in Jupyter, Colab and VS Code.

Text is edited where the parser of the site finds a role, a directive, a label or a link, and nowhere else:

=====================================  ==================================================
equation with a label                  equation with the site's number as its tag
``eq``, ``numref``                     the site's number, in words
``ref``, Python names, links to pages  links into the site
``term``                               its words
``cite``                               author and year; the sources are listed at the end
exercise                               heading with the site's number
solution                               folded, with its number
admonition                             quoted block with a bold title
tabs                                   one after the other, each under its bold name
caption of a figure                    a cell below it
=====================================  ==================================================

Links go to the site: anchors inside of a notebook work in some programs and not in others.
"""

import posixpath
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import yaml
from markdown_it.renderer import RendererHTML
from myst_parser.config.main import MdParserConfig
from myst_parser.parsers.mdit import create_md_parser

from tools import labels, notebooks, sources

ROOT = notebooks.ROOT
# What the parser finds beside Markdown and what is converted here: nothing of it stands in the notebooks.
UNKNOWN = {
    "amsmath",
    "dl_open",
    "footnote_ref",
    "footnote_reference_open",
    "myst_block_break",
    "myst_line_comment",
    "span_open",
    "substitution_block",
    "substitution_inline",
}
HIDDEN = {"hide-input", "hide-cell"}


class NoPlainFormError(ValueError):
    """A notebook has something that this module does not know: page, cell and what it is."""


@cache
def parser():
    """Return the parser that the site uses."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    extensions = config["parse"]["myst_enable_extensions"]
    return create_md_parser(MdParserConfig(enable_extensions=set(extensions)), RendererHTML)


@dataclass
class Page:
    """A page on its way: ``name`` is that of the site, ``cited`` collects the keys of sources."""

    name: str
    labels: labels.Labels
    cited: list = field(default_factory=list)

    def link(self, text, target, anchor=""):
        """Return a link with a text to a page of the site."""
        return f"[{text}]({self.labels.link(self.name, target, anchor)})"


def text(page, markdown):
    """Return Markdown without MyST."""
    starts = [0, *(match.end() for match in re.finditer("\n", markdown))]
    starts += [len(markdown)] * 2
    edits, cursor = [], 0
    for token in parser().parse(markdown):
        if token.map:
            cursor = max(cursor, starts[token.map[0]])
        if token.type == "inline":
            cursor = _inline(page, markdown, token, cursor, edits)
        elif token.map and (new := _block(page, token)) is not None:
            first, last = starts[token.map[0]], starts[token.map[1]]
            old = markdown[first:last]
            indent = " " * (len(old) - len(old.lstrip(" ")))
            end = "\n" if old.endswith("\n") and new else ""
            last += 1 if not new and markdown.startswith("\n", last) else 0  # no two blank lines where a block goes
            edits.append((first, last, _indented(new.rstrip("\n"), indent) + end))
            cursor = last
    for first, last, new in reversed(edits):
        markdown = markdown[:first] + new + markdown[last:]
    return markdown.strip("\n")


def _indented(lines, prefix):
    """Return lines with a prefix before each that is not empty."""
    return "\n".join(f"{prefix}{line}".rstrip() for line in lines.split("\n"))


def _inline(page, markdown, token, cursor, edits):
    """Append what to change within a paragraph to ``edits``; return where it ends."""

    def take(literal, new=None):
        nonlocal cursor
        first = markdown.index(literal, cursor)
        cursor = first + len(literal)
        if new is not None:
            edits.append((first, cursor, new))

    target = []
    for child in token.children or []:
        if child.type == "code_inline":
            take(child.markup)
            take(child.markup)
        elif child.type == "myst_role":
            name = child.meta["name"]
            take(f"{{{name}}}`{child.content}`", _role(page, name, child.content))
        elif child.type == "link_open":
            target.append(child.attrs["href"])
        elif child.type == "link_close":
            href = target.pop()
            if child.info != "auto":
                take(f"]({href})", f"]({_href(page, href)})")
        elif child.type == "html_inline" and child.content.startswith("<!--"):
            take(f" {child.content}" if f" {child.content}" in markdown[cursor:] else child.content, "")
        elif child.type in UNKNOWN:
            raise ValueError(f"{child.content!r} ({child.type}) has no plain form")
    return cursor


def _href(page, href):
    """Return where a link goes: a page of the site for one of the book's, as it stands for another."""
    if re.match(r"[a-z]+:", href):
        return href
    path, _, name = href.partition("#")
    target = posixpath.normpath(posixpath.join(posixpath.dirname(page.name), path)) if path else page.name
    target = re.sub(r"\.(ipynb|md)$", "", target)
    if target not in page.labels.slugs:
        raise ValueError(f"no page of the book is {href!r}")
    return page.labels.link(page.name, target, page.labels.anchor(target, name) if name else "")


def _role(page, name, content):
    """Return what stands for a role."""
    if name not in ROLES:
        raise ValueError(f"the role {name!r} has no plain form")
    match = re.fullmatch(r"(?s)(.*?)\s*<([^<>]*)>", content)
    shown, target = match.groups() if match else (content, content)
    return ROLES[name](page, shown, target)


def _number(word):
    def convert(page, _shown, target):
        kind = "equation" if word == "({})" else "figure"
        return word.format(page.labels.number(kind, target))

    return convert


def _reference(page, shown, target):
    place = page.labels.place(target)
    return page.link(page.labels.titles[target] if shown == target else shown, *place)


def _python(parentheses):
    def convert(page, _shown, target):
        name = target.lstrip("~").removesuffix("()")
        shown = name.rpartition(".")[2] if target.startswith("~") else name
        return page.link(f"`{shown}{parentheses}`", *page.labels.place(name))

    return convert


def _citation(form):
    def convert(page, _shown, keys):
        keys = [key.strip() for key in keys.split(",")]
        page.cited += [key for key in keys if key not in page.cited]
        return sources.cite(keys, form)

    return convert


ROLES = {
    "eq": _number("({})"),
    "numref": _number("Fig. {}"),
    "ref": _reference,
    "term": lambda page, shown, target: shown,
    "cite:t": _citation("t"),
    "cite:p": _citation("p"),
    "py:func": _python("()"),
    "py:class": _python(""),
}


def _block(page, token):
    """Return what stands for a block, or None if it stays."""
    if token.type == "math_block_label":
        tag = page.labels.number("equation", token.info)
        return f"$$\n{token.content.strip()}\n\\tag{{{tag}}}\n$$"
    if token.type == "myst_target":
        return ""
    if token.type in UNKNOWN:
        raise ValueError(f"{token.content!r} ({token.type}) has no plain form")
    if token.type == "html_block" and token.content.startswith("<!--"):
        return ""
    match = re.fullmatch(r"\{([^}]+)\} *(.*)", token.info.strip()) if token.type in ("fence", "colon_fence") else None
    if match is None:
        return None
    name, argument = match.groups()
    if name not in DIRECTIVES:
        raise ValueError(f"the directive {name!r} has no plain form")
    options, body = _options(token.content)
    return DIRECTIVES[name](page, argument, options, body)


def _options(content):
    """Return the options of a directive, and its body."""
    lines = content.strip("\n").split("\n")
    options = {}
    while lines and (match := re.fullmatch(r":([\w-]+):\s*(.*)", lines[0])):
        options[match[1]] = match[2]
        lines = lines[1:]
    return options, "\n".join(lines).strip("\n")


def _exercise(page, title, options, body):
    number = page.labels.number("exercise", options["label"])
    return f"### Exercise {number}: {text(page, title)}\n\n{text(page, body)}"


def _solution(page, label, _options, body):
    number = page.labels.number("exercise", label)
    summary = f"<summary>Solution to exercise {number}</summary>"
    found, count = re.subn("<summary>Show the solution</summary>", summary, text(page, body), count=1)
    return found if count else f"<details>{summary}\n\n{found}\n\n</details>"


def _admonition(page, title, _options, body):
    return _quoted(f"**{text(page, title)}**\n\n{text(page, body)}")


def _note(page, argument, _options, body):
    return _quoted("\n\n".join(["**Note**", *filter(None, [text(page, argument), text(page, body)])]))


def _quoted(block):
    """Return a quoted block; its equations on one line each, since the marks of a quote would get into them."""
    block = re.sub(r"(?s)\$\$\n(.*?)\n\s*\$\$", lambda match: f"$$ {' '.join(match[1].split())} $$", block)
    return _indented(block, "> ")


def _tab(page, title, _options, body):
    return f"\n**{title}**\n\n{text(page, body)}\n"


DIRECTIVES = {
    "exercise": _exercise,
    "solution": _solution,
    "admonition": _admonition,
    "note": _note,
    "tab-set": lambda page, argument, options, body: text(page, body).strip("\n"),
    "tab-item": _tab,
}


def caption(page, cell):
    """Return the cell below a figure: its number and caption, and what it shows in words; None without a caption."""
    about = cell["metadata"].get("mystnb", {})
    if "figure" not in about:
        return None
    name = f"Fig. {page.labels.number('figure', about['figure']['name'])}"
    written = f"**{name}.** {text(page, about['figure']['caption'])}"
    if alt := about.get("image", {}).get("alt"):
        written += f"\n\n<details><summary>{name} in words</summary>\n\n{alt}\n\n</details>"
    return markdown_cell(f"{cell['id']}-caption", written)


def markdown_cell(name, written):
    """Return a Markdown cell with an id."""
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": notebooks.lines(written)}


def code_cell(cell):
    """Return a code cell as it stands, its input folded away where the site folds it away."""
    tags = cell["metadata"].get("tags", [])
    metadata = {"tags": tags} if tags else {}
    if HIDDEN & set(tags):
        metadata |= {"jupyter": {"source_hidden": True}, "cellView": "form"}
    return cell | {"metadata": metadata}


def about(page):
    """Return the cell that says what this is, and where its page stands."""
    link = page.link(page.labels.titles[page.name], page.name)
    return markdown_cell(
        "about",
        f"> This notebook belongs to the page {link} of the book. Run its cells from the top; the next one finds "
        "the book's packages, or installs them. Some cells need PyTorch, Keras, scikit-learn or SciPy: where one is "
        "missing, they say so, and the rest runs.",
    )


def convert(notebook, name, known):
    """Return the plain edition of a notebook.

    Parameters
    ----------
    notebook : dict
        With or without outputs, which are kept.
    name : str
        The page's name on the site, such as "book/penalties/l1-l2".
    known : Labels
        What the site calls things.

    Raises
    ------
    NoPlainFormError
        For a role, a directive or a reference that is not known.
    """
    page = Page(name, known)
    cells = []
    for cell in notebook["cells"]:
        try:
            cells += _converted(page, cell)
        except (ValueError, KeyError) as error:
            raise NoPlainFormError(f"{name}, cell {cell['id']}: {error.args[0]}") from error
    if page.cited:
        cells.append(markdown_cell("references", "## References\n\n" + sources.listed(page.cited)))
    return {"cells": cells, "metadata": notebooks.METADATA, "nbformat": 4, "nbformat_minor": 5}


def _converted(page, cell):
    """Return the cells that stand for one."""
    if cell["cell_type"] == "markdown":
        return [markdown_cell(cell["id"], text(page, notebooks.source(cell)))]
    first = [about(page)] if cell["id"] == notebooks.SETUP_ID else []
    return first + [each for each in (code_cell(cell), caption(page, cell)) if each is not None]


def write(stage, html, known):
    """Write the plain edition of every staged notebook where the site's download buttons look for it.

    Parameters
    ----------
    stage : Path
        The folder of the site's sources, notebooks with outputs among them.
    html : Path
        The built site.
    known : Labels
    """
    for path in sorted((stage / "book").rglob("*.ipynb")):
        name = path.relative_to(stage).with_suffix("").as_posix()
        target = html / "_sources" / f"{name}.ipynb"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(notebooks.dump(convert(notebooks.read(path), name, known)))


def edition(html):
    """Return the notebooks of the plain edition in a built site, as {name of the page: path}."""
    folder = Path(html) / "_sources"
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in sorted(folder.rglob("*.ipynb"))}
