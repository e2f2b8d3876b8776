"""The base of every event stream: a bare ASGI application, a heartbeat, CORS, problems as JSON."""

from __future__ import annotations

import asyncio
import contextlib
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import structlog
from django.conf import settings

from apps.core import problems
from apps.core.live import asgi, frames
from apps.core.live.frames import Frame, Message
from apps.core.live.hub import Hub
from apps.core.live.sinks import GOING_AWAY, Closed, Ending, Sink
from apps.core.live.sockets import now

if TYPE_CHECKING:
    from collections.abc import Iterable

log = structlog.get_logger(__name__)

HEARTBEAT_SECONDS = 15.0
RETRY = b"retry: 1500\n\n"

STREAM_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]
SECURITY_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
]


class EventStream(ABC):
    """One client of a stream of server-sent events."""

    envelope: frames.Envelope = frames.EVENT_STREAM

    def __init__(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        self.scope = scope
        self.query = asgi.query(scope)
        self.hub = Hub.current()
        self.sink = Sink(self._write, wire=(scope.get("extensions") or {}).get("kanbanai.wire"))
        self._receive = receive
        self._send = send
        self._heartbeat_at = time.monotonic() + HEARTBEAT_SECONDS

    @property
    def since(self) -> str | None:
        """What the client has seen: `Last-Event-ID`, which browsers send, or `?since=`."""
        return asgi.header(self.scope, b"last-event-id") or self.query.get("since")

    @abstractmethod
    async def authorize(self) -> None:
        """This will find out who asks for what; a Problem becomes the answer."""

    @abstractmethod
    async def open(self) -> None:
        """This will send what the client is to see first."""

    @abstractmethod
    def over(self) -> None:
        """This will let go of everything the stream held."""

    async def run(self) -> None:
        """This will answer one request: a stream, a problem, or a preflight."""
        if self.scope["method"] == "OPTIONS":
            await self._answer(204, [], b"")
            return
        if self.scope["method"] != "GET":
            await self._refuse(problems.MethodNotAllowed(headers={"Allow": "GET"}))
            return
        try:
            await self.authorize()
        except problems.Problem as problem:
            await self._refuse(problem)
            return
        except Exception:
            log.exception("event_stream_failed", path=self.scope["path"])
            await self._refuse(problems.Problem())
            return
        headers = [*STREAM_HEADERS, *self._common_headers()]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        try:
            await self._serve()
        finally:
            self.hub.pulses.discard(self._pulse)
            self.over()
            with contextlib.suppress(Exception):
                await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def say(self, *messages: Message) -> None:
        """This will send messages to this client alone, waiting while it does not read."""
        await self.sink.send([self.envelope.frame(message) for message in messages])

    async def _serve(self) -> None:
        opener = asyncio.ensure_future(self._open())
        leaving = asyncio.ensure_future(self._left())
        self.hub.pulses.add(self._pulse)
        try:
            await self.sink.run()
        finally:
            for task in (opener, leaving):
                task.cancel()
            await asyncio.gather(opener, leaving, return_exceptions=True)
            self.sink.end(Ending(GOING_AWAY, "gone"))

    async def _open(self) -> None:
        try:
            await self.sink.send([Frame(wire=RETRY)])
            await self.open()
        except Closed:
            return
        except Exception as error:
            if not isinstance(error, problems.Problem):
                log.exception("event_stream_failed", path=self.scope["path"])
            # The browser comes back, and is then told what is wrong.
            self.sink.end(Ending(GOING_AWAY, "failed"))

    async def _left(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.sink.end(Ending(GOING_AWAY, "gone"))

    def _pulse(self, moment: float) -> None:
        if moment >= self._heartbeat_at:
            self._heartbeat_at = moment + HEARTBEAT_SECONDS
            self.sink.push(self.envelope.frame(Message("heartbeat", {"ts": now()})))

    # --- writing ---------------------------------------------------------------------------------

    async def _write(self, ready: list[Frame]) -> None:
        body = b"".join([frame.wire for frame in ready])
        await self._send({"type": "http.response.body", "body": body, "more_body": True})

    async def _refuse(self, problem: problems.Problem) -> None:
        headers = [(b"content-type", b"application/problem+json")]
        headers += [
            (key.lower().encode(), value.encode()) for key, value in problem.headers.items()
        ]
        body = frames.dumps(problem.as_dict(self.scope["path"]))
        await self._answer(problem.status, headers, body)

    async def _answer(
        self, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes
    ) -> None:
        everything = [
            *headers,
            (b"content-length", str(len(body)).encode()),
            *self._common_headers(),
        ]
        await self._send({"type": "http.response.start", "status": status, "headers": everything})
        await self._send({"type": "http.response.body", "body": body})

    def _common_headers(self) -> list[tuple[bytes, bytes]]:
        return [*SECURITY_HEADERS, *cors_headers(asgi.header(self.scope, b"origin"))]


def cors_headers(origin: str) -> list[tuple[bytes, bytes]]:
    """This will let pages of the origins that are allowed to call the API read the answer."""
    found = [(b"vary", b"origin")]
    if origin and origin in settings.CORS_ALLOWED_ORIGINS:
        found += [
            (b"access-control-allow-origin", origin.encode("latin1")),
            (b"access-control-allow-methods", b"GET, OPTIONS"),
            (b"access-control-allow-headers", b"authorization, cache-control, last-event-id"),
            (b"access-control-max-age", b"86400"),
        ]
    return found
