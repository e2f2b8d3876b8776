"""Snapshots of boards for those who want a fresh `state` after a change: at most ten a second.

A board is read and encoded once for all who listen to it in this process, and only while somebody
does.
"""

from __future__ import annotations

import asyncio
import weakref
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from apps.agents.live.messages import BOARD_CHANGES
from apps.boards import outputs
from apps.core import wire
from apps.core.live import work
from apps.core.live.cursors import Cursor
from apps.core.live.frames import Message, Origin, Raw
from apps.core.live.sockets import now
from apps.core.readings import one_moment

if TYPE_CHECKING:
    from uuid import UUID

    from apps.boards.models import Board
    from apps.core.live.events import Event
    from apps.core.live.frames import Envelope, Frame
    from apps.core.live.hub import Hub

log = structlog.get_logger(__name__)

SECONDS_BETWEEN = 0.1

_keepers: weakref.WeakKeyDictionary[Hub, dict[UUID, Keeper]] = weakref.WeakKeyDictionary()


class Viewer(Protocol):
    """Who is shown fresh snapshots."""

    envelope: Envelope

    def show(self, frame: Frame, version: int) -> None:
        """This will take a snapshot that is consistent with a version."""


def read_state(board: Board) -> dict[str, Any]:
    """This will read a whole board at one moment."""
    with one_moment():
        return dict(outputs.board_state(board))


def read_raw(board: Board) -> tuple[int, Raw]:
    """This will read a whole board and write it as JSON once: its version and the payload."""
    state = read_state(board)
    return state["version"], Raw(wire.dumps(state))


def state_frame(payload: Raw, envelope: Envelope, topic: str, version: int) -> Frame:
    """This will make a snapshot ready for the wire; after it a client goes on from `version`."""
    return envelope.frame(Message("state", payload), Origin(topic, Cursor(version), now()))


class Keeper:
    """Keeps the viewers of one board up to date."""

    def __init__(self, hub: Hub, board: Board) -> None:
        self.hub = hub
        self.board = board
        self.topic = outputs.board_topic(board.pk)
        self.viewers: set[Viewer] = set()
        self._dirty = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def hear(self, event: Event) -> None:
        """This will note that the snapshot is another one now."""
        if event.kind in BOARD_CHANGES:
            self._dirty.set()

    def lose(self) -> None:
        """This will read everything anew: whatever was lost is in it."""
        self._dirty.set()

    async def start(self) -> None:
        """This will begin to listen."""
        self._task = self.hub.spawn(self._keep())
        await self.hub.join(self.topic, self)

    def stop(self) -> None:
        """This will listen no more."""
        self.hub.leave(self.topic, self)
        if self._task is not None:
            self._task.cancel()

    async def _keep(self) -> None:
        while True:
            await self._dirty.wait()
            # Before the reading: a change that comes while it runs is not forgotten.
            self._dirty.clear()
            try:
                version, payload = await work.run(read_raw, self.board)
            except Exception as error:  # noqa: BLE001 - the next change tries again
                log.warning("board_state_failed", topic=self.topic, error=str(error))
            else:
                self._show(version, payload)
            await asyncio.sleep(SECONDS_BETWEEN)

    def _show(self, version: int, payload: Raw) -> None:
        # Messages up to the feed's version were pushed; a client that leaves goes on from there.
        feed = self.hub.feeds.get(self.topic)
        reached = feed.version if feed is not None else version
        frames: dict[Envelope, Frame] = {}
        for viewer in tuple(self.viewers):
            if viewer.envelope not in frames:
                frames[viewer.envelope] = state_frame(payload, viewer.envelope, self.topic, reached)
            viewer.show(frames[viewer.envelope], version)


async def view(hub: Hub, board: Board, viewer: Viewer) -> None:
    """This will show a viewer every fresh snapshot of a board from now on."""
    keepers = _keepers.setdefault(hub, {})
    keeper = keepers.get(board.pk)
    if keeper is not None:
        keeper.viewers.add(viewer)
        return
    keeper = keepers[board.pk] = Keeper(hub, board)
    keeper.viewers.add(viewer)
    await keeper.start()


def unview(hub: Hub, board: Board, viewer: Viewer) -> None:
    """This will show a viewer nothing any more."""
    keepers = _keepers.get(hub, {})
    keeper = keepers.get(board.pk)
    if keeper is None:
        return
    keeper.viewers.discard(viewer)
    if not keeper.viewers:
        del keepers[board.pk]
        keeper.stop()
