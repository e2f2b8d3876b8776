"""What projects show: one shape for REST, sockets and pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypedDict, cast

from apps.core import ids, snapshots
from apps.core.moments import moment
from apps.projects import folders, queries
from apps.projects.models import ProjectRole

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from apps.accounts.models import User
    from apps.projects import models


class Clone(TypedDict):
    """How far a clone is; `phase` says afterwards why it failed."""

    percent: int
    phase: str
    cancellable: bool


class ProjectFacts(TypedDict):
    """A project as it is for everybody."""

    id: str
    name: str
    path: str
    description: str
    color: str
    organizationId: str | None
    ownerId: str
    origin: str
    repositoryUrl: str | None
    isGitRepo: bool
    credentialId: str | None
    state: str
    clone: Clone | None
    createdAt: str
    updatedAt: str


class Project(ProjectFacts):
    """A project as one person sees it."""

    position: int
    unreadCount: int
    lastOpenedAt: str | None


class Member(TypedDict):
    """Somebody in a project, or an invitation that nobody has taken yet."""

    userId: str | None
    email: str
    displayName: str | None
    role: str
    status: Literal["active", "pending"]


class Settings(TypedDict):
    """What drives the work on a project's cards."""

    projectId: str
    baseBranch: str
    branchTemplate: str
    copyFiles: str
    setupScript: str
    cleanupScript: str
    allowScriptsToFail: bool
    allowCopyFilesToFail: bool
    allowSetupScriptToFail: bool
    defaultAgent: str | None
    defaultProfileId: str | None
    autoCommitOnFinish: bool
    mergeStrategy: str
    ticketPrefix: str
    nextTicketNumber: int
    updatedAt: str


@dataclass(frozen=True, slots=True)
class Shelf:
    """Projects that are about to be shown to a person; what parts of the snapshot "project" get.

    A part gives a value for each project id, so that a list costs it one statement.
    """

    user: User
    project_ids: tuple[UUID, ...]


def topic(project_id: UUID) -> str:
    """This will name a project's journal topic."""
    return ids.topic("project", ids.encode("proj", project_id))


def project_facts(row: models.Project) -> ProjectFacts:
    """This will show a project without anything that belongs to one person."""
    return {
        "id": row.public_id,
        "name": row.name,
        "path": row.path,
        "description": row.description,
        "color": row.color,
        "organizationId": (ids.encode("org", row.organization_id) if row.organization_id else None),
        "ownerId": ids.encode("user", row.owner_id),
        "origin": row.origin,
        "repositoryUrl": row.repository_url or None,
        "isGitRepo": row.state == row.State.READY and folders.is_repository(row.path),
        "credentialId": ids.encode("cred", row.credential_id) if row.credential_id else None,
        "state": row.state,
        "clone": clone(row),
        "createdAt": moment(row.created_at),
        "updatedAt": moment(row.updated_at),
    }


def clone(row: models.Project) -> Clone | None:
    """This will show how far a clone is; None for a project that is ready."""
    if row.state == row.State.READY:
        return None
    cloning = row.state == row.State.CLONING
    return {
        "percent": row.clone_percent,
        "phase": row.clone_phase,
        "cancellable": cloning and not row.clone_cancel_requested,
    }


def projects(rows: Sequence[models.Project], user: User) -> list[Project]:
    """This will show a person's projects in the order given; statements do not grow with them."""
    shelf = Shelf(user, tuple(row.pk for row in rows))
    views = queries.views_of(user, list(shelf.project_ids))
    parts = snapshots.parts_of("project", shelf)
    return [_project(row, position, views.get(row.pk), parts) for position, row in enumerate(rows)]


def project(row: models.Project, user: User) -> Project:
    """This will show one project to a person."""
    shelf = Shelf(user, (row.pk,))
    view = queries.views_of(user, [row.pk]).get(row.pk)
    position = queries.position_of(row, user)
    return _project(row, position, view, snapshots.parts_of("project", shelf))


def _project(
    row: models.Project,
    position: int,
    view: models.ProjectView | None,
    parts: dict[str, dict[UUID, Any]],
) -> Project:
    shown: Project = {
        **project_facts(row),
        "position": position,
        "unreadCount": 0,
        "lastOpenedAt": moment(view.last_opened_at) if view and view.last_opened_at else None,
    }
    added = {name: values[row.pk] for name, values in parts.items() if row.pk in values}
    return cast("Project", shown | added)


def member(row: models.ProjectMember) -> Member:
    """This will show a member."""
    return _person(row.user, row.role)


def _person(user: User, role: str) -> Member:
    return {
        "userId": user.public_id,
        "email": user.email,
        "displayName": user.display_name,
        "role": role,
        "status": "active",
    }


class Script(TypedDict):
    """A command of a project's own."""

    id: str
    name: str
    command: str
    position: int


class ScriptStatus(TypedDict):
    """A run of a script; `idle` and without a run where it never ran."""

    scriptId: str
    runId: str | None
    status: str
    exitCode: int | None
    detail: str | None
    startedAt: str | None
    finishedAt: str | None
    output: str


def script(row: models.Script, position: int) -> Script:
    """This will show a script at its place."""
    return {
        "id": row.public_id,
        "name": row.name,
        "command": row.command,
        "position": position,
    }


def scripts(rows: Sequence[models.Script]) -> list[Script]:
    """This will show all scripts of a project, in order."""
    return [script(row, position) for position, row in enumerate(rows)]


def script_status(script_id: UUID, run: models.ScriptRun | None) -> ScriptStatus:
    """This will show what became of a script's run."""
    return {
        "scriptId": ids.encode("scr", script_id),
        "runId": run.public_id if run else None,
        "status": run.status if run else "idle",
        "exitCode": run.exit_code if run else None,
        "detail": (run.detail or None) if run else None,
        "startedAt": moment(run.created_at) if run else None,
        "finishedAt": moment(run.finished_at) if run and run.finished_at else None,
        "output": run.output if run else "",
    }


def invitation(row: models.Invitation) -> Member:
    """This will show an invitation as the member it is going to be."""
    return {
        "userId": None,
        "email": row.email,
        "displayName": None,
        "role": row.role,
        "status": "pending",
    }


def members(row: models.Project) -> list[Member]:
    """This will show the owner (as an admin), the members, and the invitations still open."""
    return [
        _person(row.owner, ProjectRole.ADMIN),
        *(member(other) for other in queries.members_of(row) if other.user_id != row.owner_id),
        *(invitation(other) for other in queries.invitations_of(row)),
    ]


def settings(row: models.ProjectSettings, *, next_ticket_number: int) -> Settings:
    """This will show a project's settings."""
    return {
        "projectId": ids.encode("proj", row.project_id),
        "baseBranch": row.base_branch,
        "branchTemplate": row.branch_template,
        "copyFiles": row.copy_files,
        "setupScript": row.setup_script,
        "cleanupScript": row.cleanup_script,
        "allowScriptsToFail": row.allow_scripts_to_fail,
        "allowCopyFilesToFail": row.allow_copy_files_to_fail,
        "allowSetupScriptToFail": row.allow_setup_script_to_fail,
        "defaultAgent": row.default_agent or None,
        "defaultProfileId": row.default_profile_id or None,
        "autoCommitOnFinish": row.auto_commit_on_finish,
        "mergeStrategy": row.merge_strategy,
        "ticketPrefix": row.ticket_prefix,
        "nextTicketNumber": next_ticket_number,
        "updatedAt": moment(row.updated_at),
    }
