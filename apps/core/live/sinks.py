"""Sinks: the bounded queue of one client, and how it is written.

Whoever delivers an event pushes without waiting. A client that does not keep up is told to come
back with its cursor; it never makes others wait and never fills the memory.

Where the server offers a wire, all clients that have something to get are served in one go at the
end of the loop's turn: what is due for one is joined into one write, and where the same is due for
many it is joined once. Without a wire each client has a task that awaits its writes.
"""

from __future__ import annotations

import asyncio
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import structlog

from apps.core import metrics

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from apps.core.live.frames import Frame

log = structlog.get_logger(__name__)

MAX_MESSAGES = 256
MAX_BYTES = 1024 * 1024
WRITE_SECONDS = 10.0

GOING_AWAY = 1001
UNREADABLE = 1003
NOT_FOUND = 1008
SIGN_IN_AGAIN = 4001
ACCESS_ENDED = 4403
RESUME = 4409


@dataclass(frozen=True, slots=True)
class Ending:
    """Why the server ends a connection: a close code and its reason."""

    code: int
    reason: str


class Closed(Exception):
    """The connection is over; nothing more can be sent."""


class Wire(Protocol):
    """A server's way to take bytes at once."""

    freed: Callable[[], None] | None

    def write(self, data: bytes) -> bool:
        """This will send bytes; False: the client has to catch up, and `freed` is called then."""


@dataclass(slots=True)
class _Slot:
    """A place in the queue whose content is replaced while it waits."""

    frame: Frame


class Round:
    """The sinks of one event loop that have something to write when its turn ends."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = weakref.ref(loop)
        self._due: list[Sink] = []

    def add(self, sink: Sink) -> None:
        """This will serve a sink soon."""
        if not self._due:
            loop = self._loop()
            if loop is not None:
                loop.call_soon(self._serve)
        self._due.append(sink)

    def _serve(self) -> None:
        due, self._due = self._due, []
        frames: list[Frame] = []
        joined = b""
        for sink in due:
            try:
                mine = sink.take()
                if not mine:
                    continue
                if mine != frames:
                    frames = mine
                    joined = mine[0].wire if len(mine) == 1 else b"".join([f.wire for f in mine])
                sink.put(joined)
            except Exception:
                log.exception("client_not_written")
                sink.end(Ending(RESUME, "resume"))


_rounds: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Round] = weakref.WeakKeyDictionary()


def _round() -> Round:
    loop = asyncio.get_running_loop()
    found = _rounds.get(loop)
    if found is None:
        found = _rounds[loop] = Round(loop)
    return found


class Sink:
    """What one client still has to get.

    `write` sends frames and returns when the client takes more; `wire` does it at once, where there
    is one. `ending` is why it is over, once it is over.
    """

    __slots__ = (
        "_bytes",
        "_is_due",
        "_patience",
        "_queue",
        "_room",
        "_slots",
        "_wake",
        "_wire",
        "_write",
        "ending",
        "max_bytes",
        "max_messages",
    )

    def __init__(
        self,
        write: Callable[[list[Frame]], Awaitable[None]],
        *,
        wire: Wire | None = None,
        max_messages: int = MAX_MESSAGES,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self.max_messages = max_messages
        self.max_bytes = max_bytes
        self.ending: Ending | None = None
        self._write = write
        self._wire = wire
        self._queue: list[Frame | _Slot] = []
        self._slots: dict[str, _Slot] | None = None
        self._bytes = 0
        # Whoever waits: the writer for something to write or for the end, senders for room.
        self._wake: asyncio.Future[None] | None = None
        self._room: list[asyncio.Future[None]] | None = None
        # Taken up by the round, or held up by the client: in both cases a push changes nothing.
        self._is_due = False
        self._patience: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """Messages that wait to be written."""
        return len(self._queue)

    def push(self, frame: Frame) -> None:
        """This will queue a live message; a full queue ends the connection with 4409."""
        if self.ending is not None:
            return
        self._queue.append(frame)
        self._bytes += len(frame.wire)
        if len(self._queue) > self.max_messages or self._bytes > self.max_bytes:
            self.end(Ending(RESUME, "resume"))
        elif not self._is_due:
            self._stir()

    def replace(self, name: str, frame: Frame) -> None:
        """This will queue a snapshot in place of one of that name that still waits."""
        if self.ending is not None:
            return
        if self._slots is None:
            self._slots = {}
        slot = self._slots.get(name)
        if slot is not None:
            slot.frame = frame
            return
        self._slots[name] = slot = _Slot(frame)
        self._queue.append(slot)
        self._stir()

    async def send(self, frames: Iterable[Frame]) -> None:
        """This will queue messages of any size or number as the client takes them.

        For snapshots, replays and answers: the caller waits for room. Closed when it is over.
        """
        for frame in frames:
            while self.ending is None and self._full():
                await self._wait_for_room()
            if self.ending is not None:
                raise Closed
            self._queue.append(frame)
            self._bytes += len(frame.wire)
            self._stir()

    def _full(self) -> bool:
        # Half of the room stays free for what happens meanwhile.
        return len(self._queue) > self.max_messages // 2 or self._bytes > self.max_bytes // 2

    async def drained(self) -> None:
        """This will return when everything queued so far was handed to the writer."""
        while self._queue and self.ending is None:
            await self._wait_for_room()

    async def _wait_for_room(self) -> None:
        room = asyncio.get_running_loop().create_future()
        if self._room is None:
            self._room = []
        self._room.append(room)
        await room

    def end(self, ending: Ending) -> None:
        """This will end the connection; what still waits is not sent. The first reason stays."""
        if self.ending is not None:
            return
        self.ending = ending
        if ending.code == RESUME:
            metrics.DROPS.inc()
        self._empty()
        if self._wire is not None:
            self._wire.freed = None
        self._be_patient_no_more()
        self._wake_up()

    async def run(self) -> Ending:
        """This will write until the connection ends, and tell why it did."""
        while self.ending is None:
            if self._wire is None and self._queue:
                await self._write_all()
                continue
            self._wake = asyncio.get_running_loop().create_future()
            try:
                await self._wake
            finally:
                self._wake = None
        return self.ending

    async def _write_all(self) -> None:
        frames = self.take()
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                await self._write(frames)
        except TimeoutError:
            self.end(Ending(RESUME, "resume"))

    # --- the queue -------------------------------------------------------------------------------

    def _stir(self) -> None:
        if self._wire is None:
            self._wake_up()
        elif not self._is_due:
            self._is_due = True
            _round().add(self)

    def _wake_up(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def take(self) -> list[Frame]:
        """This will empty the queue and give what was in it."""
        frames = [item.frame if isinstance(item, _Slot) else item for item in self._queue]
        self._is_due = False
        self._empty()
        return frames

    def _empty(self) -> None:
        self._queue = []
        self._slots = None
        self._bytes = 0
        room, self._room = self._room, None
        for one in room or ():
            if not one.done():
                one.set_result(None)

    # --- the wire --------------------------------------------------------------------------------

    def put(self, data: bytes) -> None:
        """This will write to the wire; if the client does not take it, the queue waits for it."""
        if self._wire is None or self._wire.write(data):
            return
        self._is_due = True
        self._wire.freed = self._freed
        self._patience = asyncio.get_running_loop().call_later(WRITE_SECONDS, self._lose_patience)

    def _freed(self) -> None:
        self._be_patient_no_more()
        self._is_due = False
        if self._queue:
            self._stir()

    def _lose_patience(self) -> None:
        self.end(Ending(RESUME, "resume"))

    def _be_patient_no_more(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
