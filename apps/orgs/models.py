"""Organizations: groups of people who share projects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from django.conf import settings
from django.db import models

from apps.core.models import Entity

if TYPE_CHECKING:
    from apps.accounts.models import User


class OrganizationQuerySet(models.QuerySet["Organization"]):
    """Organizations, narrowed to what a person may see."""

    def visible_to(self, user: User) -> Self:
        """The organizations one is a member of; super admins see all."""
        if user.is_super_admin:
            return self
        return self.filter(
            models.Exists(Membership.objects.filter(organization=models.OuterRef("pk"), user=user))
        )


class Organization(Entity):
    """A named group; its members see all its projects."""

    id_prefix = "org"

    name = models.CharField(max_length=100)
    # Told from above, by orgs.operations.choose_credential: the key of a credential, if any.
    default_credential_id = models.UUIDField(null=True, blank=True, editable=False, db_index=True)

    objects = OrganizationQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name


class OrganizationRole(models.TextChoices):
    """What a member may do in the organization."""

    ADMIN = "admin"
    MEMBER = "member"


class Membership(models.Model):
    """One person in one organization."""

    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, related_name="memberships"
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships"
    )
    role = models.CharField(
        max_length=10, choices=OrganizationRole.choices, default=OrganizationRole.MEMBER
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["organization", "user"], name="membership_once_in_organization"
            )
        ]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.organization_id}"
