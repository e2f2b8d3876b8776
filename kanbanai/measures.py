"""`/metrics`: the numbers of all processes, and those that only the database and Redis know."""

from __future__ import annotations

import hmac
import ipaddress
import time
from collections.abc import Callable, Iterator
from typing import Any

import redis
from celery.signals import (
    beat_init,
    task_postrun,
    task_prerun,
    worker_init,
    worker_process_init,
)
from django.conf import settings
from django.db import Error
from django.db.models import Count, Min
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST
from prometheus_client.core import GaugeMetricFamily

from apps.accounts.models import User
from apps.agents import queries
from apps.agents.models import Attempt
from apps.agents.states import Status
from apps.core import metrics, problems, rest
from apps.core.metrics import PREFIX, sharing
from apps.core.models import Event
from kanbanai import health, heartbeats

FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_VIA")


@require_safe
@never_cache
def page(request: HttpRequest) -> HttpResponse:
    """This will show the numbers to this machine, to server admins, and for the token that is set.

    Others get 404: that there are numbers is nobody's business.
    """
    if not _may_read(request):
        return rest.problem_response(problems.NotFound(), request.path)
    return HttpResponse(metrics.page(_looked_up()), content_type=CONTENT_TYPE_LATEST)


def _may_read(request: HttpRequest) -> bool:
    token = settings.KANBANAI_METRICS_TOKEN
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if token and hmac.compare_digest(given.encode(), token.encode()):
        return True
    user = request.user
    if isinstance(user, User) and user.is_server_admin:
        return True
    return _is_local(request)


def _is_local(request: HttpRequest) -> bool:
    """True for a client on this machine; a proxy on this machine speaks for others."""
    if not settings.KANBANAI_BEHIND_PROXY and any(name in request.META for name in FORWARDED):
        return False
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


# --- what is looked up when somebody asks --------------------------------------------------------


def _looked_up() -> Iterator[GaugeMetricFamily]:
    up = GaugeMetricFamily(
        f"{PREFIX}part_up", "1 while a part of the product works.", labels=["part"]
    )
    for part, well in health.state_of_parts().items():
        up.add_metric([part], float(well))
    yield up
    yield from _queues()
    try:
        yield from _database()
    except Error:
        # The part that is down says so above.
        return


def _queues() -> Iterator[GaugeMetricFamily]:
    waiting = GaugeMetricFamily(
        f"{PREFIX}queue_length", "Tasks that wait for a worker.", labels=["queue"]
    )
    prefix = settings.CELERY_BROKER_TRANSPORT_OPTIONS["global_keyprefix"]
    try:
        for queue in settings.CELERY_TASK_QUEUES:
            length = heartbeats.client().llen(f"{prefix}{queue}")
            waiting.add_metric([queue], float(length))
    except (redis.RedisError, OSError):
        return
    yield waiting


def _database() -> Iterator[GaugeMetricFamily]:
    now = timezone.now()
    left = Event.objects.filter(published_at__isnull=True).aggregate(
        count=Count("pk"), oldest=Min("created_at")
    )
    age = (now - left["oldest"]).total_seconds() if left["oldest"] else 0.0
    yield _single("journal_unpublished", "Committed events nobody was told of.", left["count"])
    yield _single("journal_lag_seconds", "Age of the oldest of them.", max(0.0, age))
    by_status = dict(
        Attempt.objects.active().values_list("status").annotate(count=Count("pk")).order_by()
    )
    attempts = GaugeMetricFamily(
        f"{PREFIX}attempts", "Attempts that are not over.", labels=["status"]
    )
    for status in (s for s in Status if s in by_status or s in {Status.QUEUED, Status.RUNNING}):
        attempts.add_metric([status.value], by_status.get(status.value, 0))
    yield attempts
    yield _single("attempt_slots", "Agents that may work at once.", settings.KANBANAI_AGENT_SLOTS)
    taken = len(queries.slot_holders())
    yield _single("attempt_slots_taken", "Agents that work at the moment.", taken)
    first = Attempt.objects.filter(status=Status.QUEUED).aggregate(first=Min("queued_at"))["first"]
    wait = (now - first).total_seconds() if first else 0.0
    yield _single(
        "attempt_wait_seconds", "How long the longest in the queue waits.", max(0.0, wait)
    )


def _single(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{PREFIX}{name}", text, value=float(value))


# --- what is counted as it happens ---------------------------------------------------------------


class Measured:
    """Counts requests by the route that answered them, never by their address."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """This will count the request and the time until its answer begins."""
        started = time.perf_counter()
        response = self.get_response(request)
        match = request.resolver_match
        route = match.route if match is not None else "unknown"
        method = request.method if request.method in KNOWN_METHODS else "other"
        metrics.HTTP_REQUESTS.labels(method, route, response.status_code).inc()
        metrics.HTTP_SECONDS.labels(method).observe(time.perf_counter() - started)
        return response


KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_started: dict[str, float] = {}


@worker_init.connect
@worker_process_init.connect
@beat_init.connect
def share(**_: object) -> None:
    """This will share the numbers of a worker, of each of its children, and of the clock."""
    sharing.begin()


@task_prerun.connect
def begin_task(*, task_id: str = "", **_: object) -> None:
    """This will note when a task begins."""
    _started[task_id] = time.perf_counter()


@task_postrun.connect
def end_task(*, task_id: str = "", task: Any = None, state: str | None = "", **_: object) -> None:
    """This will count a task that ended."""
    name = getattr(task, "name", "unknown")
    began = _started.pop(task_id, None)
    if began is not None:
        metrics.TASK_SECONDS.labels(name).observe(time.perf_counter() - began)
    metrics.TASKS.labels(name, (state or "unknown").lower()).inc()
