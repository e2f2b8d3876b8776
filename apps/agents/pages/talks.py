"""Pages of conversations: one's assistant of a project, and the sharpening of a card's prompt.

Both are one panel: a list that is asked for again while the agent answers, and a form that stays
as it is meanwhile.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.agents import conversation_queries as queries
from apps.agents import inputs, operations, outputs, registry
from apps.boards import queries as board_queries
from apps.core import problems
from apps.core.pages import actor_of, page
from apps.core.rest import REFUSALS, problem_of
from apps.projects import queries as project_queries

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpRequest

    from apps.agents.conversation_tables import Conversation
    from apps.boards.models import Card
    from apps.projects.models import Project

Shape = dict[str, Any]

NEWEST = 100


def _talk(row: Conversation | None, *, url: str, error: str = "") -> Shape:
    """What the panel shows of a conversation; None is one that has not begun."""
    items = queries.newest_items(row, limit=NEWEST) if row else []
    shown = [
        {
            **item.data,
            "id": item.public_id,
            "type": item.type,
            "role": item.role,
            "seq": item.seq,
            "position": item.position,
        }
        for item in items
    ]
    return {
        "talk": {
            "url": url,
            "items": shown,
            "isBusy": row is not None and row.activity != "idle",
            "activity": row.activity if row else "idle",
            "isOpen": row is None or row.is_open,
            "proposal": queries.proposal_of(row) if row and row.is_presession else "",
        },
        "error": error,
    }


def _content(request: HttpRequest) -> str:
    reader = inputs.SendWords(data={"content": request.POST.get("content", "")})
    reader.is_valid(raise_exception=True)
    return str(reader.validated_data["content"])


def _why(error: BaseException) -> str:
    problem = problem_of(error)
    return problem.errors[0]["detail"] if problem.errors else problem.detail


# --- one's assistant -----------------------------------------------------------------------------


def _project(request: HttpRequest, project_id: UUID) -> Project:
    return project_queries.get_project(actor=actor_of(request), project_id=project_id)


def _assistant(request: HttpRequest, project: Project, error: str = "") -> Shape:
    row = queries.find_assistant(actor=actor_of(request), project=project)
    url = reverse("assistant_talk", args=[project.pk])
    return {
        **_talk(row, url=url, error=error),
        "project": {"id": project.public_id, "name": project.name},
        "stopUrl": reverse("assistant_stop", args=[project.pk]),
    }


@require_safe
@page
def assistant(request: HttpRequest, project_id: UUID) -> HttpResponse:
    """The page of one's assistant."""
    project = _project(request, project_id)
    board = board_queries.first_board_of(project.pk)
    context = _assistant(request, project) | {"board": board and {"id": board.public_id}}
    return render(request, "talks/assistant.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@page
def assistant_talk(request: HttpRequest, project_id: UUID) -> HttpResponse:
    """What was said, after a moment or after one's own word."""
    project = _project(request, project_id)
    if request.method != "POST":
        return render(request, "talks/_list.html", _assistant(request, project))
    try:
        text = _content(request)
        registry.agents()
        operations.say_to_assistant(actor=actor_of(request), project=project, text=text)
    except REFUSALS as error:
        context = _assistant(request, project, _why(error))
        context["content"] = request.POST.get("content", "")
        return render(request, "talks/_said.html", context)
    return render(request, "talks/_said.html", _assistant(request, project))


@require_POST
@page
def assistant_stop(request: HttpRequest, project_id: UUID) -> HttpResponse:
    """The list, after the agent was stopped."""
    project = _project(request, project_id)
    operations.stop_assistant(actor=actor_of(request), project=project)
    return render(request, "talks/_list.html", _assistant(request, project))


# --- pre-sessions --------------------------------------------------------------------------------


def _card(request: HttpRequest, card_id: UUID) -> Card:
    return board_queries.get_card(actor=actor_of(request), card_id=card_id)


def _session(request: HttpRequest, card: Card, session_id: UUID) -> Conversation:
    return queries.get_presession(
        actor=actor_of(request), session_id=session_id, project_id=card.project_id
    )


def _presession(card: Card, row: Conversation, error: str = "") -> Shape:
    place = [card.pk, row.pk]
    return {
        **_talk(row, url=reverse("presession_talk", args=place), error=error),
        "card": {"id": card.public_id, "key": card.key, "title": card.title},
        "session": outputs.presession(row),
        "endUrl": reverse("presession_end", args=place),
        "stopUrl": "",
    }


def sharpening(request: HttpRequest, card: Card) -> HttpResponse:
    """This will be the dialog of a card's open pre-session, or of one that begins with it."""
    registry.agents()
    row = queries.find_open_presession(card)
    try:
        row = row or operations.open_presession(actor=actor_of(request), card=card)
    except problems.Conflict as problem:
        row = queries.find_open_presession(card)
        if row is None:
            return render(request, "talks/refused.html", {"error": problem.detail})
    return render(request, "talks/presession.html", _presession(card, row))


@require_POST
@page
def presession(request: HttpRequest, card_id: UUID) -> HttpResponse:
    """The dialog in which a card's prompt is sharpened."""
    return sharpening(request, _card(request, card_id))


@require_http_methods(["GET", "HEAD", "POST"])
@page
def presession_talk(request: HttpRequest, card_id: UUID, session_id: UUID) -> HttpResponse:
    """What was said, after a moment or after one's own word."""
    card = _card(request, card_id)
    row = _session(request, card, session_id)
    if request.method != "POST":
        return render(request, "talks/_list.html", _presession(card, row))
    words = ""
    why = ""
    try:
        text = _content(request)
        registry.agents()
        operations.say(actor=actor_of(request), conversation=row, text=text)
    except REFUSALS as error:
        words, why = request.POST.get("content", ""), _why(error)
    row = _session(request, card, session_id)
    return render(request, "talks/_said.html", {**_presession(card, row, why), "content": words})


@require_POST
@page
def presession_end(request: HttpRequest, card_id: UUID, session_id: UUID) -> HttpResponse:
    """The end: the proposal is written to the card, or nothing is."""
    card = _card(request, card_id)
    row = _session(request, card, session_id)
    try:
        if request.POST.get("accept"):
            values = inputs.AcceptPreSession(data={"prompt": request.POST.get("prompt") or None})
            values.is_valid(raise_exception=True)
            operations.accept_presession(
                actor=actor_of(request), conversation=row, **dict(values.validated_data)
            )
            told = f"The prompt of {card.key} is sharpened"
        else:
            operations.cancel_presession(actor=actor_of(request), conversation=row)
            told = f"The prompt of {card.key} stays as it was"
    except REFUSALS as error:
        row = _session(request, card, session_id)
        return render(request, "talks/presession.html", _presession(card, row, _why(error)))
    shown = {"closeDialog": True, "toast": {"text": told, "variant": "ok"}}
    return HttpResponse(status=204, headers={"HX-Trigger": json.dumps(shown)})
