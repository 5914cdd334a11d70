"""The studies on images of 28 x 28 pixels: dropout, dropout of channels, weight decay.

For the pages: the names of their tasks by study, and what `regstudy.studies` does with every study. `show` takes a
whole study at once:

    from regstudy import images

    images.TASKS["mnist-dropout"]            # the names of its tasks
    images.show("mnist-dropout")             # the verdicts on all of them, in one table
    images.stored("mnist-dropout-500-wrong") # one task: shows as its verdicts; arms, settings, curves, provenance
"""

from reglib._validate import one_of
from regstudy.studies import STUDIES, agrees, run, stored, verdicts

__all__ = ["TASKS", "agrees", "run", "show", "stored"]

TASKS = {name: tuple(STUDIES[name]) for name in ("mnist-dropout", "mnist-spatial", "mnist-decay")}


def show(study, digits=3):
    """Return one table with the verdicts on all tasks of a ``study``; ``digits`` are those shown."""
    return verdicts(*TASKS[one_of("study", study, tuple(TASKS))], digits=digits)
