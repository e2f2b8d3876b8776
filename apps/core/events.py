"""The journal's write side: record a fact in the transaction that makes it, publish after commit.

Versions count up by one for each topic. The number is taken by an upsert that holds the topic's row
until the transaction ends, so versions have no gaps and come out in commit order. Operations call
`record` last, so that the row is held for a moment only.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import structlog
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction
from django.utils import timezone

from apps.core import publishing, tracing
from apps.core.models import Event

if TYPE_CHECKING:
    from collections.abc import Mapping

    from celery.app.task import Task

    from apps.core.actors import Actor

log = structlog.get_logger(__name__)

# What the last commit of this thread still has to publish, one entry a transaction.
_reactions: dict[str, list[Task[Any, Any]]] = {}

UPSERT = """
    INSERT INTO core_topic (name, version, oldest_version) VALUES (%s, 1, 1)
    ON CONFLICT (name) DO UPDATE SET version = core_topic.version + 1
    RETURNING version
"""
# PostgreSQL numbers and inserts in one statement; SQLite has no writing CTE.
UPSERT_AND_INSERT = """
    WITH numbered AS (
        INSERT INTO core_topic (name, version, oldest_version) VALUES (%s, 1, 1)
        ON CONFLICT (name) DO UPDATE SET version = core_topic.version + 1
        RETURNING version
    )
    INSERT INTO core_event (topic, version, kind, data, actor, created_at, published_at)
    SELECT %s, version, %s, %s::jsonb, %s::jsonb, %s, %s::timestamptz FROM numbered
    RETURNING id, version
"""
INSERT = """
    INSERT INTO core_event (topic, version, kind, data, actor, created_at, published_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id
"""


def record(*, topic: str, kind: str, data: Mapping[str, Any], actor: Actor) -> Event:
    """This will write one event with the topic's next version, to be published after commit.

    `data` is JSON with the wire's camelCase keys. Outside a transaction it is a RuntimeError: an
    event must stand or fall with the change it tells of.

    What nothing reacts to counts as published from the beginning: should the message be lost, the
    hubs find the event when they look at the topics, every second. Only reactions need the sweep.
    """
    if not connection.in_atomic_block:
        message = f"event {kind} recorded outside a transaction"
        raise RuntimeError(message)
    text = json.dumps(data, cls=DjangoJSONEncoder, separators=(",", ":"))
    now = timezone.now()
    event = Event(topic=topic, kind=kind, data=data, actor=actor.as_dict(), created_at=now)
    if kind not in _reactions:
        event.published_at = now
    at = connection.ops.adapt_datetimefield_value(now)
    rest = [text, json.dumps(event.actor), at, at if event.published_at else None]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(UPSERT_AND_INSERT, [topic, topic, kind, *rest])
            event.id, event.version = cursor.fetchone()
        else:
            cursor.execute(UPSERT, [topic])
            (event.version,) = cursor.fetchone()
            cursor.execute(INSERT, [topic, event.version, kind, *rest])
            (event.id,) = cursor.fetchone()
    transaction.on_commit(lambda: publish([event], [text]), robust=True)
    return event


def publish(events: list[Event], texts: list[str] | None = None) -> None:
    """This will tell the live hubs and the reactions of committed events, and mark them published.

    `texts` are their data as JSON, where it is at hand. A failure leaves what has reactions
    unpublished; the sweep comes back for it.
    """
    kinds = " ".join(sorted({event.kind for event in events}))
    try:
        with tracing.span(f"publish {kinds}"[:100], kind="PRODUCER"):
            publishing.send(
                [
                    (one.topic, one.version, one.kind, data, one.created_at.isoformat())
                    for one, data in zip(events, texts or [one.data for one in events], strict=True)
                ]
            )
            for event in events:
                for task in _reactions.get(event.kind, []):
                    task.delay(event_id=event.pk)
    except Exception as error:  # noqa: BLE001 - the change is committed; the sweep will repeat this
        log.warning("event_publish_failed", error=str(error), count=len(events))
        return
    waiting = [event.pk for event in events if event.published_at is None]
    if waiting:
        Event.objects.filter(pk__in=waiting).update(published_at=timezone.now())


def on(kind: str, task: Task[Any, Any]) -> None:
    """This will run a Celery task, called with `event_id`, after every event of a kind."""
    _reactions.setdefault(kind, []).append(task)


def wiring() -> dict[str, list[str]]:
    """This will list the reactions by event kind, for `manage.py wiring`."""
    return {kind: [str(task.name) for task in tasks] for kind, tasks in sorted(_reactions.items())}
