"""The ASGI application: sockets and event streams to their own applications, rest to WSGI.

An app adds its sockets to `sockets` and its event streams to `streams` with one line each.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable
from typing import Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kanbanai.settings.base")
pages = get_wsgi_application()

from apps.core import problems  # noqa: E402 - the apps must be loaded first
from apps.dashboard.live import routing as live  # noqa: E402
from kanbanai.web.asgi_types import Application, Receive, Scope, Send  # noqa: E402
from kanbanai.web.bridge import Bridge  # noqa: E402
from kanbanai.web.gate import LiveGate, refuse  # noqa: E402

sockets: list[Any] = [*live.websocket_urlpatterns]
streams: dict[str, Application] = {**live.streams}

bridge = Bridge(
    pages,
    threads=settings.KANBANAI_WEB_THREADS,
    max_body_bytes=settings.KANBANAI_MAX_UPLOAD_BYTES,
)
_known_sockets = [(route.pattern, LiveGate(route.callback)) for route in sockets]
_known_streams = {path: LiveGate(stream) for path, stream in streams.items()}


def _socket(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
    # Only the address itself: each spelling that works is a series of the numbers.
    path = scope["path"].removeprefix("/")
    for pattern, gate in _known_sockets:
        found = pattern.match(path)
        if found is not None:
            scope["url_route"] = {"args": found[1], "kwargs": found[2]}
            return gate(scope, receive, send)
    return refuse(scope, receive, send, problems.NotFound())


# No coroutine of its own: a socket that is open for weeks would hold it all the time.
def application(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
    """This will answer one connection."""
    if scope["type"] == "websocket":
        return _socket(scope, receive, send)
    if scope["path"] in _known_streams:
        return _known_streams[scope["path"]](scope, receive, send)
    return bridge(scope, receive, send)
