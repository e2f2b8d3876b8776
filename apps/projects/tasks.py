"""What workers do for projects: clone repositories, and end the clones that were lost."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from celery import shared_task
from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from apps.accounts import operations as account_operations
from apps.accounts import tasks as account_tasks
from apps.core import git, ids
from apps.core.actors import Actor
from apps.core.models import Event
from apps.projects import folders, logins, operations, queries, repositories

if TYPE_CHECKING:
    from uuid import UUID

    from apps.projects.models import Project

log = structlog.get_logger(__name__)

REPORT_SECONDS = 1.0
INVITATION = (
    "{by} wants you to work with them. Make an account with this e-mail address ({email}), and "
    "the project is yours to see. If you do not know {by}, nothing is expected of you."
)


@shared_task(queue="fast")
def clone_repository(*, event_id: int, **_: object) -> None:
    """Clone the repository of the project an event asks for, once."""
    actor = Actor.system("cloner")
    event = Event.objects.filter(pk=event_id).first()
    if event is None:
        return
    project_id = ids.decode("proj", event.data["projectId"])
    project = operations.claim_clone(actor=actor, project_id=project_id)
    if project is None:
        return
    path = Path(project.path)
    try:
        _clone(project, path, _Reporter(actor, project_id))
    except git.GitError as error:
        log.info("clone_ended", project=project.public_id, reason=error.message)
        folders.release(path)
        operations.fail_clone(actor=actor, project_id=project_id, reason=error.message)
    except Exception:
        folders.release(path)
        reason = "Something went wrong on our side while cloning."
        operations.fail_clone(actor=actor, project_id=project_id, reason=reason)
        raise
    else:
        if not operations.finish_clone(actor=actor, project_id=project_id):
            # Cancelled or deleted in the last moment: what was fetched just now is nobody's.
            _discard(path)
            operations.fail_clone(actor=actor, project_id=project_id, reason="")


def _clone(project: Project, path: Path, reporter: _Reporter) -> None:
    found = repositories.clone(
        project.repository_url,
        path,
        on_progress=reporter.hear,
        should_cancel=reporter.should_cancel,
        login=logins.take(project.pk),
        max_bytes=settings.KANBANAI_CLONE_MAX_BYTES,
    )
    if not found.usable or found.detached:
        _discard(path)
        raise git.GitError(found.problem or "The repository has no branch to work on.")


def _discard(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)


class _Reporter:
    """Tells of the clone at most once a second, and hears then whether it should stop."""

    def __init__(self, actor: Actor, project_id: UUID) -> None:
        self.actor = actor
        self.project_id = project_id
        self.now = (0, "Connecting")
        self.stopped = False
        self.next_at = time.monotonic() + REPORT_SECONDS

    def hear(self, percent: int, phase: str) -> None:
        self.now = (percent, phase)

    def should_cancel(self) -> bool:
        if not self.stopped and time.monotonic() >= self.next_at:
            percent, phase = self.now
            self.stopped = not operations.report_clone(
                actor=self.actor, project_id=self.project_id, percent=percent, phase=phase
            )
            self.next_at = time.monotonic() + REPORT_SECONDS
        return self.stopped


@shared_task(queue="fast")
def end_lost_clones(**_: object) -> None:
    """End the clones whose worker is gone."""
    operations.fail_lost_clones(actor=Actor.system("cloner"), now=timezone.now())


@shared_task(queue="fast", ignore_result=True)
def mail_invitation(*, event_id: int, **_: object) -> None:
    """Write to an e-mail address that was invited, once for many projects at once."""
    event = Event.objects.filter(pk=event_id).first()
    if event is None:
        return
    project_id = ids.decode("proj", event.data["projectId"])
    email = event.data["member"]["email"]
    invitation = queries.find_invitation(project_id, email)
    if invitation is None or queries.is_told_already(invitation):
        return
    by = invitation.invited_by.display_name if invitation.invited_by else "Somebody"
    notice = account_operations.Notice(
        event="invitation",
        title=f"{by} invites you to {invitation.project.name}",
        body=INVITATION.format(by=by, email=email),
        path=reverse("account_signup"),
        source=f"event:{event.topic}:{event.version}",
        action="Make an account",
    )
    actor = Actor.system("inviter")
    account_operations.invite_by_mail(actor=actor, email=email, notice=notice)
    if settings.KANBANAI_SENDS_MAIL:
        account_tasks.send_mails.delay()
