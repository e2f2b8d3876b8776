"""People join projects, change their role and leave."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from apps.accounts.models import User
from apps.core import problems
from apps.projects import events, outputs, queries, rules
from apps.projects.models import Invitation, Project, ProjectMember, ProjectRole
from apps.projects.operations import projects as project_operations

if TYPE_CHECKING:
    from uuid import UUID

    from apps.core.actors import Actor


@transaction.atomic
def add_member(
    *, actor: Actor, project: Project, email: str, role: str = ProjectRole.MEMBER
) -> outputs.Member:
    """This will add the person with this e-mail, or invite the e-mail when nobody has it.

    Inviting again updates the role; adding somebody who is in the project already is a 409.
    """
    locked = project_operations.lock(project)
    rules.require_admin(actor, locked)
    email = email.strip().lower()
    user = User.objects.filter(email=email, is_active=True).first()
    if user is None:
        return _invite(actor, locked, email, role)
    if user.pk == locked.owner_id or queries.find_member(locked, user.pk) is not None:
        message = "This person is in the project already."
        raise problems.Conflict(message)
    return _join(actor, locked, user, role)


def _invite(actor: Actor, project: Project, email: str, role: str) -> outputs.Member:
    invitation, _made = Invitation.objects.update_or_create(
        project=project, email=email, defaults={"role": role, "invited_by": actor.user}
    )
    shown = outputs.invitation(invitation)
    events.member_changed("member.invited", project, shown, actor=actor)
    return shown


def _join(actor: Actor, project: Project, user: User, role: str) -> outputs.Member:
    member = ProjectMember.objects.create(project=project, user=user, role=role)
    shown = outputs.member(member)
    events.member_changed("member.added", project, shown, actor=actor)
    return shown


@transaction.atomic
def update_member(*, actor: Actor, project: Project, user_id: UUID, role: str) -> outputs.Member:
    """This will give a member another role; the owner's cannot be changed (409)."""
    locked = project_operations.lock(project)
    rules.require_admin(actor, locked)
    member = _get_member(locked, user_id)
    if member.role != role:
        member.role = role
        member.save(update_fields=["role"])
        events.member_changed("member.updated", locked, outputs.member(member), actor=actor)
    return outputs.member(member)


def _get_member(project: Project, user_id: UUID) -> ProjectMember:
    if user_id == project.owner_id:
        message = "The owner is in the project for as long as it is theirs."
        raise problems.Conflict(message)
    member = queries.find_member(project, user_id)
    if member is None:
        message = "Member not found."
        raise problems.NotFound(message)
    return member


@transaction.atomic
def remove_member(*, actor: Actor, project: Project, user_id: UUID) -> None:
    """This will take a person out of the project; everybody may take out themselves."""
    locked = project_operations.lock(project)
    if actor.user is None or actor.user.pk != user_id:
        rules.require_admin(actor, locked)
    else:
        rules.require_member(actor, locked)
    member = _get_member(locked, user_id)
    shown = outputs.member(member)
    member.delete()
    events.member_changed("member.removed", locked, shown, actor=actor)


@transaction.atomic
def remove_invitation(*, actor: Actor, project: Project, email: str) -> None:
    """This will take back an invitation, whatever the case of the e-mail; NotFound without one."""
    locked = project_operations.lock(project)
    rules.require_admin(actor, locked)
    invitation = locked.invitations.filter(email=email.strip().lower()).first()
    if invitation is None:
        message = "Invitation not found."
        raise problems.NotFound(message)
    shown = outputs.invitation(invitation)
    invitation.delete()
    events.member_changed("member.uninvited", locked, shown, actor=actor)


@transaction.atomic
def accept_invitations(*, actor: Actor, user: User) -> None:
    """This will turn the invitations that wait for a new account into memberships.

    Called where accounts are made, with an e-mail that is known to be the person's own.
    """
    waiting = list(
        Invitation.objects.select_for_update(of=("self",))
        .select_related("project")
        .filter(email=user.email)
        .order_by("project_id")
    )
    for invitation in waiting:
        if (
            invitation.project.owner_id != user.pk
            and not invitation.project.members.filter(user=user).exists()
        ):
            _join(actor, invitation.project, user, invitation.role)
        invitation.delete()


@transaction.atomic
def transfer_projects(*, actor: Actor, user: User, heir: User) -> None:
    """This will give a person's projects to another, as when an account is deleted."""
    if not (actor.is_system or actor.person.is_server_admin):
        raise problems.Forbidden
    owned = list(Project.objects.select_for_update().filter(owner=user).order_by("pk"))
    for project in owned:
        project.owner = heir
        project.save(update_fields=["owner", "updated_at"])
        project.members.filter(user=heir).delete()
        events.owner_changed(project, former_id=user.pk, actor=actor)
