"""Presence: who looks at a board and at which of its cards, and who types. Nothing is stored.

Every process tells the others whom it serves, whenever that changes and every few seconds; what a
process said is forgotten when it stays silent, so that people of one that was killed vanish.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
import uuid
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypedDict

import structlog

from apps.boards.outputs import board_topic
from apps.core import publishing
from apps.core.live import work
from apps.core.live.frames import Message, Origin
from apps.core.live.sockets import now

if TYPE_CHECKING:
    from uuid import UUID

    from apps.accounts.models import User
    from apps.boards.models import Board
    from apps.core.live.events import Event
    from apps.core.live.frames import Envelope
    from apps.core.live.hub import Hub
    from apps.core.live.sinks import Sink

log = structlog.get_logger(__name__)

TOLD, ASKED = "presence.told", "presence.asked"
HEARTBEAT_SECONDS = 20.0
# Two heartbeats may be lost before the people of a process are taken for gone.
LOST_SECONDS = 45.0
# Who types says so again and again; a last word that never came counts for this long.
TYPING_SECONDS = 6.0
SECONDS_BETWEEN = 0.2
TICK_SECONDS = 1.0

_rooms: weakref.WeakKeyDictionary[Hub, dict[UUID, Room]] = weakref.WeakKeyDictionary()


class Shown(TypedDict):
    """Somebody who is there, as clients see it."""

    id: str
    displayName: str
    cardId: str | None
    typing: bool


class Viewer(Protocol):
    """A connection of somebody who is there."""

    envelope: Envelope
    sink: Sink


@dataclass(slots=True)
class Seat:
    """Where one connection's person is."""

    user_id: str
    display_name: str
    card_id: str | None
    # When it was said: of several windows of a person the last one counts.
    at: float
    types_until: float = 0.0

    def told(self, moment: float) -> dict[str, Any]:
        """This will be what other processes are told."""
        shown: Shown = {
            "id": self.user_id,
            "displayName": self.display_name,
            "cardId": self.card_id,
            "typing": self.types_until > moment,
        }
        return {**shown, "at": self.at}


class Room:
    """One board, as the people of this process and of the others look at it."""

    def __init__(self, hub: Hub, board: Board) -> None:
        self.hub = hub
        self.topic = board_topic(board.pk)
        self.process = uuid.uuid4().hex
        self.seats: dict[Viewer, Seat] = {}
        self._others: dict[str, tuple[float, list[dict[str, Any]]]] = {}
        self._shown: list[Shown] = []
        self._said: list[dict[str, Any]] = []
        self._said_at = 0.0
        self._dirty = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    # --- the hub's listener ----------------------------------------------------------------------

    def hear(self, event: Event) -> None:
        """This will take what other processes tell of their people."""
        if event.kind not in {TOLD, ASKED} or event.data["process"] == self.process:
            return
        if event.kind == TOLD:
            self._others[event.data["process"]] = (time.monotonic(), event.data["users"])
        else:
            self._said_at = 0.0
        self._dirty.set()

    def lose(self) -> None:
        """This will do nothing: what passes is not in the journal."""

    # --- who is here -----------------------------------------------------------------------------

    async def open(self) -> None:
        """This will listen, and ask the other processes whom they serve."""
        self._task = self.hub.spawn(self._keep())
        await self.hub.join(self.topic, self)
        await self._send(ASKED, {})

    def close(self) -> None:
        """This will tell the others that nobody is here any more."""
        self.hub.leave(self.topic, self)
        if self._task is not None:
            self._task.cancel()
        self.hub.spawn(self._send(TOLD, {"users": []}))

    def sit(self, viewer: Viewer, seat: Seat) -> None:
        """This will note where somebody is, and show it."""
        self.seats[viewer] = seat
        self._dirty.set()

    def show_to(self, viewer: Viewer) -> None:
        """This will show one viewer who is there now."""
        payload = {"users": self._users()}
        viewer.sink.replace("presence", _frame(payload, viewer.envelope))

    def stir(self) -> None:
        """This will look again at who is there."""
        self._dirty.set()

    async def _keep(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_SECONDS):
                    await self._dirty.wait()
            self._dirty.clear()
            self._show()
            try:
                await self._tell()
            except Exception as error:  # noqa: BLE001 - the next heartbeat says it again
                log.info("presence_not_told", error=repr(error))
            await asyncio.sleep(SECONDS_BETWEEN)

    def _users(self) -> list[Shown]:
        """Everybody who is there, each once, by name."""
        moment = time.monotonic()
        self._others = {
            process: (at, users)
            for process, (at, users) in self._others.items()
            if moment - at < LOST_SECONDS and users
        }
        told = [seat.told(moment) for seat in self.seats.values()]
        for _at, users in self._others.values():
            told += users
        latest: dict[str, Shown] = {}
        for one in sorted(told, key=lambda one: float(one["at"])):
            latest[one["id"]] = {
                "id": one["id"],
                "displayName": one["displayName"],
                "cardId": one["cardId"],
                "typing": one["typing"],
            }
        return sorted(latest.values(), key=lambda one: (one["displayName"], one["id"]))

    def _show(self) -> None:
        users = self._users()
        if users == self._shown:
            return
        self._shown = users
        for viewer in tuple(self.seats):
            viewer.sink.replace("presence", _frame({"users": users}, viewer.envelope))

    async def _tell(self) -> None:
        moment = time.monotonic()
        said = [seat.told(moment) for seat in self.seats.values()]
        if said == self._said and moment - self._said_at < HEARTBEAT_SECONDS:
            return
        await self._send(TOLD, {"users": said})
        self._said, self._said_at = said, moment

    async def _send(self, kind: str, data: dict[str, Any]) -> None:
        payload = {"process": self.process, **data}
        await work.run(
            functools.partial(publishing.send_ephemeral, topic=self.topic, kind=kind, data=payload)
        )


def _frame(payload: dict[str, Any], envelope: Envelope) -> Any:
    return envelope.frame(Message("presence", payload), Origin(at=now()))


async def look(hub: Hub, board: Board, viewer: Viewer, *, user: User, card_id: str | None) -> None:
    """This will note that somebody looks at a board, or at one of its cards, and show who does."""
    rooms = _rooms.setdefault(hub, {})
    room = rooms.get(board.pk)
    seat = Seat(user.public_id, user.display_name, card_id, at=time.time())
    if room is None:
        room = rooms[board.pk] = Room(hub, board)
        room.sit(viewer, seat)
        await room.open()
    else:
        room.sit(viewer, seat)
    room.show_to(viewer)


def types(hub: Hub, board: Board, viewer: Viewer, *, typing: bool) -> bool:
    """This will note that somebody types, or stopped; False for who was not seen looking."""
    room = _rooms.get(hub, {}).get(board.pk)
    seat = room.seats.get(viewer) if room is not None else None
    if room is None or seat is None:
        return False
    seat.types_until = time.monotonic() + TYPING_SECONDS if typing else 0.0
    seat.at = time.time()
    room.stir()
    return True


def look_away(hub: Hub, board: Board, viewer: Viewer) -> None:
    """This will note that a connection's person looks no more; doing it twice does nothing."""
    rooms = _rooms.get(hub, {})
    room = rooms.get(board.pk)
    if room is None or room.seats.pop(viewer, None) is None:
        return
    if room.seats:
        room.stir()
        return
    del rooms[board.pk]
    room.close()
