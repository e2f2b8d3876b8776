"""What is held back while a client is brought up to date."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from apps.core.live.bundles import Bundle, Lane, read
from apps.core.live.catalogue import Channel
from apps.core.live.cursors import BadCursor, Cursor
from apps.core.live.events import Event
from apps.core.live.frames import SOCKET, Frame, Message
from apps.core.live.hub import Hub
from apps.core.live.sinks import MAX_MESSAGES, Closed, Ending, Sink
from apps.core.live.streams import Stream
from tests.live import hub

TOPIC = "board.board_1"
MANY = MAX_MESSAGES * 4


@pytest.fixture
async def live_hub() -> AsyncIterator[Hub]:
    async with hub() as found:
        yield found


def channel() -> Channel:
    made = Channel("board", "Test")
    made.say(["kind"], ["one"], lambda _kind, data: [Message("one", data)])
    return made


def event(version: int) -> Event:
    return Event(TOPIC, version, "kind", "{}", "")


class Reader:
    """A client that takes what comes."""

    def __init__(self) -> None:
        self.got: list[Frame] = []
        self.came = asyncio.Event()
        self.sink = Sink(self._write)

    async def _write(self, frames: list[Frame]) -> None:
        await asyncio.sleep(0)
        self.got += frames
        self.came.set()

    async def takes(self, count: int) -> None:
        """Wait until exactly so many frames came, and the connection still stands."""
        async with asyncio.timeout(10):
            while len(self.got) < count and self.sink.ending is None:
                self.came.clear()
                await self.came.wait()
        assert (len(self.got), self.sink.ending, self.sink.waiting) == (count, None, 0)


class Slow(Stream):
    """A stream whose snapshot takes as long as the test wants."""

    reading: asyncio.Event
    read: asyncio.Event

    async def snapshot(self) -> int:
        self.reading.set()
        await self.read.wait()
        return 0

    def wants(self, frame: Frame) -> bool:
        return True

    async def replayed(self, cursor: Cursor, kinds: set[str]) -> None:
        raise AssertionError

    async def join(self, topic: str) -> None:
        """The test says itself what is heard."""


async def test_more_than_a_queue_holds_may_happen_during_a_snapshot(live_hub: Hub) -> None:
    reader = Reader()
    made = Slow(hub=live_hub, sink=reader.sink, topic=TOPIC, channel=channel(), envelope=SOCKET)
    made.reading, made.read = asyncio.Event(), asyncio.Event()
    writing = asyncio.ensure_future(reader.sink.run())
    beginning = asyncio.ensure_future(made.begin(None))
    await made.reading.wait()
    for version in range(1, MANY + 1):
        made.hear(event(version))
    made.read.set()
    await beginning
    made.hear(event(MANY + 1))
    await reader.takes(MANY + 1)
    reader.sink.end(Ending(1000, "done"))
    await writing


class Two(Bundle):
    """A bundle of topics that are joined by hand."""

    def wants(self, frame: Frame) -> bool:
        return True

    async def begun(self, lost: str) -> None:
        raise Closed


async def test_a_bundle_passes_on_what_it_held_and_drops_what_is_known(live_hub: Hub) -> None:
    reader = Reader()
    made = Two(hub=live_hub, sink=reader.sink, channel=channel())
    held: list[Event] = []
    made.lanes[TOPIC] = Lane(held)
    made.lanes[TOPIC].cursor = Cursor(10)
    writing = asyncio.ensure_future(reader.sink.run())
    for version in range(1, MANY + 1):
        made.hear(event(version))
    await made._release(held)
    made.hear(event(MANY))
    made.hear(event(MANY + 1))
    await reader.takes(MANY + 1 - 10)
    reader.sink.end(Ending(1000, "done"))
    await writing


def test_a_place_names_a_cursor_for_each_topic() -> None:
    topics = ["project.proj_1", "board.board_1", "board.board_2"]
    assert read("proj_1:4,board_2:7.3,board_9:1", topics) == {
        "project.proj_1": Cursor(4),
        "board.board_1": Cursor(0),
        "board.board_2": Cursor(7, 3),
    }
    assert set(read("", topics).values()) == {Cursor(0)}
    for text in ("nonsense", "board_9:1", "proj_1:x", "proj_1:-1", "proj_1:1,,", "proj_1:1:2"):
        with pytest.raises(BadCursor):
            read(text, topics)
