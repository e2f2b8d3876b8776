"""REST: boards and columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apps.boards import inputs, operations, outputs, queries
from apps.boards.models import Board
from apps.core import problems, results
from apps.core.rest import Endpoint
from apps.core.schema import document
from apps.projects import queries as project_queries

if TYPE_CHECKING:
    from uuid import UUID

    from rest_framework.request import Request
    from rest_framework.response import Response

    from apps.projects.models import Project


def board_in(endpoint: Endpoint, project_id: UUID, board_id: UUID) -> Board:
    """This will find a board of the project in the address; NotFound for boards elsewhere."""
    board = queries.get_board(actor=endpoint.actor, board_id=board_id)
    if board.project_id != project_id:
        message = "Board not found."
        raise problems.NotFound(message)
    return board


def boards_shown(project: Project) -> Response:
    """This will show a project's boards."""
    versions = outputs.versions_of(project.pk)
    return results.ok(outputs.boards(queries.boards_of(project)), meta=versions)


def columns_shown(project: Project, board: Board | None) -> Response:
    """This will show the columns of one board, or of all boards of a project."""
    versions = outputs.versions_of(project.pk, board_id=board.pk if board else None)
    boards = [board] if board else queries.boards_of(project)
    shown = [item for board in boards for item in outputs.columns(queries.columns_of(board))]
    return results.ok(shown, meta=versions)


class Boards(Endpoint):
    """The boards of a project."""

    @document(
        summary="List a project's boards", response=list[outputs.Board], meta=outputs.Versions
    )
    def get(self, request: Request, project_id: UUID) -> Response:
        return boards_shown(project_queries.get_project(actor=self.actor, project_id=project_id))

    @document(
        summary="Create a board", request=inputs.CreateBoard, response=outputs.Board, status=201
    )
    def post(self, request: Request, project_id: UUID) -> Response:
        values = self.read(inputs.CreateBoard)
        project = project_queries.get_project(actor=self.actor, project_id=project_id)
        board = operations.create_board(actor=self.actor, project=project, **values)
        return results.created(outputs.board(board, queries.board_position(board)))


class BoardOrder(Endpoint):
    """The order of a project's boards."""

    def shown(self, project_id: UUID) -> Response:
        return boards_shown(project_queries.get_project(actor=self.actor, project_id=project_id))

    @document(
        summary="Reorder a project's boards",
        request=inputs.ReorderBoards,
        response=list[outputs.Board],
        meta=outputs.Versions,
    )
    def patch(self, request: Request, project_id: UUID) -> Response:
        board_ids = self.read(inputs.ReorderBoards)["ids"]
        project = project_queries.get_project(actor=self.actor, project_id=project_id)
        operations.reorder_boards(actor=self.actor, project=project, board_ids=board_ids)
        return boards_shown(project)


class BoardState(Endpoint):
    """A whole board with its version: GET, then stream from `meta.version`."""

    @document(summary="Read a whole board", response=outputs.BoardState, meta=outputs.Version)
    def get(self, request: Request, project_id: UUID, board_id: UUID) -> Response:
        state = outputs.board_state(board_in(self, project_id, board_id))
        return results.ok(state, meta={"version": state["version"]})


class Columns(Endpoint):
    """The columns of a project, or of one board of it."""

    @document(
        summary="List columns",
        query=inputs.ListColumns,
        response=list[outputs.Column],
        meta=outputs.Versions,
    )
    def get(self, request: Request, project_id: UUID) -> Response:
        project = project_queries.get_project(actor=self.actor, project_id=project_id)
        wanted = self.read_query(inputs.ListColumns).get("board_id")
        return columns_shown(project, board_in(self, project_id, wanted) if wanted else None)

    @document(
        summary="Create a column", request=inputs.CreateColumn, response=outputs.Column, status=201
    )
    def post(self, request: Request, project_id: UUID) -> Response:
        values = self.read(inputs.CreateColumn)
        with problems.named("boardId"):
            board = board_in(self, project_id, values.pop("board_id"))
        column = operations.create_column(actor=self.actor, board=board, **values)
        return results.created(outputs.column(column, queries.column_position(column)))


class ColumnOrder(Endpoint):
    """The order of one board's columns."""

    @document(
        summary="Reorder a board's columns",
        request=inputs.ReorderColumns,
        response=list[outputs.Column],
        meta=outputs.Versions,
    )
    def patch(self, request: Request, project_id: UUID) -> Response:
        column_ids, board = self._asked(project_id)
        operations.reorder_columns(actor=self.actor, board=board, column_ids=column_ids)
        return columns_shown(board.project, board)

    def shown(self, project_id: UUID) -> Response:
        _ids, board = self._asked(project_id)
        return columns_shown(board.project, board)

    def _asked(self, project_id: UUID) -> tuple[list[UUID], Board]:
        """The columns that were sent, and the board of the first."""
        column_ids = self.read(inputs.ReorderColumns)["ids"]
        if not column_ids:
            raise problems.ValidationFailed.of("ids", "Give every column of the board.")
        project_queries.get_project(actor=self.actor, project_id=project_id)
        first = queries.find_column(
            actor=self.actor, column_id=column_ids[0], project_id=project_id
        )
        if first is None:
            raise problems.ValidationFailed.of("ids", "Give the columns of one board.")
        return column_ids, first.board


class OneColumn(Endpoint):
    """One column."""

    def shown(self, project_id: UUID, column_id: UUID) -> Response:
        column = queries.get_column(actor=self.actor, column_id=column_id, project_id=project_id)
        return results.ok(outputs.column(column, queries.column_position(column)))

    @document(summary="Change a column", request=inputs.UpdateColumn, response=outputs.Column)
    def patch(self, request: Request, project_id: UUID, column_id: UUID) -> Response:
        values = self.read(inputs.UpdateColumn)
        column = queries.get_column(actor=self.actor, column_id=column_id, project_id=project_id)
        column = operations.update_column(actor=self.actor, column=column, changes=values)
        return results.ok(outputs.column(column, queries.column_position(column)))

    @document(summary="Delete an empty column", status=204, problems=(409,))
    def delete(self, request: Request, project_id: UUID, column_id: UUID) -> Response:
        column = queries.get_column(actor=self.actor, column_id=column_id, project_id=project_id)
        operations.delete_column(actor=self.actor, column=column)
        return results.no_content()
