"""Tables of the floor: the event journal, and the base of every entity."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.db import models

from apps.core import ids
from apps.core.secrets import EncryptedText

if TYPE_CHECKING:
    from uuid import UUID


class Entity(models.Model):
    """A row with a UUIDv7 key that the outside knows as `<prefix>_…`."""

    id_prefix: ClassVar[str]

    id: models.UUIDField[UUID, UUID] = models.UUIDField(
        primary_key=True, default=ids.uuid7, editable=False
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True

    @property
    def public_id(self) -> str:
        """The id the outside knows, `card_01j…`."""
        return ids.encode(self.id_prefix, self.id)


class Topic(models.Model):
    """A stream of events, with the version of its newest one."""

    name = models.CharField(max_length=100, primary_key=True)
    version = models.BigIntegerField(default=0)
    oldest_version = models.BigIntegerField(default=1)

    def __str__(self) -> str:
        return f"{self.name} at {self.version}"


class Event(models.Model):
    """A fact that was committed: the source of everything a client hears."""

    topic = models.CharField(max_length=100)
    version = models.BigIntegerField()
    kind = models.CharField(max_length=60)
    data = models.JSONField()
    actor = models.JSONField(default=dict)
    created_at = models.DateTimeField()
    # When its reactions were asked for; of what has none, when it was recorded.
    published_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["topic", "version"], name="event_version_once_in_topic")
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["id"],
                condition=models.Q(published_at__isnull=True),
                name="event_unpublished",
            ),
            models.Index(fields=["created_at"], name="event_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.topic}:{self.version} {self.kind}"


class KeptAnswer(models.Model):
    """The first answer to a POST with an `Idempotency-Key`, or that it is being worked on.

    Answers hold what is shown once (passwords, tokens), so their bodies are encrypted.
    """

    key = models.CharField(max_length=64, primary_key=True)
    fingerprint = models.CharField(max_length=64)
    claim = models.CharField(max_length=32)
    claimed_at = models.DateTimeField()
    # Empty while the first request is at work.
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    headers = models.JSONField(default=dict)
    body = EncryptedText(default="", blank=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["claimed_at"], name="kept_answer_by_age")]

    def __str__(self) -> str:
        return f"{self.key}: {self.status or 'at work'}"
