"""The credential of an attempt, as its agent is given it: read and renewed just before its turn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.utils import timezone

from apps.agents import keys
from apps.agents.adapters import homes
from apps.agents.models import Credential
from apps.agents.operations import logins
from apps.agents.providers import registry
from apps.agents.runner.store import Store
from apps.core import problems
from apps.core.actors import Actor

if TYPE_CHECKING:
    from uuid import UUID

ACTOR = Actor.system("runner")


async def access(
    store: Store, credential_id: UUID | None, config: dict[str, Any]
) -> homes.Access | None:
    """This will be how the agent reaches its model: the profile's own key, or the credential's.

    Raises a Problem where the credential cannot be used.
    """
    if credential_id is None or config.get("apiKey"):
        return _own(config)
    row = await store.run(_usable, credential_id)
    provider = registry.find(row.provider)
    if provider is None:
        raise problems.Conflict(keys.why_not(row))
    if logins.is_due(row):
        row = await _renewed(row)
    moved = provider.base_url if provider.moved else ""
    return homes.Access(
        provider=provider.family,
        key=row.secret,
        base_url=row.base_url or moved,
        model=str(config.get("model") or ""),
        is_token=row.auth_type == Credential.AuthType.OAUTH,
    )


def _own(config: dict[str, Any]) -> homes.Access | None:
    if not config.get("provider"):
        return None
    return homes.Access(
        provider=str(config["provider"]),
        key=str(config.get("apiKey") or ""),
        base_url=str(config.get("baseUrl") or ""),
        model=str(config.get("model") or ""),
    )


def _usable(credential_id: UUID) -> Credential:
    row = Credential.objects.filter(pk=credential_id).first()
    if row is None:
        message = "The credential was deleted. Choose another one."
        raise problems.Conflict(message)
    if not keys.is_usable(row):
        raise problems.Conflict(f"The credential “{row.name}” cannot be used: {keys.why_not(row)}")
    return row


async def _renewed(row: Credential) -> Credential:
    """On a connection of its own: the claim is kept alive while the provider is asked."""
    beside = Store()
    try:
        return await beside.run(logins.renew_credential, actor=ACTOR, credential=row)
    except (problems.Upstream, problems.Unavailable):
        if row.token_expires_at is not None and row.token_expires_at > timezone.now():
            return row
        raise
    finally:
        await beside.close()
