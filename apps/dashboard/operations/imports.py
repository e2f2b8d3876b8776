"""A document becomes one new project, or several: all of it or nothing."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction

from apps.accounts.models import User
from apps.boards import files
from apps.boards.models import Attachment
from apps.core import ids, problems
from apps.dashboard.exports import filling, tables
from apps.dashboard.exports.filling import Imported
from apps.projects import operations as project_operations
from apps.projects.models import ProjectMember, ProjectRole, ProjectSettings

if TYPE_CHECKING:
    from uuid import UUID

    from apps.core.actors import Actor
    from apps.dashboard.exports.checking import Content
    from apps.projects.models import Project

MOST_INVITED = 500


@transaction.atomic
def import_document(
    *, actor: Actor, contents: list[Content], organization_id: UUID | None = None, path: str = ""
) -> list[Imported]:
    """This will make the projects of a document, owned by the actor, with new ids.

    `contents` is what `exports.checking` found good. Each project gets a new repository; with a
    `path` the only one gets the repository that is there. Who is said to have done something is
    believed of super admins and of commands alone.
    """
    if path and len(contents) != 1:
        message = "A folder can be named for one project only."
        raise problems.ValidationFailed.of("path", message)
    _require_few_invitations(contents)
    with ExitStack() as undo:
        made = [_import(actor, content, organization_id, path, undo) for content in contents]
        # Nothing is left to go wrong here: what was made outside of the database stays.
        undo.pop_all()
    return made


def _require_few_invitations(contents: list[Content]) -> None:
    """A document that anybody can write is no way to write to everybody."""
    named = {email for content in contents for email, _role in _people(content)}
    known = User.objects.filter(email__in=named, is_active=True).count()
    if len(named) - known > MOST_INVITED:
        message = f"A document may invite at most {MOST_INVITED} people who have no account here."
        raise problems.ValidationFailed.of("invitations", message, "max_length")


def _people(content: Content) -> list[tuple[str, str]]:
    """Who shall be in the project, with their roles: the last one of a person counts."""
    owner = content.project["owner"]
    named = [*content.invitations, *content.members]
    return [*named, (owner, str(ProjectRole.ADMIN))] if owner else named


def _import(
    actor: Actor, content: Content, organization_id: UUID | None, path: str, undo: ExitStack
) -> Imported:
    facts = content.project
    project = project_operations.create_project(
        actor=actor,
        name=facts["name"],
        description=facts.get("description", ""),
        color=facts.get("color", ""),
        organization_id=organization_id,
        path=path,
        initialize=not path,
    )
    if not path:
        undo.callback(shutil.rmtree, Path(project.path), ignore_errors=True)
    names = filling.Names(content)
    _settle(project, content, names)
    people = _join(actor, project, content)
    filling.fill(project, content, names, people)
    left_out = _attach(project, content, names, people, undo)
    return Imported(project=project, attachments_left_out=left_out)


def _settle(project: Project, content: Content, names: filling.Names) -> None:
    numbers = [row["number"] + 1 for row in content.rows["cards"]]
    project.next_ticket_number = max([content.project["next_ticket_number"], *numbers])
    project.save(update_fields=["next_ticket_number", "updated_at"])
    chosen = content.settings
    if chosen:
        profile = chosen.get("default_profile_id", "")
        known = names.keys.get(profile)
        chosen["default_profile_id"] = ids.encode("prof", known) if known else ""
        ProjectSettings.objects.filter(project=project).update(**chosen)


def _join(actor: Actor, project: Project, content: Content) -> filling.People:
    """Members become members, those without an account are invited, the owner was an admin."""
    mine = actor.person.email
    wanted = dict(_people(content))
    wanted.pop(mine, None)
    for email, role in wanted.items():
        project_operations.add_member(actor=actor, project=project, email=email, role=role)
    joined = ProjectMember.objects.filter(project=project).values_list("user__email", "user_id")
    members = {**dict(joined), mine: actor.person.pk}
    authors: dict[str, UUID] = {mine: actor.person.pk}
    if actor.origin == "command" or actor.person.is_super_admin:
        named = _named(content)
        authors |= dict(User.objects.filter(email__in=named).values_list("email", "pk"))
    return filling.People(authors=authors, members=members)


def _named(content: Content) -> set[str]:
    return {
        row[column]
        for table in tables.TABLES
        for column in table.columns
        if table.is_person(column)
        for row in content.rows[table.key]
        if row.get(column)
    }


def _attach(
    project: Project,
    content: Content,
    names: filling.Names,
    people: filling.People,
    undo: ExitStack,
) -> int:
    """The attachments whose contents are in the document; the number of the others."""
    made = []
    rows = content.rows["attachments"]
    for row in rows:
        if row["content"] is None:
            continue
        upload = SimpleUploadedFile(row["filename"], row["content"], row["content_type"])
        with files.taken_in(upload, project_id=project.pk) as stored:
            undo.callback(files.remove, stored.path)
        made.append(
            Attachment(
                id=names.keys[row["id"]],
                card_id=names.keys[row["card"]],
                filename=stored.filename,
                content_type=stored.content_type,
                size=stored.size,
                path=stored.path,
                uploaded_by_id=people.authors.get(row["uploaded_by"] or ""),
                created_at=row["created_at"] or project.created_at,
                updated_at=row["updated_at"] or project.created_at,
            )
        )
    filling.insert(Attachment, made)
    return len(rows) - len(made)
