"""The channels through a real web process: upgrades, close codes, limits, restarts."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.conf import settings
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.http11 import Response

from apps.accounts.models import User
from apps.boards import operations
from apps.boards.models import Board, Card, Column
from apps.core.live import work
from kanbanai.supervisor import redis_server
from kanbanai.web.gate import ANSWER_SECONDS, BELIEVED_SECONDS
from tests import live
from tests.live import Server, do, receive, receive_until
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


def board_path(board: Board, query: str = "changes=delta") -> str:
    return f"/api/v1/ws?boardId={board.public_id}&{query}"


async def close_of(client: Any) -> tuple[int, str]:
    """The close code and reason a client sees."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            async with asyncio.timeout(live.PATIENCE):
                await client.recv()
    return client.close_code, client.close_reason


# --- upgrades ------------------------------------------------------------------------------------


async def test_a_change_over_rest_reaches_a_socket_and_a_stream(
    server: Server, ada: User, bob: User, board: Board, columns: dict[str, Column]
) -> None:
    sse = f"/api/v1/sse?boardId={board.public_id}&changes=delta"
    async with (
        server.socket(board_path(board), ada) as client,
        server.stream(sse, bob) as stream,
        httpx.AsyncClient(timeout=live.PATIENCE) as rest,
    ):
        await receive_until(client, "state")
        await stream.until("state")
        answer = await rest.post(
            server.url(f"/api/v1/projects/{board.project.public_id}/cards"),
            json={"columnId": columns["backlog"].public_id, "title": "Over REST"},
            headers=live.bearer(ada),
        )
        assert answer.status_code == 201
        heard = await receive(client)
        kind, payload = await stream.next()
        assert (heard["type"], kind) == ("card_created", "card_created")
        assert heard["payload"] == payload
        assert payload["card"]["title"] == "Over REST"
        assert stream.last_id == f"board.{board.public_id}:1"


@pytest.mark.parametrize(
    "path", ["/api/v1/ws?boardId={board}", "/api/v1/ws/dashboard", "/api/ws/dashboard", "/api/ws"]
)
async def test_a_foreign_page_is_refused_before_the_upgrade(
    server: Server, ada: User, board: Board, path: str
) -> None:
    path = path.format(board=board.public_id)
    for foreign in ("https://evil.example.org", "null", "http://testserver.example.org"):
        with pytest.raises(InvalidStatus) as refusal:
            async with server.socket(path, ada, origin=foreign):
                pass
        assert refusal.value.response.status_code == 403
        assert refusal.value.response.headers["content-type"] == "application/problem+json"
    for friend in ("http://testserver", "https://friend.example.org"):
        async with server.socket(path, ada, origin=friend) as client:
            await client.send('{"type": "ping"}')
            await receive_until(client, "pong")


async def test_without_a_board_there_is_no_socket(server: Server, ada: User) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        async with server.socket("/api/v1/ws", ada):
            pass
    problem = json.loads(refusal.value.response.body or b"")
    assert (problem["status"], problem["code"]) == (400, "VALIDATION_ERROR")


async def test_bad_credentials_close_with_4001_and_strangers_with_1008(
    server: Server, eve: User, board: Board
) -> None:
    async with server.socket(board_path(board, "token=nonsense")) as client:
        assert await close_of(client) == (4001, "Sign in to continue")
    async with server.socket(board_path(board), eve) as client:
        assert await close_of(client) == (1008, "Board not found")


# --- limits --------------------------------------------------------------------------------------


async def test_a_frame_of_two_megabytes_closes_with_1009(
    server: Server, ada: User, board: Board
) -> None:
    async with server.socket(board_path(board), ada) as client:
        await receive_until(client, "state")
        await client.send(json.dumps({"type": "ping", "payload": "x" * 2 * 1024 * 1024}))
        assert (await close_of(client))[0] == 1009


async def test_three_binary_frames_close_with_1003(server: Server, ada: User, board: Board) -> None:
    async with server.socket(board_path(board), ada) as client:
        await receive_until(client, "state")
        for _ in range(3):
            await client.send(b"\x00\xff")
        assert (await close_of(client))[0] == 1003


async def test_a_slow_reader_is_dropped_and_nobody_else_waits(
    server: Server, ada: User, bob: User, board: Board, columns: dict[str, Column]
) -> None:
    card = await make_card(ada, columns["backlog"])
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
    with contextlib.closing(writer):
        token = live.bearer(bob)["Authorization"]
        writer.write(
            f"GET {board_path(board)} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            f"Authorization: {token}\r\n\r\n".encode()
        )
        await reader.readuntil(b"\r\n\r\n")
        async with server.socket(board_path(board), ada) as client:
            await receive_until(client, "state")
            slowest = 0.0
            # Far more than the buffers of the two kernels and the server's queue hold.
            for number in range(40):
                began = time.monotonic()
                body = f"{number} " + "x" * 240_000
                await do(
                    operations.update_card,
                    actor=actor_of(ada),
                    card=card,
                    changes={"prompt": body},
                )
                message = await receive(client)
                slowest = max(slowest, time.monotonic() - began)
                assert message["payload"]["card"]["description"] == body
            assert slowest < live.SOON
        # Whoever reads again finds out why it was left behind.
        end = b"\x88\x08" + (4409).to_bytes(2, "big") + b"resume"
        tail = b""
        # Or nothing, where the machine was so slow that the server had given it up altogether.
        with contextlib.suppress(ConnectionResetError):
            async with asyncio.timeout(live.PATIENCE):
                while not tail.endswith(end):
                    tail = (tail + await reader.read(65_536))[-65_536:]


# --- shutting down and coming back ---------------------------------------------------------------


async def test_a_server_that_stops_says_so_and_clients_go_on_elsewhere(
    redis: str, ada: User, board: Board, columns: dict[str, Column]
) -> None:
    first = Server(redis)
    await asyncio.to_thread(first.start)
    try:
        async with (
            first.socket(board_path(board), ada) as client,
            first.stream(f"/api/v1/sse?boardId={board.public_id}", ada) as stream,
        ):
            await receive_until(client, "state")
            await stream.until("state")
            assert first.process is not None
            first.process.send_signal(signal.SIGTERM)
            assert (await close_of(client))[0] == 1001
            with pytest.raises(EOFError):
                await stream.next()
        assert await asyncio.to_thread(first.process.wait, live.PATIENCE) == 0
    finally:
        await asyncio.to_thread(first.stop)
    await make_card(ada, columns["backlog"])
    second = Server(redis)
    await asyncio.to_thread(second.start)
    try:
        async with second.socket(board_path(board, "changes=delta&since=0"), ada) as client:
            assert [(await receive(client))["type"] for _ in range(2)] == ["hello", "card_created"]
    finally:
        await asyncio.to_thread(second.stop)


def start_redis(path: Path) -> subprocess.Popen[bytes]:
    process = redis_server.start(unix_socket=path, output=subprocess.DEVNULL)
    redis_server.wait(process, path)
    return process


async def refusal_of(server: Server, path: str, user: User) -> Response:
    """How a new socket is refused: a good answer of Redis is believed for a second, so it lasts."""
    ends = time.monotonic() + BELIEVED_SECONDS + ANSWER_SECONDS + 5
    while time.monotonic() < ends:
        try:
            async with server.socket(path, user):
                await asyncio.sleep(0.1)
        except InvalidStatus as error:
            return error.response
    pytest.fail("A socket was let in without Redis for seconds.")


async def let_in(server: Server, path: str, user: User) -> None:
    """Waits until sockets are taken again: a bad answer of Redis is believed for a while, too."""
    async with asyncio.timeout(live.PATIENCE):
        while True:
            try:
                async with server.socket(path, user):
                    return
            except InvalidStatus as error:
                if error.response.status_code != 503:
                    raise
                await asyncio.sleep(0.1)


async def test_no_event_is_lost_while_redis_restarts(
    ada: User, board: Board, columns: dict[str, Column]
) -> None:
    path = settings.TEST_SCRATCH_DIR / "other" / "redis.sock"
    process = start_redis(path)
    server = Server(f"unix://{path}")
    await asyncio.to_thread(server.start)
    streamed = f"/api/v1/sse?boardId={board.public_id}&changes=delta"
    subscription: dict[str, Any] = {
        "type": "subscribe",
        "payload": {"projectId": board.project.public_id},
    }
    try:
        async with (
            server.socket(board_path(board), ada) as client,
            server.stream(streamed, ada) as stream,
            server.socket("/api/ws", ada) as projects,
            server.socket("/api/v1/ws/dashboard", ada) as dashboard,
        ):
            await receive_until(client, "state")
            await stream.until("state")
            await projects.send(json.dumps(subscription))
            place = (await receive_until(projects, "subscribed"))[-1]["data"]["version"]
            await receive_until(dashboard, "dashboard_overview")
            made: list[str] = []

            async def create(count: int) -> None:
                """Everybody hears of each card once, in order, whatever Redis does."""
                async with httpx.AsyncClient(timeout=live.PATIENCE) as rest:
                    for _ in range(count):
                        answer = await rest.post(
                            server.url(f"/api/v1/projects/{board.project.public_id}/cards"),
                            json={"columnId": columns["backlog"].public_id, "title": "Card"},
                            headers=live.bearer(ada),
                        )
                        assert answer.status_code == 201
                        made.append(answer.json()["data"]["id"])
                new = made[-count:]
                told = [await receive(client) for _ in new]
                assert [one["payload"]["card"]["id"] for one in told] == new
                events = [await stream.next() for _ in new]
                assert [payload["card"]["id"] for _kind, payload in events] == new
                assert [(await receive(projects))["data"]["id"] for _ in new] == new
                counted = 0
                while counted < len(made):
                    shown = (await receive(dashboard))["payload"]
                    counted = shown["projectSnapshots"][0]["totalCards"]

            await create(3)
            process.kill()
            await asyncio.to_thread(process.wait)
            await create(2)
            for address in (board_path(board), "/api/ws", "/api/v1/ws/dashboard"):
                refusal = await refusal_of(server, address, ada)
                assert refusal.status_code == 503
                assert json.loads(refusal.body or b"")["code"] == "UNAVAILABLE"
            process = await asyncio.to_thread(start_redis, path)
            await create(3)
        # Who was away during all of it hears it as well, each once.
        subscription["payload"]["since"] = place
        await let_in(server, "/api/ws", ada)
        async with server.socket("/api/ws", ada) as projects:
            await projects.send(json.dumps(subscription))
            await receive_until(projects, "subscribed")
            assert [(await receive(projects))["data"]["id"] for _ in made] == made
    finally:
        await asyncio.to_thread(server.stop)
        process.kill()
        await asyncio.to_thread(process.wait)
