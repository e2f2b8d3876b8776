"""What people are told, and the mails that wait to be sent."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.db import models

from apps.core.models import Entity


class Notification(Entity):
    """Something that happened and that a person wanted to hear of."""

    id_prefix = "ntf"

    class Event(models.TextChoices):
        """What happened: the switches of `accounts.notifications`."""

        AGENT_COMPLETED = "agentCompleted"
        AGENT_FAILED = "agentFailed"
        APPROVAL_NEEDED = "approvalNeeded"
        INPUT_NEEDED = "inputNeeded"
        SCRIPT_FINISHED = "scriptFinished"
        INVITATION = "invitation"

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notifications"
    )
    event = models.CharField(max_length=20, choices=Event.choices)
    title = models.CharField(max_length=300)
    body = models.CharField(max_length=500, blank=True, default="")
    # An address on this server, `/boards/…`.
    path = models.CharField(max_length=300)
    # Of the project it is about, which this app knows nothing of.
    project_id = models.UUIDField(null=True, blank=True)
    # What it comes from: told twice of one thing, a person hears it once.
    source = models.CharField(max_length=120)
    # Off: only mailed, or shown by the browser while it comes in.
    in_list = models.BooleanField(default=True)
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["user", "source"], name="notification_once_a_source")
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["user", "-created_at"], name="notification_newest"),
            models.Index(
                fields=["user"],
                condition=models.Q(read_at__isnull=True, in_list=True),
                name="notification_unread",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event} for {self.user_id}"


class OutgoingMail(models.Model):
    """A mail that is to be sent, once: the row decides, never the queue's message."""

    class State(models.TextChoices):
        """Where it stands; `sending` is somebody's claim, which ends."""

        WAITING = "waiting"
        SENDING = "sending"
        SENT = "sent"
        FAILED = "failed"

    # What it comes from: `ntf_…`, or an invitation's event.
    source = models.CharField(max_length=160, unique=True)
    to = models.EmailField(max_length=254)
    subject = models.CharField(max_length=300)
    text = models.TextField()
    # What the button says and where it leads; beside the text, for the mail's HTML.
    link = models.CharField(max_length=600)
    action = models.CharField(max_length=60)
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    tries = models.PositiveSmallIntegerField(default=0)
    # Not before this moment; while it is being sent, the end of the claim.
    due_at = models.DateTimeField()
    # Why the last try failed, without anything a server said about a login.
    problem = models.CharField(max_length=200, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes: ClassVar[list[Any]] = [
            models.Index(
                fields=["due_at"],
                condition=models.Q(state__in=["waiting", "sending"]),
                name="mail_due",
            )
        ]

    def __str__(self) -> str:
        return f"{self.subject} to {self.to}"
