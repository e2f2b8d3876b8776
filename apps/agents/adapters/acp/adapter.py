"""Agents that speak the Agent Client Protocol over the pipes of a process of ours."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from acp import RequestError

from apps.agents.adapters import base, events, failures
from apps.agents.adapters.acp import errors, sessions
from apps.agents.adapters.acp.link import Link
from apps.agents.adapters.failures import AdapterError, Cancelled

_STOP_REASONS: dict[str, base.StopReason] = {
    "end_turn": "end_turn",
    "cancelled": "cancelled",
    "refusal": "refusal",
    "max_tokens": "max_tokens",
    "max_turn_requests": "max_turns",
}
_TICK = 1.0


class AcpAdapter(base.AgentAdapter):
    """One agent process, one session, turns one after the other."""

    def __init__(self, sink: base.Sink) -> None:
        super().__init__(sink)
        self._link: Link | None = None
        self._spec: base.SessionSpec | None = None
        self._session_id = ""
        self._first_note = ""
        self._turn = 0
        self._cancelled = asyncio.Event()
        self._working = False
        self._closed = False

    async def open(self, spec: base.SessionSpec) -> base.SessionInfo:
        """This will start the agent and resume, load or make its session.

        Raises:
            AdapterError: with a failure of the closed list; nothing is left running.
            Cancelled: when `cancel` was called meanwhile.
        """
        self._spec = spec
        self._turn = spec.turn
        self._link = link = Link(spec, self.sink)
        opening = asyncio.create_task(self._open(link, spec), name="agent opening")
        try:
            await self._race(opening, link)
            return await opening
        except (Exception, asyncio.CancelledError):
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)
            await self.close(force=True)
            raise

    async def _race(self, opening: "asyncio.Task[base.SessionInfo]", link: Link) -> None:
        """Wait for the opening, a cancel, or something that makes it pointless."""
        assert self._spec is not None  # noqa: S101
        limit = self._spec.limits.start
        cancel = asyncio.create_task(self._cancelled.wait())
        trouble = asyncio.create_task(link.trouble.wait())
        try:
            await asyncio.wait(
                {opening, cancel, trouble}, timeout=limit, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            cancel.cancel()
            trouble.cancel()
        if self._cancelled.is_set():
            raise Cancelled
        if link.error is not None:
            raise link.error
        if opening.done():
            return
        if link.noise:
            raise AdapterError(
                "agent_protocol_error",
                f"The agent does not speak the protocol. It printed: {link.noise[-1][:500]}",
            )
        raise AdapterError("timed_out", f"The agent did not answer within {limit:g} seconds")

    async def _open(self, link: Link, spec: base.SessionSpec) -> base.SessionInfo:
        await link.emit(events.Status(state="starting"))
        await link.start()
        try:
            info = await sessions.open_session(link, spec)
        except RequestError as error:
            raise errors.from_answer(error) from error
        except ConnectionError as error:
            raise await link.exit_error() from error
        self._session_id = info.session_id
        self._first_note = spec.system_note if info.how == "new" else ""
        self.capabilities = info.caps
        await link.flush()
        return info

    async def prompt(self, blocks: Sequence[base.Block] | str) -> base.TurnResult:
        """This will run one turn; failures are in the result, errors of the sink are raised."""
        link, spec = self._opened()
        self._turn += 1
        link.begin_turn(self._turn)
        if self._cancelled.is_set():
            return link.result("cancelled")
        await link.emit(events.Status(state="working"))
        params = {
            "sessionId": self._session_id,
            "prompt": sessions.blocks(blocks, note=self._first_note),
        }
        self._first_note = ""
        self._working = True
        request = asyncio.create_task(link.request("session/prompt", params), name="agent turn")
        try:
            result = await self._watch(request, link, spec.limits)
        except BaseException:
            request.cancel()
            await asyncio.gather(request, return_exceptions=True)
            raise
        finally:
            self._working = False
        await link.emit(events.Status(state="idle", detail=result.stop_reason))
        return result

    async def _watch(
        self, request: "asyncio.Task[Any]", link: Link, limits: base.Limits
    ) -> base.TurnResult:
        """Wait for the end of a turn within its limits; clocks stand still while people decide."""
        used, before = 0.0, time.monotonic()
        link.touch()
        while not request.done():
            patience = max(0.01, min(_TICK, limits.turn - used, limits.idle - link.quiet()))
            waits = [asyncio.create_task(event.wait()) for event in (self._cancelled, link.trouble)]
            try:
                await asyncio.wait(
                    {request, *waits}, timeout=patience, return_when=asyncio.FIRST_COMPLETED
                )
            finally:
                for wait in waits:
                    wait.cancel()
            now = time.monotonic()
            if link.asking:
                link.touch()
            else:
                used += now - before
            before = now
            if request.done():
                break
            if self._cancelled.is_set():
                return await self._give_up(request, link, limits, None)
            if link.error is not None:
                return await self._give_up(request, link, limits, link.error)
            if used >= limits.turn:
                error = AdapterError(
                    "timed_out", f"The turn took longer than {limits.turn:g} seconds"
                )
                return await self._give_up(request, link, limits, error)
            if link.quiet() >= limits.idle:
                error = AdapterError(
                    "stalled", f"Nothing was heard of the agent for {limits.idle:g} seconds"
                )
                return await self._give_up(request, link, limits, error)
        return await self._finish(request, link, error=None)

    async def _give_up(
        self,
        request: "asyncio.Task[Any]",
        link: Link,
        limits: base.Limits,
        error: Exception | None,
    ) -> base.TurnResult:
        """Ask the agent to stop, and make it when it does not."""
        await link.cancel_asks()
        await link.notify("session/cancel", {"sessionId": self._session_id})
        await asyncio.wait({request}, timeout=limits.cancel)
        if not request.done():
            await link.stop(force=False)
            await asyncio.wait({request}, timeout=limits.cancel)
            request.cancel()
        return await self._finish(request, link, error=error)

    async def _finish(
        self, request: "asyncio.Task[Any]", link: Link, *, error: Exception | None
    ) -> base.TurnResult:
        cancelled = self._cancelled.is_set()
        answer: Any = (await asyncio.gather(request, return_exceptions=True))[0]
        await link.end_turn(cancelled=cancelled or error is not None)
        if isinstance(error := error or link.error, AdapterError):
            return link.result("error", failure=error.failure, error=error.detail)
        if error is not None:
            # The sink broke, not the agent: whoever drives us has to know.
            raise error
        if cancelled:
            return link.result("cancelled", answer=answer)
        if isinstance(answer, RequestError):
            failed = errors.from_answer(answer)
            return link.result("error", failure=failed.failure, error=failed.detail)
        if isinstance(answer, ConnectionError):
            failed = await link.exit_error()
            return link.result("lost", failure=failed.failure, error=failed.detail)
        if isinstance(answer, BaseException):
            raise answer
        return _ended(link, answer)

    async def steer(self, text: str) -> bool:  # noqa: ARG002
        """This will be False: the protocol has no message in the middle of a turn."""
        return False

    async def cancel(self) -> None:
        """This will make `open` or `prompt` return soon; the adapter cannot be used after."""
        self._cancelled.set()
        if self._link is not None:
            await self._link.cancel_asks()

    async def set_option(self, key: str, value: str | bool) -> bool:  # noqa: FBT001
        """This will change a setting by id or category; False when the agent knows no such one."""
        link, _ = self._opened()
        try:
            changed = await sessions.set_option(link, self._session_id, key, value)
        except (RequestError, ConnectionError):
            return False
        if changed:
            await link.emit(link.mapper.settings.event())
        return changed

    async def close(self, *, force: bool = False) -> None:
        """This will end the agent: input first, then signals, then whatever carries the marker."""
        if self._link is None or self._closed:
            return
        self._closed = True
        await self._link.close(force=force)

    def _opened(self) -> tuple[Link, base.SessionSpec]:
        if self._link is None or self._spec is None or not self._session_id:
            raise RuntimeError("open the adapter first")
        return self._link, self._spec


def _ended(link: Link, answer: Any) -> base.TurnResult:
    """Judge a turn that ended by itself: ending is not yet succeeding."""
    said = str(answer.get("stopReason")) if isinstance(answer, dict) else ""
    reason = _STOP_REASONS.get(said)
    if reason is None:
        return link.result(
            "error",
            answer=answer,
            failure="agent_protocol_error",
            error=f"The agent ended the turn with the unknown reason {said!r}",
        )
    if reason == "refusal":
        return link.result(reason, answer=answer, failure="refused", error=link.mapper.last_message)
    if reason in {"max_tokens", "max_turns"}:
        return link.result(
            reason, answer=answer, failure="model_error", error=f"The agent stopped: {said}"
        )
    if reason == "cancelled":
        return link.result(reason, answer=answer)
    failure = failures.from_last_message(link.mapper.last_message)
    if failure is not None:
        return link.result("error", answer=answer, failure=failure, error=link.mapper.last_message)
    return link.result(reason, answer=answer)
