"""Conversations with an agent that only reads: before a card is worked on, and beside the board."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from django.conf import settings
from django.db import models
from typing_extensions import override

from apps.boards.models import Card
from apps.core import ids
from apps.core.models import Entity
from apps.projects.models import Project

if TYPE_CHECKING:
    from apps.accounts.models import User


class ConversationQuerySet(models.QuerySet["Conversation"]):
    """Conversations, narrowed by person."""

    def visible_to(self, user: User) -> Self:
        """Pre-sessions of the projects one may see, and one's own assistants there."""
        own = models.Q(kind=Conversation.Kind.PRESESSION) | models.Q(person=user)
        seen = self.filter(own)
        if user.is_super_admin:
            return seen
        return seen.filter(project__in=Project.objects.visible_to(user))


class Conversation(Entity):
    """A chat with an agent in the project's folder, which it may read and not change.

    What people say are items with the role `user`; `handled` is the position of the last one that
    was answered, `turn` counts the turns that have begun, whatever became of them.
    """

    class Kind(models.TextChoices):
        """What it is for."""

        PRESESSION = "presession"
        ASSISTANT = "assistant"

    class Status(models.TextChoices):
        """Whether one can still speak."""

        ACTIVE = "active"
        ACCEPTED = "accepted"
        CANCELLED = "cancelled"
        CLOSED = "closed"

    class Activity(models.TextChoices):
        """What its agent does now."""

        IDLE = "idle"
        QUEUED = "queued"
        RUNNING = "running"

    kind = models.CharField(max_length=10, choices=Kind.choices)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="conversations")
    card = models.ForeignKey(
        Card, on_delete=models.CASCADE, null=True, blank=True, related_name="conversations"
    )
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="conversations"
    )
    agent = models.CharField(max_length=40)
    profile = models.ForeignKey(
        "agents.AgentProfile", on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    # What it works with now, or worked with last.
    credential = models.ForeignKey(
        "agents.Credential", on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    status = models.CharField(max_length=10, choices=Status.choices, default=Status.ACTIVE)
    activity = models.CharField(max_length=8, choices=Activity.choices, default=Activity.IDLE)
    turn = models.PositiveIntegerField(default=0)
    handled = models.PositiveIntegerField(default=0)
    stop_requested_at = models.DateTimeField(null=True, blank=True)
    # A lost host is made up for once by itself, and only before a tool was called.
    auto_retried = models.BooleanField(default=False)

    # Ownership, as attempts have it: the row decides who runs the turn.
    epoch = models.PositiveIntegerField(default=0)
    lease_owner = models.CharField(max_length=200, blank=True, default="")
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    queued_at = models.DateTimeField(null=True, blank=True)
    dispatched_at = models.DateTimeField(null=True, blank=True)

    # The agent's own handle, for resuming.
    session_id = models.CharField(max_length=200, blank=True, default="")
    session_info = models.JSONField(default=dict)

    last_seq = models.PositiveIntegerField(default=0)
    last_position = models.PositiveIntegerField(default=0)
    context_used = models.PositiveBigIntegerField(default=0)
    context_size = models.PositiveBigIntegerField(default=0)
    input_tokens = models.PositiveBigIntegerField(default=0)
    output_tokens = models.PositiveBigIntegerField(default=0)
    cost_usd = models.DecimalField(max_digits=12, decimal_places=6, default=0)

    objects = ConversationQuerySet.as_manager()

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["card"],
                condition=models.Q(kind="presession", status="active"),
                name="one_open_presession_a_card",
            ),
            models.UniqueConstraint(
                fields=["project", "person"],
                condition=models.Q(kind="assistant"),
                name="one_assistant_a_person",
            ),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["activity", "queued_at"], name="conversation_by_activity"),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} {self.status} {self.activity}"

    @property
    @override
    def public_id(self) -> str:
        """The id the outside knows: `pre_…` for a pre-session, `sess_…` for an assistant."""
        return ids.encode("pre" if self.is_presession else "sess", self.id)

    @property
    def is_presession(self) -> bool:
        """True for the sharpening of a card's prompt."""
        return self.kind == self.Kind.PRESESSION

    @property
    def is_open(self) -> bool:
        """True while one can speak."""
        return self.status == self.Status.ACTIVE


class ConversationItem(Entity):
    """What was said and done in a conversation, in the shape of an attempt's items."""

    id_prefix = "msg"

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="items")
    turn_number = models.PositiveIntegerField(default=0)
    # Counted from 1.
    position = models.PositiveIntegerField()
    seq = models.PositiveIntegerField()
    source_id = models.CharField(max_length=200)
    type = models.CharField(max_length=12)
    # `user`, `assistant`, or empty for what is no message.
    role = models.CharField(max_length=10, blank=True, default="")
    data = models.JSONField()

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["conversation", "position"], name="said_once_at_a_position"
            ),
            models.UniqueConstraint(
                fields=["conversation", "source_id"], name="said_once_by_a_source"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.position} of {self.conversation_id}"
