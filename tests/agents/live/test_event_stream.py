from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from django.db import transaction

from apps.accounts.models import User
from apps.agents import events as agent_events
from apps.agents.live.shapes import KEYS
from apps.boards import operations
from apps.boards.models import Board, Card, Column
from apps.core.actors import Actor
from apps.core.live import work
from tests import factories, live
from tests.live import Server, do
from tests.people import actor_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def server(django_db_setup: None, redis: str) -> Iterator[Server]:
    yield from live.running(redis)


@pytest.fixture(autouse=True)
async def threads() -> AsyncIterator[None]:
    yield
    work.stop()


async def make_card(ada: User, column: Column, title: str = "Card") -> Card:
    return await do(operations.create_card, actor=actor_of(ada), column=column, title=title)


@pytest.mark.parametrize("prefix", ["/api/v1/sse", "/api/sse"])
@pytest.mark.parametrize("name", ["boardId", "projectId"])
async def test_it_says_hello_and_the_board(
    server: Server, ada: User, board: Board, prefix: str, name: str
) -> None:
    async with server.stream(f"{prefix}?{name}={board.public_id}", ada) as stream:
        assert stream.response.status_code == 200
        headers = stream.response.headers
        assert headers["content-type"] == "text/event-stream; charset=utf-8"
        assert headers["cache-control"] == "no-cache, no-transform"
        assert headers["x-accel-buffering"] == "no"
        assert headers["x-content-type-options"] == "nosniff"
        kind, payload = await stream.next()
        assert (kind, set(payload)) == ("hello", {"serverTime"})
        assert stream.retry == 1500
        kind, payload = await stream.next()
        assert (kind, frozenset(payload)) == ("state", KEYS["state"])
        assert stream.last_id == f"board.{board.public_id}:0"


async def test_without_credentials_it_is_a_401_and_for_strangers_a_404(
    server: Server, eve: User, board: Board
) -> None:
    async with httpx.AsyncClient(timeout=live.PATIENCE) as client:
        for headers, status, code in (
            ({}, 401, "UNAUTHORIZED"),
            ({"Authorization": "Bearer nonsense"}, 401, "UNAUTHORIZED"),
            (live.bearer(eve), 404, "NOT_FOUND"),
        ):
            answer = await client.get(
                server.url(f"/api/v1/sse?boardId={board.public_id}"), headers=headers
            )
            assert (answer.status_code, answer.json()["code"]) == (status, code)
            assert answer.headers["content-type"] == "application/problem+json"
        answer = await client.get(server.url("/api/v1/sse"))
        assert answer.status_code == 401


async def test_other_methods_and_unknown_options_are_refused(
    server: Server, ada: User, board: Board
) -> None:
    url = server.url(f"/api/v1/sse?boardId={board.public_id}")
    async with httpx.AsyncClient(headers=live.bearer(ada), timeout=live.PATIENCE) as client:
        answer = await client.post(url)
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
        assert (await client.get(f"{url}&changes=some")).status_code == 400
        assert (await client.get(f"{url}&detail=some")).status_code == 400


async def test_pages_of_friends_may_read_it_and_others_may_not(
    server: Server, ada: User, board: Board
) -> None:
    path = f"/api/v1/sse?boardId={board.public_id}"
    friend = {"Origin": "https://friend.example.org"}
    async with server.stream(path, ada, friend) as stream:
        allowed = stream.response.headers["access-control-allow-origin"]
        assert allowed == "https://friend.example.org"
    async with server.stream(path, ada, {"Origin": "https://evil.example.org"}) as stream:
        assert "access-control-allow-origin" not in stream.response.headers
    async with httpx.AsyncClient(timeout=live.PATIENCE) as client:
        answer = await client.options(server.url(path), headers=friend)
        assert answer.status_code == 204
        assert "last-event-id" in answer.headers["access-control-allow-headers"]


@pytest.mark.parametrize("missed", [0, 1, 12])
async def test_last_event_id_brings_exactly_what_was_missed(
    server: Server, ada: User, board: Board, columns: dict[str, Column], missed: int
) -> None:
    path = f"/api/v1/sse?boardId={board.public_id}&changes=delta"
    async with server.stream(path, ada) as stream:
        await stream.until("state")
        await make_card(ada, columns["backlog"], "Seen")
        assert (await stream.next())[0] == "card_created"
        last_id = stream.last_id
    titles = [f"Missed {number}" for number in range(missed)]
    for title in titles:
        await make_card(ada, columns["backlog"], title)
    async with server.stream(path, ada, {"Last-Event-ID": last_id}) as stream:
        assert (await stream.next())[0] == "hello"
        found = [await stream.next() for _ in range(missed)]
        assert [payload["card"]["title"] for _kind, payload in found] == titles
        await make_card(ada, columns["backlog"], "After")
        assert (await stream.next())[1]["card"]["title"] == "After"


async def test_the_default_way_comes_back_with_one_fresh_board(
    server: Server, ada: User, board: Board, columns: dict[str, Column]
) -> None:
    path = f"/api/v1/sse?boardId={board.public_id}"
    async with server.stream(path, ada) as stream:
        await stream.until("state")
        await make_card(ada, columns["backlog"])
        kind, payload = await stream.next()
        assert (kind, len(payload["cards"])) == ("state", 1)
        last_id = stream.last_id
    await make_card(ada, columns["backlog"])
    await make_card(ada, columns["backlog"])
    async with server.stream(path, ada, {"Last-Event-ID": last_id}) as stream:
        found = [await stream.next() for _ in range(2)]
        assert [kind for kind, _payload in found] == ["hello", "state"]
        assert len(found[1][1]["cards"]) == 3


@pytest.mark.parametrize("last_id", ["nonsense", "board.board_other:1", "999", "-1"])
async def test_an_id_of_elsewhere_starts_over(
    server: Server, ada: User, board: Board, last_id: str
) -> None:
    path = f"/api/v1/sse?boardId={board.public_id}"
    async with server.stream(path, ada, {"Last-Event-ID": last_id}) as stream:
        found = await stream.until("state")
        assert [kind for kind, _payload in found] == ["hello", "resync", "state"]
        assert found[1][1] == {"reason": "unknown_cursor"}


async def test_a_batch_that_was_cut_off_goes_on_where_it_was_cut(
    server: Server, ada: User, board: Board, columns: dict[str, Column]
) -> None:
    card = await make_card(ada, columns["review"])
    attempt = await do(factories.Attempt.create, card=card, succeeded=True)
    items = [await do(factories.Item.create, attempt=attempt) for _ in range(4)]

    def converse() -> None:
        with transaction.atomic():
            agent_events.attempt_conversed(attempt, items, actor=Actor.system("test"))

    await do(converse)
    path = f"/api/v1/sse?boardId={board.public_id}&changes=delta"
    topic = f"board.{board.public_id}"
    for last_id, rest in ((f"{topic}:1", 4), (f"{topic}:2.0", 3), (f"{topic}:2.2", 1)):
        async with server.stream(path, ada, {"Last-Event-ID": last_id}) as stream:
            assert (await stream.next())[0] == "hello"
            found = [await stream.next() for _ in range(rest)]
            assert [payload["item"]["id"] for _kind, payload in found] == [
                item.public_id for item in items[4 - rest :]
            ]
            assert stream.last_id == f"{topic}:2"


async def test_a_heartbeat_comes_every_fifteen_seconds(
    server: Server, ada: User, board: Board
) -> None:
    path = f"/api/v1/sse?boardId={board.public_id}"
    loop = asyncio.get_running_loop()
    async with server.stream(path, ada) as stream, server.stream("/api/v1/sse", ada) as other:
        await stream.until("state")
        await other.until("dashboard_overview")
        began = loop.time()
        kind, payload = await stream.next(20)
        assert (kind, set(payload)) == ("heartbeat", {"ts"})
        assert 13 < loop.time() - began < 17
        assert "heartbeat" in [kind for kind, _payload in await other.until("heartbeat", 5)]


async def test_a_stream_ends_with_its_access(
    server: Server, ada: User, bob: User, board: Board
) -> None:
    async with server.stream(f"/api/v1/sse?boardId={board.public_id}", bob) as stream:
        await stream.until("state")
        await do(board.project.members.all().delete)
        with pytest.raises(EOFError):
            await stream.next()
