"""What keeps the journal whole and small, and forgets answers that nobody asks for again."""

from __future__ import annotations

from datetime import timedelta

import structlog
from celery import shared_task
from django.conf import settings
from django.db import transaction
from django.db.models import F, Max, Min
from django.utils import timezone

from apps.core import events, replays
from apps.core.models import Event, Topic

log = structlog.get_logger(__name__)

# The fast path, right after commit, has this long before the sweep comes for an event.
GRACE_SECONDS = 2.0
AT_ONCE = 500
DELETED_AT_ONCE = 10_000


@shared_task(ignore_result=True)
def sweep_events() -> int:
    """This will publish events whose reactions nobody asked for; gives how many it tried."""
    before = timezone.now() - timedelta(seconds=GRACE_SECONDS)
    left = list(
        Event.objects.filter(published_at__isnull=True, created_at__lt=before).order_by("id")[
            :AT_ONCE
        ]
    )
    left.sort(key=lambda event: (event.topic, event.version))
    if left:
        log.info("events_swept", count=len(left))
        events.publish(left)
    return len(left)


@shared_task(ignore_result=True)
def prune_events() -> int:
    """This will delete what is older than the journal keeps, and tell readers where it begins now.

    Unpublished events stay. It gives how many rows went.
    """
    cutoff = timezone.now() - timedelta(days=settings.KANBANAI_JOURNAL_DAYS)
    most = settings.KANBANAI_JOURNAL_EVENTS
    by_age = dict(
        Event.objects.filter(created_at__lt=cutoff)
        .values_list("topic")
        .annotate(last=Max("version"))
        .order_by()
    )
    by_count = dict(
        Topic.objects.filter(version__gte=F("oldest_version") + most).values_list("name", "version")
    )
    gone = 0
    for topic in sorted({*by_age, *by_count}):
        keep_from = max(by_age.get(topic, 0) + 1, by_count.get(topic, 0) - most + 1)
        gone += _prune(topic, keep_from)
    if gone:
        log.info("events_pruned", count=gone)
    return gone


@shared_task(ignore_result=True)
def prune_answers() -> int:
    """This will forget answers that were kept for repeated requests; it gives how many."""
    gone = replays.prune()
    if gone:
        log.info("answers_pruned", count=gone)
    return gone


def _prune(topic: str, keep_from: int) -> int:
    waiting = Event.objects.filter(topic=topic, published_at__isnull=True).aggregate(
        first=Min("version")
    )["first"]
    if waiting is not None:
        keep_from = min(keep_from, waiting)
    # Readers are told first: whoever asks for a row that is going gets a snapshot instead.
    Topic.objects.filter(name=topic, oldest_version__lt=keep_from).update(oldest_version=keep_from)
    gone = 0
    while True:
        with transaction.atomic():
            old = Event.objects.filter(topic=topic, version__lt=keep_from).order_by("version")
            ids = list(old.values_list("pk", flat=True)[:DELETED_AT_ONCE])
            Event.objects.filter(pk__in=ids).delete()
        gone += len(ids)
        if len(ids) < DELETED_AT_ONCE:
            return gone
