"""Logins at providers: begun by a super admin, finished by the browser, renewed when needed."""

from __future__ import annotations

import hashlib
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from apps.accounts import rules as account_rules
from apps.agents import events
from apps.agents.login_tables import CredentialLogin
from apps.agents.models import Credential
from apps.agents.outputs.credentials import mask
from apps.agents.providers import oauth, registry
from apps.agents.providers.verifying import Proof
from apps.core import problems

if TYPE_CHECKING:
    from apps.agents.providers.registry import OAuth, Provider
    from apps.core.actors import Actor

log = structlog.get_logger(__name__)

LIFETIME = timedelta(minutes=15)
CALLBACK = "/api/credentials/oauth/callback"
UNFINISHED = frozenset(
    {Credential.Status.PENDING, Credential.Status.FAILED, Credential.Status.EXPIRED}
)
# A token that ends so soon is renewed before it is used.
EARLY = timedelta(minutes=2)
# Longer than one exchange with the provider can take.
RENEWAL = timedelta(seconds=30)
_POLL_SECONDS = 0.05

DENIED = "The provider was told not to let this server in."
NOT_EXCHANGED = "The provider did not accept the login. Begin anew."
UNREACHABLE = "The provider could not be reached to finish the login. Begin anew."
TOO_LATE = "The login took too long. Begin anew."
NOT_OURS = "This login was not begun here, or was finished before."
ENDED = "The login at the provider has ended. Log in again."
NO_LOGIN = "Nobody can log in at this provider: its login is not configured."


class LoginLost(problems.Conflict):
    """409: a login cannot be renewed any more; somebody has to log in again."""

    default_code = "CREDENTIAL_INVALID"
    default_detail = ENDED


def redirect_uri() -> str:
    """This will be where providers send the browser back to; it has to be registered there."""
    return f"{settings.KANBANAI_PUBLIC_ORIGIN}{CALLBACK}"


def proof_of(credential: Credential, provider: Provider) -> Proof:
    """This will be what a provider is shown of a credential, and where."""
    return Proof(
        key=credential.secret,
        base_url=credential.base_url or provider.base_url,
        is_token=credential.auth_type == Credential.AuthType.OAUTH,
    )


def _digest(state: str) -> str:
    return hashlib.sha256(state.encode("utf-8", "replace")).hexdigest()


@transaction.atomic
def begin_login(
    *, actor: Actor, provider: str, credential: Credential | None = None
) -> tuple[CredentialLogin, str]:
    """This will begin a login at a provider, and say where the browser has to go.

    It makes a credential that waits for the login; an existing one, which goes on working
    meanwhile, gets new tokens by it.
    """
    account_rules.require_super_admin(actor)
    known = registry.find(provider)
    if known is None or known.oauth is None:
        raise problems.ValidationFailed.of("provider", NO_LOGIN, "no_login")
    if credential is None:
        credential = Credential.objects.create(
            name=f"{known.label} login",
            provider=known.id,
            auth_type=Credential.AuthType.OAUTH,
            status=Credential.Status.PENDING,
            created_by=actor.user,
        )
        events.credential_changed("credential.created", credential, actor=actor)
    elif credential.auth_type != Credential.AuthType.OAUTH or credential.provider != known.id:
        message = "This credential is not a login at this provider."
        raise problems.ValidationFailed.of("credentialId", message)
    state, verifier = oauth.new_secret(), oauth.new_secret()
    login = CredentialLogin.objects.create(
        credential=credential,
        state_digest=_digest(state),
        verifier=verifier,
        redirect_uri=redirect_uri(),
        expires_at=timezone.now() + LIFETIME,
    )
    url = oauth.authorization_url(
        known.oauth, state=state, verifier=verifier, redirect_uri=login.redirect_uri
    )
    return login, url


def finish_login(
    *, actor: Actor, state: str, code: str = "", error: str = ""
) -> CredentialLogin | None:
    """This will finish a login with what the browser brought back; None for a state not of ours.

    In steps: the state is used up first, then the provider is asked. A state works once, whatever
    comes of it.
    """
    login = take_login(actor=actor, state=state)
    if login is None or login.status != CredentialLogin.Status.EXCHANGING:
        return login
    provider = registry.find(login.credential.provider)
    if error or not code:
        log.info("credential_login_denied", credential=login.credential.public_id)
        return fail_login(actor=actor, login=login, why=DENIED)
    if provider is None or provider.oauth is None:
        return fail_login(actor=actor, login=login, why=NO_LOGIN)
    try:
        tokens = oauth.exchange(
            provider.oauth, code=code, verifier=login.verifier, redirect_uri=login.redirect_uri
        )
    except oauth.Refused:
        return fail_login(actor=actor, login=login, why=NOT_EXCHANGED)
    except oauth.Unavailable as trouble:
        log.warning("credential_login_failed", error=str(trouble))
        return fail_login(actor=actor, login=login, why=UNREACHABLE)
    return complete_login(actor=actor, login=login, tokens=tokens)


@transaction.atomic
def take_login(*, actor: Actor, state: str) -> CredentialLogin | None:
    """This will use a state up; None when it is not of ours or was used, expired when too late."""
    found = CredentialLogin.objects.filter(state_digest=_digest(state))
    taken = found.filter(status=CredentialLogin.Status.PENDING).update(
        status=CredentialLogin.Status.EXCHANGING
    )
    if not taken:
        return None
    login = found.select_related("credential").get()
    if login.expires_at <= timezone.now():
        return fail_login(
            actor=actor, login=login, why=TOO_LATE, status=CredentialLogin.Status.EXPIRED
        )
    return login


@transaction.atomic
def fail_login(
    *,
    actor: Actor,
    login: CredentialLogin,
    why: str,
    status: str = CredentialLogin.Status.FAILED,
) -> CredentialLogin:
    """This will end a login without tokens; a credential that waited for it cannot be used."""
    login.status, login.error = status, why
    login.save(update_fields=["status", "error"])
    waiting = Credential.objects.filter(pk=login.credential_id, status=Credential.Status.PENDING)
    if waiting.update(status=status, error=why, updated_at=timezone.now()):
        login.credential.refresh_from_db()
        events.credential_changed("credential.updated", login.credential, actor=actor)
    return login


@transaction.atomic
def complete_login(
    *, actor: Actor, login: CredentialLogin, tokens: oauth.Tokens
) -> CredentialLogin | None:
    """This will keep the tokens of a login; None when its credential was deleted meanwhile."""
    held = Credential.objects.select_for_update().filter(pk=login.credential_id).first()
    if held is None:
        return None
    _keep(held, tokens)
    held.status, held.error, held.checked_at = Credential.Status.VALID, "", timezone.now()
    held.save()
    login.credential = held
    login.status = CredentialLogin.Status.COMPLETED
    login.save(update_fields=["status"])
    events.credential_changed("credential.updated", held, actor=actor)
    return login


def _keep(held: Credential, tokens: oauth.Tokens) -> None:
    held.secret, held.hint = tokens.access, mask(tokens.access)
    held.refresh_token = tokens.refresh or held.refresh_token
    held.token_expires_at = (
        timezone.now() + timedelta(seconds=tokens.seconds) if tokens.seconds else None
    )
    held.renewing_until = None


@transaction.atomic
def expire_logins(*, actor: Actor) -> int:
    """This will end the logins that nobody finished in time, and count them."""
    late = CredentialLogin.objects.select_related("credential").filter(
        status__in=[CredentialLogin.Status.PENDING, CredentialLogin.Status.EXCHANGING],
        expires_at__lte=timezone.now(),
    )
    count = 0
    for login in late.order_by("pk"):
        fail_login(actor=actor, login=login, why=TOO_LATE, status=CredentialLogin.Status.EXPIRED)
        count += 1
    return count


def renew_credential(*, actor: Actor, credential: Credential, rejected: str = "") -> Credential:
    """This will give a credential with a token that still lives a while, renewed where needed.

    In steps. One at a time asks the provider, others wait for what that one gets: many providers
    take a refresh token only once. `rejected` is a token that was refused before its time.
    LoginLost when the provider says no for good; 502 when it does not answer.
    """
    deadline = time.monotonic() + RENEWAL.total_seconds() + 5
    while True:
        row = Credential.objects.filter(pk=credential.pk).first()
        if row is None:
            message = "Credential not found."
            raise problems.NotFound(message)
        if not is_due(row, rejected=rejected):
            return row
        provider = registry.find(row.provider)
        if not row.refresh_token or provider is None or provider.oauth is None:
            return _as_long_as_it_lives(row, actor=actor)
        if claim_renewal(actor=actor, credential=row):
            return _renew(row, provider.oauth, actor=actor)
        if time.monotonic() >= deadline:
            message = "The provider's login is being renewed. Try again in a moment."
            raise problems.Unavailable(message)
        time.sleep(_POLL_SECONDS)


def is_due(row: Credential, *, rejected: str = "") -> bool:
    """True for a token that ends soon, or was refused before its time."""
    if row.auth_type != Credential.AuthType.OAUTH or not row.secret:
        return False
    if rejected and row.secret == rejected:
        return True
    return row.token_expires_at is not None and row.token_expires_at <= timezone.now() + EARLY


def _as_long_as_it_lives(row: Credential, *, actor: Actor) -> Credential:
    """A token that cannot be renewed is good until its end."""
    if row.token_expires_at is None or row.token_expires_at > timezone.now():
        return row
    lose_login(actor=actor, credential=row)
    raise LoginLost


@transaction.atomic
def claim_renewal(*, actor: Actor, credential: Credential) -> bool:
    """This will take the right to renew a token; False while somebody else has it, or has done."""
    del actor  # nobody hears of it
    now = timezone.now()
    free = Q(renewing_until__isnull=True) | Q(renewing_until__lte=now)
    # `updated_at`: whoever has renewed it between our reading and now has moved it.
    claimed = Credential.objects.filter(free, pk=credential.pk, updated_at=credential.updated_at)
    return bool(claimed.update(renewing_until=now + RENEWAL))


def _renew(row: Credential, way: OAuth, *, actor: Actor) -> Credential:
    try:
        tokens = oauth.renew(way, refresh_token=row.refresh_token)
    except oauth.Refused as error:
        log.warning("credential_not_renewed", credential=row.public_id)
        lose_login(actor=actor, credential=row)
        raise LoginLost from error
    except oauth.Unavailable as trouble:
        Credential.objects.filter(pk=row.pk).update(renewing_until=None)
        raise problems.Upstream(str(trouble)) from trouble
    return record_renewal(actor=actor, credential=row, tokens=tokens)


@transaction.atomic
def record_renewal(*, actor: Actor, credential: Credential, tokens: oauth.Tokens) -> Credential:
    """This will keep renewed tokens, unless somebody logged in anew meanwhile."""
    del actor  # nothing that is shown has changed
    held = Credential.objects.select_for_update().filter(pk=credential.pk).first()
    if held is None:
        message = "Credential not found."
        raise problems.NotFound(message)
    if held.refresh_token == credential.refresh_token:
        _keep(held, tokens)
        held.save()
    return held


@transaction.atomic
def lose_login(*, actor: Actor, credential: Credential) -> None:
    """This will note that a login has ended, unless somebody logged in anew meanwhile."""
    held = Credential.objects.select_for_update().filter(pk=credential.pk).first()
    if held is None or held.secret != credential.secret:
        return
    held.status, held.error = Credential.Status.INVALID, ENDED
    held.refresh_token, held.renewing_until = "", None
    held.checked_at = timezone.now()
    held.save()
    events.credential_changed("credential.updated", held, actor=actor)
