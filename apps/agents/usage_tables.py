"""What agents used outside of turns."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models


class CredentialUse(models.Model):
    """What an answer used that is no turn of an attempt: in a conversation, or to an aside.

    `subject` is the id of the conversation or the attempt; what was used stays when that goes.
    """

    credential = models.ForeignKey(
        "agents.Credential",
        on_delete=models.CASCADE,
        related_name="uses",
        # Without it, whoever begins an answer would wait for whoever deletes the credential.
        db_constraint=False,
    )
    subject = models.UUIDField()
    input_tokens = models.PositiveBigIntegerField(default=0)
    output_tokens = models.PositiveBigIntegerField(default=0)
    cost_usd = models.DecimalField(max_digits=12, decimal_places=6, default=0)
    started_at = models.DateTimeField()
    # Empty while the answer is being given.
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["subject"],
                condition=models.Q(ended_at__isnull=True),
                name="one_open_use_a_subject",
            )
        ]

    def __str__(self) -> str:
        return f"{self.input_tokens} and {self.output_tokens} tokens for {self.subject}"
