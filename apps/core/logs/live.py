"""Lines as they come, for those who watch: passing messages on a topic of their own.

A hub that has a follower says so in Redis for a few seconds at a time; other processes publish
only while somebody does. `Following` is what a socket needs: it hears batches of lines from a
level on, once whoever connects was found to be a server admin.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from django.core.cache import cache

from apps.core import publishing
from apps.core.live import work
from apps.core.logs.entries import LEVELS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from apps.core.live.events import Event
    from apps.core.live.hub import Hub
    from apps.core.logs.entries import Entry, Shown

# Not the server's topic: every board hears that one, and these lines are for admins alone.
TOPIC = "server.logs"
KIND = "log.entry"
# Lines in one message: it stays far below what a channel layer takes.
AT_ONCE = 50
WATCHED = "logs.watched"
WATCHED_SECONDS = 15
SAY_SO_SECONDS = 5.0
ASK_SECONDS = 1.0
REST_SECONDS = 10.0


class Publisher:
    """Tells listeners of lines, while there are any; a sink of the pump."""

    def __init__(self) -> None:
        self._asked_at = 0.0
        self._watched = False

    @property
    def waiting(self) -> int:
        """What could not be told is not told later."""
        return 0

    def take(self, entries: Sequence[Entry]) -> None:
        """This will publish a batch if somebody watches; without Redis it rests for a while."""
        try:
            if not self._is_watched():
                return
            for start in range(0, len(entries), AT_ONCE):
                shown = [entry.shown() for entry in entries[start : start + AT_ONCE]]
                publishing.send_ephemeral(topic=TOPIC, kind=KIND, data={"entries": shown})
        except Exception:  # noqa: BLE001 - whatever Redis says; lines about lines are not wanted
            self._watched = False
            self._asked_at = time.monotonic() + REST_SECONDS

    def _is_watched(self) -> bool:
        if time.monotonic() - self._asked_at >= ASK_SECONDS:
            self._watched = bool(cache.get(WATCHED))
            self._asked_at = time.monotonic()
        return self._watched

    def stop(self, seconds: float) -> None:
        """There is nothing to let go of."""


class Hear(Protocol):
    """Who is told of lines; it never waits."""

    def __call__(self, entries: list[Shown]) -> None:
        """This will take some lines, oldest first."""


class Following:
    """One connection that follows the log from a level on."""

    def __init__(self, hub: Hub, hear: Hear, *, level: str = "info") -> None:
        self.hub = hub
        self._tell: Callable[[list[Shown]], None] = hear
        self._level = LEVELS[level]
        self._said_at = 0.0

    async def start(self) -> None:
        """This will hear every line from now on; Unavailable without the channel layer."""
        await self.hub.join(TOPIC, self)
        self.hub.pulses.add(self._say_so)
        await self._say_so(time.monotonic())

    def stop(self) -> None:
        """This will hear nothing any more; stopping twice does nothing."""
        self.hub.pulses.discard(self._say_so)
        self.hub.leave(TOPIC, self)

    def hear(self, event: Event) -> None:
        """This will pass on the lines of a batch that are severe enough."""
        entries = [
            entry for entry in event.data["entries"] if LEVELS[entry["level"]] >= self._level
        ]
        if entries:
            self._tell(entries)

    def lose(self) -> None:
        """Passing messages are not in the journal; there is nothing to lose."""

    async def _say_so(self, now: float) -> None:
        if now - self._said_at >= SAY_SO_SECONDS:
            self._said_at = now
            await work.run(_mark)


def _mark() -> None:
    cache.set(WATCHED, 1, WATCHED_SECONDS)
