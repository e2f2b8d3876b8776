"""What accounts show: people, tokens, preferences, the state of sign-in."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict, cast

from apps.accounts import notifications, shortcuts
from apps.core import ids
from apps.core.moments import moment, moment_or_none
from apps.core.paging import Paged
from apps.core.secrets import MASK

if TYPE_CHECKING:
    from apps.accounts import models


class Health(TypedDict):
    """That the API answers."""

    status: str


class AuthStatus(TypedDict):
    """What a client must know before it shows a sign-in form."""

    authEnabled: bool
    oidcEnabled: bool
    hasUsers: bool


class Me(TypedDict):
    """The signed-in person."""

    id: str
    email: str
    displayName: str
    role: str


class SignedIn(TypedDict):
    """A fresh token and whose it is."""

    token: str
    user: Me


class Person(TypedDict):
    """Somebody in a list of names."""

    id: str
    email: str
    displayName: str


class AdminUser(TypedDict):
    """A person as server admins see them."""

    id: str
    email: str
    name: str
    role: str
    authProvider: str
    avatarUrl: str | None
    isSuperAdmin: bool
    createdAt: str


class AdminUserPage(TypedDict):
    """One page of people, and how many there are in all."""

    users: list[AdminUser]
    total: int


class NewUser(TypedDict):
    """A person an admin made; the password is shown only here."""

    user: AdminUser
    generatedPassword: str


class GeneratedPassword(TypedDict):
    """A new password, shown only here."""

    generatedPassword: str


class Departure(TypedDict):
    """What deleting a person would hand over."""

    ownedProjectsCount: int


class AuthSettings(TypedDict):
    """Who may come in."""

    enabled: bool
    registration: str


class ContextRelay(TypedDict):
    """When an agent's full context goes on in a fresh session; the threshold is in percent."""

    mode: str
    threshold: int


class HeardEvents(TypedDict):
    """What a person wants to hear of."""

    agentCompleted: bool
    agentFailed: bool
    approvalNeeded: bool
    inputNeeded: bool
    scriptFinished: bool
    invitation: bool


class Notifications(TypedDict):
    """Of what a person wants to hear, and how."""

    inApp: bool
    browser: bool
    sound: bool
    email: bool
    events: HeardEvents


class Shortcuts(TypedDict):
    """The keys of every action."""

    shortcuts: dict[str, str]


class OidcSettings(TypedDict):
    """The identity provider; the secret is masked, `redirectUri` is to be registered there."""

    issuerUrl: str
    clientId: str
    clientSecret: str
    redirectUri: str
    name: str
    scopes: str
    trustEmails: bool
    groupsClaim: str
    superAdminGroups: list[str]
    adminGroups: list[str]
    organizationGroups: dict[str, str]


class OidcTest(TypedDict):
    """What asking the identity provider showed."""

    success: bool
    issuer: str | None
    error: str | None


class Token(TypedDict):
    """A personal token; `prefix` is the beginning of its secret."""

    id: str
    name: str
    scope: str
    prefix: str
    createdAt: str
    expiresAt: str | None
    lastUsedAt: str | None


class NewToken(Token):
    """A token just made; the secret is shown only here."""

    secret: str


class Ticket(TypedDict):
    """A pass for one stream: `?ticket=`."""

    ticket: str
    expiresAt: str


class Preferences(TypedDict):
    """How a person likes the pages."""

    theme: str
    highContrast: bool
    sidebarExpanded: bool
    agentReasoning: bool
    statusLine: bool
    hiddenToolTypes: list[str]


def auth_status(*, auth: bool, oidc: bool, has_users: bool) -> AuthStatus:
    """This will show what a client must know before it shows a sign-in form."""
    return {"authEnabled": auth, "oidcEnabled": oidc, "hasUsers": has_users}


def context_relay(settings: models.ServerSettings) -> ContextRelay:
    """This will show when an agent's full context goes on in a fresh session."""
    return {"mode": settings.relay_mode, "threshold": settings.relay_threshold}


class Notification(TypedDict):
    """Something a person was told; `path` is the page it is about."""

    id: str
    event: str
    title: str
    body: str
    path: str
    projectId: str | None
    createdAt: str
    readAt: str | None


class NotificationsMeta(Paged):
    """How the list goes on, and how much of all of it is unread."""

    unreadCount: int  # noqa: N815 - the name of the wire


def notification(row: models.Notification) -> Notification:
    """This will show a notification."""
    return {
        "id": row.public_id,
        "event": row.event,
        "title": row.title,
        "body": row.body,
        "path": row.path,
        "projectId": ids.encode("proj", row.project_id) if row.project_id else None,
        "createdAt": moment(row.created_at),
        "readAt": moment_or_none(row.read_at),
    }


def notification_settings(row: models.Preferences) -> Notifications:
    """This will show of what a person wants to hear: what they changed over the defaults."""
    return cast("Notifications", notifications.merged(row.notifications))


def keyboard_shortcuts(row: models.Preferences) -> Shortcuts:
    """This will show the keys of every action: a person's own over the defaults."""
    return {"shortcuts": shortcuts.merged(row.shortcuts)}


def oidc_settings(row: models.OidcConfiguration, *, redirect_uri: str) -> OidcSettings:
    """This will show the identity provider, its secret masked."""
    return {
        "issuerUrl": row.issuer_url,
        "clientId": row.client_id,
        "clientSecret": MASK,
        "redirectUri": redirect_uri,
        "name": row.name,
        "scopes": row.scopes,
        "trustEmails": row.trust_emails,
        "groupsClaim": row.groups_claim,
        "superAdminGroups": list(row.super_admin_groups),
        "adminGroups": list(row.admin_groups),
        "organizationGroups": dict(row.organization_groups),
    }


def me(user: models.User) -> Me:
    """This will show the signed-in person to themselves."""
    return {
        "id": user.public_id,
        "email": user.email,
        "displayName": user.display_name,
        "role": user.role,
    }


def person(user: models.User) -> Person:
    """This will show a person to others."""
    return {"id": user.public_id, "email": user.email, "displayName": user.display_name}


def admin_user(user: models.User) -> AdminUser:
    """This will show a person to server admins."""
    return {
        "id": user.public_id,
        "email": user.email,
        "name": user.display_name,
        "role": user.role,
        "authProvider": user.auth_provider,
        "avatarUrl": user.avatar_url or None,
        "isSuperAdmin": user.is_super_admin,
        "createdAt": moment(user.created_at),
    }


def token(row: models.ApiToken) -> Token:
    """This will show a personal token, without its secret."""
    return {
        "id": row.public_id,
        "name": row.name,
        "scope": row.scope,
        "prefix": row.hint,
        "createdAt": moment(row.created_at),
        "expiresAt": moment_or_none(row.expires_at),
        "lastUsedAt": moment_or_none(row.last_used_at),
    }


def new_token(row: models.ApiToken, secret: str) -> NewToken:
    """This will show a token just made, with its secret."""
    return {**token(row), "secret": secret}


def preferences(row: models.Preferences) -> Preferences:
    """This will show a person's preferences."""
    return {
        "theme": row.theme,
        "highContrast": row.high_contrast,
        "sidebarExpanded": row.sidebar_expanded,
        "agentReasoning": row.agent_reasoning,
        "statusLine": row.status_line,
        "hiddenToolTypes": list(row.hidden_tool_types),
    }


def server_topic() -> str:
    """This will name the topic of what concerns the whole server."""
    return "server"


def user_topic(user: models.User) -> str:
    """This will name the topic of what concerns one person."""
    return f"user.{user.public_id}"
