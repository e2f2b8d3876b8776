"""What a client of `/api/ws` hears: what is its own without asking, and projects it subscribes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apps.accounts.outputs import user_topic
from apps.agents.live import access
from apps.agents.live.messages import API
from apps.agents.live.messages.api import EVERYBODY, GONE_BOARD, GONE_PROJECT, NEW_BOARD, OWN
from apps.boards import queries as board_queries
from apps.boards.outputs import board_topic
from apps.core import ids
from apps.core.live.bundles import Bundle
from apps.core.live.frames import DATA, Message, Origin
from apps.core.live.sinks import ACCESS_ENDED
from apps.core.live.sockets import now
from apps.core.logs.live import KIND as LOG_KIND
from apps.core.logs.live import Following
from apps.projects.outputs import topic as project_topic

if TYPE_CHECKING:
    from collections.abc import Callable

    from apps.accounts.credentials import Credentials
    from apps.core.live.events import Event
    from apps.core.live.frames import Frame
    from apps.core.live.guards import Ends
    from apps.core.live.hub import Hub
    from apps.core.live.sinks import Ending, Sink
    from apps.core.logs.entries import Shown
    from apps.projects.models import Project

SERVER_TOPIC = "server"


class Permit:
    """A subscription's right to go on: without it the subscription ends, not the connection."""

    def __init__(self, claim: access.Claim, lost: Callable[[], None]) -> None:
        self.claim = claim
        self._lost = lost

    @property
    def sink(self) -> Ends:
        """The permit itself takes the ending."""
        return self

    def end(self, ending: Ending) -> None:
        """This will end the subscription; bad credentials end the whole connection elsewhere."""
        if ending.code == ACCESS_ENDED:
            self._lost()


class Own(Bundle):
    """What somebody hears without a subscription."""

    def __init__(self, *, hub: Hub, sink: Sink, credentials: Credentials) -> None:
        super().__init__(hub=hub, sink=sink, channel=API)
        self.first = [user_topic(credentials.user), SERVER_TOPIC]

    def wants(self, frame: Frame) -> bool:
        """True for what is the person's own, and for news of the server."""
        return frame.only in {OWN, EVERYBODY}

    async def begun(self, lost: str) -> None:
        """This will say only what cannot be sent."""
        if lost:
            message = Message("resync", {"reason": lost})
            await self.sink.send([DATA.frame(message, Origin(at=now()))])


class LogSubscription:
    """The lines of the server's log as they come, for one who runs the server."""

    def __init__(
        self,
        *,
        hub: Hub,
        sink: Sink,
        credentials: Credentials,
        level: str,
        ended: Callable[[], None],
    ) -> None:
        self.hub = hub
        self.sink = sink
        self.permit = Permit(access.Claim.of(credentials, of_admins=True), ended)
        self._following = Following(hub, self._tell, level=level)

    async def start(self) -> None:
        """This will send every line from now on; Unavailable without the channel layer."""
        self.hub.guards.add(self.permit, access.inspect)
        await self._following.start()

    def end(self) -> None:
        """This will send no more lines."""
        self.hub.guards.remove(self.permit, access.inspect)
        self._following.stop()

    def _tell(self, entries: list[Shown]) -> None:
        for message in API.messages(LOG_KIND, {"entries": entries}):
            self.sink.push(DATA.frame(message))


class ProjectSubscription(Bundle):
    """A project and its boards, those made later too."""

    def __init__(
        self,
        *,
        hub: Hub,
        sink: Sink,
        credentials: Credentials,
        project: Project,
        ended: Callable[[str, str], None],
    ) -> None:
        super().__init__(hub=hub, sink=sink, channel=API)
        self.project_id = project.public_id
        self.project = project
        self._ended = ended
        claim = access.Claim.of(credentials, project=project)
        self.permit = Permit(claim, lambda: self._ended(self.project_id, "access_ended"))

    async def start(self, since: str | None) -> None:
        """This will send what was missed since a place, if one is given, and all that happens."""
        self.hub.guards.add(self.permit, access.inspect)
        await self.begin([project_topic(self.project.pk)], since)

    def end(self) -> None:
        """This will hear nothing any more."""
        self.hub.guards.remove(self.permit, access.inspect)
        super().end()

    def topics(self) -> list[str]:
        """This will list the topics of the project's boards."""
        return [board_topic(board.pk) for board in board_queries.boards_of(self.project)]

    def wants(self, frame: Frame) -> bool:
        """True for what everybody in the project hears."""
        return not frame.only

    async def begun(self, lost: str) -> None:
        """This will answer the subscription; before it, that the client must start over."""
        said = [Message("subscribed", {"projectId": self.project_id, "version": self.place})]
        if lost:
            said.insert(0, Message("resync", {"projectId": self.project_id, "reason": lost}))
        await self.sink.send([DATA.frame(message, Origin(at=now())) for message in said])

    def told(self, event: Event) -> None:
        """This will follow boards that come and go, and end with the project."""
        if event.kind == NEW_BOARD:
            self.hub.spawn(self.follow(ids.topic("board", event.data["id"])))
        elif event.kind == GONE_BOARD:
            self.leave(ids.topic("board", event.data["id"]))
        elif event.kind == GONE_PROJECT:
            self._ended(self.project_id, "project_deleted")
