"""One client for each channel, all alike to a test: a board, an overview, projects; two transports.

They run in this process, so that a test may hold a hub, a query or a clock still.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from apps.accounts.models import User
from apps.agents.live.api_socket import ApiSocket
from apps.agents.live.socket import BoardSocket
from apps.boards.models import Board
from apps.dashboard.live import sse
from apps.dashboard.live.socket import DashboardSocket
from tests.live import Connection, bearer


class Stream(Connection):
    """A stream of server-sent events, read as a socket's messages are."""

    def __init__(self, application: Any, path: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(application, path, headers)
        self.scope |= {"type": "http", "method": "GET"}
        self.status = 0
        self.last_id = ""
        self._buffer = ""
        self._ready: list[dict[str, Any]] = []

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.received.put_nowait({"type": "http.disconnect"})
        await super().__aexit__(kind, error, trace)

    async def next(self, patience: float = 30.0) -> dict[str, Any]:
        """The next event, as `{type, payload, id}`."""
        while not self._ready:
            message = await self.raw(patience)
            if message["type"] == "http.response.start":
                self.status = message["status"]
                continue
            if not message.get("more_body"):
                raise EOFError
            self._buffer += message["body"].decode()
            *whole, self._buffer = self._buffer.split("\n\n")
            self._ready += [found for text in whole if (found := _event(text))]
        found = self._ready.pop(0)
        self.last_id = found["id"] or self.last_id
        return found

    async def closing(self, patience: float = 30.0) -> tuple[int, str]:
        """A stream has no code: it ends."""
        while True:
            message = await self.raw(patience)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                return 0, ""


def _event(text: str) -> dict[str, Any] | None:
    fields = dict(line.partition(": ")[::2] for line in text.split("\n"))
    if "event" not in fields:
        return None
    payload = json.loads(fields["data"])
    return {"type": fields["event"], "payload": payload, "id": fields.get("id", "")}


@dataclass(frozen=True)
class Kind:
    """One channel on one transport: how it is opened, and what says that it is up to date."""

    name: str
    application: Any
    path: str
    ready: str
    make: Callable[..., Connection] = Connection

    def open(
        self, board: Board, user: User | None = None, query: str = "", **headers: str
    ) -> Connection:
        """A client that is not connected yet."""
        path = self.path.format(board=board.public_id)
        signed = bearer(user) if user is not None else {}
        return self.make(self.application, f"{path}&{query}", {**signed, **headers})

    async def begin(self, client: Connection, board: Board, since: str = "") -> dict[str, Any]:
        """Up to date: the last message of the beginning."""
        if self.name == "projects":
            place = {"since": since} if since else {}
            await client.say("subscribe", {"projectId": board.project.public_id, **place})
        return (await client.until(self.ready))[-1]

    @property
    def is_of_board(self) -> bool:
        """True for those that show a board's changes one by one."""
        return self.name in {"board", "stream"}


BOARD = Kind("board", BoardSocket.application, "/api/v1/ws?boardId={board}&changes=delta", "state")
STREAM = Kind(
    "stream", sse.application, "/api/v1/sse?boardId={board}&changes=delta", "state", Stream
)
DASHBOARD = Kind(
    "dashboard", DashboardSocket.application, "/api/v1/ws/dashboard?", "dashboard_overview"
)
OVERVIEW = Kind("overview", sse.application, "/api/v1/sse?", "dashboard_overview", Stream)
PROJECTS = Kind("projects", ApiSocket.application, "/api/ws?", "subscribed")
KINDS = (BOARD, STREAM, DASHBOARD, OVERVIEW, PROJECTS)
