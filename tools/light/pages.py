"""The last stage of the build: every page asks for one style sheet and one script, and for no more than it needs."""

import re

from tools import node
from tools.light import formulas, icons, styles

SHEET = re.compile(r'[ \t]*<link\b(?=[^>]*\brel="stylesheet")[^>]*\bhref="([^"]+)"[^>]*/?>\n?')
SCRIPT = re.compile(r'[ \t]*<script\b(?![^>]*\btype="module")[^>]*\bsrc="([^"]+)"[^>]*></script>\n?')
PRELOAD = re.compile(r'[ \t]*<link\b(?=[^>]*\brel="preload")(?=[^>]*\bas="script")[^>]*/?>\n?')
LATER = re.compile(r"<script>(DOCUMENTATION_OPTIONS\.[^<]*)</script>")
VIEWPORT = re.compile(r'<meta name="viewport" content="width=device-width, initial-scale=1"\s*/?>\n?')  # said before
MATHJAX = re.compile(
    r"[ \t]*<script\b[^>]*>window\.MathJax = .*?</script>\n?|[ \t]*<script\b[^>]*mathjax/[^>]*></script>\n?"
)
MAP = re.compile(r"^//# sourceMappingURL=.*$", re.MULTILINE)
SEARCH = ("searchtools.js", "language_data.js", "searchindex.js")
ICONS = "fontawesome.js"
BUNDLE = "tex-mml-chtml.js"  # MathJax in the page


class Site:
    """The pages of a built site, and what they share."""

    def __init__(self, folder):
        self.folder = folder
        self.static = folder / "_static"
        files = [path for path in sorted(folder.rglob("*.html")) if self.static not in path.parents]
        texts = {path: path.read_text(encoding="utf-8") for path in files}
        self.pages = {path: text for path, text in texts.items() if SHEET.search(text)}  # the front door only redirects

    def file(self, page, address):
        """Return the file of this site that an address in a page names, None if it is elsewhere."""
        if "//" in address or address.startswith("data:"):
            return None
        path = (page.parent / address.partition("?")[0]).resolve()
        return path if path.is_file() else None

    def shared(self, pattern, leave=()):
        """Return the files that a pattern finds in every page, in the order of the first page."""
        lists = [
            [file for address in pattern.findall(text) if (file := self.file(page, address)) and file.name not in leave]
            for page, text in self.pages.items()
        ]
        return [file for file in lists[0] if all(file in others for others in lists)]


def lighten(folder, writers=()):
    """Make a built site light, in place; return one line for each thing that could not be done.

    Parameters
    ----------
    folder : Path
        The site.
    writers : sequence of str
        Programs that write HTML into pages later: what they name stays.
    """
    site = Site(folder.resolve())
    notes = set_formulas(site)
    theme = (site.static / "scripts" / ICONS).read_text(encoding="utf-8")
    scripts = site.shared(SCRIPT, leave=(ICONS, BUNDLE, *SEARCH))
    sheets = site.shared(SHEET)
    script = "\n;\n".join(MAP.sub("", path.read_text(encoding="utf-8")) for path in scripts)
    (site.static / "site.js").write_text(script, encoding="utf-8")
    everything = [*writers, *(path.read_text(encoding="utf-8") for path in _other_scripts(site))]
    known = styles.words(site.pages.values(), everything)
    text = styles.purged(styles.joined(sheets, site.static), known, lambda face: "Font Awesome" not in face)
    found = icons.used([*site.pages.values(), *everything], theme)
    font = site.static / "vendor" / "fontawesome" / "webfonts" / "fa-solid-900.ttf"
    (site.static / "site.css").write_text(icons.sheet(font, found, text) + text, encoding="utf-8")
    for page, markup in site.pages.items():
        page.write_text(rewritten(site, page, markup, scripts, sheets), encoding="utf-8")
    remove(site, [*scripts, *sheets])
    return notes


def _other_scripts(site):
    """Return the scripts that may set a class: all but the icons, formulas and the index of the search."""
    left_out = (ICONS, "searchindex.js", BUNDLE)
    return [path for path in sorted(site.folder.rglob("*.*js")) if path.name not in left_out]


def set_formulas(site):
    """Set the formulas of every page; return a line if that cannot be done, and MathJax stays."""
    every = [formula for text in site.pages.values() for formula in formulas.found(text)]
    try:
        done, css = formulas.typeset(every)
    except node.UnavailableError as error:
        return [f"formulas: left to MathJax in the page, which is slower: {error}"]
    (site.static / "formulas.css").write_text(css, encoding="utf-8")
    # Asked for at once, the letters of almost every formula are there when the text is first shown.
    letters = '<link rel="preload" as="font" type="font/woff" crossorigin href="{root}_static/%s/%s.woff" />'
    link = "".join(letters % (formulas.FONTS, name) for name in formulas.LETTERS)
    link += '<link rel="stylesheet" type="text/css" href="{root}_static/formulas.css" />\n  </head>'
    for page, text in site.pages.items():
        if formulas.found(text):
            text = formulas.put(text, done).replace("</head>", link.format(root=_root(site, page)), 1)
        site.pages[page] = MATHJAX.sub("", text)
    (site.static / "mathjax" / BUNDLE).unlink(missing_ok=True)  # its fonts stay: the style sheet asks for them
    return []


def _root(site, page):
    """Return the way from a page to the root of the site."""
    return "../" * len(page.parent.relative_to(site.folder).parts)


def rewritten(site, page, text, scripts, sheets):
    """Return a page that asks for the one style sheet and the one script, and only the search for its index."""
    root = _root(site, page)

    def sheet(match):
        return "" if site.file(page, match[1]) in sheets else match[0]

    def script(match):
        file = site.file(page, match[1])
        if file in scripts or (file is not None and file.name == ICONS):
            return ""
        if file is not None and file.name in SEARCH and page.name != "search.html":
            return ""
        return (
            match[0] if " defer" in match[0] or " async" in match[0] else match[0].replace("<script", "<script defer")
        )

    text = PRELOAD.sub("", SHEET.sub(sheet, SCRIPT.sub(script, text)))
    text = LATER.sub(r'<script>addEventListener("DOMContentLoaded", () => { \1 });</script>', text)
    text = VIEWPORT.sub("", text)
    if not re.search(r'class="[^"]*\bmath\b', text):
        text = MATHJAX.sub("", text)
    head = f'<link rel="stylesheet" href="{root}_static/site.css" />\n    '
    head += f'<script defer src="{root}_static/site.js"></script>\n    '
    return text.replace("<title>", head + "<title>", 1)


def remove(site, replaced):
    """Remove what no page asks for any more: it would be published for nothing."""
    gone = [
        *replaced,
        site.static / "basic.css",
        site.static / "scripts" / ICONS,
        *site.static.rglob("*.map"),
        *site.static.rglob("fontawesome*.txt"),
    ]
    gone += (site.static / "vendor" / "fontawesome" / "webfonts").iterdir()
    for path in gone:
        path.unlink(missing_ok=True)
