"""What projects tell the journal; every payload is built from `outputs`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from apps.core import events, ids
from apps.projects import outputs, queries

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from apps.core.actors import Actor
    from apps.core.models import Event
    from apps.projects import models


def project_created(project: models.Project, *, actor: Actor) -> None:
    """This will tell the project's own topic and its owner's list."""
    data = {"projectId": project.public_id, "project": outputs.project_facts(project)}
    events.record(topic=outputs.topic(project.pk), kind="project.created", data=data, actor=actor)
    _tell("project.created", [project.owner_id], data, actor)


def project_updated(project: models.Project, *, changes: list[str], actor: Actor) -> Event:
    """This will tell of a changed project; `changes` names the wire's fields."""
    return events.record(
        topic=outputs.topic(project.pk),
        kind="project.updated",
        data={
            "projectId": project.public_id,
            "project": outputs.project_facts(project),
            "changes": changes,
        },
        actor=actor,
    )


def clone_requested(project: models.Project, *, actor: Actor) -> Event:
    """This will set the clone going: the reaction to this kind does the work."""
    return events.record(
        topic=outputs.topic(project.pk),
        kind="project.clone_requested",
        data={"projectId": project.public_id, "project": outputs.project_facts(project)},
        actor=actor,
    )


def project_deleted(project: models.Project, *, people: list[UUID], actor: Actor) -> None:
    """This will tell the project's listeners, and everybody in whose list it stood."""
    data = {"projectId": project.public_id, "id": project.public_id, "name": project.name}
    events.record(topic=outputs.topic(project.pk), kind="project.deleted", data=data, actor=actor)
    _tell("project.deleted", people, data, actor)


def member_changed(
    kind: str, project: models.Project, member: outputs.Member, *, actor: Actor
) -> None:
    """This will tell of a member: `member.added`, `member.updated`, `member.removed`.

    The person hears it too: the project comes to or leaves the person's list. Streams of somebody
    who was removed end on it.
    """
    data = {"projectId": project.public_id, "projectName": project.name, "member": member}
    if member["userId"] is not None:
        data["userId"] = member["userId"]
    events.record(topic=outputs.topic(project.pk), kind=kind, data=data, actor=actor)
    if member["userId"] is not None:
        _tell(kind, [ids.decode("user", member["userId"])], data, actor)


def owner_changed(project: models.Project, *, former_id: UUID, actor: Actor) -> None:
    """This will tell that a project has another owner."""
    project_updated(project, changes=["ownerId"], actor=actor)
    data = {"projectId": project.public_id, "project": outputs.project_facts(project)}
    _tell("project.transferred", {former_id, project.owner_id}, data, actor)


def scripts_changed(
    kind: str, project: models.Project, *, actor: Actor, script_id: UUID | None = None
) -> Event:
    """This will tell of a project's scripts; `kind` is `script.created` and its like."""
    data: dict[str, Any] = {
        "projectId": project.public_id,
        "scripts": outputs.scripts(queries.scripts_of(project)),
    }
    if script_id is not None:
        data["id"] = ids.encode("scr", script_id)
    return events.record(topic=outputs.topic(project.pk), kind=kind, data=data, actor=actor)


def run_changed(kind: str, run: models.ScriptRun, *, actor: Actor) -> Event:
    """This will tell of a run: `script.started`, `script.finished`. Its output is asked for."""
    project_id = run.script.project_id
    shown: dict[str, Any] = {**outputs.script_status(run.script_id, run)}
    shown.pop("output")
    data = {
        "projectId": ids.encode("proj", project_id),
        "scriptId": shown["scriptId"],
        "runId": run.public_id,
        "run": shown,
    }
    return events.record(topic=outputs.topic(project_id), kind=kind, data=data, actor=actor)


def project_read(project: models.Project, *, actor: Actor) -> None:
    """This will tell a person's other windows that nothing is unread in a project."""
    data = {"projectId": project.public_id, "unreadCount": 0}
    _tell("project.read", [actor.person.pk], data, actor)


def projects_reordered(project_ids: list[UUID], *, actor: Actor) -> None:
    """This will tell a person's other windows the new order of the projects."""
    data = {"ids": [ids.encode("proj", project_id) for project_id in project_ids]}
    _tell("project.reordered", [actor.person.pk], data, actor)


def _tell(kind: str, people: Iterable[UUID], data: dict[str, Any], actor: Actor) -> None:
    # In one order everywhere: each record holds its topic's row until commit.
    for user_id in sorted(people):
        topic = ids.topic("user", ids.encode("user", user_id))
        events.record(topic=topic, kind=kind, data=data, actor=actor)
