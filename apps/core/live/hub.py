"""The hub: one subscription a topic for all clients of a process, delivery in order, no gaps.

The channel layer brings events fast but may lose them (a restart of Redis, a dropped connection).
The journal loses nothing. So a jump in the versions, and a newer version that a look at the topics
finds, are filled from the journal before anything else is delivered.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import weakref
from contextlib import nullcontext
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, Self

import structlog
from channels import DEFAULT_CHANNEL_LAYER
from channels.layers import channel_layers

from apps.core import metrics, problems, tracing
from apps.core.live import journal, work
from apps.core.live.events import Event
from apps.core.live.guards import Guards
from apps.core.publishing import group

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

log = structlog.get_logger(__name__)

LAYER_SECONDS = 3.0
PULSE_SECONDS = 0.5
BEAT_SECONDS = 1.0
# A look at the versions of all topics: what the channel layer lost is found this soon.
LOOK_SECONDS = 1.0
# Without an own beat for so long the subscription is made anew.
DEAF_SECONDS = 5.0
# Live events fill so many places of a client's queue before it is written to.
MOST_AT_ONCE = 32

_hubs: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = weakref.WeakKeyDictionary()


class Listener(Protocol):
    """Who hears the events of a topic."""

    def hear(self, event: Event) -> None:
        """This will take one event, in order; it never waits."""

    def lose(self) -> None:
        """This will be told that events are gone from the journal before they could be read."""


class Feed:
    """One topic: who listens, and how far they were served."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.version = 0
        self.seen = 0
        self.listeners: set[Listener] = set()
        self.opened: asyncio.Task[None] | None = None
        self.is_open = False
        self.filling = False

    def deliver(self, event: Event) -> None:
        """This will hand an event to everybody who listens."""
        metrics.EVENTS.inc()
        for listener in tuple(self.listeners):
            try:
                listener.hear(event)
            except Exception:
                log.exception("listener_failed", topic=self.topic, kind=event.kind)


class Hub:
    """All topics that somebody in this process listens to, on one event loop."""

    def __init__(self) -> None:
        self.feeds: dict[str, Feed] = {}
        self.guards = Guards()
        self.pulses: set[Callable[[float], Coroutine[Any, Any, None] | None]] = {self.guards.check}
        self._layer: Any = channel_layers.make_backend(DEFAULT_CHANNEL_LAYER)
        self._layer_lock = asyncio.Lock()
        self._channel = ""
        # When the oldest message to ourselves was sent that has not come back; 0: none is out.
        self._unheard_since = 0.0
        self._looked_at = 0.0
        # Places of the clients' queues that were filled since they were written to.
        self._handed = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._reader: asyncio.Task[None] | None = None

    @classmethod
    def current(cls) -> Self:
        """This will give the hub of the running event loop, made on first use."""
        loop = asyncio.get_running_loop()
        hub = _hubs.get(loop)
        if hub is None:
            hub = _hubs[loop] = cls()
        return hub  # type: ignore[return-value]

    # --- topics ----------------------------------------------------------------------------------

    async def join(self, topic: str, listener: Listener) -> None:
        """This will let a listener hear a topic: every event that commits from now on.

        What the database shows after this returns is not older than what is heard first.
        Unavailable when the channel layer does not answer.
        """
        feed = self.feeds.get(topic)
        if feed is None:
            feed = self.feeds[topic] = Feed(topic)
            feed.opened = self.spawn(self._open(feed))
        feed.listeners.add(listener)
        if feed.is_open or feed.opened is None:
            return
        try:
            await asyncio.shield(feed.opened)
        except (Exception, asyncio.CancelledError) as error:
            self.leave(topic, listener)
            if isinstance(error, asyncio.CancelledError):
                raise
            message = "Live events are not available at the moment. Try again."
            raise problems.Unavailable(message) from error

    def leave(self, topic: str, listener: Listener) -> None:
        """This will let a listener hear a topic no more; leaving twice does nothing."""
        feed = self.feeds.get(topic)
        if feed is None:
            return
        feed.listeners.discard(listener)
        if not feed.listeners:
            del self.feeds[topic]
            self.spawn(self._close(topic))

    async def _open(self, feed: Feed) -> None:
        await self._start()
        async with asyncio.timeout(LAYER_SECONDS), self._layer_lock:
            await self._layer.group_add(group(feed.topic), self._channel)
        newest = await work.run(journal.versions, [feed.topic])
        feed.version = newest.get(feed.topic, 0)
        feed.is_open = True
        self._fill_when_behind(feed)

    async def _close(self, topic: str) -> None:
        with contextlib.suppress(Exception):
            async with asyncio.timeout(LAYER_SECONDS), self._layer_lock:
                if topic not in self.feeds and self._channel:
                    await self._layer.group_discard(group(topic), self._channel)

    # --- the channel layer -----------------------------------------------------------------------

    async def _start(self) -> None:
        async with self._layer_lock:
            if self._channel:
                return
            async with asyncio.timeout(LAYER_SECONDS):
                self._channel = await self._layer.new_channel("hub.")
        self._reader = self.spawn(self._read())
        self.spawn(self._pulse())
        self.spawn(self._stay_subscribed())

    async def _read(self) -> None:
        while True:
            message = await self._layer.receive(self._channel)
            try:
                self._take(message)
            except Exception:
                log.exception("live_message_failed")
            # The layer's queue does not yield while it has more. What is there already is joined
            # into one write for each client, as long as their queues have plenty of room.
            if self._handed >= MOST_AT_ONCE:
                self._handed = 0
                await asyncio.sleep(0)

    def _take(self, message: dict[str, Any]) -> None:
        self._unheard_since = 0.0
        self._handed += 1
        feed = self.feeds.get(message.get("topic", ""))
        if feed is None:
            return
        if message["type"] == "ephemeral":
            self._hand(feed, Event.ephemeral(feed.topic, message["kind"], message["data"]))
            return
        trace = message.get("trace", "")
        with tracing.span("deliver", parent=trace, kind="CONSUMER") if trace else nullcontext():
            for version, kind, body, at in message["events"]:
                self._offer(feed, Event(feed.topic, version, kind, body, at))

    def _offer(self, feed: Feed, event: Event) -> None:
        feed.seen = max(feed.seen, event.version)
        if not feed.is_open or feed.filling or event.version <= feed.version:
            return
        if event.version == feed.version + 1 and event.body is not None:
            feed.version = event.version
            self._hand(feed, event)
            metrics.FAN_OUT_SECONDS.observe(_seconds_since(event.at))
        else:
            self._fill_when_behind(feed)

    def _hand(self, feed: Feed, event: Event) -> None:
        feed.deliver(event)
        self._handed += event.places

    # --- gaps ------------------------------------------------------------------------------------

    def _fill_when_behind(self, feed: Feed) -> None:
        if feed.is_open and not feed.filling and feed.seen > feed.version:
            feed.filling = True
            metrics.CATCH_UPS.inc()
            self.spawn(self._fill(feed))

    async def _fill(self, feed: Feed) -> None:
        """Reads what is missing until nothing is; live events only say meanwhile how far to go."""
        try:
            while feed.seen > feed.version and feed.listeners:
                wanted = feed.seen
                entries = await work.run(journal.entries_after, feed.topic, feed.version)
                if not entries and feed.seen == wanted:
                    feed.seen = feed.version
                if not entries:
                    continue
                if entries[0].version > feed.version + 1:
                    for listener in tuple(feed.listeners):
                        listener.lose()
                for entry in entries:
                    feed.version = entry.version
                    feed.deliver(Event.of(entry))
                    # Clients are written to at the end of a turn: hundreds of events in one turn
                    # would be more than their queues hold.
                    await asyncio.sleep(0)
        except Exception as error:  # noqa: BLE001 - the next look at the versions comes back to it
            log.warning("live_catch_up_failed", topic=feed.topic, error=str(error))
        finally:
            feed.filling = False
        self._fill_when_behind(feed)

    async def look(self) -> None:
        """This will compare every topic with the journal and fill what the layer did not bring."""
        topics = [feed.topic for feed in self.feeds.values() if feed.is_open]
        if not topics:
            return
        for topic, version in (await work.look(journal.versions, topics)).items():
            feed = self.feeds.get(topic)
            if feed is not None and version > feed.version:
                feed.seen = max(feed.seen, version)
                self._fill_when_behind(feed)

    # --- the pulse -------------------------------------------------------------------------------

    async def _pulse(self) -> None:
        while True:
            await asyncio.sleep(PULSE_SECONDS)
            for step in (self._look_when_due, *tuple(self.pulses)):
                try:
                    waited = step(time.monotonic())
                    if waited is not None:
                        await waited
                except Exception as error:  # noqa: BLE001 - one step's failure must not stop the others
                    log.warning("live_pulse_failed", step=str(step), error=str(error))

    async def _look_when_due(self, now: float) -> None:
        if now - self._looked_at >= LOOK_SECONDS:
            self._looked_at = now
            await self.look()

    # --- staying subscribed ----------------------------------------------------------------------

    async def _stay_subscribed(self) -> None:
        """Sends the hub messages to itself; when none comes back, everything is joined anew."""
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            try:
                if self._unheard_since and time.monotonic() - self._unheard_since > DEAF_SECONDS:
                    await self._renew()
                async with asyncio.timeout(LAYER_SECONDS):
                    await self._layer.send(self._channel, {"type": "beat"})
            except Exception as error:  # noqa: BLE001 - Redis is away; the journal is still looked at
                log.info("live_beat_failed", error=repr(error))
            self._unheard_since = self._unheard_since or time.monotonic()

    async def _renew(self) -> None:
        """A layer of its own for the new subscription: the old one may be stuck for good."""
        old, self._layer = self._layer, channel_layers.make_backend(DEFAULT_CHANNEL_LAYER)
        if self._reader is not None:
            self._reader.cancel()
        self.spawn(_put_away(old))
        async with asyncio.timeout(LAYER_SECONDS), self._layer_lock:
            self._channel = await self._layer.new_channel("hub.")
            self._reader = self.spawn(self._read())
            for topic in list(self.feeds):
                await self._layer.group_add(group(topic), self._channel)
        self._unheard_since = 0.0
        log.info("live_subscription_renewed", topics=len(self.feeds))

    # --- tasks -----------------------------------------------------------------------------------

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """This will run something in the background and keep hold of it until it ends."""
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.warning("live_task_failed", error=repr(task.exception()))

    async def stop(self) -> None:
        """This will end everything the hub runs; for tests, since processes just end."""
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=LAYER_SECONDS)
        await _put_away(self._layer)
        self.feeds.clear()
        _hubs.pop(asyncio.get_running_loop(), None)


def _seconds_since(at: str) -> float:
    """The time since an event's moment; clocks of hosts may differ a little."""
    return max(0.0, time.time() - datetime.fromisoformat(at).timestamp())


def _hubs_now() -> list[Hub]:
    return list(_hubs.values())


metrics.gauge(
    "live_topics",
    "Topics that somebody listens to.",
    lambda: sum(len(hub.feeds) for hub in _hubs_now()),
)
metrics.gauge(
    "live_queue_depth",
    "Messages that wait for clients to take them.",
    lambda: sum(hub.guards.waiting() for hub in _hubs_now()),
)


async def _put_away(layer: Any) -> None:
    """Closes a layer's connections, if it lets us."""
    with contextlib.suppress(Exception):
        async with asyncio.timeout(LAYER_SECONDS):
            await layer.flush()
