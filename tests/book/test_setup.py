"""Anywhere: the one set-up cell, the one address, and the files that Binder, Colab and pip read agree."""

import re
import shutil
import subprocess
import sys
import tomllib

import pytest
import yaml

from tests.conftest import ROOT
from tools import notebooks, site


def run_cell(code, cwd, path):
    """Run the set-up cell in a fresh, isolated interpreter, with a stand-in for reglib's neighbours."""
    program = f"import sys\nsys.path[:] = {path!r}\n{code}\nprint(reglib_file())"
    program = program.replace("print(reglib_file())", "import reglib\nprint(reglib.__file__)")
    return subprocess.run([sys.executable, "-I", "-c", program], cwd=cwd, capture_output=True, text=True, check=False)


def path_without_reglib(tmp_path):
    """Return a module search path that has everything installed except reglib."""
    blocked = str(ROOT)
    return [entry for entry in sys.path if entry and entry != blocked and "__editable__" not in entry]


@pytest.fixture
def setup_without_plots():
    """The set-up cell up to the point where it has found reglib."""
    return notebooks.setup_source().split("from regbook import plotting")[0]


def test_every_notebook_carries_the_same_cell():
    texts = {
        notebooks.source(cell)
        for path in notebooks.paths()
        for cell in notebooks.read(path)["cells"]
        if cell["id"] == notebooks.SETUP_ID
    }
    assert texts == {notebooks.setup_source()}


def test_the_cell_finds_a_clone_from_a_chapters_folder(tmp_path, setup_without_plots):
    clone = tmp_path / "clone"
    (clone / "reglib").mkdir(parents=True)
    (clone / "reglib" / "__init__.py").write_text("")
    (clone / "book" / "penalties").mkdir(parents=True)
    no_installed = "import importlib.util\nimportlib.util.find_spec = lambda name: None\n"
    done = run_cell(no_installed + setup_without_plots, clone / "book" / "penalties", path_without_reglib(tmp_path))
    assert done.returncode == 0, done.stderr
    assert str(clone) in done.stdout


def test_the_cell_says_what_to_do_when_there_is_nothing(tmp_path, setup_without_plots):
    no_installed = "import importlib.util\nimportlib.util.find_spec = lambda name: None\n"
    code = re.sub(r'REPOSITORY = ".*"', 'REPOSITORY = ""', setup_without_plots)
    done = run_cell(no_installed + code, tmp_path, path_without_reglib(tmp_path))
    assert "open this notebook in a clone of the book" in done.stderr


def test_the_cell_installs_reglib_alone_from_the_address(tmp_path, setup_without_plots):
    spy = (
        "import importlib.util, subprocess\nimportlib.util.find_spec = lambda name: None\n"
        "subprocess.run = lambda command, check: (_ for _ in ()).throw(SystemExit(' '.join(command[1:])))\n"
    )
    code = re.sub(r'REPOSITORY = ".*"', 'REPOSITORY = "https://github.com/owner/name"', setup_without_plots)
    done = run_cell(spy + code, tmp_path, path_without_reglib(tmp_path))
    assert done.stderr.strip() == "-m pip install -q --no-deps git+https://github.com/owner/name"


def test_reglib_installs_with_numpy_alone():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert [re.split(r"[<>=]", name)[0] for name in project["dependencies"]] == ["numpy"]
    assert project["name"] == "reglib"


def test_versions_agree():
    import reglib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert project["version"] == reglib.__version__ == str(citation["version"])
    assert f"## {reglib.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_binder_reads_what_pip_reads():
    # Any binder/ folder would make Binder ignore the files at the root.
    assert not (ROOT / "binder").exists()
    assert not (ROOT / ".binder").exists()
    python = re.fullmatch(r"python-(3\.\d+)\n", (ROOT / "runtime.txt").read_text(encoding="utf-8"))[1]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    low, high = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", project["requires-python"]).groups()
    assert int(low) <= int(python.split(".")[1]) < int(high)


@pytest.mark.parametrize(
    ("repository", "pages"),
    [
        ("", ""),
        ("https://github.com/Owner/name", "https://owner.github.io/name/"),
        ("https://github.com/owner/name/", "https://owner.github.io/name/"),
        ("https://example.org/owner/name", ""),
    ],
)
def test_the_sites_address_follows_from_the_repositorys(repository, pages):
    assert site.pages_address(repository) == pages


def test_buttons_need_an_address():
    config = yaml.safe_load(site.staged_config())
    if notebooks.address():
        assert config["sphinx"]["config"]["html_theme_options"]["launch_buttons"]["colab_url"]
    else:
        assert "launch_buttons" not in config["sphinx"]["config"]["html_theme_options"]
        assert not config["html"]["use_repository_button"]
        assert not config["html"]["use_issues_button"]


def test_the_readme_names_the_two_commands_first():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.search(r"```sh\nmake book .*\nmake test .*\n```", text)
    assert text.index("make book") < text.index("make serve")


def test_make_help_lists_every_target_and_no_file_stands_for_one():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    (phony,) = re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    targets = re.findall(r"^([\w-]+):", text, re.MULTILINE)
    assert sorted(phony.split()) == sorted(targets)
    if shutil.which("make") is None:
        pytest.skip("there is no make")
    shown = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert [line.split()[0] for line in shown.splitlines()] == targets
