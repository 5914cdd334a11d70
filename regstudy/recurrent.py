"""The study of dropout in recurrent networks: eight ways to regularize an LSTM, four tasks, equal budgets.

For the pages: its tasks, arms and claims, and what `regstudy.studies` does with every study.
"""

from regstudy.problems.recurrent import PROBLEMS as TASKS
from regstudy.problems.recurrent_arms import ARMS, CLAIMS
from regstudy.studies import agrees, run, stored

__all__ = ["ARMS", "CLAIMS", "TASKS", "agrees", "run", "stored"]
