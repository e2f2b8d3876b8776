"""The dashboard WebSocket: overviews come, and what clients say is ignored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from apps.agents.live import access
from apps.core import problems
from apps.core.live import work
from apps.core.live.frames import Message
from apps.core.live.sockets import Socket, now
from apps.dashboard.live import overviews
from apps.dashboard.ranges import TimeRange

if TYPE_CHECKING:
    from uuid import UUID


class DashboardSocket(Socket):
    """One client of `/api/v1/ws/dashboard`."""

    most_unreadable = None
    user_id: UUID
    range: TimeRange
    claim: access.Claim

    def refusal(self) -> problems.Problem | None:
        """A range that is none is refused."""
        try:
            self.range = TimeRange.of(self.query)
        except problems.Problem as problem:
            return problem
        return None

    async def open(self) -> None:
        """This will say hello and show the overview."""
        credentials = await work.run(access.enter, self.scope)
        self.user_id = credentials.user.pk
        self.claim = access.Claim.of(credentials)
        self.hub.guards.add(self, access.inspect)
        await self.say(Message("hello", {"serverTime": now()}))
        await overviews.keeper_of(self.hub).add(self)

    def over(self) -> None:
        """This will stop listening."""
        self.hub.guards.remove(self, access.inspect)
        overviews.keeper_of(self.hub).remove(self)

    async def heard(self, message: dict[str, Any]) -> None:
        """This will answer a ping and ignore everything else."""
        if message["type"] == "ping":
            await self.say(Message("pong", {"ts": now()}))

    async def unreadable(self) -> None:
        """This will ignore it."""
