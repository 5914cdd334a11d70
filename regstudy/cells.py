"""One cell of a study: one arm of one task, in one stage. What a worker computes, and what is stored of it.

A worker gets names and numbers alone, and looks up the rest: functions need not travel between processes. What it
returns, a dict of numbers and lists, is what a file of results holds.
"""

import time
from importlib import import_module
from typing import Any

import numpy as np

from regbook.fit import Result, fit


def train(home, task, arm, settings, seeds, *, test):
    """Train settings of one arm of one task on several seeds, on one core.

    Parameters
    ----------
    home : str
        The module with the `regstudy.problem.Problem` in its ``PROBLEMS``.
    task, arm : str
        The names of the problem and of its arm.
    settings : sequence of dict
    seeds : sequence of int
    test : bool
        Whether to measure on test data.

    Returns
    -------
    dict
        The numbers of `result`, and ``cpu_seconds`` and ``seconds``, what they took.
    """
    from threadpoolctl import threadpool_limits

    began, core = time.monotonic(), time.thread_time()
    problem = import_module(home).PROBLEMS[task]
    with threadpool_limits(1):  # the matrices are small; and the rounding is then the same on every machine of a kind
        found = fit(problem.task, problem.arm(arm), settings, seeds, test=test)
    ends = {"validation": found.validation, "train": found.train, "test": found.test}
    curves = {"train_curve": found.train_curve, "validation_curve": found.validation_curve}
    return {
        "settings": [dict(setting) for setting in found.settings],
        "seeds": list(found.seeds),
        **{name: [_floats(row) for row in values] for name, values in ends.items() if values is not None},
        "best_step": found.best_step.tolist(),
        "steps": found.steps.tolist(),
        **{name: [_floats(row) for row in values.mean(axis=-1).T] for name, values in curves.items()},
        "cpu_seconds": round(time.thread_time() - core, 1),
        "seconds": round(time.monotonic() - began, 1),
    }


def result(cell):
    """Return what a cell holds as a `regbook.fit.Result`; its curves are means over the seeds, (L, K, 1)."""
    curves: dict[str, Any] = {name: np.array(cell[name]).T[..., None] for name in ("train_curve", "validation_curve")}
    return Result(
        settings=tuple(cell["settings"]),
        seeds=tuple(cell["seeds"]),
        validation=np.array(cell["validation"]),
        train=np.array(cell["train"]),
        test=np.array(cell["test"]) if "test" in cell else None,
        steps=np.array(cell["steps"]),
        best_step=np.array(cell["best_step"]),
        **curves,
    )


def _floats(values):
    """Return numbers as a list, rounded to 7 digits: those that float32 holds."""
    return [float(f"{value:.7g}") for value in values]
