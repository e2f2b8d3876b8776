"""The writes: organizations and who belongs to them.

Whoever changes members first locks the organization's row, so that two simultaneous changes cannot
take each other's last administrator.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from apps.accounts import queries as accounts
from apps.accounts.models import User
from apps.core import problems
from apps.core.actors import Actor
from apps.orgs import events, queries, rules
from apps.orgs.models import Membership, Organization, OrganizationRole


def _locked(organization: Organization) -> Organization:
    found = Organization.objects.select_for_update().filter(pk=organization.pk).first()
    if found is None:
        raise problems.NotFound
    return found


@transaction.atomic
def create_organization(*, actor: Actor, name: str) -> Organization:
    """This will make an organization with its creator as administrator."""
    organization = Organization.objects.create(name=name)
    Membership.objects.create(
        organization=organization, user=actor.person, role=OrganizationRole.ADMIN
    )
    events.organization_created(organization, actor=actor)
    return organization


@transaction.atomic
def update_organization(
    *, actor: Actor, organization: Organization, name: str | None = None
) -> Organization:
    """This will rename an organization; None leaves the name."""
    organization = _locked(organization)
    rules.require_admin(actor, organization)
    if name is None or name == organization.name:
        return organization
    organization.name = name
    organization.save(update_fields=["name", "updated_at"])
    events.organization_updated(organization, actor=actor)
    return organization


@transaction.atomic
def choose_credential(
    *, actor: Actor, organization: Organization, credential_id: UUID | None
) -> Organization:
    """This will name the credential of an organization's projects that have none of their own.

    Whether there is such a credential is known above: the agents app asks that, and ends here.
    """
    organization = _locked(organization)
    rules.require_admin(actor, organization)
    if organization.default_credential_id == credential_id:
        return organization
    organization.default_credential_id = credential_id
    organization.save(update_fields=["default_credential_id", "updated_at"])
    events.credential_chosen(organization, actor=actor)
    return organization


@transaction.atomic
def forget_credential(*, actor: Actor, credential_id: UUID) -> None:
    """This will take a credential that goes away from every organization."""
    for found in Organization.objects.filter(default_credential_id=credential_id).order_by("pk"):
        choose_credential(actor=actor, organization=found, credential_id=None)


@transaction.atomic
def delete_organization(*, actor: Actor, organization: Organization) -> None:
    """This will delete an organization; Conflict ORGANIZATION_NOT_EMPTY while projects remain."""
    organization = _locked(organization)
    rules.require_admin(actor, organization)
    events.organization_deleted(organization, actor=actor)
    try:
        organization.delete()
    except ProtectedError as error:
        message = "The organization still has projects. Delete or move them first."
        raise problems.Conflict(message, code="ORGANIZATION_NOT_EMPTY") from error


@transaction.atomic
def add_member(
    *,
    actor: Actor,
    organization: Organization,
    email: str,
    role: str = OrganizationRole.MEMBER,
) -> Membership:
    """This will let a person with an account in; NotFound without one, Conflict for a member."""
    organization = _locked(organization)
    rules.require_admin(actor, organization)
    user = accounts.find_by_email(email)
    if user is None:
        message = "Nobody with this e-mail has an account."
        raise problems.NotFound(message)
    try:
        with transaction.atomic():
            membership = Membership.objects.create(organization=organization, user=user, role=role)
    except IntegrityError as error:
        message = "This person is a member already."
        raise problems.Conflict(message) from error
    events.membership_created(membership, actor=actor)
    return membership


@transaction.atomic
def change_member(*, actor: Actor, organization: Organization, user: User, role: str) -> Membership:
    """This will give a member another role; Conflict for the last administrator."""
    organization = _locked(organization)
    rules.require_admin(actor, organization)
    membership = queries.get_membership(organization, user.pk)
    if membership.role == role:
        return membership
    if role != OrganizationRole.ADMIN:
        rules.require_other_admin(organization, user)
    membership.role = role
    membership.save(update_fields=["role"])
    events.membership_updated(membership, actor=actor)
    return membership


@transaction.atomic
def remove_member(*, actor: Actor, organization: Organization, user: User) -> None:
    """This will let a member go, or oneself leave; Conflict for the last administrator."""
    organization = _locked(organization)
    if actor.user != user:
        rules.require_admin(actor, organization)
    membership = queries.get_membership(organization, user.pk)
    if membership.role == OrganizationRole.ADMIN:
        rules.require_other_admin(organization, user)
    events.membership_deleted(membership, actor=actor)
    membership.delete()


@transaction.atomic
def hand_over(*, actor: Actor, user: User, heir: User) -> None:
    """This will see to an administrator where a person who leaves the server was the only one."""
    led = Membership.objects.filter(user=user, role=OrganizationRole.ADMIN)
    for membership in led.select_related("organization").order_by("organization_id"):
        organization = _locked(membership.organization)
        if queries.has_other_admin(organization, user):
            continue
        successor, is_new = Membership.objects.update_or_create(
            organization=organization, user=heir, defaults={"role": OrganizationRole.ADMIN}
        )
        tell = events.membership_created if is_new else events.membership_updated
        tell(successor, actor=actor)


@transaction.atomic
def follow_groups(
    *, actor: Actor, user: User, belongs: Iterable[str], ruled: Iterable[str]
) -> None:
    """This will make a person a member of the organizations in `belongs`, and of no other `ruled`.

    Both are public ids. Administrators of an organization stay whatever their groups are;
    organizations that are gone are passed over.
    """
    wanted = queries.keys_of(belongs)
    found = Organization.objects.select_for_update().filter(pk__in=wanted | queries.keys_of(ruled))
    # In the order of their keys, so that two sign-ins do not wait for each other.
    for organization in found.order_by("pk"):
        if organization.pk in wanted:
            membership, is_new = Membership.objects.get_or_create(
                organization=organization, user=user
            )
            if is_new:
                events.membership_created(membership, actor=actor)
            continue
        plain = organization.memberships.filter(user=user, role=OrganizationRole.MEMBER).first()
        if plain is not None:
            events.membership_deleted(plain, actor=actor)
            plain.delete()
