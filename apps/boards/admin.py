"""Boards in the Django admin: to look at. Cards move through operations, which tell everybody."""

from __future__ import annotations

from django.contrib import admin

from apps.boards import models
from apps.core.admin import ReadOnly


@admin.register(models.Board)
class Board(ReadOnly):
    list_display = ("name", "project", "created_at", "updated_at")
    list_filter = ("project",)
    search_fields = ("name", "project__name")
    list_select_related = ("project",)


@admin.register(models.Column)
class Column(ReadOnly):
    list_display = ("name", "board", "column_type", "agent_mode", "key", "wip_limit")
    list_filter = ("column_type", "agent_mode")
    search_fields = ("name", "board__name")
    list_select_related = ("board",)


@admin.register(models.Card)
class Card(ReadOnly):
    list_display = (
        "key",
        "title",
        "project",
        "column",
        "priority",
        "agent_status",
        "has_active_agent",
        "updated_at",
    )
    list_filter = ("column__column_type", "priority", "agent_status", "project")
    search_fields = ("key", "title")
    list_select_related = ("project", "column")
    date_hierarchy = "created_at"


@admin.register(models.CardDependency)
class CardDependency(ReadOnly):
    list_display = ("card", "depends_on")
    search_fields = ("card__key", "depends_on__key")
    list_select_related = ("card", "depends_on")


@admin.register(models.CardView)
class CardView(ReadOnly):
    list_display = ("card", "user", "viewed_at")
    search_fields = ("card__key", "user__email")
    list_select_related = ("card", "user")


@admin.register(models.BoardTemplate)
class BoardTemplate(ReadOnly):
    list_display = ("name", "created_by", "updated_at")
    search_fields = ("name",)
    list_select_related = ("created_by",)


@admin.register(models.Attachment)
class Attachment(ReadOnly):
    list_display = ("filename", "card", "content_type", "size", "uploaded_by", "created_at")
    list_filter = ("content_type",)
    search_fields = ("filename", "card__key")
    list_select_related = ("card", "uploaded_by")
