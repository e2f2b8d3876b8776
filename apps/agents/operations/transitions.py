"""The one function that changes an attempt's state.

Rows are locked in one order everywhere: the line of admission, the board, the card, the attempt;
topics of the journal come last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone

from apps.agents import events
from apps.agents.models import Attempt, Turn
from apps.agents.states import ACTIVE, FINAL, Status, WaitingFor, rest_spelling, sources_of
from apps.boards import locks
from apps.boards import operations as board_operations
from apps.boards import queries as board_queries
from apps.boards import rules as board_rules
from apps.boards.models import Card, ColumnKey, ColumnType
from apps.core import problems

if TYPE_CHECKING:
    from uuid import UUID

    from apps.core.actors import Actor


class OutOfTurn(problems.Conflict):
    """The attempt is not where it would have to be: somebody else moved it first."""

    default_code = "STALE"
    default_detail = "The attempt is in another state by now."


def hold(attempt: Attempt, *, board: bool = False) -> Attempt:
    """This will lock the attempt's card (and board, where the card may move), then the attempt."""
    if board:
        locks.lock_boards(attempt.board_id)
    locks.lock_card(attempt.card_id)
    held = (
        Attempt.objects.select_for_update(of=("self",))
        .select_related("project", "board", "card__column", "started_by")
        .filter(pk=attempt.pk)
        .first()
    )
    if held is None:
        message = "Attempt not found."
        raise problems.NotFound(message)
    return held


@transaction.atomic
def transition(
    *,
    actor: Actor,
    attempt: Attempt,
    to: Status,
    epoch: int | None = None,
    new_epoch: int | None = None,
    **fields: Any,
) -> Attempt:
    """This will move an attempt to another state, and tell its card and the journal.

    A conditional update: OutOfTurn when the attempt is in a state that `to` may not follow, or in
    another epoch than the given one. `new_epoch` takes it from whoever ran it. `fields` are
    further columns of the attempt.
    """
    locks.lock_card(attempt.card_id)
    rows = Attempt.objects.filter(pk=attempt.pk, status__in=sources_of(to))
    if epoch is not None:
        rows = rows.filter(epoch=epoch)
    now = timezone.now()
    values: dict[str, Any] = {"waiting_for": "", "reason": "", "detail": "", "resume_at": None}
    if to in FINAL:
        values |= {"ended_at": now, "live_line": ""}
    if to in FINAL or to in {Status.PAUSED, Status.QUEUED}:
        values |= {"lease_owner": "", "lease_expires_at": None, "dispatched_at": None}
    values |= fields
    values |= {"status": to, "updated_at": now}
    if new_epoch is not None:
        values["epoch"] = new_epoch
    if rows.update(**values) == 0:
        raise OutOfTurn
    moved = read(attempt.pk)
    if to in FINAL:
        _close_turns(moved, to)
    show(moved, actor=actor)
    _tell(moved, actor=actor)
    return moved


def read(attempt_id: UUID) -> Attempt:
    """This will read an attempt with what is shown of it."""
    return Attempt.objects.select_related("project", "board", "card__column", "started_by").get(
        pk=attempt_id
    )


def _close_turns(attempt: Attempt, to: Status) -> None:
    now = timezone.now()
    attempt.turns.filter(status=Turn.Status.RUNNING).update(
        status=Turn.Status.DONE, ended_at=now, updated_at=now
    )
    if to == Status.STOPPED:
        attempt.turns.filter(status=Turn.Status.QUEUED).update(
            status=Turn.Status.CANCELLED, ended_at=now, updated_at=now
        )


def _tell(attempt: Attempt, *, actor: Actor) -> None:
    if attempt.status == Status.QUEUED:
        return  # whoever puts it in line tells its place as well
    events.attempt_status_changed(attempt, actor=actor)
    if attempt.status in FINAL:
        events.attempt_completed(attempt, actor=actor)


def show(attempt: Attempt, *, actor: Actor) -> None:
    """This will show on the card what its newest attempt does."""
    if Attempt.objects.filter(card_id=attempt.card_id, number__gt=attempt.number).exists():
        return
    board_operations.show_agent(
        actor=actor,
        card_id=attempt.card_id,
        agent_status=rest_spelling(attempt.status, attempt.waiting_for),
        has_active_agent=attempt.status in ACTIVE,
        live_line=attempt.live_line if attempt.status in ACTIVE else "",
        branch_name=attempt.branch,
        insertions=attempt.insertions,
        deletions=attempt.deletions,
        # Set by whoever asks for approval; it falls with the question.
        awaiting_approval=attempt.card.awaiting_approval
        and attempt.status == Status.WAITING
        and attempt.waiting_for == WaitingFor.PLAN,
    )


def move_to_work(attempt: Attempt, *, actor: Actor) -> None:
    """This will put the card where agents work, unless it stands in such a column already."""
    card = _card(attempt)
    if not board_rules.starts_agent(card.column):
        _move(card, ColumnKey.IN_PROGRESS, actor=actor)


def move_to_review(attempt: Attempt, *, actor: Actor) -> None:
    """This will put a card whose agent succeeded where people look at it.

    Only from a column where agents work: a person who has moved it elsewhere knows better.
    """
    card = _card(attempt)
    if board_rules.starts_agent(card.column) and not card.is_auto_mode:
        _move(card, ColumnKey.REVIEW, actor=actor)


def move_to_done(attempt: Attempt, *, actor: Actor) -> None:
    """This will put a card whose work was merged where finished cards are."""
    card = _card(attempt)
    if card.column.column_type not in {ColumnType.DONE, ColumnType.ARCHIVE}:
        board_operations.complete_card(actor=actor, card=card)


def _card(attempt: Attempt) -> Card:
    return Card.objects.select_related("project", "board", "column").get(pk=attempt.card_id)


def _move(card: Card, key: ColumnKey, *, actor: Actor) -> None:
    target = board_queries.column_by_key(card.board_id, key)
    if target is not None and target.pk != card.column_id:
        board_operations.move_card(actor=actor, card=card, column_id=target.pk)
