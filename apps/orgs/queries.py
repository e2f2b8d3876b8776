"""Reads: organizations and their members."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING
from uuid import UUID

from apps.core import ids, problems
from apps.orgs.models import Membership, Organization, OrganizationRole

if TYPE_CHECKING:
    from apps.accounts.models import User
    from apps.core.actors import Actor


def get_organization(organization_id: UUID, *, actor: Actor) -> Organization:
    """This will find an organization the actor may see."""
    found = Organization.objects.visible_to(actor.person).filter(pk=organization_id).first()
    if found is None:
        raise problems.NotFound
    return found


def organizations_of(user: User) -> list[Organization]:
    """This will list the organizations a person is a member of, oldest first.

    Super admins see every organization by its id, but their list is their own like everybody's.
    """
    return list(Organization.objects.filter(memberships__user=user).order_by("created_at", "pk"))


def members_of(organization: Organization) -> list[Membership]:
    """This will list the members, oldest first."""
    return list(
        Membership.objects.filter(organization=organization)
        .select_related("user")
        .order_by("created_at", "pk")
    )


def find_membership(organization: Organization, user_id: UUID) -> Membership | None:
    """This will find a person's membership, or None."""
    return (
        Membership.objects.filter(organization=organization, user_id=user_id)
        .select_related("user")
        .first()
    )


def get_membership(organization: Organization, user_id: UUID) -> Membership:
    """This will find a person's membership; NotFound for others."""
    found = find_membership(organization, user_id)
    if found is None:
        raise problems.NotFound
    return found


def is_admin(organization: Organization, user: User) -> bool:
    """This will say whether a person is an admin of the organization."""
    return Membership.objects.filter(
        organization=organization, user=user, role=OrganizationRole.ADMIN
    ).exists()


def has_other_admin(organization: Organization, user: User) -> bool:
    """This will say whether anybody else is an admin of the organization."""
    return (
        Membership.objects.filter(organization=organization, role=OrganizationRole.ADMIN)
        .exclude(user=user)
        .exists()
    )


def keys_of(public_ids: Iterable[str]) -> set[UUID]:
    """This will read public ids of organizations and drop what is none."""
    found = set()
    for public_id in public_ids:
        try:
            found.add(ids.decode(Organization.id_prefix, public_id))
        except problems.NotFound:
            continue
    return found


def known_ids(public_ids: Iterable[str]) -> set[str]:
    """This will give those of the public ids that organizations have."""
    found = Organization.objects.filter(pk__in=keys_of(public_ids)).values_list("pk", flat=True)
    return {ids.encode(Organization.id_prefix, key) for key in found}
