"""Publishes marked messages: through the product's own channel, or to a reference's control port.

Started with the arguments as one JSON text; takes orders on standard input and answers each with
one line. A flood keeps a window of messages under way, so that nobody's queue overflows and the
slowest part decides; the same rule holds for every server.
"""

from __future__ import annotations

import json
import mmap
import os
import socket
import struct
import sys
import time
from pathlib import Path
from typing import Any, Protocol

from bench import marks

STALL_SECONDS = 20.0
AT = "2026-01-01T00:00:00+00:00"


class Transport(Protocol):
    """Where messages are handed in."""

    def send(self, first: int, texts: list[str]) -> None:
        """This will hand in some messages, in order; `first` is the number of the first."""


class Product:
    """The channel layer, as an operation uses it after its commit."""

    def __init__(self, topics: list[str]) -> None:
        from apps.core import publishing  # noqa: PLC0415 - only where Django is set up
        from apps.core.models import Topic  # noqa: PLC0415

        self._publishing = publishing
        newest = dict(Topic.objects.filter(name__in=topics).values_list("name", "version"))
        self.topics = [(topic, newest.get(topic, 0) + 1) for topic in topics]

    def send(self, first: int, texts: list[str]) -> None:
        events: list[tuple[str, int, str, Any, str]] = []
        for number, text in enumerate(texts, start=first):
            round_, place = divmod(number, len(self.topics))
            topic, version = self.topics[place]
            events.append((topic, version + round_, "card.updated", {"card": text}, AT))
        self._publishing.send(events)


class Control:
    """The control connection of a reference: one line, one message."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, first: int, texts: list[str]) -> None:  # noqa: ARG002 - one topic needs none
        lines = [json.dumps({"type": "card_updated", "payload": {"card": text}}) for text in texts]
        self._socket.sendall(("\n".join(lines) + "\n").encode())


class Publisher:
    """One publisher and the number of its next message.

    With several topics each gets a message in turn, and its messages have numbers of their own.
    """

    def __init__(self, transport: Transport, *, board: str, size: int, topics: int) -> None:
        self.transport = transport
        self.size = size
        self.topics = topics
        self.next = 0
        with Path(board).open("r+b") as file:
            self.board = mmap.mmap(file.fileno(), 0)

    def publish(self, count: int) -> None:
        numbers = range(self.next, self.next + count)
        texts = [marks.padded(number // self.topics, self.size) for number in numbers]
        self.transport.send(self.next, texts)
        self.next += count

    def delivered(self) -> int:
        count = len(self.board) // 8
        return sum(struct.unpack(f"<{count}Q", self.board[: count * 8]))

    def flood(self, seconds: float, window: int, listeners: int) -> dict[str, Any]:
        first = self.next
        began = time.monotonic()
        until = began + seconds
        while (now := time.monotonic()) < until:
            room = window - (self.next - first - self.delivered() * self.topics // listeners)
            if room <= 0:
                time.sleep(0.0002)
            else:
                self.publish(min(room, window // 2))
        reached = self.delivered()
        took = now - began
        self._finish(first, listeners)
        return {"published": self.next - first, "seconds": took, "delivered": reached}

    def steady(self, seconds: float, rate: float, listeners: int) -> dict[str, Any]:
        first = self.next
        began = time.monotonic()
        for number in range(int(seconds * rate)):
            time.sleep(max(0.0, began + number / rate - time.monotonic()))
            self.publish(1)
        took = time.monotonic() - began
        self._finish(first, listeners)
        return {"published": self.next - first, "seconds": took}

    def _finish(self, first: int, listeners: int) -> None:
        """Completes the turn, and waits until all has arrived or nothing arrives any more."""
        while self.next % self.topics:
            self.publish(1)
        wanted = (self.next - first) * listeners // self.topics
        seen, since = -1, time.monotonic()
        while (now := self.delivered()) < wanted and time.monotonic() - since < STALL_SECONDS:
            if now != seen:
                seen, since = now, time.monotonic()
            time.sleep(0.005)


def main() -> None:
    """This will take orders until there are no more."""
    options = json.loads(sys.argv[1])
    topics = options.get("topics", [])
    if topics:
        import django  # noqa: PLC0415 - the references do without

        django.setup()
        transport: Transport = Product(topics)
    else:
        transport = Control(options["control"])
    publisher = Publisher(
        transport, board=options["board"], size=options["size"], topics=len(topics) or 1
    )
    for line in sys.stdin:
        order = json.loads(line)
        match order.pop("do"):
            case "flood":
                answer = publisher.flood(**order)
            case "steady":
                answer = publisher.steady(**order)
            case _:
                answer = {}
        sys.stdout.write(json.dumps({**answer, "next": publisher.next}) + "\n")
        sys.stdout.flush()
    # The publishing loop's thread is of no more use.
    os._exit(0)


if __name__ == "__main__":
    main()
