"""Credentials are kept by super admins, checked against their providers, and chosen for work.

Rows are locked in one order: the line of admission, organization, project, card, credential.
Nothing waits for a provider while it holds a lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone

from apps.accounts import rules as account_rules
from apps.agents import events, keys
from apps.agents.models import Credential
from apps.agents.operations import admission, logins
from apps.agents.outputs.credentials import mask
from apps.agents.providers import registry, verifying
from apps.boards import operations as board_operations
from apps.core import problems, secrets
from apps.orgs import operations as org_operations
from apps.projects import operations as project_operations

if TYPE_CHECKING:
    from uuid import UUID

    from apps.agents.outputs.credentials import CredentialUsage
    from apps.agents.providers.registry import Provider
    from apps.agents.providers.verifying import Verdict
    from apps.boards.models import Card
    from apps.core.actors import Actor
    from apps.orgs.models import Organization
    from apps.projects.models import Project

NO_KEY = "No key is stored."
# How long the provider's word on its windows is repeated before it is asked again.
WINDOWS_SECONDS = 180


def hold(credential_id: UUID) -> Credential:
    """This will hold a credential as it is now until the transaction ends, unread."""
    rows = Credential.objects.select_for_update().defer("secret", "refresh_token")
    found = rows.filter(pk=credential_id).first()
    if found is None:
        message = "Credential not found."
        raise problems.NotFound(message)
    return found


def require_provider(provider_id: str) -> Provider:
    """This will find a provider; ValidationFailed for one that nobody knows."""
    provider = registry.find(provider_id)
    if provider is None:
        known = ", ".join(registry.providers())
        raise problems.ValidationFailed.of(
            "provider", f"There is no such provider. Known are: {known}.", "unknown"
        )
    return provider


def _require_key(provider: Provider, key: str) -> None:
    wrong = registry.key_problem(provider, key) if key else ""
    if wrong:
        raise problems.ValidationFailed.of("apiKey", wrong)


def _require_address(provider: Provider, base_url: str) -> None:
    wrong = registry.address_problem(base_url) if base_url else ""
    if not wrong and not base_url and not provider.base_url:
        wrong = "This provider needs an address."
    if wrong:
        raise problems.ValidationFailed.of("baseUrl", wrong)


@transaction.atomic
def create_credential(
    *, actor: Actor, name: str, provider: str, api_key: str = "", base_url: str = ""
) -> Credential:
    """This will keep a key of a provider; nobody is asked whether it works."""
    account_rules.require_super_admin(actor)
    known = require_provider(provider)
    _require_key(known, api_key)
    _require_address(known, base_url)
    credential = Credential.objects.create(
        name=name,
        provider=known.id,
        secret=api_key,
        hint=mask(api_key) if api_key else "",
        base_url=base_url.rstrip("/"),
        created_by=actor.user,
    )
    events.credential_changed("credential.created", credential, actor=actor)
    return credential


@transaction.atomic
def update_credential(
    *, actor: Actor, credential: Credential, changes: dict[str, Any]
) -> Credential:
    """This will rename a credential, or give it another key or address, which nobody has checked.

    Another address needs the key with it: the one that is kept is not sent there.
    What is already so is not written, and an update without effect makes no event.
    """
    account_rules.require_super_admin(actor)
    held = hold(credential.pk)
    wanted: dict[str, Any] = {}
    if changes.get("name", held.name) != held.name:
        wanted["name"] = changes["name"]
    wanted |= _new_secret(held, changes)
    if not wanted:
        return held
    for field, value in wanted.items():
        setattr(held, field, value)
    held.save(update_fields=[*wanted, "updated_at"])
    events.credential_changed("credential.updated", held, actor=actor)
    return held


def _new_secret(held: Credential, changes: dict[str, Any]) -> dict[str, Any]:
    wanted: dict[str, Any] = {}
    key, base_url = changes.get("api_key"), changes.get("base_url")
    if key is not None and not _is_key(held, key):
        if held.auth_type == Credential.AuthType.OAUTH:
            message = "This credential is a login: it has no key to be changed."
            raise problems.ValidationFailed.of("apiKey", message)
        _require_key(require_provider(held.provider), key)
        wanted |= {"secret": key, "hint": mask(key) if key else ""}
    if base_url is not None and base_url.rstrip("/") != held.base_url:
        _require_address(require_provider(held.provider), base_url)
        _require_own_key(held, key)
        wanted["base_url"] = base_url.rstrip("/")
    if wanted and held.auth_type == Credential.AuthType.API_KEY:
        wanted |= {"status": Credential.Status.UNVERIFIED, "checked_at": None, "error": ""}
    if wanted:
        wanted |= {"windows": [], "windows_at": None}
    return wanted


def _require_own_key(held: Credential, key: str | None) -> None:
    """Whoever may change the address has not seen the key, and shall not have it sent to them."""
    if key is not None or not held.hint:
        return
    if held.auth_type == Credential.AuthType.OAUTH:
        message = "This credential is a login: it goes to its provider's address alone."
        raise problems.ValidationFailed.of("baseUrl", message)
    message = "Enter the key again: the one that is kept is not sent to another address."
    raise problems.ValidationFailed.of("apiKey", message, "required")


def _is_key(held: Credential, key: str) -> bool:
    try:
        return held.secret == key
    except secrets.Unreadable:
        # A key that this server cannot read any more is replaced by the same one, too.
        return False


@transaction.atomic
def delete_credential(*, actor: Actor, credential: Credential) -> None:
    """This will forget a credential, everywhere it was chosen; what ran with it goes on."""
    account_rules.require_super_admin(actor)
    admission.lock_slots()
    _forget(credential, actor=actor)
    held = hold(credential.pk)
    # Whoever chose it in the meantime did so before we held it.
    _forget(credential, actor=actor)
    events.credential_changed("credential.deleted", held, actor=actor)
    held.delete()


def _forget(credential: Credential, *, actor: Actor) -> None:
    org_operations.forget_credential(actor=actor, credential_id=credential.pk)
    project_operations.forget_credential(actor=actor, credential_id=credential.pk)
    board_operations.forget_credential(actor=actor, credential_id=credential.pk)


@transaction.atomic
def choose_for_organization(
    *, actor: Actor, organization: Organization, credential_id: UUID | None
) -> Organization:
    """This will name the credential of an organization's projects; None for none."""
    changed = org_operations.choose_credential(
        actor=actor, organization=organization, credential_id=credential_id
    )
    _require_there(credential_id)
    return changed


@transaction.atomic
def choose_for_project(*, actor: Actor, project: Project, credential_id: UUID | None) -> Project:
    """This will name the credential of a project's agents; None for none of its own."""
    changed = project_operations.choose_credential(
        actor=actor, project=project, credential_id=credential_id
    )
    _require_there(credential_id)
    return changed


@transaction.atomic
def choose_for_card(*, actor: Actor, card: Card, credential_id: UUID | None) -> Card:
    """This will name the credential of a card's agents, from their next turn on; None for none."""
    changed = board_operations.choose_credential(
        actor=actor, card=card, credential_id=credential_id
    )
    _require_there(credential_id)
    return changed


def _require_there(credential_id: UUID | None) -> None:
    """Held, so that it cannot go before it is chosen; without it nothing of this happens."""
    if credential_id is None:
        return
    rows = Credential.objects.select_for_update(no_key=True).filter(pk=credential_id)
    if not rows.values_list("pk", flat=True).first():
        raise problems.ValidationFailed.of("credentialId", "Credential not found.", "not_found")


def verify_credential(*, actor: Actor, credential: Credential) -> tuple[Credential, Verdict]:
    """This will ask the provider whether it takes a credential, and note the answer.

    In steps, since the provider is asked between transactions. 502 and 429 are the provider's
    troubles: nothing is noted then.
    """
    account_rules.require_super_admin(actor)
    tried = Credential.objects.get(pk=credential.pk)
    if tried.status in logins.UNFINISHED:
        message = f"“{tried.name}” cannot be checked: {keys.why_not(tried)}"
        raise problems.Conflict(message)
    provider = registry.find(tried.provider)
    if provider is None:
        message = f"The provider of “{tried.name}” is not configured any more."
        raise problems.Conflict(message)
    tried, verdict = _ask(tried, provider, actor=actor)
    return record_verdict(actor=actor, tried=tried, verdict=verdict), verdict


def _ask(tried: Credential, provider: Provider, *, actor: Actor) -> tuple[Credential, Verdict]:
    if not tried.secret and not provider.keyless:
        return tried, verifying.Verdict(valid=False, error=NO_KEY)
    try:
        tried = logins.renew_credential(actor=actor, credential=tried)
        verdict = verifying.verify(provider, logins.proof_of(tried, provider))
        if not verdict.valid and tried.refresh_token:
            # A token may end before its time: the login behind it decides.
            tried = logins.renew_credential(actor=actor, credential=tried, rejected=tried.secret)
            verdict = verifying.verify(provider, logins.proof_of(tried, provider))
    except logins.LoginLost as lost:
        return Credential.objects.get(pk=tried.pk), verifying.Verdict(
            valid=False, error=lost.detail
        )
    return tried, verdict


@transaction.atomic
def record_verdict(*, actor: Actor, tried: Credential, verdict: Verdict) -> Credential:
    """This will note what the provider said of the key that was tried, unless it was replaced."""
    held = hold(tried.pk)
    if held.secret != tried.secret or held.base_url != tried.base_url:
        message = "The credential was changed while it was checked. Check it again."
        raise problems.Conflict(message)
    now = timezone.now()
    held.status = Credential.Status.VALID if verdict.valid else Credential.Status.INVALID
    held.error = verdict.error[:300]
    held.checked_at = now
    fields = ["status", "error", "checked_at", "updated_at"]
    if verdict.windows:
        held.windows, held.windows_at = list(verdict.windows), now
        fields += ["windows", "windows_at"]
    held.save(update_fields=fields)
    events.credential_changed("credential.verified", held, actor=actor)
    return held


def credential_usage(*, actor: Actor, credential: Credential) -> CredentialUsage:
    """This will tell how far a credential is used, by its provider where that tells, and by us.

    In steps: a provider that has a word for it is asked now and then; without an answer its last
    word counts.
    """
    seen = _look_at_windows(credential, actor=actor)
    now = timezone.now().isoformat()
    windows = [one for one in seen.windows if one["resetsAt"] is None or one["resetsAt"] > now]
    total, inside = keys.used_by(credential)
    return {
        "available": bool(windows),
        "windows": windows,
        "local": total,
        "localWindows": [{"window": name, **used} for name, used in inside.items()],
    }


def _look_at_windows(credential: Credential, *, actor: Actor) -> Credential:
    provider = registry.find(credential.provider)
    is_login = credential.auth_type == Credential.AuthType.OAUTH
    if provider is None or not provider.usage_url or not is_login or not keys.is_usable(credential):
        return credential
    now = timezone.now()
    if credential.windows_at and (now - credential.windows_at).total_seconds() < WINDOWS_SECONDS:
        return credential
    # Whoever comes next repeats what is known: one question at a time.
    Credential.objects.filter(pk=credential.pk).update(windows_at=now)
    try:
        fresh = logins.renew_credential(actor=actor, credential=credential)
    except problems.Problem:
        return credential
    found = verifying.fetch_windows(provider, logins.proof_of(fresh, provider))
    if found is not None:
        Credential.objects.filter(pk=credential.pk).update(windows=found)
        credential.windows = list(found)
    return credential
