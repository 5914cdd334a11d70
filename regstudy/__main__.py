"""Run the studies: ``python -m regstudy [STUDY or TASK ...] [--jobs N] [--scheduler ADDRESS] [--report] [--fresh]``."""

import argparse
import os
import sys

# One thread: the matrices are small, and the rounding is then the same on every run.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

from regstudy import runner, store, studies


def main(arguments=None):
    """Run, resume or report; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m regstudy", description=str(__doc__).splitlines()[0])
    known = ", ".join(f"{study} ({', '.join(tasks)})" for study, tasks in studies.STUDIES.items())
    parser.add_argument("names", nargs="*", help=f"studies, or tasks of them; all by default: {known}")
    parser.add_argument("--report", action="store_true", help="print the tables of what is stored, and run nothing")
    parser.add_argument("--fresh", action="store_true", help="start anew, also where results are complete")
    parser.add_argument("--results", help="the folder of the results; by default the package's")
    parser.add_argument("--jobs", type=int, default=1, help="processes that work side by side; 1 by default")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask cluster that does the work instead")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in (*studies.STUDIES, *studies.PROBLEMS)]
    if unknown:
        parser.error(f"unknown study or task {unknown[0]!r}; there are {known}")
    chosen = [task for name in options.names or studies.PROBLEMS for task in studies.STUDIES.get(name, (name,))]
    if options.jobs < 1:
        parser.error(f"--jobs must be at least 1, got {options.jobs}")
    if options.report:
        print(studies.report(chosen, options.results))
        return 0
    for task in chosen:
        there, begun = (store.path(task, options.results, partial=partial).exists() for partial in (False, True))
        done = there and not begun and not options.fresh
        try:
            file = studies.study(
                task, options.results, fresh=options.fresh, jobs=options.jobs, scheduler=options.scheduler
            )
        except runner.WorkerError as error:
            print(f"{task}: {error}", file=sys.stderr)
            return 1
        print(f"{task}: {'complete already; --fresh runs it again' if done else 'complete'}: {file}")
        print(f"  {store.read(file)['provenance']['summary']}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted; the same command goes on where it stopped")
