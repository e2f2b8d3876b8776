"""What comes in about organizations: shape only."""

from __future__ import annotations

from rest_framework import serializers

from apps.accounts.inputs import Email
from apps.core import camel, fields
from apps.orgs.models import OrganizationRole

NAME_LENGTH = 100


class CreateOrganization(camel.Serializer):
    """A new organization."""

    name = fields.Text(max_length=NAME_LENGTH)


class UpdateOrganization(camel.Serializer):
    """A new name."""

    name = fields.Text(max_length=NAME_LENGTH, required=False)


class AddMember(camel.Serializer):
    """Somebody who has an account."""

    email = Email()
    role = serializers.ChoiceField(
        choices=OrganizationRole.choices, default=OrganizationRole.MEMBER
    )


class ChangeMember(camel.Serializer):
    """A member's new role."""

    role = serializers.ChoiceField(choices=OrganizationRole.choices)
