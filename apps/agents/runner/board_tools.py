"""The tools of an assistant: the board's operations, in the name of the person it works for.

Each call reads the person and the project anew, so that a right that was taken away is gone at
once. An input is read, the object is found, one operation is called, an output is shown.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from apps.accounts.models import User
from apps.agents.adapters.mcp.server import Refused, Tool
from apps.boards import inputs, operations
from apps.boards import queries as board_queries
from apps.boards.models import Card, Column
from apps.core import ids, problems
from apps.core.actors import Actor
from apps.core.camel import Serializer
from apps.core.fields import StrictBoolean, StrictInteger, Text
from apps.core.rest import REFUSALS, problem_of
from apps.projects import queries as project_queries

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from apps.agents.runner.store import Store
    from apps.projects.models import Project

log = structlog.get_logger(__name__)

MOST_CARDS = 100
PROMPT_SHOWN = 2_000
NAME_LENGTH = 300


class ListCards(Serializer):
    """Which cards: of a column, with these words in title or prompt."""

    column = Text(max_length=NAME_LENGTH, required=False, allow_blank=True)
    query = Text(max_length=NAME_LENGTH, required=False, allow_blank=True)


class CreateCard(Serializer):
    """A new card; without a column in the first one of the first board."""

    title = Text(max_length=inputs.TITLE_LENGTH)
    prompt = inputs.NullableText(max_length=inputs.PROMPT_LENGTH, multiline=True, required=False)
    column = Text(max_length=NAME_LENGTH, required=False, allow_blank=True)
    is_deferred = StrictBoolean(required=False)


class MoveCard(Serializer):
    """Which card, and where to."""

    card = Text(max_length=NAME_LENGTH)
    column = Text(max_length=NAME_LENGTH)
    position = StrictInteger(required=False, allow_null=True)


_COLUMN = {"type": "string", "description": "The column's id or name."}
_SCHEMAS: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "list_columns": ("List the boards of the project with their columns.", {}, []),
    "list_cards": (
        f"List at most {MOST_CARDS} cards: all, of one column, or with some words in them.",
        {"column": _COLUMN, "query": {"type": "string", "description": "Words to look for."}},
        [],
    ),
    "create_card": (
        "Create a card. A card in a column where agents work puts one to work, unless deferred.",
        {
            "title": {"type": "string", "maxLength": inputs.TITLE_LENGTH},
            "prompt": {"type": "string", "description": "What is to be done, as Markdown."},
            "column": _COLUMN,
            "isDeferred": {"type": "boolean", "description": "True: no agent begins yet."},
        },
        ["title"],
    ),
    "move_card": (
        "Move a card to a column; at the end unless a zero-based position is given.",
        {
            "card": {"type": "string", "description": "The card's id or key, such as KB-12."},
            "column": _COLUMN,
            "position": {"type": "integer", "minimum": 0},
        },
        ["card", "column"],
    ),
}


def tools(store: Store, *, person_id: UUID, project_id: UUID) -> list[Tool]:
    """This will be the tools by which an agent works on a project's boards for a person."""
    return [
        Tool(
            name=name,
            description=description,
            schema={"type": "object", "properties": properties, "required": required},
            call=partial(_call, store, _DOES[name], person_id, project_id),
            reads=name.startswith("list_"),
        )
        for name, (description, properties, required) in _SCHEMAS.items()
    ]


async def _call(
    store: Store,
    does: Callable[[Actor, Project, dict[str, Any]], dict[str, Any]],
    person_id: UUID,
    project_id: UUID,
    given: dict[str, Any],
) -> dict[str, Any]:
    return await store.run(_answer, does, person_id, project_id, given)


def _answer(
    does: Callable[[Actor, Project, dict[str, Any]], dict[str, Any]],
    person_id: UUID,
    project_id: UUID,
    given: dict[str, Any],
) -> dict[str, Any]:
    try:
        actor = _actor(person_id)
        return does(actor, project_queries.get_project(actor=actor, project_id=project_id), given)
    except REFUSALS as error:
        raise Refused(_told(problem_of(error))) from error
    except Exception as error:
        log.exception("tool_failed")
        raise Refused("Something went wrong on our side.") from error


def _actor(person_id: UUID) -> Actor:
    user = User.objects.filter(pk=person_id, is_active=True).first()
    if user is None:
        raise problems.Forbidden
    return Actor(user=user, origin="task")


def _told(problem: problems.Problem) -> str:
    wrong = "; ".join(f"{one['field']}: {one['detail']}" for one in problem.errors)
    return f"Refused ({problem.status} {problem.code}): {problem.detail} {wrong}".strip()


def _read(given: dict[str, Any], serializer: type[Serializer]) -> dict[str, Any]:
    reader = serializer(data=given)
    reader.is_valid(raise_exception=True)
    return dict(reader.validated_data)


def _list_columns(_actor: Actor, project: Project, _given: dict[str, Any]) -> dict[str, Any]:
    return {
        "boards": [
            {
                "id": board.public_id,
                "name": board.name,
                "columns": [
                    {
                        "id": column.public_id,
                        "name": column.name,
                        "columnType": column.column_type,
                        "agentMode": column.agent_mode,
                    }
                    for column in board_queries.columns_of(board)
                ],
            }
            for board in board_queries.boards_of(project)
        ]
    }


def _list_cards(_actor: Actor, project: Project, given: dict[str, Any]) -> dict[str, Any]:
    values = _read(given, ListCards)
    rows = board_queries.cards_of_project(project)
    if values.get("column"):
        column = _column(project, values["column"])
        rows = [row for row in rows if row.column_id == column.pk]
    words = values.get("query", "").casefold()
    if words:
        rows = [row for row in rows if words in f"{row.title}\n{row.prompt}".casefold()]
    return {"cards": [_card(row) for row in rows[:MOST_CARDS]], "total": len(rows)}


def _create_card(actor: Actor, project: Project, given: dict[str, Any]) -> dict[str, Any]:
    values = _read(given, CreateCard)
    name = values.pop("column", "")
    column = _column(project, name) if name else board_queries.entry_column_of(project)
    return {"card": _card(operations.create_card(actor=actor, column=column, **values))}


def _move_card(actor: Actor, project: Project, given: dict[str, Any]) -> dict[str, Any]:
    values = _read(given, MoveCard)
    card, column = _found_card(project, values["card"]), _column(project, values["column"])
    moved = operations.move_card(
        actor=actor, card=card, column_id=column.pk, position=values.get("position")
    )
    return {"card": _card(moved)}


_DOES: dict[str, Callable[[Actor, Project, dict[str, Any]], dict[str, Any]]] = {
    "list_columns": _list_columns,
    "list_cards": _list_cards,
    "create_card": _create_card,
    "move_card": _move_card,
}


def _column(project: Project, text: str) -> Column:
    rows = Column.objects.filter(board__project=project).select_related("board__project")
    try:
        found = rows.filter(pk=ids.decode("col", text)).first()
    except problems.NotFound:
        found = rows.filter(name__iexact=text).order_by("board__rank", "rank").first()
    if found is None:
        raise problems.NotFound(f"There is no column “{text}” in this project.")
    return found


def _found_card(project: Project, text: str) -> Card:
    rows = Card.objects.filter(project=project).select_related("project", "board", "column")
    try:
        found = rows.filter(pk=ids.decode("card", text)).first()
    except problems.NotFound:
        found = rows.filter(key__iexact=text).first()
    if found is None:
        raise problems.NotFound(f"There is no card “{text}” in this project.")
    return found


def _card(row: Card) -> dict[str, Any]:
    return {
        "id": row.public_id,
        "key": row.key,
        "title": row.title,
        "prompt": row.prompt[:PROMPT_SHOWN],
        "columnId": ids.encode("col", row.column_id),
        "column": row.column.name,
        "hasActiveAgent": row.has_active_agent,
        "isDeferred": row.is_deferred,
    }
