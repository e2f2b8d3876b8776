"""A board's events on their way to one client, as it asked for them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from apps.agents import outputs
from apps.agents.live import boards
from apps.agents.live.messages import (
    BOARD,
    BOARD_CHANGES,
    DELTA,
    attempt_status,
    conversation_item,
    logged,
)
from apps.agents.models import Attempt, AttemptLog, Item
from apps.boards.outputs import board_topic
from apps.core import ids, problems
from apps.core.live import journal, work
from apps.core.live.frames import Origin
from apps.core.live.sinks import Closed
from apps.core.live.sockets import now
from apps.core.live.streams import Stream

if TYPE_CHECKING:
    from uuid import UUID

    from apps.boards.models import Board
    from apps.core.live.cursors import Cursor
    from apps.core.live.events import Event
    from apps.core.live.frames import Envelope, Frame, Message, Raw
    from apps.core.live.hub import Hub
    from apps.core.live.sinks import Sink

SERVER_TOPIC = "server"
# A snapshot reaches its clients within this after its change.
LATE_SECONDS = 10.0
# Items read at once while a transcript is brought up to date.
CHUNK = 200


@dataclass(frozen=True, slots=True)
class Options:
    """How a client wants to hear a board."""

    small_changes: bool = False
    whole_detail: bool = True

    @classmethod
    def of(cls, query: dict[str, str]) -> Self:
        """This will read `changes` and `detail`; ValidationFailed for words nobody knows."""
        changes, detail = query.get("changes", "state"), query.get("detail", "full")
        if changes not in {"state", "delta"}:
            raise problems.ValidationFailed.of("changes", "Choose state or delta.", "unknown")
        if detail not in {"full", "summary"}:
            raise problems.ValidationFailed.of("detail", "Choose full or summary.", "unknown")
        return cls(small_changes=changes == "delta", whole_detail=detail == "full")


@dataclass(slots=True)
class Watch:
    """One attempt whose transcript a client follows: how far it is, and what waits meanwhile."""

    seq: int
    held: list[Frame] | None = field(default_factory=list)


class BoardStream(Stream):
    """One client's view of one board."""

    def __init__(
        self, *, hub: Hub, sink: Sink, board: Board, envelope: Envelope, options: Options
    ) -> None:
        super().__init__(
            hub=hub, sink=sink, topic=board_topic(board.pk), channel=BOARD, envelope=envelope
        )
        self.board = board
        self.options = options
        self.watches: dict[str, Watch] = {}
        self._shown = 0

    async def begin(self, since: str | None) -> None:
        """This will bring the client up to date and then let it hear everything."""
        await self.join(SERVER_TOPIC)
        if self.options.small_changes:
            await self.join(ids.topic("project", ids.encode("proj", self.board.project_id)))
        if not self.options.small_changes:
            await boards.view(self.hub, self.board, self)
        await super().begin(since)

    def end(self) -> None:
        """This will hear and show nothing any more."""
        super().end()
        boards.unview(self.hub, self.board, self)

    # --- what is sent ----------------------------------------------------------------------------

    def wants(self, frame: Frame) -> bool:
        """True for messages to everybody, and for the others when the client asked for them."""
        if not frame.only:
            return True
        if frame.only == DELTA:
            return self.options.small_changes
        return self.options.whole_detail or frame.attempt_id in self.watches

    def deliver(self, event: Event) -> None:
        """This will push an event's frames; those of a transcript that is being read wait."""
        for frame in event.frames(self.channel, self.envelope):
            if not frame.only:
                self.sink.push(frame)
            elif self.wants(frame):
                watch = self.watches.get(frame.attempt_id) if frame.seq else None
                if watch is None:
                    self.sink.push(frame)
                elif watch.held is not None:
                    watch.held.append(frame)
                elif frame.seq > watch.seq:
                    self.sink.push(frame)

    async def snapshot(self) -> int:
        """This will send the whole board, and where each attempt stands that is not over."""
        version, payload, statuses = await work.run(self._read)
        self._shown = version
        frames = [boards.state_frame(payload, self.envelope, self.topic, version)]
        frames += [self._frame(message) for message in statuses]
        await self.sink.send(frames)
        return version

    def _read(self) -> tuple[int, Raw, list[Message]]:
        version, payload = boards.read_raw(self.board)
        active = Attempt.objects.filter(board=self.board).active().order_by("queued_at", "pk")
        statuses = [
            attempt_status(row.public_id, ids.encode("card", row.card_id), row.status)
            for row in active
        ]
        return version, payload, statuses

    async def replayed(self, cursor: Cursor, kinds: set[str]) -> None:
        """This will send a fresh snapshot where the client missed changes it has no messages for.

        Snapshots come a moment after their change: one that belongs to a change shortly before the
        cursor may not have reached the client.
        """
        if not self.options.small_changes and (
            kinds & BOARD_CHANGES or await work.run(self._changed_shortly_before, cursor.version)
        ):
            await self.send_state()

    def _changed_shortly_before(self, version: int) -> bool:
        return journal.happened_before(self.topic, version, BOARD_CHANGES, seconds=LATE_SECONDS)

    async def send_state(self) -> None:
        """This will send the board as it is now."""
        version, payload = await work.run(boards.read_raw, self.board)
        self._shown = version
        frame = boards.state_frame(payload, self.envelope, self.topic, self.version)
        await self.sink.send([frame])

    def show(self, frame: Frame, version: int) -> None:
        """This will queue a fresh snapshot in place of one that still waits."""
        if self._held is None and version > self._shown:
            self._shown = version
            self.sink.replace("state", frame)

    def _frame(self, message: Message) -> Frame:
        return self.envelope.frame(message, Origin(at=now()))

    # --- one transcript --------------------------------------------------------------------------

    async def watch(self, attempt_id: UUID, public_id: str, since_seq: int) -> int:
        """This will send an attempt's items and log lines after `since_seq`, and follow it then.

        Both are numbered together. It gives the newest number that was sent.
        """
        watch = self.watches[public_id] = Watch(seq=since_seq)
        try:
            while True:
                messages = await work.run(self._after, attempt_id, public_id, watch.seq)
                await self.sink.send([self._frame(message) for message in messages])
                if messages:
                    watch.seq = messages[-1].seq
                if len(messages) < CHUNK:
                    break
        except Closed:
            self.watches.pop(public_id, None)
            raise
        held, watch.held = watch.held or [], None
        for frame in held:
            if frame.seq > watch.seq:
                self.sink.push(frame)
        return watch.seq

    def unwatch(self, public_id: str) -> None:
        """This will follow an attempt's transcript no more, unless the client hears all of them."""
        self.watches.pop(public_id, None)

    @staticmethod
    def _after(attempt_id: UUID, public_id: str, seq: int) -> list[Message]:
        """The next items and lines of an attempt, in the order of their common numbers."""
        items = Item.objects.filter(attempt_id=attempt_id, seq__gt=seq).order_by("seq")[:CHUNK]
        lines = AttemptLog.objects.filter(attempt_id=attempt_id, seq__gt=seq).order_by("seq")
        found = [conversation_item(public_id, dict(outputs.item(row))) for row in items]
        shown = [dict(outputs.log(row)) for row in lines[:CHUNK]]
        found += logged("attempt.logged", {"attemptId": public_id, "logs": shown})
        return sorted(found, key=lambda message: message.seq)[:CHUNK]
