"""Django admin for super admins: organizations and members to look at."""

from __future__ import annotations

from typing import Any

from django.contrib import admin

from apps.core.admin import ReadOnly
from apps.orgs.models import Membership, Organization


class Members(admin.TabularInline[Membership, Any]):
    model = Membership
    extra = 0
    can_delete = False
    fields = ("user", "role", "created_at")
    readonly_fields = fields


@admin.register(Organization)
class Organizations(ReadOnly):
    list_display = ("name", "created_at")
    search_fields = ("name",)
    inlines = (Members,)


@admin.register(Membership)
class Memberships(ReadOnly):
    list_display = ("organization", "user", "role", "created_at")
    list_filter = ("role",)
    search_fields = ("organization__name", "user__email")
    list_select_related = ("organization", "user")
