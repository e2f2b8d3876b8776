from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.db import transaction

from apps.core import events, publishing
from apps.core.actors import Actor
from apps.core.live import hub as hubs
from apps.core.live.events import Event
from apps.core.live.hub import Hub
from apps.core.models import Event as Row
from apps.core.models import Topic
from tests.live import do, hub

pytestmark = pytest.mark.django_db(transaction=True)

TOPIC = "board.board_test"
ACTOR = Actor.system("test")


class Ear:
    """Remembers what it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[int, str, Any]] = []
        self.lost = 0
        self.news = asyncio.Event()

    def hear(self, event: Event) -> None:
        self.heard.append((event.version, event.kind, event.data))
        self.news.set()

    def lose(self) -> None:
        self.lost += 1

    @property
    def versions(self) -> list[int]:
        return [version for version, _kind, _data in self.heard]

    async def hears(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.heard) < count:
                self.news.clear()
                await self.news.wait()


def record(number: int, *, publish: bool = True, **data: Any) -> None:
    """Commit one event; unpublished is what the channel layer lost."""
    with transaction.atomic():
        events.record(topic=TOPIC, kind="test.done", data={"n": number, **data}, actor=ACTOR)
        if not publish:
            transaction.get_connection().run_on_commit.clear()


async def test_what_commits_after_joining_is_heard_in_order() -> None:
    async with hub() as found:
        ear = Ear()
        await do(record, 0)
        await found.join(TOPIC, ear)
        for number in range(1, 20):
            await do(record, number)
        await ear.hears(19)
        assert ear.versions == list(range(2, 21))
        assert [data["n"] for _version, _kind, data in ear.heard] == list(range(1, 20))


async def test_one_subscription_serves_all_listeners_of_a_process() -> None:
    async with hub() as found:
        ears = [Ear() for _ in range(50)]
        for ear in ears:
            await found.join(TOPIC, ear)
        await do(record, 1)
        await asyncio.gather(*(ear.hears(1) for ear in ears))
        layer = found._layer._get_layer()
        assert [len(channels) for channels in layer.groups.values()] == [1]


async def test_who_left_hears_nothing_and_the_last_one_ends_the_subscription() -> None:
    async with hub() as found:
        first, second = Ear(), Ear()
        await found.join(TOPIC, first)
        await found.join(TOPIC, second)
        found.leave(TOPIC, first)
        await do(record, 1)
        await second.hears(1)
        assert first.heard == []
        found.leave(TOPIC, second)
        assert found.feeds == {}
        third = Ear()
        await found.join(TOPIC, third)
        await do(record, 2)
        await third.hears(1)
        assert third.versions == [2]


async def test_a_jump_is_filled_from_the_journal_before_anything_else() -> None:
    async with hub() as found:
        ear = Ear()
        await found.join(TOPIC, ear)
        for number in range(1, 6):
            await do(record, number, publish=False)
        await do(record, 6)
        await ear.hears(6)
        assert ear.versions == [1, 2, 3, 4, 5, 6]


async def test_a_lost_last_message_is_found_by_looking() -> None:
    async with hub() as found:
        ear = Ear()
        await found.join(TOPIC, ear)
        await do(record, 1, publish=False)
        # No sweep helps: an event that nothing reacts to is stored as published.
        assert not await Row.objects.filter(published_at=None).aexists()
        async with asyncio.timeout(2 * hubs.LOOK_SECONDS + hubs.PULSE_SECONDS):
            await ear.hears(1)
        assert ear.versions == [1]


async def test_what_is_brought_twice_is_heard_once() -> None:
    async with hub() as found:
        ear = Ear()
        await found.join(TOPIC, ear)
        await do(record, 1)
        await ear.hears(1)
        for _ in range(3):
            await do(publishing.send, [(TOPIC, 1, "test.done", {"n": 1}, "")])
        await do(record, 2)
        await ear.hears(2)
        assert ear.versions == [1, 2]


async def test_messages_out_of_order_are_heard_in_order() -> None:
    async with hub() as found:
        ear = Ear()
        await found.join(TOPIC, ear)
        for number in range(1, 4):
            await do(record, number, publish=False)
        for version in (3, 1, 2):
            await do(publishing.send, [(TOPIC, version, "test.done", {"n": version}, "")])
        await ear.hears(3)
        assert ear.versions == [1, 2, 3]


async def test_a_large_event_travels_as_a_reference_and_arrives_whole() -> None:
    async with hub() as found:
        ear = Ear()
        await found.join(TOPIC, ear)
        await do(record, 1, text="x" * (publishing.REFERENCE_BYTES + 1))
        await do(record, 2)
        await ear.hears(2)
        assert [len(data.get("text", "")) for _v, _k, data in ear.heard] == [262_145, 0]


async def test_noise_passes_without_a_version() -> None:
    async with hub() as found:
        ear = Ear()
        await found.join(TOPIC, ear)
        await do(publishing.send_ephemeral, topic=TOPIC, kind="test.noise", data={"a": 1})
        await ear.hears(1)
        assert ear.heard == [(0, "test.noise", {"a": 1})]


async def test_events_that_are_gone_before_they_were_read_are_told_as_lost() -> None:
    async with hub() as found:
        ear = Ear()
        await found.join(TOPIC, ear)
        for number in range(1, 4):
            await do(record, number, publish=False)
        await do(Row.objects.filter(version__lt=3).delete)
        await do(record, 4)
        await ear.hears(2)
        assert (ear.versions, ear.lost) == ([3, 4], 1)


async def test_a_listener_that_fails_does_not_stop_the_others() -> None:
    class Broken(Ear):
        def hear(self, event: Event) -> None:
            raise RuntimeError

    async with hub() as found:
        broken, ear = Broken(), Ear()
        await found.join(TOPIC, broken)
        await found.join(TOPIC, ear)
        await do(record, 1)
        await do(record, 2)
        await ear.hears(2)


async def test_a_deaf_subscription_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "DEAF_SECONDS", 0.5)
    monkeypatch.setattr(hubs, "LOOK_SECONDS", 3600.0)
    async with hub() as found:
        ear = Ear()
        await found.join(TOPIC, ear)
        before = found._channel
        layer = found._layer._get_layer()
        layer.channels.clear()
        async with asyncio.timeout(10):
            while found._channel == before or not found._layer._get_layer().groups:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.05)
        await do(record, 1)
        await ear.hears(1)
        assert ear.versions == [1]


async def test_the_hub_of_a_loop_is_one() -> None:
    async with hub() as found:
        assert Hub.current() is found


async def test_the_topic_table_knows_the_newest_version() -> None:
    await do(record, 1)
    await do(record, 2)
    assert await do(Topic.objects.get, name=TOPIC) == Topic(name=TOPIC)
    assert (await do(Topic.objects.get, name=TOPIC)).version == 2
