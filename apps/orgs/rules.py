"""Who may do what in an organization."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apps.core import problems
from apps.orgs import queries

if TYPE_CHECKING:
    from apps.accounts.models import User
    from apps.core.actors import Actor
    from apps.orgs.models import Organization


def can_administer(actor: Actor, organization: Organization) -> bool:
    """True for its admins and for super admins."""
    if actor.is_system:
        return True
    person = actor.person
    return person.is_super_admin or queries.is_admin(organization, person)


def require_admin(actor: Actor, organization: Organization) -> None:
    """Refuses everybody who does not administer the organization."""
    if not can_administer(actor, organization):
        message = "Only administrators of the organization may do this."
        raise problems.Forbidden(message)


def require_other_admin(organization: Organization, user: User) -> None:
    """Refuses a change after which the organization would have no admin."""
    if not queries.has_other_admin(organization, user):
        message = "An organization needs an administrator. Name another one first."
        raise problems.Conflict(message)
