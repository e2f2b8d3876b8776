"""Django admin for super admins: people and tokens to look at, nothing secret, little to change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allauth.account.decorators import secure_admin_login
from django.contrib import admin, messages

from apps.accounts import operations
from apps.accounts.models import (
    ApiToken,
    Identity,
    LogExport,
    Notification,
    OidcConfiguration,
    OutgoingMail,
    Preferences,
    RealtimeTicket,
    ServerSettings,
    User,
)
from apps.core import problems
from apps.core.actors import Actor
from apps.core.admin import ReadOnly

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest

admin.site.site_header = "KanbanAI"
admin.site.site_title = "KanbanAI"
admin.site.index_title = "Server"
# Through the same page, the same limits and the same second looks as everybody else.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]


@admin.register(User)
class People(ReadOnly):
    list_display = (
        "email",
        "display_name",
        "role",
        "auth_provider",
        "is_active",
        "last_login",
        "created_at",
    )
    list_filter = ("role", "auth_provider", "is_active", "must_change_password")
    search_fields = ("email", "display_name")
    ordering = ("email",)
    exclude = ("password",)
    actions = ("sign_out_everywhere",)

    @admin.action(description="Sign out everywhere", permissions=["view"])
    def sign_out_everywhere(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Ends the sessions, tokens of sign-ins and sockets of the chosen people."""
        actor = Actor(user=_person(request), origin="page")
        for user in queryset:
            operations.end_sessions(actor=actor, user=user)
        messages.success(request, f"Signed out: {len(queryset)}.")


def _person(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise problems.Unauthorized
    return request.user


@admin.register(ApiToken)
class Tokens(ReadOnly):
    list_display = (
        "name",
        "hint",
        "user",
        "scope",
        "created_at",
        "last_used_at",
        "expires_at",
        "revoked_at",
    )
    list_filter = ("scope",)
    search_fields = ("name", "hint", "user__email")
    list_select_related = ("user",)
    exclude = ("digest",)


@admin.register(Preferences)
class PagePreferences(ReadOnly):
    list_display = ("user", "theme", "high_contrast")
    search_fields = ("user__email",)
    list_select_related = ("user",)


@admin.register(ServerSettings)
class Server(ReadOnly):
    list_display = ("__str__", "auth_enabled", "registration")


@admin.register(OidcConfiguration)
class IdentityProvider(ReadOnly):
    list_display = ("issuer_url", "client_id", "name", "groups_claim", "updated_at")
    exclude = ("client_secret",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[OidcConfiguration]:
        """This will leave the secret where it is."""
        return super().get_queryset(request).defer("client_secret")


@admin.register(Identity)
class Identities(ReadOnly):
    list_display = ("user", "issuer", "subject", "created_at", "last_used_at")
    search_fields = ("user__email", "subject")
    list_select_related = ("user",)


@admin.register(RealtimeTicket)
class Tickets(ReadOnly):
    list_display = ("user", "expires_at")
    # Opening one shows its key, the digest: the list alone has none.
    list_display_links = None
    list_select_related = ("user",)


@admin.register(Notification)
class Notifications(ReadOnly):
    list_display = ("user", "event", "title", "created_at", "read_at")
    search_fields = ("user__email", "title")
    list_filter = ("event",)
    list_select_related = ("user",)


@admin.register(OutgoingMail)
class Mails(ReadOnly):
    list_display = ("to", "subject", "state", "tries", "problem", "created_at", "sent_at")
    search_fields = ("to", "subject")
    list_filter = ("state",)


@admin.register(LogExport)
class LogReceiver(ReadOnly):
    list_display = ("kind", "enabled", "level")
    exclude = ("endpoint", "headers")

    def get_queryset(self, request: HttpRequest) -> QuerySet[LogExport]:
        """This will leave the address and its keys where they are."""
        return super().get_queryset(request).defer("endpoint", "headers")
