"""What can be found of projects, by whom."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from django.db.models import F, FilteredRelation, OuterRef, Q, Subquery, Value
from django.db.models.functions import NullIf

from apps.accounts.models import User
from apps.core import problems
from apps.orgs.models import Membership
from apps.projects.models import (
    Invitation,
    Project,
    ProjectMember,
    ProjectSettings,
    ProjectView,
    Script,
    ScriptRun,
)

if TYPE_CHECKING:
    from typing import Any
    from uuid import UUID

    from django.db.models import QuerySet

    from apps.core.actors import Actor

# Invitations of one person to one e-mail that lie no further apart are one.
AT_ONCE = dt.timedelta(minutes=10)


def get_project(*, actor: Actor, project_id: UUID) -> Project:
    """This will find a project the actor may see; NotFound otherwise."""
    found = _visible(actor).select_related("organization").filter(pk=project_id).first()
    if found is None:
        message = "Project not found."
        raise problems.NotFound(message)
    return found


def _visible(actor: Actor) -> QuerySet[Project]:
    if actor.is_system:
        return Project.objects.all()
    return Project.objects.visible_to(actor.person)


def projects_of(user: User, *, organization_id: UUID | None = None) -> list[Project]:
    """This will list what a person may see in the person's own order, the newest last."""
    projects = in_order_of(user)
    if organization_id is not None:
        projects = projects.filter(organization_id=organization_id)
    return list(projects)


def in_order_of(user: User) -> QuerySet[Project]:
    """This will order a person's projects: as the person laid them, then by age."""
    return (
        Project.objects.visible_to(user)
        .annotate(mine=FilteredRelation("views", condition=Q(views__user=user)))
        .annotate(place=NullIf(F("mine__rank"), Value("")))
        .order_by(F("place").asc(nulls_last=True), "created_at", "pk")
    )


def views_of(user: User, project_ids: list[UUID]) -> dict[UUID, ProjectView]:
    """This will give what a person did with projects, by project; one statement."""
    rows = ProjectView.objects.filter(user=user, project_id__in=project_ids)
    return {row.project_id: row for row in rows}


def position_of(project: Project, user: User) -> int:
    """This will count the projects before this one in a person's order; 0 when it is not seen."""
    order = list(in_order_of(user).values_list("pk", flat=True))
    return order.index(project.pk) if project.pk in order else 0


def recent_projects_of(user: User, *, limit: int = 12) -> list[Project]:
    """This will list a person's projects, the last opened first."""
    return list(
        Project.objects.visible_to(user)
        .annotate(mine=FilteredRelation("views", condition=Q(views__user=user)))
        .order_by(F("mine__last_opened_at").desc(nulls_last=True), "-created_at")[:limit]
    )


def settings_of(project: Project) -> ProjectSettings:
    """This will give a project's settings."""
    return ProjectSettings.objects.get(project=project)


def members_of(project: Project) -> list[ProjectMember]:
    """This will list a project's members, the eldest first, with their accounts."""
    return list(project.members.select_related("user").order_by("created_at", "pk"))


def invitations_of(project: Project) -> list[Invitation]:
    """This will list the invitations nobody has taken yet."""
    return list(project.invitations.order_by("created_at", "pk"))


def find_member(project: Project, user_id: UUID) -> ProjectMember | None:
    """This will find a person's membership."""
    return project.members.select_related("user").filter(user_id=user_id).first()


def find_invitation(project_id: UUID, email: str) -> Invitation | None:
    """This will find an open invitation, with the project and who invited."""
    return (
        Invitation.objects.select_related("project", "invited_by")
        .filter(project_id=project_id, email=email)
        .first()
    )


def is_told_already(invitation: Invitation) -> bool:
    """True where the same person invited the same e-mail to another project just before.

    Somebody who is invited to many projects at once, as by an import, gets one mail.
    """
    return (
        Invitation.objects.filter(email=invitation.email, invited_by_id=invitation.invited_by_id)
        .filter(
            Q(created_at__lt=invitation.created_at)
            | Q(created_at=invitation.created_at, pk__lt=invitation.pk),
            created_at__gt=invitation.created_at - AT_ONCE,
        )
        .exists()
    )


def is_invited(email: str) -> bool:
    """True while an invitation waits for this e-mail, whatever its case."""
    return Invitation.objects.filter(email=email.strip().lower()).exists()


def panel_states_of(project: Project, user: User) -> dict[str, Any]:
    """This will give a person's open panels in a project, by card id."""
    found = (
        ProjectView.objects.filter(project=project, user=user)
        .values_list("panel_states", flat=True)
        .first()
    )
    return found or {}


def people_of(project: Project) -> list[UUID]:
    """This will list the owner and the members, by id: whose list of projects shows this one."""
    return sorted({project.owner_id, *project.members.values_list("user_id", flat=True)})


def colleagues_of(project: Project) -> list[User]:
    """This will list whoever can be assigned in a project: its people, its organization's."""
    above = Membership.objects.filter(organization__projects=project).values("user_id")
    found = User.objects.filter(
        Q(pk=project.owner_id) | Q(pk__in=project.members.values("user_id")) | Q(pk__in=above),
        is_active=True,
    )
    return list(found.order_by("display_name", "pk"))


def scripts_of(project: Project) -> list[Script]:
    """This will list a project's scripts in their order."""
    return list(project.scripts.order_by("rank", "pk"))


def get_script(*, actor: Actor, project_id: UUID, script_id: UUID) -> Script:
    """This will find a script of a project the actor may see; NotFound otherwise."""
    found = (
        Script.objects.select_related("project")
        .filter(project__in=_visible(actor), project_id=project_id, pk=script_id)
        .first()
    )
    if found is None:
        message = "Script not found."
        raise problems.NotFound(message)
    return found


def script_position(script: Script) -> int:
    """This will count the scripts before this one in its project."""
    return Script.objects.filter(project_id=script.project_id, rank__lt=script.rank).count()


def runs_of(script: Script) -> list[ScriptRun]:
    """This will list the runs of a script that are kept, the newest first."""
    return list(script.runs.order_by("-created_at", "-pk"))


def newest_runs_of(project: Project) -> dict[UUID, ScriptRun]:
    """This will find the newest run of each script of a project, in one statement."""
    newest = ScriptRun.objects.filter(script=OuterRef("script")).order_by("-created_at", "-pk")
    runs = ScriptRun.objects.filter(script__project=project, pk=Subquery(newest.values("pk")[:1]))
    return {run.script_id: run for run in runs}


def lost_runs(*, before: dt.datetime, unclaimed_before: dt.datetime) -> list[ScriptRun]:
    """This will list the runs without a sign of life, and those that no worker took."""
    silent = Q(beat_at__lt=before) | Q(beat_at=None, created_at__lt=unclaimed_before)
    return list(ScriptRun.objects.filter(silent, status=ScriptRun.Status.RUNNING))


def is_cancelled(run_id: UUID) -> bool:
    """True when somebody asked for the end of a run, or when it is over or gone."""
    running = ScriptRun.objects.filter(pk=run_id, status=ScriptRun.Status.RUNNING)
    return not running.filter(cancel_requested=False).exists()


def count_owned_by(user: User) -> int:
    """This will count the projects somebody owns."""
    return Project.objects.filter(owner=user).count()
