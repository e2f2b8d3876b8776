"""How attempts are shown in the words of the REST API: sessions and messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from apps.agents.outputs.attempts import item
from apps.agents.outputs.shapes import (
    ActiveAgent,
    AgentMessage,
    AgentState,
    FlatCard,
    Session,
    SessionSummary,
)
from apps.agents.states import rest_spelling
from apps.core import ids
from apps.core.moments import moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from apps.agents import models
    from apps.boards.models import Card


def agent_state(row: models.Attempt) -> AgentState:
    """This will show the state of a card's agent."""
    return {
        "sessionId": row.public_id,
        "status": rest_spelling(row.status, row.waiting_for),
        "cardId": ids.encode("card", row.card_id),
    }


def session(row: models.Attempt) -> Session:
    """This will show an attempt (read with its card) as a session."""
    used = round(100 * row.context_used / row.context_size) if row.context_size else None
    return {
        "id": row.public_id,
        "cardId": ids.encode("card", row.card_id),
        "columnId": ids.encode("col", row.column_id or row.card.column_id),
        "status": rest_spelling(row.status, row.waiting_for),
        "credentialId": ids.encode("cred", row.credential_id) if row.credential_id else None,
        "contextUsage": used,
        "startedAt": moment(row.started_at) if row.started_at else None,
        "endedAt": moment(row.ended_at) if row.ended_at else None,
    }


def flat_card(card: Card, rows: Iterable[models.Attempt]) -> FlatCard:
    """This will show a card (read with its column) and its attempts (read with it)."""
    return {
        "id": card.public_id,
        "title": card.title,
        "columnName": card.column.name,
        "sessions": [session(row) for row in rows],
    }


def session_summary(row: models.Attempt, *, message_count: int) -> SessionSummary:
    """This will show an attempt (read with its card and column) with what came of it."""
    return {
        **session(row),
        "columnName": (row.column or row.card.column).name,
        "summary": row.summary or None,
        "messageCount": message_count,
        "inputTokens": row.input_tokens,
        "outputTokens": row.output_tokens,
    }


def agent_message(row: models.Item) -> AgentMessage:
    """This will show a conversation item as a message."""
    shown = message_of(item(row), ids.encode("sess", row.attempt_id))
    return {**shown, "createdAt": moment(row.created_at)}


def message_of(shown: Mapping[str, Any], session_id: str) -> AgentMessage:
    """This will show as a message what boards are shown as a conversation item.

    It dates from when the agent said it; lists, which are paged by it, from when it was written.
    """
    kinds = {"message": "text", "thinking": "thinking", "tool": "tool_use", "error": "error"}
    role, tool_name = shown.get("role", "assistant"), None
    content = shown.get("text", "")
    if shown["type"] == "tool":
        tool = shown["tool"]
        role, tool_name = "tool", tool["name"]
        content = tool.get("command") or tool.get("stdout") or tool["name"]
    elif shown["type"] in {"automation", "error"}:
        role = "system"
        content = content or shown.get("command", "")
    return {
        "id": shown["id"],
        "sessionId": session_id,
        "role": role,
        "type": kinds.get(shown["type"], "text"),
        "content": content,
        "toolName": tool_name,
        "createdAt": shown["timestamp"],
    }


def turn_message(row: models.Turn) -> AgentMessage:
    """This will show a person's message that waits for its turn."""
    return {
        "id": row.public_id,
        "sessionId": ids.encode("sess", row.attempt_id),
        "role": "user",
        "type": "text",
        "content": row.prompt,
        "toolName": None,
        "createdAt": moment(row.created_at),
    }


def active_agents(rows: Iterable[models.Attempt]) -> list[ActiveAgent]:
    """This will show the agents at work (read with their cards)."""
    return [
        {
            "cardId": ids.encode("card", row.card_id),
            "cardTitle": row.card.title,
            "status": rest_spelling(row.status, row.waiting_for),
        }
        for row in rows
    ]
