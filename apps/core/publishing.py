"""The way from a transaction to the channel layer: one event loop in each process.

Synchronous code (request threads, Celery workers) must not open a loop, and so a Redis connection,
for each message; it hands the message to a thread that lives as long as the process.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import threading
from typing import TYPE_CHECKING, Any

from channels.layers import BaseChannelLayer, get_channel_layer

from apps.core import tracing

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

# One published event: topic, version, kind, data (or its JSON, where it is at hand), ISO time.
Published = tuple[str, int, str, Any, str]

SEND_TIMEOUT_SECONDS = 3
# Above this an event travels as a reference, and listeners read it from the journal.
REFERENCE_BYTES = 256 * 1024

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None
_pid = 0


def _publisher() -> asyncio.AbstractEventLoop:
    """The publishing loop of this process, started on first use and again after a fork."""
    global _loop, _pid  # noqa: PLW0603 - one loop per process is the point
    with _lock:
        if _loop is None or _pid != os.getpid():
            _loop = asyncio.new_event_loop()
            _pid = os.getpid()
            threading.Thread(target=_loop.run_forever, name="publisher", daemon=True).start()
        return _loop


def _run(coroutine: Coroutine[Any, Any, None]) -> None:
    asyncio.run_coroutine_threadsafe(coroutine, _publisher()).result(SEND_TIMEOUT_SECONDS)


def group(topic: str) -> str:
    """This will name the channel-layer group of a topic."""
    return f"topic.{topic}"


def send(events: list[Published]) -> None:
    """This will send committed events to the groups of their topics, one message a topic, in order.

    Raises whatever the layer raises (a ConnectionError, a TimeoutError): the caller keeps the rows.
    """
    _run(_send(events, tracing.carried()))


def layer() -> BaseChannelLayer:
    """This will be the channel layer the settings name; a RuntimeError when they name none."""
    found = get_channel_layer()
    if found is None:
        message = "CHANNEL_LAYERS names no layer"
        raise RuntimeError(message)
    return found


async def _send(events: list[Published], trace: str) -> None:
    target = layer()
    for topic, batch in itertools.groupby(events, key=lambda event: event[0]):
        message: dict[str, Any] = {
            "type": "journal",
            "topic": topic,
            "events": [_slim(event) for event in batch],
        }
        if trace:
            message["trace"] = trace
        await target.group_send(group(topic), message)


def _slim(event: Published) -> list[Any]:
    _topic, version, kind, data, at = event
    body = data if isinstance(data, str) else json.dumps(data, separators=(",", ":"))
    return [version, kind, body if len(body) <= REFERENCE_BYTES else None, at]


def send_ephemeral(*, topic: str, kind: str, data: Mapping[str, Any]) -> None:
    """This will send noise (a text delta, terminal bytes, presence): never stored, may be lost."""
    _run(_send_ephemeral(topic, kind, data))


async def _send_ephemeral(topic: str, kind: str, data: Mapping[str, Any]) -> None:
    await layer().group_send(
        group(topic), {"type": "ephemeral", "topic": topic, "kind": kind, "data": json.dumps(data)}
    )
