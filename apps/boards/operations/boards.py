"""Boards come, change and go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from apps.boards import events, locks, queries, rules
from apps.boards.models import Attachment, Board, Column
from apps.boards.operations import templates
from apps.boards.operations.attachments import remove_files
from apps.core import problems, ranks
from apps.projects.models import Project

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from apps.core.actors import Actor


FIRST_BOARD_NAME = "Main Board"


@transaction.atomic
def create_board(
    *,
    actor: Actor,
    project: Project,
    name: str = FIRST_BOARD_NAME,
    template_id: UUID | None = None,
) -> Board:
    """This will add a board at the end of a project's boards, with the columns of a template.

    Without one these are Backlog, In Progress, Review and Done.
    """
    locked = _lock_project(project)
    rules.require_editor(actor, locked)
    columns = templates.columns_of(template_id)
    last = locked.boards.order_by("-rank").values_list("rank", flat=True).first()
    board = Board.objects.create(project=locked, name=name, rank=ranks.between(last, None))
    made = Column.objects.bulk_create(
        Column(
            board=board,
            name=plan.name,
            column_type=plan.column_type,
            agent_mode=plan.agent_mode,
            key=plan.key,
            prompt=plan.prompt,
            skill_name=plan.skill_name,
            rank=rank,
        )
        for plan, rank in zip(columns, ranks.sequence(len(columns)), strict=True)
    )
    events.boards_changed("board.created", locked, actor=actor, board_id=board.pk, columns=made)
    return board


def _lock_project(project: Project) -> Project:
    locked = Project.objects.select_for_update().filter(pk=project.pk).first()
    if locked is None:
        message = "Project not found."
        raise problems.NotFound(message)
    return locked


@transaction.atomic
def rename_board(*, actor: Actor, board: Board, name: str) -> Board:
    """This will give a board another name."""
    project = _lock_project(board.project)
    rules.require_editor(actor, project)
    (locked,) = locks.lock_boards(board.pk)
    if locked.name == name:
        return locked
    locked.name = name
    locked.save(update_fields=["name", "updated_at"])
    events.boards_changed("board.updated", project, actor=actor, board_id=locked.pk)
    return locked


@transaction.atomic
def delete_board(*, actor: Actor, board: Board) -> None:
    """This will delete a board with its columns and cards; 409 for a project's last board.

    The agents app deletes boards through its own operation, which stops agents and ends in this.
    """
    project = _lock_project(board.project)
    rules.require_admin(actor, project)
    (locked,) = locks.lock_boards(board.pk)
    if project.boards.count() == 1:
        message = "A project keeps at least one board."
        raise problems.Conflict(message)
    board_id = locked.pk
    remove_files(Attachment.objects.filter(card__board=locked))
    locked.cards.all().delete()
    locked.delete()
    events.boards_changed("board.deleted", project, actor=actor, board_id=board_id)


@transaction.atomic
def reorder_boards(*, actor: Actor, project: Project, board_ids: Sequence[UUID]) -> list[Board]:
    """This will order a project's boards; the ids must be exactly the project's."""
    locked = _lock_project(project)
    rules.require_editor(actor, locked)
    boards = {board.pk: board for board in queries.boards_of(locked)}
    if sorted(board_ids) != sorted(boards):
        raise problems.ValidationFailed.of("ids", "Give every board of the project exactly once.")
    ordered = [boards[board_id] for board_id in board_ids]
    for board, rank in zip(ordered, ranks.sequence(len(ordered)), strict=True):
        board.rank = rank
    Board.objects.bulk_update(ordered, ["rank"])
    events.boards_changed("board.reordered", locked, actor=actor)
    return ordered
