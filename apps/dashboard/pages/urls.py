"""Addresses of mission control and the inbox."""

from __future__ import annotations

from django.urls import path

from apps.dashboard.pages import keeping, views

urlpatterns = [
    path("dashboard", views.mission_control, name="mission_control"),
    path("inbox", views.inbox, name="inbox"),
    path("settings/backups", keeping.backups, name="backups"),
    path("projects/import", keeping.import_document, name="project_import"),
]
