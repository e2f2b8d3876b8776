"""Scripts of projects come, change, run and go. What runs them is above; here is what is known."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from apps.core import problems, ranks
from apps.projects import events, queries, rules
from apps.projects.models import Project, Script, ScriptRun
from apps.projects.operations import projects as project_operations

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from apps.core.actors import Actor

MOST_OF_A_PROJECT = 100
KEPT_RUNS = 20
# The end of what a run prints, as it is kept.
OUTPUT_CHARACTERS = 64 * 1024
DETAIL_LENGTH = 300
# A worker gives a sign of life every few seconds; without one for this long it is lost.
LOST_SECONDS = 30.0
UNCLAIMED_SECONDS = 120.0


@transaction.atomic
def create_script(*, actor: Actor, project: Project, name: str, command: str) -> Script:
    """This will add a script at the end of a project's scripts."""
    locked = project_operations.lock(project)
    rules.require_member(actor, locked)
    last = locked.scripts.order_by("-rank").values_list("rank", flat=True).first()
    if locked.scripts.count() >= MOST_OF_A_PROJECT:
        message = f"A project has at most {MOST_OF_A_PROJECT} scripts."
        raise problems.Conflict(message)
    script = Script.objects.create(
        project=locked, name=name, command=command, rank=ranks.between(last, None)
    )
    events.scripts_changed("script.created", locked, script_id=script.pk, actor=actor)
    return script


@transaction.atomic
def update_script(*, actor: Actor, script: Script, changes: dict[str, Any]) -> Script:
    """This will change a script's name or command; a run that goes on is not touched."""
    project = project_operations.lock(script.project)
    rules.require_member(actor, project)
    locked = _read(script.pk)
    changed = [
        field
        for field in ("name", "command")
        if field in changes and getattr(locked, field) != changes[field]
    ]
    if not changed:
        return locked
    for field in changed:
        setattr(locked, field, changes[field])
    locked.save(update_fields=[*changed, "updated_at"])
    events.scripts_changed("script.updated", project, script_id=locked.pk, actor=actor)
    return locked


def _read(script_id: UUID) -> Script:
    found = Script.objects.select_related("project").filter(pk=script_id).first()
    if found is None:
        message = "Script not found."
        raise problems.NotFound(message)
    return found


@transaction.atomic
def delete_script(*, actor: Actor, script: Script) -> None:
    """This will delete a script with its history; 409 while it runs."""
    project = project_operations.lock(script.project)
    rules.require_member(actor, project)
    locked = _read(script.pk)
    if locked.runs.filter(status=ScriptRun.Status.RUNNING).exists():
        message = "The script is running. Cancel it first."
        raise problems.Conflict(message)
    script_id = locked.pk
    locked.delete()
    events.scripts_changed("script.deleted", project, script_id=script_id, actor=actor)


@transaction.atomic
def reorder_scripts(*, actor: Actor, project: Project, script_ids: Sequence[UUID]) -> list[Script]:
    """This will order a project's scripts; the ids must be exactly the project's."""
    locked = project_operations.lock(project)
    rules.require_member(actor, locked)
    scripts = {script.pk: script for script in queries.scripts_of(locked)}
    if sorted(script_ids) != sorted(scripts):
        raise problems.ValidationFailed.of("ids", "Give every script of the project exactly once.")
    ordered = [scripts[script_id] for script_id in script_ids]
    for script, rank in zip(ordered, ranks.sequence(len(ordered)), strict=True):
        script.rank = rank
    Script.objects.bulk_update(ordered, ["rank"])
    events.scripts_changed("script.reordered", locked, actor=actor)
    return ordered


@transaction.atomic
def start_script(*, actor: Actor, script: Script) -> ScriptRun:
    """This will begin a run, which the reaction to its event carries out.

    409 while the script runs already, while too many run on the server, and while the project's
    repository is not here.
    """
    project = project_operations.lock(script.project)
    rules.require_member(actor, project)
    locked = _read(script.pk)
    if project.state != Project.State.READY:
        message = "The project's repository is not here yet."
        raise problems.Conflict(message, code="REPOSITORY_NOT_READY")
    running = ScriptRun.objects.filter(status=ScriptRun.Status.RUNNING)
    if running.filter(script=locked).exists():
        message = "The script is running already."
        raise problems.Conflict(message)
    if running.count() >= settings.KANBANAI_SCRIPT_SLOTS:
        message = "Too many scripts run on this server now. Try again later."
        raise problems.Conflict(message)
    run = ScriptRun.objects.create(script=locked, started_by=actor.user)
    kept = locked.runs.order_by("-created_at", "-pk").values_list("pk", flat=True)[:KEPT_RUNS]
    locked.runs.exclude(pk__in=list(kept)).delete()
    events.run_changed("script.started", run, actor=actor)
    return run


@transaction.atomic
def cancel_script(*, actor: Actor, script: Script) -> None:
    """This will ask a script's run to stop; one that nobody has begun ends at once.

    Nothing happens where nothing runs.
    """
    project = project_operations.lock(script.project)
    rules.require_member(actor, project)
    run = script.runs.filter(status=ScriptRun.Status.RUNNING).first()
    if run is None:
        return
    if run.beat_at is None:
        _end(run, ScriptRun.Status.CANCELLED, actor=actor)
    elif not run.cancel_requested:
        run.cancel_requested = True
        run.save(update_fields=["cancel_requested", "updated_at"])


def _end(
    run: ScriptRun, status: str, *, actor: Actor, exit_code: int | None = None, detail: str = ""
) -> None:
    run.status, run.exit_code, run.detail = status, exit_code, detail[:DETAIL_LENGTH]
    run.finished_at = timezone.now()
    run.save(update_fields=["status", "exit_code", "detail", "output", "finished_at", "updated_at"])
    events.run_changed("script.finished", run, actor=actor)


def _require_worker(actor: Actor) -> None:
    if not actor.is_system:
        raise problems.Forbidden


@transaction.atomic
def claim_run(*, actor: Actor, run_id: UUID, host: str) -> ScriptRun | None:
    """This will hand a run to its worker, once; None when it is taken, over or gone."""
    _require_worker(actor)
    now = timezone.now()
    taken = ScriptRun.objects.filter(
        pk=run_id, status=ScriptRun.Status.RUNNING, beat_at=None
    ).update(beat_at=now, host=host[:255], updated_at=now)
    if not taken:
        return None
    return ScriptRun.objects.select_related("script__project").get(pk=run_id)


@transaction.atomic
def report_run(*, actor: Actor, run_id: UUID, output: str) -> bool:
    """This will keep what a run printed, as its sign of life; False when its worker should stop."""
    _require_worker(actor)
    now = timezone.now()
    running = ScriptRun.objects.filter(pk=run_id, status=ScriptRun.Status.RUNNING)
    kept = running.update(output=output[-OUTPUT_CHARACTERS:], beat_at=now, updated_at=now)
    return bool(kept)


@transaction.atomic
def finish_run(
    *, actor: Actor, run_id: UUID, output: str, exit_code: int | None, detail: str = ""
) -> ScriptRun | None:
    """This will end a run: cancelled where somebody asked for it, else as its exit code says.

    None when it was over or gone already.
    """
    _require_worker(actor)
    run = _running(run_id)
    if run is None:
        return None
    run.output = output[-OUTPUT_CHARACTERS:]
    status = ScriptRun.Status.SUCCESS if exit_code == 0 else ScriptRun.Status.FAILED
    if run.cancel_requested:
        status, exit_code, detail = ScriptRun.Status.CANCELLED, None, ""
    _end(run, status, actor=actor, exit_code=exit_code, detail=detail)
    return run


def _running(run_id: UUID) -> ScriptRun | None:
    return (
        ScriptRun.objects.select_for_update(of=("self",))
        .select_related("script__project")
        .filter(pk=run_id, status=ScriptRun.Status.RUNNING)
        .first()
    )


@transaction.atomic
def fail_lost_run(*, actor: Actor, run_id: UUID, now: datetime) -> bool:
    """This will end a run whose worker is gone; False when it gave a sign of life meanwhile."""
    _require_worker(actor)
    run = _running(run_id)
    if run is None or not _is_lost(run, now):
        return False
    if run.cancel_requested:
        _end(run, ScriptRun.Status.CANCELLED, actor=actor)
        return True
    taken = run.beat_at is not None
    detail = "The worker that ran it went away." if taken else "No worker began with it."
    _end(run, ScriptRun.Status.FAILED, actor=actor, detail=detail)
    return True


def _is_lost(run: ScriptRun, now: datetime) -> bool:
    if run.beat_at is None:
        return run.created_at < now - timedelta(seconds=UNCLAIMED_SECONDS)
    return run.beat_at < now - timedelta(seconds=LOST_SECONDS)
