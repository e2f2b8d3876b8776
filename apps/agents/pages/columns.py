"""The boards of a project and the columns of one of them, in the project's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.shortcuts import redirect
from django.urls import reverse

from apps.agents import operations
from apps.agents.pages import forms
from apps.boards import inputs
from apps.boards import operations as board_operations
from apps.boards import outputs as board_outputs
from apps.boards import queries as board_queries
from apps.boards.models import ColumnType
from apps.core import ids, problems
from apps.core.pages import actor_of
from apps.core.rest import REFUSALS, problem_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from django.forms import Form
    from django.http import HttpRequest, HttpResponse

    from apps.boards.models import Board, Column
    from apps.core.actors import Actor
    from apps.projects.models import Project

Shape = dict[str, Any]

STEPS = {"up": -1, "down": 1}
COLUMN_FIELDS = ("name", "wip_limit")
# What only a column that agents can be in has.
ACTIVE_FIELDS = ("agent_mode", "skill_name", "prompt")


def shown(request: HttpRequest, found: Project, bound: Form | None = None) -> Shape:
    """This will be what the section shows; a form that was refused stands as it was filled in."""
    boards = board_queries.boards_of(found)
    wanted = request.POST.get("board") or request.GET.get("board", "")
    board = next((one for one in boards if one.public_id == wanted), boards[0])
    refused = (request.POST.get("column", ""), bound) if bound else ("", None)
    templates = board_outputs.templates(board_queries.templates())
    me = actor_of(request).person
    return {
        "board": {"id": board.public_id, "name": board.name},
        "columns": [_column(one, refused) for one in board_queries.columns_of(board)],
        "newBoard": bound if isinstance(bound, forms.NewBoard) else forms.NewBoard(),
        "newColumn": bound if isinstance(bound, forms.NewColumn) else forms.NewColumn(),
        "templates": [
            one | {"isMine": one["createdBy"] == me.public_id or me.is_server_admin}
            for one in templates
            if not one["isBuiltIn"]
        ],
    }


def _column(row: Column, refused: tuple[str, Form | None]) -> Shape:
    column_id, bound = refused
    is_refused = column_id == row.public_id and bound is not None
    return {
        "id": row.public_id,
        "name": row.name,
        "columnType": row.column_type,
        "typeName": row.get_column_type_display(),
        "starts": row.get_agent_mode_display() if row.agent_mode != "none" else "",
        "wipLimit": row.wip_limit,
        "form": bound if is_refused else _form_of(row),
        "isRefused": is_refused,
    }


def _form_of(row: Column, data: Any = None) -> forms.Column:
    fields = _fields_of(row)
    form = forms.Column(
        data,
        initial={name: getattr(row, name) for name in fields},
        auto_id=f"{row.public_id}-%s",
    )
    for name in set(form.fields) - set(fields):
        del form.fields[name]
    return form


def _fields_of(row: Column) -> tuple[str, ...]:
    return COLUMN_FIELDS + (ACTIVE_FIELDS if row.column_type == ColumnType.ACTIVE else ())


def save(request: HttpRequest, found: Project) -> HttpResponse | Form | None:
    """This will do what a button of the section says, and show the board it was about."""
    act = ACTIONS.get(request.POST.get("action", ""))
    if act is None:
        raise problems.ValidationFailed.of("action", "There is no such action.")
    try:
        outcome = act(request, actor_of(request), found)
    except REFUSALS as error:
        problem = problem_of(error)
        words = problem.errors[0]["detail"] if problem.errors else problem.detail
        messages.error(request, words)
        outcome = request.POST.get("board", "")
    if not isinstance(outcome, str):
        return outcome
    address = f"{reverse('project_settings', args=[found.pk])}?section=boards"
    return redirect(f"{address}&board={outcome}" if outcome else address)


def _board(request: HttpRequest, actor: Actor, found: Project) -> Board:
    board_id = ids.decode("board", request.POST.get("board", ""))
    board = board_queries.get_board(actor=actor, board_id=board_id)
    if board.project_id != found.pk:
        message = "Board not found."
        raise problems.NotFound(message)
    return board


def _column_of(request: HttpRequest, actor: Actor, found: Project) -> Column:
    column_id = ids.decode("col", request.POST.get("column", ""))
    return board_queries.get_column(actor=actor, column_id=column_id, project_id=found.pk)


def _swapped(known: list[UUID], one: UUID, step: int) -> list[UUID]:
    """The same ids with one of them a place further; at an end it stays."""
    here = known.index(one)
    there = min(max(here + step, 0), len(known) - 1)
    known[here], known[there] = known[there], known[here]
    return known


def _new_board(request: HttpRequest, actor: Actor, found: Project) -> Form | str:
    form = forms.NewBoard(request.POST)
    if not form.is_valid():
        return form
    try:
        values = forms.read(inputs.CreateBoard, form, ["name", "template_id"])
        board = board_operations.create_board(actor=actor, project=found, **values)
    except REFUSALS as error:
        forms.tell(form, error)
        return form
    return board.public_id


def _rename_board(request: HttpRequest, actor: Actor, found: Project) -> str:
    board = _board(request, actor, found)
    reader = inputs.CreateBoard(data={"name": request.POST.get("name", "")})
    reader.is_valid(raise_exception=True)
    board_operations.rename_board(actor=actor, board=board, name=reader.validated_data["name"])
    return board.public_id


def _delete_board(request: HttpRequest, actor: Actor, found: Project) -> str:
    operations.delete_board(actor=actor, board=_board(request, actor, found))
    return ""


def _move_board(request: HttpRequest, actor: Actor, found: Project) -> str:
    board = _board(request, actor, found)
    known = [one.pk for one in board_queries.boards_of(found)]
    order = _swapped(known, board.pk, STEPS.get(request.POST.get("to", ""), 0))
    board_operations.reorder_boards(actor=actor, project=found, board_ids=order)
    return request.POST.get("shown") or board.public_id


def _new_column(request: HttpRequest, actor: Actor, found: Project) -> Form | str:
    board = _board(request, actor, found)
    form = forms.NewColumn(request.POST)
    if not form.is_valid():
        return form
    is_active = form.cleaned_data["column_type"] == ColumnType.ACTIVE
    names = ["name", "column_type", "wip_limit", *(ACTIVE_FIELDS if is_active else ())]
    try:
        values = forms.read(inputs.CreateColumn, form, names, boardId=board.public_id)
        values.pop("board_id")
        board_operations.create_column(actor=actor, board=board, **values)
    except REFUSALS as error:
        forms.tell(form, error)
        return form
    return board.public_id


def _save_column(request: HttpRequest, actor: Actor, found: Project) -> Form | str:
    column = _column_of(request, actor, found)
    form = _form_of(column, request.POST)
    if not form.is_valid():
        return form
    try:
        changes = forms.read(inputs.UpdateColumn, form, list(_fields_of(column)))
        board_operations.update_column(actor=actor, column=column, changes=changes)
    except REFUSALS as error:
        forms.tell(form, error)
        return form
    return column.board.public_id


def _move_column(request: HttpRequest, actor: Actor, found: Project) -> str:
    column = _column_of(request, actor, found)
    known = [one.pk for one in board_queries.columns_of(column.board)]
    order = _swapped(known, column.pk, STEPS.get(request.POST.get("to", ""), 0))
    board_operations.reorder_columns(actor=actor, board=column.board, column_ids=order)
    return column.board.public_id


def _delete_column(request: HttpRequest, actor: Actor, found: Project) -> str:
    column = _column_of(request, actor, found)
    board_operations.delete_column(actor=actor, column=column)
    return column.board.public_id


def _keep_template(request: HttpRequest, actor: Actor, found: Project) -> str:
    board = _board(request, actor, found)
    columns = [
        {
            "name": row.name,
            "columnType": row.column_type,
            "agentMode": row.agent_mode,
            "skillName": row.skill_name,
            "prompt": row.prompt,
        }
        for row in board_queries.columns_of(board)
    ]
    reader = inputs.CreateTemplate(data={"name": request.POST.get("name"), "columns": columns})
    reader.is_valid(raise_exception=True)
    template = board_operations.create_template(actor=actor, **reader.validated_data)
    messages.success(request, f"New boards can begin as {template.name}")
    return board.public_id


def _delete_template(request: HttpRequest, actor: Actor, _found: Project) -> str:
    template_id = ids.decode("tpl", request.POST.get("template", ""))
    board_operations.delete_template(actor=actor, template_id=template_id)
    return request.POST.get("board", "")


ACTIONS: dict[str, Callable[[HttpRequest, Actor, Project], Form | str]] = {
    "new-board": _new_board,
    "rename-board": _rename_board,
    "move-board": _move_board,
    "delete-board": _delete_board,
    "new-column": _new_column,
    "save-column": _save_column,
    "move-column": _move_column,
    "delete-column": _delete_column,
    "keep-template": _keep_template,
    "delete-template": _delete_template,
}
