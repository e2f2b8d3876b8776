"""The board WebSocket: hears a board, and takes commands."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from apps.agents.live import access, commands, presence
from apps.agents.live.stream import BoardStream, Options
from apps.agents.models import Attempt
from apps.core import ids, problems
from apps.core.live import work
from apps.core.live.frames import Message
from apps.core.live.sinks import Closed
from apps.core.live.sockets import Socket, now

if TYPE_CHECKING:
    from uuid import UUID

    from apps.accounts.credentials import Credentials
    from apps.boards.models import Board

QUIET = frozenset({"pong"})
PRESENCE = frozenset({"view", "unview", "typing"})


class BoardSocket(Socket):
    """One client of `/api/v1/ws?boardId=`."""

    credentials: Credentials
    board: Board
    stream: BoardStream | None = None
    worker: asyncio.Task[None] | None = None
    claim: access.Claim

    def refusal(self) -> problems.Problem | None:
        """A board must be named, and the options must be known."""
        if not (self.query.get("boardId") or self.query.get("projectId")):
            return problems.ValidationFailed.of("boardId", "Say which board.", "required")
        try:
            self.options = Options.of(self.query)
        except problems.Problem as problem:
            return problem
        return None

    async def open(self) -> None:
        """This will say hello, then bring the client up to date."""
        self.allowance = commands.Allowance()
        self.answers = commands.Answers()
        self.waiting: deque[dict[str, Any]] = deque()
        self.credentials, self.board = await work.run(access.enter_board, self.scope, self.query)
        self.claim = access.Claim.of(self.credentials, self.board)
        self.hub.guards.add(self, access.inspect)
        await self.say(Message("hello", {"serverTime": now()}))
        self.stream = BoardStream(
            hub=self.hub,
            sink=self.sink,
            board=self.board,
            envelope=self.envelope,
            options=self.options,
        )
        await self.stream.begin(self.query.get("since"))

    def over(self) -> None:
        """This will stop listening."""
        self.hub.guards.remove(self, access.inspect)
        if self.worker is not None:
            self.worker.cancel()
        if self.stream is not None:
            presence.look_away(self.hub, self.board, self)
        if self.stream is not None:
            self.stream.end()

    async def unreadable(self) -> None:
        """This will say what a frame must be."""
        detail = "A frame is a JSON object with a type and a payload."
        await self._fail(problems.ValidationFailed(detail), None)

    async def heard(self, message: dict[str, Any]) -> None:
        """This will take one command in, and refuse it at once when there are too many."""
        name = message["type"]
        if name in QUIET:
            return
        if name == "ping":
            await self.say(Message("pong", {"ts": now()}))
            return
        if not self.allowance.take() or len(self.waiting) >= commands.MOST_WAITING:
            detail = f"At most {commands.A_SECOND:.0f} commands a second. Send it again."
            command_id = message.get("id")
            await self._fail(problems.RateLimited(detail), command_id)
            return
        self.waiting.append(message)
        if self.worker is None or self.worker.done():
            self.worker = asyncio.ensure_future(self._work())

    async def _work(self) -> None:
        """Executes what waits, one command after the other."""
        while self.waiting:
            try:
                await self._answer(self.waiting.popleft())
            except Closed:
                return

    async def _answer(self, message: dict[str, Any]) -> None:
        name = message["type"]
        command_id = None
        try:
            command_id = commands.id_of(message)
            given = self.answers.find(command_id)
            if given is None:
                payload = await self._run(name, message, command_id)
                given = ("ack", payload)
                self.answers.keep(command_id, *given)
            await self.say(Message(*given))
        except Closed:
            raise
        except Exception as error:  # noqa: BLE001 - every failure is answered; unknown ones are logged
            await self._fail(error, command_id)

    async def _run(
        self, name: str, message: dict[str, Any], command_id: str | int | None
    ) -> dict[str, Any]:
        payload = message.get("payload", {})
        if name == "get_state":
            await self._stream.send_state()
            version, result = self._stream.version, {}
        elif name == "watch":
            version, result = self._stream.version, await self._watch(payload)
        elif name == "unwatch":
            self._stream.unwatch(_text(payload, "attemptId"))
            version, result = self._stream.version, {}
        elif name in PRESENCE:
            version, result = self._stream.version, await self._be_seen(name, payload)
        elif name in commands.NAMES:
            if not self.credentials.may_write:
                detail = "This token may only read."
                raise problems.Forbidden(detail)
            version, result = await work.act(
                self._command,
                name,
                payload,
                commands.version_of(message),
            )
        else:
            raise problems.ValidationFailed.of("type", "No such command.", "unknown")
        return {"id": command_id, "version": version, "result": result}

    def _command(self, name: str, payload: object, expected_version: int | None) -> commands.Result:
        actor = access.actor_of(self.credentials)
        return commands.run(actor, self.board, name, payload, expected_version)

    @property
    def _stream(self) -> BoardStream:
        if self.stream is None:
            raise Closed
        return self.stream

    async def _watch(self, payload: object) -> dict[str, Any]:
        public_id = _text(payload, "attemptId")
        since = payload.get("sinceSeq", 0) if isinstance(payload, dict) else 0
        if isinstance(since, bool) or not isinstance(since, int) or since < 0:
            raise problems.ValidationFailed.of("sinceSeq", "Not a sequence number.")
        attempt_id = ids.decode("sess", public_id)
        if not await work.run(self._has, attempt_id):
            detail = "Attempt not found."
            raise problems.NotFound(detail)
        seq = await self._stream.watch(attempt_id, public_id, since)
        return {"attemptId": public_id, "lastSeq": seq}

    async def _be_seen(self, name: str, payload: object) -> dict[str, Any]:
        """Where the person is, for the others on the board; from `view` on, it hears of them."""
        facts = payload if isinstance(payload, dict) else {}
        if name == "view":
            card_id = facts.get("cardId")
            if card_id is not None:
                await work.run(self._require_card, _text(facts, "cardId"))
            user = self.credentials.user
            await presence.look(self.hub, self.board, self, user=user, card_id=card_id)
        elif name == "unview":
            presence.look_away(self.hub, self.board, self)
        elif not presence.types(
            self.hub, self.board, self, typing=facts.get("typing", True) is True
        ):
            detail = "Say first what you view."
            raise problems.Conflict(detail)
        return {}

    def _require_card(self, public_id: str) -> None:
        card_id = ids.decode("card", public_id)
        if not self.board.cards.filter(pk=card_id).exists():
            detail = "Card not found."
            raise problems.NotFound(detail)

    def _has(self, attempt_id: UUID) -> bool:
        return Attempt.objects.filter(pk=attempt_id, board=self.board).exists()

    async def _fail(self, error: Exception, command_id: Any) -> None:
        payload = commands.error_payload(error, command_id)
        if payload["code"] != "RATE_LIMITED":
            self.answers.keep(command_id, "error", payload)
        await self.say(Message("error", payload))


def _text(payload: object, name: str) -> str:
    value = payload.get(name) if isinstance(payload, dict) else None
    if not isinstance(value, str):
        raise problems.ValidationFailed.of(name, "This field is required.", "required")
    return value
