"""Clients that were away, on every channel: asleep for an hour, for too long, or with eyes shut."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from apps.accounts import credentials
from apps.accounts.models import RealtimeTicket, User
from apps.boards import operations
from apps.boards.models import Board, Card, Column
from apps.core import tasks
from apps.core.live import sinks
from apps.core.live.hub import Hub
from apps.core.models import Event
from tests import every_channel
from tests.every_channel import KINDS, PROJECTS, Kind, Stream
from tests.live import PATIENCE, Connection, bearer, do, hub
from tests.people import actor_of

pytestmark = pytest.mark.django_db(transaction=True)

OF_EVENTS = [kind for kind in KINDS if kind.is_of_board or kind is PROJECTS]


@pytest.fixture(autouse=True)
async def live_hub() -> AsyncIterator[None]:
    async with hub():
        yield


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


async def make_card(ada: User, column: Column, title: str) -> Card:
    return await do(operations.create_card, actor=actor_of(ada), column=column, title=title)


def place_of(client: Connection, message: dict[str, Any]) -> str:
    """What a client gives to go on after a message."""
    if isinstance(client, Stream):
        return client.last_id
    if message["type"] == "subscribed":
        return str(message["data"]["version"])
    return str(message.get("version", ""))


def back(kind: Kind, board: Board, user: User, place: str) -> Connection:
    """The same client, who says how far it was."""
    if kind.make is Stream:
        return kind.open(board, user, **({"Last-Event-ID": place} if place else {}))
    return kind.open(board, user, f"since={place}" if place and kind is not PROJECTS else "")


async def titles(client: Connection, count: int) -> list[str]:
    """The titles of the next new cards; a greeting may come before them."""
    found: list[str] = []
    while len(found) < count:
        message = await client.next()
        assert message["type"] not in {"state", "resync"}
        if message["type"] in {"card_created", "card.created"}:
            row = message["data"] if "data" in message else message["payload"]["card"]
            found.append(row["title"])
    return found


async def shows(client: Connection, count: int) -> None:
    """Wait for the overview that counts so many cards."""
    counted = -1
    while counted != count:
        shown = (await client.until("dashboard_overview"))[-1]["payload"]
        counted = shown["projectSnapshots"][0]["totalCards"]


async def leave(
    kind: Kind, board: Board, ada: User, columns: dict[str, Column]
) -> tuple[str, list[str]]:
    """Hear one card, go, and miss three: where the client was, and what it missed."""
    async with kind.open(board, ada) as client:
        first = await kind.begin(client, board)
        place = place_of(client, first)
        await make_card(ada, columns["backlog"], "Seen")
        if kind in OF_EVENTS:
            place = place_of(client, await client.next())
    missed = [f"Missed {number}" for number in range(3)]
    for title in missed:
        await make_card(ada, columns["backlog"], title)
    return place, missed


async def nobody_is_served() -> None:
    """Wait until the server has given its one client up: a stream is forgotten at once."""
    guards = Hub.current().guards
    async with asyncio.timeout(PATIENCE):
        while any(  # noqa: ASYNC110 - nothing tells of it
            one.sink.ending is None
            for guarded in guards._guarded.values()
            for one in guarded
            if isinstance(one.sink, sinks.Sink)
        ):
            await asyncio.sleep(0.02)


async def test_who_slept_for_an_hour_hears_what_it_missed_once_and_goes_on(
    ada: User, board: Board, columns: dict[str, Column], kind: Kind
) -> None:
    place, missed = await leave(kind, board, ada, columns)
    with time_machine.travel(timezone.now() + dt.timedelta(hours=1)):
        # What is old enough goes, and an hour is not.
        await do(tasks.prune_events)
        async with back(kind, board, ada, place) as client:
            if kind is PROJECTS:
                await kind.begin(client, board, place)
            if kind not in OF_EVENTS:
                await shows(client, 4)
                return
            assert await titles(client, 3) == missed
            await make_card(ada, columns["backlog"], "After")
            assert await titles(client, 1) == ["After"]


async def test_who_slept_until_the_journal_forgot_is_told_to_start_over(
    ada: User, board: Board, columns: dict[str, Column], kind: Kind
) -> None:
    place, _missed = await leave(kind, board, ada, columns)
    long_ago = timezone.now() - dt.timedelta(days=8)
    await do(Event.objects.update, created_at=long_ago, published_at=long_ago)
    assert await do(tasks.prune_events) > 0
    async with back(kind, board, ada, place) as client:
        if kind not in OF_EVENTS:
            await shows(client, 4)
            return
        if kind is PROJECTS:
            subscription = {"projectId": board.project.public_id, "since": place}
            await client.say("subscribe", subscription)
        said = await client.until("resync")
        told = said[-1]["data" if kind is PROJECTS else "payload"]
        assert told["reason"] == "too_old"
        whole = await client.next()
        assert whole["type"] == kind.ready
        if kind.is_of_board:
            assert len(whole["payload"]["cards"]) == 4
        await make_card(ada, columns["backlog"], "After")
        assert await titles(client, 1) == ["After"]


async def test_who_stops_reading_is_let_go_and_loses_nothing(
    ada: User,
    board: Board,
    columns: dict[str, Column],
    kind: Kind,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with kind.open(board, ada) as client:
        place = place_of(client, await kind.begin(client, board))
        monkeypatch.setattr(sinks, "WRITE_SECONDS", 0.05)
        client.reads.clear()
        missed = [f"Missed {number}" for number in range(4)]
        for title in missed:
            await make_card(ada, columns["backlog"], title)
        await nobody_is_served()
        client.reads.set()
        assert (await client.closing())[0] == (0 if isinstance(client, Stream) else 4409)
    monkeypatch.undo()
    async with back(kind, board, ada, place) as client:
        if kind is PROJECTS:
            await kind.begin(client, board, place)
        if kind in OF_EVENTS:
            assert await titles(client, 4) == missed
        else:
            await shows(client, 4)


# --- tickets -------------------------------------------------------------------------------------


def ticket_of(user: User, seconds: float) -> str:
    secret = credentials.new_secret()
    RealtimeTicket.objects.create(
        digest=credentials.digest(secret),
        user=user,
        token_version=user.token_version,
        expires_at=timezone.now() + dt.timedelta(seconds=seconds),
    )
    return secret


async def refused(client: Connection) -> bool:
    """True when somebody is not let in: 4001, or a 401."""
    if not isinstance(client, Stream):
        return (await client.closing())[0] == 4001
    start = await client.raw()
    return bool(start["type"] == "http.response.start" and start["status"] == 401)


async def test_a_ticket_opens_one_connection_within_its_time(
    ada: User, board: Board, kind: Kind
) -> None:
    good, old = await do(ticket_of, ada, 30), await do(ticket_of, ada, -1)
    async with kind.open(board, query=f"ticket={good}") as client:
        await kind.begin(client, board)
        async with kind.open(board, query=f"ticket={good}") as second:
            assert await refused(second)
        async with kind.open(board, query=f"ticket={old}") as late:
            assert await refused(late)
        # The first one stays.
        await make_or_greet(client)


async def make_or_greet(client: Connection) -> None:
    """A sign of life of a connection that stands."""
    if not isinstance(client, Stream):
        await client.say("ping")
        await client.until("pong")
    assert client.task is not None
    assert not client.task.done()


# --- one's own -----------------------------------------------------------------------------------


async def test_a_card_that_was_read_is_told_to_its_reader_alone(
    ada: User, bob: User, board: Board, columns: dict[str, Column]
) -> None:
    card = await make_card(ada, columns["backlog"], "News")
    async with (
        PROJECTS.open(board, bob) as his,
        PROJECTS.open(board, ada) as hers,
        every_channel.BOARD.open(board, bob) as of_board,
    ):
        await PROJECTS.begin(hers, board)
        await every_channel.BOARD.begin(of_board, board)
        await his.say("ping")
        await his.until("pong")
        await do(operations.see_card, actor=actor_of(bob), card=card)
        said = await his.next()
        assert said["type"] == "card.read"
        assert said["data"] == {
            "projectId": board.project.public_id,
            "boardId": board.public_id,
            "id": card.public_id,
            "hasUnread": False,
        }
        # Looking once more is no news, and nobody else hears of either.
        await do(operations.see_card, actor=actor_of(bob), card=card)
        for client in (his, hers, of_board):
            assert await client.silent(0.2)
    place = said["version"]
    await do(operations.update_card, actor=actor_of(ada), card=card, changes={"title": "More"})
    await do(operations.see_card, actor=actor_of(bob), card=card)
    client = Connection(PROJECTS.application, f"/api/ws?since={place}", bearer(bob))
    async with client:
        assert (await client.next())["type"] == "card.read"
