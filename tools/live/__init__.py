"""Cells that run in the page: Python in the reader's browser, served by the site itself.

What there is, and where
------------------------
``runtime.py``, ``runtime.json``
    The interpreter (Pyodide) and the packages that pages need, each with its size and official sha256. Fetched by
    hash from a list of sources, the official one first; kept outside the repository, in ``~/.cache`` or where
    ``REGBOOK_CACHE`` says; never committed.
``scripts.py``, ``package.json``, ``package-lock.json``
    The packages of npm, by `tools.node`, and esbuild, which makes one file of each script with what it imports: the
    editor is CodeMirror and ``web/editor.js``.
``bundle.py``
    One zip of reglib, regbook, regcheck, the stand-ins of ``stand_ins/`` and the data sets that pages read.
``names.py``, ``cells.py``
    Which names a cell needs, binds and changes; and which cells of a page run in it, which are shown only, and why.
    ``names.py`` also goes into the page, where it finds what must run before the cell that the reader runs.
``runner.py``
    Runs cells, inside of the worker: what must run first, tracebacks, figures, tables, checks.
``measure.py``, ``measured.json``
    How long cells take under this interpreter, measured by a command: the slow ones are shown, not run.
``pages.py``
    The last step of the build: marks the cells of the built pages, adds the script, lays the files out.
``web/``
    What the browser gets. ``live.js`` is all that a page loads before the first Run: buttons, answers kept, what is
    solved; it is made of ``cell.js``, ``output.js``, ``session.js`` (the worker as the page sees it), ``store.js`` and
    ``home.js``. ``editor.js`` and ``worker.js`` come on demand; ``service-worker.js`` keeps the runtime, and nothing
    else, for a visit without network.

How a page gets them
--------------------
Everything stands below ``_static/live/`` in two folders whose names are fingerprints of what they hold: a file at an
address never changes, so the service worker may keep it for ever, and an old page never meets a new worker. The HTML
itself is never kept. Each cell carries ``data-live``: ``run``, or ``shown`` with the reason in words. Nothing is asked
of another host. Without the runtime (no network at the first build) the site is built as a page to read, in one loud
line, or not at all where ``REQUIRE_LIVE=1``.
"""
