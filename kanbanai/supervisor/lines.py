"""The supervisor's own lines, kept where admins search those of all processes."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

from apps.core.logs import redaction
from apps.core.logs.entries import Entry, of_event
from apps.core.logs.store import Unreachable, open_store

if TYPE_CHECKING:
    from pathlib import Path

# It has children to look after: a store that does not answer at once is left alone for a while.
BUSY_SECONDS = 2.0
REST_SECONDS = 60.0
MOST_WAITING = 200


class Lines:
    """Keeps lines one by one: there are few, and the supervisor must stay without threads."""

    def __init__(self, database_url: str, *, data_dir: Path, days: int, most: int) -> None:
        self.most = most
        self._store = open_store(database_url, data_dir=data_dir, days=days, most=most)
        self._store.busy_seconds = BUSY_SECONDS
        self._waiting: deque[Entry] = deque(maxlen=MOST_WAITING)
        self._try_at = 0.0

    def keep(self, text: str) -> None:
        """This will keep a line, and what could not be kept before; it never raises."""
        message = " ".join(text.split())
        if not self.most or not message:
            return
        event = {"event": message, "logger": "kanbanai.supervisor", "level": "info"}
        self._waiting.append(of_event(redaction.redact_event(None, "", event)))
        if time.monotonic() < self._try_at:
            return
        try:
            self._store.write(list(self._waiting))
        except Unreachable:
            self._try_at = time.monotonic() + REST_SECONDS
        else:
            self._waiting.clear()
        self._store.close()
