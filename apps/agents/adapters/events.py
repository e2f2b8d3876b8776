"""What an agent does, as values: one vocabulary for every kind of agent.

An event with an `id` is an upsert: the same id says more about the same thing. Ids are unique in
an attempt because they carry the number of the turn.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

ToolKind = Literal[
    "read", "edit", "delete", "move", "search", "execute", "think", "fetch", "switch_mode", "other"
]
ToolStatus = Literal["created", "running", "succeeded", "failed", "cancelled"]
OptionKind = Literal["allow_once", "allow_always", "reject_once", "reject_always"]

MUTATING: frozenset[str] = frozenset({"edit", "delete", "move", "execute"})


def _now() -> dt.datetime:
    return dt.datetime.now(tz=dt.UTC)


@dataclass(frozen=True, kw_only=True)
class Event:
    """What all events share; the adapter stamps attempt, turn and seq when it sends one."""

    attempt_id: str = ""
    turn: int = 0
    seq: int = 0
    at: dt.datetime = field(default_factory=_now)


@dataclass(frozen=True, kw_only=True)
class Session(Event):
    """The agent's own session: its resume handle, its title, and how it came to be."""

    session_id: str
    title: str = ""
    how: Literal["new", "resume", "load"] = "new"
    agent_name: str = ""
    agent_version: str = ""


@dataclass(frozen=True, kw_only=True)
class Status(Event):
    """Where the adapter stands: a turn begins and ends, the process starts and goes."""

    state: Literal["starting", "ready", "working", "idle", "exited"]
    detail: str = ""
    exit_code: int | None = None


@dataclass(frozen=True, kw_only=True)
class Message(Event):
    """Text of the agent. `append` adds to the item; `done` brings the whole text once more."""

    id: str
    text: str
    role: Literal["assistant", "user"] = "assistant"
    append: bool = False
    done: bool = False


@dataclass(frozen=True, kw_only=True)
class Thought(Event):
    """Reasoning, in the same manner as a message."""

    id: str
    text: str
    append: bool = False
    done: bool = False


@dataclass(frozen=True, kw_only=True)
class Diff:
    """A file before (None: it was not there) and after; the path is relative to the worktree."""

    path: str
    old: str | None
    new: str


@dataclass(frozen=True, kw_only=True)
class Tool(Event):
    """A tool call as it stands now, always complete."""

    id: str
    kind: ToolKind = "other"
    title: str = ""
    status: ToolStatus = "created"
    input: Any = None
    output: str = ""
    truncated: bool = False
    diffs: tuple[Diff, ...] = ()
    locations: tuple[str, ...] = ()
    command: str = ""
    exit_code: int | None = None
    started_at: dt.datetime | None = None
    completed_at: dt.datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Terminal(Event):
    """A command's screen: opened, output (append unless `replace`), closed."""

    id: str
    state: Literal["opened", "output", "closed"]
    tool_id: str = ""
    command: str = ""
    cwd: str = ""
    text: str = ""
    replace: bool = False
    exit_code: int | None = None
    signal: str = ""


@dataclass(frozen=True, kw_only=True)
class Todo:
    """One step of the agent's list."""

    id: str
    text: str
    status: Literal["pending", "in_progress", "completed"] = "pending"
    priority: Literal["high", "medium", "low"] = "medium"


@dataclass(frozen=True, kw_only=True)
class Todos(Event):
    """The whole list of steps; it replaces the one before."""

    items: tuple[Todo, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Option:
    """One answer a request offers."""

    id: str
    label: str
    kind: OptionKind


@dataclass(frozen=True, kw_only=True)
class Request(Event):
    """Something a person decides. The sink is asked with an open one; it comes back resolved."""

    id: str
    kind: Literal["permission", "plan", "question"]
    title: str = ""
    text: str = ""
    tool_id: str = ""
    tool_kind: ToolKind = "other"
    command: str = ""
    paths: tuple[str, ...] = ()
    outside: bool = False
    options: tuple[Option, ...] = ()
    schema: Mapping[str, Any] | None = None
    url: str = ""
    state: Literal["open", "resolved"] = "open"
    outcome: str = ""
    option_id: str = ""
    answer: Mapping[str, Any] | None = None

    def option(self, *kinds: OptionKind) -> Option | None:
        """This will be the first option of the first kind that is offered, or None."""
        for kind in kinds:
            for option in self.options:
                if option.kind == kind:
                    return option
        return None


@dataclass(frozen=True, kw_only=True)
class SlashCommand:
    """A command the agent understands at the start of a message."""

    name: str
    description: str = ""
    hint: str = ""


@dataclass(frozen=True, kw_only=True)
class Commands(Event):
    """All slash commands of the session."""

    items: tuple[SlashCommand, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One value of a setting."""

    id: str
    label: str
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A setting of the session: its mode, model, effort and the like."""

    id: str
    label: str
    category: str = ""
    value: str | bool = ""
    choices: tuple[Choice, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Options(Event):
    """All settings of the session as they stand; modes appear as the setting `mode`."""

    settings: tuple[Setting, ...] = ()

    @property
    def mode(self) -> str:
        """This will be the id of the current mode, empty when the agent has none."""
        for setting in self.settings:
            if setting.category == "mode":
                return str(setting.value)
        return ""


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """Tokens of one turn."""

    input: int = 0
    output: int = 0
    thought: int = 0
    cached_read: int = 0
    cached_write: int = 0
    total: int = 0


@dataclass(frozen=True, kw_only=True)
class Usage(Event):
    """Use of the model. `cost` is what was added since the last event, in `currency`."""

    context_used: int | None = None
    context_size: int | None = None
    tokens: Tokens | None = None
    cost: Decimal = Decimal(0)
    currency: str = ""
    cost_seen: Decimal = Decimal(0)


@dataclass(frozen=True, kw_only=True)
class Log(Event):
    """A line for those who look under the hood."""

    stream: Literal["stderr", "stdout", "adapter"]
    text: str
    level: Literal["info", "warning", "error"] = "info"
