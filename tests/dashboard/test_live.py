from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from django.db import transaction

from apps.accounts.models import User
from apps.agents import events as agent_events
from apps.agents.live.shapes import KEYS
from apps.boards import operations
from apps.boards.models import Board, Column
from apps.core import events
from apps.core.actors import Actor
from apps.dashboard import overview as overviews
from apps.dashboard import queries
from apps.dashboard.live.socket import DashboardSocket
from apps.dashboard.ranges import TimeRange
from apps.projects.models import ProjectMember
from tests import factories
from tests.live import Connection, bearer, do, hub
from tests.people import actor_of

pytestmark = pytest.mark.django_db(transaction=True)

SYSTEM = Actor.system("test")


@pytest.fixture(autouse=True)
async def live_hub() -> AsyncIterator[None]:
    async with hub():
        yield


def connect(user: User | None, query: str = "") -> Connection:
    headers = bearer(user) if user is not None else {}
    return Connection(DashboardSocket.application, f"/api/v1/ws/dashboard?{query}", headers)


def without_times(shown: Any) -> Any:
    """An overview without what depends on the moment it was read at."""
    text = json.loads(json.dumps(shown))
    for key in ("generatedAt", "updatedAt", "timeRange", "metrics"):
        text.pop(key)
    for row in text["activeAttempts"]:
        row.pop("elapsedSeconds", None)
    return text


async def test_it_says_hello_and_what_rest_says(
    ada: User, board: Board, columns: dict[str, Column]
) -> None:
    card = await do(factories.Card.create, column=columns["inProgress"])
    await do(factories.Attempt.create, card=card, running=True)
    async with connect(ada) as client:
        hello, shown = await client.next(), await client.next()
        assert (hello["type"], set(hello["payload"])) == ("hello", {"serverTime"})
        assert set(shown) == {"type", "payload", "at"}
        assert shown["type"] == "dashboard_overview"
        assert set(shown["payload"]) == KEYS["dashboard_overview"]
        wanted = await do(lambda: overviews.overview(queries.seen_by(ada), TimeRange.of({})))
        assert without_times(shown["payload"]) == without_times(wanted)


async def test_it_hears_what_changes_and_only_that(
    ada: User, eve: User, board: Board, columns: dict[str, Column]
) -> None:
    async with connect(ada) as mine, connect(eve) as other:
        await mine.until("dashboard_overview")
        await other.until("dashboard_overview")
        await do(
            operations.create_card, actor=actor_of(ada), column=columns["backlog"], title="New"
        )
        shown = await mine.next()
        assert shown["payload"]["projectSnapshots"][0]["totalCards"] == 1
        assert await other.silent(0.8)


async def test_many_changes_are_at_most_two_overviews_a_second(
    ada: User, board: Board, columns: dict[str, Column]
) -> None:
    async with connect(ada) as client:
        await client.until("dashboard_overview")
        loop = asyncio.get_running_loop()
        began = loop.time()
        for number in range(40):
            await do(
                operations.create_card,
                actor=actor_of(ada),
                column=columns["backlog"],
                title=str(number),
            )
        count = 0
        while True:
            shown = await client.next()
            count += 1
            if shown["payload"]["projectSnapshots"][0]["totalCards"] == 40:
                break
        assert count <= 2 * (loop.time() - began) + 2
        # A reading may see the last change before its event is heard, which makes one more.
        assert await client.silent(0.8) or await client.silent(0.8)


async def test_what_agents_say_is_no_reason_for_a_new_overview(
    ada: User, board: Board, columns: dict[str, Column]
) -> None:
    card = await do(factories.Card.create, column=columns["review"])
    attempt = await do(factories.Attempt.create, card=card, succeeded=True)

    def converse() -> None:
        item = factories.Item.create(attempt=attempt)
        with transaction.atomic():
            agent_events.attempt_conversed(attempt, [item], actor=SYSTEM)

    async with connect(ada) as client:
        await client.until("dashboard_overview")
        await do(converse)
        assert await client.silent(0.8)


async def test_a_new_membership_shows_without_a_reconnect(bob: User, eve: User) -> None:
    project = await do(factories.Project.create, owner=bob)
    async with connect(eve) as client:
        shown = (await client.until("dashboard_overview"))[-1]
        assert shown["payload"]["projectSnapshots"] == []
        await do(ProjectMember.objects.create, project=project, user=eve)
        shown = await client.next()
        assert [one["id"] for one in shown["payload"]["projectSnapshots"]] == [project.public_id]
        await do(ProjectMember.objects.all().delete)
        shown = await client.next()
        assert shown["payload"]["projectSnapshots"] == []


async def test_viewers_who_see_the_same_share_one_reading(
    ada: User,
    bob: User,
    board: Board,
    columns: dict[str, Column],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    readings = []
    read = overviews.overview

    def counting(seen: Any, chosen: Any) -> Any:
        readings.append((seen, chosen))
        return read(seen, chosen)

    async with connect(ada) as first, connect(ada) as second, connect(bob) as third:
        for client in (first, second, third):
            await client.until("dashboard_overview")
        monkeypatch.setattr(overviews, "overview", counting)
        await do(
            operations.create_card, actor=actor_of(ada), column=columns["backlog"], title="New"
        )
        for client in (first, second, third):
            await client.next()
        assert len(readings) == 1


async def test_nothing_is_read_while_nobody_listens(
    ada: User, board: Board, columns: dict[str, Column], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connect(ada) as client:
        await client.until("dashboard_overview")
    readings: list[Any] = []
    monkeypatch.setattr(overviews, "overview", lambda *args: readings.append(args))
    await do(operations.create_card, actor=actor_of(ada), column=columns["backlog"], title="New")
    await asyncio.sleep(0.8)
    assert readings == []


async def test_incoming_messages_are_ignored(ada: User) -> None:
    async with connect(ada) as client:
        await client.until("dashboard_overview")
        await client.say("create_card", {"columnId": "x"})
        for _ in range(5):
            await client.text("no message at all")
        await client.say("ping")
        assert (await client.next())["type"] == "pong"


async def test_a_range_is_chosen_in_the_query(ada: User) -> None:
    async with connect(ada, "timeRangePreset=last_24h") as client:
        shown = (await client.until("dashboard_overview"))[-1]
        assert shown["payload"]["timeRange"]["preset"] == "last_24h"


async def test_bad_credentials_close_with_4001(ada: User) -> None:
    async with connect(None) as client:
        assert (await client.closing())[0] == 4001
    async with connect(ada) as client:
        await client.until("dashboard_overview")
        await do(User.objects.filter(pk=ada.pk).update, is_active=False)
        assert (await client.closing())[0] == 4001


async def test_agents_are_announced_to_everybody(eve: User) -> None:
    def announce() -> None:
        with transaction.atomic():
            data = {"agent": "demo", "label": "Demo"}
            events.record(topic="server", kind="agent.registered", data=data, actor=SYSTEM)

    async with connect(eve) as client:
        await client.until("dashboard_overview")
        await do(announce)
        message = (await client.until("agent_registered"))[-1]
        assert message["payload"] == {"agent": "demo", "label": "Demo"}
