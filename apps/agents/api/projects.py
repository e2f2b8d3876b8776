"""REST: projects, boards and columns, where agents have a say: what is deleted, and settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from apps.agents import operations
from apps.boards import inputs as board_inputs
from apps.boards import operations as board_operations
from apps.boards import outputs as board_outputs
from apps.boards import queries as board_queries
from apps.core import problems, results
from apps.core.rest import Endpoint
from apps.core.schema import document
from apps.projects import inputs as project_inputs
from apps.projects import operations as project_operations
from apps.projects import outputs as project_outputs
from apps.projects import queries as project_queries

if TYPE_CHECKING:
    from uuid import UUID

    from rest_framework.request import Request
    from rest_framework.response import Response

    from apps.boards.models import Board


class Settings(TypedDict):
    """The settings of a project."""

    settings: project_outputs.Settings


class OneProject(Endpoint):
    """One project."""

    waits = frozenset({"DELETE"})

    @document(summary="Read a project", response=project_outputs.Project)
    def get(self, request: Request, project_id: UUID) -> Response:
        project = project_queries.get_project(actor=self.actor, project_id=project_id)
        return results.ok(project_outputs.project(project, self.actor.person))

    @document(
        summary="Change a project",
        request=project_inputs.UpdateProject,
        response=project_outputs.Project,
    )
    def patch(self, request: Request, project_id: UUID) -> Response:
        values = self.read(project_inputs.UpdateProject)
        project = project_queries.get_project(actor=self.actor, project_id=project_id)
        changed = project_operations.update_project(
            actor=self.actor, project=project, changes=values
        )
        return results.ok(project_outputs.project(changed, self.actor.person))

    @document(
        summary="Delete a project",
        description="Its agents are stopped; its folder is not touched.",
        status=204,
        problems=(409,),
    )
    def delete(self, request: Request, project_id: UUID) -> Response:
        project = project_queries.get_project(actor=self.actor, project_id=project_id)
        operations.delete_project(actor=self.actor, project=project)
        return results.no_content()


class ProjectSettings(Endpoint):
    """What drives the work on a project's cards."""

    @document(summary="Read a project's settings", response=Settings)
    def get(self, request: Request, project_id: UUID) -> Response:
        project = project_queries.get_project(actor=self.actor, project_id=project_id)
        shown = project_outputs.settings(
            project_queries.settings_of(project), next_ticket_number=project.next_ticket_number
        )
        return results.ok({"settings": shown})

    @document(
        summary="Change a project's settings",
        request=project_inputs.UpdateSettings,
        response=Settings,
    )
    def patch(self, request: Request, project_id: UUID) -> Response:
        values = self.read(project_inputs.UpdateSettings)
        if not values:
            raise problems.ValidationFailed("No updates provided")
        project = project_queries.get_project(actor=self.actor, project_id=project_id)
        changed = operations.update_project_settings(
            actor=self.actor, project=project, changes=values
        )
        shown = project_outputs.settings(changed, next_ticket_number=project.next_ticket_number)
        return results.ok({"settings": shown})


class OneBoard(Endpoint):
    """One board."""

    waits = frozenset({"DELETE"})

    def shown(self, project_id: UUID, board_id: UUID) -> Response:
        board = self._board(project_id, board_id)
        return results.ok(board_outputs.board(board, board_queries.board_position(board)))

    @document(
        summary="Rename a board", request=board_inputs.RenameBoard, response=board_outputs.Board
    )
    def patch(self, request: Request, project_id: UUID, board_id: UUID) -> Response:
        values = self.read(board_inputs.RenameBoard)
        board = self._board(project_id, board_id)
        if "name" in values:
            board = board_operations.rename_board(actor=self.actor, board=board, **values)
        return results.ok(board_outputs.board(board, board_queries.board_position(board)))

    @document(summary="Delete a board and its cards", status=204, problems=(409,))
    def delete(self, request: Request, project_id: UUID, board_id: UUID) -> Response:
        operations.delete_board(actor=self.actor, board=self._board(project_id, board_id))
        return results.no_content()

    def _board(self, project_id: UUID, board_id: UUID) -> Board:
        board = board_queries.get_board(actor=self.actor, board_id=board_id)
        if board.project_id != project_id:
            raise problems.NotFound("Board not found.")
        return board


class ColumnCleaning(Endpoint):
    """The end of all cards of a column."""

    @document(summary="Delete every card of a column", status=204, problems=(409,))
    def post(self, request: Request, project_id: UUID, column_id: UUID) -> Response:
        column = board_queries.get_column(
            actor=self.actor, column_id=column_id, project_id=project_id
        )
        operations.clean_column(actor=self.actor, column=column)
        return results.no_content()
