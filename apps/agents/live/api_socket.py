"""The WebSocket of projects, `/api/ws`: subscribe to projects, hear all that happens in them."""

from __future__ import annotations

from types import NoneType
from typing import TYPE_CHECKING, Any

from apps.agents.live import access, commands
from apps.agents.live.subscriptions import LogSubscription, Own, ProjectSubscription
from apps.core import problems
from apps.core.live import frames, work
from apps.core.live.frames import Message, Origin
from apps.core.live.sinks import Closed
from apps.core.live.sockets import Socket, now
from apps.core.logs.entries import LEVELS
from apps.core.rest import problem_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from apps.accounts.credentials import Credentials

    Action = Callable[["ApiSocket", dict[str, Any]], Awaitable[None]]

# Each is a topic and some boards; who follows more opens another connection.
MOST_PROJECTS = 200
# Who comes back may ask for all of them at once, and let go of them.
BURST = 2 * MOST_PROJECTS
LOG_CHANNEL = "logs"
NO_PLACE = "Give back a version, or the meta of a list, as it came."


class ApiSocket(Socket):
    """One client of `/api/ws`."""

    envelope = frames.DATA
    credentials: Credentials
    claim: access.Claim
    own: Own | None = None
    log: LogSubscription | None = None

    async def open(self) -> None:
        """This will let somebody in; what was missed of the person's own comes with `since`."""
        self.projects: dict[str, ProjectSubscription] = {}
        self.allowance = commands.Allowance(BURST)
        self.credentials = await work.run(access.enter, self.scope)
        self.claim = access.Claim.of(self.credentials)
        self.hub.guards.add(self, access.inspect)
        self.own = Own(hub=self.hub, sink=self.sink, credentials=self.credentials)
        await self.own.begin(self.own.first, self.query.get("since"))

    def over(self) -> None:
        """This will stop listening."""
        self.hub.guards.remove(self, access.inspect)
        self._forget_log()
        if self.own is not None:
            self.own.end()
        for subscription in getattr(self, "projects", {}).values():
            subscription.end()

    async def unreadable(self) -> None:
        """This will say what a frame must be."""
        await self._fail(problems.ValidationFailed("A frame is a JSON object with a type."))

    async def heard(self, message: dict[str, Any]) -> None:
        """This will do what a client asks; a refusal is answered and ends nothing."""
        act = ACTIONS.get(message["type"], ApiSocket.unknown)
        payload = message.get("payload")
        try:
            self._allow(act)
            await act(self, payload if isinstance(payload, dict) else {})
        except Closed:
            raise
        except Exception as error:  # noqa: BLE001 - every failure is answered; unknown ones are logged
            await self._fail(problem_of(error))

    def _allow(self, act: Action) -> None:
        if act not in SIGNS_OF_LIFE and not self.allowance.take():
            detail = f"At most {commands.A_SECOND:.0f} messages a second. Send it again."
            raise problems.RateLimited(detail)

    async def _fail(self, problem: problems.Problem) -> None:
        payload = {"code": problem.code, "message": problem.detail}
        await self.say(Message("error", payload))

    # --- what clients ask for --------------------------------------------------------------------

    async def ping(self, _payload: dict[str, Any]) -> None:
        """This will answer a sign of life."""
        await self.say(Message("pong", {"ts": now()}))

    async def unknown(self, _payload: dict[str, Any]) -> None:
        """This will refuse what nobody understands."""
        detail = "No such message. Send subscribe, unsubscribe or ping."
        raise problems.ValidationFailed(detail)

    async def pong(self, _payload: dict[str, Any]) -> None:
        """This will take a sign of life."""

    async def subscribe(self, payload: dict[str, Any]) -> None:
        """This will let a client hear a project, or the server's log."""
        if payload.get("channel") == LOG_CHANNEL:
            await self._subscribe_log(payload)
            return
        since = _since(payload)
        project = await work.run(access.find_project, self.credentials, _project_id(payload))
        known = self.projects.get(project.public_id)
        if known is not None and since is None:
            await known.begun("")
            return
        if known is not None:
            self._forget(project.public_id)
        if len(self.projects) >= MOST_PROJECTS:
            detail = f"At most {MOST_PROJECTS} projects on one connection. Open another one."
            raise problems.Conflict(detail)
        subscription = self.projects[project.public_id] = ProjectSubscription(
            hub=self.hub,
            sink=self.sink,
            credentials=self.credentials,
            project=project,
            ended=self._narrow,
        )
        try:
            await subscription.start(since)
        except BaseException:
            self._forget(project.public_id)
            raise

    async def unsubscribe(self, payload: dict[str, Any]) -> None:
        """This will let a client hear a project, or the log, no more; twice is once."""
        if payload.get("channel") == LOG_CHANNEL:
            self._forget_log()
            await self.say(Message("unsubscribed", {"channel": LOG_CHANNEL}))
            return
        project_id = str(_project_id(payload))
        self._forget(project_id)
        await self.say(Message("unsubscribed", {"projectId": project_id}))

    async def _subscribe_log(self, payload: dict[str, Any]) -> None:
        level = payload.get("level", "info")
        if not isinstance(level, str) or level not in LEVELS:
            detail = f"Choose one of {', '.join(LEVELS)}."
            raise problems.ValidationFailed.of("level", detail, "unknown")
        await work.run(access.require_admin, self.credentials)
        self._forget_log()
        self.log = LogSubscription(
            hub=self.hub,
            sink=self.sink,
            credentials=self.credentials,
            level=level,
            ended=self._lose_log,
        )
        try:
            await self.log.start()
        except BaseException:
            self._forget_log()
            raise
        await self.say(Message("subscribed", {"channel": LOG_CHANNEL}))

    # --- what ends by itself ---------------------------------------------------------------------

    def _narrow(self, project_id: str, reason: str) -> None:
        """A subscription ended although nobody asked; the connection stays."""
        if project_id in self.projects:
            self._forget(project_id)
            payload = {"projectId": project_id, "reason": reason}
            self._tell(Message("unsubscribed", payload))

    def _tell(self, message: Message) -> None:
        self.sink.push(self.envelope.frame(message, Origin(at=now())))

    def _lose_log(self) -> None:
        self._forget_log()
        payload = {"channel": LOG_CHANNEL, "reason": "access_ended"}
        self._tell(Message("unsubscribed", payload))

    def _forget(self, project_id: str) -> None:
        subscription = self.projects.pop(project_id, None)
        if subscription is not None:
            subscription.end()

    def _forget_log(self) -> None:
        if self.log is not None:
            self.log.end()
            self.log = None


ACTIONS: dict[str, Action] = {
    "subscribe": ApiSocket.subscribe,
    "unsubscribe": ApiSocket.unsubscribe,
    "ping": ApiSocket.ping,
    "pong": ApiSocket.pong,
}
SIGNS_OF_LIFE = frozenset({ApiSocket.ping, ApiSocket.pong})


def _project_id(payload: dict[str, Any]) -> str | int:
    found = payload.get("projectId")
    if isinstance(found, bool) or not isinstance(found, (str, int)):
        raise problems.ValidationFailed.of("projectId", "Say which project.", "required")
    return found


def _since(payload: dict[str, Any]) -> str | None:
    """The place to go on from: a version as it came, or the `meta` of a list of the project."""
    found = payload.get("since")
    if isinstance(found, dict):
        versions = found.get("versions")
        places = dict(versions) if isinstance(versions, dict) else {}
        places[str(payload.get("projectId"))] = found.get("version")
        if not all(_is_version(version) for version in places.values()):
            raise problems.ValidationFailed.of("since", NO_PLACE)
        return ",".join(f"{name}:{version}" for name, version in places.items() if version)
    if isinstance(found, bool) or not isinstance(found, (str, int, NoneType)):
        raise problems.ValidationFailed.of("since", NO_PLACE)
    return None if found is None else str(found)


def _is_version(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
