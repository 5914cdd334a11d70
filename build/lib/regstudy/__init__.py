"""Studies that do not fit the minute that a page may take, with their stored results.

``python -m regstudy`` runs them, `regstudy.recurrent` describes them, loads what is stored, and reruns any part.
"""
