"""A server of files on this machine that compresses, as the hosts of static sites do."""

import functools
import gzip
import http.server
import io
import threading
from contextlib import contextmanager

TEXT = ("text/", "application/json", "image/svg+xml", "application/javascript", "application/wasm")


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves files, text compressed, and keeps its log to itself."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def send_head(self):
        if "gzip" not in self.headers.get("Accept-Encoding", "") or not self.guess_type(self.path).startswith(TEXT):
            return super().send_head()
        path = self.translate_path(self.path)
        try:
            with open(path, "rb") as handle:
                content = gzip.compress(handle.read(), 6)
        except OSError:
            return super().send_head()
        self.send_response(200)
        for name, value in (
            ("Content-Type", self.guess_type(path)),
            ("Content-Encoding", "gzip"),
            ("Content-Length", str(len(content))),
            ("Cache-Control", "max-age=600"),
        ):
            self.send_header(name, value)
        self.end_headers()
        return io.BytesIO(content)


@contextmanager
def serving(folder):
    """Serve a folder on a free port of this machine; gives the address."""
    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()
