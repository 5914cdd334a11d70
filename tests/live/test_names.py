"""What a cell needs, binds and changes; and what must run before it."""

import pytest

from tools.live import names


def only(source):
    """Return the one unit of a cell without imports."""
    (unit,) = names.units("cell", source)
    return unit


@pytest.mark.parametrize(
    ("source", "needs"),
    [
        ("x = y + 1", {"y"}),
        ("x = 1\nx + y", {"y"}),
        ("x = x + 1", {"x"}),
        ("x += 1", {"x"}),
        ("total = 0\nfor k in steps:\n    total += k", {"steps"}),
        ("for k in range(3):\n    total = total + k", {"range", "total"}),
        ("def f(a, b=c, *rest, d, **more):\n    e = a + b + g\n    return e, rest, d, more", {"c", "g"}),
        ("def f():\n    return f()", set()),
        ("f = lambda a, b=c: a + b + d", {"c", "d"}),
        ("[a * b for a in c if a > d]", {"b", "c", "d"}),
        ("{k: v for k, v in pairs.items()}", {"pairs"}),
        ("[x for row in table for x in row]", {"table"}),
        ("class A(B):\n    x = 1\n    def f(self):\n        return self.x + y", {"B", "y"}),
        ("if (n := count()) > 2:\n    n", {"count"}),
        ("with plt.rc_context() as context:\n    context", {"plt"}),
        ("f'{x:{width}}'", {"x", "width"}),
        ("a, (b, *c) = d\na, b, c", {"d"}),
        ("x[i] = v", {"x", "i", "v"}),
        ("x.grid = True", {"x"}),
        ("try:\n    x = f()\nexcept Error as error:\n    error", {"f", "Error", "error"}),
    ],
)
def test_needs(source, needs):
    assert only(source).needs == needs


@pytest.mark.parametrize(
    ("source", "binds", "changes"),
    [
        ("a, (b, *c) = d", {"a", "b", "c"}, set()),
        ("rows.append(1)", set(), {"rows"}),
        ("axes[0].plot(x)", set(), {"axes"}),
        ("rows = []\nrows.append(1)", {"rows"}, set()),
        ("x[0] = 1", set(), {"x"}),
        ("x += 1", set(), {"x"}),
        ("y = rows.copy()", {"y"}, set()),
        ("def f(rows):\n    rows.append(1)", {"f"}, set()),
        ("for k in ks:\n    last = k", {"k", "last"}, set()),
    ],
)
def test_binds_and_changes(source, binds, changes):
    unit = only(source)
    assert unit.binds == binds
    assert unit.changes == changes


def test_each_import_is_a_unit_and_lines_stay_where_they_are():
    source = "import numpy as np\nfrom regbook import (\n    plotting,\n    slider as s,\n)\n\n1 / 0"
    *imports, rest = names.units("cell", source)
    assert [unit.source for unit in imports] == [
        "import numpy as np",
        "from regbook import plotting",
        "from regbook import slider as s",
    ]
    assert [unit.binds for unit in imports] == [{"np"}, {"plotting"}, {"s"}]
    assert imports[2].modules == {"regbook", "regbook.slider"}
    assert rest.source.splitlines()[6] == "1 / 0"
    assert rest.source.strip() == "1 / 0"


def test_an_import_that_shares_its_line_stays_in_its_cell():
    (unit,) = names.units("cell", "import math; x = math.pi")
    assert unit.binds == {"math", "x"}
    assert unit.modules == {"math"}


CELLS = [
    ("imports", "import numpy as np\nimport matplotlib.pyplot as plt"),
    ("data", "rng = np.random.default_rng(0)\nx = rng.normal(size=3)"),
    ("noise", "noise = rng.normal(size=3)"),
    ("rows", "rows = [x]"),
    ("more", "rows.append(noise)"),
    ("figure", "plt.plot(x)"),
    ("other", "x = np.zeros(3)"),
    ("table", "len(rows)"),
    ("draw", "rng.normal()"),
]


def planned(target, **state):
    return [(unit.cell, unit.source.strip()) for unit in plan(CELLS, target, **state)]


def plan(cells, target, *more, **state):
    return names.plan([(cell, source, True) for cell, source in cells], target, *more, **state)


def test_only_what_is_needed_runs_in_the_order_of_the_page():
    assert [cell for cell, _ in planned("table")] == ["imports", "data", "noise", "rows", "more", "table"]
    assert planned("figure")[:2] == [("imports", "import numpy as np"), ("imports", "import matplotlib.pyplot as plt")]
    assert "import matplotlib.pyplot as plt" not in [source for _, source in planned("table")]


def test_no_figure_needs_the_figures_above_it():
    cells = [("a", "import matplotlib.pyplot as plt"), ("b", "slow()\nplt.show()"), ("c", "plt.plot([1])")]
    assert [unit.cell for unit in plan(cells, "c")] == ["a", "c"]


def test_what_a_cell_binds_itself_is_not_looked_for_above():
    cells = [("a", "x = slow()"), ("b", "import numpy as np\nx = 1"), ("c", "import math as x\nx.pi, np")]
    assert [(unit.cell, unit.source.strip()) for unit in plan(cells, "c")] == [
        ("b", "import numpy as np"),
        ("c", "import math as x"),
        ("c", "x.pi, np"),
    ]


def test_every_use_of_a_generator_changes_it():
    assert [cell for cell, _ in planned("draw")] == ["imports", "data", "noise", "draw"]


def test_what_a_function_reads_may_be_bound_after_it():
    cells = [("a", "k = 1"), ("f", "def f():\n    return g() + k"), ("g", "def g():\n    return 1"), ("b", "k = 2")]
    cells += [("call", "f()"), ("c", "k = 3"), ("last", "k")]
    assert [unit.cell for unit in plan(cells, "call")] == ["f", "g", "b", "call"]
    assert only("def f():\n    return x\n\nx").late == set()
    assert only("x\nlambda: x + y").late == {"y"}


def test_functions_that_call_each_other():
    cells = [("f", "def f():\n    return g()"), ("g", "def g():\n    return f()"), ("call", "f()")]
    assert [unit.cell for unit in plan(cells, "call")] == ["f", "g", "call"]


def test_what_has_run_does_not_run_again_unless_its_name_was_taken():
    done = {names.key(unit) for unit in plan(CELLS, "figure")}
    assert planned("figure", done=done) == [("figure", "plt.plot(x)")]
    (other,) = names.units(*CELLS[6])
    taken = planned("figure", done=done, owners={"x": names.key(other)})
    assert [cell for cell, _ in taken] == ["data", "figure"]


def test_a_changed_cell_runs_again():
    done = {names.key(unit) for unit in plan(CELLS, "table")}
    changed = [(cell, "rows = [x, x]" if cell == "rows" else source) for cell, source in CELLS]
    assert [unit.cell for unit in plan(changed, "table", done)] == ["rows", "table"]


def test_a_broken_cell_above_binds_nothing():
    cells = [("a", "x = ("), ("b", "x = 2"), ("c", "x")]
    assert [unit.cell for unit in plan(cells, "c")] == ["b", "c"]
    assert plan(cells, "a") == []


def test_of_a_cell_that_does_not_run_only_the_imports_are_at_hand():
    cells = [("a", "import numpy as np\nimport torch\nx = torch.ones(3)", False), ("b", "np.ones(3), x", True)]
    assert [unit.source for unit in names.plan(cells, "b")] == ["import numpy as np", "np.ones(3), x"]
