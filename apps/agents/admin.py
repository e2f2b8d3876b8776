"""Agents in the Django admin: attempts to look at, profiles to write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin

from apps.agents import conversation_tables, login_tables, models, usage_tables
from apps.core import secrets
from apps.core.admin import ReadOnly

if TYPE_CHECKING:
    _ProfileAdmin = admin.ModelAdmin[models.AgentProfile]
    _ProfileForm = forms.ModelForm[models.AgentProfile]
else:
    _ProfileAdmin, _ProfileForm = admin.ModelAdmin, forms.ModelForm


class ProfileForm(_ProfileForm):
    """A profile whose secrets are masked: a mask that comes back leaves the secret as it is."""

    class Meta:
        model = models.AgentProfile
        fields = ("project", "agent", "name", "config")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.initial["config"] = secrets.masked(self.instance.config)

    def clean_config(self) -> Any:
        """This will put the masked secrets back."""
        return secrets.unmasked(self.cleaned_data["config"] or {}, self.instance.config)


@admin.register(models.AgentProfile)
class AgentProfile(_ProfileAdmin):
    form = ProfileForm
    list_display = ("name", "agent", "project", "updated_at")
    list_filter = ("agent",)
    search_fields = ("name", "project__name")
    list_select_related = ("project",)


@admin.register(models.Attempt)
class Attempt(ReadOnly):
    list_display = (
        "public_id",
        "card",
        "number",
        "agent",
        "status",
        "waiting_for",
        "reason",
        "lease_owner",
        "queued_at",
        "ended_at",
    )
    list_filter = ("status", "reason", "agent", "project")
    search_fields = ("card__title", "card__key", "branch")
    list_select_related = ("card",)
    date_hierarchy = "queued_at"


@admin.register(models.Approval)
class Approval(ReadOnly):
    list_display = ("title", "attempt", "kind", "status", "decision", "answered_by", "answered_at")
    list_filter = ("kind", "status", "decision")
    search_fields = ("title",)
    list_select_related = ("attempt", "answered_by")


@admin.register(models.AttemptLog)
class AttemptLog(ReadOnly):
    list_display = ("ts", "attempt", "level", "message")
    list_filter = ("level",)
    search_fields = ("message",)
    list_select_related = ("attempt",)


@admin.register(models.Turn)
class Turn(ReadOnly):
    list_display = (
        "attempt",
        "number",
        "status",
        "stop_reason",
        "author",
        "started_at",
        "ended_at",
    )
    list_filter = ("status", "stop_reason")
    list_select_related = ("attempt", "author")


@admin.register(models.Item)
class Item(ReadOnly):
    list_display = ("attempt", "position", "seq", "type", "turn_number", "created_at")
    list_filter = ("type",)
    list_select_related = ("attempt",)
    show_full_result_count = False


@admin.register(models.SlotLock)
class SlotLock(ReadOnly):
    list_display = ("name",)


@admin.register(models.Credential)
class Credential(ReadOnly):
    list_display = ("name", "provider", "auth_type", "hint", "status", "checked_at", "created_by")
    list_filter = ("provider", "auth_type", "status")
    search_fields = ("name",)
    list_select_related = ("created_by",)
    exclude = ("secret", "refresh_token", "renewing_until")


@admin.register(login_tables.CredentialLogin)
class CredentialLogin(ReadOnly):
    list_display = ("credential", "status", "error", "expires_at")
    list_filter = ("status",)
    list_select_related = ("credential",)
    exclude = ("verifier", "state_digest")


@admin.register(usage_tables.CredentialUse)
class CredentialUse(ReadOnly):
    list_display = (
        "credential",
        "subject",
        "input_tokens",
        "output_tokens",
        "cost_usd",
        "started_at",
        "ended_at",
    )
    search_fields = ("subject", "credential__name")
    list_select_related = ("credential",)


@admin.register(conversation_tables.Conversation)
class Conversation(ReadOnly):
    list_display = (
        "public_id",
        "project",
        "card",
        "person",
        "agent",
        "status",
        "activity",
        "turn",
        "lease_owner",
        "updated_at",
    )
    list_filter = ("kind", "status", "activity", "agent")
    search_fields = ("project__name", "card__title", "person__email")
    list_select_related = ("project", "card", "person")


@admin.register(conversation_tables.ConversationItem)
class ConversationItem(ReadOnly):
    list_display = ("conversation", "position", "seq", "type", "role", "turn_number", "created_at")
    list_filter = ("type", "role")
    list_select_related = ("conversation",)
    show_full_result_count = False
