"""A plain client of one WebSocket, for what need not be quick."""

from __future__ import annotations

import socket
from collections.abc import Iterator

PING, CLOSE = 9, 8


class Socket:
    """One connection: frames in, nothing but pongs out."""

    def __init__(self, port: int, path: str, token: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            f"Authorization: Bearer {token}\r\n\r\n".encode()
        )
        self._buffer = b""
        while b"\r\n\r\n" not in self._buffer:
            self._more()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101"):
            message = f"refused: {head[:100]!r}"
            raise RuntimeError(message)

    def _more(self) -> None:
        data = self._socket.recv(1 << 18)
        if not data:
            raise EOFError
        self._buffer += data

    def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._more()
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    def frames(self) -> Iterator[bytes]:
        """This will give what the server says until the connection ends."""
        try:
            while True:
                first, size = self._take(2)
                if size == 126:
                    size = int.from_bytes(self._take(2), "big")
                elif size == 127:
                    size = int.from_bytes(self._take(8), "big")
                payload = self._take(size)
                if first & 15 == PING:
                    self._socket.sendall(bytes((0x8A, 0x80 | size)) + bytes(4) + payload)
                elif first & 15 == CLOSE:
                    return
                else:
                    yield payload
        except (EOFError, OSError):
            return

    def until(self, wanted: bytes) -> bytes:
        """This will give the first frame that has `wanted` in it."""
        for frame in self.frames():
            if wanted in frame:
                return frame
        raise EOFError

    def close(self) -> None:
        """This will hang up, also under a thread that reads."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            return
