"""What a socket or a stream must pass before the product sees it."""

from __future__ import annotations

import asyncio
import json
import resource
import time
from typing import Any
from urllib.parse import urlsplit

import structlog
from django.conf import settings
from django.http.request import split_domain_port, validate_host
from redis import asyncio as redis
from redis.exceptions import RedisError

from apps.core import metrics, problems
from kanbanai.web.asgi_types import Application, Receive, Scope, Send

log = structlog.get_logger("kanbanai.web")

ANSWER_SECONDS = 1.0
# A good answer is believed for this long, so that a rush of reconnecting clients asks once.
BELIEVED_SECONDS = 1.0
# Files that live connections leave free: for pages, REST and the database, or all of it would stop.
FREE_FILES = 128
FREE_SHARE = 0.25


class LiveGate:
    """Lets sockets and streams in while live delivery works, and only from our own pages.

    Without Redis a live connection would stay silent for ever, so it is refused with 503 and
    clients come back. A browser tells the page it comes from; a foreign page must not open a socket
    with its visitor's cookies.
    """

    # Through all gates of the process.
    open_now = 0

    def __init__(self, application: Application) -> None:
        self.application = application
        self._client: redis.Redis | None = None
        self._checked_at = 0.0
        self._available = False
        self._checking: asyncio.Lock | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """This will hand the connection on or refuse it with a problem."""
        if not _is_asked_by_name(scope):
            stranger = problems.ValidationFailed("This is no host of ours.")
            await refuse(scope, receive, send, stranger)
            return
        if scope["type"] == "websocket" and not _is_ours(scope):
            await refuse(scope, receive, send, problems.Forbidden("This origin may not connect."))
            return
        if not _has_room(LiveGate.open_now) or not await self.available():
            detail = "Live events are not available at the moment. Try again."
            problem = problems.Unavailable(detail, headers={"Retry-After": "2"})
            await refuse(scope, receive, send, problem)
            return
        LiveGate.open_now += 1
        try:
            with metrics.CONNECTIONS.labels(scope["path"]).track_inprogress():
                await self.application(scope, receive, send)
        finally:
            LiveGate.open_now -= 1

    async def available(self) -> bool:
        """True when Redis answered within the last second or answers now."""
        if self._checking is None:
            self._checking = asyncio.Lock()
        async with self._checking:
            if time.monotonic() - self._checked_at < BELIEVED_SECONDS:
                return self._available
            before, self._available = self._available, await self._ping()
            self._checked_at = time.monotonic()
            if before and not self._available:
                log.warning("live_events_unavailable")
            return self._available

    async def _ping(self) -> bool:
        if self._client is None:
            self._client = redis.Redis.from_url(
                settings.KANBANAI_REDIS_URL,
                socket_timeout=ANSWER_SECONDS,
                socket_connect_timeout=ANSWER_SECONDS,
            )
        try:
            await self._client.ping()
        except (RedisError, OSError, TimeoutError):
            return False
        return True


def _header(scope: Scope, wanted: bytes) -> str | None:
    for name, value in scope["headers"]:
        if name == wanted:
            return bytes(value).decode("latin1")
    return None


def _has_room(connections: int) -> bool:
    files, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return True
    return connections < files - max(FREE_FILES, int(files * FREE_SHARE))


def _is_asked_by_name(scope: Scope) -> bool:
    """True for our own hosts: a foreign name may be made to lead here, as if it were its own page.

    Streams of one's own page have no origin. Clients that name no host are no browsers.
    """
    host = _header(scope, b"host")
    return not host or validate_host(split_domain_port(host)[0], settings.ALLOWED_HOSTS)


def _is_ours(scope: Scope) -> bool:
    """True without an origin (no browser), on the host asked, and on those allowed to call us.

    The port counts: cookies do not know it, so another server on this host could else use them.
    """
    origin = _header(scope, b"origin")
    if origin is None:
        return True
    if origin in {*settings.CORS_ALLOWED_ORIGINS, *settings.CSRF_TRUSTED_ORIGINS}:
        return True
    try:
        parts = urlsplit(origin)
        host = parts.hostname
    except ValueError:
        return False
    if not host or parts.netloc.lower() != (_header(scope, b"host") or "").lower():
        return False
    # Django wants the brackets of an IPv6 address that urlsplit takes away.
    return validate_host(f"[{host}]" if ":" in host else host, settings.ALLOWED_HOSTS)


async def refuse(scope: Scope, receive: Receive, send: Send, problem: problems.Problem) -> None:
    """This will answer a stream, or a socket that is not open yet, with a problem.

    A server without the extension for refused sockets can only close: the client then sees 403.
    """
    body = json.dumps(problem.as_dict(scope["path"])).encode()
    headers: list[tuple[bytes, bytes]] = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        *((name.lower().encode(), value.encode()) for name, value in problem.headers.items()),
    ]
    start: dict[str, Any] = {"status": problem.status, "headers": headers}
    if scope["type"] == "http":
        await send({"type": "http.response.start", **start})
        await send({"type": "http.response.body", "body": body})
        return
    await receive()
    if "websocket.http.response" in (scope.get("extensions") or {}):
        await send({"type": "websocket.http.response.start", **start})
        await send({"type": "websocket.http.response.body", "body": body})
    else:
        await send({"type": "websocket.close"})
