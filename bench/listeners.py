"""The clients of a measurement: thousands of sockets or streams in one small process.

Started with the arguments as one JSON text; takes orders on standard input and answers each with
one line. Every connection checks the numbers it hears: each exactly one more than the last. This
has to cost less than what the server does, so frames are not taken apart: messages are plain text,
and are found by their marks.
"""

from __future__ import annotations

import json
import mmap
import os
import selectors
import socket
import struct
import sys
import time
from pathlib import Path
from typing import Any

from bench import machine, marks

READ_BYTES = 1 << 18
CONNECT_SECONDS = 60.0
# Connections that are being opened at the same time.
AT_ONCE = 16
# No text has such a byte, and a pong too many does no harm.
PING = b"\x89\x00"
PONG = bytes((0x8A, 0x80, 0, 0, 0, 0))


class Client:
    """One connection and what it has heard."""

    __slots__ = ("buffer", "last", "open", "sock", "upgraded")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.buffer = b""
        self.last = -1
        # The answer's head has come; and the snapshot, or whatever says that all is in place.
        self.upgraded = False
        self.open = False


class Listeners:
    """All connections of this process."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options
        self.streams = options["protocol"] == "sse"
        self.ready = options["ready"].encode()
        # The numbers as they stand in messages.
        self.numbers: list[bytes] = []
        self.clients: list[Client] = []
        self.selector = selectors.DefaultSelector()
        self.selector.register(sys.stdin.fileno(), selectors.EVENT_READ, None)
        with Path(options["board"]).open("r+b") as file:
            self.board = mmap.mmap(file.fileno(), 0)
        self.place = options["place"] * 8
        self.orders = b""
        self.waiting_for = 0
        self.gone = 0
        self.reset(0, timed=False)

    def reset(self, number: int, *, timed: bool) -> None:
        """This will expect `number` next, everywhere; and keep how long each message took."""
        self.delivered = self.lost = self.doubled = 0
        self.timed = timed
        self.latencies: list[int] = []
        for client in self.clients:
            client.last = number - 1
        self._tell()

    def _tell(self) -> None:
        struct.pack_into("<Q", self.board, self.place, self.delivered)

    def run(self) -> None:
        while True:
            for key, _events in self.selector.select():
                if key.data is None:
                    if not self._take_orders():
                        return
                else:
                    self._read(key.data)
            self._tell()
            self._connect_some()

    # --- orders ----------------------------------------------------------------------------------

    def _take_orders(self) -> bool:
        data = os.read(sys.stdin.fileno(), 65_536)
        if not data:
            return False
        *lines, self.orders = (self.orders + data).split(b"\n")
        for line in lines:
            order = json.loads(line)
            match order["do"]:
                case "connect":
                    self.waiting_for = order["count"]
                    self.deadline = time.monotonic() + CONNECT_SECONDS + order["count"] * 0.05
                    self._connect_some()
                case "reset":
                    self.reset(order["next"], timed=order["timed"])
                    self._say({})
                case "report":
                    self._say(self.report())
        return True

    def report(self) -> dict[str, Any]:
        found = sorted(self.latencies)
        last = [client.last for client in self.clients]
        return {
            "connections": len(self.clients),
            "delivered": self.delivered,
            "lost": self.lost,
            "doubled": self.doubled,
            "gone": self.gone,
            "last": min(last, default=-1),
            "latencies": found if len(found) < 5_000 else found[:: len(found) // 5_000],
            "worst": found[-1] if found else 0,
            "cpu": time.process_time(),
        }

    @staticmethod
    def _say(answer: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()

    # --- connecting ------------------------------------------------------------------------------

    def _connect_some(self) -> None:
        if not self.waiting_for:
            return
        pending = sum(not client.open for client in self.clients[-AT_ONCE * 2 :])
        while len(self.clients) < self.waiting_for and pending < AT_ONCE:
            self._connect()
            pending += 1
        if len(self.clients) == self.waiting_for and pending == 0:
            self.waiting_for = 0
            self._say({"connections": len(self.clients), "gone": self.gone})

    def _connect(self) -> None:
        paths = self.options["paths"]
        path = paths[len(self.clients) % len(paths)]
        sock = socket.create_connection(("127.0.0.1", self.options["port"]), timeout=30)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        upgrade = (
            ""
            if self.streams
            else "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        )
        head = (
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.options['port']}\r\n"
            f"Authorization: Bearer {self.options['token']}\r\n{upgrade}\r\n"
        )
        sock.sendall(head.encode())
        sock.setblocking(False)
        client = Client(sock)
        self.clients.append(client)
        self.selector.register(sock, selectors.EVENT_READ, client)

    # --- reading ---------------------------------------------------------------------------------

    def _read(self, client: Client) -> None:
        try:
            data = client.sock.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._lose(client)
            return
        now = time.monotonic_ns()
        if client.buffer:
            data, client.buffer = client.buffer + data, b""
        if not client.open:
            data = self._begin(client, data)
        elif not self.streams and (PING in data or data.endswith(PING[:1])):
            client.sock.send(PONG)
        if client.open:
            client.buffer = self._take(client, data, now)

    def _begin(self, client: Client, data: bytes) -> bytes:
        """Reads the answer's head and waits until all is in place; gives what comes after it."""
        if not client.upgraded:
            head, end, rest = data.partition(b"\r\n\r\n")
            if not end:
                client.buffer = head
                return b""
            if not head.startswith((b"HTTP/1.1 101", b"HTTP/1.1 200")):
                sys.stderr.write(f"refused: {head[:200]!r}\n")
                self._lose(client)
                return b""
            client.upgraded = True
            data = rest
        client.open = self.ready in data
        if not client.open:
            client.buffer = data
        return data

    def _lose(self, client: Client) -> None:
        self.selector.unregister(client.sock)
        client.sock.close()
        client.open = True
        self.gone += 1

    def _take(self, client: Client, data: bytes, now: int) -> bytes:
        """Counts the messages; gives the mark that has not come as a whole."""
        first, *parts = data.split(marks.BEGIN)
        tail = b""
        if (parts[-1] if parts else first).endswith(marks.BEGIN[:1]):
            tail = marks.BEGIN[:1]
        if parts and len(parts[-1]) < marks.WIDTH:
            tail = marks.BEGIN + parts.pop()
        if not parts:
            return tail
        found = [part[: marks.DIGITS] for part in parts]
        begin = client.last + 1
        end = begin + len(found)
        while len(self.numbers) < end:
            self.numbers.append(b"%0*d" % (marks.DIGITS, len(self.numbers)))
        if found == self.numbers[begin:end]:
            client.last += len(found)
            self.delivered += len(found)
        else:
            for one in found:
                self._count(client, int(one))
        if self.timed:
            at = marks.DIGITS + 1
            self.latencies += [now - int(part[at : marks.WIDTH]) for part in parts]
        return tail

    def _count(self, client: Client, number: int) -> None:
        """Takes the number of a message when something is wrong."""
        expected = client.last + 1
        if number < expected:
            self.doubled += 1
            return
        self.lost += number - expected
        client.last = number
        self.delivered += 1


if __name__ == "__main__":
    machine.allow_many_files()
    Listeners(json.loads(sys.argv[1])).run()
