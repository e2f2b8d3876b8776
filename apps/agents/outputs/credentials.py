"""How credentials are shown: never with what they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from apps.agents.login_tables import CredentialLogin
from apps.agents.providers.verifying import Window
from apps.core import ids
from apps.core.moments import moment

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from apps.agents import models
    from apps.orgs.models import Organization

SHOWN = 7
LONG_ENOUGH = 12
MASK = "****"


class CredentialName(TypedDict):
    """A credential that was made or changed."""

    id: str
    name: str
    provider: str


class CredentialRow(CredentialName):
    """A credential in the list that everybody sees."""

    authType: str
    status: str


class Credential(CredentialRow):
    """A credential as super admins see it; `apiKey` is masked."""

    apiKey: str | None
    baseUrl: str | None
    updatedAt: str


class Verification(TypedDict):
    """What the provider said of a credential."""

    valid: bool
    error: str | None
    checkedAt: str


class Used(TypedDict):
    """What attempts have used, as this server counted it."""

    sessions: int
    inputTokens: int
    outputTokens: int
    costUsd: float


class UsedWindow(Used):
    """The same within the last hours or days."""

    window: str


class CredentialUsage(TypedDict):
    """The provider's own windows, where it tells them, and what was counted here."""

    available: bool
    windows: list[Window]
    local: Used
    localWindows: list[UsedWindow]


class LoginBegun(TypedDict):
    """Where the browser has to go, and until when."""

    credentialId: str
    authorizationUrl: str
    status: str
    expiresAt: str


class LoginStatus(TypedDict):
    """How far a login is: pending, completed, failed or expired."""

    status: str
    error: str | None


class OrganizationCredential(TypedDict):
    """An organization and the credential its projects take."""

    id: str
    name: str
    defaultCredentialId: str | None


def mask(secret: str) -> str:
    """This will show the beginning of a key, or nothing of a short one."""
    return f"{secret[:SHOWN]}...{MASK}" if len(secret) >= LONG_ENOUGH else MASK


def credential_name(row: models.Credential) -> CredentialName:
    """This will show a credential that was made or changed."""
    return {"id": row.public_id, "name": row.name, "provider": row.provider}


def credential_row(row: models.Credential) -> CredentialRow:
    """This will show a credential to everybody."""
    return {**credential_name(row), "authType": row.auth_type, "status": row.status}


def credential(row: models.Credential) -> Credential:
    """This will show a credential to a super admin."""
    return {
        **credential_row(row),
        "apiKey": row.hint or None,
        "baseUrl": row.base_url or None,
        # Two keys may have the same mask: the moment tells them apart, to `If-Match` above all.
        "updatedAt": moment(row.updated_at),
    }


def credentials(rows: Iterable[models.Credential]) -> list[CredentialRow]:
    """This will show the list that everybody sees."""
    return [credential_row(row) for row in rows]


def login_status(row: CredentialLogin, *, now: datetime) -> LoginStatus:
    """This will show how far a login is; one that nobody finished in time is over."""
    status = row.status
    if status in {CredentialLogin.Status.PENDING, CredentialLogin.Status.EXCHANGING}:
        over = row.expires_at <= now
        status = CredentialLogin.Status.EXPIRED if over else CredentialLogin.Status.PENDING
    return {"status": str(status), "error": row.error or None}


def organization_credential(row: Organization) -> OrganizationCredential:
    """This will show which credential an organization's projects take."""
    key = row.default_credential_id
    return {
        "id": row.public_id,
        "name": row.name,
        "defaultCredentialId": ids.encode("cred", key) if key else None,
    }
