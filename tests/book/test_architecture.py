"""The shape of the packages: who may import whom, what may be imported at all, and what must be documented."""

import ast
import importlib
import inspect
import sys

import grimp
import pytest

from tests.conftest import ROOT

# From the bottom up: a module imports only from the layers below its own.
LAYERS = [
    {"_validate"},
    {
        "_gates",
        "_sequence",
        "activations",
        "datasets",
        "dropout_penalty",
        "ensemble",
        "gradcheck",
        "layer_conventions",
        "layer_norm",
        "layers",
        "losses",
        "masks",
        "metrics",
        "notebook",
        "penalties",
        "plotting",
        "recurrent_noise",
    },
    {"cells", "conv", "layer_norm_lstm", "conventions", "dropout", "duality", "optim", "sequences", "slider"},
    {"_solvers", "convnet", "mlp", "recurrent"},
    {"linear", "sequence_net", "variational"},
    {"training"},
    {"experiment"},
]
# What a module may import besides NumPy and the standard library.
EXTRAS = {
    "plotting": {"matplotlib", "matplotlib_inline", "IPython"},
    "datasets": {"sklearn"},
    "experiment": {"scipy"},
    "linear": {"tqdm"},
    "training": {"tqdm"},
}
# These are imported inside the functions that need them, so that the package needs NumPy alone.
LAZY = {"sklearn", "scipy", "tqdm", "IPython", "matplotlib_inline"}
FRAMEWORKS = {"torch", "tensorflow", "keras", "jax"}
MODULES = sorted(path.stem for path in (ROOT / "reglib").glob("*.py") if path.stem != "__init__")
CHECKS = sorted(path.stem for path in (ROOT / "regcheck").glob("*.py") if path.stem != "__init__")
STUDIES = sorted(path.stem for path in (ROOT / "regstudy").glob("*.py") if not path.stem.startswith("__"))
ALL = [f"reglib.{name}" for name in MODULES] + [f"regcheck.{name}" for name in CHECKS]
ALL += [f"regstudy.{name}" for name in STUDIES]


def rank(name):
    """Return the layer of a module of reglib."""
    return next(index for index, layer in enumerate(LAYERS) if name in layer)


@pytest.fixture(scope="module")
def graph():
    return grimp.build_graph("reglib", "regcheck", "regstudy", include_external_packages=True, cache_dir=None)


def test_every_module_has_a_layer():
    assert set(MODULES) == set.union(*LAYERS)


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_downwards(graph, name):
    inside = {
        other.partition(".")[2]
        for other in graph.find_modules_directly_imported_by(f"reglib.{name}")
        if other.startswith("reglib.")
    }
    upwards = {other for other in inside if rank(other) >= rank(name)}
    assert not upwards, f"{name} imports {upwards}, which stand no lower"


@pytest.mark.parametrize("name", MODULES)
def test_only_numpy_and_the_stated_extras(graph, name):
    outside = graph.find_modules_directly_imported_by(f"reglib.{name}") - {"reglib"}
    outside = {other for other in outside if not other.startswith("reglib.")} - set(sys.stdlib_module_names)
    assert outside <= {"numpy"} | EXTRAS.get(name, set())


def test_no_framework_reaches_reglib_its_checks_or_studies(graph):
    for module in ALL:
        assert not FRAMEWORKS & graph.find_upstream_modules(module)


def test_reglib_does_not_know_its_checks_and_studies(graph):
    assert not graph.find_upstream_modules("reglib", as_package=True) & set(ALL[len(MODULES) :])


@pytest.mark.parametrize("name", MODULES)
def test_heavy_extras_are_imported_where_they_are_needed(name):
    tree = ast.parse((ROOT / "reglib" / f"{name}.py").read_text(encoding="utf-8"))
    top = {alias.name.split(".")[0] for node in tree.body if isinstance(node, ast.Import) for alias in node.names}
    top |= {node.module.split(".")[0] for node in tree.body if isinstance(node, ast.ImportFrom) and node.module}
    assert not top & LAZY


@pytest.mark.parametrize("name", MODULES)
def test_modules_stay_readable(name):
    assert len((ROOT / "reglib" / f"{name}.py").read_text(encoding="utf-8").splitlines()) <= 400


def public(module):
    """Return the public functions, classes and methods that a module defines, by name."""
    found = {}
    for name, thing in vars(module).items():
        if name.startswith("_") or getattr(thing, "__module__", None) != module.__name__:
            continue
        if inspect.isclass(thing):
            found[name] = thing
            methods = {key: value for key, value in vars(thing).items() if not key.startswith("_")}
            found |= {f"{name}.{key}": value for key, value in methods.items() if inspect.isfunction(value)}
        elif callable(thing):
            found[name] = thing
    return found


@pytest.mark.parametrize("name", ALL)
def test_public_names_are_documented(name):
    module = importlib.import_module(name)
    assert module.__doc__
    bare = [key for key, thing in public(module).items() if not (inspect.getdoc(thing) or "").strip()]
    assert not bare, f"without a docstring: {bare}"


@pytest.mark.parametrize(
    "name", [f"reglib.{name}" for name in MODULES if not name.startswith("_")] + ["regstudy.recurrent"]
)
def test_docstrings_name_every_parameter(name):
    missing = []
    for key, thing in public(importlib.import_module(name)).items():
        if "." in key or (inspect.isclass(thing) and issubclass(thing, Exception)):
            continue
        text = inspect.getdoc(thing)
        missing += [f"{key}: {parameter}" for parameter in inspect.signature(thing).parameters if parameter not in text]
    assert not missing, f"parameters that the docstring does not mention: {missing}"


def test_the_api_page_lists_every_public_module():
    page = (ROOT / "book" / "api.md").read_text(encoding="utf-8")
    listed = [line.strip() for line in page.splitlines() if line.startswith("   ") and not line.strip().startswith(":")]
    assert listed == [name for name in MODULES if not name.startswith("_")]
