"""The one way the product talks to a coding agent.

One adapter serves one process: `open`, then `prompt` for each turn, then `close`. What the agent
does flows as events to the sink; what it asks suspends the turn until the sink has decided. The
shape follows the second draft of the Agent Client Protocol: upserts by id, terminals owned by the
agent, settings instead of modes; protocols behind it may be older or none at all.
"""

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol, Self

from apps.agents.adapters import events
from apps.agents.adapters.failures import Failure
from apps.agents.sandbox import base as sandboxes

StopReason = Literal["end_turn", "cancelled", "refusal", "max_tokens", "max_turns", "error", "lost"]


@dataclass(frozen=True, kw_only=True)
class Text:
    """Words of a prompt."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Image:
    """A picture in a prompt, base64 without a prefix."""

    data: str
    mime: str


@dataclass(frozen=True, kw_only=True)
class Link:
    """A file or address the prompt points to."""

    uri: str
    name: str


Block = Text | Image | Link


@dataclass(frozen=True, kw_only=True)
class McpServer:
    """A tool server for the session: a program (command) or an address (url)."""

    name: str
    command: str = ""
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Seconds, bytes and counts an agent may use."""

    start: float = 60.0
    turn: float = 3_600.0
    idle: float = 600.0
    cancel: float = 5.0
    eof: float = 3.0
    terminate: float = 3.0
    output_bytes: int = 64 * 1024 * 1024
    line_bytes: int = 32 * 1024 * 1024
    items: int = 5_000
    log_lines: int = 500


@dataclass(frozen=True, kw_only=True)
class SessionSpec:
    """Everything one process needs to know.

    `session_id` is the agent's handle of an earlier turn. `resume` says what to do with it: `auto`
    falls back to a new session, `require` fails instead, `new` ignores it. `turn` is the number of
    the last turn that ran. `cost_seen` is the total the agent had reported before, for agents
    whose count goes on after a restart. `readonly` is planning: the worktree cannot be written.
    """

    attempt_id: str
    cwd: Path
    home: Path
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    git_dir: Path | None = None
    sandbox: sandboxes.Sandbox = field(default_factory=sandboxes.Nothing)
    read_paths: tuple[Path, ...] = ()
    network: Literal["shared", "none"] = "shared"
    connect_ports: tuple[int, ...] = ()
    rlimits: sandboxes.Rlimits = field(default_factory=sandboxes.Rlimits)
    extra_dirs: tuple[Path, ...] = ()
    mcp_servers: tuple[McpServer, ...] = ()
    session_id: str | None = None
    resume: Literal["auto", "new", "require"] = "auto"
    mode: str | None = None
    model: str | None = None
    options: Mapping[str, str | bool] = field(default_factory=dict)
    session_meta: Mapping[str, Any] = field(default_factory=dict)
    readonly: bool = False
    system_note: str = ""
    turn: int = 0
    cost_seen: Decimal = Decimal(0)
    limits: Limits = field(default_factory=Limits)

    def confinement(self) -> sandboxes.Confinement:
        """This will be what the sandbox has to allow for this process."""
        return sandboxes.Confinement(
            worktree=self.cwd,
            home=self.home,
            git_dir=self.git_dir,
            readonly=self.readonly,
            read_paths=(*self.read_paths, *self.extra_dirs),
            network=self.network,
            connect_ports=self.connect_ports,
            rlimits=self.rlimits,
        )


@dataclass(frozen=True, kw_only=True)
class Caps:
    """What the agent says it can do."""

    resume: bool = False
    load: bool = False
    fork: bool = False
    images: bool = False
    modes: bool = False
    plan_mode: bool = False
    mcp_http: bool = False


@dataclass(frozen=True, kw_only=True)
class SessionInfo:
    """The session that is open now. `lost_history`: a handle was given but did not come back."""

    session_id: str
    how: Literal["new", "resume", "load"]
    lost_history: bool = False
    agent_name: str = ""
    agent_version: str = ""
    settings: tuple[events.Setting, ...] = ()
    caps: Caps = field(default_factory=Caps)
    pid: int | None = None
    started: int | None = None


@dataclass(frozen=True, kw_only=True)
class TurnResult:
    """How a turn ended. `cost` is this turn's; `cost_seen` is the agent's running total."""

    stop_reason: StopReason
    failure: Failure | None = None
    error: str = ""
    last_message: str = ""
    tools: int = 0
    tokens: events.Tokens | None = None
    cost: Decimal = Decimal(0)
    currency: str = ""
    cost_seen: Decimal = Decimal(0)
    exit_code: int | None = None

    @property
    def succeeded(self) -> bool:
        """This will be true only for a turn that ended by itself and reported no error."""
        return self.stop_reason == "end_turn" and self.failure is None


@dataclass(frozen=True, kw_only=True)
class Decision:
    """An answer to a request. `end_turn` also ends the turn, for a person who is away."""

    outcome: Literal["selected", "answered", "declined", "cancelled"]
    option_id: str = ""
    answer: Mapping[str, Any] | None = None
    end_turn: bool = False

    @classmethod
    def allow(cls, request: events.Request, *, always: bool = False) -> "Decision":
        """This will select the option that lets the agent go on, as narrowly as was asked."""
        wanted: tuple[events.OptionKind, ...] = ("allow_once", "allow_always")
        option = request.option(*(reversed(wanted) if always else wanted))
        if option is None:
            return cls(outcome="cancelled")
        return cls(outcome="selected", option_id=option.id)

    @classmethod
    def reject(cls, request: events.Request) -> "Decision":
        """This will select the option that refuses; without one the request is cancelled."""
        option = request.option("reject_once", "reject_always")
        if option is None:
            return cls(outcome="cancelled")
        return cls(outcome="selected", option_id=option.id)


class Sink(Protocol):
    """Where an adapter's events go; the runner stores them and finds people to decide."""

    async def emit(self, event: events.Event) -> None:
        """This will take one event; the next one comes only after this has returned."""

    async def ask(self, request: events.Request) -> Decision:
        """This will decide on a request. The turn's clocks stand still meanwhile."""


class AgentAdapter(abc.ABC):
    """One agent process and its session."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.capabilities = Caps()

    @abc.abstractmethod
    async def open(self, spec: SessionSpec) -> SessionInfo:
        """This will start the agent and its session.

        Raises:
            AdapterError: with a failure of the closed list; nothing is left running.
            Cancelled: when `cancel` was called meanwhile.
        """

    @abc.abstractmethod
    async def prompt(self, blocks: Sequence[Block] | str) -> TurnResult:
        """This will run one turn and return when it is over, however it ended."""

    async def steer(self, text: str) -> bool:  # noqa: ARG002
        """This will hand a message to a running turn; False means: queue it as the next turn."""
        return False

    @abc.abstractmethod
    async def cancel(self) -> None:
        """This will ask the agent to stop; `prompt` returns soon, whether it obeys or not."""

    async def set_option(self, key: str, value: str | bool) -> bool:  # noqa: ARG002, FBT001
        """This will change a setting (`mode`, `model`, ...); False when there is no such one."""
        return False

    @abc.abstractmethod
    async def close(self, *, force: bool = False) -> None:
        """This will end the process and all it started; politely unless `force`."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close(force=kind is not None)
