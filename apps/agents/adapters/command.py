"""The `command` agent: the prompt is a shell script, run in the worktree like any agent.

Paragraphs of the script become the tool calls of the turn; they run in one shell, so that what
one sets the next one has. The first that fails ends the script, and its exit code is the result.
"""

import asyncio
import codecs
import dataclasses
import itertools
import re
import secrets
import shlex
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from apps.agents import processes
from apps.agents.adapters import base, events, failures
from apps.agents.adapters.acp import process as agent_process
from apps.agents.adapters.acp.tools import Call

_READ = 64 * 1024
_TICK = 0.5
_OPTIONS = (
    events.Option(id="allow", label="Run it", kind="allow_once"),
    events.Option(id="reject", label="Do not run it", kind="reject_once"),
)


class CommandAdapter(base.AgentAdapter):
    """Runs a script for each prompt. The mode `auto` does not ask before."""

    def __init__(self, sink: base.Sink) -> None:
        super().__init__(sink)
        self._spec: base.SessionSpec | None = None
        self._turn = 0
        self._sequence = itertools.count(1)
        self._cancelled = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None

    async def open(self, spec: base.SessionSpec) -> base.SessionInfo:
        """This will note what to run in; the shell starts with the prompt.

        Raises:
            AdapterError: `worktree_failed`.
            Cancelled: when `cancel` was called before.
        """
        if self._cancelled.is_set():
            raise failures.Cancelled
        if not spec.cwd.is_dir():
            raise failures.AdapterError("worktree_failed", "The worktree is not there")
        self._spec = spec
        self._turn = spec.turn
        info = base.SessionInfo(session_id="command", how="new", agent_name="Command")
        await self._tell(events.Session(session_id="command", agent_name="Command"))
        await self._tell(events.Status(state="ready", detail="new"))
        return info

    async def prompt(self, blocks: Sequence[base.Block] | str) -> base.TurnResult:
        """This will run the prompt as a script and judge it by its exit code."""
        spec = self._spec
        if spec is None:
            raise RuntimeError("open the adapter first")
        self._turn += 1
        script = _text(blocks)
        await self._tell(events.Status(state="working"))
        result = await self._allowed(spec, script) or await self._run(spec, script)
        await self._tell(events.Status(state="idle", detail=result.stop_reason))
        return result

    async def cancel(self) -> None:
        """This will end the script."""
        self._cancelled.set()

    async def close(self, *, force: bool = False) -> None:
        """This will end the shell and all it started."""
        if self._process is not None and self._spec is not None:
            await self._stop(self._process, self._spec, force=force)
            self._process = None

    async def _allowed(self, spec: base.SessionSpec, script: str) -> base.TurnResult | None:
        """Ask a person unless the mode says not to; None means: go on."""
        if self._cancelled.is_set():
            return base.TurnResult(stop_reason="cancelled")
        if spec.mode == "auto":
            return None
        request = events.Request(
            id=f"{self._turn}-request-1",
            kind="permission",
            title="Run this script?",
            text=script,
            tool_kind="execute",
            command=script,
            options=_OPTIONS,
            attempt_id=spec.attempt_id,
            turn=self._turn,
        )
        asking = asyncio.create_task(self.sink.ask(request))
        cancel = asyncio.create_task(self._cancelled.wait())
        try:
            await asyncio.wait({asking, cancel}, return_when=asyncio.FIRST_COMPLETED)
            decision = base.Decision(outcome="cancelled") if cancel.done() else await asking
        finally:
            asking.cancel()
            cancel.cancel()
        await self._tell(
            dataclasses.replace(
                request,
                state="resolved",
                outcome=decision.outcome,
                option_id=decision.option_id,
            )
        )
        if decision.outcome != "selected":
            return base.TurnResult(stop_reason="cancelled")
        if decision.option_id != "allow":
            return base.TurnResult(
                stop_reason="refusal", failure="refused", error="The script was not allowed"
            )
        return None

    async def _run(self, spec: base.SessionSpec, script: str) -> base.TurnResult:
        steps = split(script)
        if not steps:
            return base.TurnResult(stop_reason="end_turn", last_message="There is nothing to run.")
        nonce = secrets.token_hex(8)
        shell = shutil.which("bash") or "/bin/sh"
        spec.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = spec.home / f"script-{self._turn}.sh"
        path.write_text(_driver(steps, nonce), encoding="utf-8")
        try:
            self._process = await agent_process.start(
                spec, (shell, str(path)), stderr_to_stdout=True
            )
        except failures.AdapterError as error:
            return base.TurnResult(stop_reason="error", failure=error.failure, error=error.detail)
        screen = _Screen(steps, nonce, turn=self._turn, worktree=spec.cwd)
        try:
            trouble = await self._watch(self._process, spec.limits, screen)
        finally:
            await self._stop(self._process, spec, force=self._cancelled.is_set())
        code = self._process.returncode
        cancelled = self._cancelled.is_set()
        await self._tell_all(screen.end(code, cancelled=cancelled or trouble is not None))
        if cancelled:
            return base.TurnResult(stop_reason="cancelled", tools=screen.begun, exit_code=code)
        if trouble is not None:
            return base.TurnResult(
                stop_reason="error",
                failure=trouble.failure,
                error=trouble.detail,
                tools=screen.begun,
                exit_code=code,
            )
        return await self._report(screen, len(steps), code)

    async def _report(self, screen: "_Screen", steps: int, code: int | None) -> base.TurnResult:
        text = f"The script ended with exit code {code} ({screen.finished} of {steps} steps done)."
        await self._tell(events.Message(id=f"{self._turn}-message-1", text=text, done=True))
        failed = code != 0
        return base.TurnResult(
            stop_reason="error" if failed else "end_turn",
            failure="agent_crashed" if failed else None,
            error=text if failed else "",
            last_message=text,
            tools=screen.begun,
            exit_code=code,
        )

    async def _watch(
        self, process: asyncio.subprocess.Process, limits: base.Limits, screen: "_Screen"
    ) -> failures.AdapterError | None:
        """Read the shell to its end; the error when a limit was passed, None also for a cancel."""
        assert process.stdout is not None  # noqa: S101
        started = heard = time.monotonic()
        written = 0
        reading = asyncio.create_task(process.stdout.read(_READ))
        cancel = asyncio.create_task(self._cancelled.wait())
        try:
            while not cancel.done():
                await asyncio.wait(
                    {reading, cancel}, timeout=_TICK, return_when=asyncio.FIRST_COMPLETED
                )
                now = time.monotonic()
                if reading.done():
                    data = reading.result()
                    if not data:
                        return None
                    heard = now
                    written += len(data)
                    await self._tell_all(screen.feed(data))
                    reading = asyncio.create_task(process.stdout.read(_READ))
                elif process.returncode is not None:
                    # Something it left behind still holds the output open.
                    return None
                if error := _passed(limits, written, now - started, now - heard):
                    return error
        finally:
            reading.cancel()
            cancel.cancel()
        return None

    async def _stop(
        self, process: asyncio.subprocess.Process, spec: base.SessionSpec, *, force: bool
    ) -> None:
        await processes.stop(
            process,
            attempt_id=spec.attempt_id,
            eof=0.1,
            terminate=spec.limits.terminate,
            force=force,
        )

    async def _tell_all(self, told: Sequence[events.Event]) -> None:
        for event in told:
            await self._tell(event)

    async def _tell(self, event: events.Event) -> None:
        assert self._spec is not None  # noqa: S101
        await self.sink.emit(
            dataclasses.replace(
                event,
                attempt_id=self._spec.attempt_id,
                turn=self._turn,
                seq=next(self._sequence),
            )
        )


def split(script: str) -> list[str]:
    """This will be the paragraphs of a script; one with a here-document stays whole."""
    script = script.strip()
    if not script:
        return []
    if "<<" in script:
        return [script]
    steps: list[str] = []
    for part in re.split(r"\n[ \t]*\n", script):
        if steps and not _is_complete(steps[-1]):
            steps[-1] += f"\n\n{part}"
        elif part.strip():
            steps.append(part.strip("\n"))
    return steps


def _is_complete(step: str) -> bool:
    """Whether brackets, quotes and keywords are closed, roughly: a doubt joins two paragraphs."""
    opened = len(re.findall(r"(?:^|[;&|\n]\s*)(?:if|case|do|for|while|until)\b|[({]", step))
    closed = len(re.findall(r"(?:^|[;\s])(?:fi|esac|done)\b|[)}]", step))
    return opened <= closed and not step.endswith("\\") and step.count("'") % 2 == 0


def _driver(steps: Sequence[str], nonce: str) -> str:
    lines = []
    for number, step in enumerate(steps):
        lines += [
            f"printf '\\036{nonce} begin {number}\\n'",
            f"eval {shlex.quote(step)}",
            "kanbanai_code=$?",
            f"printf '\\036{nonce} end {number} %s\\n' \"$kanbanai_code\"",
            '[ "$kanbanai_code" -eq 0 ] || exit "$kanbanai_code"',
        ]
    return "\n".join(lines) + "\n"


def _passed(
    limits: base.Limits, written: int, used: float, quiet: float
) -> failures.AdapterError | None:
    if written > limits.output_bytes:
        return failures.AdapterError(
            "output_limit", f"The script wrote more than {limits.output_bytes} bytes"
        )
    if used >= limits.turn:
        return failures.AdapterError(
            "timed_out", f"The script took longer than {limits.turn:g} seconds"
        )
    if quiet >= limits.idle:
        return failures.AdapterError(
            "stalled", f"Nothing was heard of the script for {limits.idle:g} seconds"
        )
    return None


def _text(blocks: Sequence[base.Block] | str) -> str:
    if isinstance(blocks, str):
        return blocks
    return "\n".join(block.text for block in blocks if isinstance(block, base.Text))


class _Screen:
    """The output of the shell, taken apart into steps by the marks between them."""

    def __init__(self, steps: Sequence[str], nonce: str, *, turn: int, worktree: Path) -> None:
        self.begun = 0
        self.finished = 0
        self._steps = steps
        self._mark = f"\x1e{nonce} "
        self._turn = turn
        self._worktree = worktree
        self._call: Call | None = None
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._rest = ""

    def feed(self, data: bytes) -> list[events.Event]:
        """This will be what a piece of output means."""
        self._rest += self._decoder.decode(data)
        told: list[events.Event] = []
        while True:
            start = self._rest.find(self._mark)
            end = self._rest.find("\n", start)
            if start < 0 or end < 0:
                break
            told += self._show(self._rest[:start])
            words = self._rest[start + len(self._mark) : end].split()
            self._rest = self._rest[end + 1 :]
            told += self._turn_page(words)
        # The beginning of a mark may be at the end of what has come so far.
        held = self._rest.rfind("\x1e")
        ready = self._rest if held < 0 else self._rest[:held]
        self._rest = self._rest[len(ready) :]
        return [*told, *self._show(ready)]

    def end(self, code: int | None, *, cancelled: bool) -> list[events.Event]:
        """This will close the step that was not finished, with the shell's exit code."""
        told = self._show(self._rest + self._decoder.decode(b"", final=True))
        self._rest = ""
        if self._call is None or not self._call.is_open:
            return told
        if cancelled:
            return told + self._call.finish("cancelled")
        return told + self._close(self._call, code or 0)

    def _turn_page(self, words: Sequence[str]) -> list[events.Event]:
        match words:
            case ["begin", number]:
                self.begun += 1
                step = self._steps[int(number)]
                self._call = Call(id=f"{self._turn}-tool-{number}", worktree=self._worktree)
                return self._call.update(
                    {
                        "kind": "execute",
                        "title": step.split("\n", 1)[0][:200],
                        "status": "in_progress",
                        "rawInput": {"command": step},
                    }
                )
            case ["end", _, code] if self._call is not None:
                return self._close(self._call, int(code))
            case _:
                return []

    def _close(self, call: Call, code: int) -> list[events.Event]:
        self.finished += code == 0
        status = "completed" if code == 0 else "failed"
        return call.update({"status": status, "rawOutput": {"exit_code": code}})

    def _show(self, text: str) -> list[events.Event]:
        if not text or self._call is None:
            return []
        return self._call.update({"_meta": {"terminal_output": text}})
