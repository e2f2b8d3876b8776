"""The messages of `/api/ws`, key by key: rows are those of the outputs, flat beside `projectId`."""

from __future__ import annotations

from typing import Any, NotRequired, get_origin, get_type_hints

from apps.agents.outputs import AgentMessage, GitCommit, Merge
from apps.boards.outputs import Attachment, Board, Card, Column
from apps.core.live.catalogue import Shape
from apps.core.logs.entries import Shown
from apps.projects.outputs import ProjectFacts, ScriptStatus


def keys_of(row: Any, *more: str) -> str:
    """This will list the keys of an output's row and some more; optional ones end in `?`."""
    hints = get_type_hints(row, include_extras=True)
    named = [f"{key}?" if get_origin(hint) is NotRequired else key for key, hint in hints.items()]
    return ", ".join([*named, *(key for key in more if key not in hints)])


PLACE = "projectId, boardId, cardId, sessionId"
BOARD_ROWS = keys_of(Board)
COLUMN_ROW = keys_of(Column, "projectId")

API_SHAPES: tuple[Shape, ...] = (
    Shape(
        "subscribed",
        "projectId, version",
        "The answer to `subscribe`: from `version` on, everything comes. For the log it is"
        " `{channel}`.",
    ),
    Shape(
        "unsubscribed",
        "projectId, reason?",
        "The answer to `unsubscribe`; with a `reason` (`access_ended`, `project_deleted`) it"
        " comes by itself. For the log it has `channel` in place of `projectId`.",
    ),
    Shape(
        "resync",
        "projectId?, reason",
        "What was missed cannot be sent (`unknown_cursor`, `too_old`, `too_many`): read it over"
        " REST. Of a project `subscribed` follows.",
    ),
    Shape("pong", "ts", "The answer to `ping`."),
    Shape("error", "code, message", "A message was refused; nothing else changes."),
    Shape("project.updated", keys_of(ProjectFacts, "projectId", "changes"), "A changed project."),
    Shape("project.deleted", "projectId, id, name", "The project is gone; `unsubscribed` follows."),
    Shape("members.changed", "projectId, change, member", "`change` is the kind's second word."),
    Shape("board.created", BOARD_ROWS, "A new board; what happens on it comes from now on."),
    Shape("board.updated", BOARD_ROWS, "A changed board."),
    Shape("board.deleted", "projectId, id", "A board is gone, with all on it."),
    Shape("board.reordered", "projectId, boards", "All boards, in their order."),
    Shape("column.created", COLUMN_ROW, "A new column, at `position`."),
    Shape("column.updated", COLUMN_ROW, "A changed column."),
    Shape("column.deleted", "projectId, boardId, id", "A column is gone."),
    Shape("column.reordered", "projectId, boardId, columns", "All columns, in their order."),
    Shape("card.created", keys_of(Card), "A new card, at `position` of its column."),
    Shape("card.updated", keys_of(Card, "changes"), "A changed card; `changes` names the fields."),
    Shape(
        "card.moved",
        keys_of(Card, "fromColumnId", "fromBoardId?"),
        "A card stands at `position` of a column now.",
    ),
    Shape("card.deleted", "projectId, boardId, id, columnId", "A card is gone."),
    Shape(
        "card.autoModeEnded",
        keys_of(Card, "reason", "detail"),
        "A card goes on by itself no longer, and why.",
    ),
    Shape(
        "attachment.created",
        keys_of(Attachment, "projectId", "boardId", "cardId"),
        "A card's new file.",
    ),
    Shape(
        "attachment.deleted",
        keys_of(Attachment, "projectId", "boardId", "cardId"),
        "A card's file is gone.",
    ),
    Shape(
        "agent.status",
        f"{PLACE}, status, contextUsage, agent, reason, detail, startedAt, endedAt",
        "Where a card's agent stands, in the words of the session lists.",
    ),
    Shape(
        "agent.message",
        keys_of(AgentMessage, "projectId", "boardId", "cardId"),
        "A message of the conversation, new or changed (same `id`).",
    ),
    Shape("agent.todos", f"{PLACE}, todos", "The agent's list: `total`, `completed`, `items`."),
    Shape("agent.plan", f"{PLACE}, approvalId, plan", "A plan waits for approval."),
    Shape("agent.approval", f"{PLACE}, approval", "A person is asked, or answered."),
    Shape("agent.contextUsage", f"{PLACE}, contextUsage, usage", "How full the context is."),
    Shape(
        "agent.contextFull",
        f"{PLACE}, contextUsage, threshold, mode",
        "The context is nearly full; with the mode `auto` the agent is relayed by itself.",
    ),
    Shape("git.statusChanged", f"{PLACE}, stats", "A worktree changed."),
    Shape("git.committed", f"{PLACE}, {keys_of(GitCommit)}, ts", "A commit was made."),
    Shape("git.merged", f"{PLACE}, {keys_of(Merge)}, ts", "The base branch has the work now."),
    Shape("git.pushed", f"{PLACE}, remote, branch, ts", "A branch was pushed."),
    Shape("git.pushFailed", f"{PLACE}, remote, branch, reason, ts", "A push failed."),
    Shape("git.rebased", f"{PLACE}, ts", "A branch was rebased."),
    Shape("pullRequest.created", f"{PLACE}, pr", "A pull request was opened."),
    Shape("pullRequest.updated", f"{PLACE}, pr", "A pull request changed."),
    Shape(
        "script.status",
        keys_of(ScriptStatus, "projectId").replace(", output", ""),
        "A script of the project runs, or is done.",
    ),
    Shape("script.output", "projectId, scriptId, runId, text", "What it prints; never replayed."),
    Shape("script.created", "projectId, id?, scripts", "All scripts, with a new one."),
    Shape("script.updated", "projectId, id?, scripts", "All scripts, after a change."),
    Shape("script.deleted", "projectId, id?, scripts", "All scripts but the deleted one."),
    Shape("script.reordered", "projectId, id?, scripts", "All scripts, in their order."),
    Shape("agent.registered", "agent, label", "An agent can be chosen now. To everybody."),
    Shape(
        "agent_profile.changed",
        "kind, profileId, agent, label",
        "A profile was `created`, `updated` or `deleted`. To everybody.",
    ),
    Shape(
        "preSession.message",
        keys_of(AgentMessage, "projectId", "cardId"),
        "A message of a pre-session, new or changed (same `id`).",
    ),
    Shape(
        "preSession.status",
        "projectId, cardId, sessionId, status, activity",
        "A pre-session is `active`, `accepted`, `cancelled` or `closed`; its agent is `idle`,"
        " `queued` or `running`.",
    ),
    Shape(
        "preSession.delta",
        "projectId, cardId, sessionId, itemId, type, delta",
        "A piece of an answer under way; never replayed.",
    ),
    Shape(
        "assistant.message",
        keys_of(AgentMessage, "projectId"),
        "A message of one's assistant, new or changed. To its person alone, without a"
        " subscription.",
    ),
    Shape(
        "assistant.status",
        "projectId, sessionId, status, activity",
        "One's assistant is `idle` or `running`. To its person alone.",
    ),
    Shape(
        "assistant.delta",
        "projectId, sessionId, itemId, type, delta",
        "A piece of an answer under way; never replayed. To its person alone.",
    ),
    Shape(
        "notification",
        "notification, channels, unreadCount",
        "To its person alone, without a subscription. `channels` are those the person wants.",
    ),
    Shape(
        "card.read",
        "projectId, boardId, id, hasUnread",
        "A card has no news for its reader any more. To its person alone, without a subscription.",
    ),
    Shape(
        "project.read",
        "projectId, unreadCount",
        "All cards of a project were read. To its person alone, without a subscription.",
    ),
    Shape("notification.read", "unreadCount", "What was told was read. To its person alone."),
    Shape(
        "log.entry",
        keys_of(Shown),
        'To admins who subscribed `{channel: "logs", level?}`; never replayed.',
    ),
)
API_KEYS = {
    shape.type: (
        frozenset(key for key in shape.keys.split(", ") if key and not key.endswith("?")),
        frozenset(key[:-1] for key in shape.keys.split(", ") if key.endswith("?")),
    )
    for shape in API_SHAPES
}
