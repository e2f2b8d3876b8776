"""What super admins set for the whole server: sign-in, the identity provider, context relay."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from apps.accounts import admission, events, openness, queries, rules
from apps.accounts.models import OidcConfiguration, ServerSettings, User
from apps.core import problems
from apps.core.actors import Actor


def _locked_settings() -> ServerSettings:
    ServerSettings.objects.get_or_create(pk=1)
    return ServerSettings.objects.select_for_update().get(pk=1)


@transaction.atomic
def update_sign_in(*, actor: Actor, enabled: bool) -> ServerSettings:
    """This will switch sign-in on or off; off only where nobody else can reach the server.

    Switched on, what the implicit person owns goes to the oldest super admin, and their connections
    end. Conflict where that would lock everybody out.
    """
    rules.require_super_admin(actor)
    row = _locked_settings()
    if row.auth_enabled == enabled:
        return row
    if not enabled and not openness.is_private():
        message = "Sign-in can be switched off only while the server listens on this machine alone."
        raise problems.Conflict(message)
    if enabled:
        _end_implicit_user(actor)
    row.auth_enabled = enabled
    row.save(update_fields=["auth_enabled"])
    events.settings_changed("auth", actor=actor)
    return row


def _end_implicit_user(actor: Actor) -> None:
    heir = queries.super_admins_who_can_sign_in().first()
    if heir is None:
        message = "No super admin could sign in. Set up an account first."
        raise problems.Conflict(message)
    implicit = User.objects.select_for_update().filter(is_implicit=True).first()
    if implicit is None:
        return
    admission.hand_over(actor=actor, user=implicit, heir=heir)
    implicit.token_version += 1
    implicit.save(update_fields=["token_version", "updated_at"])
    events.credentials_ended(implicit, actor=actor)


@transaction.atomic
def configure_provider(*, actor: Actor, values: dict[str, Any]) -> OidcConfiguration:
    """This will set the identity provider, in place of the one before; it counts at once.

    `values` holds validated snake_case fields; a secret that is the mask is refused, and so is a
    group of an organization that does not exist.
    """
    rules.require_super_admin(actor)
    if values["client_secret"].strip("*") == "":
        message = "Enter the client secret itself, not its mask."
        raise problems.ValidationFailed.of("clientSecret", message, "masked")
    organizations = set(values["organization_groups"].values())
    unknown = sorted(organizations - admission.known_organizations(organizations))
    if unknown:
        message = f"There is no organization {unknown[0]}."
        raise problems.ValidationFailed.of("organizationGroups", message, "unknown")
    configuration = OidcConfiguration(pk=1, **values)
    # Written without reading the row before: its secret may be one that no key opens any more.
    OidcConfiguration.objects.bulk_create(
        [configuration],
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=[*values, "updated_at"],
    )
    events.settings_changed("oidc", actor=actor)
    return configuration


@transaction.atomic
def forget_provider(*, actor: Actor) -> None:
    """This will take the identity provider away; who came by it keeps their account.

    Conflict while sign-in is on and no super admin has a password here.
    """
    rules.require_super_admin(actor)
    has_password = queries.super_admins_with_password().exists()
    if queries.server_settings().auth_enabled and not has_password:
        message = "No super admin has a password here; without the provider nobody could sign in."
        raise problems.Conflict(message)
    deleted, _rows = OidcConfiguration.objects.filter(pk=1).delete()
    if deleted:
        events.settings_changed("oidc", actor=actor)


@transaction.atomic
def update_context_relay(*, actor: Actor, mode: str, threshold: int) -> ServerSettings:
    """This will say when an agent's full context goes on in a fresh session; percent of it."""
    rules.require_server_admin(actor)
    row = _locked_settings()
    row.relay_mode = mode
    row.relay_threshold = threshold
    row.save(update_fields=["relay_mode", "relay_threshold"])
    events.settings_changed("contextRelay", actor=actor)
    return row
