"""Templates of boards come, change and go; those the product brings stay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction

from apps.boards import events, layouts, rules
from apps.boards.models import AgentMode, BoardTemplate
from apps.boards.operations.columns import mode_of
from apps.core import problems

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from apps.boards.layouts import ColumnPlan
    from apps.core.actors import Actor

MOST_OF_ONE_PERSON = 100


def columns_of(template_id: UUID | None) -> Sequence[ColumnPlan]:
    """This will give the columns of a template; without one those of every new board."""
    if template_id is None:
        return layouts.DEFAULT_COLUMNS
    layout = layouts.find(template_id)
    if layout is not None:
        return layout.columns
    found = BoardTemplate.objects.filter(pk=template_id).first()
    if found is None:
        raise problems.ValidationFailed.of(
            "templateId", "There is no template with this id.", "not_found"
        )
    return [
        layouts.ColumnPlan(
            column["name"],
            column["columnType"],
            column["agentMode"],
            prompt=column["prompt"],
            skill_name=column["skillName"],
        )
        for column in found.columns
    ]


@transaction.atomic
def create_template(*, actor: Actor, name: str, columns: Sequence[dict[str, Any]]) -> BoardTemplate:
    """This will keep columns (as `inputs.TemplateColumn` reads them) for boards to come."""
    if BoardTemplate.objects.filter(created_by=actor.user).count() >= MOST_OF_ONE_PERSON:
        message = f"One person keeps at most {MOST_OF_ONE_PERSON} templates."
        raise problems.Conflict(message)
    template = BoardTemplate.objects.create(
        name=name, columns=_stored(columns), created_by=actor.user
    )
    events.template_changed("board_template.created", template, actor=actor)
    return template


def _stored(columns: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
    stored = []
    for index, column in enumerate(columns):
        try:
            mode = mode_of(column["column_type"], column.get("agent_mode"))
        except problems.ValidationFailed as problem:
            raise problems.ValidationFailed.of(
                f"columns.{index}.agentMode", problem.detail
            ) from problem
        stored.append(
            {
                "name": column["name"],
                "columnType": str(column["column_type"]),
                "prompt": column.get("prompt", ""),
                "agentMode": str(mode),
                "skillName": column.get("skill_name", "") if mode == AgentMode.SKILL else "",
            }
        )
    return stored


@transaction.atomic
def update_template(*, actor: Actor, template_id: UUID, changes: dict[str, Any]) -> BoardTemplate:
    """This will change a template's name or columns; boards made of it stay as they are."""
    template = _lock(template_id)
    rules.require_template_owner(actor, template)
    if "columns" in changes:
        changes = {**changes, "columns": _stored(changes["columns"])}
    changed = [
        field
        for field in ("name", "columns")
        if field in changes and getattr(template, field) != changes[field]
    ]
    if not changed:
        return template
    for field in changed:
        setattr(template, field, changes[field])
    template.save(update_fields=[*changed, "updated_at"])
    events.template_changed("board_template.updated", template, actor=actor)
    return template


@transaction.atomic
def delete_template(*, actor: Actor, template_id: UUID) -> None:
    """This will delete a template; boards made of it stay."""
    template = _lock(template_id)
    rules.require_template_owner(actor, template)
    gone = BoardTemplate.objects.get(pk=template.pk)
    template.delete()
    events.template_changed("board_template.deleted", gone, actor=actor)


def _lock(template_id: UUID) -> BoardTemplate:
    if layouts.find(template_id) is not None:
        message = "This template comes with KanbanAI and cannot be changed."
        raise problems.Conflict(message)
    template = BoardTemplate.objects.select_for_update().filter(pk=template_id).first()
    if template is None:
        message = "Template not found."
        raise problems.NotFound(message)
    return template
