"""Studies that do not fit the minute that a page may take, with their stored results.

``python -m regstudy`` runs them; `regstudy.studies` loads what is stored, and reruns any part; `regstudy.recurrent` and
`regstudy.images` are the studies as the pages use them.
"""
