"""A stream of one topic for one client: replay or snapshot first, then what happens, in order.

Joining comes before reading, and what is heard meanwhile is held back until the reading is sent: no
event can fall between the two.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from apps.core import metrics
from apps.core.live import cursors, journal, work
from apps.core.live.events import Event
from apps.core.live.frames import Message
from apps.core.live.sinks import RESUME, Ending

if TYPE_CHECKING:
    from apps.core.live.catalogue import Channel
    from apps.core.live.cursors import Cursor
    from apps.core.live.frames import Envelope, Frame
    from apps.core.live.hub import Hub
    from apps.core.live.sinks import Sink

# Events that may be held back while a snapshot or a replay is sent.
MAX_HELD = 10_000
# Of these, so many are queued at once: the queue of a client is bounded.
MOST_AT_ONCE = 64


class Stream(ABC):
    """The events of `topic` on their way to one sink."""

    def __init__(
        self, *, hub: Hub, sink: Sink, topic: str, channel: Channel, envelope: Envelope
    ) -> None:
        self.hub = hub
        self.sink = sink
        self.topic = topic
        self.channel = channel
        self.envelope = envelope
        self.version = 0
        self._held: list[Event] | None = []
        self._joined: set[str] = set()

    @abstractmethod
    async def snapshot(self) -> int:
        """This will send everything as it is now, and give the version it is consistent with."""

    @abstractmethod
    def wants(self, frame: Frame) -> bool:
        """True for frames this client asked for; called for every one, so it must be cheap."""

    @abstractmethod
    async def replayed(self, cursor: Cursor, kinds: set[str]) -> None:
        """This will be told from where and what was replayed, before live events go on."""

    async def begin(self, since: str | None) -> None:
        """This will join and bring the client up to date: from its cursor, else by a snapshot.

        Raises Unavailable without the channel layer, and Closed when the client went away.
        """
        await self.join(self.topic)
        cursor = await self._valid(since) if since is not None else None
        if cursor is not None:
            await self._replay(cursor)
        else:
            self.version = max(self.version, await self.snapshot())
        await self._release()

    async def join(self, topic: str) -> None:
        """This will hear one more topic; only the main one is held back and replayed."""
        self._joined.add(topic)
        await self.hub.join(topic, self)

    def end(self) -> None:
        """This will hear nothing any more."""
        for topic in self._joined:
            self.hub.leave(topic, self)
        self._joined.clear()

    # --- coming back -----------------------------------------------------------------------------

    async def _valid(self, since: str) -> Cursor | None:
        """The cursor if its events can be replayed; else the client is told to start over."""
        try:
            cursor = cursors.parse(since, topic=self.topic)
        except cursors.BadCursor:
            await self._resync("unknown_cursor")
            return None
        bounds = await work.run(journal.bounds, self.topic)
        if cursor.version > bounds.newest:
            await self._resync("unknown_cursor")
        elif cursor.complete + 1 < bounds.oldest:
            await self._resync("too_old")
        elif bounds.newest - cursor.complete > journal.MAX_REPLAY:
            await self._resync("too_many")
        else:
            return cursor
        return None

    async def _resync(self, reason: str) -> None:
        metrics.RESYNCS.labels(reason).inc()
        message = Message("resync", {"reason": reason})
        await self.sink.send([self.envelope.frame(message)])

    async def _replay(self, cursor: Cursor) -> None:
        metrics.REPLAYS.inc()
        self.version = cursor.complete
        kinds: set[str] = set()
        while True:
            entries = await work.run(journal.entries_after, self.topic, self.version)
            for entry in entries:
                event = Event.of(entry)
                frames = event.frames(self.channel, self.envelope)
                if entry.version == cursor.version and cursor.part is not None:
                    frames = frames[cursor.part + 1 :]
                await self.sink.send([frame for frame in frames if self.wants(frame)])
                self.version = entry.version
                kinds.add(entry.kind)
            if len(entries) < journal.CHUNK:
                break
        await self.replayed(cursor, kinds)

    async def _release(self) -> None:
        """Passes on what was held back, as fast as the client takes it; then nothing is held."""
        held = self._held or []
        for event in held:
            self._take(event)
            if self.sink.waiting > MOST_AT_ONCE:
                await self.sink.drained()
        self._held = None

    # --- live ------------------------------------------------------------------------------------

    def hear(self, event: Event) -> None:
        """This will take one event: held back, dropped when it is known, or passed on."""
        if self._held is not None:
            if event.version and event.topic == self.topic:
                self._held.append(event)
                if len(self._held) > MAX_HELD:
                    self.sink.end(Ending(RESUME, "resume"))
            return
        self._take(event)

    def _take(self, event: Event) -> None:
        if event.topic == self.topic and event.version:
            if event.version <= self.version:
                return
            self.version = event.version
        self.deliver(event)

    def deliver(self, event: Event) -> None:
        """This will push an event's frames without waiting."""
        for frame in event.frames(self.channel, self.envelope):
            if not frame.only or self.wants(frame):
                self.sink.push(frame)

    def lose(self) -> None:
        """This will send the client back to start over: what it missed is gone."""
        self.sink.end(Ending(RESUME, "resume"))
