"""Logins at model providers, each from its beginning to its end."""

from __future__ import annotations

from django.db import models

from apps.core.secrets import EncryptedText


class CredentialLogin(models.Model):
    """One way through a provider's login, begun here and finished by the browser's return."""

    class Status(models.TextChoices):
        """How far it is; `exchanging` is the moment in which its code is used."""

        PENDING = "pending"
        EXCHANGING = "exchanging"
        COMPLETED = "completed"
        FAILED = "failed"
        EXPIRED = "expired"

    credential = models.ForeignKey(
        "agents.Credential", on_delete=models.CASCADE, related_name="logins"
    )
    # Of the state that comes back with the browser; the state itself is stored nowhere.
    state_digest = models.CharField(max_length=64, unique=True)
    verifier = EncryptedText(editable=False)
    redirect_uri = models.CharField(max_length=500)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    error = models.CharField(max_length=300, blank=True, default="")
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"login for {self.credential_id}: {self.status}"
