"""The server pings on the protocol's level: who answers stays, and who does not is let go."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from apps.accounts.models import User
from apps.boards.models import Board
from apps.core.live import work
from kanbanai.web import websocket
from tests import live
from tests.live import Server

pytestmark = pytest.mark.django_db(transaction=True)

PING = b"\x89\x00"
# The same process with a shorter patience; nothing else is another one.
IMPATIENT = """
import sys
from kanbanai.web import websocket
websocket.PING_SECONDS, websocket.ANSWER_SECONDS = 0.5, 1.0
sys.argv[0] = "manage.py"
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""
PATHS = ("/api/v1/ws?boardId={board}&changes=delta", "/api/v1/ws/dashboard", "/api/ws")


@pytest.fixture(scope="module")
def server(django_db_setup: None, redis: str) -> Iterator[Server]:
    popen = subprocess.Popen

    def impatient(arguments: list[str], **options: Any) -> subprocess.Popen[bytes]:
        python, _manage, *rest = arguments
        return popen([python, "-c", IMPATIENT, *rest], **options)

    found = Server(redis)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "Popen", impatient)
        found.start()
    yield found
    found.stop()


@pytest.fixture(autouse=True)
async def threads() -> AsyncIterator[None]:
    yield
    work.stop()


async def silent(server: Server, path: str, user: User) -> bytes:
    """All that a client gets that sends its request and then nothing, until it is let go."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    token = live.bearer(user)["Authorization"]
    writer.write(
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        f"Authorization: {token}\r\n\r\n".encode()
    )
    found = b""
    try:
        async with asyncio.timeout(live.PATIENCE):
            while data := await reader.read(65_536):
                found += data
    except ConnectionResetError:
        pass
    finally:
        writer.close()
    return found


async def answering(server: Server, path: str, user: User, until: asyncio.Event) -> None:
    """A client that says nothing of its own; its library answers pings."""
    async with server.socket(path, user, ping_interval=None) as client:
        reading = asyncio.ensure_future(anext(aiter(client)))
        await until.wait()
        reading.cancel()
        await asyncio.wait({reading})
        await client.send('{"type": "ping"}')
        await live.receive_until(client, "pong")


async def test_who_answers_pings_stays_and_who_does_not_is_let_go(
    server: Server, ada: User, board: Board
) -> None:
    over = asyncio.Event()
    paths = [path.format(board=board.public_id) for path in PATHS]
    staying = [asyncio.ensure_future(answering(server, path, ada, over)) for path in paths]
    gone = await asyncio.gather(*(silent(server, path, ada) for path in paths))
    for found in gone:
        assert b"101 Switching Protocols" in found
        assert found.endswith(PING)
    over.set()
    await asyncio.gather(*staying)


def test_it_asks_every_twenty_seconds_and_waits_for_thirty() -> None:
    assert (websocket.PING_SECONDS, websocket.ANSWER_SECONDS) == (20.0, 30.0)
