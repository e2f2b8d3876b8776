"""Reads: people, tokens, preferences, server settings."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from uuid import UUID

from django.conf import settings
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.db import connection
from django.db.models import Q

from apps.accounts.models import (
    ApiToken,
    LogExport,
    Notification,
    OidcConfiguration,
    Preferences,
    Role,
    ServerSettings,
    User,
)
from apps.core import problems
from apps.core.logs.entries import LEVELS
from apps.core.logs.receivers import Receiver

if TYPE_CHECKING:
    from django.db.models import QuerySet

SEARCH_RESULTS = 20


def has_users() -> bool:
    """This will say whether setup is done."""
    return User.objects.filter(is_implicit=False).exists()


def get_user(user_id: UUID) -> User:
    """This will find a person, for server admins."""
    user = User.objects.filter(pk=user_id, is_implicit=False).first()
    if user is None:
        raise problems.NotFound
    return user


def find_by_email(email: str) -> User | None:
    """This will find a person by e-mail, without regard to case."""
    return User.objects.filter(email=email.strip().lower(), is_implicit=False).first()


def users_matching(text: str) -> QuerySet[User]:
    """This will list people whose name or e-mail holds a text, oldest first."""
    found = User.objects.filter(is_implicit=False).order_by("created_at", "pk")
    if text:
        found = found.filter(Q(email__icontains=text) | Q(display_name__icontains=text))
    return found


def suggestions(text: str) -> list[User]:
    """This will list at most 20 active people for a name field, by name; nothing for no text."""
    if not text:
        return []
    people = users_matching(text).filter(is_active=True)
    return list(people.order_by("display_name", "pk")[:SEARCH_RESULTS])


def super_admins() -> QuerySet[User]:
    """This will list those who run the server and may sign in, oldest first."""
    return User.objects.filter(role=Role.SUPER_ADMIN, is_active=True, is_implicit=False).order_by(
        "created_at", "pk"
    )


def super_admins_with_password() -> QuerySet[User]:
    """This will list the super admins who get in without the identity provider."""
    return super_admins().exclude(password__startswith=UNUSABLE_PASSWORD_PREFIX)


def super_admins_who_can_sign_in() -> QuerySet[User]:
    """This will list the super admins who have a password, or an identity while that counts."""
    provider = find_provider()
    if provider is None:
        return super_admins_with_password()
    issuer = provider.issuer_url.rstrip("/")
    by_provider = super_admins().filter(identities__issuer__in=[issuer, f"{issuer}/"])
    return (super_admins_with_password() | by_provider).distinct()


def find_provider() -> OidcConfiguration | None:
    """This will give the identity provider without its secret, or None."""
    return OidcConfiguration.objects.defer("client_secret").first()


def log_export() -> LogExport:
    """This will give the settings of the log's export, the defaults where nothing was changed."""
    return LogExport.objects.first() or LogExport()


def log_receiver(row: LogExport) -> Receiver:
    """This will give the receiver that settings describe."""
    return Receiver(
        kind=row.kind,
        endpoint=row.endpoint,
        headers=log_headers(row),
        level=LEVELS[row.level],
    )


def log_headers(row: LogExport) -> dict[str, str]:
    """This will give the headers of the log's export, secrets and all."""
    return dict(json.loads(row.headers)) if row.headers else {}


def find_log_receiver() -> Receiver | None:
    """This will give the receiver that is set, whether lines are sent to it or not."""
    row = log_export()
    return log_receiver(row) if row.endpoint else None


def read_log_receiver() -> Receiver | None:
    """This will give where lines are sent, or None while they are not; for a thread of its own."""
    try:
        row = LogExport.objects.filter(enabled=True).first()
    finally:
        # The thread asks rarely and keeps no connection from others.
        connection.close()
    return None if row is None else log_receiver(row)


def tokens_of(user: User) -> list[ApiToken]:
    """This will list a person's tokens that are not revoked, newest first."""
    return list(
        ApiToken.objects.filter(user=user, revoked_at__isnull=True).order_by("-created_at", "-pk")
    )


def get_token(user: User, token_id: UUID) -> ApiToken:
    """This will find one of a person's tokens that is not revoked."""
    token = ApiToken.objects.filter(user=user, pk=token_id, revoked_at__isnull=True).first()
    if token is None:
        raise problems.NotFound
    return token


def preferences_of(user: User) -> Preferences:
    """This will give a person's preferences, the defaults where nothing was ever changed."""
    return Preferences.objects.filter(user=user).first() or Preferences(user=user)


def notifications_of(user: User, *, unread: bool = False) -> QuerySet[Notification]:
    """This will find what a person was told and wanted in the list; to be ordered."""
    found = Notification.objects.filter(user=user, in_list=True)
    return found.filter(read_at__isnull=True) if unread else found


def unread_count(user: User) -> int:
    """This will count what a person has not read yet."""
    return notifications_of(user, unread=True).count()


def get_notification(user: User, notification_id: UUID) -> Notification:
    """This will find one of a person's own notifications; NotFound for others."""
    found = Notification.objects.filter(user=user, pk=notification_id).first()
    if found is None:
        message = "Notification not found."
        raise problems.NotFound(message)
    return found


def server_settings() -> ServerSettings:
    """This will give the server's settings, the defaults where nothing was ever changed."""
    return ServerSettings.objects.first() or ServerSettings()


def registration_policy() -> str:
    """This will say who may register: `open`, `invite` or `closed`."""
    return server_settings().registration or str(settings.KANBANAI_REGISTRATION)
