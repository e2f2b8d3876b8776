"""A project's settings, as far as agents have to be asked whether they make sense."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction

from apps.agents import registry
from apps.agents.models import AgentProfile
from apps.core import ids, problems
from apps.projects import operations as project_operations

if TYPE_CHECKING:
    from apps.core.actors import Actor
    from apps.projects.models import Project, ProjectSettings


@transaction.atomic
def update_project_settings(
    *, actor: Actor, project: Project, changes: dict[str, Any]
) -> ProjectSettings:
    """This will change a project's settings; agents and profiles must exist and fit together."""
    wanted = dict(changes)
    if "default_agent" in wanted:
        wanted["default_agent"] = _agent(str(wanted["default_agent"] or ""))
    if wanted.get("default_profile_id"):
        agent = wanted.get("default_agent") or project.settings.default_agent
        _require_profile(project, str(wanted["default_profile_id"]), agent)
    return project_operations.update_settings(actor=actor, project=project, changes=wanted)


def _agent(text: str) -> str:
    if not text:
        return ""
    preset = registry.find_preset(text)
    if preset is None:
        raise problems.ValidationFailed.of("defaultAgent", "Unknown agent")
    return preset.id


def _require_profile(project: Project, profile_id: str, agent: str) -> None:
    try:
        key = ids.decode("prof", profile_id)
    except problems.NotFound:
        key = None
    profile = AgentProfile.objects.filter(pk=key).first() if key else None
    if profile is None or profile.project_id not in {None, project.pk}:
        raise problems.ValidationFailed.of("defaultProfileId", "Profile not found")
    if profile.agent != agent:
        raise problems.ValidationFailed.of(
            "defaultProfileId", "Profile does not match selected agent"
        )
