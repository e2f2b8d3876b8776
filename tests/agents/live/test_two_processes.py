"""What happens in one web process, as clients of another one hear it; and what is written down."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.utils import timezone
from websockets.exceptions import ConnectionClosed

from apps.accounts import credentials
from apps.accounts.models import ApiToken, RealtimeTicket, User
from apps.agents.live.api_socket import MOST_PROJECTS
from apps.boards import operations
from apps.boards.models import Board, Column
from apps.core.live import work
from apps.projects.models import Project
from tests import factories, live
from tests.live import Server, do, receive, receive_until
from tests.people import actor_of

# What is promised within a second, on a machine that does other things as well; how the promise is
# kept is tested in `test_end_of_access.py`.
WITHIN = 3.0

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def servers(django_db_setup: None, redis: str) -> Iterator[tuple[Server, Server]]:
    """Two web processes on one database and one Redis."""
    first, second = Server(redis), Server(redis)
    first.start()
    second.start()
    try:
        yield first, second
    finally:
        first.stop()
        second.stop()


@pytest.fixture(autouse=True)
async def threads() -> AsyncIterator[None]:
    yield
    work.stop()


async def subscribe(client: Any, project: Project, **more: Any) -> dict[str, Any]:
    payload = {"projectId": project.public_id, **more}
    await client.send(json.dumps({"type": "subscribe", "payload": payload}))
    return await receive(client)


async def close_of(client: Any) -> int:
    with contextlib.suppress(ConnectionClosed):
        async with asyncio.timeout(live.PATIENCE):
            while True:
                await client.recv()
    return int(client.close_code)


async def over(stream: live.EventSource) -> None:
    """Wait until a stream of server-sent events ends."""
    with contextlib.suppress(EOFError):
        while True:
            await stream.next()


# --- addresses -----------------------------------------------------------------------------------


async def test_the_two_addresses_are_two_channels(
    servers: tuple[Server, Server], ada: User, project: Project, board: Board
) -> None:
    token = credentials.issue_jwt(ada)
    async with (
        servers[0].socket(f"/api/v1/ws?boardId={board.public_id}&token={token}") as of_board,
        servers[0].socket(f"/api/ws?token={token}") as of_projects,
    ):
        assert (await receive(of_board))["type"] == "hello"
        assert (await subscribe(of_projects, project))["type"] == "subscribed"
    async with servers[0].socket("/api/ws?token=nonsense") as client:
        assert await close_of(client) == 4001


# --- the end of access, seen elsewhere -----------------------------------------------------------


def headers(user: User) -> dict[str, str]:
    return live.bearer(user)


async def test_a_member_removed_over_rest_hears_nothing_more_on_any_channel_of_another_process(
    servers: tuple[Server, Server],
    ada: User,
    bob: User,
    project: Project,
    board: Board,
    columns: dict[str, Column],
) -> None:
    here, there = servers
    query = f"boardId={board.public_id}&changes=delta"
    async with (
        there.socket(f"/api/v1/ws?{query}", bob) as of_board,
        there.stream(f"/api/v1/sse?{query}", bob) as stream,
        there.socket("/api/ws", bob) as of_projects,
        there.socket("/api/v1/ws/dashboard", bob) as dashboard,
        httpx.AsyncClient(timeout=live.PATIENCE) as rest,
    ):
        await receive_until(of_board, "state")
        await stream.until("state")
        await subscribe(of_projects, project)
        shown = (await receive_until(dashboard, "dashboard_overview"))[-1]
        assert [one["projectId"] for one in shown["payload"]["projectSnapshots"]] == [
            project.public_id
        ]
        answer = await rest.delete(
            here.url(f"/api/v1/projects/{project.public_id}/members/{bob.public_id}"),
            headers=headers(ada),
        )
        assert answer.status_code == 204
        began = time.monotonic()
        assert await close_of(of_board) == 4403
        await over(stream)
        ended = (await receive_until(of_projects, "unsubscribed"))[-1]
        while shown["payload"]["projectSnapshots"]:
            shown = await receive(dashboard)
        assert time.monotonic() - began < WITHIN
        assert ended["data"] == {"projectId": project.public_id, "reason": "access_ended"}
        card = await rest.post(
            here.url(f"/api/v1/projects/{project.public_id}/cards"),
            json={"columnId": columns["backlog"].public_id, "title": "Secret"},
            headers=headers(ada),
        )
        assert card.status_code == 201
        await of_projects.send('{"type": "ping"}')
        assert (await receive(of_projects))["type"] == "pong"


async def test_a_project_that_is_deleted_over_rest_ends_on_every_channel_of_another_process(
    servers: tuple[Server, Server], ada: User, bob: User, project: Project, board: Board
) -> None:
    here, there = servers
    query = f"boardId={board.public_id}&changes=delta"
    async with (
        there.socket(f"/api/v1/ws?{query}", bob) as of_board,
        there.stream(f"/api/v1/sse?{query}", bob) as stream,
        there.socket("/api/ws", bob) as of_projects,
        there.socket("/api/v1/ws/dashboard", bob) as dashboard,
        there.stream("/api/v1/sse", bob) as overview,
        httpx.AsyncClient(timeout=live.PATIENCE) as rest,
    ):
        await receive_until(of_board, "state")
        await stream.until("state")
        await subscribe(of_projects, project)
        await receive_until(dashboard, "dashboard_overview")
        await overview.until("dashboard_overview")
        address = here.url(f"/api/v1/projects/{project.public_id}")
        answer = await rest.delete(address, headers=headers(ada))
        assert answer.status_code == 204
        began = time.monotonic()
        assert await close_of(of_board) == 4403
        await over(stream)
        said = await receive_until(of_projects, "unsubscribed")
        shown = (await receive_until(dashboard, "dashboard_overview"))[-1]["payload"]
        streamed = (await overview.until("dashboard_overview"))[-1][1]
        assert time.monotonic() - began < WITHIN
        assert said[-1]["data"]["projectId"] == project.public_id
        assert shown["projectSnapshots"] == streamed["projectSnapshots"] == []


def revoke(user: User, token: ApiToken) -> None:
    ApiToken.objects.filter(pk=token.pk).update(revoked_at=timezone.now())


def expire(user: User, token: ApiToken) -> None:
    past = timezone.now() - dt.timedelta(seconds=1)
    ApiToken.objects.filter(pk=token.pk).update(expires_at=past)


def disable(user: User, token: ApiToken) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def delete(user: User, token: ApiToken) -> None:
    user.delete()


def change_password(user: User, token: ApiToken) -> None:
    User.objects.filter(pk=user.pk).update(token_version=7)


@pytest.mark.parametrize("ends", [revoke, expire, disable, delete, change_password])
async def test_credentials_that_end_end_every_channel(
    servers: tuple[Server, Server],
    bob: User,
    project: Project,
    board: Board,
    ends: Callable[[User, ApiToken], None],
) -> None:
    server = servers[0]
    secret = credentials.new_secret(credentials.TOKEN_PREFIX)
    token = await do(
        factories.ApiToken.create, user=bob, digest=credentials.digest(secret), expires_at=None
    )
    sign = {"Authorization": f"Bearer {secret}"}
    query = f"boardId={board.public_id}&changes=delta"
    async with (
        server.socket(f"/api/v1/ws?{query}", headers=sign) as of_board,
        server.socket("/api/ws", headers=sign) as of_projects,
        server.socket("/api/v1/ws/dashboard", headers=sign) as dashboard,
        server.stream(f"/api/v1/sse?{query}", headers=sign) as stream,
        server.stream("/api/v1/sse", headers=sign) as overview,
    ):
        await receive_until(of_board, "state")
        await subscribe(of_projects, project)
        await receive_until(dashboard, "dashboard_overview")
        await stream.until("state")
        await overview.until("dashboard_overview")
        await do(ends, bob, token)
        began = time.monotonic()
        codes = await asyncio.gather(*map(close_of, (of_board, of_projects, dashboard)))
        assert codes == [4001, 4001, 4001]
        for one in (stream, overview):
            await over(one)
        assert time.monotonic() - began < WITHIN


# --- secrets -------------------------------------------------------------------------------------


async def test_of_many_at_once_one_gets_in_with_a_ticket(
    servers: tuple[Server, Server], ada: User, project: Project
) -> None:
    secret = credentials.new_secret()
    await do(
        RealtimeTicket.objects.create,
        digest=credentials.digest(secret),
        user=ada,
        token_version=ada.token_version,
        expires_at=timezone.now() + dt.timedelta(seconds=30),
    )

    async def attempt(server: Server) -> str:
        async with server.socket(f"/api/ws?ticket={secret}") as client:
            try:
                return str((await subscribe(client, project))["type"])
            except ConnectionClosed:
                return str(client.close_code)

    found = await asyncio.gather(*(attempt(servers[number % 2]) for number in range(8)))
    assert sorted(found) == ["4001"] * 7 + ["subscribed"]


async def test_no_token_is_written_to_the_log(
    redis: str, ada: User, board: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log"
    with path.open("wb") as output:
        popen = subprocess.Popen

        def logging(*args: Any, **options: Any) -> subprocess.Popen[bytes]:
            return popen(*args, **{**options, "stdout": output, "stderr": output})

        monkeypatch.setattr(subprocess, "Popen", logging)
        server = Server(redis)
        await asyncio.to_thread(server.start)
        try:
            token = credentials.issue_jwt(ada)
            for address in (
                "/api/ws?",
                "/api/v1/ws/dashboard?",
                f"/api/v1/ws?boardId={board.public_id}&",
            ):
                async with server.socket(f"{address}token={token}") as client:
                    await client.send('{"type": "ping"}')
                    await receive(client)
                async with server.socket(f"{address}ticket=tick-{token}") as client:
                    await close_of(client)
            async with server.stream(f"/api/v1/sse?token={token}") as stream:
                await stream.next()
            async with httpx.AsyncClient(timeout=live.PATIENCE) as rest:
                await rest.get(server.url(f"/api/v1/sse?token=bad-{token}"))
        finally:
            await asyncio.to_thread(server.stop)
    written = path.read_text(encoding="utf-8", errors="replace")
    assert "/api/ws" in written
    assert "/api/v1/sse" in written
    assert token not in written
    assert "ticket" not in written
    assert "token=" not in written


# --- clients that behave badly -------------------------------------------------------------------


async def test_a_client_that_never_reads_is_dropped_and_nobody_else_waits(
    servers: tuple[Server, Server],
    ada: User,
    bob: User,
    project: Project,
    columns: dict[str, Column],
) -> None:
    server = servers[0]
    card = await do(
        operations.create_card, actor=actor_of(ada), column=columns["backlog"], title="Card"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
    with contextlib.closing(writer):
        token = live.bearer(bob)["Authorization"]
        writer.write(
            b"GET /api/ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            b"Authorization: " + token.encode() + b"\r\n\r\n"
        )
        await reader.readuntil(b"\r\n\r\n")
        asked = {"type": "subscribe", "payload": {"projectId": project.public_id}}
        text = json.dumps(asked).encode()
        # A masked frame with a mask of zeros.
        writer.write(bytes((0x81, 0x80 | len(text))) + b"\0\0\0\0" + text)
        await writer.drain()
        assert b"subscribed" in await reader.read(900)
        async with server.socket("/api/ws", ada) as client:
            await subscribe(client, project)
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
                assert message["data"]["description"] == body
                assert time.monotonic() - began < live.SOON
        end = b"\x88\x08" + (4409).to_bytes(2, "big") + b"resume"
        tail = b""
        # Or nothing, where the machine was so slow that the server had given it up altogether.
        with contextlib.suppress(ConnectionResetError):
            async with asyncio.timeout(live.PATIENCE):
                while not tail.endswith(end):
                    tail = (tail + await reader.read(65_536))[-65_536:]


async def test_a_flood_of_subscriptions_is_answered_and_bounded(
    servers: tuple[Server, Server], ada: User
) -> None:
    def prepare() -> list[Project]:
        return [factories.Project.create(owner=ada) for _ in range(MOST_PROJECTS + 5)]

    projects = [project.public_id for project in await do(prepare)]
    asked: list[str | int] = [*projects, *range(1_000), *projects[-5:]]
    async with servers[0].socket("/api/ws", ada) as client:

        async def ask() -> None:
            for project_id in asked:
                payload = {"projectId": project_id}
                await client.send(json.dumps({"type": "subscribe", "payload": payload}))

        asking = asyncio.ensure_future(ask())
        answers = [await receive(client, 60) for _ in asked]
        await asking
    kinds = [answer["data"].get("code", answer["type"]) for answer in answers]
    bounded = MOST_PROJECTS + 5
    assert kinds[:bounded] == [*["subscribed"] * MOST_PROJECTS, *["CONFLICT"] * 5]
    # More than a burst: every one is answered, and most are told to come later.
    assert set(kinds[bounded:]) <= {"NOT_FOUND", "CONFLICT", "RATE_LIMITED"}
    assert "RATE_LIMITED" in kinds


async def test_a_client_that_reconnects_in_a_tight_loop_hears_everything_once(
    servers: tuple[Server, Server], ada: User, project: Project, columns: dict[str, Column]
) -> None:
    made: list[str] = []
    stop = asyncio.Event()

    async def write() -> None:
        while not stop.is_set():
            card = await do(
                operations.create_card,
                actor=actor_of(ada),
                column=columns["backlog"],
                title=f"Card {len(made)}",
            )
            made.append(card.public_id)

    writing = asyncio.ensure_future(write())
    heard: list[str] = []
    place: Any = 0
    for turn in range(30):
        async with servers[turn % 2].socket("/api/ws", ada) as client:
            answer = await subscribe(client, project, since=place)
            assert answer["type"] == "subscribed"
            with contextlib.suppress(TimeoutError):
                while True:
                    message = await receive(client, 0.02)
                    place = message["version"]
                    heard.append(message["data"]["id"])
    stop.set()
    await writing
    async with servers[0].socket("/api/ws", ada) as client:
        await subscribe(client, project, since=place)
        while len(heard) < len(made):
            heard.append((await receive(client))["data"]["id"])
    assert heard == made


async def test_nothing_is_lost_or_doubled_while_servers_are_killed(
    redis: str, ada: User, project: Project, columns: dict[str, Column]
) -> None:
    made: list[str] = []
    stop = asyncio.Event()

    async def write() -> None:
        while not stop.is_set():
            card = await do(
                operations.create_card,
                actor=actor_of(ada),
                column=columns["backlog"],
                title=f"Card {len(made)}",
            )
            made.append(card.public_id)
            await asyncio.sleep(0.02)

    writing = asyncio.ensure_future(write())
    heard: list[str] = []
    place: Any = 0
    try:
        for _ in range(3):
            server = Server(redis)
            await asyncio.to_thread(server.start)
            assert server.process is not None
            async with server.socket("/api/ws", ada) as client:
                assert (await subscribe(client, project, since=place))["type"] == "subscribed"
                enough = len(made) + 20
                with contextlib.suppress(ConnectionClosed):
                    while True:
                        message = await receive(client)
                        place = message["version"]
                        heard.append(message["data"]["id"])
                        if len(heard) == enough:
                            server.process.kill()
            await asyncio.to_thread(server.stop)
    finally:
        stop.set()
        await writing
    server = Server(redis)
    await asyncio.to_thread(server.start)
    try:
        async with server.socket("/api/ws", ada) as client:
            await subscribe(client, project, since=place)
            while len(heard) < len(made):
                heard.append((await receive(client))["data"]["id"])
    finally:
        await asyncio.to_thread(server.stop)
    assert heard == made


async def test_a_hundred_commands_at_once_are_answered_each(
    servers: tuple[Server, Server], ada: User, board: Board, columns: dict[str, Column]
) -> None:
    path = f"/api/v1/ws?boardId={board.public_id}&changes=delta"
    async with servers[0].socket(path, ada) as client:
        await receive_until(client, "state")
        for number in range(100):
            payload = {"columnId": columns["backlog"].public_id, "title": f"Card {number}"}
            command = {"type": "create_card", "payload": payload, "id": number}
            await client.send(json.dumps(command))
        answers: dict[int, str] = {}
        while len(answers) < 100:
            message = await receive(client)
            if message["type"] in {"ack", "error"}:
                answers[message["payload"]["id"]] = message["type"]
        done = [number for number, kind in answers.items() if kind == "ack"]
        assert len(done) >= 60
        assert await do(columns["backlog"].cards.count) == len(done)
