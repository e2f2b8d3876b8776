"""Personal tokens for scripts, and tickets for streams."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from apps.accounts import credentials, events
from apps.accounts.models import ApiToken, RealtimeTicket
from apps.core import problems
from apps.core.actors import Actor

TOKENS_A_PERSON = 100


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A new token with its secret, which is not kept."""

    token: ApiToken
    secret: str


@dataclass(frozen=True, slots=True)
class IssuedTicket:
    """A new ticket and when it ends."""

    secret: str
    expires_at: dt.datetime


@transaction.atomic
def create_token(
    *,
    actor: Actor,
    name: str,
    scope: str = ApiToken.Scope.WRITE,
    expires_in_days: int | None = None,
) -> IssuedToken:
    """This will make a personal token; the secret is in the answer and nowhere else."""
    user = actor.person
    if ApiToken.objects.usable().filter(user=user).count() >= TOKENS_A_PERSON:
        message = "You have too many tokens. Revoke some first."
        raise problems.Conflict(message)
    secret = credentials.new_secret(credentials.TOKEN_PREFIX)
    lasts = dt.timedelta(days=expires_in_days) if expires_in_days else None
    token = ApiToken.objects.create(
        user=user,
        name=name,
        scope=scope,
        hint=secret[: credentials.HINT_LENGTH],
        digest=credentials.digest(secret),
        expires_at=timezone.now() + lasts if lasts else None,
    )
    events.token_created(token, actor=actor)
    return IssuedToken(token, secret)


@transaction.atomic
def revoke_token(*, actor: Actor, token: ApiToken) -> None:
    """This will end one of one's own tokens, at once and for good."""
    if token.user_id != actor.person.pk:
        raise problems.NotFound
    ended = ApiToken.objects.filter(pk=token.pk, revoked_at__isnull=True).update(
        revoked_at=timezone.now()
    )
    if ended:
        events.credentials_ended(actor.person, actor=actor, token=token)


@transaction.atomic
def create_ticket(*, actor: Actor) -> IssuedTicket:
    """This will make a pass for one socket or stream, good once within 30 seconds.

    Old tickets nobody used are cleared away on the way.
    """
    now = timezone.now()
    RealtimeTicket.objects.filter(expires_at__lt=now).delete()
    secret = credentials.new_secret()
    user = actor.person
    ticket = RealtimeTicket.objects.create(
        digest=credentials.digest(secret),
        user=user,
        token_version=user.token_version,
        expires_at=now + credentials.TICKET_LIFETIME,
    )
    return IssuedTicket(secret, ticket.expires_at)
