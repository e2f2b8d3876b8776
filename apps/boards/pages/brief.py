"""Who is on a card and what it waits for, as the drawer's brief changes it.

Whoever looks hears of the change like everybody, and the drawer is drawn anew: an answer says only
what was refused.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from apps.boards import inputs, operations, queries
from apps.core import ids
from apps.core.pages import actor_of, page
from apps.core.rest import REFUSALS, problem_of

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpRequest

    from apps.boards.models import Card

MOST_OFFERED = 20


@require_POST
@page
def assignees(request: HttpRequest, card_id: UUID) -> HttpResponse:
    """The people whose boxes are ticked, and nobody else."""
    actor = actor_of(request)
    card = queries.get_card(actor=actor, card_id=card_id)
    reader = inputs.UpdateCard(data={"assignees": request.POST.getlist("person")})
    try:
        reader.is_valid(raise_exception=True)
        operations.update_card(actor=actor, card=card, changes={}, **reader.validated_data)
    except REFUSALS as error:
        return _refused(error)
    return HttpResponse(status=204)


@require_POST
@page
def dependencies(request: HttpRequest, card_id: UUID) -> HttpResponse:
    """One card more to wait for, named by its key, or one less."""
    card = queries.get_card(actor=actor_of(request), card_id=card_id)
    if "remove" in request.POST:
        return _without(request, card, request.POST["remove"])
    key = _printable(request.POST.get("add", "")).split(" ")[0]
    found = queries.cards_matching(card.project, board_id=card.board_id).filter(key__iexact=key)
    other = found.exclude(pk=card.pk).first() if key else None
    if other is None:
        return _told("Name another card of this board by its key.")
    try:
        operations.add_dependency(actor=actor_of(request), card=card, other_id=other.pk)
    except REFUSALS as error:
        return _refused(error)
    return HttpResponse(status=204)


def _without(request: HttpRequest, card: Card, other: str) -> HttpResponse:
    try:
        other_id = ids.decode("card", other)
        operations.remove_dependency(actor=actor_of(request), card=card, other_id=other_id)
    except REFUSALS as error:
        return _refused(error)
    return HttpResponse(status=204)


def _printable(text: str) -> str:
    """What can be looked for: a database takes no NUL."""
    shown = "".join(letter for letter in text if letter.isprintable())
    return shown.strip()[: inputs.SEARCH_LENGTH]


def _refused(error: Exception) -> HttpResponse:
    problem = problem_of(error)
    return _told(problem.errors[0]["detail"] if problem.errors else problem.detail)


def _told(text: str) -> HttpResponse:
    trigger = json.dumps({"toast": {"text": text, "variant": "bad"}})
    return HttpResponse(status=204, headers={"HX-Trigger": trigger})


@require_safe
@page
def others(request: HttpRequest, card_id: UUID) -> HttpResponse:
    """Cards of the same board that a typed text could mean."""
    card = queries.get_card(actor=actor_of(request), card_id=card_id)
    words = _printable(request.GET.get("add", ""))
    found = queries.cards_matching(card.project, board_id=card.board_id, search=words)
    rows = found.exclude(pk=card.pk).order_by("-number")[:MOST_OFFERED]
    return render(request, "boards/_others.html", {"others": rows})
