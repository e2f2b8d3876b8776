"""Who may do what in a project."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Exists, OuterRef, Q

from apps.core import problems
from apps.orgs.models import Membership, OrganizationRole
from apps.projects.models import Project, ProjectMember, ProjectRole

if TYPE_CHECKING:
    from apps.core.actors import Actor


def can_work(actor: Actor, project: Project) -> bool:
    """True for the owner, members, people of the project's organization and super admins."""
    if _stands_above(actor, project):
        return True
    return Project.objects.visible_to(actor.person).filter(pk=project.pk).exists()


def can_administer(actor: Actor, project: Project) -> bool:
    """True for the owner, project admins, admins of its organization and super admins."""
    if _stands_above(actor, project):
        return True
    user = actor.person
    of_project = ProjectMember.objects.filter(
        project=OuterRef("pk"), user=user, role=ProjectRole.ADMIN
    )
    of_organization = Membership.objects.filter(
        organization=OuterRef("organization_id"), user=user, role=OrganizationRole.ADMIN
    )
    allowed = Q(owner=user) | Exists(of_project) | Exists(of_organization)
    return Project.objects.filter(allowed, pk=project.pk).exists()


def _stands_above(actor: Actor, project: Project) -> bool:
    """What is known without asking the database."""
    return actor.is_system or actor.person.is_super_admin or project.owner_id == actor.person.pk


def require_member(actor: Actor, project: Project) -> None:
    """This will raise Forbidden unless the actor may work in the project."""
    if not can_work(actor, project):
        raise problems.Forbidden


def require_admin(actor: Actor, project: Project) -> None:
    """This will raise Forbidden unless the actor administers the project."""
    if not can_administer(actor, project):
        message = "Only admins of the project may do this."
        raise problems.Forbidden(message)
