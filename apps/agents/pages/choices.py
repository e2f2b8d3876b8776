"""Which credential a card or an organization chose, and choosing another one on a page."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from apps.agents import inputs, keys, operations
from apps.boards import queries as board_queries
from apps.core.pages import actor_of, page
from apps.core.rest import REFUSALS, problem_of
from apps.orgs import queries as org_queries
from apps.orgs import rules as org_rules

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpRequest

    from apps.core.actors import Actor


def offered(chosen: UUID | None) -> list[dict[str, Any]]:
    """This will list what can be chosen, and tell which is."""
    return [
        {"id": row.public_id, "name": row.name, "isOn": row.pk == chosen}
        for row in keys.credentials()
    ]


def organizations(actor: Actor) -> list[dict[str, Any]]:
    """This will list one's organizations whose credential one may choose."""
    found = org_queries.organizations_of(actor.person)
    return [
        {"id": one.public_id, "name": one.name, "offered": offered(one.default_credential_id)}
        for one in found
        if org_rules.can_administer(actor, one)
    ]


def _chosen(request: HttpRequest) -> UUID | None:
    reader = inputs.ChooseCredential(
        data={"credentialId": request.POST.get("credentialId", "") or None}
    )
    reader.is_valid(raise_exception=True)
    found: UUID | None = reader.validated_data["credential_id"]
    return found


@require_POST
@page
def card(request: HttpRequest, card_id: UUID) -> HttpResponse:
    """The credential of a card's agents; whoever looks hears of it like everybody."""
    actor = actor_of(request)
    found = board_queries.get_card(actor=actor, card_id=card_id)
    try:
        operations.choose_for_card(actor=actor, card=found, credential_id=_chosen(request))
    except REFUSALS as error:
        problem = problem_of(error)
        toast = {"toast": {"text": problem.detail, "variant": "bad"}}
        return HttpResponse(status=problem.status, headers={"HX-Trigger": json.dumps(toast)})
    return HttpResponse(status=204)


@require_POST
@page
def organization(request: HttpRequest, organization_id: UUID) -> HttpResponse:
    """The credential of an organization's projects that have none of their own."""
    actor = actor_of(request)
    found = org_queries.get_organization(organization_id, actor=actor)
    try:
        operations.choose_for_organization(
            actor=actor, organization=found, credential_id=_chosen(request)
        )
    except REFUSALS as error:
        messages.error(request, problem_of(error).detail)
    else:
        messages.success(request, f"Chosen for “{found.name}”.")
    return redirect("credentials")
