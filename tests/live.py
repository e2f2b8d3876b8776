"""Clients of the live channels: in this process, and of a real server in another one."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, cast
from urllib.parse import urlencode

import httpx
import websockets
from django.conf import settings
from django.db import connection
from websockets.asyncio.client import ClientConnection

from apps.accounts import credentials
from apps.accounts.models import User
from apps.core.live import work
from apps.core.live.hub import Hub
from tests.ports import free_port

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[1]
# For a machine that is busy with other things; what works takes a fraction of it.
PATIENCE = 30.0
START_SECONDS = 90.0
# What is noticed by looking once a second was noticed within this time even there.
SOON = 8.0


async def do(function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Call something that uses the database from an asynchronous test."""
    return await work.run(functools.partial(function, *args, **kwargs))


def bearer(user: User) -> dict[str, str]:
    return {"Authorization": f"Bearer {credentials.issue_jwt(user)}"}


@contextlib.asynccontextmanager
async def hub() -> AsyncIterator[Hub]:
    """The hub of the test's event loop, stopped afterwards."""
    found = Hub.current()
    try:
        yield found
    finally:
        await found.stop()
        work.stop()


class Connection:
    """A socket to an ASGI application in this process, without any of the server's extensions."""

    def __init__(self, application: Any, path: str, headers: dict[str, str] | None = None) -> None:
        path, _, query = path.partition("?")
        self.scope = {
            "type": "websocket",
            "path": path,
            "query_string": query.encode(),
            "headers": [
                (name.lower().encode(), value.encode()) for name, value in (headers or {}).items()
            ],
            "extensions": {},
        }
        self.application = application
        self.sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.received: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.reads = asyncio.Event()
        self.reads.set()
        self.task: asyncio.Task[None] | None = None

    async def _send(self, message: dict[str, Any]) -> None:
        await self.reads.wait()
        await self.sent.put(message)

    async def __aenter__(self) -> Self:
        self.received.put_nowait({"type": "websocket.connect"})
        self.task = asyncio.ensure_future(
            self.application(self.scope, self.received.get, self._send)
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.received.put_nowait({"type": "websocket.disconnect", "code": 1000})
        assert self.task is not None
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self.task), PATIENCE)

    async def raw(self, patience: float = PATIENCE) -> dict[str, Any]:
        async with asyncio.timeout(patience):
            return await self.sent.get()

    async def next(self, patience: float = PATIENCE) -> dict[str, Any]:
        """The next message, decoded."""
        message = await self.raw(patience)
        if message["type"] == "websocket.accept":
            message = await self.raw(patience)
        assert message["type"] == "websocket.send", message
        return cast("dict[str, Any]", json.loads(message["text"]))

    async def until(self, kind: str, patience: float = PATIENCE) -> list[dict[str, Any]]:
        """All messages up to the first of a type, with it."""
        found = [await self.next(patience)]
        while found[-1]["type"] != kind:
            found.append(await self.next(patience))
        return found

    async def closing(self, patience: float = PATIENCE) -> tuple[int, str]:
        """The close code and reason; what was sent before is passed over."""
        while True:
            message = await self.raw(patience)
            if message["type"] == "websocket.close":
                return message["code"], message["reason"]

    async def say(self, kind: str, payload: Any = None, **more: Any) -> None:
        await self.text(json.dumps({"type": kind, "payload": payload or {}, **more}))

    async def text(self, text: str) -> None:
        await self.received.put({"type": "websocket.receive", "text": text})

    async def silent(self, seconds: float = 0.3) -> bool:
        """True when nothing comes for a while."""
        try:
            await self.raw(seconds)
        except TimeoutError:
            return True
        return False


class Server:
    """A real web process on a free port, with the database and the Redis of the tests."""

    def __init__(self, redis_url: str) -> None:
        self.redis_url = redis_url
        self.process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def start(self) -> None:
        self.port = free_port()
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "kanbanai.settings.test",
            "KANBANAI_DATA_DIR": str(settings.TEST_SCRATCH_DIR),
            "KANBANAI_ALLOWED_HOSTS": "127.0.0.1,localhost,testserver",
            "KANBANAI_CORS_ORIGINS": "https://friend.example.org",
            "DATABASE_URL": database_url(),
            "REDIS_URL": self.redis_url,
        }
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "serve", "--host", "127.0.0.1", "--port", str(self.port)],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + START_SECONDS
        while True:
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert self.process.poll() is None, "the server ended"
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.05)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def url(self, path: str, scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.port}{path}"

    @contextlib.asynccontextmanager
    async def socket(
        self, path: str, user: User | None = None, **options: Any
    ) -> AsyncIterator[ClientConnection]:
        """A socket, as a person; `max_size` is off, compression too."""
        headers = {**(bearer(user) if user else {}), **options.pop("headers", {})}
        async with websockets.connect(
            self.url(path, "ws"),
            additional_headers=headers,
            max_size=None,
            compression=None,
            open_timeout=PATIENCE,
            **options,
        ) as client:
            yield client

    @contextlib.asynccontextmanager
    async def stream(
        self, path: str, user: User | None = None, headers: dict[str, str] | None = None
    ) -> AsyncIterator[EventSource]:
        """A stream of server-sent events, as a person."""
        sent = {**(bearer(user) if user else {}), **(headers or {})}
        async with (
            httpx.AsyncClient(timeout=httpx.Timeout(PATIENCE, read=60)) as client,
            client.stream("GET", self.url(path), headers=sent) as response,
        ):
            yield EventSource(response)


class EventSource:
    """Reads server-sent events as a browser does."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.last_id = ""
        self.retry = 0
        self._lines = response.aiter_lines()

    async def next(self, patience: float = PATIENCE) -> tuple[str, Any]:
        """The next event: its type and its data."""
        async with asyncio.timeout(patience):
            kind, data = "message", ""
            async for line in self._lines:
                name, _, value = line.partition(": ")
                if name == "event":
                    kind = value
                elif name == "data":
                    data += value
                elif name == "id":
                    self.last_id = value
                elif name == "retry":
                    self.retry = int(value)
                elif not line and data:
                    return kind, json.loads(data)
        raise EOFError

    async def until(self, kind: str, patience: float = PATIENCE) -> list[tuple[str, Any]]:
        found = [await self.next(patience)]
        while found[-1][0] != kind:
            found.append(await self.next(patience))
        return found


async def receive(client: ClientConnection, patience: float = PATIENCE) -> dict[str, Any]:
    async with asyncio.timeout(patience):
        return cast("dict[str, Any]", json.loads(await client.recv()))


async def receive_until(client: ClientConnection, kind: str) -> list[dict[str, Any]]:
    found = [await receive(client)]
    while found[-1]["type"] != kind:
        found.append(await receive(client))
    return found


def database_url() -> str:
    """The address of the tests' database, as the environment spells it."""
    found = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{found['NAME']}"
    options = {"host": found["HOST"]} if str(found["HOST"]).startswith("/") else {}
    place = "" if options else f"{found['HOST']}:{found['PORT'] or 5432}"
    account = f"{found['USER']}:{found['PASSWORD']}@" if found["USER"] else ""
    query = f"?{urlencode(options)}" if options else ""
    return f"postgres://{account}{place}/{found['NAME']}{query}"


def running(redis_url: str) -> Iterator[Server]:
    """A server for as long as a fixture lives."""
    server = Server(redis_url)
    server.start()
    try:
        yield server
    finally:
        server.stop()
