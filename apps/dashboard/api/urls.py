"""REST addresses of the dashboard, mounted under /api/v1/ and /api/."""

from __future__ import annotations

from django.urls import path

from apps.dashboard.api import backups, exports, overview

urlpatterns = [
    path("dashboard", overview.Dashboard.as_view()),
    path("projects/<proj_id:project_id>/export", exports.ProjectExport.as_view()),
    path("export", exports.OrganizationExport.as_view()),
    path("import", exports.Import.as_view()),
    path("backups", backups.Backups.as_view()),
    path("backups/<str:filename>", backups.OneBackup.as_view()),
]
