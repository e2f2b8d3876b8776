"""REST: `/api/v1/organizations…` and `/api/organizations…`."""

from __future__ import annotations

from django.urls import path

from apps.orgs.api import views

ONE = "organizations/<org_id:organization_id>"

urlpatterns = [
    path("organizations", views.Organizations.as_view()),
    path(ONE, views.Organization.as_view()),
    path(f"{ONE}/members", views.Members.as_view()),
    path(f"{ONE}/members/<user_id:user_id>", views.Member.as_view()),
]
