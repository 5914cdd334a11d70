"""The runner outside of the page: what it sends for prints, values, errors, checks and figures."""

import json
import sys

import matplotlib
import pytest

from tools.live import runner

CELLS = [
    ("imports", "import numpy as np\nfrom regcheck import l1_l2 as check"),
    ("data", "x = np.arange(3)\nprint(x)"),
    ("value", "x.sum() + 1"),
    ("function", "def half(a):\n    return a / nothing\n\n\nhalf(2)"),
    ("calls", "half(3)"),
    ("answer", "def soft_threshold(w, threshold):\n    ...\n\n\ncheck.soft_threshold(soft_threshold)"),
]


class Page:
    """Stands for the page: keeps what is sent."""

    def __init__(self):
        self.sent, self.loaded = [], []
        self.runner = runner.Runner(lambda *sent: self.sent.append(sent), self.loaded.append, {"regbook.slider": ["m"]})

    def run(self, target, **changed):
        cells = [(cell, changed.get(cell, source), True) for cell, source in CELLS]
        self.sent.clear()
        plan = json.loads(self.runner.plan(json.dumps(cells), target))
        kept = sys.modules["__main__"], sys.stdout, sys.stderr
        self.runner.settle()
        try:
            for index in range(len(plan["cells"])):
                if not self.runner.run(index):
                    break
        finally:
            sys.modules["__main__"], sys.stdout, sys.stderr = kept
        return list(self.sent)


@pytest.fixture
def page():
    made = Page()
    with matplotlib.rc_context():  # where figures may be drawn, the runner sets the book's style
        yield made
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, runner.Finder)]


def test_prints_and_values(page):
    assert page.run("value") == [
        ("data", "text", "[0 1 2]\n"),
        ("value", "text", f"{page.runner.module.x.sum() + 1!r}\n"),
    ]


def test_what_ran_does_not_run_again(page):
    page.run("value")
    assert [cell for cell, *_ in page.run("value")] == ["value"]
    assert [cell for cell, *_ in page.run("value", data="x = np.arange(4)\nprint(x)")] == ["data", "value"]


def test_a_traceback_quotes_the_readers_lines(page):
    ((cell, kind, text),) = page.run("function")
    assert (cell, kind) == ("function", "error")
    assert text == (
        "line 5 of this cell:\n    half(2)\nline 2 of this cell, in half:\n    return a / nothing\n"
        "NameError: name 'nothing' is not defined"
    )
    (*_, (cell, kind, text)) = page.run("calls", function="def half(a):\n    return a / nothing")
    assert text.splitlines()[2] == "line 2 of the cell function, in half:"


def test_syntax_errors_quote_the_line(page):
    assert page.runner.check_syntax("value", "x = 1\ny = (2") is False
    assert page.sent == [("value", "error", "SyntaxError in line 2 of this cell: '(' was never closed\n    y = (2")]
    assert page.runner.check_syntax("value", "x = 1")


def test_a_check_sees_the_source_of_the_answer(page):
    (_, kind, text) = page.run("answer")[-1]
    assert kind == "check"
    assert json.loads(text)["status"] == "Not answered"
    broken = "def soft_threshold(w, threshold):\n    return w / 0 .x\n\n\ncheck.soft_threshold(soft_threshold)"
    told = json.loads(page.run("answer", answer=broken)[-1][2])
    assert "in line 2 of your function, `return w / 0 .x`" in told["text"]
    silent = "def soft_threshold(w, threshold):\n    w = w - threshold\n\n\ncheck.soft_threshold(soft_threshold)"
    assert "Is a return missing" in json.loads(page.run("answer", answer=silent)[-1][2])["text"]


def test_a_figure_is_shown_once_in_the_books_style_and_closed(page):
    import matplotlib.pyplot as plt

    shown, backend = plt.show, plt.get_backend()
    try:
        found = page.run("value", value="import matplotlib.pyplot as plt\nplt.plot(x)\nplt.show()\nprint('after')")
        assert [kind for cell, kind, _ in found if cell == "value"] == ["svg", "text"]
        assert found[1][2].lstrip().startswith("<?xml")
        assert not plt.get_fignums()
    finally:
        vars(plt)["show"] = shown
        plt.switch_backend(backend)


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        ("[1]", "text", "[1]\n"),
        ("type('A', (), {'_repr_html_': lambda self: '<b>a</b>'})()", "html", "<b>a</b>"),
        ("type('A', (), {'_repr_markdown_': lambda self: '```python\\nx = 1\\n```'})()", "code", "x = 1"),
    ],
)
def test_the_richest_form_is_shown(page, value, kind, text):
    assert page.run("value", value=value)[-1] == ("value", kind, text)


def test_an_import_that_a_page_cannot_have_is_left_out_and_the_others_run(page):
    found = page.run("value", value="import numpy as np\nimport no_such_framework\n")
    assert ("value", "note", "import no_such_framework: left out, no_such_framework cannot run in a page") in found


def test_very_long_output_is_cut(page):
    found = page.run("value", value="for k in range(30000):\n    print('0123456789')")
    text = "".join(text for cell, kind, text in found if cell == "value")
    assert len(text) < runner.LIMIT + 100
    assert text.endswith("(the rest is left out)\n")


def test_packages_are_named_before_a_cell_runs(page):
    cells = [("a", "from regbook import slider\nimport scipy.stats", False), ("b", "slider, scipy", True)]
    assert json.loads(page.runner.plan(json.dumps(cells), "b"))["packages"] == ["m", "scipy"]


def test_a_package_that_is_imported_late_is_loaded_once(page):
    finder = next(finder for finder in sys.meta_path if isinstance(finder, runner.Finder))
    assert finder.find_spec("scipy") is not None
    finder.find_spec("scipy")
    assert finder.find_spec("numpy") is None
    assert page.loaded == ["scipy"]
