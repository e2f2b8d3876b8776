"""Fresh overviews for those who listen: at most two a second, once for each set of projects seen.

Nothing is read while nobody listens. Whose projects are seen is asked again while people listen, so
that a new membership or a lost one shows without a reconnect.
"""

from __future__ import annotations

import asyncio
import time
import weakref
from collections import defaultdict
from typing import TYPE_CHECKING, Protocol

import structlog

from apps.agents.live.messages import DASHBOARD, OVERVIEW
from apps.agents.live.stream import SERVER_TOPIC
from apps.core.live import work
from apps.core.live.frames import Message, Origin, Raw, dumps
from apps.core.live.sockets import now
from apps.dashboard import overview, queries

if TYPE_CHECKING:
    from uuid import UUID

    from apps.core.live.events import Event
    from apps.core.live.frames import Envelope, Frame
    from apps.core.live.hub import Hub
    from apps.core.live.sinks import Sink
    from apps.dashboard.queries import Seen
    from apps.dashboard.ranges import TimeRange

log = structlog.get_logger(__name__)

SECONDS_BETWEEN = 0.5
# With the time between overviews less than a second: so soon a lost membership must show.
SEEN_SECONDS = 0.3
# Boards that come and go say so themselves; this is for what nobody said.
TOPICS_SECONDS = 2.0
# Time passes without events: what is stuck becomes so, ranges move on.
AGE_SECONDS = 30.0

_keepers: weakref.WeakKeyDictionary[Hub, Keeper] = weakref.WeakKeyDictionary()


class Viewer(Protocol):
    """Who is shown overviews."""

    envelope: Envelope
    sink: Sink
    user_id: UUID
    range: TimeRange


class Keeper:
    """Keeps all viewers of one process up to date."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.viewers: set[Viewer] = set()
        self._seen: dict[UUID, Seen] = {}
        self._topics: dict[Seen, set[str]] = {}
        self._joined: set[str] = set()
        self._dirty_topics: set[str] = set()
        self._read_at: defaultdict[tuple[Seen, TimeRange], float] = defaultdict(float)
        self._wake = asyncio.Event()
        self._looking = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    # --- the hub's listener ----------------------------------------------------------------------

    def hear(self, event: Event) -> None:
        """This will note which projects' numbers are others now."""
        for viewer in tuple(self.viewers) if event.kind in DASHBOARD.encoders else ():
            for frame in event.frames(DASHBOARD, viewer.envelope):
                viewer.sink.push(frame)
        if OVERVIEW in DASHBOARD.types.get(event.kind, ()):
            self._dirty_topics.add(event.topic)
            self._wake.set()

    def lose(self) -> None:
        """This will read everything anew: whatever was lost is in it."""
        self._dirty_topics |= self._joined
        self._wake.set()

    # --- viewers ---------------------------------------------------------------------------------

    async def add(self, viewer: Viewer) -> None:
        """This will show a viewer the overview now, and every fresh one."""
        self.viewers.add(viewer)
        await self._look_who_sees_what()
        seen = self._seen[viewer.user_id]
        self._read_at[seen, viewer.range] = time.monotonic()
        # Now: before, it would take the first overview for one that is due, and read it as well.
        if self._task is None:
            self._task = self.hub.spawn(self._keep())
        payload = await work.run(_read, seen, viewer.range)
        await viewer.sink.send([_frame(payload, viewer.envelope)])

    def remove(self, viewer: Viewer) -> None:
        """This will show a viewer nothing any more."""
        self.viewers.discard(viewer)
        if not self.viewers:
            if self._task is not None:
                self._task.cancel()
                self._task = None
            for topic in self._joined:
                self.hub.leave(topic, self)
            self._joined.clear()

    async def _others_are_seen(self) -> bool:
        """Two statements for everybody: what is read too often must be little."""
        user_ids = {viewer.user_id for viewer in self.viewers}
        return self._differs(await work.look(queries.seen_by_all, user_ids))

    def _differs(self, seen: dict[UUID, Seen]) -> bool:
        return any(self._seen.get(user_id, one) != one for user_id, one in seen.items())

    async def _look_who_sees_what(self) -> None:
        async with self._looking:
            user_ids = {viewer.user_id for viewer in self.viewers}
            seen = await work.look(queries.seen_by_all, user_ids)
            if self._differs(seen):
                self._read_at.clear()
            self._topics = await work.run(_topics_of, set(seen.values()))
            wanted = {SERVER_TOPIC}.union(*self._topics.values())
            for topic in self._joined - wanted:
                self.hub.leave(topic, self)
            for topic in wanted - self._joined:
                await self.hub.join(topic, self)
            self._joined = wanted
            # Last, with no turn for others before whoever asked goes on.
            self._seen = seen

    # --- overviews -------------------------------------------------------------------------------

    async def _keep(self) -> None:
        looked_at = time.monotonic()
        while True:
            try:
                async with asyncio.timeout(SEEN_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                pass
            try:
                is_due = time.monotonic() - looked_at >= TOPICS_SECONDS
                if await self._others_are_seen() or is_due:
                    looked_at = time.monotonic()
                    await self._look_who_sees_what()
                await self._refresh()
            except Exception as error:  # noqa: BLE001 - the next round tries again
                log.warning("overview_failed", error=str(error))
            await asyncio.sleep(SECONDS_BETWEEN)

    async def _refresh(self) -> None:
        # Before the reading: an event that comes while it runs is not forgotten.
        self._wake.clear()
        dirty, self._dirty_topics = self._dirty_topics, set()
        groups: defaultdict[tuple[Seen, TimeRange], list[Viewer]] = defaultdict(list)
        for viewer in self.viewers:
            if viewer.user_id in self._seen:
                groups[self._seen[viewer.user_id], viewer.range].append(viewer)
        for key, viewers in groups.items():
            seen, chosen = key
            is_old = time.monotonic() - self._read_at[key] >= AGE_SECONDS
            if not is_old and not dirty & self._topics.get(seen, set()):
                continue
            self._read_at[key] = time.monotonic()
            self._show(await work.run(_read, seen, chosen), viewers)
        for key in set(self._read_at) - set(groups):
            del self._read_at[key]

    @staticmethod
    def _show(payload: Raw, viewers: list[Viewer]) -> None:
        frames: dict[Envelope, Frame] = {}
        for viewer in viewers:
            if viewer.envelope not in frames:
                frames[viewer.envelope] = _frame(payload, viewer.envelope)
            viewer.sink.replace("overview", frames[viewer.envelope])


def _read(seen: Seen, chosen: TimeRange) -> Raw:
    return Raw(dumps(overview.overview(seen, chosen)))


def _topics_of(sets: set[Seen]) -> dict[Seen, set[str]]:
    return {seen: queries.topics_of(seen) for seen in sets}


def _frame(payload: Raw, envelope: Envelope) -> Frame:
    return envelope.frame(Message(OVERVIEW, payload), Origin(at=now()))


def keeper_of(hub: Hub) -> Keeper:
    """This will give the keeper of a hub, made on first use."""
    found = _keepers.get(hub)
    if found is None:
        found = _keepers[hub] = Keeper(hub)
    return found
