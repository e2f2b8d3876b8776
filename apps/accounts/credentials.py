"""What proves who calls: signed tokens, personal tokens, one-time tickets, session cookies.

Every way ends in `Credentials`; whoever keeps connections open asks `ended` again.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

import jwt
from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.backends.base import SessionBase
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from django.utils.module_loading import import_string

from apps.accounts.models import ApiToken, RealtimeTicket, User
from apps.core import ids, problems

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

Kind = Literal["jwt", "token", "session", "ticket", "open"]

ALGORITHM = "HS256"
JWT_LIFETIME = dt.timedelta(hours=24)
TICKET_LIFETIME = dt.timedelta(seconds=30)
# A use is written down at most this often.
USE_NOTED_EVERY = dt.timedelta(minutes=1)
TOKEN_PREFIX = "kbn_"  # noqa: S105 - what every token starts with
SECRET_BYTES = 32
HINT_LENGTH = 8


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who calls, how they proved it, and until when that holds (None: until it is ended)."""

    user: User
    kind: Kind
    token_version: int
    expires_at: dt.datetime | None = None
    token_id: UUID | None = None
    session_key: str = ""
    may_write: bool = True


def _unauthorized(detail: str = "The credentials are not valid, or have ended.") -> Exception:
    return problems.Unauthorized(detail, headers={"WWW-Authenticate": "Bearer"})


def _key(secret_key: str) -> bytes:
    """The signing key of our tokens, so that nothing else signed with the secret key is one."""
    return hmac.new(secret_key.encode(), b"kanbanai.jwt", hashlib.sha256).digest()


def issue_jwt(user: User) -> str:
    """This will sign a token that lets a person in for 24 hours."""
    now = timezone.now()
    claims = {
        "sub": user.public_id,
        "iat": now,
        "exp": now + JWT_LIFETIME,
        "tv": user.token_version,
    }
    return jwt.encode(claims, _key(settings.SECRET_KEY), algorithm=ALGORITHM)


def _claims(token: str) -> Mapping[str, Any]:
    for secret_key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        try:
            claims: Mapping[str, Any] = jwt.decode(
                token,
                _key(secret_key),
                algorithms=[ALGORITHM],
                options={"require": ["sub", "iat", "exp", "tv"]},
            )
        except jwt.InvalidSignatureError:
            continue
        except jwt.InvalidTokenError as error:
            raise _unauthorized() from error
        return claims
    raise _unauthorized()


def of_jwt(token: str) -> Credentials:
    """This will read a signed token; Unauthorized when it is forged, over or ended early."""
    claims = _claims(token)
    try:
        user_id = ids.decode("user", claims["sub"])
    except problems.NotFound as error:
        raise _unauthorized() from error
    user = User.objects.filter(
        pk=user_id, is_active=True, token_version=_whole(claims["tv"])
    ).first()
    if user is None:
        raise _unauthorized()
    return Credentials(
        user=user,
        kind="jwt",
        token_version=user.token_version,
        expires_at=dt.datetime.fromtimestamp(claims["exp"], tz=dt.UTC),
    )


def _whole(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else -1


def new_secret(prefix: str = "") -> str:
    """This will make 256 random bits as text."""
    return prefix + secrets.token_urlsafe(SECRET_BYTES)


def digest(secret: str) -> str:
    """This will give what is stored of a secret: its SHA-256 in hex."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def of_token(secret: str) -> Credentials:
    """This will find a personal token; Unauthorized when it is unknown, revoked or over.

    A digest of 256 random bits is looked up, so timing tells nothing.
    """
    token = ApiToken.objects.usable().select_related("user").filter(digest=digest(secret)).first()
    if token is None:
        raise _unauthorized()
    _note_use(token)
    return Credentials(
        user=token.user,
        kind="token",
        token_version=token.user.token_version,
        expires_at=token.expires_at,
        token_id=token.pk,
        may_write=token.scope == ApiToken.Scope.WRITE,
    )


def _note_use(token: ApiToken) -> None:
    now = timezone.now()
    if token.last_used_at is not None and token.last_used_at > now - USE_NOTED_EVERY:
        return
    due = Q(last_used_at__isnull=True) | Q(last_used_at__lte=now - USE_NOTED_EVERY)
    ApiToken.objects.filter(due, pk=token.pk).update(last_used_at=now)


def of_bearer(secret: str) -> Credentials:
    """This will read what stands behind `Bearer`: a personal or a signed token."""
    return of_token(secret) if secret.startswith(TOKEN_PREFIX) else of_jwt(secret)


def of_ticket(secret: str) -> Credentials:
    """This will redeem a ticket, once; Unauthorized when it is unknown, used or over."""
    ticket = RealtimeTicket.objects.select_related("user").filter(digest=digest(secret)).first()
    # Of two simultaneous uses, one deletes the row.
    if ticket is None or not RealtimeTicket.objects.filter(pk=ticket.pk).delete()[0]:
        raise _unauthorized()
    user = ticket.user
    is_over = ticket.expires_at <= timezone.now()
    if is_over or not user.is_active or user.token_version != ticket.token_version:
        raise _unauthorized()
    return Credentials(user=user, kind="ticket", token_version=user.token_version)


def of_session(session_key: str) -> Credentials:
    """This will find the person of a session cookie; Unauthorized when it is over."""
    store: type[SessionBase] = import_string(f"{settings.SESSION_ENGINE}.SessionStore")
    request = HttpRequest()
    request.session = store(session_key)
    user = get_user(request)
    if not isinstance(user, User):
        raise _unauthorized()
    return Credentials(
        user=user,
        kind="session",
        token_version=user.token_version,
        expires_at=request.session.get_expiry_date(),
        session_key=session_key,
    )


def ended(claims: Iterable[Credentials]) -> set[Credentials]:
    """This will ask again, for connections that stay open, which credentials no longer hold.

    Two statements for any number of them.
    """
    asked = set(claims)
    versions = dict(
        User.objects.filter(pk__in={claim.user.pk for claim in asked}, is_active=True).values_list(
            "pk", "token_version"
        )
    )
    token_ids = {claim.token_id for claim in asked if claim.token_id is not None}
    usable = set(
        ApiToken.objects.usable().filter(pk__in=token_ids).values_list("pk", flat=True)
        if token_ids
        else ()
    )
    now = timezone.now()
    return {claim for claim in asked if not _holds(claim, now, versions, usable)}


def _holds(
    claim: Credentials, now: dt.datetime, versions: Mapping[UUID, int], usable: Container[UUID]
) -> bool:
    if claim.expires_at is not None and claim.expires_at <= now:
        return False
    version = versions.get(claim.user.pk)
    if claim.token_id is not None:
        # Personal tokens outlive a password; they end by themselves or by revocation.
        return version is not None and claim.token_id in usable
    return version == claim.token_version
