"""Cards change places."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from apps.boards import events, locks, queries, rules
from apps.boards.models import Card, Column, ColumnType
from apps.boards.operations import cards as card_operations
from apps.core import problems, ranks

if TYPE_CHECKING:
    from uuid import UUID

    from apps.core.actors import Actor


# Far beyond any column, and small enough for every database.
MOST_PLACES = 1_000_000
# A card in auto mode that comes to a column this often goes round in circles.
MOST_VISITS = 3


@transaction.atomic
def move_card(*, actor: Actor, card: Card, column_id: UUID, position: int | None = None) -> Card:
    """This will put a card at a zero-based place of a column; one row is written.

    Without `position` it goes to the end; a place beyond the ends is the nearest end. The column
    may be on another board of the same project. A card that waits for others does not enter a
    column that starts an agent (409 CARD_BLOCKED). Entering a done column completes the card.
    """
    target = locks.lock_column(column_id, card=card)
    if target is None:
        raise problems.ValidationFailed.of(
            "columnId", "This is not a column of the card's project."
        )
    moved = locks.lock_card(card.pk)
    if moved.board_id != card.board_id:
        raise problems.Conflict("Somebody else moved this card to another board. Try again.")
    rules.require_editor(actor, moved.project)
    source = moved.column
    enters = source.pk != target.pk
    if enters and rules.starts_agent(target) and not actor.is_system:
        require_unblocked(moved)
    moved.rank, index = _place(target, position, moved)
    moved.column = target
    fields = ["rank", "column", "updated_at"]
    was_auto = moved.is_auto_mode
    if enters:
        fields += _enter(moved, target)
    circles = was_auto and not moved.is_auto_mode and target.column_type != ColumnType.DONE
    if source.board_id != target.board_id:
        _to_another_board(moved, source, index, fields, actor)
    else:
        moved.save(update_fields=fields)
        events.card_moved(moved, from_column_id=source.pk, position=index, actor=actor)
    if circles:
        detail = f"The card came to “{target.name}” {MOST_VISITS} times."
        events.auto_mode_ended(moved, reason="visited_often", detail=detail, actor=actor)
    if source.board_id != target.board_id:
        return moved
    if (source.column_type == ColumnType.DONE) != (target.column_type == ColumnType.DONE):
        for dependent in _dependents_of(moved):
            events.card_updated(dependent, changes=["blocked"], actor=actor)
    return moved


def require_unblocked(card: Card) -> None:
    """This will raise Conflict CARD_BLOCKED while a card it waits for is not done."""
    waits_for = queries.open_dependencies_of(card)
    if waits_for:
        keys = ", ".join(other.key for other in waits_for)
        raise problems.Conflict(
            f"This card waits for {keys}.",
            code="CARD_BLOCKED",
            blockedBy=[other.public_id for other in waits_for],
        )


def _place(column: Column, position: int | None, card: Card) -> tuple[str, int]:
    """The rank and the clamped index for a place among the column's other cards."""
    others = Card.objects.filter(column=column).order_by("rank")
    if card.column_id == column.pk:
        # By its rank: so the places are counted in the index alone.
        others = others.exclude(rank=card.rank)
    all_ranks = others.values_list("rank", flat=True)
    place = min(max(position, 0), MOST_PLACES) if position is not None else None
    if place == 0:
        before, after = None, all_ranks.first()
        index = 0
    else:
        window = list(all_ranks[place - 1 : place + 1]) if place is not None else []
        if window:
            before, after = window[0], window[1] if len(window) > 1 else None
            index = place or 0
        else:
            before, after = all_ranks.last(), None
            index = others.count()
    rank = ranks.between(before, after)
    if len(rank) > ranks.MAX_LENGTH:
        return _renumber(others, index), index
    return rank, index


def _renumber(others: object, index: int) -> str:
    """Fresh short ranks for a whole column, and the one left free at `index`."""
    rows = list(others)  # type: ignore[call-overload]
    # All after the present last one: no fresh rank can meet an old one while rows are written.
    fresh = ranks.sequence(len(rows) + 1, after=max((row.rank for row in rows), default=None))
    free = fresh.pop(index)
    for row, rank in zip(rows, fresh, strict=True):
        row.rank = rank
    Card.objects.bulk_update(rows, ["rank"], batch_size=500)
    return free


def _enter(card: Card, column: Column) -> list[str]:
    """What entering a column does to the card itself; the fields that were touched."""
    card.last_activity_at = timezone.now()
    # What waited for approval was the step the card leaves.
    card.awaiting_approval = False
    if column.column_type == ColumnType.DONE:
        card.completed_at = card.completed_at or timezone.now()
        card.is_auto_mode = False
    else:
        card.completed_at = None
    if card.is_auto_mode:
        visits = card.column_visits.get(column.public_id, 0) + 1
        card.column_visits = {**card.column_visits, column.public_id: visits}
        card.is_auto_mode = visits < MOST_VISITS
    return [
        "last_activity_at",
        "completed_at",
        "is_auto_mode",
        "awaiting_approval",
        "column_visits",
    ]


def _to_another_board(
    card: Card, source: Column, index: int, fields: list[str], actor: Actor
) -> None:
    """Dependencies and steps stay within a board, so the card's end; both boards are told.

    The events come in the order of the topics' names, since each holds its topic's row.
    """
    dependents = _dependents_of(card)
    card.dependencies.all().delete()
    card.dependents.all().delete()
    card.board = card.column.board
    card.pipeline = []
    card.save(update_fields=[*fields, "board", "pipeline"])

    def leave() -> None:
        events.card_deleted(
            project_id=card.project_id,
            board_id=source.board_id,
            card_id=card.pk,
            column_id=source.pk,
            actor=actor,
        )
        for dependent in dependents:
            events.card_updated(dependent, changes=["dependsOn", "blocked"], actor=actor)

    def arrive() -> None:
        events.card_created(card, position=index, actor=actor)

    first, second = (leave, arrive) if source.board_id < card.board_id else (arrive, leave)
    first()
    second()


def _dependents_of(card: Card) -> list[Card]:
    return list(
        Card.objects.select_related("project", "board", "column")
        .filter(dependencies__depends_on=card)
        .order_by("number")
    )


@transaction.atomic
def complete_card(*, actor: Actor, card: Card) -> Card:
    """This will put a card on top of its board's first done column, unless it is done already.

    On a board without such a column the card is done where it stands.
    """
    rules.require_editor(actor, card.project)
    column = (
        Column.objects.filter(board_id=card.board_id, column_type=ColumnType.DONE)
        .order_by("rank", "pk")
        .first()
    )
    if column is not None and card.column.column_type != ColumnType.DONE:
        return move_card(actor=actor, card=card, column_id=column.pk, position=0)
    locked = locks.lock_card(card.pk)
    if locked.completed_at and not locked.is_auto_mode and not locked.awaiting_approval:
        return locked
    locked.completed_at = locked.completed_at or timezone.now()
    locked.is_auto_mode = False
    locked.awaiting_approval = False
    locked.last_activity_at = timezone.now()
    locked.save(
        update_fields=[
            "completed_at",
            "is_auto_mode",
            "awaiting_approval",
            "last_activity_at",
            "updated_at",
        ]
    )
    changes = ["completedAt", "isAutoMode", "awaitingApproval"]
    events.card_updated(locked, changes=changes, actor=actor)
    return locked


@transaction.atomic
def activate_card(*, actor: Actor, card: Card) -> Card:
    """This will end a card's deferral (409 NOT_DEFERRED when there is none)."""
    locked = locks.lock_card(card.pk)
    if not locked.is_deferred:
        rules.require_editor(actor, locked.project)
        message = "This card is not deferred."
        raise problems.Conflict(message, code="NOT_DEFERRED")
    if rules.starts_agent(locked.column):
        require_unblocked(locked)
    return card_operations.update_card(actor=actor, card=locked, changes={"is_deferred": False})
