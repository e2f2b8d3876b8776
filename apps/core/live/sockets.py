"""The base of every WebSocket: accept, write, read frames, end with a code that says why.

It is an ASGI application of its own and not a Channels consumer, whose dispatch hops through a
thread for each message and subscribes each connection by itself.
"""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import structlog
from django.utils import timezone

from apps.core import problems
from apps.core.live import asgi, frames
from apps.core.live.hub import Hub
from apps.core.live.sinks import (
    GOING_AWAY,
    NOT_FOUND,
    SIGN_IN_AGAIN,
    UNREADABLE,
    Closed,
    Ending,
    Sink,
)

if TYPE_CHECKING:
    from apps.core.live.frames import Frame, Message

log = structlog.get_logger(__name__)

INTERNAL_ERROR = 1011
TRY_AGAIN_LATER = 1013
MAX_UNREADABLE = 3


def now() -> str:
    """This will give the moment as ISO 8601 in UTC."""
    return timezone.now().isoformat().replace("+00:00", "Z")


def ending_of(problem: problems.Problem) -> Ending:
    """This will give the close code of a refusal."""
    if isinstance(problem, problems.Unauthorized):
        return Ending(SIGN_IN_AGAIN, "Sign in to continue")
    if isinstance(problem, problems.Unavailable):
        return Ending(TRY_AGAIN_LATER, "Not available now")
    return Ending(NOT_FOUND, problem.detail.rstrip("."))


class Socket(ABC):
    """One WebSocket connection."""

    envelope: frames.Envelope = frames.SOCKET
    # None: a channel that takes nothing in ignores whatever is sent to it.
    most_unreadable: int | None = MAX_UNREADABLE

    def __init__(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        self.scope = scope
        self.query = asgi.query(scope)
        self.hub = Hub.current()
        self._receive = receive
        self._send = send
        self._extensions = scope.get("extensions") or {}
        self.sink = Sink(self._write, wire=self._extensions.get("kanbanai.wire"))
        self._unreadable = 0

    @classmethod
    async def application(cls, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        """This will serve one connection: the ASGI application of this kind of socket."""
        await cls(scope, receive, send).run()

    def refusal(self) -> problems.Problem | None:
        """The problem of a request that can never become a socket, such as a missing parameter."""
        return None

    @abstractmethod
    async def open(self) -> None:
        """This will authorize and send what the client is to see first; it may raise a Problem."""

    @abstractmethod
    async def heard(self, message: dict[str, Any]) -> None:
        """This will take one message of the client: a JSON object with a `type`."""

    @abstractmethod
    def over(self) -> None:
        """This will let go of everything the connection held."""

    # --- a connection's life ---------------------------------------------------------------------

    async def run(self) -> None:
        """This will serve the connection until one side ends it."""
        if (await self._receive())["type"] != "websocket.connect":
            return
        problem = self.refusal()
        if problem is not None and "websocket.http.response" in self._extensions:
            await self._deny(problem)
            return
        await self._send({"type": "websocket.accept"})
        if problem is not None:
            await self._close(ending_of(problem))
            return
        try:
            await self._serve()
        except asyncio.CancelledError:
            # The server stops: clients come back to another process.
            await self._close(Ending(GOING_AWAY, "Server stops"))
            raise
        finally:
            self.over()

    async def _serve(self) -> None:
        writer = asyncio.ensure_future(self.sink.run())
        reader = asyncio.ensure_future(self._read())
        try:
            await asyncio.wait({writer, reader}, return_when=asyncio.FIRST_COMPLETED)
            if writer.done():
                error = writer.exception()
                await self._close(
                    self.sink.ending or Ending(INTERNAL_ERROR, repr(error) if error else "")
                )
        finally:
            for task in (reader, writer):
                task.cancel()
            await asyncio.gather(reader, writer, return_exceptions=True)
            self.sink.end(Ending(GOING_AWAY, "gone"))

    async def _read(self) -> None:
        """Ends when the client leaves; whatever else ends the connection goes through the sink."""
        try:
            await self.open()
            while True:
                message = await self._receive()
                if message["type"] == "websocket.disconnect":
                    return
                await self._frame(message)
        except Closed:
            pass
        except problems.Problem as problem:
            self.sink.end(ending_of(problem))
        except Exception:
            log.exception("socket_failed", path=self.scope["path"])
            self.sink.end(Ending(INTERNAL_ERROR, "Something went wrong"))
        # The writer closes the socket; this task must not win the race against it.
        await asyncio.Event().wait()

    async def _frame(self, message: asgi.Message) -> None:
        content = readable(message.get("text"))
        if content is not None:
            await self.heard(content)
            return
        self._unreadable += 1
        if self.most_unreadable is not None and self._unreadable >= self.most_unreadable:
            self.sink.end(Ending(UNREADABLE, "Frames must be JSON objects with a type"))
        else:
            await self.unreadable()

    @abstractmethod
    async def unreadable(self) -> None:
        """This will answer a frame that is no message; `most_unreadable` of them end it all."""

    # --- writing ---------------------------------------------------------------------------------

    async def say(self, *messages: Message) -> None:
        """This will send messages to this client alone, waiting while it does not read."""
        origin = frames.Origin(at=now())
        await self.sink.send([self.envelope.frame(message, origin) for message in messages])

    async def _write(self, ready: list[Frame]) -> None:
        for frame in ready:
            await self._send({"type": "websocket.send", "text": frame.text.decode()})

    async def _close(self, ending: Ending) -> None:
        try:
            await self._send(
                {"type": "websocket.close", "code": ending.code, "reason": ending.reason}
            )
        except Exception as error:  # noqa: BLE001 - a server may refuse to write to who left
            log.info("socket_not_closed", code=ending.code, error=repr(error))

    async def _deny(self, problem: problems.Problem) -> None:
        body = frames.dumps(problem.as_dict(self.scope["path"]))
        headers = [
            (b"content-type", b"application/problem+json"),
            (b"content-length", str(len(body)).encode()),
        ]
        start = {"type": "websocket.http.response.start", "status": problem.status}
        await self._send({**start, "headers": headers})
        await self._send({"type": "websocket.http.response.body", "body": body})


def readable(text: str | None) -> dict[str, Any] | None:
    """This will read a frame's text: a JSON object with a `type`; None for anything else."""
    if text is None:
        return None
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict) or not isinstance(content.get("type"), str):
        return None
    return content
