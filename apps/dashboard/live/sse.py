"""One address for both event streams: of a board when it names one, else of the dashboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apps.agents.live import access
from apps.agents.live.event_stream import BoardEventStream
from apps.core.live import asgi, work
from apps.core.live.frames import Message
from apps.core.live.sockets import now
from apps.core.live.sse import EventStream
from apps.dashboard.live import overviews
from apps.dashboard.ranges import TimeRange

if TYPE_CHECKING:
    from uuid import UUID


class DashboardEventStream(EventStream):
    """One client of `/api/v1/sse` without a board."""

    user_id: UUID
    range: TimeRange
    claim: access.Claim

    async def authorize(self) -> None:
        """This will find who asks; 401 for nobody, 400 for a range that is none."""
        credentials = await work.run(access.enter, self.scope)
        self.range = TimeRange.of(self.query)
        self.user_id = credentials.user.pk
        self.claim = access.Claim.of(credentials)

    async def open(self) -> None:
        """This will say hello and show the overview."""
        self.hub.guards.add(self, access.inspect)
        await self.say(Message("hello", {"serverTime": now()}))
        await overviews.keeper_of(self.hub).add(self)

    def over(self) -> None:
        """This will stop listening."""
        self.hub.guards.remove(self, access.inspect)
        overviews.keeper_of(self.hub).remove(self)


async def application(scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
    """This will serve one stream."""
    query = asgi.query(scope)
    wants_board = "boardId" in query or "projectId" in query
    kind: type[EventStream] = BoardEventStream if wants_board else DashboardEventStream
    await kind(scope, receive, send).run()
