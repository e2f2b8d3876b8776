"""What agents tell the journal: one function a kind, on the topic of the attempt's board.

The keys are those of the messages clients hear, and what changes the attempt itself carries it
whole as `attempt`: whoever holds a board's snapshot follows by replacing it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from apps.agents import outputs
from apps.agents.states import BOARD_SPELLING
from apps.boards import outputs as board_outputs
from apps.core import events, ids

if TYPE_CHECKING:
    from collections.abc import Sequence

    from apps.agents import models
    from apps.core.actors import Actor
    from apps.core.models import Event

ITEM_KIND = "attempt.conversed"


def _record(of: models.Attempt, kind: str, /, *, actor: Actor, **data: Any) -> Event:
    return events.record(
        topic=board_outputs.board_topic(of.board_id),
        kind=kind,
        data={**place_of(of), **data},
        actor=actor,
    )


def place_of(attempt: models.Attempt) -> dict[str, str]:
    """This will be the ids every message about an attempt carries."""
    return {
        "projectId": ids.encode("proj", attempt.project_id),
        "boardId": ids.encode("board", attempt.board_id),
        "cardId": ids.encode("card", attempt.card_id),
        "attemptId": attempt.public_id,
    }


def _status(attempt: models.Attempt) -> dict[str, Any]:
    return {
        "status": BOARD_SPELLING[attempt.status],
        "state": attempt.status,
        "waitingFor": attempt.waiting_for or None,
        "reason": attempt.reason or None,
        "detail": attempt.detail or None,
        "attempt": outputs.attempt(attempt),
    }


def attempt_queued(attempt: models.Attempt, *, position: int, actor: Actor) -> Event:
    """This will tell of an attempt in line; position 0 means that it has a slot and starts."""
    return _record(
        attempt,
        "attempt.queued",
        actor=actor,
        **_status(attempt),
        admitted=attempt.dispatched_at is not None,
        position=position,
    )


def attempt_started(attempt: models.Attempt, *, turn: int, actor: Actor) -> Event:
    """This will tell that an agent begins a turn."""
    return _record(attempt, "attempt.started", actor=actor, **_status(attempt), turn=turn)


def attempt_status_changed(attempt: models.Attempt, *, actor: Actor) -> Event:
    """This will tell of an attempt's new state."""
    return _record(attempt, "attempt.status_changed", actor=actor, **_status(attempt))


def attempt_completed(attempt: models.Attempt, *, actor: Actor) -> Event:
    """This will tell that an attempt is over, however it ended."""
    return _record(attempt, "attempt.completed", actor=actor, **_status(attempt))


def attempt_logged(
    attempt: models.Attempt, lines: Sequence[models.AttemptLog], *, actor: Actor
) -> Event:
    """This will tell of a batch of log lines."""
    return _record(
        attempt, "attempt.logged", actor=actor, logs=[outputs.log(line) for line in lines]
    )


def attempt_conversed(
    attempt: models.Attempt, items: Sequence[models.Item], *, actor: Actor
) -> Event:
    """This will tell of a batch of conversation items, new and changed, in their order."""
    return _record(attempt, ITEM_KIND, actor=actor, items=[outputs.item(item) for item in items])


def attempt_session_recorded(attempt: models.Attempt, *, actor: Actor) -> Event:
    """This will tell the agent's own session id and what it offers."""
    return _record(
        attempt,
        "attempt.session_recorded",
        actor=actor,
        sessionId=attempt.session_id,
        session=attempt.session_info,
        attempt=outputs.attempt(attempt),
    )


def attempt_todos_updated(attempt: models.Attempt, *, actor: Actor) -> Event:
    """This will tell the agent's list of steps."""
    return _record(
        attempt,
        "attempt.todos_updated",
        actor=actor,
        todos=outputs.todos(attempt),
        attempt=outputs.attempt(attempt),
    )


def attempt_approval_requested(
    attempt: models.Attempt, approval: models.Approval, *, actor: Actor
) -> Event:
    """This will tell that the agent asks a person."""
    return _approval(attempt, approval, "attempt.approval_requested", actor=actor)


def attempt_approval_answered(
    attempt: models.Attempt, approval: models.Approval, *, actor: Actor
) -> Event:
    """This will tell that a question was answered or withdrawn."""
    return _approval(attempt, approval, "attempt.approval_answered", actor=actor)


def _approval(
    attempt: models.Attempt, approval: models.Approval, kind: str, *, actor: Actor
) -> Event:
    card_id = ids.encode("card", attempt.card_id)
    return _record(attempt, kind, actor=actor, approval=outputs.approval(approval, card_id=card_id))


def attempt_plan_proposed(
    attempt: models.Attempt, approval: models.Approval, *, actor: Actor
) -> Event:
    """This will tell that a plan waits for approval."""
    return _record(
        attempt,
        "attempt.plan_proposed",
        actor=actor,
        approvalId=approval.public_id,
        plan=str(approval.request.get("text", "")),
    )


def attempt_usage_updated(attempt: models.Attempt, *, actor: Actor) -> Event:
    """This will tell what the model used so far."""
    return _record(
        attempt,
        "attempt.usage_updated",
        actor=actor,
        usage=outputs.usage(attempt),
        attempt=outputs.attempt(attempt),
    )


def attempt_context_filled(
    attempt: models.Attempt, *, percent: int, threshold: int, mode: str, actor: Actor
) -> Event:
    """This will tell once that an agent's context is nearly full; `mode` says what then happens."""
    return _record(
        attempt,
        "attempt.context_filled",
        actor=actor,
        contextUsage=percent,
        threshold=threshold,
        mode=mode,
        attempt=outputs.attempt(attempt),
    )


def attempt_summary_asked(attempt: models.Attempt, *, actor: Actor) -> Event:
    """This will tell the workers that somebody waits for a session's summary."""
    return _record(attempt, "attempt.summary_asked", actor=actor)


def git_status_changed(attempt: models.Attempt, *, actor: Actor) -> Event:
    """This will tell that the worktree's changes are others now."""
    return _record(
        attempt,
        "git.status_changed",
        actor=actor,
        stats=outputs.stats(attempt),
        attempt=outputs.attempt(attempt),
    )


def git_committed(
    attempt: models.Attempt, commit: outputs.GitCommit, *, ts: str, actor: Actor
) -> Event:
    """This will tell of a commit we made; `ts` is an ISO time."""
    return _record(attempt, "git.committed", actor=actor, **commit, ts=ts)


def git_merged(attempt: models.Attempt, merge: outputs.Merge, *, ts: str, actor: Actor) -> Event:
    """This will tell that the base branch has the attempt's work now."""
    return _record(
        attempt, "git.merged", actor=actor, **merge, ts=ts, attempt=outputs.attempt(attempt)
    )


def terminal_opened(
    attempt: models.Attempt, *, terminal_id: str, command: str, actor: Actor
) -> Event:
    """This will tell that the agent opened a terminal in the worktree."""
    return _record(
        attempt,
        "terminal.opened",
        actor=actor,
        worktreePath=attempt.worktree_path,
        terminalId=terminal_id,
        command=command,
    )


def terminal_closed(
    attempt: models.Attempt, *, terminal_id: str, reason: str, actor: Actor
) -> Event:
    """This will tell that a terminal's program is over."""
    return _record(attempt, "terminal.closed", actor=actor, terminalId=terminal_id, reason=reason)


def credential_changed(kind: str, credential: models.Credential, *, actor: Actor) -> Event:
    """This will tell the server of a credential, `credential.created` and its like: no secrets."""
    return events.record(
        topic="server",
        kind=kind,
        data={"id": credential.public_id, "credential": outputs.credential_row(credential)},
        actor=actor,
    )
