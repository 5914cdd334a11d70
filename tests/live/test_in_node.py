"""Under the interpreter of the pages, in Node: some unit tests of reglib and regcheck; all by ``make lowest``."""

import os

import pytest

from tools import node
from tools.live import runtime, unit_tests

SOME = ("tests/reglib/weights", "tests/reglib/train/test_optim.py", "tests/regcheck/test_core.py")


def test_with_the_lowest_numpy_that_reglib_promises(capfd):
    try:
        status = unit_tests.main(list(SOME))
    except node.UnavailableError as error:
        (pytest.fail if os.environ.get("REQUIRE_LIVE") else pytest.skip)(str(error))
    out = capfd.readouterr().out
    assert status == 0, out[-3000:]
    assert " passed" in out


def test_the_lowest_numpy_is_the_one_of_the_pages(root):
    import tomllib

    wanted = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    lowest = next(line.partition(">=")[2] for line in wanted if line.startswith("numpy"))
    assert runtime.PINNED["lock"]["packages"]["numpy"]["version"].startswith(f"{lowest}.")
