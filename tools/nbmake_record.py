"""A pytest plugin that records what each notebook costs: seconds, peak memory, and where it failed.

Used as ``pytest --nbmake -p tools.nbmake_record --record FILE``. The kernel and
its children are sampled every 50 ms: peak memory is the sum of their resident
sets, and processor time what they have used, which unlike the time on the clock
hardly depends on what else the machine is doing.
"""

import json
import os
import re
import threading
import time
from pathlib import Path

import psutil
import pytest

INTERVAL = 0.05
COLORS = re.compile(r"\x1b\[[0-9;]*m")


class Watch(threading.Thread):
    """Watch the children of this process until told to stop; ``peak`` is in bytes, ``cpu_seconds`` processor time."""

    def __init__(self):
        super().__init__(daemon=True)
        self.peak = 0
        self._cpu = {}
        self._stop_event = threading.Event()

    @property
    def cpu_seconds(self):
        return sum(self._cpu.values())

    def run(self):
        while not self._stop_event.wait(INTERVAL):
            self.peak = max(self.peak, self._sample())

    def stop(self):
        self._stop_event.set()
        self.join()

    def _sample(self):
        """Return the memory that the children hold now, and note the processor time that each has used."""
        total = 0
        for child in psutil.Process().children(recursive=True):
            try:
                times = child.cpu_times()
                total += child.memory_info().rss
            except psutil.NoSuchProcess:
                continue
            self._cpu[child.pid] = times.user + times.system
        return total


def pytest_addoption(parser):
    parser.addoption("--record", help="write what each notebook cost to this JSON file")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    if not getattr(item, "nbmake", False):
        return (yield)
    watch, start = Watch(), time.perf_counter()
    watch.start()
    try:
        return (yield)
    except Exception as error:
        result = error.args[0] if error.args else None
        failure = getattr(result, "error", None)
        if result is not None and failure is not None:
            cell = result.nb.cells[failure.failing_cell_index]
            item.user_properties.append(("cell", failure.failing_cell_index + 1))
            item.user_properties.append(("cell_id", cell.get("id", "?")))
            item.user_properties.append(("error", COLORS.sub("", failure.summary)))
        raise
    finally:
        watch.stop()
        item.user_properties.append(("seconds", round(time.perf_counter() - start, 2)))
        item.user_properties.append(("cpu_seconds", round(watch.cpu_seconds, 2)))
        item.user_properties.append(("peak_mb", round(watch.peak / 1e6)))


class Recorder:
    """Collects the reports (also those of xdist's workers) and writes them as they come: a run may be interrupted."""

    def __init__(self, path):
        self.path, self.rows = Path(path), {}

    def pytest_runtest_logreport(self, report):
        if report.when == "call":
            self.rows[report.nodeid.split("::")[0]] = {"outcome": report.outcome, **dict(report.user_properties)}
            new = self.path.with_suffix(".new")
            new.write_text(json.dumps(self.rows, indent=1, sort_keys=True) + "\n", encoding="utf-8")
            os.replace(new, self.path)


def pytest_configure(config):
    path = config.getoption("--record")
    if path and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(path))
