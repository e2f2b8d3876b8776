"""How cards are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from apps.boards import queries
from apps.boards.models import ColumnType
from apps.boards.outputs.around import Around, around
from apps.boards.outputs.shapes import (
    Attachment,
    Card,
    CardDetail,
    CardStatus,
    NewCard,
    Person,
    Pipeline,
)
from apps.core import ids
from apps.core.moments import moment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from apps.accounts.models import User
    from apps.boards import models


LAST_SHOWN = "_last_shown"


def card_status(row: models.Card) -> CardStatus:
    """This will tell where a card stands."""
    return {
        "id": row.public_id,
        "title": row.title,
        "columnName": row.column.name,
        "hasActiveAgent": row.has_active_agent,
    }


def new_card(row: models.Card) -> NewCard:
    """This will show a card just made."""
    return {
        "id": row.public_id,
        "title": row.title,
        "projectId": ids.encode("proj", row.project_id),
        "columnId": ids.encode("col", row.column_id),
        "position": queries.position_of(row),
    }


def pipeline(row: models.Card) -> Pipeline:
    """This will show the columns a card visits: its own choice, else its board's in order."""
    columns = queries.columns_of(row.board)
    by_id = {column.public_id: column for column in columns}
    chosen = [step for step in row.pipeline if step["columnId"] in by_id] or [
        {"columnId": column.public_id, "prompt": "", "enabled": True}
        for column in columns
        if column.column_type != ColumnType.ARCHIVE
    ]
    return {
        "steps": [
            {
                "columnId": step["columnId"],
                "columnName": by_id[step["columnId"]].name,
                "prompt": step["prompt"] or by_id[step["columnId"]].prompt,
                "enabled": step["enabled"],
            }
            for step in chosen
        ]
    }


def card_row(
    row: models.Card,
    *,
    position: int,
    dependencies: Sequence[tuple[UUID, bool]],
    assignees: list[Person],
) -> Card:
    """This will show a card from what was read for it; it runs no query itself."""
    shown: Card = {
        "id": row.public_id,
        "ticketKey": row.key,
        "title": row.title,
        "projectId": ids.encode("proj", row.project_id),
        "boardId": ids.encode("board", row.board_id),
        "columnId": ids.encode("col", row.column_id),
        "position": position,
        "ticketType": row.ticket_type or None,
        "priority": row.priority,
        "labels": row.labels,
        "assignees": assignees,
        "isEnhanced": row.is_enhanced,
        "disableAutoCloseOnPRMerge": row.disable_auto_close_on_pr_merge,
        "isAutoMode": row.is_auto_mode,
        "isDeferred": row.is_deferred,
        "awaitingApproval": row.awaiting_approval,
        "credentialId": ids.encode("cred", row.credential_id) if row.credential_id else None,
        "dependsOn": [ids.encode("card", other) for other, _done in dependencies],
        "blocked": not all(done for _other, done in dependencies),
        "hasActiveAgent": row.has_active_agent,
        "agentStatus": row.agent_status or None,
        "liveLine": row.live_line or None,
        "branchName": row.branch_name or None,
        "stats": {"insertions": row.insertions, "deletions": row.deletions},
        "createdAt": moment(row.created_at),
        "updatedAt": moment(row.updated_at),
    }
    if row.prompt:
        shown["description"] = row.prompt
    return shown


def card(row: models.Card, *, position: int | None = None, viewer: User | None = None) -> Card:
    """This will show one card; without `position` its place is counted.

    What `card_detail` shows beside it to `viewer` is read along the way, and kept for it.
    """
    found = around(row, viewer)
    shown = card_row(
        row,
        position=queries.position_of(row) if position is None else position,
        dependencies=found.dependencies,
        assignees=found.assignees,
    )
    vars(row)[LAST_SHOWN] = (_values(row), viewer, shown, found)
    return shown


def _values(row: models.Card) -> dict[str, Any]:
    return {name: value for name, value in vars(row).items() if not name.startswith("_")}


def _shown_again(row: models.Card, viewer: User | None) -> tuple[Card, Around]:
    """The card as this very object was shown last, if nothing of it has changed since.

    An operation ends with the event that shows its card; the answer shows the same card once more,
    to whoever called the operation.
    """
    kept = vars(row).get(LAST_SHOWN)
    if kept is None or kept[0] != _values(row) or kept[1] != viewer:
        card(row, viewer=viewer)
        kept = vars(row)[LAST_SHOWN]
    _were, _viewer, shown, found = kept
    return shown, found


def card_detail(row: models.Card, *, viewer: User | None = None) -> CardDetail:
    """This will show one card with its body, its column's name and its outcome.

    `viewer` is whose unread news are asked for.
    """
    shown, found = _shown_again(row, viewer)
    return {
        **shown,
        "hasUnread": found.unread,
        # Agents never work anywhere else.
        "useWorktree": True,
        "skipApproval": row.skip_approval,
        "skipPlanColumns": row.skip_plan_columns,
        "columnName": row.column.name,
        "prompt": row.prompt,
        "completedAt": moment(row.completed_at) if row.completed_at else None,
        "summary": row.summary or None,
        "pipeline": row.pipeline,
        "attachments": found.attachments,
    }


def attachment(row: models.Attachment) -> Attachment:
    """This will show a file."""
    return {
        "id": row.public_id,
        "filename": row.filename,
        "contentType": row.content_type,
        "size": row.size,
        "createdAt": moment(row.created_at),
    }


def attachments(rows: Sequence[models.Attachment]) -> list[Attachment]:
    """This will show files."""
    return [attachment(row) for row in rows]
