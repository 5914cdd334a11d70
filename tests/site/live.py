"""A page with live cells as its reader handles it, and a server that compresses, fails when told to, and counts."""

import functools
import gzip
import http.server
import threading
from pathlib import Path

COMPRESSED = {".html", ".js", ".css", ".wasm", ".json", ".svg", ".txt"}
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
TYPES |= {".wasm": "application/wasm", ".json": "application/json"}
REST = "document.querySelector('.live-bar')?.dataset.state === 'rest'"


@functools.cache
def squeezed(path, _changed):
    """Return a file's bytes compressed, as a host does it."""
    return gzip.compress(Path(path).read_bytes(), 6)


class Server:
    """Serves a folder below ``/some/book/``, as project pages are served; compressed, without special headers.

    ``requests`` are (path, bytes over the wire); ``broken`` names files whose answer breaks off in the middle.
    """

    def __init__(self, folder):
        self.folder, self.requests, self.broken = folder, [], set()
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                server.answer(self)

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.http.server_port}/some/book/"
        self.thread = threading.Thread(target=self.http.serve_forever, daemon=True)
        self.thread.start()

    def answer(self, handler):
        name = handler.path.partition("?")[0].removeprefix("/some/book/")
        path = self.folder / name
        if not handler.path.startswith("/some/book/") or not path.is_file():
            handler.send_error(404)
            return
        compress = path.suffix in COMPRESSED
        body = squeezed(str(path), path.stat().st_mtime_ns) if compress else path.read_bytes()
        handler.send_response(200)
        handler.send_header("Content-Type", TYPES.get(path.suffix, "application/octet-stream"))
        handler.send_header("Content-Length", str(len(body)))
        if compress:
            handler.send_header("Content-Encoding", "gzip")
        handler.end_headers()
        if any(part in name for part in self.broken):
            handler.wfile.write(body[: len(body) // 2])
            handler.close_connection = True
            return
        self.requests.append((name, len(body)))
        try:
            handler.wfile.write(body)
        except OSError:
            handler.close_connection = True

    def close(self):
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


class Live:
    """One page in the browser, with its live cells."""

    def __init__(self, context, address, name, **options):
        self.page, self.address, self.name = context.new_page(), address, name
        self.errors, self.foreign = [], []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self._watch(request.url))
        self.page.goto(f"{address}{name}.html", wait_until="load", **options)
        self.page.wait_for_selector(".live-run, .live-progress", state="attached")

    def _watch(self, url):
        if not url.startswith((self.address, "data:", "blob:")):
            self.foreign.append(url)

    def exercise(self, check):
        """Return the cell of an exercise, by the name of its check."""
        return self.page.locator(f'.cell[data-live-check="{check}"]')

    def cell(self, name):
        """Return a cell by its id."""
        return self.page.locator(f'.cell[data-live-id="{name}"]')

    def wait(self, seconds=120):
        """Wait until nothing runs."""
        self.page.wait_for_function(REST, timeout=1000 * seconds)

    def press(self, cell, button, seconds=120):
        """Press a button of a cell, even where the cell is folded; wait until nothing runs."""
        cell.locator(f".live-{button}").evaluate("button => button.click()")
        if button == "run":
            self.wait(seconds)

    def type(self, cell, code):
        """Replace a cell's text, in its editor, and run it by Shift+Enter."""
        if not cell.locator(".cm-content").count():
            self.press(cell, "edit")
        cell.locator(".cm-content").wait_for()
        cell.locator(".cm-content").focus()
        self.page.keyboard.press("Control+A")
        self.page.keyboard.insert_text(code)
        self.page.keyboard.press("Shift+Enter")
        self.wait()

    def shown(self, cell):
        """Return the text that a cell shows now; empty where it shows what the book shows."""
        found = cell.locator(".live-output")
        return found.inner_text().strip() if found.count() else ""

    def spoken(self):
        """Return what was announced last."""
        return self.page.locator(".live-spoken").inner_text()
