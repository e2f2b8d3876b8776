"""What people say of a card's way in its drawer, which hears what came of it like everybody."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from django.http import HttpResponse
from django.views.decorators.http import require_POST

from apps.agents import operations, queries, registry
from apps.boards import queries as board_queries
from apps.core.pages import actor_of, page

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpRequest

    from apps.agents.models import Attempt
    from apps.boards.models import Card


def _card(request: HttpRequest, card_id: UUID) -> Card:
    registry.agents()
    return board_queries.get_card(actor=actor_of(request), card_id=card_id)


def _newest(request: HttpRequest, card_id: UUID) -> Attempt:
    return queries.get_newest_attempt(_card(request, card_id))


def _told(text: str) -> HttpResponse:
    trigger = json.dumps({"toast": {"text": text, "variant": "ok"}})
    return HttpResponse(status=204, headers={"HX-Trigger": trigger})


@require_POST
@page
def auto_mode(request: HttpRequest, card_id: UUID) -> HttpResponse:
    """Whether the card goes on by itself, and what it does not wait for."""
    operations.set_auto_mode(
        actor=actor_of(request),
        card=_card(request, card_id),
        enabled="enabled" in request.POST,
        skip_approval="skipApproval" in request.POST,
        skip_plan_columns="skipPlanColumns" in request.POST,
    )
    return HttpResponse(status=204)


@require_POST
@page
def approve(request: HttpRequest, card_id: UUID) -> HttpResponse:
    """That the plan is good and the card goes on."""
    operations.approve_auto(actor=actor_of(request), card=_card(request, card_id))
    return _told("Approved: the card goes on")


@require_POST
@page
def summary(request: HttpRequest, card_id: UUID) -> HttpResponse:
    """What was done, in a few sentences."""
    operations.summarize(actor=actor_of(request), attempt=_newest(request, card_id))
    return _told("The summary is on the card")


@require_POST
@page
def relay(request: HttpRequest, card_id: UUID) -> HttpResponse:
    """A fresh session that gets a hand-off."""
    operations.relay_attempt(actor=actor_of(request), attempt=_newest(request, card_id))
    return _told("A fresh session takes over")
