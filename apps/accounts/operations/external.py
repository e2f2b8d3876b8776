"""People who sign in at the identity provider: who they are here, and what their groups give."""

from __future__ import annotations

from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.utils import timezone

from apps.accounts import admission, events, queries, rules
from apps.accounts.models import (
    ApiToken,
    AuthProvider,
    Identity,
    OidcConfiguration,
    Role,
    User,
)
from apps.accounts.oidc.claims import Claims
from apps.accounts.oidc.refusals import Refused
from apps.core import problems
from apps.core.actors import Actor

RANK = {Role.USER: 0, Role.ADMIN: 1, Role.SUPER_ADMIN: 2}


@transaction.atomic
def sign_in_from_provider(*, actor: Actor, claims: Claims) -> User:
    """This will find or make the account of somebody the provider vouches for.

    By issuer and subject, else by a verified e-mail, else a new one as far as this server admits
    it. Role and memberships follow the groups. Refused says why somebody may not come in.
    """
    # One at a time: two first sign-ins of one person must find one account.
    configuration = OidcConfiguration.objects.select_for_update().filter(pk=1).first()
    if configuration is None:
        raise Refused("oidc_client", "No identity provider is set up any more.")
    identity = (
        Identity.objects.select_related("user")
        .filter(issuer=claims.issuer, subject=claims.subject)
        .first()
    )
    if identity is not None:
        Identity.objects.filter(pk=identity.pk).update(last_used_at=timezone.now())
        return _welcome_back(identity.user, claims, configuration, actor=actor)
    if not claims.email:
        raise Refused("oidc_email")
    if not claims.email_is_verified:
        raise Refused("oidc_email_unverified")
    user = queries.find_by_email(claims.email)
    if user is None:
        user = _new_user(claims, configuration, actor=actor)
    else:
        is_taken_over = _link(user, claims)
        user = _welcome_back(user, claims, configuration, actor=actor)
        if is_taken_over:
            events.credentials_ended(user, actor=_as(user, actor))
    Identity.objects.create(
        user=user, issuer=claims.issuer, subject=claims.subject, last_used_at=timezone.now()
    )
    return user


def _new_user(claims: Claims, configuration: OidcConfiguration, *, actor: Actor) -> User:
    role = _granted_role(claims, configuration)
    belongs = _organizations(claims, configuration)
    if role == Role.USER and not belongs and not _may_come_in(claims.email):
        raise Refused("oidc_not_admitted")
    user = User.objects.create(
        email=claims.email,
        display_name=claims.name,
        role=role,
        auth_provider=AuthProvider.OIDC,
        avatar_url=claims.avatar_url,
        password=make_password(None),
    )
    acting = Actor(user=user, origin=actor.origin, request_id=actor.request_id)
    admission.welcome(actor=acting, user=user)
    _enroll(user, claims, configuration, actor=acting)
    events.user_created(user, actor=acting)
    return user


def _may_come_in(email: str) -> bool:
    try:
        rules.require_registration(email)
    except problems.Problem:
        return False
    return True


def _link(user: User, claims: Claims) -> bool:
    """Lets the provider vouch for an account that was here before; True where all else ended.

    Anybody may have registered the address: the account of a plain user goes over to whom it
    belongs, and what was known to somebody else ends. Those who run the server keep their password,
    so that they get in without the provider.
    """
    if not user.is_active:
        raise Refused("oidc_closed")
    if user.identities.filter(issuer=claims.issuer).exists():
        # The provider gave the address to another person.
        raise Refused("oidc_taken")
    if user.role != Role.USER:
        return False
    user.auth_provider = AuthProvider.OIDC
    user.password = make_password(None)
    user.must_change_password = False
    user.token_version += 1
    user.save(
        update_fields=[
            "auth_provider",
            "password",
            "must_change_password",
            "token_version",
            "updated_at",
        ]
    )
    ApiToken.objects.filter(user=user, revoked_at__isnull=True).update(revoked_at=timezone.now())
    return True


def _welcome_back(
    user: User, claims: Claims, configuration: OidcConfiguration, *, actor: Actor
) -> User:
    """Lets role and memberships follow the groups; the last super admin stays one."""
    if not user.is_active:
        raise Refused("oidc_closed")
    acting = _as(user, actor)
    _enroll(user, claims, configuration, actor=acting)
    if configuration.super_admin_groups or configuration.admin_groups:
        list(queries.super_admins().select_for_update())
        user = User.objects.select_for_update().get(pk=user.pk)
        role = _next_role(user, _granted_role(claims, configuration))
        if role != user.role:
            user.role = role
            user.save(update_fields=["role", "updated_at"])
            events.user_updated(user, actor=acting)
    return user


def _as(user: User, actor: Actor) -> Actor:
    return Actor(user=user, origin=actor.origin, request_id=actor.request_id)


def _granted_role(claims: Claims, configuration: OidcConfiguration) -> Role:
    if claims.groups & set(configuration.super_admin_groups):
        return Role.SUPER_ADMIN
    return Role.ADMIN if claims.groups & set(configuration.admin_groups) else Role.USER


def _next_role(user: User, granted: Role) -> Role:
    """Groups raise anybody; they lower only those whom the provider alone lets in."""
    current = Role(user.role)
    if RANK[granted] >= RANK[current]:
        return granted
    if user.auth_provider != AuthProvider.OIDC:
        return current
    is_needed = not queries.super_admins().exclude(pk=user.pk).exists()
    return current if user.is_super_admin and is_needed else granted


def _organizations(claims: Claims, configuration: OidcConfiguration) -> set[str]:
    return {
        organization
        for group, organization in configuration.organization_groups.items()
        if group in claims.groups
    }


def _enroll(user: User, claims: Claims, configuration: OidcConfiguration, *, actor: Actor) -> None:
    if configuration.organization_groups:
        admission.enroll(
            actor=actor,
            user=user,
            belongs=_organizations(claims, configuration),
            ruled=set(configuration.organization_groups.values()),
        )
