"""Fair timing on a noisy machine: the competitors take turns, and the median of many turns counts."""

import gc
import statistics
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """The times of one competitor, in seconds."""

    name: str
    seconds: tuple

    @property
    def median(self):
        """The median time in seconds."""
        return statistics.median(self.seconds)

    @property
    def spread(self):
        """Half the distance between the quartiles, in seconds."""
        low, _, high = statistics.quantiles(self.seconds, n=4)
        return (high - low) / 2


def race(competitors, *, turns=15, least=0.02):
    """Time callables in turn and return a `Timing` for each.

    Parameters
    ----------
    competitors : dict of str to callable
        Each does the same work; the first is ours.
    turns : int
        How many times each one takes its turn.
    least : float
        A turn repeats a quick competitor until it lasts this many seconds.
    """
    repeats = {}
    for name, work in competitors.items():
        work()  # warm up: caches, compilation, allocation
        start = time.perf_counter()
        work()
        once = time.perf_counter() - start
        repeats[name] = max(1, round(least / max(once, 1e-9)))
    seconds = {name: [] for name in competitors}
    gc.disable()
    try:
        for _ in range(turns):
            for name, work in competitors.items():
                start = time.perf_counter()
                for _ in range(repeats[name]):
                    work()
                seconds[name].append((time.perf_counter() - start) / repeats[name])
    finally:
        gc.enable()
    return [Timing(name, tuple(times)) for name, times in seconds.items()]
