"""Tool calls put together from their updates, and the terminals some of them are.

Agents differ: a call may first be seen in a permission request or in an update, its command may
stand in the input or the title, its output may come as deltas or whole. The id decides.
"""

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from apps.agents.adapters import events
from apps.agents.adapters.acp import content

_KINDS = frozenset(get_args(events.ToolKind))
_STATUSES: dict[str, events.ToolStatus] = {
    "pending": "created",
    "in_progress": "running",
    "completed": "succeeded",
    "failed": "failed",
    "cancelled": "cancelled",
}
_FIELDS = frozenset({"kind", "title", "status", "rawInput", "rawOutput", "content", "locations"})
_FINAL = frozenset({"succeeded", "failed", "cancelled"})
_PLAN_TOOLS = frozenset({"exitplanmode", "exit_plan_mode", "plan_exit"})


@dataclass(kw_only=True)
class Call:
    """One tool call as it grows."""

    id: str
    worktree: Path
    kind: events.ToolKind = "other"
    title: str = ""
    status: events.ToolStatus = "created"
    raw_input: Any = None
    raw_output: Any = None
    content: list[Any] = field(default_factory=list)
    locations: tuple[str, ...] = ()
    streamed: str = ""
    exit_code: int | None = None
    signal: str = ""
    started_at: dt.datetime | None = None
    completed_at: dt.datetime | None = None
    shown: str | None = None
    closed: bool = False

    def update(self, row: dict[str, Any]) -> list[events.Event]:
        """This will merge one update and give the tool as it stands and its terminal's news."""
        self._merge(row)
        now = dt.datetime.now(tz=dt.UTC)
        if self.started_at is None:
            self.started_at = now
        if self.status in _FINAL and self.completed_at is None:
            self.completed_at = now
        # Output that only streams to the screen is not worth the whole call once more.
        whole = [self.event()] if row.keys() & _FIELDS or self.shown is None else []
        return [*whole, *self._terminal()]

    def finish(self, status: events.ToolStatus) -> list[events.Event]:
        """This will end a call the agent left open."""
        if self.status in _FINAL:
            return self._terminal()
        return self.update({"status": next(k for k, v in _STATUSES.items() if v == status)})

    @property
    def is_open(self) -> bool:
        """This will be true until the call has ended."""
        return self.status not in _FINAL

    @property
    def is_plan(self) -> bool:
        """This will be true for the call that leaves plan mode."""
        name = self.title.lower().replace(" ", "_")
        return self.kind == "switch_mode" or name in _PLAN_TOOLS

    @property
    def command(self) -> str:
        """This will be the command line, from the input or else from the title."""
        found = content.command_of(self.raw_input)
        if not found and self.kind == "execute":
            found = self.title.strip("` ")
        return found

    def plan_text(self) -> str:
        """This will be the plan a plan request proposes."""
        if isinstance(self.raw_input, dict):
            plan = self.raw_input.get("plan")
            if isinstance(plan, str) and plan:
                return plan
        return content.tool_text(self.content)

    def event(self) -> events.Tool:
        """This will be the call as an event, complete."""
        output, truncated = content.clipped(self._output())
        return events.Tool(
            id=self.id,
            kind=self.kind,
            title=self.title,
            status=self.status,
            input=self.raw_input,
            output=output,
            truncated=truncated,
            diffs=content.diffs_of(self.content, worktree=self.worktree),
            locations=self.locations,
            command=self.command,
            exit_code=self.exit_code,
            started_at=self.started_at,
            completed_at=self.completed_at,
        )

    def _merge(self, row: dict[str, Any]) -> None:
        if row.get("kind") in _KINDS:
            self.kind = row["kind"]
        if isinstance(row.get("title"), str) and row["title"]:
            self.title = row["title"].replace(f"{self.worktree}/", "")
        # A late update of a call that has ended must not open it again.
        if row.get("status") in _STATUSES and self.is_open:
            self.status = _STATUSES[row["status"]]
        if row.get("rawInput") not in (None, {}):
            self.raw_input = row["rawInput"]
        if row.get("rawOutput") is not None:
            self.raw_output = row["rawOutput"]
            code = content.exit_code(self.raw_output)
            self.exit_code = self.exit_code if code is None else code
        if isinstance(row.get("content"), list):
            self.content = row["content"]
        if row.get("locations"):
            self.locations = content.locations_of(row["locations"], worktree=self.worktree)
        self._merge_meta(row.get("_meta"))

    def _merge_meta(self, meta: Any) -> None:
        """Display terminals: not in the first protocol version, but several agents agree on it."""
        if not isinstance(meta, dict):
            return
        for key in ("terminal_output", "terminal_output_delta"):
            part = meta.get(key)
            if isinstance(part, dict):
                part = next((part[k] for k in ("data", "delta", "text") if k in part), "")
            if isinstance(part, str):
                self.streamed += part
        ended = meta.get("terminal_exit")
        if isinstance(ended, dict):
            code = content.exit_code(ended)
            self.exit_code = self.exit_code if code is None else code
            self.signal = str(ended.get("signal") or "")
        if "terminal_info" in meta and self.shown is None and self.kind == "other":
            self.kind = "execute"

    def _output(self) -> str:
        return (
            self.streamed or content.tool_text(self.content) or content.output_text(self.raw_output)
        )

    def _terminal(self) -> list[events.Event]:
        if self.kind != "execute" or self.closed:
            return []
        told: list[events.Event] = []
        name = f"{self.id}-terminal"
        if self.shown is None:
            if self.status == "created" and not self._output():
                return []
            self.shown = ""
            told.append(
                events.Terminal(
                    id=name,
                    state="opened",
                    tool_id=self.id,
                    command=self.command,
                    cwd=str(self.worktree),
                )
            )
        output = self._output()
        if output != self.shown:
            grown = output.startswith(self.shown)
            text, _ = content.clipped(output[len(self.shown) :] if grown else output)
            told.append(
                events.Terminal(
                    id=name, state="output", tool_id=self.id, text=text, replace=not grown
                )
            )
            self.shown = output
        if self.status in _FINAL:
            self.closed = True
            told.append(
                events.Terminal(
                    id=name,
                    state="closed",
                    tool_id=self.id,
                    exit_code=self.exit_code,
                    signal=self.signal,
                )
            )
        return told
