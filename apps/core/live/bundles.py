"""A bundle: several topics on their way to one client, each exactly once and in order.

A client's place is a version for each topic, written as one text that it gives back as it is. What
it missed comes in the order in which it happened, as well as clocks can tell; within a topic the
order is exact.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from typing import TYPE_CHECKING

from apps.core import metrics
from apps.core.live import cursors, journal, work
from apps.core.live.cursors import BadCursor, Cursor
from apps.core.live.events import Event
from apps.core.live.frames import DataEnvelope
from apps.core.live.sinks import RESUME, Ending
from apps.core.live.streams import MAX_HELD, MOST_AT_ONCE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from apps.core.live.catalogue import Channel
    from apps.core.live.frames import Frame
    from apps.core.live.hub import Hub
    from apps.core.live.journal import Entry
    from apps.core.live.sinks import Sink

# Rows of one topic that are kept while several are put in order.
CHUNK = 100
# The place of a client that follows what nothing has happened to yet: not empty, so that it is
# given back like every other.
NOWHERE = "0"


class Lane:
    """One topic: how far the client is, and what is held back until it has caught up."""

    __slots__ = ("cursor", "held")

    def __init__(self, held: list[Event]) -> None:
        self.cursor = Cursor(0)
        self.held: list[Event] | None = held


class Bundle(ABC):
    """The events of some topics on their way to one sink."""

    def __init__(self, *, hub: Hub, sink: Sink, channel: Channel) -> None:
        self.hub = hub
        self.sink = sink
        self.channel = channel
        self.lanes: dict[str, Lane] = {}
        self.is_over = False

    @abstractmethod
    def wants(self, frame: Frame) -> bool:
        """True for frames this client asked for; called for every one, so it must be cheap."""

    @abstractmethod
    async def begun(self, lost: str) -> None:
        """This will tell the client that it is served from here on, before anything else comes.

        `lost` says why what it missed cannot be sent; empty when it can, or when it is new.
        """

    def topics(self) -> list[str]:
        """This will list more topics, asked once the first are joined; it may use the database."""
        return []

    def told(self, event: Event) -> None:  # noqa: B027 - most have nothing to do then
        """This will be called after each live event: what was missed is in `topics` already."""

    @property
    def place(self) -> str:
        """How far the client is: what it gives to go on from here."""
        return self._place() or NOWHERE

    def _place(self, but: str = "") -> str:
        return ",".join(
            f"{short(topic)}:{lane.cursor}"
            for topic, lane in self.lanes.items()
            if topic != but and lane.cursor.version
        )

    # --- beginning -------------------------------------------------------------------------------

    async def begin(self, first: Iterable[str], since: str | None) -> None:
        """This will join the topics, say so, and send what was missed since a place.

        Raises Unavailable without the channel layer, and Closed when the client went away.
        """
        held: list[Event] = []
        for topic in first:
            await self._join(topic, held)
        # Asked for after joining: whatever comes to be from now on is heard of.
        for topic in await work.run(self.topics):
            await self._join(topic, held)
        lost = await self._set_out(since)
        if self.is_over:
            return
        await self.begun(lost)
        if lost:
            metrics.RESYNCS.labels(lost).inc()
        if since is not None and not lost:
            metrics.REPLAYS.inc()
            await self._replay(list(self.lanes))
        await self._release(held)

    async def follow(self, topic: str) -> None:
        """This will join a topic that has come to be, and send all that happened there so far."""
        if self.is_over or topic in self.lanes:
            return
        held: list[Event] = []
        await self._join(topic, held)
        await self._replay([topic])
        await self._release(held)

    def leave(self, topic: str) -> None:
        """This will hear a topic no more."""
        if self.lanes.pop(topic, None) is not None:
            self.hub.leave(topic, self)

    def end(self) -> None:
        """This will hear nothing any more."""
        self.is_over = True
        for topic in list(self.lanes):
            self.leave(topic)

    async def _release(self, held: list[Event]) -> None:
        """Passes on what was held back, as fast as the client takes it; then nothing is held."""
        for event in held:
            self._take(event)
            if self.sink.waiting > MOST_AT_ONCE:
                await self.sink.drained()
        for lane in self.lanes.values():
            if lane.held is held:
                lane.held = None

    async def _join(self, topic: str, held: list[Event]) -> None:
        if topic in self.lanes:
            return
        self.lanes[topic] = Lane(held)
        await self.hub.join(topic, self)
        if self.is_over or topic not in self.lanes:
            self.hub.leave(topic, self)

    async def _set_out(self, since: str | None) -> str:
        """Puts every lane at its start; gives the reason when that is not where the client was."""
        starts, lost = await work.run(_starts, list(self.lanes), since)
        for topic, start in starts.items():
            if topic in self.lanes:
                self.lanes[topic].cursor = start
        return lost

    # --- catching up -----------------------------------------------------------------------------

    async def _replay(self, topics: list[str]) -> None:
        """Sends what the journal has after the lanes' places, the oldest of all topics first."""
        waiting: dict[str, deque[Entry]] = {topic: deque() for topic in topics}
        ended: set[str] = set()
        read_to = {
            topic: self.lanes[topic].cursor.complete for topic in topics if topic in self.lanes
        }
        while True:
            for topic in [name for name in waiting if not waiting[name]]:
                entries: list[Entry] = []
                if topic not in ended and topic in read_to:
                    entries = await work.run(journal.entries_after, topic, read_to[topic], CHUNK)
                if len(entries) < CHUNK:
                    ended.add(topic)
                if not entries:
                    del waiting[topic]
                    continue
                read_to[topic] = entries[-1].version
                waiting[topic].extend(entries)
            if not waiting:
                return
            oldest = min(waiting, key=lambda name: waiting[name][0].at)
            await self._send(waiting[oldest].popleft())

    async def _send(self, entry: Entry) -> None:
        lane = self.lanes.get(entry.topic)
        if lane is None:
            return
        event = Event.of(entry)
        frames = event.frames(self.channel, DataEnvelope(self._place(but=entry.topic)))
        if entry.version == lane.cursor.version and lane.cursor.part is not None:
            frames = frames[lane.cursor.part + 1 :]
        lane.cursor = Cursor(entry.version)
        await self.sink.send([frame for frame in frames if self.wants(frame)])

    # --- live ------------------------------------------------------------------------------------

    def hear(self, event: Event) -> None:
        """This will take one event: held back, dropped when it is known, or passed on."""
        lane = self.lanes.get(event.topic)
        if lane is None:
            return
        if lane.held is not None:
            if event.version:
                lane.held.append(event)
                if len(lane.held) > MAX_HELD:
                    self.sink.end(Ending(RESUME, "resume"))
            return
        self._take(event)

    def _take(self, event: Event) -> None:
        lane = self.lanes.get(event.topic)
        if lane is None:
            return
        if event.version:
            if event.version <= lane.cursor.complete:
                return
            lane.cursor = Cursor(event.version)
        for frame in event.frames(self.channel, DataEnvelope(self._place(but=event.topic))):
            if self.wants(frame):
                self.sink.push(frame)
        self.told(event)

    def lose(self) -> None:
        """This will send the client back to start over: what it missed is gone."""
        self.sink.end(Ending(RESUME, "resume"))


def short(topic: str) -> str:
    """This will name a topic within a place: by the id of what it is about."""
    return topic.rpartition(".")[2]


def read(text: str, topics: Iterable[str]) -> dict[str, Cursor]:
    """This will read a place: a cursor for each topic, 0 for those it does not know.

    What it says of topics that are gone does not matter. BadCursor for what is no place of these.
    """
    found: dict[str, Cursor] = {}
    for part in text.split(",") if text not in {"", NOWHERE} else ():
        name, _, version = part.strip().partition(":")
        found[name] = cursors.parse(version, topic=name)
    known = {topic: short(topic) for topic in topics}
    if found and not found.keys() & set(known.values()):
        raise BadCursor(text)
    return {topic: found.get(name, Cursor(0)) for topic, name in known.items()}


def _starts(topics: list[str], since: str | None) -> tuple[dict[str, Cursor], str]:
    """Where each topic is to begin, and why that is not where the client was."""
    bounds = journal.bounds_of(topics)
    newest = {topic: Cursor(found.newest) for topic, found in bounds.items()}
    if since is None:
        return newest, ""
    try:
        starts = read(since, topics)
    except BadCursor:
        return newest, "unknown_cursor"
    lost = _lost(starts, bounds)
    return (newest if lost else starts), lost


def _lost(starts: dict[str, Cursor], bounds: dict[str, journal.Bounds]) -> str:
    """Why events after these cursors cannot be sent; empty when they can."""
    missing = 0
    for topic, found in bounds.items():
        cursor = starts[topic]
        if cursor.version > found.newest:
            return "unknown_cursor"
        if cursor.complete + 1 < found.oldest and found.newest:
            return "too_old"
        missing += found.newest - cursor.complete
    return "too_many" if missing > journal.MAX_REPLAY else ""
