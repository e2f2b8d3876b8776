"""Files of cards come and go; what lies on the disk follows the rows after their commit."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from django.db import transaction

from apps.boards import events, files, locks, rules
from apps.boards.models import Attachment
from apps.core import problems
from apps.projects import operations as project_operations

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from apps.boards.models import Card
    from apps.core.actors import Actor
    from apps.projects.models import Project

MOST_OF_A_CARD = 50


@transaction.atomic
def add_attachment(*, actor: Actor, card: Card, stored: files.Stored) -> Attachment:
    """This will add a file that was taken in (`files.taken_in`) to a card."""
    locked = locks.lock_card(card.pk)
    rules.require_editor(actor, locked.project)
    if locked.attachments.count() >= MOST_OF_A_CARD:
        message = f"A card has at most {MOST_OF_A_CARD} attachments."
        raise problems.Conflict(message)
    attachment = Attachment.objects.create(
        card=locked,
        filename=stored.filename,
        content_type=stored.content_type,
        size=stored.size,
        path=stored.path,
        uploaded_by=actor.user,
    )
    events.attachment_changed("attachment.created", locked, attachment, actor=actor)
    return attachment


@transaction.atomic
def delete_attachment(*, actor: Actor, attachment: Attachment) -> None:
    """This will take a file from its card; on the disk it goes when that is committed."""
    locked = locks.lock_card(attachment.card_id)
    rules.require_editor(actor, locked.project)
    gone = locked.attachments.filter(pk=attachment.pk).first()
    if gone is None:
        message = "Attachment not found."
        raise problems.NotFound(message)
    remove_files(locked.attachments.filter(pk=gone.pk))
    Attachment.objects.filter(pk=gone.pk).delete()
    events.attachment_changed("attachment.deleted", locked, gone, actor=actor)


def remove_files(attachments: QuerySet[Attachment]) -> None:
    """This will remove the files of rows that are about to go, once they are gone."""
    paths = list(attachments.values_list("path", flat=True))
    if paths:
        transaction.on_commit(partial(files.remove, *paths), robust=True)


@transaction.atomic
def close_project(*, actor: Actor, project: Project) -> None:
    """This will delete a project with its boards, cards and their files; its folder stays."""
    remove_files(Attachment.objects.filter(card__project=project))
    project_operations.delete_project(actor=actor, project=project)
