"""Reading what was missed: all of it, in order, and with a turn for everybody else in between."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from django.utils import timezone

from apps.core import publishing
from apps.core.live import hub as hubs
from apps.core.live import journal
from apps.core.live.events import Event
from apps.core.live.frames import Frame
from apps.core.live.sinks import MAX_MESSAGES, Sink
from apps.core.models import Event as Row
from apps.core.models import Topic
from tests.live import do, hub

pytestmark = pytest.mark.django_db(transaction=True)

TOPIC = "board.board_test"
# More than a client's queue holds, and more than is read from the journal at once.
MISSED = max(2 * MAX_MESSAGES, journal.CHUNK) + 40


class Client:
    """A listener with a client's queue, and a clock of the loop's turns."""

    def __init__(self) -> None:
        self.versions: list[int] = []
        self.turns: list[int] = []
        self.turn = 0
        self.most_waiting = 0
        self.written = 0
        self.sink = Sink(self._write)

    def hear(self, event: Event) -> None:
        self.versions.append(event.version)
        self.turns.append(self.turn)
        self.sink.push(Frame(wire=b"x"))
        self.most_waiting = max(self.most_waiting, self.sink.waiting)

    def lose(self) -> None:
        raise AssertionError

    async def _write(self, frames: list[Frame]) -> None:
        self.written += len(frames)

    async def count_turns(self) -> None:
        while True:
            self.turn += 1
            await asyncio.sleep(0)

    async def has_written(self, count: int) -> None:
        async with asyncio.timeout(30):
            while self.written < count:  # noqa: ASYNC110 - every turn counts here
                await asyncio.sleep(0)


def happen(first: int, last: int) -> None:
    """Commit many events that nobody is told of."""
    now = timezone.now()
    Row.objects.bulk_create(
        Row(
            topic=TOPIC,
            version=version,
            kind="test.done",
            data={},
            created_at=now,
            published_at=now,
        )
        for version in range(first, last + 1)
    )
    Topic.objects.update_or_create(name=TOPIC, defaults={"version": last})


async def test_all_that_was_missed_comes_in_order_and_writers_get_their_turns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hubs, "LOOK_SECONDS", 3600.0)
    async with hub() as found:
        client = Client()
        await found.join(TOPIC, client)
        running = [
            asyncio.ensure_future(client.sink.run()),
            asyncio.ensure_future(client.count_turns()),
        ]
        await do(happen, 1, MISSED)
        # One live message says how far it went; nothing older was ever sent.
        await do(publishing.send, [(TOPIC, MISSED, "test.done", {}, timezone.now().isoformat())])
        await client.has_written(MISSED)
        assert client.versions == list(range(1, MISSED + 1))
        # A turn of the loop between any two: no queue ever comes near its end.
        assert all(later > before for before, later in pairwise(client.turns))
        assert client.most_waiting <= 2
        assert client.sink.ending is None
        for task in running:
            task.cancel()


async def test_what_commits_while_it_reads_is_neither_lost_nor_doubled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hubs, "LOOK_SECONDS", 3600.0)
    async with hub() as found:
        client = Client()
        await found.join(TOPIC, client)
        running = asyncio.ensure_future(client.sink.run())
        await do(happen, 1, 50)
        entries_after = journal.entries_after

        def reading(topic: str, version: int, limit: int = journal.CHUNK) -> list[journal.Entry]:
            entries = entries_after(topic, version, limit)
            if version == 0:
                happen(51, 60)
                at = timezone.now().isoformat()
                publishing.send([(TOPIC, last, "test.done", {}, at) for last in range(41, 61)])
            return entries

        monkeypatch.setattr(journal, "entries_after", reading)
        await found.look()
        await client.has_written(60)
        await do(publishing.send, [(TOPIC, 60, "test.done", {}, timezone.now().isoformat())])
        await do(happen, 61, 61)
        await do(publishing.send, [(TOPIC, 61, "test.done", {}, timezone.now().isoformat())])
        await client.has_written(61)
        assert client.versions == list(range(1, 62))
        running.cancel()
