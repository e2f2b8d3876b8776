"""Sends a process's lines on to where super admins want them, and never holds anybody up.

A thread of its own takes from a bounded queue. A receiver that fails is asked again after pauses
that grow; meanwhile the oldest lines go and are counted. The setting is looked at every few
seconds while there are lines.
"""

from __future__ import annotations

import itertools
import os
import random
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from apps.core.logs.pump import complain, leave_out_this_thread
from apps.core.logs.receivers import Failed, Receiver, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from apps.core.logs.entries import Entry
    from apps.core.logs.sending import Sender

MOST_WAITING = 5_000
BATCH = 200
REREAD_SECONDS = 2.0
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0


class Exporter:
    """The queue and the thread of one process; `read` finds the receiver, or None for none."""

    def __init__(self, read: Callable[[], Receiver | None]) -> None:
        self.dropped = 0
        self.refused = 0
        self.sent = 0
        self._read = read
        self._fresh()
        os.register_at_fork(after_in_child=self._fresh)

    def _fresh(self) -> None:
        self._queue: deque[Entry] = deque()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._ends_at = 0.0
        self._thread: threading.Thread | None = None
        self._receiver: Receiver | None = None
        self._sender: Sender | None = None
        self._read_at = 0.0

    @property
    def waiting(self) -> int:
        """The pump has nothing to try again for us: the thread does that."""
        return 0

    @property
    def queued(self) -> int:
        """Lines that wait to be sent."""
        return len(self._queue)

    def take(self, entries: Sequence[Entry]) -> None:
        """This will queue a batch; the oldest go when there is no room."""
        with self._lock:
            self._queue.extend(entries)
            while len(self._queue) > MOST_WAITING:
                self._queue.popleft()
                self.dropped += 1
        if self._thread is None and entries:
            self._stopping.clear()
            self._thread = threading.Thread(target=self._run, name="log-export", daemon=True)
            self._thread.start()
        self._wake.set()

    def stop(self, seconds: float) -> None:
        """This will send what waits, once, within so many seconds; the rest is dropped."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._ends_at = time.monotonic() + seconds
        self._stopping.set()
        self._wake.set()
        thread.join(seconds)

    # --- the thread ------------------------------------------------------------------------------

    def _run(self) -> None:
        leave_out_this_thread()
        pause = 0.0
        while True:
            if not self._queue:
                if self._stopping.is_set():
                    break
                self._wake.wait()
                self._wake.clear()
                continue
            try:
                changed = self._look()
                pause = 0.0 if changed else pause
                pause = self._send_next(pause)
            except Exception as error:  # noqa: BLE001 - the thread must outlive every surprise
                complain("cannot be exported", error)
                pause = LONGEST_PAUSE_SECONDS
            if self._stopping.is_set() and (pause or time.monotonic() > self._ends_at):
                break
            self._rest(pause)
        self._let_go()

    def _rest(self, pause: float) -> None:
        """Waits, but not past a look at the setting: a new receiver need not wait for the old."""
        until = time.monotonic() + pause
        while pause and not self._stopping.is_set():
            left = until - time.monotonic()
            if left <= 0 or self._stopping.wait(min(left, REREAD_SECONDS)):
                return
            if self._look():
                return

    def _look(self) -> bool:
        """Reads the setting when it is due; True when it became another one."""
        if time.monotonic() - self._read_at < REREAD_SECONDS:
            return False
        self._read_at = time.monotonic()
        try:
            receiver = self._read()
        except Exception:  # noqa: BLE001 - while the database is away, all stays as it was
            return False
        if receiver == self._receiver:
            return False
        self._let_go()
        self._receiver = receiver
        return True

    def _let_go(self) -> None:
        sender, self._sender = self._sender, None
        if sender is not None:
            sender.close()

    def _send_next(self, pause: float) -> float:
        """Sends one batch and gives the pause before the next: none when it went well."""
        receiver = self._receiver
        with self._lock:
            batch = list(itertools.islice(self._queue, BATCH))
        if receiver is None:
            self._forget(batch)
            return 0.0
        wanted = [entry for entry in batch if entry.level >= receiver.level]
        try:
            if wanted:
                if self._sender is None:
                    # An HTTP client is heavy, and most installations send nothing on.
                    from apps.core.logs.sending import open_sender  # noqa: PLC0415

                    self._sender = open_sender(receiver)
                self._sender.send(wanted)
        except Refused as error:
            complain("are refused by their receiver", error)
            self.refused += len(wanted)
        except Failed as error:
            complain("cannot be exported", error)
            longer = min(LONGEST_PAUSE_SECONDS, max(pause * 2, FIRST_PAUSE_SECONDS))
            # Many processes fail at the same time; they should not come back at the same time.
            return max(error.wait, longer * random.uniform(0.7, 1.0))  # noqa: S311 - no secret
        else:
            self.sent += len(wanted)
        self._forget(batch)
        return 0.0

    def _forget(self, batch: Sequence[Entry]) -> None:
        """Takes a batch off the queue, but for what was dropped from its beginning meanwhile."""
        with self._lock:
            for entry in batch:
                if self._queue and self._queue[0] is entry:
                    self._queue.popleft()
