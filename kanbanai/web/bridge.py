"""The WSGI application inside the ASGI server.

Django's own ASGI handler makes a thread context for each request and hops between loop and threads
several times; here a request is read on the loop, answered in one of a few threads that live as
long as the process (and so do their database connections), and sent with one hop back. The threads
are daemons: a slow view does not keep the process from ending.

Most answers are one part of known length. A server that offers `kanbanai.whole` is given such an
answer with one call, and sends head and body with one more; all others go as ASGI has it.
"""

from __future__ import annotations

import asyncio
import contextvars
import io
import json
import queue
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from functools import lru_cache, partial
from typing import IO, Any
from wsgiref.util import FileWrapper

import structlog
from structlog.contextvars import bind_contextvars

from apps.core import problems
from kanbanai.web.asgi_types import Message, Receive, Scope, Send
from kanbanai.web.waiting import Inbox

log = structlog.get_logger("kanbanai.web")

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

SPOOL_BYTES = 256 * 1024
FLUSH_BYTES = 64 * 1024
# Parts of one answer that may wait for a slow client before its thread waits too.
PARTS_AHEAD = 4
# The part in place of the last one, of an answer that broke on its way.
CUT_OFF = "kanbanai.cut_off"


def _in_large_parts(file: IO[bytes], _block_size: int = 0) -> FileWrapper:
    # Whoever sends a file asks for small blocks; each part is a hop between threads here.
    return FileWrapper(file, FLUSH_BYTES)


class ClientGone(Exception):
    """The client closed the connection; nobody waits for the rest."""


class BodyTooLarge(Exception):
    """The request's body is larger than the product takes."""


class Answer:
    """One answer on its way from a thread to the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.outbox = Inbox()
        self.room = threading.Semaphore(PARTS_AHEAD)
        self.gone = False

    def put(self, part: Message) -> None:
        """This will hand a part to the loop; ClientGone when nobody waits for it any more."""
        if not self.gone:
            self.room.acquire()
        if self.gone:
            raise ClientGone
        self.loop.call_soon_threadsafe(self.outbox.put_nowait, part)

    async def parts(self) -> AsyncIterator[Message]:
        """This will give the parts; each makes room for the next when it is done with."""
        while True:
            part = await self.outbox.get()
            if part["type"] == CUT_OFF:
                return
            yield part
            if not part["more_body"]:
                return
            self.room.release()

    def abandon(self) -> None:
        """This will make the thread stop at its next part."""
        self.gone = True
        self.room.release()


class Bridge:
    """An ASGI application for HTTP that answers with a WSGI application in `threads` threads."""

    def __init__(self, application: Application, *, threads: int, max_body_bytes: int) -> None:
        self.application = application
        self.threads = threads
        self.max_body_bytes = max_body_bytes
        self.busy: set[asyncio.Task[Any]] = set()
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._started = 0
        self._idle = 0
        self._lock = threading.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """This will read the body, run the application in a thread, and send what it gives."""
        task = asyncio.current_task()
        if task is not None:
            self.busy.add(task)
        try:
            await self._answer(scope, receive, send)
        finally:
            if task is not None:
                self.busy.discard(task)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await self._read(receive)
        except ClientGone:
            return
        except BodyTooLarge:
            await _refuse_body(scope, send)
            return
        answer = Answer(asyncio.get_running_loop())
        context = contextvars.copy_context()
        self._submit(partial(context.run, self._run, scope, body, answer))
        watch: asyncio.Task[None] | None = None
        try:
            async for part in answer.parts():
                start, last = part.pop("start", None), not part["more_body"]
                if start is not None:
                    _name_in_log(start["headers"])
                    if last and _sent_whole(scope, start, part["body"]):
                        return
                    await send(start)
                if watch is None and not last:
                    watch = asyncio.create_task(_abandon_when_gone(receive, answer))
                await send(part)
        finally:
            answer.abandon()
            if watch is not None:
                watch.cancel()

    async def _read(self, receive: Receive) -> IO[bytes]:
        body: IO[bytes] | None = None
        size = 0
        while True:
            message = await receive()
            chunk = message.get("body", b"")
            size += len(chunk)
            gone = message["type"] == "http.disconnect"
            if gone or size > self.max_body_bytes:
                if body is not None:
                    body.close()
                raise ClientGone if gone else BodyTooLarge
            more = message.get("more_body", False)
            if body is None:
                if not more:
                    return io.BytesIO(chunk)
                body = tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES)  # noqa: SIM115 - closed by _run
            body.write(chunk)
            if not more:
                body.seek(0)
                return body

    def _submit(self, job: Callable[[], None]) -> None:
        with self._lock:
            if self._idle == 0 and self._started < self.threads:
                self._started += 1
                name = f"web-{self._started}"
                threading.Thread(target=self._work, name=name, daemon=True).start()
            else:
                self._idle -= 1
        self._jobs.put(job)

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            try:
                job()
            except Exception:
                log.exception("request_failed_outside_django")
            with self._lock:
                self._idle += 1

    def _run(self, scope: Scope, body: IO[bytes], answer: Answer) -> None:
        environ = _environ(scope, body)
        writer = Writer(answer, head_only=scope["method"] == "HEAD")
        try:
            parts = self.application(environ, writer.start_response)
            try:
                for part in parts:
                    writer.write(part)
                writer.finish()
            finally:
                # Django ends the request here: it closes files and gives connections back.
                close = getattr(parts, "close", None)
                if close is not None:
                    close()
        except ClientGone:
            return
        except Exception:
            log.exception("request_failed")
            writer.fail()
        finally:
            body.close()


class Writer:
    """Turns what a WSGI application gives into as few ASGI messages as possible."""

    def __init__(self, answer: Answer, *, head_only: bool) -> None:
        self.answer = answer
        self.head_only = head_only
        self.start: Message | None = None
        self.pending = bytearray()
        self.whole = False
        self.sent = False

    def start_response(
        self, status: str, headers: list[tuple[str, str]], _exc_info: Any = None
    ) -> Callable[[bytes], None]:
        """This will keep status and headers until the first part of the body is there."""
        encoded = [(_lowered(name), value.strip().encode("latin1")) for name, value in headers]
        # An answer of known length may be joined; one without is a stream whose parts are awaited.
        self.whole = any(name == b"content-length" for name, _value in encoded)
        self.start = {
            "type": "http.response.start",
            "status": int(status.split(" ", 1)[0]),
            "headers": encoded,
        }
        return self.write

    def write(self, part: bytes) -> None:
        """This will send a part now, or join it with the next ones."""
        if self.head_only:
            return
        self.pending += part
        if self.pending and (not self.whole or len(self.pending) >= FLUSH_BYTES):
            self._flush(last=False)

    def finish(self) -> None:
        """This will send what is left and end the answer."""
        self._flush(last=True)

    def fail(self) -> None:
        """This will answer 500 if nothing was sent yet, else cut the answer off."""
        if self.sent:
            self.answer.put({"type": CUT_OFF})
            return
        self.pending.clear()
        self.pending += b"Internal Server Error"
        self.start = {
            "type": "http.response.start",
            "status": 500,
            "headers": [(b"content-type", b"text/plain; charset=utf-8")],
        }
        self._flush(last=True)

    def _flush(self, *, last: bool) -> None:
        part: Message = {
            "type": "http.response.body",
            "body": bytes(self.pending),
            "more_body": not last,
        }
        if self.start is not None and not self.sent:
            part["start"] = self.start
            self.sent = True
        self.pending.clear()
        self.answer.put(part)


def _environ(scope: Scope, body: IO[bytes]) -> dict[str, Any]:
    """The request as WSGI has it. Addresses are bytes that are written as Latin-1."""
    host, port = scope.get("server") or ("localhost", 80)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": scope["path"].encode().decode("latin1"),
        "QUERY_STRING": scope["query_string"].decode("ascii"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": body,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": _in_large_parts,
    }
    if scope.get("client"):
        environ["REMOTE_ADDR"], port = scope["client"]
        environ["REMOTE_PORT"] = str(port)
    for name, value in scope["headers"]:
        variable, text = _variable(name), value.decode("latin1")
        environ[variable] = f"{environ[variable]},{text}" if variable in environ else text
    return environ


@lru_cache(1_000)
def _variable(header: bytes) -> str:
    name = header.decode("latin1").upper().replace("-", "_")
    return name if name in {"CONTENT_LENGTH", "CONTENT_TYPE"} else f"HTTP_{name}"


@lru_cache(1_000)
def _lowered(name: str) -> bytes:
    return name.lower().encode("latin1")


def _name_in_log(headers: list[tuple[bytes, bytes]]) -> None:
    """Puts the answer's request id on the lines of this task: the server's line of the request."""
    for name, value in headers:
        if name == b"x-request-id":
            bind_contextvars(request_id=value.decode("latin1"))


def _sent_whole(scope: Scope, start: Message, body: bytes) -> bool:
    """Gives an answer of one part to a server that takes it so; False where it does not."""
    send_whole = scope.get("extensions", {}).get("kanbanai.whole")
    return send_whole is not None and send_whole(start["status"], start["headers"], body)


async def _abandon_when_gone(receive: Receive, answer: Answer) -> None:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            answer.abandon()
            return


async def _refuse_body(scope: Scope, send: Send) -> None:
    """Says that a body is too large, as a problem; the rest of it is not read."""
    problem = problems.PayloadTooLarge("The request is larger than this server takes.")
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"connection", b"close"),
    ]
    body = json.dumps(problem.as_dict(scope["path"])).encode()
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
