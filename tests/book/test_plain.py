"""The plain edition: what becomes of each piece of MyST, and what has no plain form is refused."""

import copy

import pytest

from tools import notebooks, plain, sources
from tools.labels import Labels

KNOWN = Labels(
    numbers={("equation", "eq-a"): "3.1", ("figure", "fig-a"): "3.2", ("exercise", "ex-a"): "3.4"},
    places={
        "there": ("book/part/other", "there"),
        "here": ("book/part/page", "here-1"),
        "reglib.f": ("book/api/reglib", "reglib.f"),
    },
    slugs={"book/part/page": {"a-heading": "a-heading"}, "book/part/other": {"more": "id1"}, "book/index": {}},
    titles={"there": "The title there", "book/part/page": "The page"},
    address="https://owner.github.io/name/",
)
SITE = "https://owner.github.io/name/book/"


def converted(markdown, known=KNOWN):
    return plain.text(plain.Page("book/part/page", known), markdown)


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("See {eq}`eq-a`, {numref}`fig-a`.", "See (3.1), Fig. 3.2."),
        ("A {term}`word <entry>` and {term}`entry`.", "A word and entry."),
        ("{ref}`there`, {ref}`some words <there>`", f"[The title there]({SITE}part/other.html#there), "
         f"[some words]({SITE}part/other.html#there)"),
        ("{py:func}`reglib.f`, {py:class}`~reglib.f`", f"[`reglib.f()`]({SITE}api/reglib.html#reglib.f), "
         f"[`f`]({SITE}api/reglib.html#reglib.f)"),
        ("[x](other.ipynb#more) [y `z`](../index.md) [w](#a-heading) [v](#here)",
         f"[x]({SITE}part/other.html#id1) [y `z`]({SITE}index.html) [w]({SITE}part/page.html#a-heading) "
         f"[v]({SITE}part/page.html#here-1)"),
        ("[x](https://example.org/a.ipynb) <https://example.org>", "[x](https://example.org/a.ipynb) <https://example.org>"),
        ("`{eq}` and ``{eq}`eq-a` `` stay, {eq}`eq-a` does not", "`{eq}` and ``{eq}`eq-a` `` stay, (3.1) does not"),
        ("```python\nx = 1  # {eq}`eq-a`\n```\n{eq}`eq-a`", "```python\nx = 1  # {eq}`eq-a`\n```\n(3.1)"),
        ("A claim. <!-- measured: x -->\nMore.\n\n<!-- a line -->\nEnd.", "A claim.\nMore.\n\nEnd."),
        ("(here)=\n## A heading", "## A heading"),
        ("$x$ and\n\n$$\ny\n$$\n\nend", "$x$ and\n\n$$\ny\n$$\n\nend"),
        ("Text\n\n$$\nx \\\\\n= y\n$$ (eq-a)\n\nmore", "Text\n\n$$\nx \\\\\n= y\n\\tag{3.1}\n$$\n\nmore"),
        ("- one\n\n  $$\n  x\n  $$ (eq-a)\n\n- two", "- one\n\n  $$\n  x\n  \\tag{3.1}\n  $$\n\n- two"),
        ("| a |\n|--|\n| {eq}`eq-a` |", "| a |\n|--|\n| (3.1) |"),
        (":::{note}\nBody {eq}`eq-a`.\n:::", "> **Note**\n>\n> Body (3.1)."),
        (":::{admonition} What $p$ is\n:class: warning\n\nOne.\n\n$$\nx\n= y\n$$ (eq-a)\n:::",
         "> **What $p$ is**\n>\n> One.\n>\n> $$ x = y \\tag{3.1} $$"),
        (":::{exercise} The step\n:label: ex-a\n\nDo it.\n:::", "### Exercise 3.4: The step\n\nDo it."),
        (":::{solution} ex-a\n<details><summary>Show the solution</summary>\n\nSo.\n\n</details>\n:::",
         "<details><summary>Solution to exercise 3.4</summary>\n\nSo.\n\n</details>"),
        (":::{solution} ex-a\nSo.\n:::", "<details><summary>Solution to exercise 3.4</summary>\n\nSo.\n\n</details>"),
        ("::::{tab-set}\n:sync-group: f\n\n:::{tab-item} One\n:sync: a\n```python\nx\n```\n:::\n"
         ":::{tab-item} Two\ny\n:::\n::::\nend",
         "**One**\n\n```python\nx\n```\n\n**Two**\n\ny\nend"),
    ],
)  # fmt: skip
def test_forms(markdown, expected):
    assert converted(markdown) == expected


@pytest.mark.parametrize(
    "markdown",
    ["{unknown}`x`", ":::{unknown}\nx\n:::", "```{code-block} python\nx\n```", "[x](nowhere.ipynb)", "[x](#nowhere)",
     "[x](#there)", "{eq}`eq-b`", "{ref}`nowhere`", "+++", "term\n: words", "{{ words }}",
     "\\begin{align}\nx\n\\end{align}"],
)  # fmt: skip
def test_what_has_no_plain_form_is_refused(markdown):
    with pytest.raises((ValueError, KeyError)):
        converted(markdown)


def test_what_is_refused_names_page_cell_and_thing():
    cell = {"cell_type": "markdown", "id": "a", "metadata": {}, "source": "{eq}`eq-b`"}
    with pytest.raises(plain.NoPlainFormError, match=r"^book/part/page, cell a: no equation has the label 'eq-b'$"):
        plain.convert({"cells": [cell]}, "book/part/page", KNOWN)


def test_links_are_relative_where_the_address_is_unknown():
    unknown = Labels(**{**vars(KNOWN), "address": ""})
    assert converted("[x](other.ipynb#more)", unknown) == "[x](../../../book/part/other.html#id1)"


def test_citations_are_words_and_are_listed_at_the_end():
    cell = {"cell_type": "markdown", "id": "a", "metadata": {}}
    cell["source"] = "{cite:t}`zou2005,yuan2006` and {cite:p}`friedman2010,tibshirani1996`; {cite:t}`zou2005`"
    first, last = plain.convert({"cells": [cell]}, "book/part/page", KNOWN)["cells"]
    assert notebooks.source(first) == (
        "Zou and Hastie (2005), Yuan and Lin (2006) and (Friedman et al., 2010; Tibshirani, 1996); "
        "Zou and Hastie (2005)"
    )
    heading, _, *entries = notebooks.source(last).split("\n")
    assert heading == "## References"
    assert [entry.split(",")[0].split(".")[0] for entry in entries] == [
        "- Jerome Friedman", "- Robert Tibshirani", "- Ming Yuan and Yi Lin", "- Hui Zou and Trevor Hastie"
    ]  # fmt: skip
    assert "*Journal of the Royal Statistical Society, Series B*, 58(1):267–288, 1996." in entries[1]


def test_every_source_can_be_cited_and_listed():
    for key in sources.database():
        for form in ("t", "p"):
            assert not set("{}\\") & set(sources.cite([key], form))
    assert len(sources.listed(list(sources.database())).split("\n")) == len(sources.database())


def test_code_keeps_its_outputs_and_folds_as_on_the_site():
    about = {"figure": {"caption": "The loss, see {eq}`eq-a`.", "name": "fig-a"}, "image": {"alt": "A falling line."}}
    cells = [
        {"cell_type": "code", "id": "set-up", "metadata": {"tags": ["hide-cell"]}, "source": "1"},
        {"cell_type": "code", "id": "fig", "metadata": {"mystnb": about, "tags": ["hide-input"]}, "source": "2"},
        {"cell_type": "code", "id": "shown", "metadata": {}, "source": "3"},
    ]
    cells = [cell | {"outputs": [{"text": cell["id"]}], "execution_count": 1} for cell in cells]
    notebook = {"cells": cells, "metadata": {"a": 1}}
    before = copy.deepcopy(notebook)
    found = {cell["id"]: cell for cell in plain.convert(notebook, "book/part/page", KNOWN)["cells"]}
    assert notebook == before, "the notebook itself stays as it is stored"
    assert list(found) == ["about", "set-up", "fig", "fig-caption", "shown"]
    assert [found[name]["outputs"][0]["text"] for name in ("set-up", "fig", "shown")] == ["set-up", "fig", "shown"]
    assert found["fig"]["metadata"] == {"tags": ["hide-input"], "jupyter": {"source_hidden": True}, "cellView": "form"}
    assert found["shown"]["metadata"] == {}
    caption = notebooks.source(found["fig-caption"])
    assert caption.startswith("**Fig. 3.2.** The loss, see (3.1).\n\n<details><summary>Fig. 3.2 in words</summary>\n\n")
    assert "A falling line." in caption
    assert f"[The page]({SITE}part/page.html)" in notebooks.source(found["about"])
