"""What organizations tell the journal, each on its own topic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apps.core import events, ids
from apps.orgs import outputs

if TYPE_CHECKING:
    from apps.core.actors import Actor
    from apps.orgs import models


def organization_created(organization: models.Organization, *, actor: Actor) -> None:
    """This will tell of a new organization."""
    _organization_event("organization.created", organization, actor=actor)


def organization_updated(organization: models.Organization, *, actor: Actor) -> None:
    """This will tell of a new name."""
    _organization_event("organization.updated", organization, actor=actor)


def organization_deleted(organization: models.Organization, *, actor: Actor) -> None:
    """This will tell that an organization is gone."""
    _organization_event("organization.deleted", organization, actor=actor)


def credential_chosen(organization: models.Organization, *, actor: Actor) -> None:
    """This will tell which credential an organization's projects take, or that there is none."""
    key = organization.default_credential_id
    events.record(
        topic=outputs.topic(organization),
        kind="organization.credential_chosen",
        data={
            "organization": outputs.organization(organization),
            "defaultCredentialId": ids.encode("cred", key) if key else None,
        },
        actor=actor,
    )


def _organization_event(kind: str, organization: models.Organization, *, actor: Actor) -> None:
    events.record(
        topic=outputs.topic(organization),
        kind=kind,
        data={"organization": outputs.organization(organization)},
        actor=actor,
    )


def membership_created(membership: models.Membership, *, actor: Actor) -> None:
    """This will tell of a new member."""
    _membership_event("membership.created", membership, actor=actor)


def membership_updated(membership: models.Membership, *, actor: Actor) -> None:
    """This will tell of a member's new role."""
    _membership_event("membership.updated", membership, actor=actor)


def membership_deleted(membership: models.Membership, *, actor: Actor) -> None:
    """This will tell that somebody left."""
    _membership_event("membership.deleted", membership, actor=actor)


def _membership_event(kind: str, membership: models.Membership, *, actor: Actor) -> None:
    events.record(
        topic=outputs.topic(membership.organization),
        kind=kind,
        data={
            "organizationId": membership.organization.public_id,
            "member": outputs.member(membership),
        },
        actor=actor,
    )
