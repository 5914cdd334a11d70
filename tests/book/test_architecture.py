"""The shape of the packages: who may import whom, what may be imported at all, and what must be documented."""

import ast
import importlib
import inspect
import shutil
import subprocess
import sys
import tomllib
import zipfile

import grimp
import pytest

from tests.conftest import ROOT
from tools import packages

# One training step, read from left to right: a part of reglib imports only from itself and from the parts before it.
PARTS = (
    "_constants",
    "_values",
    "_validate",
    "_replicas",
    "gradcheck",
    "data",
    "noise",
    "layers",
    "weights",
    "train",
    "nets",
    "predict",
)
PARTS += ("linear", "convert")
# What a package may import of ours, and from outside, besides NumPy and the standard library.
OURS = {"reglib": set(), "regcheck": {"reglib"}, "regbook": {"reglib"}, "regstudy": {"reglib", "regbook"}}
OURS |= {"regkit": set()}  # and nobody imports it but notebooks and tests
OUTSIDE = {
    "reglib": set(),
    "regcheck": set(),
    "regbook": {"matplotlib", "matplotlib_inline", "IPython", "sklearn", "scipy", "mlxtend", "tqdm"},
    "regstudy": {"scipy", "tqdm", "joblib", "distributed", "threadpoolctl"},
    "regkit": set(),
}
FRAMEWORKS = {"torch", "tensorflow", "keras", "jax"}
# These are imported inside the functions that need them: importing a package needs NumPy alone (figures apart).
LAZY = {"sklearn", "scipy", "mlxtend", "tqdm", "IPython", "matplotlib_inline", "joblib", "distributed", "threadpoolctl"}
LAZY |= FRAMEWORKS
# The one part of ours that runs frameworks, to show that they agree with reglib.
REPLAY = "regbook.replay"
# Drop-in modules are made of a framework, which they import at their top: whoever asks for them has it.
KITS = {"regkit.torch": {"torch"}, "regkit.keras": {"keras", "tensorflow"}}
MODULES = {package: packages.modules(package) for package in packages.NAMES}
ALL = [name for names in MODULES.values() for name in names]
PUBLIC = [name for name in ALL if not name.rpartition(".")[2].startswith("_")]
# What the page of the interfaces lists, whose docstrings name every parameter.
LISTED = ("reglib.", "regbook.", "regkit.")


def part(name):
    """Return the place of a module of reglib in the order of a training step."""
    return PARTS.index(name.split(".")[1])


def framework(name):
    """Return the framework that a module of regkit is for, as a set of packages; nothing for any other module."""
    return next((its for kit, its in KITS.items() if f"{name}.".startswith(f"{kit}.")), set())


@pytest.fixture(scope="module")
def graph():
    return grimp.build_graph(*packages.NAMES, include_external_packages=True, cache_dir=None)


def test_the_tools_find_every_module():
    files = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "*.py"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    there = [name for name in files if (ROOT / name).exists() and name.split("/")[0] in packages.NAMES]
    expected = {name.removesuffix(".py").replace("/", ".").removesuffix(".__init__") for name in there}
    found = set(ALL) | set(packages.folders())
    assert {name for name in expected if not name.endswith("__main__")} == found


def test_every_part_of_reglib_has_its_place():
    assert {name.split(".")[1] for name in MODULES["reglib"]} <= set(PARTS)


@pytest.mark.parametrize("name", MODULES["reglib"])
def test_imports_of_reglib_point_one_way(graph, name):
    inside = {other for other in graph.find_modules_directly_imported_by(name) if other.startswith("reglib.")}
    later = {other for other in inside if part(other) > part(name)}
    assert not later, f"{name} imports {later}, which come later in a training step"


@pytest.mark.parametrize("name", ALL)
def test_no_circles(graph, name):
    assert name not in graph.find_upstream_modules(name)


@pytest.mark.parametrize("name", ALL)
def test_only_the_stated_packages(graph, name):
    own = name.partition(".")[0]
    imported = {other.partition(".")[0] for other in graph.find_modules_directly_imported_by(name)}
    frameworks = FRAMEWORKS if name.startswith(f"{REPLAY}.") else framework(name)
    assert imported - set(sys.stdlib_module_names) - {own, "numpy"} <= OURS[own] | OUTSIDE[own] | frameworks


def test_no_framework_is_reached_but_by_replay_and_the_drop_in_modules(graph):
    reached = {module for module in ALL if FRAMEWORKS & graph.find_upstream_modules(module)} - set(MODULES["regkit"])
    assert {module for module in reached if not module.startswith(f"{REPLAY}.")} == set()
    assert f"{REPLAY}.training" in reached


def test_a_drop_in_module_needs_its_framework_alone(graph):
    """Not even NumPy: a class can be copied into any project."""
    folders = [name for name in packages.folders() if name.startswith("regkit")]
    for name in MODULES["regkit"] + folders:
        imported = {other.partition(".")[0] for other in graph.find_modules_directly_imported_by(name)}
        assert imported - set(sys.stdlib_module_names) - {"regkit"} <= framework(name), name


def test_importing_regkit_needs_no_framework():
    program = f"import sys\nfor name in {sorted(FRAMEWORKS | {'numpy'})!r}: sys.modules[name] = None\nimport regkit"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_importing_replay_needs_numpy_alone():
    program = (
        "import sys, importlib\n"
        f"for name in {sorted(set.union(*OUTSIDE.values()) | FRAMEWORKS)!r}: sys.modules[name] = None\n"
        f"for name in {[name for name in ALL if name.startswith(REPLAY)]!r}: importlib.import_module(name)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_reglib_runs_with_numpy_alone():
    program = (
        "import sys, importlib\n"
        f"for name in {sorted(set.union(*OUTSIDE.values()) | FRAMEWORKS)!r}: sys.modules[name] = None\n"
        f"for name in {MODULES['reglib'] + MODULES['regcheck']!r}: importlib.import_module(name)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ALL)
def test_heavy_extras_are_imported_where_they_are_needed(name):
    tree = ast.parse(packages.file(name).read_text(encoding="utf-8"))
    top = {alias.name.split(".")[0] for node in tree.body if isinstance(node, ast.Import) for alias in node.names}
    top |= {node.module.split(".")[0] for node in tree.body if isinstance(node, ast.ImportFrom) and node.module}
    assert not top & LAZY - framework(name)


@pytest.mark.parametrize("name", ALL)
def test_modules_stay_readable(name):
    assert (
        len(packages.file(name).read_text(encoding="utf-8").splitlines()) <= 550
    )  # with lines of 79 characters in reglib


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


@pytest.mark.parametrize("name", [*ALL, *packages.folders()])
def test_public_names_are_documented(name):
    module = importlib.import_module(name)
    assert module.__doc__
    bare = [key for key, thing in public(module).items() if not (inspect.getdoc(thing) or "").strip()]
    assert not bare, f"without a docstring: {bare}"


@pytest.mark.parametrize("name", [name for name in PUBLIC if name.startswith(LISTED)] + ["regstudy.studies"])
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
    assert sorted(listed) == sorted(name for name in PUBLIC if name.startswith(LISTED))


def test_tests_mirror_the_packages():
    """Every module has its file ``tests/PACKAGE/.../test_MODULE.py``; ``test_MODULE_more.py`` may stand beside it."""
    modules = {packages.test_file(name) for name in ALL}
    there = {path for package in packages.NAMES for path in (ROOT / "tests" / package).rglob("test_*.py")}
    beside = {path for path in there for own in modules if str(path).startswith(f"{own.with_suffix('')}_")}
    assert {str(path.relative_to(ROOT)) for path in there - modules - beside} <= OF_MANY_MODULES
    untested = {name for name in MODULES["reglib"] if not packages.test_file(name).exists()}
    assert untested <= TESTED_THROUGH_OTHERS


# Of a whole package, or of the harness of tests itself.
OF_MANY_MODULES = {"tests/regcheck/test_harness.py", "tests/reglib/test_bad_input.py"}
OF_MANY_MODULES |= {"tests/regkit/torch/test_every_module.py"}
# Private modules that are tested through the public ones that are made of them.
TESTED_THROUGH_OTHERS = {"reglib._constants", "reglib.layers._gates", "reglib.layers._sequence"}
TESTED_THROUGH_OTHERS |= {"reglib.layers.cells", "reglib.linear._iterations"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The packages as pip installs them, unpacked outside of the clone."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in packages.NAMES:  # a copy, since building leaves files behind
        shutil.copytree(ROOT / name, folder / "source" / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / "source")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(folder)]
    subprocess.run([*command, str(folder / "source")], check=True, capture_output=True)
    (file,) = folder.glob("*.whl")
    with zipfile.ZipFile(file) as archive:
        archive.extractall(folder / "installed")
    return folder / "installed"


def test_the_wheel_holds_every_module(wheel):
    names = [name for name in [*ALL, *packages.folders()] if not name.startswith("regbook.plotting")]
    program = (
        f"import sys, importlib\nsys.path.insert(0, {str(wheel)!r})\n"
        f"for name in {names!r}:\n"
        f"    assert importlib.import_module(name).__file__.startswith({str(wheel)!r}), name\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=wheel, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_packages_are_discovered_not_listed():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    assert settings["setuptools"]["packages"]["find"]["include"] == [f"{name}*" for name in packages.NAMES]
    assert settings["basedpyright"]["include"] == [*packages.NAMES, "tools", "bench"]
