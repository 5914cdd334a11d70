"""What the built site calls things: numbers, places and titles, read from the environment that Sphinx leaves behind."""

import pickle
from dataclasses import dataclass, field
from pathlib import Path

DOCTREES = Path("_build") / ".doctrees"


@dataclass(frozen=True)
class Labels:
    """What references of the pages stand for.

    ``numbers`` holds the numbers of the equations, figures and exercises, under kind and label, as the pages print
    them. ``places`` holds, for a label or a Python name, the page and the anchor; ``slugs`` for a page and the name
    of a heading, the anchor. ``titles`` holds the titles of labels, and of pages. ``address`` is that of the site,
    or empty; then links are relative.
    """

    numbers: dict = field(default_factory=dict)
    places: dict = field(default_factory=dict)
    slugs: dict = field(default_factory=dict)
    titles: dict = field(default_factory=dict)
    address: str = ""

    def number(self, kind, label):
        """Return the number of an equation, a figure or an exercise, such as "3.1"."""
        if (kind, label) not in self.numbers:
            raise KeyError(f"no {kind} has the label {label!r}")
        return self.numbers[kind, label]

    def link(self, page, target, anchor=""):
        """Return the link from a plain notebook, ``page``, to a page of the site."""
        root = self.address or "../" * (page.count("/") + 1)
        return f"{root}{target}.html" + (f"#{anchor}" if anchor else "")

    def place(self, label):
        """Return page and anchor of a label or of a Python name."""
        if label not in self.places:
            raise KeyError(f"nothing on the site is called {label!r}")
        return self.places[label]

    def anchor(self, page, name):
        """Return the anchor on a page for what stands after ``#`` in a link: a heading's name, or a label."""
        if name in self.slugs.get(page, {}):
            return self.slugs[page][name]
        at, anchor = self.place(name)
        if at != page:
            raise KeyError(f"#{name} is on {at}, not on {page}")
        return anchor


def of_site(root, address=""):
    """Return the labels of the site that was built in a folder.

    Parameters
    ----------
    root : Path
        Where ``_build`` lies.
    address : str
        The address of the site, with a slash at its end; empty where it is unknown.
    """
    with (Path(root) / DOCTREES / "environment.pickle").open("rb") as file:
        environment = pickle.load(file)
    numbers = {}
    for kinds in environment.toc_fignumbers.values():
        for kind, found in kinds.items():
            for label, number in found.items():
                name = label.removeprefix("equation-") if kind == "displaymath" else label
                numbers[_KINDS.get(kind, kind), name] = ".".join(map(str, number))
    domains = environment.domaindata
    labels = domains["std"]["labels"]
    places = {name: (page, anchor) for name, (page, anchor) in domains["std"]["anonlabels"].items()}
    places |= {name: (page, anchor) for name, (page, anchor, _) in labels.items()}
    places |= {name: (entry.docname, entry.node_id) for name, entry in domains["py"]["objects"].items()}
    places |= {name: (page, f"equation-{name}") for name, (page, _) in domains["math"]["objects"].items()}
    slugs = {
        page: {slug: anchor for slug, (_, anchor, _) in found.get("myst_slugs", {}).items()}
        for page, found in environment.metadata.items()
    }
    titles = {page: node.astext() for page, node in environment.titles.items()}
    titles |= {name: title for name, (*_, title) in labels.items()}
    return Labels(numbers, places, slugs, titles, address)


_KINDS = {"displaymath": "equation"}
