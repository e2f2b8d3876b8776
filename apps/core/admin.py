"""Django admin for super admins: the base of rows to look at, and the event journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from typing_extensions import override

from apps.core.models import Event, KeptAnswer, Topic

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest


class ReadOnly(admin.ModelAdmin[Any]):
    """Rows to look at: changes go through the operations that the product itself uses."""

    @override
    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody adds rows here."""
        return False

    @override
    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Nobody changes rows here."""
        return False

    @override
    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Nobody deletes rows here."""
        return False


@admin.register(Topic)
class Topics(ReadOnly):
    list_display = ("name", "version", "oldest_version")
    search_fields = ("name",)


@admin.register(Event)
class Events(ReadOnly):
    list_display = ("topic", "version", "kind", "created_at", "published_at")
    list_filter = ("kind",)
    search_fields = ("topic",)
    ordering = ("-id",)
    show_full_result_count = False


@admin.register(KeptAnswer)
class KeptAnswers(ReadOnly):
    list_display = ("claimed_at", "status")
    list_filter = ("status",)
    # Opening one would show what was answered: passwords and tokens among it.
    list_display_links = None
    exclude = ("key", "fingerprint", "claim", "headers", "body")

    def get_queryset(self, request: HttpRequest) -> QuerySet[KeptAnswer]:
        """This will leave what was answered where it is."""
        return super().get_queryset(request).defer("headers", "body")
