"""The numbers a process counts about itself, and how all processes' numbers come together.

Every process writes its own to Redis every few seconds; whoever is asked reads them all. A series
carries the process it comes from, so that each only ever grows until its process ends.
"""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING, Any, cast

import redis
from django.conf import settings
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from apps.core.logs.entries import PROCESS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

disable_created_metrics()  # type: ignore[no-untyped-call]

REGISTRY = CollectorRegistry()
PREFIX = "kanbanai_"
SHARE_SECONDS = 5.0
# Numbers of a process that shares no more are gone after this: two rounds may be missed.
KEPT_SECONDS = 15
ANSWER_SECONDS = 2

HTTP_REQUESTS = Counter(
    f"{PREFIX}http_requests",
    "HTTP requests answered.",
    ["method", "route", "status"],
    registry=REGISTRY,
)
HTTP_SECONDS = Histogram(
    f"{PREFIX}http_request_seconds",
    "Time from a request to its answer.",
    ["method"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=REGISTRY,
)
CONNECTIONS = Gauge(
    f"{PREFIX}live_connections", "Open sockets and event streams.", ["channel"], registry=REGISTRY
)
EVENTS = Counter(
    f"{PREFIX}live_events", "Events delivered to the listeners of a topic.", registry=REGISTRY
)
FAN_OUT_SECONDS = Histogram(
    f"{PREFIX}live_fan_out_seconds",
    "Time from an event's commit to its delivery in a process.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=REGISTRY,
)
REPLAYS = Counter(
    f"{PREFIX}live_replays", "Clients that went on after a cursor.", registry=REGISTRY
)
RESYNCS = Counter(
    f"{PREFIX}live_resyncs", "Clients that had to start over.", ["reason"], registry=REGISTRY
)
CATCH_UPS = Counter(
    f"{PREFIX}live_catch_ups", "Gaps of a topic filled from the journal.", registry=REGISTRY
)
DROPS = Counter(
    f"{PREFIX}live_drops", "Clients ended because they did not keep up.", registry=REGISTRY
)
TASKS = Counter(f"{PREFIX}tasks", "Tasks that ended.", ["task", "state"], registry=REGISTRY)
TASK_SECONDS = Histogram(
    f"{PREFIX}task_seconds",
    "Time a task ran.",
    ["task"],
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 30, 120, 600, 3600),
    registry=REGISTRY,
)


_looked_up: dict[str, Gauge] = {}


def gauge(name: str, text: str, value: Callable[[], float]) -> None:
    """This will show a number of this process that is looked up whenever somebody asks.

    It is looked up from another thread: a collection that changes meanwhile gives the last number.
    """
    last = 0.0

    def look() -> float:
        nonlocal last
        with contextlib.suppress(RuntimeError):
            last = float(value())
        return last

    if name not in _looked_up:
        _looked_up[name] = Gauge(f"{PREFIX}{name}", text, registry=REGISTRY)
    _looked_up[name].set_function(look)


# --- sharing -------------------------------------------------------------------------------------


def _client() -> redis.Redis:
    return redis.Redis.from_url(
        settings.KANBANAI_REDIS_URL,
        socket_timeout=ANSWER_SECONDS,
        socket_connect_timeout=ANSWER_SECONDS,
    )


def _key(process: str) -> str:
    return f"{settings.KANBANAI_REDIS_PREFIX}.metrics.{process}"


def _index() -> str:
    return f"{settings.KANBANAI_REDIS_PREFIX}.metrics"


def process_name() -> str:
    """This will name this process as its series do."""
    return f"{PROCESS.name}:{PROCESS.host}:{os.getpid()}"


def share(client: redis.Redis) -> None:
    """This will write this process's numbers where every process finds them."""
    name = process_name()
    pipe = client.pipeline(transaction=False)
    pipe.set(_key(name), generate_latest(REGISTRY), ex=KEPT_SECONDS)
    pipe.sadd(_index(), name)
    pipe.execute()


class Sharing:
    """The thread that shares a process's numbers; after a fork the child begins its own."""

    def __init__(self) -> None:
        self._pid = 0
        self._stop = threading.Event()

    def begin(self) -> None:
        """This will share from now on; beginning twice does nothing."""
        if self._pid == os.getpid():
            return
        self._pid = os.getpid()
        self._stop = threading.Event()
        threading.Thread(target=self._run, name="metrics", daemon=True).start()

    def stop(self) -> None:
        """This will share no more."""
        self._stop.set()
        self._pid = 0

    def _run(self) -> None:
        stop, client = self._stop, _client()
        while True:
            # Without Redis numbers go on being counted; the next round tells them.
            with contextlib.suppress(redis.RedisError, OSError):
                share(client)
            if stop.wait(SHARE_SECONDS):
                client.close()
                return


sharing = Sharing()


# --- reading -------------------------------------------------------------------------------------


def shared() -> dict[str, str]:
    """This will read the numbers of all processes, this one's as they are now, by its name."""
    own = process_name()
    found = {own: generate_latest(REGISTRY).decode()}
    client = _client()
    try:
        names = sorted(name.decode() for name in cast("set[bytes]", client.smembers(_index())))
        others = [name for name in names if name != own]
        texts = cast("list[Any]", client.mget([_key(name) for name in others])) if others else []
        gone = [name for name, text in zip(others, texts, strict=True) if text is None]
        if gone:
            client.srem(_index(), *gone)
    except (redis.RedisError, OSError):
        # What this process knows is better than nothing.
        return found
    finally:
        client.close()
    pairs = zip(others, texts, strict=True)
    return found | {name: text.decode() for name, text in pairs if text is not None}


class Everybody:
    """Collects the series of all processes, each with the label `process`, and further ones."""

    def __init__(self, texts: dict[str, str], more: Iterable[Metric] = ()) -> None:
        self.texts = texts
        self.more = more

    def collect(self) -> Iterator[Metric]:
        """This will give one family for each name, with the samples of all processes."""
        families: dict[str, Metric] = {}
        for process, text in self.texts.items():
            for family in text_string_to_metric_families(text):
                whole = families.setdefault(
                    family.name, Metric(family.name, family.documentation, family.type)
                )
                for sample in family.samples:
                    whole.add_sample(
                        sample.name, {**sample.labels, "process": process}, sample.value
                    )
        yield from families.values()
        yield from self.more


def page(more: Iterable[Metric] = ()) -> bytes:
    """This will write the series of all processes, and further ones, as Prometheus reads them."""
    registry = CollectorRegistry()
    registry.register(cast("Any", Everybody(shared(), more)))
    return generate_latest(registry)
