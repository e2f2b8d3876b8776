"""How attempts are shown to boards and pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from apps.agents import queries
from apps.agents.outputs.shapes import (
    Approval,
    Attempt,
    AttemptDetail,
    ConversationItem,
    DiffStats,
    Log,
    QueuedMessage,
    TodoItem,
    Todos,
    Usage,
)
from apps.agents.states import BOARD_SPELLING, REMEDIES
from apps.core import ids
from apps.core.moments import moment

if TYPE_CHECKING:
    from apps.agents import models
    from apps.boards.models import Board


def todos(row: models.Attempt) -> Todos:
    """This will show an attempt's steps, counted anew."""
    items: list[TodoItem] = [
        {
            "id": str(item["id"]),
            "text": str(item["text"]),
            "status": "done" if item.get("status") == "completed" else "open",
        }
        for item in row.todos
    ]
    done = sum(item["status"] == "done" for item in items)
    return {"total": len(items), "completed": done, "items": items}


def usage(row: models.Attempt) -> Usage:
    """This will show what the model used."""
    return {
        "contextUsed": row.context_used,
        "contextSize": row.context_size,
        "inputTokens": row.input_tokens,
        "outputTokens": row.output_tokens,
        "costUsd": float(row.cost_usd) if row.cost_usd else None,
    }


def stats(row: models.Attempt) -> DiffStats:
    """This will show how much the branch changes."""
    return {
        "filesChanged": row.files_changed,
        "insertions": row.insertions,
        "deletions": row.deletions,
    }


def attempt(row: models.Attempt) -> Attempt:
    """This will show an attempt; it runs no query."""
    remedy = REMEDIES.get(row.reason)
    return {
        "id": row.public_id,
        "projectId": ids.encode("proj", row.project_id),
        "boardId": ids.encode("board", row.board_id),
        "cardId": ids.encode("card", row.card_id),
        "number": row.number,
        "agent": row.agent,
        "profileId": ids.encode("prof", row.profile_id) if row.profile_id else None,
        "mode": row.mode,
        "status": BOARD_SPELLING[row.status],
        "state": row.status,
        "waitingFor": row.waiting_for or None,
        "reason": row.reason or None,
        "remedy": remedy[1] if remedy else None,
        "detail": row.detail or (remedy[0] if remedy else None),
        "resumeAt": moment(row.resume_at) if row.resume_at else None,
        "baseBranch": row.base_branch,
        "branchName": row.branch,
        "worktreePath": row.worktree_path or None,
        "sessionId": row.session_id or None,
        "sandbox": row.sandbox_level or None,
        "backupRef": row.backup_ref or None,
        "mergedSha": row.merged_sha or None,
        "todos": todos(row),
        "liveLine": row.live_line or None,
        "summary": row.summary or None,
        "usage": usage(row),
        "stats": stats(row),
        "queuedAt": moment(row.queued_at),
        "startedAt": moment(row.started_at) if row.started_at else None,
        "endedAt": moment(row.ended_at) if row.ended_at else None,
        "createdAt": moment(row.created_at),
        "updatedAt": moment(row.updated_at),
    }


def item(row: models.Item) -> ConversationItem:
    """This will show one conversation item."""
    shown = {
        "id": row.public_id,
        "type": row.type,
        **row.data,
        "position": row.position,
        "seq": row.seq,
        "turn": row.turn_number,
    }
    shown.setdefault("timestamp", moment(row.created_at))
    return cast("ConversationItem", shown)


def log(row: models.AttemptLog) -> Log:
    """This will show one log line."""
    attempt_id = ids.encode("sess", row.attempt_id)
    return {
        "id": f"{attempt_id}-{row.seq}",
        "attemptId": attempt_id,
        "ts": moment(row.ts),
        "level": row.level,
        "message": row.message,
    }


def approval(row: models.Approval, *, card_id: str) -> Approval:
    """This will show a question; `card_id` is the card's outside id."""
    return {
        "id": row.public_id,
        "attemptId": ids.encode("sess", row.attempt_id),
        "cardId": card_id,
        "kind": row.kind,
        "title": row.title,
        "request": row.request,
        "status": row.status,
        "decision": row.decision or None,
        "feedback": row.feedback or None,
        "createdAt": moment(row.created_at),
        "answeredAt": moment(row.answered_at) if row.answered_at else None,
    }


def queued_message(row: models.Turn) -> QueuedMessage:
    """This will show a prompt that is in line."""
    return {"id": row.public_id, "text": row.prompt, "createdAt": moment(row.created_at)}


def attempt_detail(
    row: models.Attempt, *, queue_position: int | None, since_seq: int = 0
) -> AttemptDetail:
    """This will show an attempt with everything in it, in five statements."""
    card_id = ids.encode("card", row.card_id)
    return {
        "attempt": attempt(row),
        "queuePosition": queue_position,
        "logs": [log(line) for line in queries.logs_of(row)],
        "conversation": [item(one) for one in queries.items_of(row, since_seq=since_seq)],
        "todos": todos(row),
        "approvals": [approval(one, card_id=card_id) for one in queries.approvals_of(row)],
        "queuedMessages": [
            queued_message(turn) for turn in queries.queued_turns(row) if turn.number > 1
        ],
        "lastSeq": row.last_seq,
    }


def board_attempts(board: Board) -> dict[str, Attempt]:
    """This will be the snapshot's part `attempts`: the newest of each card, in one statement."""
    return {
        ids.encode("card", row.card_id): attempt(row)
        for row in queries.newest_attempts_of_board(board)
    }
