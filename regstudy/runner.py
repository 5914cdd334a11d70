"""Runs the cells of a study: one after the other, side by side in processes, or on a cluster.

The numbers do not depend on where, or in which order, the cells are trained: each draws from generators of its own.
"""

import warnings
from concurrent.futures import BrokenExecutor
from contextlib import closing, contextmanager

from regstudy import cells, store

WAIT = 10  # seconds for a scheduler to answer, and for its first worker


class WorkerError(RuntimeError):
    """A process that did the work died, could not be reached, or has other code; the text says what to do."""


def run(calls, done, *, code, jobs=1, scheduler=None):
    """Train cells, and hand each over as soon as it is done.

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

        with _backend(jobs, scheduler) as workers, warnings.catch_warnings():
            warnings.filterwarnings("ignore", "[0-9]+ tasks which were still being processed")  # when interrupted
            parallel = Parallel(n_jobs=workers, return_as="generator_unordered", batch_size=1, pre_dispatch="all")
            others = set()
            with closing(parallel(delayed(_work)(code, name, call) for name, call in calls.items())) as found:
                for name, own, cell in found:
                    if own == code:
                        done(name, cell)
                    else:
                        others.add(own)
            if others:
                raise WorkerError(f"a worker has another version of the code: {', '.join(others)}, not {code}")


def _work(code, name, call):
    """Train one cell in a worker, if it has the same code; return its name, its code's fingerprint, and the cell."""
    home, task, *_ = call
    own = store.code(home, task)
    return name, own, _train(*call) if own == code else None


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
