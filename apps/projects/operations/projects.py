"""Projects come, change and go. Their folders are made here, and never removed."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction

from apps.core import problems
from apps.core.camel import camelize
from apps.orgs.models import Organization
from apps.projects import events, folders, queries, rules
from apps.projects.models import Project, ProjectSettings

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from apps.core.actors import Actor

EDITABLE = ("name", "description", "color")
EDITABLE_SETTINGS = (
    "base_branch",
    "branch_template",
    "copy_files",
    "setup_script",
    "cleanup_script",
    "allow_scripts_to_fail",
    "allow_copy_files_to_fail",
    "allow_setup_script_to_fail",
    "default_agent",
    "default_profile_id",
    "auto_commit_on_finish",
    "merge_strategy",
    "ticket_prefix",
)
DEFAULT_PREFIX = "PRJ"
PREFIX_LENGTH = 6
DEMO_NAME = "Demo: Pantry"


@transaction.atomic
def create_project(
    *,
    actor: Actor,
    name: str,
    path: str = "",
    initialize: bool = False,
    organization_id: UUID | None = None,
    description: str = "",
    color: str = "",
) -> Project:
    """This will make a project of a repository under the allowed folders.

    With `initialize` a repository is begun where there is none: at `path`, whose files are then
    its first commit, or without a path in a folder of our own. ValidationFailed says what is wrong
    with the folder; a folder that is a project already is a 409. The boards app opens projects
    through its own operation, which adds the first board.
    """
    require_organization(actor, organization_id)
    if path:
        folder = folders.resolve(path)
        refuse_taken(folder)
    elif initialize:
        folder = folders.reserve(name)
    else:
        raise problems.ValidationFailed.of("path", "Name the repository's folder.", "required")
    begun = initialize and folders.begin(folder, name)
    if not begun:
        folders.usable(folder)
    project = insert(
        actor=actor,
        name=name,
        path=folder,
        organization_id=organization_id,
        description=description,
        color=color,
        origin=Project.Origin.CREATED if begun else Project.Origin.EXISTING,
    )
    events.project_created(project, actor=actor)
    return project


@transaction.atomic
def create_demo_project(*, actor: Actor) -> Project:
    """This will make a project with a small real repository to try things on."""
    folder = folders.reserve("demo")
    folders.begin_demo(folder)
    project = insert(
        actor=actor,
        name=DEMO_NAME,
        path=folder,
        description="A small cookbook program for first steps with agents.",
        color="teal",
        origin=Project.Origin.DEMO,
        default_agent="demo",
    )
    events.project_created(project, actor=actor)
    return project


def require_organization(actor: Actor, organization_id: UUID | None) -> None:
    """This will raise ValidationFailed for an organization the actor does not belong to."""
    if organization_id is None:
        return
    if not Organization.objects.visible_to(actor.person).filter(pk=organization_id).exists():
        raise problems.ValidationFailed.of(
            "organizationId", "You are not in an organization with this id.", "not_found"
        )


def refuse_taken(folder: Path) -> None:
    """This will raise Conflict for a folder that is a project already."""
    if Project.objects.filter(path=str(folder)).exists():
        raise _taken()


def _taken() -> problems.Conflict:
    return problems.Conflict("This folder is a project already.")


def insert(
    *,
    actor: Actor,
    name: str,
    path: Path,
    origin: str,
    organization_id: UUID | None = None,
    description: str = "",
    color: str = "",
    default_agent: str = "",
    **clone: Any,
) -> Project:
    """This will write the project's row and its settings; two at once for a folder: one 409."""
    try:
        with transaction.atomic():
            project = Project.objects.create(
                owner=actor.person,
                name=name,
                path=str(path),
                origin=origin,
                organization_id=organization_id,
                description=description,
                color=color,
                **clone,
            )
    except IntegrityError as error:
        raise _taken() from error
    ProjectSettings.objects.create(
        project=project, ticket_prefix=ticket_prefix(name), default_agent=default_agent
    )
    return project


def ticket_prefix(name: str) -> str:
    """This will make a prefix of a name's initials: `My new Shop` gives `MNS`."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    initials = "".join(word[0] for word in re.findall(r"[A-Za-z0-9]+", plain))
    return initials.upper()[:PREFIX_LENGTH] or DEFAULT_PREFIX


@transaction.atomic
def update_project(*, actor: Actor, project: Project, changes: dict[str, Any]) -> Project:
    """This will change name, description or colour; what is already so makes no event."""
    locked = lock(project)
    rules.require_admin(actor, locked)
    changed = [
        field for field in EDITABLE if field in changes and getattr(locked, field) != changes[field]
    ]
    if not changed:
        return locked
    for field in changed:
        setattr(locked, field, changes[field])
    locked.save(update_fields=[*changed, "updated_at"])
    events.project_updated(locked, changes=changed, actor=actor)
    return locked


def lock(project: Project) -> Project:
    """This will hold a project as it is now until the transaction ends."""
    locked = Project.objects.select_for_update().filter(pk=project.pk).first()
    if locked is None:
        message = "Project not found."
        raise problems.NotFound(message)
    return locked


@transaction.atomic
def choose_credential(*, actor: Actor, project: Project, credential_id: UUID | None) -> Project:
    """This will name the credential of a project's agents; None leaves it to the organization.

    Whether there is such a credential is known above: the agents app asks that, and ends here.
    """
    locked = lock(project)
    rules.require_admin(actor, locked)
    if locked.credential_id == credential_id:
        return locked
    locked.credential_id = credential_id
    locked.save(update_fields=["credential_id", "updated_at"])
    events.project_updated(locked, changes=["credentialId"], actor=actor)
    return locked


@transaction.atomic
def forget_credential(*, actor: Actor, credential_id: UUID) -> None:
    """This will take a credential that goes away from every project."""
    for found in Project.objects.filter(credential_id=credential_id).order_by("pk"):
        choose_credential(actor=actor, project=found, credential_id=None)


@transaction.atomic
def update_settings(*, actor: Actor, project: Project, changes: dict[str, Any]) -> ProjectSettings:
    """This will change a project's settings (`EDITABLE_SETTINGS`), whose values were checked above.

    A new ticket prefix is for new cards only.
    """
    locked = lock(project)
    rules.require_admin(actor, locked)
    settings = queries.settings_of(locked)
    changed = [
        field
        for field in EDITABLE_SETTINGS
        if field in changes and getattr(settings, field) != changes[field]
    ]
    if not changed:
        return settings
    for field in changed:
        setattr(settings, field, changes[field])
    settings.save(update_fields=[*changed, "updated_at"])
    names = [f"settings.{camelize(field)}" for field in changed]
    events.project_updated(locked, changes=names, actor=actor)
    return settings


@transaction.atomic
def delete_project(*, actor: Actor, project: Project) -> None:
    """This will delete a project's rows, boards and cards with them; its folder stays untouched.

    Agents at work are not known here: the agents app deletes projects through its own operation,
    which stops them and ends in this one.
    """
    locked = lock(project)
    rules.require_admin(actor, locked)
    people = queries.people_of(locked)
    gone = Project.objects.get(pk=locked.pk)
    locked.delete()
    events.project_deleted(gone, people=people, actor=actor)
