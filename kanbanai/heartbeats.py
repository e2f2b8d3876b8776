"""Signs of life: a worker and the clock say every few seconds, in Redis, that their loop turns.

One key for each part, gone when nobody has renewed it for a while: who asks needs no clock. The
beat comes from the very loop that does the work, so a process that merely exists says nothing.
"""

from __future__ import annotations

from functools import cache
from typing import Any, cast

import redis
from celery import bootsteps
from celery.beat import Scheduler
from django.conf import settings

CLOCK = "beat"
WORKERS = ("worker-fast", "worker-agents")
PARTS = (*WORKERS, CLOCK)
EVERY_SECONDS = 5.0
# A part that is silent for so long counts as dead.
ALIVE_SECONDS = 20
ANSWER_SECONDS = 2


@cache
def _client(_url: str) -> redis.Redis:
    return redis.Redis.from_url(
        settings.KANBANAI_REDIS_URL,
        socket_timeout=ANSWER_SECONDS,
        socket_connect_timeout=ANSWER_SECONDS,
    )


def client() -> redis.Redis:
    """This will give this process's connections to Redis, with a limit for its answers."""
    return _client(settings.KANBANAI_REDIS_URL)


def _key(part: str) -> str:
    return f"{settings.KANBANAI_REDIS_PREFIX}.alive.{part}"


def beat(part: str) -> None:
    """This will say that a part of the product is alive; without Redis nobody hears it."""
    try:
        client().set(_key(part), 1, ex=ALIVE_SECONDS)
    except (redis.RedisError, OSError):
        return


def alive() -> dict[str, bool] | None:
    """This will tell which parts are alive; None when Redis does not answer."""
    try:
        found = cast("list[Any]", client().mget([_key(part) for part in PARTS]))
    except (redis.RedisError, OSError):
        return None
    return {part: value is not None for part, value in zip(PARTS, found, strict=True)}


class Pulse(bootsteps.StartStopStep):
    """A worker's sign of life, given by its consumer's own timer; begins anew with each of them."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self.timers: list[Any] = []

    def start(self, parent: Any) -> None:
        """This will beat for each queue the worker listens to."""
        for queue in parent.app.amqp.queues.consume_from:
            part = f"worker-{queue}"
            beat(part)
            self.timers.append(parent.timer.call_repeatedly(EVERY_SECONDS, beat, (part,)))

    def stop(self, parent: Any) -> None:
        """This will beat no more."""
        del parent
        for timer in self.timers:
            timer.cancel()
        self.timers.clear()


class Clock(Scheduler):
    """Celery's own scheduler, giving a sign of life at each look at the schedule."""

    # It also looks, and so beats, when nothing is due.
    max_interval = int(EVERY_SECONDS)

    def tick(self, *arguments: Any, **options: Any) -> float:
        """This will queue what is due and give the seconds until the next look."""
        beat(CLOCK)
        return min(float(super().tick(*arguments, **options)), EVERY_SECONDS)
