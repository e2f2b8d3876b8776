"""Who looks at a board: shown to those who look, across processes, and gone when they are."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from apps.accounts.models import User
from apps.agents.live import presence
from apps.agents.live.shapes import KEYS
from apps.agents.live.socket import BoardSocket
from apps.boards import operations
from apps.boards.models import Board, Column
from apps.boards.outputs import board_topic
from apps.core import publishing
from apps.projects.models import ProjectMember
from tests.live import PATIENCE, Connection, Server, bearer, do, hub, receive, receive_until
from tests.people import actor_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
async def live_hub() -> AsyncIterator[None]:
    async with hub():
        yield


def connect(board: Board, user: User) -> Connection:
    path = f"/api/v1/ws?boardId={board.public_id}&changes=delta"
    return Connection(BoardSocket.application, path, bearer(user))


def user(who: User, card_id: str | None = None, *, typing: bool = False) -> dict[str, Any]:
    return {
        "id": who.public_id,
        "displayName": who.display_name,
        "cardId": card_id,
        "typing": typing,
    }


async def look(client: Connection, **payload: Any) -> None:
    await client.say("view", payload)
    await client.until("ack")


async def shown(client: Connection, *users: dict[str, Any], patience: float = PATIENCE) -> None:
    """Wait until the client is shown exactly these people."""
    deadline = time.monotonic() + patience
    seen: Any = None
    while seen != list(users):
        seen = (await client.until("presence", deadline - time.monotonic()))[-1]["payload"]["users"]


async def test_those_who_look_see_each_other_and_others_hear_nothing(
    ada: User, bob: User, board: Board, columns: dict[str, Column]
) -> None:
    assert KEYS["presence"] == {"users"}
    card = await do(
        operations.create_card, actor=actor_of(ada), column=columns["backlog"], title="Card"
    )
    async with (
        connect(board, ada) as first,
        connect(board, bob) as second,
        connect(board, bob) as quiet,
    ):
        for client in (first, second, quiet):
            await client.until("state")
        await first.say("view", {})
        await shown(first, user(ada))
        await second.say("view", {"cardId": card.public_id})
        await shown(first, user(ada), user(bob, card.public_id))
        await second.say("typing", {})
        await shown(first, user(ada), user(bob, card.public_id, typing=True))
        await second.say("typing", {"typing": False})
        await shown(first, user(ada), user(bob, card.public_id))
        await second.say("unview", {})
        await shown(first, user(ada))
        assert await quiet.silent(0.1)


async def test_typing_that_nobody_ended_ends_by_itself(
    ada: User, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connect(board, ada) as client:
        await client.until("state")
        await client.say("view", {})
        await client.say("typing", {})
        await shown(client, user(ada, typing=True))
        monkeypatch.setattr(presence, "TYPING_SECONDS", 0.5)
        await client.say("typing", {})
        await shown(client, user(ada))


async def test_a_person_is_there_once_until_the_last_window_closes(
    ada: User, bob: User, board: Board
) -> None:
    async with connect(board, ada) as client:
        await client.until("state")
        await client.say("view", {})
        async with connect(board, bob) as one:
            await one.until("state")
            await look(one)
            async with connect(board, bob) as other:
                await other.until("state")
                await look(other)
                await shown(client, user(ada), user(bob))
            assert await client.silent(1.5)
        await shown(client, user(ada))


async def test_who_loses_access_is_there_no_more(ada: User, bob: User, board: Board) -> None:
    async with connect(board, ada) as client, connect(board, bob) as other:
        for one in (client, other):
            await one.until("state")
            await look(one)
        await shown(client, user(ada), user(bob))
        await do(ProjectMember.objects.filter(user=bob).delete)
        await shown(client, user(ada))


@pytest.mark.parametrize(
    ("kind", "payload", "code"),
    [
        ("view", {"cardId": "nonsense"}, "NOT_FOUND"),
        ("view", {"cardId": "card_01h455vb4pex5vsknk084sn02q"}, "NOT_FOUND"),
        ("view", {"cardId": 1}, "VALIDATION_ERROR"),
        ("typing", {}, "CONFLICT"),
    ],
)
async def test_what_cannot_be_is_refused(
    ada: User, board: Board, kind: str, payload: dict[str, Any], code: str
) -> None:
    async with connect(board, ada) as client:
        await client.until("state")
        await client.say(kind, payload, id="a")
        error = (await client.until("error"))[-1]
        assert (error["payload"]["id"], error["payload"]["code"]) == ("a", code)


async def test_the_people_of_a_silent_process_are_forgotten(
    ada: User, bob: User, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tell() -> None:
        told = {**user(bob), "at": time.time()}
        publishing.send_ephemeral(
            topic=board_topic(board.pk),
            kind="presence.told",
            data={"process": "elsewhere", "users": [told]},
        )

    async with connect(board, ada) as client:
        await client.until("state")
        await look(client)
        await do(tell)
        await shown(client, user(ada), user(bob))
        monkeypatch.setattr(presence, "LOST_SECONDS", 1.0)
        await shown(client, user(ada))


async def test_people_of_two_processes_see_each_other_and_a_killed_one_loses_its_people(
    redis: str, ada: User, bob: User, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/api/v1/ws?boardId={board.public_id}&changes=delta"
    view = '{"type": "view", "payload": {}}'
    first, second = Server(redis), Server(redis)
    await asyncio.gather(asyncio.to_thread(first.start), asyncio.to_thread(second.start))
    try:
        async with (
            connect(board, ada) as here,
            first.socket(path, bob) as there,
            second.socket(path, ada) as elsewhere,
        ):
            await here.until("state")
            await receive_until(there, "state")
            await receive_until(elsewhere, "state")
            await there.send(view)
            await receive_until(there, "presence")
            # Who comes later is told who is there already.
            await here.say("view", {})
            await shown(here, user(ada), user(bob))
            await elsewhere.send(view)
            while (await receive(elsewhere))["payload"].get("users") != [user(ada), user(bob)]:
                pass
            assert first.process is not None
            first.process.kill()
            await asyncio.to_thread(first.process.wait)
            # The rest is for the clock of this process; theirs runs as slowly as in production.
            monkeypatch.setattr(presence, "LOST_SECONDS", 1.0)
            await shown(here, user(ada))
    finally:
        await asyncio.gather(asyncio.to_thread(first.stop), asyncio.to_thread(second.stop))
