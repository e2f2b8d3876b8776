"""Words to the process that runs an attempt: sent at once, and only a hint.

The rows say the same; a runner that hears nothing reads them with its next heartbeat.
"""

from __future__ import annotations

import functools

import redis
import structlog
from django.conf import settings
from django.db import transaction

log = structlog.get_logger(__name__)

STOP = "stop"
ANSWER = "answer"
SHUTDOWN = "shutdown"


def attempt_channel(attempt_id: object) -> str:
    """This will name the channel of an attempt's runner."""
    return f"{settings.KANBANAI_REDIS_PREFIX}.attempt.{attempt_id}"


def worker_channel(worker: str) -> str:
    """This will name the channel of all runners of one worker."""
    return f"{settings.KANBANAI_REDIS_PREFIX}.worker.{worker}"


@functools.lru_cache(maxsize=1)
def _client() -> redis.Redis:
    return redis.Redis.from_url(
        settings.KANBANAI_REDIS_URL, socket_timeout=2, socket_connect_timeout=2
    )


def say(channel: str, word: str) -> None:
    """This will say one word on a channel; a Redis that is away is only logged."""
    try:
        _client().publish(channel, word)
    except redis.RedisError as error:
        log.warning("control_not_sent", channel=channel, word=word, error=str(error))


def say_on_commit(attempt_id: object, word: str) -> None:
    """This will say one word to an attempt's runner once the transaction is through."""
    transaction.on_commit(lambda: say(attempt_channel(attempt_id), word), robust=True)
