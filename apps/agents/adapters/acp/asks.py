"""What an agent asks of its client: permissions, questions, and to write a file."""

import asyncio
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from acp import RequestError

from apps.agents.adapters import base, events
from apps.agents.adapters.acp import files
from apps.agents.adapters.acp.mapper import Mapper

_PERMISSION = "session/request_permission"
_QUESTION = "elicitation/create"
_WRITE = "fs/write_text_file"


class Line(Protocol):
    """The part of a link that asking needs."""

    spec: base.SessionSpec
    mapper: Mapper

    def touch(self) -> None:
        """This will count as a sign of life."""

    async def put(self, job: Callable[[], Sequence[events.Event]]) -> None:
        """This will have a job's events told in order."""

    async def notify(self, method: str, params: Any) -> None:
        """This will send a notification."""


class Asks:
    """Requests under way. After `cancel` all of them, and all to come, are cancelled."""

    def __init__(self, line: Line, sink: base.Sink) -> None:
        self._line = line
        self._sink = sink
        self._tasks: set[asyncio.Task[base.Decision]] = set()
        self._cancelled = False

    @property
    def pending(self) -> bool:
        """This will be true while somebody is asked."""
        return bool(self._tasks)

    async def handle(self, method: str, params: Any, is_notification: bool) -> Any:  # noqa: FBT001
        """This will answer one request of the agent; the SDK calls it.

        Raises:
            RequestError: for everything a client need not offer.
        """
        if is_notification:
            return None
        self._line.touch()
        params = params if isinstance(params, dict) else {}
        if method == _PERMISSION:
            return await self._permission(params)
        if method == _QUESTION:
            return await self._question(params)
        if method == _WRITE:
            return self._write(params)
        raise RequestError.method_not_found(method)

    async def cancel(self) -> None:
        """This will cancel what is pending."""
        self._cancelled = True
        for task in self._tasks:
            task.cancel()

    async def _permission(self, params: dict[str, Any]) -> dict[str, Any]:
        request = await self._announce(lambda: self._line.mapper.permission(params))
        decision = await self._decide(request)
        offered = {option.id for option in request.options}
        if decision.outcome == "selected" and decision.option_id in offered:
            return {"outcome": {"outcome": "selected", "optionId": decision.option_id}}
        return {"outcome": {"outcome": "cancelled"}}

    async def _question(self, params: dict[str, Any]) -> dict[str, Any]:
        request = await self._announce(lambda: ([], self._line.mapper.question(params)))
        decision = await self._decide(request)
        if decision.outcome == "answered":
            return {"action": "accept", "content": dict(decision.answer or {})}
        return {"action": "decline" if decision.outcome == "declined" else "cancel"}

    def _write(self, params: dict[str, Any]) -> dict[str, Any]:
        path, text = params.get("path"), params.get("content")
        if not isinstance(path, str) or not isinstance(text, str):
            raise RequestError.invalid_params({"details": "path and content are needed"})
        if self._line.spec.readonly:
            raise RequestError.invalid_params({"details": "nothing is written while planning"})
        try:
            files.write_text(self._line.spec.cwd, path, text)
        except files.Refused as error:
            raise RequestError.invalid_params({"details": str(error)}) from error
        return {}

    async def _announce(
        self, read: Callable[[], tuple[list[events.Event], events.Request]]
    ) -> events.Request:
        """Have the mapper read a request in its place among the updates, and wait for that."""
        found: asyncio.Future[events.Request] = asyncio.get_running_loop().create_future()
        kept: list[events.Request] = []

        def first() -> Sequence[events.Event]:
            told, request = read()
            kept.append(request)
            return told

        def second() -> Sequence[events.Event]:
            if not found.done() and kept:
                found.set_result(kept[0])
            return []

        await self._line.put(first)
        await self._line.put(second)
        request = await found
        return dataclasses.replace(
            request, attempt_id=self._line.spec.attempt_id, turn=self._line.mapper.turn
        )

    async def _decide(self, request: events.Request) -> base.Decision:
        decision = await self._ask(request)
        self._line.touch()
        resolved = dataclasses.replace(
            request,
            state="resolved",
            outcome=decision.outcome,
            option_id=decision.option_id,
            answer=decision.answer,
        )
        await self._line.put(lambda: self._line.mapper.resolved(resolved))
        if decision.end_turn:
            # The agent is told before it is answered, as the protocol wants it.
            await self._line.notify("session/cancel", {"sessionId": self._line.mapper.session_id})
        return decision

    async def _ask(self, request: events.Request) -> base.Decision:
        nothing = base.Decision(outcome="cancelled")
        if self._cancelled:
            return nothing
        task = asyncio.create_task(self._ask_sink(request), name="agent asks")
        self._tasks.add(task)
        try:
            await asyncio.wait({task})
            return nothing if task.cancelled() else task.result()
        finally:
            self._tasks.discard(task)
            task.cancel()

    async def _ask_sink(self, request: events.Request) -> base.Decision:
        return await self._sink.ask(request)
