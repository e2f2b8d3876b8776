"""The board page, its cards as fragments, and the drawer of a card."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.http import HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views.decorators.http import require_http_methods, require_safe

from apps.agents import operations, queries, registry
from apps.agents.pages import attempts as attempt_pages
from apps.agents.pages import changes as change_shapes
from apps.agents.pages import choices, shapes, talks
from apps.boards import inputs as board_inputs
from apps.boards import operations as board_operations
from apps.boards import outputs as board_outputs
from apps.boards import queries as board_queries
from apps.boards import rules as board_rules
from apps.boards.models import ColumnType
from apps.core import ids, problems
from apps.core.pages import actor_of, page
from apps.core.rest import REFUSALS, problem_of
from apps.projects import operations as project_operations
from apps.projects import queries as project_queries

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from django.http import HttpRequest

    from apps.agents.models import Attempt
    from apps.boards.models import Board, Card

Shape = dict[str, Any]

COLUMN_PAGE = 100
MOST_FRAGMENTS = 200
TABS = ("brief", "run", "changes", "history")


@require_safe
@page
def board(request: HttpRequest, board_id: UUID) -> HttpResponse:
    """The board."""
    found = board_queries.get_board(actor=actor_of(request), board_id=board_id)
    project_operations.open_project(actor=actor_of(request), project=found.project)
    return render(request, "boards/board.html", _board(request, found))


@require_safe
@page
def card(request: HttpRequest, board_id: UUID, card_id: UUID) -> HttpResponse:
    """The board with a card's drawer open: what a link to a card shows."""
    found = _card(request, board_id, card_id)
    context = _board(request, found.board)
    context["drawer"] = _drawer(request, found, _tab(request, found))
    return render(request, "boards/board.html", context)


@require_safe
@page
def drawer(request: HttpRequest, board_id: UUID, card_id: UUID) -> HttpResponse:
    """A card's drawer."""
    found = _card(request, board_id, card_id)
    context = _drawer(request, found, _tab(request, found))
    board_operations.see_card(actor=actor_of(request), card=found)
    return render(request, "boards/_drawer.html", context)


@require_safe
@page
def fragments(request: HttpRequest, board_id: UUID) -> HttpResponse:
    """Cards by id, drawn as on the page; what is gone is left out."""
    found = board_queries.get_board(actor=actor_of(request), board_id=board_id)
    version = board_outputs.version_of(board_outputs.board_topic(found.pk))
    parts = [
        render_to_string("boards/_card.html", {"card": shown, "canEdit": True}, request=request)
        for shown in _cards(request, found, _ids(request))
    ]
    return HttpResponse("".join(parts), headers={"X-Version": str(version)})


@require_http_methods(["GET", "POST"])
@page
def new_card(request: HttpRequest, board_id: UUID) -> HttpResponse:
    """The form for a new card, in a dialog."""
    found = board_queries.get_board(actor=actor_of(request), board_id=board_id)
    columns = _columns(found, {})
    if request.method != "POST":
        values: Shape = {"columnId": request.GET.get("column") or columns[0]["id"]}
        return _card_form(request, found, columns, values, {})
    values = {name: request.POST.get(name, "") for name in ("title", "columnId", "priority")}
    values |= {name: request.POST.get(name, "") for name in ("description", "ticketType", "labels")}
    try:
        made = _create(request, found, values)
    except REFUSALS as error:
        problem = problem_of(error)
        errors = {entry["field"]: entry["detail"] for entry in problem.errors} or {
            "__all__": problem.detail
        }
        errors["description"] = errors.pop("prompt", "")
        return _card_form(request, found, columns, values, errors)
    if made.is_deferred:
        return talks.sharpening(request, made)
    told = {"closeDialog": True, "toast": {"text": f"{made.key} created", "variant": "ok"}}
    return HttpResponse(status=204, headers={"HX-Trigger": json.dumps(told)})


def _create(request: HttpRequest, found: Board, values: Shape) -> Card:
    reader = board_inputs.CreateCard(
        data={
            "columnId": values["columnId"],
            "title": values["title"],
            "prompt": values["description"],
            "ticketType": values["ticketType"],
            "priority": values["priority"] or "none",
            "labels": [name.strip() for name in values["labels"].split(",") if name.strip()],
            "isDeferred": bool(request.POST.get("sharpen")),
        }
    )
    reader.is_valid(raise_exception=True)
    given = dict(reader.validated_data)
    column = board_queries.get_column(
        actor=actor_of(request), column_id=given.pop("column_id"), project_id=found.project_id
    )
    return board_operations.create_card(actor=actor_of(request), column=column, **given)


def _card_form(
    request: HttpRequest, found: Board, columns: list[Shape], values: Shape, errors: Shape
) -> HttpResponse:
    settings = project_queries.settings_of(found.project)
    context = {
        "board": _name(found),
        "columns": columns,
        "values": values,
        "errors": errors,
        "nextKey": f"{settings.ticket_prefix}-{found.project.next_ticket_number}",
        "labels": board_queries.labels_of(found),
    }
    return render(request, "boards/_new_card.html", context)


def _tab(request: HttpRequest, found: Card) -> str:
    """The tab asked for, else the one this person had open last on this card."""
    wanted = request.GET.get("tab")
    if wanted is None:
        states = project_queries.panel_states_of(found.project, actor_of(request).person)
        state = states.get(found.public_id)
        wanted = state.get("tab") if isinstance(state, dict) else None
    return wanted if wanted in TABS else TABS[0]


def _card(request: HttpRequest, board_id: UUID, card_id: UUID) -> Card:
    found = board_queries.get_card(actor=actor_of(request), card_id=card_id)
    if found.board_id != board_id:
        message = "Card not found."
        raise problems.NotFound(message)
    return found


def _ids(request: HttpRequest) -> list[UUID]:
    found = []
    for text in request.GET.get("ids", "").split(",")[:MOST_FRAGMENTS]:
        try:
            found.append(ids.decode("card", text))
        except problems.NotFound:
            continue
    return found


def _name(found: Board) -> Shape:
    return {"id": found.public_id, "name": found.name, "projectId": found.project.public_id}


def _project(found: Board) -> Shape:
    project = found.project
    return {"id": project.public_id, "name": project.name, "color": project.color}


def _board(request: HttpRequest, found: Board) -> Shape:
    state = board_outputs.board_state(found)
    newest = _newest(found)
    seen = _seen(request, found)
    whole = request.GET.get("column") if request.GET.get("all") else None
    by_column = {}
    for column_id, column in state["columns"].items():
        # What was put away is shown to those who ask for it.
        page_of = 0 if column["columnType"] == ColumnType.ARCHIVE else COLUMN_PAGE
        limit = None if column_id == whole else page_of
        by_column[column_id] = [
            _shown(state["cards"][card_id], newest, seen) for card_id in column["cardIds"][:limit]
        ]
    return {
        "project": _project(found),
        "board": _name(found),
        "boards": [_name(one) for one in board_queries.boards_of(found.project)],
        "canEdit": True,
        "version": state["version"],
        "columns": _columns(found, by_column, state, whole=whole),
        "filter": {"q": request.GET.get("q", "")},
    }


def _columns(
    found: Board,
    cards: dict[str, list[Shape]],
    state: board_outputs.BoardState | None = None,
    *,
    whole: str | None = None,
) -> list[Shape]:
    counts = (
        {key: len(column["cardIds"]) for key, column in state["columns"].items()}
        if state
        else board_queries.card_counts_of(found)
    )
    settings = project_queries.settings_of(found.project)
    starter = shapes.agent(registry.default_agent(settings))["label"]
    shown = []
    for position, row in enumerate(board_queries.columns_of(found)):
        count = counts.get(row.public_id, 0)
        here = cards.get(row.public_id, [])
        starts = starter if board_rules.starts_agent(row) else ""
        shown.append(
            {
                **board_outputs.column(row, position),
                "title": row.name,
                "count": count,
                "starts": f"{starts} · plan" if starts and row.agent_mode == "plan" else starts,
                "cards": here,
                "moreCount": count - len(here) if cards else 0,
                "isShut": row.column_type == ColumnType.ARCHIVE and row.public_id != whole,
            }
        )
    return shown


def _newest(found: Board, card_ids: list[UUID] | None = None) -> dict[str, Attempt]:
    """The newest attempts of cards, by the card's outside id."""
    rows = queries.newest_attempts_of_board(found, card_ids=card_ids)
    return {ids.encode("card", row.card_id): row for row in rows}


def _seen(request: HttpRequest, found: Board) -> dict[str, datetime]:
    """When this person last looked at cards, by the card's outside id."""
    views = board_queries.last_views_of(found, actor_of(request).person)
    return {ids.encode("card", card_id): moment for card_id, moment in views.items()}


def _shown(
    shown: board_outputs.Card, newest: dict[str, Attempt], seen: dict[str, datetime]
) -> Shape:
    attempt = newest.get(shown["id"])
    viewed = seen.get(shown["id"])
    unread = attempt is not None and (viewed is None or attempt.updated_at > viewed)
    return shapes.card(shown, attempt, unread=unread)


def _cards(request: HttpRequest, found: Board, card_ids: list[UUID]) -> list[Shape]:
    if not card_ids:
        return []
    newest, seen = _newest(found, card_ids), _seen(request, found)
    return [_shown(shown, newest, seen) for shown in board_outputs.cards_by_id(found, card_ids)]


def _drawer(request: HttpRequest, found: Card, tab: str) -> Shape:
    rows = queries.attempts_of_card(found)
    wanted = request.GET.get("attempt", "")
    row = next((one for one in rows if one.public_id == wanted), rows[0] if rows else None)
    settings = project_queries.settings_of(found.project)
    context: Shape = {
        "card": shapes.card_detail(found, rows[0] if rows else None),
        "tab": tab,
        "project": _project(found.board),
        "board": _name(found.board),
        "column": {"id": found.column.public_id, "title": found.column.name},
        "columns": [
            {"id": one.public_id, "title": one.name}
            for one in board_queries.columns_of(found.board)
        ],
        "canEdit": True,
        "canRun": True,
        "attempt": _attempt(row) if row else None,
        "attempts": [shapes.attempt(one) for one in rows],
        "agents": shapes.agents(),
        "defaultAgent": registry.default_agent(settings),
        "dependencies": _dependencies(found),
        "people": _people(found) if tab == "brief" else [],
        "credentials": choices.offered(found.credential_id) if tab == "brief" else [],
        "relay": shapes.relay(rows[0]) if rows else {},
    }
    if tab == "run" and row is not None:
        context["run"] = shapes.run(row)
    elif tab == "changes" and row is not None:
        shown = change_shapes.changes(row, mode=attempt_pages.mode_of(request))
        context["changes"] = shown
    elif tab == "history":
        context["history"] = _history(found, rows)
    return context


def _attempt(row: Attempt) -> Shape:
    return shapes.attempt(row, queue_position=operations.queue_position(row))


def _people(found: Card) -> list[Shape]:
    """Who can be on the card, and who is."""
    chosen = set(found.assignees.values_list("pk", flat=True))
    return [
        {"id": user.public_id, "name": user.display_name, "isOn": user.pk in chosen}
        for user in project_queries.colleagues_of(found.project)
    ]


def _dependencies(found: Card) -> list[Shape]:
    return [
        {
            "id": other.public_id,
            "ticketKey": other.key,
            "title": other.title,
            "done": other.column.column_type == "done",
        }
        for other in board_queries.prerequisites_of(found)
    ]


def _history(found: Card, rows: list[Attempt]) -> list[Shape]:
    """What happened to the card, newest first, told from its rows."""
    entries: list[Shape] = [{"id": "created", "text": "wrote the card", "at": found.created_at}]
    if found.created_by:
        entries[0]["actor"] = {"name": found.created_by.display_name}
    for row in rows:
        label = shapes.agent(row.agent)["label"]
        if row.started_at:
            entries.append(
                {"id": f"{row.pk}s", "text": f"{label} began #{row.number}", "at": row.started_at}
            )
        if row.ended_at:
            text = f"#{row.number} {row.get_status_display().lower()}"
            entries.append({"id": f"{row.pk}e", "text": text, "at": row.ended_at})
    if found.completed_at:
        entries.append({"id": "done", "text": "The card was done", "at": found.completed_at})
    return sorted(entries, key=lambda entry: entry["at"], reverse=True)
