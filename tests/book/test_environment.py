"""The environment: what is pinned, what is asked of which index, and that no network is asked for nothing."""

import contextlib
import importlib.metadata
import importlib.util
import re
import subprocess
import sys
import tomllib
import zipfile

import grimp
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import ROOT
from tools import compressed, constraints, packages, pythons

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.fixture
def environment(monkeypatch, tmp_path):
    """The set-up script, loaded anew as a module, whose environment is this Python and whose folder is empty."""
    spec = importlib.util.spec_from_file_location("environment", ROOT / "tools" / "environment.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "venv_python", lambda: sys.executable)
    return module


@pytest.fixture
def index(tmp_path):
    """An index on this machine with one package, torch 2.13.0+cpu; it stands for PyTorch's."""
    folder = tmp_path / "index" / "torch"
    folder.mkdir(parents=True)
    wheel = "torch-2.13.0+cpu-py3-none-any.whl"
    information = "torch-2.13.0+cpu.dist-info"
    with zipfile.ZipFile(folder / wheel, "w") as archive:
        archive.writestr("torch.py", "")
        archive.writestr(f"{information}/METADATA", "Metadata-Version: 2.1\nName: torch\nVersion: 2.13.0+cpu\n")
        archive.writestr(f"{information}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{information}/RECORD", "")
    (folder / "index.html").write_text(f'<a href="{wheel.replace("+", "%2B")}">{wheel}</a>')
    with compressed.serving(tmp_path / "index") as address:
        yield address


@pytest.fixture
def empty_venv(environment, monkeypatch, tmp_path):
    """An environment with nothing in it but pip, which knows no index, as on a machine without a network."""
    for name in ("PIP_INDEX_URL", "PIP_NO_INDEX", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_CONSTRAINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    monkeypatch.setattr(environment, "venv_python", lambda: str(python))
    monkeypatch.setattr(environment.sys, "platform", "linux")
    return python


def version_of_torch(python):
    program = "from importlib.metadata import version; print(version('torch'))"
    done = subprocess.run([python, "-c", program], capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


def test_on_linux_torch_comes_from_the_index_without_cuda(environment, empty_venv, index, capsys):
    environment.install_torch("torch==2.13.0", index)
    assert capsys.readouterr().out == ""
    assert version_of_torch(empty_venv) == "2.13.0+cpu"
    environment.install_torch("torch==2.13.0", "http://127.0.0.1:1")  # it is there: nothing is asked
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("pin", "address"), [("torch==2.13.0", "http://127.0.0.1:1"), ("torch==9.9.9", None)], ids=["away", "lacks it"]
)
def test_without_that_index_one_line_says_what_it_costs(environment, empty_venv, index, capsys, pin, address):
    address = address or index
    environment.install_torch(pin, address)
    assert capsys.readouterr().out == (
        f"torch: {address} could not be reached, or lacks {pin}. PyPI's build for Linux brings CUDA: "
        f"{environment.TORCH_COST.partition(': ')[2]}.\n"
    )
    assert version_of_torch(empty_venv) is None


def test_an_index_of_the_machines_own_is_respected(environment, empty_venv, index, capsys, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
    environment.install_torch("torch==2.13.0", index)
    assert capsys.readouterr().out.startswith("torch: from the index that pip is set up with.")
    assert version_of_torch(empty_venv) is None


def test_elsewhere_torch_needs_no_index_of_its_own(environment, empty_venv, index, monkeypatch):
    monkeypatch.setattr(environment.sys, "platform", "darwin")
    environment.install_torch("torch==2.13.0", index)
    assert version_of_torch(empty_venv) is None


def test_the_pin_of_torch_is_found(environment):
    assert re.fullmatch(r"torch==\d+\.\d+\.\d+", environment.torch_pin("requirements.txt"))
    assert environment.torch_pin("requirements-dev.txt") == ""


@pytest.mark.parametrize(
    ("line", "loose"),
    [
        ("numpy==2.4.6", "numpy>=2.4.6"),
        ("jupyter-book==1.0.4.post1 # <2", "jupyter-book>=1.0.4.post1,<2"),
        ('a==1; platform_system == "Linux"', 'a>=1; platform_system == "Linux"'),
        ("# --- tests", ""),
    ],
)
def test_newest_turns_pins_into_lower_bounds(environment, line, loose):
    assert environment.loosened(line) == loose


@pytest.mark.parametrize("whole", [False, True])
def test_an_environment_that_was_stopped_half_made_is_made_again(environment, monkeypatch, tmp_path, whole):
    done = []
    monkeypatch.setattr(environment, "VENV", str(tmp_path))
    if not whole:  # pip comes last: this is what Ctrl-C leaves
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path], check=True)
        monkeypatch.setattr(environment, "venv_python", lambda: str(tmp_path / "bin" / "python"))
    monkeypatch.setattr(environment, "make_venv", done.append)
    monkeypatch.setattr(environment, "install_torch", lambda pin: None)
    monkeypatch.setattr(environment, "install", lambda arguments: None)
    monkeypatch.setattr(environment.lock, "held", lambda folder: contextlib.nullcontext())
    environment.main([])
    assert done == ([] if whole else [sys.executable])


@pytest.mark.parametrize("words", [["--all"], ["tests"], ["--unpinned", "--newest"]])
def test_unknown_words_and_two_ways_at_once_are_an_error(environment, monkeypatch, words, capsys):
    monkeypatch.setattr(environment, "prepare", lambda *_: pytest.fail("something was done"))
    with pytest.raises(SystemExit, match=r"^2$"):
        environment.main(words)
    assert "error: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--newest"], (["requirements.txt"], "--newest")),
        (["--tests", "--unpinned"], (["requirements.txt", "requirements-dev.txt"], "--unpinned")),
    ],
)
def test_options_say_what_is_installed_and_how(environment, monkeypatch, words, expected):
    done = []
    monkeypatch.setattr(environment, "prepare", lambda requirements, python, how: done.append((requirements, how)))
    monkeypatch.setattr(environment.lock, "held", lambda folder: contextlib.nullcontext())
    environment.main(words)
    assert done == [expected]


def test_an_environment_that_is_up_to_date_asks_nothing(environment, monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "VENV", str(tmp_path))
    monkeypatch.setattr(environment, "pip", lambda _: pytest.fail("pip was called"))
    for name in (environment.BOOK, environment.TESTS):
        (tmp_path / f"installed-{name}").write_text(environment.wanted(name))
    environment.main([])
    environment.main(["--tests"])


def test_what_is_installed_follows_from_each_file_that_decides_it(environment, monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "ROOT", str(tmp_path))
    names = (environment.BOOK, environment.TESTS, environment.CONSTRAINTS, "pyproject.toml")
    for name in names:
        (tmp_path / name).write_text("")
    before = {name: environment.wanted(name) for name in names[:2]}
    (tmp_path / environment.TESTS).write_text("ruff==1")
    assert environment.wanted(environment.BOOK) == before[environment.BOOK]
    assert environment.wanted(environment.TESTS) != before[environment.TESTS]
    (tmp_path / environment.CONSTRAINTS).write_text("six==1")
    assert environment.wanted(environment.BOOK) != before[environment.BOOK]


def test_direct_dependencies_are_pinned_once():
    lines = [
        line.partition("#")[0].strip()
        for name in constraints.FILES
        for line in (ROOT / name).read_text(encoding="utf-8").splitlines()
    ]
    found = [Requirement(line) for line in lines if line]
    assert not [str(one) for one in found if [spec.operator for spec in one.specifier] != ["=="]]
    assert len({one.name for one in found}) == len(found)
    assert not {one.name for one in found} & constraints.pinned().keys()


def test_what_they_pull_in_is_pinned_as_installed():
    assert constraints.problems() == []


def test_constraints_see_what_is_missing_and_what_differs(monkeypatch):
    real = constraints.pinned()
    monkeypatch.setattr(constraints, "pinned", lambda: {**real, "jinja2": "0"} | {"only-on-windows": "1"})
    assert [line.split()[0] for line in constraints.problems()] == ["jinja2"]
    monkeypatch.setattr(constraints, "pinned", lambda: {k: v for k, v in real.items() if k != "jinja2"})
    assert [line.rpartition(" is ")[2] for line in constraints.problems()] == ["installed and not pinned"]


def unit_tests(graph):
    """Return the modules of the unit tests that need no framework, and those of the tools that they import."""
    folders = tuple(f"{folder.replace('/', '.')}." for folder in pythons.TESTS)
    left_out = tuple(path.partition("=")[2].removesuffix(".py").replace("/", ".") for path in pythons.FRAMEWORKS)
    found = {name for name in graph.modules if name.startswith(folders) and not name.startswith(left_out)}
    return found | {name for one in found for name in graph.find_upstream_modules(one) if name.startswith("tools.")}


def test_the_extras_bring_what_the_unit_tests_import():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [line for name in pythons.EXTRAS for line in project["optional-dependencies"][name]]
    brought = constraints.closure(map(Requirement, project["dependencies"] + lines))
    graph = grimp.build_graph("tests", "tools", include_external_packages=True, cache_dir=None)
    names = {other for one in unit_tests(graph) for other in graph.find_modules_directly_imported_by(one)}
    outside = {name.partition(".")[0] for name in names} - {"tests", "tools", *packages.NAMES, *sys.stdlib_module_names}
    assert {"numpy", "pytest", "hypothesis", "yaml"} <= outside
    distributions = importlib.metadata.packages_distributions()
    assert not [name for name in sorted(outside) if not {*map(canonicalize_name, distributions[name])} & brought]


def test_the_extras_name_what_the_book_pins():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    names = {Requirement(line).name for name in pythons.EXTRAS for line in extras[name]}
    pins = {requirement.name for one in constraints.FILES for requirement in constraints.requirements(one)}
    assert names <= pins | constraints.pinned().keys()


def test_every_job_of_the_scheduled_run_is_reported_when_it_fails():
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "versions.yml").read_text(encoding="utf-8"))["jobs"]
    assert set(jobs["report"]["needs"]) == jobs.keys() - {"report"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_pin_actions_and_ask_for_little(path):
    text = path.read_text(encoding="utf-8")
    uses = re.findall(r"uses: *(\S+)(.*)", text)
    assert all(re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", action) for action, _ in uses), uses
    assert all(re.fullmatch(r" # v\d+\.\d+\.\d+", comment) for _, comment in uses), "a version beside each commit"
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] in ({}, {"contents": "read"})
    for name, job in workflow["jobs"].items():
        writes = {key for key, value in job.get("permissions", {}).items() if value == "write"}
        assert writes <= {"issues", "pages", "id-token", "contents", "pull-requests"}, name
        assert "timeout-minutes" in job, name


def test_every_supported_python_is_tried():
    from tools.environment import SUPPORTED

    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8"))
    tried = workflow["jobs"]["units"]["strategy"]["matrix"]["python"]
    assert tried == ["{}.{}".format(*version) for version in SUPPORTED]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    low, high = SUPPORTED[0], SUPPORTED[-1]
    assert project["requires-python"] == f">={low[0]}.{low[1]},<{high[0]}.{high[1] + 1}"


def test_no_package_index_is_named_but_pytorchs():
    """Which index pip asks is the machine's matter."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a clone")
    names = "pypi" + ".org", "pythonhosted" + ".org", "npmjs" + ".org", "npmjs" + ".com"
    found = [
        name
        for name in listed.stdout.splitlines()
        if (ROOT / name).is_file()
        and any(host in (ROOT / name).read_text(encoding="utf-8", errors="replace") for host in names)
    ]
    assert not found
