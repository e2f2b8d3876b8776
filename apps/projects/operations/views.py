"""What one person does with projects: order, last opened, read, open panels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone

from apps.core import ids, problems, ranks
from apps.projects import events, queries, rules
from apps.projects.models import Project, ProjectView

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from apps.core.actors import Actor

# Panels of cards long forgotten make room for new ones.
PANEL_STATES_KEPT = 500


@transaction.atomic
def reorder_projects(*, actor: Actor, project_ids: Sequence[UUID]) -> list[Project]:
    """This will lay a person's projects in this order; those not named follow as they were."""
    user = actor.person
    present = {project.pk: project for project in queries.projects_of(user)}
    if len(set(project_ids)) != len(project_ids) or not set(project_ids) <= set(present):
        detail = "Give projects you can see, each once."
        raise problems.ValidationFailed.of("ids", detail)
    named = set(project_ids)
    order = [*project_ids, *(pk for pk in present if pk not in named)]
    ProjectView.objects.bulk_create(
        (
            ProjectView(project_id=pk, user=user, rank=rank)
            for pk, rank in zip(order, ranks.sequence(len(order)), strict=True)
        ),
        update_conflicts=True,
        unique_fields=["project", "user"],
        update_fields=["rank"],
    )
    events.projects_reordered(order, actor=actor)
    return [present[pk] for pk in order]


@transaction.atomic
def open_project(*, actor: Actor, project: Project) -> None:
    """This will remember that a person opened a project just now."""
    rules.require_member(actor, project)
    ProjectView.objects.update_or_create(
        project=project, user=actor.person, defaults={"last_opened_at": timezone.now()}
    )


@transaction.atomic
def mark_all_read(*, actor: Actor, project: Project) -> None:
    """This will count everything that happened in a project until now as read by a person."""
    rules.require_member(actor, project)
    ProjectView.objects.update_or_create(
        project=project, user=actor.person, defaults={"all_read_at": timezone.now()}
    )
    events.project_read(project, actor=actor)


@transaction.atomic
def save_panel_states(
    *, actor: Actor, project: Project, states: Mapping[str, Any]
) -> dict[str, Any]:
    """This will keep the panels of the cards given (by public id); the others stay as they were.

    Past `PANEL_STATES_KEPT` the eldest cards' panels are forgotten. Gives the whole object.
    """
    rules.require_member(actor, project)
    view = _lock_view(project, actor)
    merged = {**view.panel_states, **states}
    for forgotten in sorted(merged)[: max(0, len(merged) - PANEL_STATES_KEPT)]:
        del merged[forgotten]
    view.panel_states = merged
    view.save(update_fields=["panel_states"])
    return merged


@transaction.atomic
def forget_panel_state(*, actor: Actor, project: Project, card_id: UUID) -> None:
    """This will forget a card's panel, if one was kept."""
    rules.require_member(actor, project)
    view = _lock_view(project, actor)
    if view.panel_states.pop(ids.encode("card", card_id), None) is not None:
        view.save(update_fields=["panel_states"])


def _lock_view(project: Project, actor: Actor) -> ProjectView:
    ProjectView.objects.get_or_create(project=project, user=actor.person)
    return ProjectView.objects.select_for_update().get(project=project, user=actor.person)
