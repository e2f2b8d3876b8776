"""Who may do what on a board: whoever may work in its project."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apps.boards.models import AgentMode, ColumnType
from apps.core import problems
from apps.projects import rules as project_rules

if TYPE_CHECKING:
    from apps.boards.models import BoardTemplate, Column
    from apps.core.actors import Actor
    from apps.projects.models import Project


def require_editor(actor: Actor, project: Project) -> None:
    """This will raise Forbidden unless the actor may change the project's cards and columns."""
    project_rules.require_member(actor, project)


def require_admin(actor: Actor, project: Project) -> None:
    """This will raise Forbidden unless the actor administers the project."""
    project_rules.require_admin(actor, project)


def require_template_owner(actor: Actor, template: BoardTemplate) -> None:
    """This will raise Forbidden unless the actor made the template or administers the server."""
    if actor.is_system or actor.person.is_server_admin:
        return
    if template.created_by_id is None or template.created_by_id != actor.person.pk:
        message = "Only whoever made the template and admins of the server may do this."
        raise problems.Forbidden(message)


def starts_agent(column: Column) -> bool:
    """True for a column whose entry puts an agent to work."""
    return column.column_type == ColumnType.ACTIVE and column.agent_mode != AgentMode.NONE
