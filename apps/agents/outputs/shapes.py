"""The shapes of what agents show, with the names of the wire."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

from apps.core.paging import Paged


class TodoItem(TypedDict):
    """One step of the agent's list."""

    id: str
    text: str
    status: str


class Todos(TypedDict):
    """The agent's list of steps."""

    total: int
    completed: int
    items: list[TodoItem]


class Usage(TypedDict):
    """What the model used so far; the cost is in US dollars, null where nobody tells it."""

    contextUsed: int
    contextSize: int
    inputTokens: int
    outputTokens: int
    costUsd: float | None


class DiffStats(TypedDict):
    """How much an attempt's branch changes."""

    filesChanged: int
    insertions: int
    deletions: int


class Attempt(TypedDict):
    """One run of one agent on one card, without its transcript."""

    id: str
    projectId: str
    boardId: str
    cardId: str
    number: int
    agent: str
    profileId: str | None
    mode: str
    status: str
    state: str
    waitingFor: str | None
    reason: str | None
    remedy: str | None
    detail: str | None
    resumeAt: str | None
    baseBranch: str
    branchName: str
    worktreePath: str | None
    sessionId: str | None
    sandbox: str | None
    backupRef: str | None
    mergedSha: str | None
    todos: Todos
    liveLine: str | None
    summary: str | None
    usage: Usage
    stats: DiffStats
    queuedAt: str
    startedAt: str | None
    endedAt: str | None
    createdAt: str
    updatedAt: str


class ConversationItem(TypedDict):
    """One thing said or done; the keys beside these depend on `type` (message, tool, …)."""

    id: str
    type: str
    timestamp: str
    position: int
    seq: int
    turn: int


class Log(TypedDict):
    """A line the runner or the agent's error stream wrote."""

    id: str
    attemptId: str
    ts: str
    level: str
    message: str


class Approval(TypedDict):
    """A question of the agent to a person, and what became of it."""

    id: str
    attemptId: str
    cardId: str
    kind: str
    title: str
    request: dict[str, Any]
    status: str
    decision: str | None
    feedback: str | None
    createdAt: str
    answeredAt: str | None


class QueuedMessage(TypedDict):
    """A message that waits for its turn."""

    id: str
    text: str
    createdAt: str


class AttemptDetail(TypedDict):
    """An attempt with all that was said, done and asked."""

    attempt: Attempt
    queuePosition: int | None
    logs: list[Log]
    conversation: list[ConversationItem]
    todos: Todos
    approvals: list[Approval]
    queuedMessages: list[QueuedMessage]
    lastSeq: int


class AgentState(TypedDict):
    """The state of a card's agent as the card rows of the REST API know it."""

    sessionId: str
    status: str
    cardId: str


class Session(TypedDict):
    """An attempt in the words of the REST API's session lists."""

    id: str
    cardId: str
    columnId: str
    status: str
    credentialId: str | None
    contextUsage: int | None
    startedAt: str | None
    endedAt: str | None


class SessionSummary(Session):
    """A session with what came of it."""

    columnName: str
    summary: str | None
    messageCount: int
    inputTokens: int
    outputTokens: int


class AgentMessage(TypedDict):
    """A conversation item in the words of the REST API's message list."""

    id: str
    sessionId: str
    role: str
    type: str
    content: str
    toolName: str | None
    createdAt: str


class More(Paged):
    """Whether there are more messages, and the cursor to go on with."""


class FlatCard(TypedDict):
    """A card for scripts that know nothing of boards, with its sessions."""

    id: str
    title: str
    columnName: str
    sessions: list[Session]


class ActiveAgent(TypedDict):
    """A card whose agent is not done."""

    cardId: str
    cardTitle: str
    status: str


class GitCommit(TypedDict):
    """A commit that was made of an attempt's changes."""

    sha: str
    shortSha: str
    subject: str
    skipped: NotRequired[list[str]]


class Merge(TypedDict):
    """What became of a merge into the base branch."""

    ok: bool
    base: str
    sha: str
    strategy: str
    changed: bool
