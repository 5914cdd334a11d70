"""Runs in Node, under Pyodide, called by `tools.live.unit_tests`: pytest, from a folder lent by the host."""

import sys

import host  # pyright: ignore[reportMissingImports]

LENT, FETCHED, *WANTED = list(host.arguments)
for folder, place in ((LENT, "/lent"), (FETCHED, "/fetched")):
    host.mount(folder, place)
    sys.path.append(place)

import pytest  # noqa: E402

OPTIONS = [
    "-q",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:faulthandler",
    "--capture=sys",
    "--override-ini",
    "addopts=",
    "--tb=short",
]
int(pytest.main([*OPTIONS, *WANTED]))
