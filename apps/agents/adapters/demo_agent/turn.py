"""What the demo agent can do within a turn: speak, plan, touch files, run commands, ask."""

import asyncio
import contextlib
import os
import signal
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

from apps.agents.adapters.demo_agent import store, wire

_CONTEXT_SIZE = 200_000
_CHARACTERS_PER_TOKEN = 4
_PRICE_IN, _PRICE_OUT = Decimal("0.000003"), Decimal("0.000015")
_WORDS_AT_ONCE = 4
_ALLOW = [
    {"optionId": "allow", "name": "Allow once", "kind": "allow_once"},
    {"optionId": "always", "name": "Always allow in this attempt", "kind": "allow_always"},
    {"optionId": "reject", "name": "Reject", "kind": "reject_once"},
]
_APPROVE = [
    {"optionId": "default", "name": "Yes, ask before commands", "kind": "allow_once"},
    {"optionId": "auto", "name": "Yes, run commands without asking", "kind": "allow_always"},
    {"optionId": "plan", "name": "No, keep planning", "kind": "reject_once"},
]


def pace() -> float:
    """This will be how many times faster than for a human eye to be."""
    try:
        return max(0.01, float(os.environ.get("KANBANAI_DEMO_SPEED", "1")))
    except ValueError:
        return 1.0


class Turn:
    """One prompt being worked on."""

    def __init__(self, line: wire.Wire, session: store.Session) -> None:
        self.line = line
        self.session = session
        self.said = ""
        self.cost = Decimal(0)
        self._tools = 0
        self._plan: list[str] = []
        self._commands: set[asyncio.subprocess.Process] = set()
        self._number = len(session.prompts) + 1

    async def pause(self, seconds: float) -> None:
        """This will wait, less when a hurry was asked for."""
        await asyncio.sleep(seconds / pace())

    def update(self, name: str, /, **fields: Any) -> None:
        """This will tell the client something."""
        row = {"sessionUpdate": name, **fields}
        self.line.notify("session/update", {"sessionId": self.session.id, "update": row})

    async def say(self, text: str, *, thought: bool = False, delay: float = 0.12) -> None:
        """This will speak, a few words at a time."""
        words = text.split(" ")
        for start in range(0, len(words), _WORDS_AT_ONCE):
            piece = " ".join(words[start : start + _WORDS_AT_ONCE])
            if start + _WORDS_AT_ONCE < len(words):
                piece += " "
            self.chunk(piece, thought=thought)
            await self.pause(delay)

    def chunk(self, text: str, *, thought: bool = False) -> None:
        """This will speak a piece of text at once."""
        kind = "agent_thought_chunk" if thought else "agent_message_chunk"
        self.update(kind, content={"type": "text", "text": text})
        if not thought:
            self.said += text

    def plan(self, steps: list[str] | None = None, *, done: int = 0) -> None:
        """This will publish the plan: `done` steps are finished, the next is under way."""
        if steps is not None:
            self._plan = steps
        entries = [
            {
                "content": step,
                "priority": "medium",
                "status": "completed"
                if number < done
                else "in_progress"
                if number == done
                else "pending",
            }
            for number, step in enumerate(self._plan)
        ]
        if entries:
            self.update("plan", entries=entries)

    def finish_plan(self) -> None:
        """This will mark every step as finished."""
        self.plan(done=len(self._plan))

    def tool(self, title: str, kind: str, **fields: Any) -> str:
        """This will show a new tool call and give its id."""
        self._tools += 1
        tool_id = f"demo-{self._number}-{self._tools}"
        self.update(
            "tool_call", toolCallId=tool_id, title=title, kind=kind, status="pending", **fields
        )
        return tool_id

    def tool_update(self, tool_id: str, **fields: Any) -> None:
        """This will say more about a tool call."""
        self.update("tool_call_update", toolCallId=tool_id, **fields)

    def tool_failed(self, tool_id: str, why: str) -> None:
        """This will end a tool call that did not work."""
        content = [{"type": "content", "content": {"type": "text", "text": why}}]
        self.tool_update(tool_id, status="failed", content=content)

    async def write(self, path: str, text: str) -> bool:
        """This will write a file of the worktree; False when that was not possible."""
        target = self._inside(path)
        where = [{"path": str(target)}]
        shown = {"file_path": str(target)}
        tool_id = self.tool(f"Write {path}", "edit", rawInput=shown, locations=where)
        if not target.is_relative_to(self.session.cwd) and not await self.may(tool_id):
            self.tool_failed(tool_id, "It was not allowed")
            return False
        await self.pause(0.6)
        try:
            old = _replace(target, text)
        except (OSError, UnicodeDecodeError) as error:
            self.tool_failed(tool_id, str(error))
            return False
        diff = {"type": "diff", "path": str(target), "oldText": old, "newText": text}
        self.tool_update(tool_id, status="completed", content=[diff])
        return True

    async def run(self, command: str, *, title: str = "") -> int | None:
        """This will ask, run a command and stream its screen; None when it was not allowed."""
        terminal = {"terminal_id": f"terminal-{self._number}-{self._tools + 1}"}
        tool_id = self.tool(
            title or command,
            "execute",
            rawInput={"command": command},
            content=[{"type": "terminal", "terminalId": terminal["terminal_id"]}],
            _meta={"terminal_info": {**terminal, "cwd": str(self.session.cwd)}},
        )
        if self.session.mode != "auto" and not await self.may(tool_id):
            self.tool_failed(tool_id, "It was not allowed")
            return None
        self.tool_update(tool_id, status="in_progress")
        await self.pause(0.3)
        process = await self.start(command)
        self._commands.add(process)
        output = ""
        assert process.stdout is not None  # noqa: S101
        while data := await process.stdout.read(16 * 1024):
            text = data.decode(errors="replace")
            output += text
            self.tool_update(tool_id, _meta={"terminal_output": {**terminal, "data": text}})
        code = await process.wait()
        self._commands.discard(process)
        self.tool_update(
            tool_id,
            status="completed" if code == 0 else "failed",
            rawOutput={"output": output[-20_000:], "exit_code": code},
            _meta={"terminal_exit": {**terminal, "exit_code": code, "signal": None}},
        )
        return code

    async def start(self, command: str) -> asyncio.subprocess.Process:
        """This will start a command in a session of its own, as agents do."""
        env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return await asyncio.create_subprocess_shell(
            command,
            cwd=self.session.cwd,
            env=env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )

    async def may(self, tool_id: str) -> bool:
        """This will ask for permission; a cancelled request ends the turn."""
        return await self._ask({"toolCallId": tool_id}, _ALLOW) in {"allow", "always"}

    async def approve(self, plan: str) -> str:
        """This will propose a plan and give the mode to go on in; `plan` when it was rejected."""
        tool_id = self.tool("Ready to start?", "switch_mode", rawInput={"plan": plan})
        mode = await self._ask({"toolCallId": tool_id, "title": "Ready to start?"}, _APPROVE)
        self.tool_update(tool_id, status="failed" if mode == "plan" else "completed")
        if mode != self.session.mode:
            self.session.mode = mode
            self.update("current_mode_update", currentModeId=mode)
        return mode

    async def question(self, text: str) -> str:
        """This will ask the user for a line of text; empty when there is no answer."""
        answer = await self.line.request(
            "elicitation/create",
            {
                "sessionId": self.session.id,
                "mode": "form",
                "message": text,
                "requestedSchema": {
                    "type": "object",
                    "properties": {"answer": {"type": "string", "title": "Your answer"}},
                    "required": ["answer"],
                },
            },
        )
        content = answer.get("content")
        return str(content.get("answer", "")) if isinstance(content, dict) else ""

    async def kill_commands(self) -> None:
        """This will end commands that a cancelled turn left running."""
        for process in list(self._commands):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        self._commands.clear()

    def spend(self, prompt: str) -> dict[str, int]:
        """This will count tokens and cost of the turn, from the length of the texts."""
        tokens_in = sum(map(len, [*self.session.prompts, prompt])) // _CHARACTERS_PER_TOKEN + 900
        tokens_out = len(self.said) // _CHARACTERS_PER_TOKEN + 40 * self._tools
        self.cost = tokens_in * _PRICE_IN + tokens_out * _PRICE_OUT
        return {
            "inputTokens": tokens_in,
            "outputTokens": tokens_out,
            "totalTokens": tokens_in + tokens_out,
        }

    def show_usage(self) -> None:
        """This will report how full the context is and what the session has cost in all."""
        used = 900 + sum(len(str(row.get("text", ""))) for row in self.session.history) // 4
        if self.session.context is not None:
            used = max(used, round(_CONTEXT_SIZE * self.session.context / 100))
        self.update(
            "usage_update",
            used=used,
            size=_CONTEXT_SIZE,
            cost={"amount": float(self.session.cost), "currency": "USD"},
        )

    async def filler(self, seconds: float) -> None:
        """This will talk for a time."""
        end, number = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            number += 1
            self.chunk(f"working {number}... ")
            await asyncio.sleep(0.1)

    def _inside(self, path: str) -> Path:
        return Path(os.path.normpath(self.session.cwd / path))

    async def _ask(self, tool_call: dict[str, Any], options: list[dict[str, str]]) -> str:
        answer = await self.line.request(
            "session/request_permission",
            {"sessionId": self.session.id, "toolCall": tool_call, "options": options},
        )
        outcome = answer.get("outcome")
        if not isinstance(outcome, dict) or outcome.get("outcome") != "selected":
            raise asyncio.CancelledError
        return str(outcome.get("optionId"))


def _replace(target: Path, text: str) -> str | None:
    old = target.read_text(encoding="utf-8") if target.is_file() else None
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    return old
