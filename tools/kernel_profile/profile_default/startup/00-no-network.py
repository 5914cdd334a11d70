"""Runs in every notebook kernel that the build starts: the book works offline, so a connection is an error.

Loopback and local sockets stay open; the kernel itself talks through them.
"""

import socket


def _guard(original):
    def connect(self, address, *rest):
        host = address[0] if isinstance(address, tuple) else None
        if host is not None and host not in ("localhost", "127.0.0.1", "::1"):
            raise OSError(f"this notebook tried to reach {host!r}; chapters of this book run without a network")
        return original(self, address, *rest)

    return connect


socket.socket.connect = _guard(socket.socket.connect)
socket.socket.connect_ex = _guard(socket.socket.connect_ex)
