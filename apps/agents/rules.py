"""Who may do what with agents: whoever may work in the project."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apps.projects import rules as project_rules

if TYPE_CHECKING:
    from apps.core.actors import Actor
    from apps.projects.models import Project


def require_worker(actor: Actor, project: Project) -> None:
    """This will raise Forbidden unless the actor may put agents to work in the project."""
    project_rules.require_member(actor, project)


def require_admin(actor: Actor, project: Project) -> None:
    """This will raise Forbidden unless the actor administers the project."""
    project_rules.require_admin(actor, project)
