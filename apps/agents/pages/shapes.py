"""What the templates of cards and attempts are given: outputs, and words for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.utils import timezone

from apps.accounts import queries as account_queries
from apps.accounts.models import ServerSettings
from apps.agents import outputs, queries, registry
from apps.agents.models import Approval
from apps.agents.states import REMEDIES, Status
from apps.boards import outputs as board_outputs
from apps.core import ids

if TYPE_CHECKING:
    from collections.abc import Sequence

    from apps.agents.models import Attempt, Item
    from apps.boards.models import Card

Shape = dict[str, Any]

NEWEST_ITEMS = 200


def agent(key: str) -> Shape:
    """This will name an agent for people."""
    preset = registry.find_preset(key)
    return {"key": key, "label": preset.label if preset else key}


def agents() -> list[Shape]:
    """This will list the agents that can be chosen: what is installed, and what is not."""
    return [
        {
            "key": found["id"],
            "label": found["label"],
            "available": found["available"],
            "reason": "" if found["available"] else found["detail"] or "Not installed",
        }
        for found in registry.agents().values()
        if found["id"] != "custom"
    ]


def attempt(row: Attempt, *, queue_position: int | None = None) -> Shape:
    """This will show an attempt with its exact state and its failure in words."""
    shown = outputs.attempt(row)
    happened, remedy = REMEDIES.get(row.reason, ("", ""))
    ended = row.ended_at or timezone.now()
    return {
        **shown,
        "status": row.status,
        "agent": agent(row.agent),
        "queueReason": row.detail,
        "queuePosition": queue_position,
        "failureReason": row.reason,
        "failureText": row.detail or happened,
        "remedy": remedy,
        "elapsedSeconds": int((ended - row.started_at).total_seconds()) if row.started_at else 0,
        "canMessage": row.status != Status.STOPPING,
        "canStop": row.is_active,
        "canRetry": not row.is_active,
    }


def relay(row: Attempt) -> Shape:
    """This will tell how full a card's newest session is, and what can be asked of it."""
    server = account_queries.server_settings()
    percent = queries.context_percent(row)
    can_relay = bool(row.session_id) and server.relay_mode != ServerSettings.Relay.OFF
    full = percent is not None and percent >= server.relay_threshold
    return {
        "percent": percent,
        "mode": server.relay_mode,
        "canRelay": can_relay and row.status != Status.STOPPING,
        "isFull": can_relay and full and row.status != Status.STOPPING,
        "canSummarize": bool(row.session_id) and not row.is_active,
    }


def approval(row: Approval) -> Shape:
    """This will show a question of the agent to a person."""
    request = row.request
    detail = request.get("command") or request.get("plan") or request.get("text") or ""
    return {
        "id": row.public_id,
        "attemptId": ids.encode("sess", row.attempt_id),
        "kind": row.kind,
        "title": row.title,
        "detail": detail,
        "path": request.get("path", ""),
        "options": request.get("options", []),
        "status": row.status,
        "feedback": row.feedback,
        "createdAt": row.created_at,
    }


def items(rows: Sequence[Item]) -> list[Shape]:
    """This will show conversation items."""
    return [dict(outputs.item(row)) for row in rows]


def run(row: Attempt) -> Shape:
    """This will show an attempt's transcript: its newest items, its questions and its queue."""
    newest = queries.newest_items(row, limit=NEWEST_ITEMS)
    return {
        "items": items(newest),
        "lastSeq": row.last_seq,
        "hasOlder": bool(newest) and newest[0].position > 0,
        "todos": outputs.todos(row),
        "approvals": [approval(one) for one in queries.pending_approvals(row)],
        "queue": [
            outputs.queued_message(turn) for turn in queries.queued_turns(row) if turn.number > 1
        ],
    }


def card(shown: board_outputs.Card, newest: Attempt | None, *, unread: bool = False) -> Shape:
    """This will show a card on a board with what its newest attempt adds."""
    extra: Shape = {"hasUnread": unread}
    if newest is not None:
        happened = REMEDIES.get(newest.reason, ("", ""))[0]
        extra |= {
            "attemptId": newest.public_id,
            "agent": agent(newest.agent),
            "agentStatus": newest.status,
            "waitingFor": newest.waiting_for,
            "queueReason": newest.detail if newest.status == Status.QUEUED else "",
            "failureText": newest.detail or happened,
            "stats": {**shown["stats"], "costUsd": float(newest.cost_usd) or None},
        }
    return {**shown, **extra}


def card_detail(row: Card, newest: Attempt | None) -> Shape:
    """This will show one card for its drawer."""
    shown = board_outputs.card_detail(row)
    return card(shown, newest) | {"description": row.prompt}
