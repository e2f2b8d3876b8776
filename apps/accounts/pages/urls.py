"""The addresses of accounts' pages; allauth's own are mounted beside them."""

from __future__ import annotations

from django.urls import path
from django.views.generic import RedirectView

from apps.accounts.pages import logs, notices, preferences, server, views

urlpatterns = [
    path("setup", views.setup, name="setup"),
    path("settings", RedirectView.as_view(pattern_name="profile"), name="settings"),
    path("settings/profile", views.profile, name="profile"),
    path("settings/appearance", views.appearance, name="appearance"),
    path("settings/notifications", preferences.hearing, name="notification_settings"),
    path("notifications", notices.notices, name="notices"),
    path("notifications/bell", notices.bell, name="bell"),
    path("notifications/read", notices.read_all, name="notices_read"),
    path("notifications/<ntf_id:notification_id>", notices.read, name="notice_read"),
    path("settings/keyboard", preferences.keyboard, name="keyboard_settings"),
    path("settings/server", server.sign_in, name="server_settings"),
    path("settings/single-sign-on", server.single_sign_on, name="single_sign_on"),
    path("settings/logs", logs.lines, name="logs"),
    path("settings/log-export", logs.export, name="log_export"),
    path("settings/tokens", views.tokens, name="tokens"),
    path("settings/password", views.change_password, name="change_password"),
    # Allauth's pages for what we do in our own way.
    path("accounts/password/change/", RedirectView.as_view(pattern_name="change_password")),
    path("accounts/password/set/", RedirectView.as_view(pattern_name="change_password")),
    path("accounts/email/", RedirectView.as_view(pattern_name="profile")),
]
