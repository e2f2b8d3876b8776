"""A project's scripts: run in the worktree like the agent itself, confined, timed, stoppable."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from apps.agents import processes
from apps.agents.adapters.acp import process as agent_process
from apps.agents.adapters.failures import AdapterError
from apps.agents.operations.records import ItemDraft
from apps.core.moments import moment

if TYPE_CHECKING:
    from datetime import datetime

    from apps.agents.adapters.base import SessionSpec
    from apps.agents.runner.lease import Lease

KEPT_CHARACTERS = 32_768
STAGE_VARIABLE = "KANBANAI_AUTOMATION_STAGE"
_READ = 65_536
_TERMINATE_SECONDS = 2.0
_DRAIN_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a script ended; no exit code when it did not start or was ended by us."""

    exit_code: int | None
    stdout: str = ""
    stderr: str = ""
    error: str = ""

    @property
    def succeeded(self) -> bool:
        """True when it ended by itself and said that all went well."""
        return self.exit_code == 0


class _Tail:
    """The end of a stream, read whatever comes."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._kept = b""
        self.task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        while data := await self._reader.read(_READ):
            self._kept = (self._kept + data)[-4 * KEPT_CHARACTERS :]

    @property
    def text(self) -> str:
        return self._kept.decode(errors="replace")[-KEPT_CHARACTERS:]


async def run(spec: SessionSpec, lease: Lease, *, stage: str, script: str, seconds: float) -> Ended:
    """This will run a script to its end, its time limit, or until the work has to end."""
    shell = shutil.which("bash") or "/bin/sh"
    spec = dataclasses.replace(
        spec, readonly=False, env={**spec.env, STAGE_VARIABLE: stage, "SHELL": shell}
    )
    try:
        process = await agent_process.start(spec, (shell, "-lc", script))
    except AdapterError as error:
        return Ended(exit_code=None, error=error.detail)
    if process.stdin is not None:
        process.stdin.close()
    assert process.stdout is not None  # noqa: S101 - both were asked for
    assert process.stderr is not None  # noqa: S101
    out, err = _Tail(process.stdout), _Tail(process.stderr)
    why = ""
    try:
        why = await _watch(process, lease, seconds)
    finally:
        await processes.stop(
            process,
            attempt_id=spec.attempt_id,
            eof=0,
            terminate=_TERMINATE_SECONDS,
            force=lease.word == "lost",
        )
        await asyncio.wait({out.task, err.task}, timeout=_DRAIN_SECONDS)
        for tail in (out, err):
            tail.task.cancel()
    code = None if why else process.returncode
    return Ended(exit_code=code, stdout=out.text, stderr=err.text, error=why)


async def _watch(process: asyncio.subprocess.Process, lease: Lease, seconds: float) -> str:
    """Wait for the exit, the limit or a halt; why we ended it, empty when it ended itself."""
    ending = asyncio.create_task(processes.wait(process, timeout=seconds))
    halting = asyncio.create_task(lease.halted.wait())
    try:
        await asyncio.wait({ending, halting}, return_when=asyncio.FIRST_COMPLETED)
        if ending.done():
            return "" if ending.result() else f"It took longer than {seconds:g} seconds."
        return "It was stopped."
    finally:
        for task in (ending, halting):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def item(
    *,
    turn: int,
    stage: str,
    source_id: str,
    command: str,
    cwd: str,
    started_at: datetime,
    ended: Ended | None = None,
    allowed: bool = False,
    draft: ItemDraft | None = None,
) -> ItemDraft:
    """This will be the `automation` item of a stage: running until `ended` is given."""
    data: dict[str, Any] = {
        "timestamp": moment(started_at),
        "stage": stage,
        "command": command,
        "cwd": cwd,
        "status": "running",
        "startedAt": moment(started_at),
        "completedAt": None,
        "durationMs": None,
        "exitCode": None,
    }
    if ended is not None:
        now = timezone.now()
        data |= {
            "status": "succeeded" if ended.succeeded else "failed",
            "completedAt": moment(now),
            "durationMs": round((now - started_at).total_seconds() * 1000),
            "exitCode": ended.exit_code,
        }
        data |= {"stdout": ended.stdout} if ended.stdout else {}
        data |= {"stderr": ended.stderr} if ended.stderr else {}
        data |= {"metadata": {"error": ended.error}} if ended.error else {}
        data |= {"allowedFailure": True} if allowed and not ended.succeeded else {}
    if draft is None:
        return ItemDraft(source_id=source_id, type="automation", turn=turn, data=data)
    draft.data = data
    return draft
