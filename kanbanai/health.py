"""Two addresses for machines: is the process alive, and can the product do its work."""

from __future__ import annotations

import redis
from django.db import Error, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from apps.core.camel import camelize
from kanbanai import heartbeats


@require_safe
def alive(_request: HttpRequest) -> JsonResponse:
    """This will answer 200 as long as the process answers at all."""
    return JsonResponse({"status": "ok"})


@require_safe
def ready(_request: HttpRequest) -> JsonResponse:
    """This will answer 200 when every part of the product answers, else 503 with what does not."""
    parts = state_of_parts()
    good = all(parts.values())
    shown = {
        camelize(name.replace("-", "_")): "ok" if answers else "unavailable"
        for name, answers in parts.items()
    }
    status = 200 if good else 503
    return JsonResponse({"status": "ok" if good else "unavailable", **shown}, status=status)


def state_of_parts() -> dict[str, bool]:
    """This will ask the database and Redis, and look for the signs of life of the others."""
    parts = {"database": _database_answers(), "redis": _redis_answers()}
    # Without Redis nobody can tell whether the others live, and they can do nothing.
    beating = heartbeats.alive() if parts["redis"] else None
    return {**parts, **(beating or dict.fromkeys(heartbeats.PARTS, False))}


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        return False
    return True


def _redis_answers() -> bool:
    try:
        return bool(heartbeats.client().ping())
    except (redis.RedisError, OSError):
        return False
