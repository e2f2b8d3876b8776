"""Columns come, change and go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction

from apps.boards import events, locks, queries, rules
from apps.boards.models import AgentMode, Board, Card, Column, ColumnType
from apps.core import problems, ranks

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from apps.core.actors import Actor

EDITABLE = ("name", "prompt", "agent_mode", "skill_name", "wip_limit")


@transaction.atomic
def create_column(
    *,
    actor: Actor,
    board: Board,
    name: str,
    column_type: str,
    prompt: str = "",
    agent_mode: str | None = None,
    skill_name: str = "",
    wip_limit: int | None = None,
) -> Column:
    """This will put a new column at the right end of a board.

    An active column starts coding agents unless another mode is named; no other type has a mode.
    """
    (locked,) = locks.lock_boards(board.pk)
    rules.require_editor(actor, locked.project)
    last = locked.columns.order_by("-rank").values_list("rank", flat=True).first()
    column = Column.objects.create(
        board=locked,
        name=name,
        column_type=column_type,
        agent_mode=mode_of(column_type, agent_mode),
        prompt=prompt,
        skill_name=skill_name,
        wip_limit=wip_limit,
        rank=ranks.between(last, None),
    )
    events.columns_changed("column.created", locked, actor=actor, column_id=column.pk)
    return column


def mode_of(column_type: str, agent_mode: str | None) -> str:
    """This will give a column's agent mode; ValidationFailed where its type has none."""
    if column_type != ColumnType.ACTIVE:
        if agent_mode not in {None, AgentMode.NONE}:
            raise problems.ValidationFailed.of(
                "agentMode", "Only active columns have an agent mode."
            )
        return AgentMode.NONE
    return agent_mode or AgentMode.CODE


@transaction.atomic
def update_column(*, actor: Actor, column: Column, changes: dict[str, Any]) -> Column:
    """This will change a column (`EDITABLE`); its type is for ever."""
    (board,) = locks.lock_boards(column.board_id)
    rules.require_editor(actor, board.project)
    column.refresh_from_db()
    if "agent_mode" in changes:
        changes = {**changes, "agent_mode": mode_of(column.column_type, changes["agent_mode"])}
    changed = [
        field for field in EDITABLE if field in changes and getattr(column, field) != changes[field]
    ]
    if not changed:
        return column
    for field in changed:
        setattr(column, field, changes[field])
    column.save(update_fields=[*changed, "updated_at"])
    events.columns_changed("column.updated", board, actor=actor, column_id=column.pk)
    return column


@transaction.atomic
def delete_column(*, actor: Actor, column: Column) -> None:
    """This will delete an empty column; 409 while it holds cards or is the board's last one."""
    (board,) = locks.lock_boards(column.board_id)
    rules.require_editor(actor, board.project)
    if column.cards.exists():
        message = "The column still holds cards. Move or delete them first."
        raise problems.Conflict(message)
    if board.columns.count() == 1:
        message = "A board keeps at least one column."
        raise problems.Conflict(message)
    column_id = column.pk
    _drop_steps(column)
    column.delete()
    events.columns_changed("column.deleted", board, actor=actor, column_id=column_id)


def _drop_steps(column: Column) -> None:
    """Cards that were to visit a column visit it no longer."""
    cards = [
        card
        for card in Card.objects.select_for_update().filter(board_id=column.board_id).order_by("pk")
        if any(step.get("columnId") == column.public_id for step in card.pipeline)
    ]
    for card in cards:
        card.pipeline = [step for step in card.pipeline if step["columnId"] != column.public_id]
    Card.objects.bulk_update(cards, ["pipeline"])


@transaction.atomic
def reorder_columns(*, actor: Actor, board: Board, column_ids: Sequence[UUID]) -> list[Column]:
    """This will order a board's columns; the ids must be exactly the board's."""
    (locked,) = locks.lock_boards(board.pk)
    rules.require_editor(actor, locked.project)
    columns = {column.pk: column for column in queries.columns_of(locked)}
    if sorted(column_ids) != sorted(columns):
        raise problems.ValidationFailed.of("ids", "Give every column of the board exactly once.")
    ordered = [columns[column_id] for column_id in column_ids]
    for column, rank in zip(ordered, ranks.sequence(len(ordered)), strict=True):
        column.rank = rank
    Column.objects.bulk_update(ordered, ["rank"])
    events.columns_changed("column.reordered", locked, actor=actor)
    return ordered
