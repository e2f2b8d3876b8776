"""A plain HTTP client that costs little: one kept connection, times in milliseconds."""

from __future__ import annotations

import json
import select
import socket
import threading
import time
from typing import Any


class Caller:
    """One kept connection to a server, with a credential."""

    def __init__(self, port: int, token: str) -> None:
        self.port = port
        self.token = token
        # Grows in place: an answer of megabytes comes in hundreds of parts.
        self._buffer = bytearray()
        self._socket = self._connect()

    def _connect(self) -> socket.socket:
        found = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return found

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        """This will make one request and read its answer."""
        content = json.dumps(body).encode() if body is not None else b""
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
            f"Authorization: Bearer {self.token}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(content)}\r\n\r\n"
        )
        # A server hangs up on those who were silent for long.
        if select.select([self._socket], [], [], 0)[0]:
            self._socket.close()
            self._socket, self._buffer = self._connect(), bytearray()
        self._socket.sendall(head.encode() + content)
        while b"\r\n\r\n" not in self._buffer:
            self._more()
        end = self._buffer.index(b"\r\n\r\n")
        answer = bytes(self._buffer[:end])
        lines = answer.lower().split(b"\r\n")
        sizes = [int(line[15:]) for line in lines if line.startswith(b"content-length:")]
        size = sizes[0] if sizes else 0
        del self._buffer[: end + 4]
        while len(self._buffer) < size:
            self._more()
        content = bytes(self._buffer[:size])
        del self._buffer[:size]
        if b"connection: close" in lines:
            self._socket.close()
            self._socket = self._connect()
        return int(answer[9:12]), content

    def _more(self) -> None:
        data = self._socket.recv(1 << 18)
        if not data:
            message = "the server hung up"
            raise EOFError(message)
        self._buffer += data

    def timed(self, method: str, path: str, body: Any = None) -> tuple[float, bytes]:
        """This will make one request that must succeed, and give how long it took."""
        began = time.perf_counter()
        status, content = self.call(method, path, body)
        took = (time.perf_counter() - began) * 1000
        if not 200 <= status < 300:
            message = f"{method} {path} answered {status}: {content[:200]!r}"
            raise RuntimeError(message)
        return took, content

    def close(self) -> None:
        """This will hang up."""
        self._socket.close()


def rate(port: int, token: str, path: str, *, seconds: float, connections: int = 8) -> float:
    """This will ask for a page on some connections at once, and give answers a second."""
    counts = [0] * connections
    until = time.monotonic() + seconds

    def ask(place: int) -> None:
        caller = Caller(port, token)
        while time.monotonic() < until:
            caller.timed("GET", path)
            counts[place] += 1
        caller.close()

    threads = [threading.Thread(target=ask, args=(place,)) for place in range(connections)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.monotonic() - began)
