"""What organizations show."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from apps.orgs import models


class Organization(TypedDict):
    """A group of people who share projects."""

    id: str
    name: str


class Member(TypedDict):
    """One person in an organization."""

    userId: str
    email: str
    displayName: str
    role: str


def organization(row: models.Organization) -> Organization:
    """This will show an organization."""
    return {"id": row.public_id, "name": row.name}


def member(row: models.Membership) -> Member:
    """This will show a member."""
    return {
        "userId": row.user.public_id,
        "email": row.user.email,
        "displayName": row.user.display_name,
        "role": row.role,
    }


def topic(row: models.Organization) -> str:
    """This will name an organization's topic."""
    return f"org.{row.public_id}"
