"""The race of a study: the same cells one after the other, and side by side in two processes."""

from bench.timing import race
from regstudy import runner, store
from regstudy.problems.mnist_dropout import PROBLEMS

TASK, CELLS, SETTINGS, SEEDS = "mnist-dropout-500", ("none", "hidden", "both", "decay"), 2, 2


def study_race():
    """Tuning of four arms of the study of dropout on one task, with one process and with two."""
    problem = PROBLEMS[TASK]
    calls = {}
    for name in CELLS:
        calls[name] = problem.home, TASK, name, problem.arm(name).settings[:SETTINGS], range(SEEDS), False
    code = store.code(problem.home, TASK)

    def with_jobs(jobs):
        return lambda: runner.run(calls, lambda name, cell: None, code=code, jobs=jobs)

    competitors = {"regstudy: --jobs 2": with_jobs(2), "regstudy: --jobs 1": with_jobs(1)}
    title = f"A study: {len(CELLS)} cells of {TASK}, {SEEDS} seeds and {SETTINGS} settings each"
    return [(title, race(competitors, turns=3))]
