"""People are told of things, read of them, and get mails."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from apps.accounts import events, mailing, notifications, queries
from apps.accounts.models import Notification, OutgoingMail, Preferences, User

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from apps.core.actors import Actor

State = OutgoingMail.State
CLAIM = dt.timedelta(minutes=2)
# After the first failure; twice as long after each further one, until the last of TRIES.
FIRST_PAUSE = dt.timedelta(seconds=30)
LONGEST_PAUSE = dt.timedelta(hours=4)
TRIES = 12
MOST_MAILS = 100
TITLE_LENGTH, BODY_LENGTH = 300, 500


@dataclass(frozen=True, kw_only=True)
class Notice:
    """What there is to tell. `source` is what it comes from: nobody hears of one twice."""

    event: str
    title: str
    path: str
    source: str
    body: str = ""
    project_id: UUID | None = None
    # What the mail's link says.
    action: str = "Open it"


@transaction.atomic
def notify(*, actor: Actor, people: Sequence[UUID], notice: Notice) -> list[Notification]:
    """This will tell people, each as they wish: in the list, in open pages, by mail.

    Whoever acted is not told of what they did. Who may see the thing is for the caller to ask.
    """
    acting = actor.user.pk if actor.user else None
    wanted = sorted({user_id for user_id in people if user_id != acting})
    users = User.objects.filter(pk__in=wanted, is_active=True).order_by("pk")
    chosen = dict(
        Preferences.objects.filter(user__in=wanted).values_list("user_id", "notifications")
    )
    told = []
    for user in users:
        made = _tell(user, notifications.merged(chosen.get(user.pk, {})), notice, actor)
        if made is not None:
            told.append(made)
    return told


def _tell(
    user: User, wishes: notifications.Wishes, notice: Notice, actor: Actor
) -> Notification | None:
    channels = notifications.channels_of(wishes)
    if not channels or not wishes["events"][notice.event]:
        return None
    row, is_new = Notification.objects.get_or_create(
        user=user,
        source=notice.source,
        defaults={
            "event": notice.event,
            "title": _short(notice.title, TITLE_LENGTH),
            "body": _short(notice.body, BODY_LENGTH),
            "path": notice.path,
            "project_id": notice.project_id,
            "in_list": wishes["inApp"],
        },
    )
    if not is_new:
        return None
    if wishes["email"] and not user.is_implicit:
        _mail(to=user.email, source=row.public_id, notice=notice, name=user.display_name)
    if channels != ["email"]:
        events.notification_created(
            row, channels=channels, unread=queries.unread_count(user), actor=actor
        )
    return row


@transaction.atomic
def invite_by_mail(*, actor: Actor, email: str, notice: Notice) -> None:
    """This will write to an address that has no account here; nothing where no mail is sent."""
    del actor
    _mail(to=email, source=f"{notice.source}:{email}", notice=notice, name="")


def _mail(*, to: str, source: str, notice: Notice, name: str) -> None:
    if not settings.KANBANAI_SENDS_MAIL:
        return
    greeting = f"Hello {name}," if name else "Hello,"
    words = [greeting, notice.title, *([notice.body] if notice.body else [])]
    OutgoingMail.objects.get_or_create(
        source=source[:160],
        defaults={
            "to": to,
            "subject": _short(f"[KanbanAI] {notice.title}", TITLE_LENGTH),
            "text": "\n\n".join(words),
            "link": f"{settings.KANBANAI_PUBLIC_ORIGIN}{notice.path}",
            "action": notice.action,
            "due_at": timezone.now(),
        },
    )


def _short(text: str, length: int) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= length else f"{plain[: length - 1]}…"


@transaction.atomic
def mark_read(*, actor: Actor, notification: Notification) -> Notification:
    """This will count one of one's own notifications as read; once is enough."""
    user = actor.person
    changed = Notification.objects.filter(
        pk=notification.pk, user=user, read_at__isnull=True
    ).update(read_at=timezone.now())
    if changed:
        events.notifications_read(user, unread=queries.unread_count(user), actor=actor)
    notification.refresh_from_db()
    return notification


@transaction.atomic
def mark_all_notifications_read(*, actor: Actor) -> int:
    """This will count all of one's own notifications as read; it gives how many there were."""
    user = actor.person
    unread = Notification.objects.filter(user=user, read_at__isnull=True, in_list=True)
    changed = unread.update(read_at=timezone.now())
    if changed:
        events.notifications_read(user, unread=0, actor=actor)
    return changed


def send_mails(*, actor: Actor) -> int:
    """This will send the mails that are due, each in steps of its own; it gives how many went.

    At most MOST_MAILS, so that other work has its turn; the rest goes the next time.
    A claim keeps others off a mail while it is being sent. What fails is tried again, later each
    time, unless the mail server says that it never will.
    """
    del actor
    sent = 0
    for _turn in range(MOST_MAILS):
        mail = _claim()
        if mail is None:
            break
        try:
            mailing.send(mail)
        except mailing.NotSent as failure:
            _put_off(mail, failure)
        else:
            sent += 1
            OutgoingMail.objects.filter(pk=mail.pk).update(
                state=State.SENT, sent_at=timezone.now(), problem=""
            )
    return sent


def _claim() -> OutgoingMail | None:
    """The next mail that is due, which is ours for a while, or None."""
    now = timezone.now()
    open_ones = OutgoingMail.objects.filter(state__in=[State.WAITING, State.SENDING])
    for mail in open_ones.filter(due_at__lte=now).order_by("due_at", "pk")[:20]:
        mine = OutgoingMail.objects.filter(pk=mail.pk, state=mail.state, due_at=mail.due_at)
        if mine.update(state=State.SENDING, due_at=now + CLAIM, tries=mail.tries + 1):
            mail.tries += 1
            return mail
    return None


def _put_off(mail: OutgoingMail, failure: mailing.NotSent) -> None:
    over = failure.for_good or mail.tries >= TRIES
    pause = min(FIRST_PAUSE * 2 ** (mail.tries - 1), LONGEST_PAUSE)
    OutgoingMail.objects.filter(pk=mail.pk).update(
        state=State.FAILED if over else State.WAITING,
        due_at=timezone.now() + pause,
        problem=failure.why,
    )


@transaction.atomic
def forget_old_notices(*, actor: Actor) -> int:
    """This will delete notifications and mails that nobody looks at any more; it counts them."""
    del actor
    before = timezone.now() - dt.timedelta(days=settings.KANBANAI_NOTIFICATION_DAYS)
    over = OutgoingMail.objects.filter(state__in=[State.SENT, State.FAILED], created_at__lt=before)
    gone, _tables = Notification.objects.filter(created_at__lt=before).delete()
    mails, _tables = over.delete()
    return gone + mails
