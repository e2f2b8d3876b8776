"""Clients that send too much, too fast, or nonsense: they wait or are refused, nobody else is."""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import socket
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from apps.accounts.models import User
from apps.agents.live.api_socket import BURST, ApiSocket
from apps.boards.models import Board
from apps.core.live import work
from apps.projects.models import Project
from kanbanai.web.gate import FREE_FILES
from kanbanai.web.websocket import CLOSE_SECONDS, FRAMES_A_SECOND, MOST_FRAMES_AT_ONCE
from tests import live
from tests.live import Connection, Server, bearer, hub

pytestmark = pytest.mark.django_db(transaction=True)

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
# Far more than the buffers of two kernels and what the server lets wait.
FAR_TOO_MUCH = 64 * 1024 * 1024
# A server that reads on takes something within this.
STUCK_SECONDS = 0.5


@pytest.fixture(autouse=True)
async def threads() -> AsyncIterator[None]:
    yield
    work.stop()


def frame(opcode: int, payload: bytes = b"") -> bytes:
    """A whole frame, masked with zeros."""
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", 0x80 | opcode, 0x80 | size)
    elif size < 65_536:
        head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, size)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, 0x80 | 127, size)
    return head + bytes(4) + payload


class Raw:
    """A client that says exactly what it is told to, and reads only when it is told to."""

    def __init__(self, server: Server, path: str, user: User) -> None:
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=live.PATIENCE)
        self.socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            f"Authorization: {bearer(user)['Authorization']}\r\n\r\n".encode()
        )
        self.buffer = b""
        while b"\r\n\r\n" not in self.buffer:
            self.buffer += self._more()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")

    def _more(self) -> bytes:
        data = self.socket.recv(65_536)
        if not data:
            raise EOFError
        return data

    def _take(self, size: int) -> bytes:
        while len(self.buffer) < size:
            self.buffer += self._more()
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken

    def until(self, opcode: int, payload: bytes | None = None) -> bytes:
        while True:
            first, size = self._take(2)
            if size == 126:
                (size,) = struct.unpack("!H", self._take(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", self._take(8))
            found = self._take(size)
            if first & 15 == opcode and payload in {None, found}:
                return found

    def taken(self, data: bytes) -> int:
        """Bytes that the server takes of somebody who says the same again and again."""
        self.socket.settimeout(STUCK_SECONDS)
        sent = 0
        with contextlib.suppress(TimeoutError, ConnectionError):
            while sent < FAR_TOO_MUCH:
                sent += self.socket.send(data[sent % len(data) :])
        return sent


@contextlib.contextmanager
def raw(server: Server, path: str, user: User) -> Iterator[Raw]:
    client = Raw(server, path, user)
    with contextlib.closing(client.socket):
        yield client


# --- clients that ask for what we are not --------------------------------------------------------


@pytest.mark.parametrize("path", ["/api/ws", "/api/v1/ws/dashboard", "/api/v1/sse"])
async def test_a_foreign_name_that_leads_here_opens_nothing(
    server: Server, ada: User, path: str
) -> None:
    headers = {**bearer(ada), "Host": "evil.example.org"}
    if "ws" in path:
        headers |= {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        }
    async with httpx.AsyncClient(timeout=live.PATIENCE) as client:
        answer = await client.get(server.url(path), headers=headers)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


async def test_only_the_address_itself_is_a_socket(server: Server, ada: User) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        async with server.socket("//api/ws", ada):
            pass
    assert refusal.value.response.status_code == 404


def test_a_web_process_may_have_many_connections() -> None:
    script = (
        "import resource; from kanbanai.management.commands import serve;"
        "_, hard = resource.getrlimit(resource.RLIMIT_NOFILE);"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard)); serve.open_many_files();"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE)[0] == min(hard, serve.MOST_FILES))"
    )
    found = subprocess.run(
        [sys.executable, "-c", script], cwd=live.ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "True"


async def test_connections_without_number_leave_room_for_pages(server: Server, ada: User) -> None:
    assert server.process is not None
    number = 16
    limits = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
    few = (FREE_FILES + number, limits[1])
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, few)
    try:
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(number):
                await stack.enter_async_context(server.socket("/api/ws", ada))
            with pytest.raises(InvalidStatus) as refusal:
                await stack.enter_async_context(server.socket("/api/ws", ada))
            assert refusal.value.response.status_code == 503
            assert refusal.value.response.headers["retry-after"] == "2"
            async with httpx.AsyncClient(timeout=live.PATIENCE) as client:
                assert (await client.get(server.url("/healthz"))).status_code == 200
    finally:
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, limits)


# --- clients that do not read --------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(frame(PING, b"x" * 125) * 400, id="pings"),
        pytest.param(
            frame(
                TEXT,
                json.dumps(
                    {"type": "unsubscribe", "payload": {"projectId": "x" * 200_000}}
                ).encode(),
            ),
            id="messages",
        ),
    ],
)
async def test_whoever_does_not_read_the_answers_is_not_heard(
    server: Server, ada: User, said: bytes
) -> None:
    with raw(server, "/api/ws", ada) as client:
        assert await asyncio.to_thread(client.taken, said) < FAR_TOO_MUCH


async def test_an_end_is_agreed_on_whatever_was_said_before(
    server: Server, ada: User, board: Board
) -> None:
    def talk() -> float:
        path = f"/api/v1/ws?boardId={board.public_id}"
        with raw(server, path, ada) as client:
            client.socket.sendall(frame(BINARY) * 3 + frame(TEXT, b'{"type": "ping"}') * 500)
            assert client.until(CLOSE)[:2] == (1003).to_bytes(2, "big")
            began = time.monotonic()
            client.socket.sendall(frame(CLOSE, (1003).to_bytes(2, "big")))
            with pytest.raises(EOFError):
                client.until(TEXT)
            return time.monotonic() - began

    # Else it would be cut off after a while.
    assert await asyncio.to_thread(talk) < CLOSE_SECONDS / 2


# --- clients that never stop ---------------------------------------------------------------------


async def test_a_flood_of_frames_is_read_slowly(server: Server, ada: User) -> None:
    def talk() -> float:
        with raw(server, "/api/v1/ws/dashboard", ada) as client:
            began = time.monotonic()
            client.socket.sendall(frame(PING) * int(MOST_FRAMES_AT_ONCE + FRAMES_A_SECOND))
            client.socket.sendall(frame(PING, b"one more"))
            client.until(PONG)
            client.socket.sendall(frame(PING, b"and another"))
            client.until(PONG, b"and another")
            return time.monotonic() - began

    assert await asyncio.to_thread(talk) > 0.9


async def test_too_many_subscriptions_a_second_are_refused(ada: User, project: Project) -> None:
    async with hub(), Connection(ApiSocket.application, "/api/ws", bearer(ada)) as client:
        for _ in range(BURST + 100):
            await client.say("unsubscribe", {"projectId": project.public_id})
        await client.say("ping")
        heard = (await client.until("pong"))[:-1]
        refused = [message["data"] for message in heard if message["type"] == "error"]
        assert len(heard) == BURST + 100
        assert refused
        assert {one["code"] for one in refused} == {"RATE_LIMITED"}
