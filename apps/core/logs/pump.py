"""The one thread of a process that carries log lines away from those who log them.

Logging puts a line into a queue and goes on; the thread gathers lines for a moment and hands them
on as a batch. When it cannot keep up the oldest lines go and are counted.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import queue
import sys
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

from apps.core.logs import redaction
from apps.core.logs.entries import Entry, of_event
from apps.core.logs.store import Store, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from structlog.typing import EventDict

MOST_WAITING = 5_000
BATCH = 500
GATHER_SECONDS = 0.25
RETRY_SECONDS = 2.0
# A process that ends gives its last lines this long.
FLUSH_SECONDS = 2.0
COMPLAIN_SECONDS = 60.0

_inside = threading.local()


def leave_out_this_thread() -> None:
    """This will keep what libraries log in this thread from being captured: no line about lines."""
    _inside.active = True


class Sink(Protocol):
    """Where batches go."""

    def take(self, entries: Sequence[Entry]) -> None:
        """This will take a batch; it neither raises nor waits for long."""

    @property
    def waiting(self) -> int:
        """Lines it could not pass on yet and wants to try again."""

    def stop(self, seconds: float) -> None:
        """This will pass on what can be passed on within so many seconds."""


class Pump:
    """The queue and the thread of one process."""

    def __init__(self) -> None:
        self.dropped = 0
        self._sinks: tuple[Sink, ...] = ()
        self._fresh()
        os.register_at_fork(after_in_child=self._fresh)
        atexit.register(self.stop)

    def _fresh(self) -> None:
        # A child has no threads of its parent's, and the parent keeps its own lines.
        self._queue: queue.SimpleQueue[EventDict | None] = queue.SimpleQueue()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def begin(self, sinks: Sequence[Sink]) -> None:
        """This will hand lines to these sinks from now on; none turns capturing off."""
        self._sinks = tuple(sinks)

    def put(self, event: EventDict) -> None:
        """This will take a line without ever waiting, from any thread and any signal handler."""
        if not self._sinks or getattr(_inside, "active", False):
            return
        if self._queue.qsize() >= MOST_WAITING:
            self.dropped += 1
            with contextlib.suppress(queue.Empty):
                self._queue.get_nowait()
        self._queue.put(event)
        if self._thread is None:
            self._start()

    def _start(self) -> None:
        # Whoever finds the lock taken leaves the start to whom it belongs.
        if not self._starting.acquire(blocking=False):
            return
        try:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="log-pump", daemon=True)
                thread.start()
                self._thread = thread
        except RuntimeError:
            # The interpreter is ending; the line was written to standard error already.
            return
        finally:
            self._starting.release()

    def stop(self, seconds: float = FLUSH_SECONDS) -> None:
        """This will pass on what waits, within so many seconds; the next line starts anew."""
        thread, self._thread = self._thread, None
        ends_at = time.monotonic() + seconds
        if thread is not None:
            self._queue.put(None)
            thread.join(seconds)
        for sink in self._sinks:
            sink.stop(max(0.0, ends_at - time.monotonic()))

    def _run(self) -> None:
        leave_out_this_thread()
        going = True
        while going:
            batch, going = self._gather()
            try:
                entries = [of_event(event) for event in batch]
            except Exception as error:  # noqa: BLE001 - one odd line must not end the thread
                complain("cannot be read", error)
                continue
            for sink in self._sinks:
                try:
                    sink.take(entries)
                except Exception as error:  # noqa: BLE001 - the other sinks go on
                    complain("cannot be passed on", error)

    def _gather(self) -> tuple[list[EventDict], bool]:
        """The next lines, and whether there may be more after them."""
        is_behind = any(sink.waiting for sink in self._sinks)
        batch: list[EventDict] = []
        until: float | None = time.monotonic() + RETRY_SECONDS if is_behind else None
        while len(batch) < BATCH:
            try:
                wait = None if until is None else max(0.0, until - time.monotonic())
                event = self._queue.get(timeout=wait)
            except queue.Empty:
                break
            if event is None:
                return batch, False
            if not batch:
                until = time.monotonic() + GATHER_SECONDS
            batch.append(event)
        return batch, True


class StoreSink:
    """Keeps lines in the store; while that is away, the newest wait."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.dropped = 0
        self._backlog: deque[Entry] = deque()

    @property
    def waiting(self) -> int:
        """Lines that the store has not got yet."""
        return len(self._backlog)

    def take(self, entries: Sequence[Entry]) -> None:
        """This will write a batch and what waited before it."""
        self._backlog.extend(entries)
        while len(self._backlog) > MOST_WAITING:
            self._backlog.popleft()
            self.dropped += 1
        while self._backlog:
            batch = list(self._backlog)[:BATCH]
            try:
                self.store.write(batch)
            except Unreachable as error:
                complain("cannot be kept", error)
                return
            for _entry in batch:
                self._backlog.popleft()

    def stop(self, seconds: float) -> None:
        """This will let go of the store."""
        del seconds
        self.store.close()


_complained: dict[str, float] = {}


def complain(what: str, error: BaseException, *, write: Callable[[str], Any] | None = None) -> None:
    """This will say on standard error, at most once a minute, that lines are in trouble."""
    now = time.monotonic()
    if now - _complained.get(what, -COMPLAIN_SECONDS) < COMPLAIN_SECONDS:
        return
    _complained[what] = now
    line = redaction.text(f"Log lines {what}: {error}".replace("\n", " "))
    with contextlib.suppress(Exception):
        (write or sys.stderr.write)(f"{line}\n")


pump = Pump()


def capture(_logger: Any, _name: str, event: EventDict) -> EventDict:
    """This will hand a copy of a line to the pump: a processor that stands after the redaction."""
    pump.put(dict(event))
    return event
