"""What answers use that are no turns of an attempt, counted for the credential they were given."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from django.db.models import F
from django.utils import timezone

from apps.agents.usage_tables import CredentialUse

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from apps.agents.operations.records import Batch


def begin_use(subject: UUID, credential_id: UUID | None) -> None:
    """This will note that an answer begins; whoever calls holds its subject's row."""
    end_use(subject)
    if credential_id is not None:
        CredentialUse.objects.create(
            credential_id=credential_id, subject=subject, started_at=timezone.now()
        )


def add_use(subject: UUID, batch: Batch) -> None:
    """This will count what was used for the answer that is being given."""
    CredentialUse.objects.filter(subject=subject, ended_at__isnull=True).update(
        input_tokens=F("input_tokens") + batch.input_tokens,
        output_tokens=F("output_tokens") + batch.output_tokens,
        cost_usd=F("cost_usd") + batch.cost,
    )


def end_use(subject: UUID) -> None:
    """This will note that an answer has ended, however."""
    CredentialUse.objects.filter(subject=subject, ended_at__isnull=True).update(
        ended_at=timezone.now()
    )


def note_use(
    subject: UUID,
    credential_id: UUID,
    *,
    tokens: tuple[int, int],
    cost: Decimal | None,
    started_at: datetime,
) -> None:
    """This will count an answer that is over already."""
    CredentialUse.objects.create(
        credential_id=credential_id,
        subject=subject,
        input_tokens=tokens[0],
        output_tokens=tokens[1],
        cost_usd=cost or Decimal(0),
        started_at=started_at,
        ended_at=timezone.now(),
    )
