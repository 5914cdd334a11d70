"""Runs the cells of a study: one after the other, side by side in processes, or on a cluster.

The numbers do not depend on where, or in which order, the cells are trained: each draws from generators of its own.
"""

import warnings
from concurrent.futures import BrokenExecutor
from contextlib import closing, contextmanager

from regstudy import cells, store

WAIT = 10  # seconds for a scheduler to answer, and for its first worker
PIECES = 4  # of a cell, at most


class WorkerError(RuntimeError):
    """A process that did the work died, could not be reached, or has other code; the text says what to do."""


def run(calls, done, *, code, jobs=1, scheduler=None):
    """Train cells, and hand each over as soon as it is done. Several workers may share one, by its settings.

    Parameters
    ----------
    calls : dict of tuple
        The arguments of `regstudy.cells.train` by name: home, task, arm, settings, seeds, test.
    done : callable
        ``done(name, cell)`` is called here for each, in any order.
    code : str
        The fingerprint of the code, `regstudy.store.code`: a worker with another one refuses to work.
    jobs : int
        Processes on this machine; 1 stays in this one.
    scheduler : str, optional
        The address of a Dask scheduler, such as ``tcp://10.0.0.1:8786``: its workers do the work instead.

    Raises
    ------
    WorkerError
        When a process died, could not be reached, or has other code.
    """
    if scheduler is None and jobs == 1:
        for name, call in calls.items():
            done(name, _train(*call))
    elif calls:
        from joblib import Parallel, delayed

        parts = PIECES if scheduler else _parts(len(calls), jobs)
        pieces = [(name, k, piece) for name, call in calls.items() for k, piece in enumerate(_pieces(call, parts))]
        left = {name: [None] * sum(other == name for other, *_ in pieces) for name in calls}
        with _backend(jobs, scheduler) as workers, warnings.catch_warnings():
            warnings.filterwarnings("ignore", "[0-9]+ tasks (have been|which were)")  # joblib's, when interrupted
            parallel = Parallel(n_jobs=workers, return_as="generator_unordered", batch_size=1, pre_dispatch="all")
            others = set()
            with closing(parallel(delayed(_work)(code, *piece) for piece in pieces)) as found:
                for name, k, own, cell in found:
                    if own != code:
                        others.add(own)
                        continue
                    left[name][k] = cell
                    if None not in left[name]:
                        done(name, joined(left.pop(name)))
            if others:
                raise WorkerError(f"a worker has another version of the code: {', '.join(others)}, not {code}")


def joined(parts):
    """Return cells of the same arm and seeds as one: what `regstudy.cells.train` returns for all their settings.

    Curves that were measured at different updates are left out, as `regbook.fit.fit` does.
    """
    first, *others = parts
    alike = all(part["steps"] == first["steps"] for part in others)
    whole = {}
    for name, values in first.items():
        if name.endswith("seconds"):
            whole[name] = round(sum(part[name] for part in parts), 1)
        elif name in ("seeds", "steps"):
            whole[name] = values if alike or name == "seeds" else []
        else:
            whole[name] = [row for part in parts for row in part[name]]
    return whole if alike else whole | {name: [[] for _ in whole["settings"]] for name in whole if "curve" in name}


def _parts(calls, jobs):
    """Return into how many parts to divide each of the calls, the fewest that keep so many processes equally busy.

    Few, because settings that are trained side by side in one pass cost less than in several.
    """
    return next((parts for parts in range(1, PIECES) if calls * parts % jobs == 0), PIECES)


def _pieces(call, parts):
    """Return a call as up to so many ones, each with some of its settings."""
    home, task, arm, settings, *rest = call
    size = -(-len(settings) // parts)
    return [(home, task, arm, settings[k : k + size], *rest) for k in range(0, len(settings), size)]


def _work(code, name, k, call):
    """Train a piece of a cell in a worker, if it has the same code; return where it belongs, the code and the piece."""
    home, task, *_ = call
    own = store.code(home, task)
    return name, k, own, _train(*call) if own == code else None


def _train(*call):
    *call, test = call
    return cells.train(*call, test=test)


@contextmanager
def _backend(jobs, scheduler):
    """Choose where joblib's work goes, and give the number of workers; say in words when one died."""
    from joblib import parallel_config

    died = "a process died; what was finished is saved, and the same command goes on from there"
    if scheduler is None:
        try:
            with parallel_config(backend="loky", inner_max_num_threads=1):
                yield jobs
        except BrokenExecutor as error:
            raise WorkerError(died) from error
        return
    try:
        from distributed import Client, KilledWorker
    except ImportError as error:
        raise WorkerError("a cluster needs the package distributed: pip install distributed") from error
    try:
        client = Client(scheduler, timeout=WAIT)
    except OSError as error:
        raise WorkerError(f"no scheduler answers at {scheduler}: {error}") from error
    with client, parallel_config(backend="dask", wait_for_workers_timeout=WAIT):
        try:
            yield -1
        except KilledWorker as error:
            raise WorkerError(died) from error
        except TimeoutError as error:
            raise WorkerError(f"the scheduler at {scheduler} has no workers") from error
