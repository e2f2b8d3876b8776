"""The board's stream of server-sent events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apps.agents.live import access
from apps.agents.live.stream import BoardStream, Options
from apps.core.live import work
from apps.core.live.frames import Message
from apps.core.live.sockets import now
from apps.core.live.sse import EventStream

if TYPE_CHECKING:
    from apps.boards.models import Board


class BoardEventStream(EventStream):
    """One client of `/api/v1/sse?boardId=`."""

    board: Board
    claim: access.Claim
    stream: BoardStream | None = None

    async def authorize(self) -> None:
        """This will find who asks for which board; 401, 404, or 400 for unknown options."""
        credentials, self.board = await work.run(access.enter_board, self.scope, self.query)
        self.options = Options.of(self.query)
        self.claim = access.Claim.of(credentials, self.board)

    async def open(self) -> None:
        """This will say hello, then bring the client up to date."""
        self.hub.guards.add(self, access.inspect)
        await self.say(Message("hello", {"serverTime": now()}))
        self.stream = BoardStream(
            hub=self.hub,
            sink=self.sink,
            board=self.board,
            envelope=self.envelope,
            options=self.options,
        )
        await self.stream.begin(self.since)

    def over(self) -> None:
        """This will stop listening."""
        self.hub.guards.remove(self, access.inspect)
        if self.stream is not None:
            self.stream.end()
