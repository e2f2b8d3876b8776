"""How boards and columns are shown, and whole boards with their version."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, cast

from apps.boards import layouts, queries
from apps.boards.outputs.lists import cards_of_board
from apps.boards.outputs.shapes import (
    Board,
    BoardState,
    BoardTemplate,
    Column,
    ColumnsChanged,
    ProjectInFrame,
    StateColumn,
    TemplateColumn,
    Versions,
)
from apps.core import ids, snapshots
from apps.core.live import journal
from apps.core.models import Topic
from apps.projects import outputs as project_outputs
from apps.projects import queries as project_queries

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from apps.accounts.models import User
    from apps.boards import models


PROJECTS_IN_FRAME = 12


def board(row: models.Board, position: int) -> Board:
    """This will show a board at its zero-based place."""
    return {
        "id": row.public_id,
        "name": row.name,
        "projectId": ids.encode("proj", row.project_id),
        "position": position,
    }


def boards(rows: Sequence[models.Board]) -> list[Board]:
    """This will show boards in the order given."""
    return [board(row, position) for position, row in enumerate(rows)]


def column(row: models.Column, position: int) -> Column:
    """This will show a column at its zero-based place."""
    return {
        "id": row.public_id,
        "name": row.name,
        "columnType": row.column_type,
        "position": position,
        "boardId": ids.encode("board", row.board_id),
        "key": row.key or None,
        "prompt": row.prompt,
        "agentMode": row.agent_mode,
        "skillName": row.skill_name or None,
        "wipLimit": row.wip_limit,
    }


def columns(rows: Sequence[models.Column]) -> list[Column]:
    """This will show the columns of one board in the order given."""
    return [column(row, position) for position, row in enumerate(rows)]


def columns_changed(rows: Sequence[models.Column]) -> ColumnsChanged:
    """This will show a board's columns by id, with their order."""
    shown = columns(rows)
    return {
        "columns": {item["id"]: item for item in shown},
        "columnOrder": [item["id"] for item in shown],
    }


def template(row: models.BoardTemplate) -> BoardTemplate:
    """This will show a template somebody made."""
    return {
        "id": row.public_id,
        "name": row.name,
        "columns": [cast("TemplateColumn", column) for column in row.columns],
        "isBuiltIn": False,
        "createdBy": ids.encode("user", row.created_by_id) if row.created_by_id else None,
    }


def templates(rows: Sequence[models.BoardTemplate]) -> list[BoardTemplate]:
    """This will show the templates the product brings, then people's."""
    return [*(_layout(layout) for layout in layouts.BUILT_IN), *(template(row) for row in rows)]


def _layout(layout: layouts.Layout) -> BoardTemplate:
    return {
        "id": ids.encode("tpl", layout.id),
        "name": layout.name,
        "columns": [
            {
                "name": plan.name,
                "columnType": plan.column_type,
                "prompt": plan.prompt,
                "agentMode": plan.agent_mode,
                "skillName": plan.skill_name,
            }
            for plan in layout.columns
        ],
        "isBuiltIn": True,
        "createdBy": None,
    }


def board_topic(board_id: UUID) -> str:
    """This will name a board's journal topic."""
    return ids.topic("board", ids.encode("board", board_id))


def version_of(topic: str) -> int:
    """This will read the newest version of a topic; 0 when nothing was recorded yet."""
    return Topic.objects.filter(name=topic).values_list("version", flat=True).first() or 0


def versions_of(project_id: UUID, *, board_id: UUID | None = None) -> Versions:
    """This will read the versions a list of boards, columns or cards is shown with.

    Read them before the list, as with `board_state`.
    """
    chosen = queries.board_ids_of(project_id) if board_id is None else [board_id]
    topics = {ids.encode("board", one): board_topic(one) for one in chosen}
    whole = project_outputs.topic(project_id) if board_id is None else board_topic(board_id)
    found = journal.versions({whole, *topics.values()})
    return {
        "version": found.get(whole, 0),
        "versions": {public_id: found.get(topic, 0) for public_id, topic in topics.items()},
    }


def board_state(row: models.Board) -> BoardState:
    """This will show a whole board in a fixed number of statements.

    The version is read first: what commits meanwhile may already be in the snapshot and is applied
    once more by a client, which changes nothing; the other way round it would be lost.
    """
    version = version_of(board_topic(row.pk))
    column_rows = queries.columns_of(row)
    cards = cards_of_board(row)
    by_column: dict[str, list[str]] = defaultdict(list)
    for shown in cards:
        by_column[shown["columnId"]].append(shown["id"])
    order = [item.public_id for item in column_rows]
    state = {
        "columns": {
            item.public_id: _state_column(item, by_column[item.public_id]) for item in column_rows
        },
        "columnOrder": order,
        "cards": {shown["id"]: shown for shown in cards},
        "attempts": {},
        "version": version,
    } | snapshots.parts_of("board", row)
    return cast("BoardState", state)


def _state_column(row: models.Column, card_ids: list[str]) -> StateColumn:
    shown: StateColumn = {
        "id": row.public_id,
        "title": row.name,
        "cardIds": card_ids,
        "columnType": row.column_type,
        "agentMode": row.agent_mode,
        "wipLimit": row.wip_limit,
    }
    if row.key:
        shown["key"] = row.key
    return shown


def projects_in_frame(user: User) -> list[ProjectInFrame]:
    """This will show the projects a person opened last, each with the board its link leads to."""
    rows = project_queries.recent_projects_of(user, limit=PROJECTS_IN_FRAME)
    first = queries.first_boards_of([row.pk for row in rows])
    return [
        {
            "id": row.public_id,
            "name": row.name,
            "color": row.color,
            "boardId": ids.encode("board", first[row.pk]) if row.pk in first else None,
        }
        for row in rows
    ]
