"""Clones: asked for here, done by a task that reports here, and ended here whatever happens.

`clone_beat_at` is the task's sign of life: None while the clone waits for a worker.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from django.db import transaction
from django.utils import timezone

from apps.core import git, problems
from apps.projects import events, folders, logins, repositories, rules
from apps.projects.models import Project
from apps.projects.operations import projects as project_operations

if TYPE_CHECKING:
    from uuid import UUID

    from apps.core.actors import Actor

WAITING = "Waiting for a worker"
# A task shows its life every few seconds; after this silence its worker is gone.
LOST_AFTER = timedelta(minutes=2)
# Nobody came: no worker runs, or the queue is long. The login kept for it ends after an hour.
UNCLAIMED_AFTER = timedelta(minutes=30)
PHASE_LENGTH = 300


@transaction.atomic
def start_clone(
    *,
    actor: Actor,
    url: str,
    name: str = "",
    path: str = "",
    login: git.Login | None = None,
    organization_id: UUID | None = None,
    description: str = "",
    color: str = "",
) -> Project:
    """This will make a project whose repository a worker is going to clone from an address.

    Without `path` (a missing or empty folder) the clone gets a folder of our own. A login, also one
    written into the address, is kept for the worker alone and never stored. Without a name the
    project is called like the repository.
    """
    project_operations.require_organization(actor, organization_id)
    try:
        address = repositories.check_address(url)
    except git.GitError as error:
        raise problems.ValidationFailed.of("url", error.message, "unsupported") from error
    name = name or name_of(address.url)
    if path:
        folder = folders.resolve(path)
        project_operations.refuse_taken(folder)
        folders.require_vacant(folder)
    else:
        folder = folders.reserve(name)
    project = project_operations.insert(
        actor=actor,
        name=name,
        path=folder,
        organization_id=organization_id,
        description=description,
        color=color,
        origin=Project.Origin.CLONED,
        state=Project.State.CLONING,
        repository_url=address.url,
        clone_phase=WAITING,
    )
    wanted = login or address.login
    if wanted is not None:
        logins.keep(project.pk, wanted)
    events.project_created(project, actor=actor)
    events.clone_requested(project, actor=actor)
    return project


def name_of(url: str) -> str:
    """This will guess a project's name from the last part of an address."""
    path = urlsplit(url).path if "://" in url else url.rpartition(":")[2]
    last = unquote(path).rstrip("/").rpartition("/")[2].removesuffix(".git")
    plain = "".join(letter for letter in last if letter.isprintable()).strip()
    return plain[:50].strip() or "Repository"


def _require_worker(actor: Actor) -> None:
    if not actor.is_system:
        raise problems.Forbidden


@transaction.atomic
def claim_clone(*, actor: Actor, project_id: UUID) -> Project | None:
    """This will hand a waiting clone to its worker, once; None when it is taken or gone."""
    _require_worker(actor)
    now = timezone.now()
    taken = Project.objects.filter(
        pk=project_id, state=Project.State.CLONING, clone_beat_at=None
    ).update(clone_beat_at=now, clone_phase="Connecting", updated_at=now)
    if not taken:
        return None
    project = Project.objects.get(pk=project_id)
    events.project_updated(project, changes=["clone"], actor=actor)
    return project


@transaction.atomic
def report_clone(*, actor: Actor, project_id: UUID, percent: int, phase: str) -> bool:
    """This will show how far a clone is; False when its worker should stop."""
    _require_worker(actor)
    project = _running(project_id)
    if project is None or project.clone_cancel_requested:
        return False
    moved = (percent, phase) != (project.clone_percent, project.clone_phase)
    project.clone_percent, project.clone_phase = percent, phase[:PHASE_LENGTH]
    project.clone_beat_at = timezone.now()
    project.save(update_fields=["clone_percent", "clone_phase", "clone_beat_at", "updated_at"])
    if moved:
        events.project_updated(project, changes=["clone"], actor=actor)
    return True


@transaction.atomic
def finish_clone(*, actor: Actor, project_id: UUID) -> bool:
    """This will open a project whose repository has arrived; False when nobody waits for it."""
    _require_worker(actor)
    project = _running(project_id)
    if project is None or project.clone_cancel_requested:
        return False
    project.state = Project.State.READY
    project.clone_percent, project.clone_phase = 100, ""
    project.clone_beat_at = None
    project.save(
        update_fields=["state", "clone_percent", "clone_phase", "clone_beat_at", "updated_at"]
    )
    events.project_updated(project, changes=["state", "clone"], actor=actor)
    return True


@transaction.atomic
def fail_clone(*, actor: Actor, project_id: UUID, reason: str) -> None:
    """This will end a clone that did not work; a cancelled one is only marked so."""
    _require_worker(actor)
    project = _running(project_id)
    if project is not None:
        _end(project, reason, actor)


def _running(project_id: UUID) -> Project | None:
    return (
        Project.objects.select_for_update()
        .filter(pk=project_id, state=Project.State.CLONING)
        .first()
    )


def _end(project: Project, reason: str, actor: Actor) -> None:
    cancelled = project.clone_cancel_requested
    project.state = Project.State.CLONE_CANCELLED if cancelled else Project.State.CLONE_FAILED
    project.clone_phase = "Cancelled" if cancelled else git.redact(reason)[:PHASE_LENGTH]
    project.clone_beat_at = None
    project.save(update_fields=["state", "clone_phase", "clone_beat_at", "updated_at"])
    events.project_updated(project, changes=["state", "clone"], actor=actor)


@transaction.atomic
def cancel_clone(*, actor: Actor, project: Project) -> Project:
    """This will ask a clone to stop; one that still waits ends at once. 409 without any."""
    locked = project_operations.lock(project)
    rules.require_admin(actor, locked)
    if locked.state != Project.State.CLONING:
        message = "Nothing is being cloned."
        raise problems.Conflict(message)
    if locked.clone_cancel_requested:
        return locked
    locked.clone_cancel_requested = True
    locked.save(update_fields=["clone_cancel_requested", "updated_at"])
    if locked.clone_beat_at is None:
        _end(locked, "", actor)
    else:
        events.project_updated(locked, changes=["clone"], actor=actor)
    return locked


@transaction.atomic
def retry_clone(*, actor: Actor, project: Project, login: git.Login | None = None) -> Project:
    """This will clone again after a failure or a cancellation; 409 otherwise."""
    locked = project_operations.lock(project)
    rules.require_admin(actor, locked)
    if locked.state not in {Project.State.CLONE_FAILED, Project.State.CLONE_CANCELLED}:
        message = "There is no failed clone to repeat."
        raise problems.Conflict(message)
    locked.state = Project.State.CLONING
    locked.clone_percent, locked.clone_phase = 0, WAITING
    locked.clone_cancel_requested, locked.clone_beat_at = False, None
    locked.save()
    if login is not None:
        logins.keep(locked.pk, login)
    events.clone_requested(locked, actor=actor)
    return locked


@transaction.atomic
def discard_clone(*, actor: Actor, project: Project) -> None:
    """This will remove a project whose clone failed or was cancelled; 409 for any other.

    No agent can have worked on it, since it never had a repository.
    """
    locked = project_operations.lock(project)
    if locked.state not in {Project.State.CLONE_FAILED, Project.State.CLONE_CANCELLED}:
        rules.require_admin(actor, locked)
        message = "Only what could not be cloned can be removed here."
        raise problems.Conflict(message)
    project_operations.delete_project(actor=actor, project=locked)


@transaction.atomic
def fail_lost_clones(*, actor: Actor, now: datetime) -> int:
    """This will end the clones whose worker died or never came; the number of those ended."""
    _require_worker(actor)
    cloning = Project.objects.select_for_update().filter(state=Project.State.CLONING)
    lost = list(cloning.filter(clone_beat_at__lt=now - LOST_AFTER).order_by("pk"))
    unclaimed = list(
        cloning.filter(clone_beat_at=None, updated_at__lt=now - UNCLAIMED_AFTER).order_by("pk")
    )
    for project in lost:
        _end(project, "The worker that cloned this ended unexpectedly. Try again.", actor)
    for project in unclaimed:
        _end(project, "No worker took this clone. Check that the workers run.", actor)
    return len(lost) + len(unclaimed)
