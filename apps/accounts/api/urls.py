"""REST: `/api/v1/…` and `/api/…`."""

from __future__ import annotations

from django.urls import path

from apps.accounts.api import admin_users, logs, mine, notices, oidc, server, signing_in

urlpatterns = [
    path("health", signing_in.Health.as_view()),
    path("settings/auth-status", signing_in.AuthStatus.as_view()),
    path("auth/setup", signing_in.Setup.as_view()),
    path("auth/login", signing_in.Login.as_view()),
    path("auth/register", signing_in.Register.as_view()),
    path("auth/logout", signing_in.Logout.as_view()),
    path("auth/me", signing_in.Me.as_view()),
    path("auth/change-password", signing_in.ChangePassword.as_view()),
    path("user/tokens", mine.Tokens.as_view()),
    path("user/tokens/<tok_id:token_id>", mine.Token.as_view()),
    path("user/settings", mine.UserSettings.as_view()),
    path("users/search", mine.UserSearch.as_view()),
    path("realtime/tickets", mine.Tickets.as_view()),
    path("admin/users", admin_users.AdminUsers.as_view()),
    path("admin/users/<user_id:user_id>", admin_users.AdminUser.as_view()),
    path("admin/users/<user_id:user_id>/reset-password", admin_users.ResetPassword.as_view()),
    path("admin/users/<user_id:user_id>/check-delete", admin_users.CheckDelete.as_view()),
    path("settings/auth", admin_users.AuthSettings.as_view()),
    path("notifications", notices.Notices.as_view()),
    path("notifications/read", notices.NoticesRead.as_view()),
    path("notifications/<ntf_id:notification_id>/read", notices.NoticeRead.as_view()),
    path("settings/notifications", mine.Notifications.as_view()),
    path("settings/keyboard-shortcuts", mine.KeyboardShortcuts.as_view()),
    path("settings/context-relay", server.ContextRelay.as_view()),
    path("logs", logs.Logs.as_view()),
    path("settings/log-export", logs.LogExportSettings.as_view()),
    path("settings/log-export/test", logs.LogExportTest.as_view()),
    path("settings/oidc", server.OidcSettings.as_view()),
    path("oidc/test", server.OidcTest.as_view()),
    path("oidc/login", oidc.OidcLogin.as_view(), name="oidc_login"),
    path("oidc/callback", oidc.OidcCallback.as_view()),
]
