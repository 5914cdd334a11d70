"""The plain edition runs where a reader may run it: as on Colab, and with NumPy and matplotlib alone."""

import os
import subprocess

import pytest

from tests.conftest import ROOT, exactly
from tools import command, elsewhere, notebooks

HTML = ROOT / "_build" / "html"
AS_ON_COLAB = ("evidence/conventions", "evidence/l1-l2")  # what Keras does with float64 differs between its versions
ALONE = "penalties/weight-decay"


def interpreter(kind):
    """Return the Python of an environment; without a package index the test is skipped, or fails if it must not be."""
    try:
        return elsewhere.python(kind)
    except elsewhere.NoEnvironmentError as error:
        (pytest.fail if os.environ.get("REQUIRE_ELSEWHERE") else pytest.skip)(str(error))


def installed(python, *names):
    """Return the versions of distributions in an environment; None for those that are not there."""
    ask = (
        "import importlib.metadata as m\ndef v(n):\n    try:\n        return m.version(n)\n"
        f"    except m.PackageNotFoundError:\n        return None\nprint(*[v(n) for n in {names!r}], sep='|')"
    )
    return (
        subprocess.run([str(python), "-c", ask], capture_output=True, text=True, check=True).stdout.strip().split("|")
    )


def code_cells(folder, name):
    return [cell for cell in notebooks.read(folder / f"book/{name}.ipynb")["cells"] if cell["cell_type"] == "code"]


def printed(cell):
    return "".join("".join(output.get("text", "")) for output in cell["outputs"])


@pytest.mark.xdist_group("elsewhere")
def test_two_notebooks_run_as_on_colab(tmp_path):
    python = interpreter("colab")
    assert elsewhere.run("colab", HTML, AS_ON_COLAB, folder=tmp_path) == 0
    numpy, keras, torch, reglib = installed(python, "numpy", "keras", "torch", "reglib")
    assert (numpy[:4], keras[:5]) == ("2.1.", "3.13.")
    assert torch != "None"
    assert reglib == "0.1.0"
    for name in AS_ON_COLAB:
        assert all(cell["execution_count"] for cell in code_cells(tmp_path, name))


@pytest.mark.xdist_group("elsewhere")
def test_with_numpy_and_matplotlib_alone_the_rest_of_a_notebook_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("REQUIRE_FRAMEWORKS", "1")  # as in `make test`
    python = interpreter("bare")
    assert installed(python, "torch", "keras", "scikit-learn", "scipy", "pandas") == ["None"] * 5
    assert elsewhere.run("bare", HTML, [ALONE], folder=tmp_path) == 0
    cells = code_cells(tmp_path, ALONE)
    skipped = [cell for cell in cells if "Skipped: needs " in printed(cell)]
    assert all(cell["execution_count"] for cell in cells)
    assert 0 < len(skipped) < len(cells) / 2
    assert any("pip install torch" in printed(cell) for cell in skipped)
    assert sum(bool(cell["outputs"]) for cell in cells if cell not in skipped) >= 5


def test_a_name_that_no_notebook_has_is_refused_before_anything_is_done(tmp_path, monkeypatch):
    monkeypatch.setattr(elsewhere, "python", lambda kind: pytest.fail("an environment was asked for"))
    with pytest.raises(command.StopError, match=exactly("no such notebook: nothing")):
        elsewhere.run("bare", HTML, ["nothing"], folder=tmp_path)


def test_no_index_is_one_clear_line(monkeypatch, tmp_path):
    monkeypatch.setattr(elsewhere, "FOLDER", tmp_path)
    monkeypatch.setitem(elsewhere.NEEDS, "bare", ("no-such-package-as-this-one-at-all",))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(elsewhere.NoEnvironmentError, match=r"^bare: pip could not install: [^\n]*no-such-package"):
        elsewhere.python("bare")
    assert not (tmp_path / "bare" / "made-of").exists()
