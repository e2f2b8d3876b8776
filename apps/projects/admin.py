"""Projects in the Django admin: to look at."""

from __future__ import annotations

from django.contrib import admin

from apps.core.admin import ReadOnly
from apps.projects import models


@admin.register(models.Project)
class Project(ReadOnly):
    list_display = ("name", "owner", "organization", "origin", "state", "path", "created_at")
    list_filter = ("state", "origin", "organization")
    search_fields = ("name", "path", "owner__email")
    list_select_related = ("owner", "organization")


@admin.register(models.ProjectMember)
class ProjectMember(ReadOnly):
    list_display = ("project", "user", "role", "created_at")
    list_filter = ("role",)
    search_fields = ("project__name", "user__email")
    list_select_related = ("project", "user")


@admin.register(models.Invitation)
class Invitation(ReadOnly):
    list_display = ("email", "project", "role", "invited_by", "created_at")
    list_filter = ("role",)
    search_fields = ("email", "project__name")
    list_select_related = ("project", "invited_by")


@admin.register(models.ProjectSettings)
class ProjectSettings(ReadOnly):
    list_display = ("project", "ticket_prefix", "default_agent", "merge_strategy", "updated_at")
    search_fields = ("project__name",)
    list_select_related = ("project",)


@admin.register(models.ProjectView)
class ProjectView(ReadOnly):
    list_display = ("project", "user", "last_opened_at", "all_read_at")
    search_fields = ("project__name", "user__email")
    list_select_related = ("project", "user")


@admin.register(models.Script)
class Script(ReadOnly):
    list_display = ("name", "project", "updated_at")
    search_fields = ("name", "project__name")
    list_select_related = ("project",)


@admin.register(models.ScriptRun)
class ScriptRun(ReadOnly):
    list_display = ("script", "status", "exit_code", "started_by", "created_at", "finished_at")
    list_filter = ("status",)
    search_fields = ("script__name",)
    list_select_related = ("script", "started_by")
