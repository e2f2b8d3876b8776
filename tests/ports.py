"""Ports on which nobody listens."""

from __future__ import annotations

import secrets
import socket

# Below those that systems give to outgoing connections, and to whoever binds to port 0: nobody
# takes one by chance before the server it is meant for listens.
FIRST, LAST = 20_000, 32_000


def free_port() -> int:
    """A port of this machine on which nobody listens now."""
    while True:
        port = FIRST + secrets.randbelow(LAST - FIRST)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
