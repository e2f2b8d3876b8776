"""What has come already is joined into one write for each client, within the room of its queue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from apps.core import publishing
from apps.core.live import catalogue
from apps.core.live import hub as hubs
from apps.core.live.catalogue import Channel
from apps.core.live.events import Event
from apps.core.live.frames import SOCKET, Frame, Message
from apps.core.live.hub import Hub
from apps.core.live.sinks import Sink
from tests.live import hub

pytestmark = pytest.mark.django_db(transaction=True)

TOPIC = "board.board_joined"
AT = "2026-01-01T00:00:00+00:00"


def channel() -> Channel:
    made = Channel("joined", "Joined")
    # Made for this test only: the reference and its test know nothing of it.
    del catalogue._channels["joined"]
    made.say(["test.done"], ["done"], lambda _kind, data: [Message("done", data)])
    return made


class Client:
    """Takes all that is written to it, and counts the messages of each write."""

    def __init__(self) -> None:
        self.freed: Callable[[], None] | None = None
        self.came = asyncio.Event()
        self.channel = channel()
        self.sink = Sink(never, wire=self)
        self.versions: list[int] = []
        self.writes: list[int] = []

    def hear(self, event: Event) -> None:
        self.versions.append(event.version)
        for frame in event.frames(self.channel, SOCKET):
            self.sink.push(frame)

    def lose(self) -> None:
        pytest.fail("Nothing is lost here.")

    def write(self, data: bytes) -> bool:
        self.writes.append(data.count(b'"type"'))
        self.came.set()
        return True


async def never(_frames: list[Frame]) -> None:
    pytest.fail("A client with a wire is written to at once.")


async def burst(found: Hub, count: int, **data: Any) -> list[int]:
    """Have so many events come while the loop is busy; how many each write held."""
    client = Client()
    await found.join(TOPIC, client)
    for number in range(1, count + 1):
        # Without a word to the loop: it finds all of them when it gets its turn.
        publishing.send([(TOPIC, number, "test.done", data, AT)])
    async with asyncio.timeout(20):
        while sum(client.writes) < count and client.sink.ending is None:
            client.came.clear()
            await client.came.wait()
    assert client.sink.ending is None
    assert client.versions == list(range(1, count + 1))
    return client.writes


async def test_what_came_while_the_loop_was_busy_is_joined_up_to_a_limit() -> None:
    async with hub() as found:
        writes = await burst(found, 200)
    assert len(writes) <= 200 // 2
    assert max(writes) <= hubs.MOST_AT_ONCE


async def test_large_events_fill_no_queue_although_they_are_joined() -> None:
    async with hub() as found:
        writes = await burst(found, 30, text="x" * 100_000)
    assert max(writes) <= 2
