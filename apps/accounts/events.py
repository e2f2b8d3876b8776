"""What accounts tell the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apps.accounts import outputs
from apps.core import events

if TYPE_CHECKING:
    from apps.accounts import models
    from apps.core.actors import Actor


def user_created(user: models.User, *, actor: Actor) -> None:
    """This will tell the server of a new person."""
    _user_event("user.created", user, actor=actor)


def user_updated(user: models.User, *, actor: Actor) -> None:
    """This will tell the server of a person's new name or role."""
    _user_event("user.updated", user, actor=actor)


def user_deleted(user: models.User, *, actor: Actor) -> None:
    """This will tell the server that a person is gone."""
    _user_event("user.deleted", user, actor=actor)


def _user_event(kind: str, user: models.User, *, actor: Actor) -> None:
    events.record(
        topic=outputs.server_topic(),
        kind=kind,
        data={"user": outputs.admin_user(user)},
        actor=actor,
    )


def credentials_ended(
    user: models.User, *, actor: Actor, token: models.ApiToken | None = None
) -> None:
    """This will tell a person's open connections to ask whether they may stay.

    `tokenId` is null when everything ended (a new password, a deleted account), else it names the
    one personal token that was revoked.
    """
    events.record(
        topic=outputs.user_topic(user),
        kind="credentials.ended",
        data={"tokenId": None if token is None else token.public_id},
        actor=actor,
    )


def token_created(token: models.ApiToken, *, actor: Actor) -> None:
    """This will tell a person of a new token of theirs, without its secret."""
    events.record(
        topic=outputs.user_topic(token.user),
        kind="token.created",
        data={"token": outputs.token(token)},
        actor=actor,
    )


def preferences_updated(preferences: models.Preferences, *, actor: Actor) -> None:
    """This will tell a person's pages of their new preferences."""
    events.record(
        topic=outputs.user_topic(preferences.user),
        kind="preferences.updated",
        data={"preferences": outputs.preferences(preferences)},
        actor=actor,
    )


def notification_created(
    row: models.Notification, *, channels: list[str], unread: int, actor: Actor
) -> None:
    """This will tell a person's open pages of something new, and how they want to hear it."""
    events.record(
        topic=outputs.user_topic(row.user),
        kind="notification.created",
        data={
            "notification": outputs.notification(row),
            "channels": channels,
            "unreadCount": unread,
        },
        actor=actor,
    )


def notifications_read(user: models.User, *, unread: int, actor: Actor) -> None:
    """This will tell a person's other pages how many are unread now."""
    events.record(
        topic=outputs.user_topic(user),
        kind="notification.read",
        data={"unreadCount": unread},
        actor=actor,
    )


def registration_changed(policy: str, *, actor: Actor) -> None:
    """This will tell the server who may register from now on."""
    events.record(
        topic=outputs.server_topic(),
        kind="server.registration_changed",
        data={"registration": policy},
        actor=actor,
    )


def settings_changed(what: str, *, actor: Actor) -> None:
    """This will tell the server that settings of a kind changed: `auth`, `contextRelay`, `oidc`."""
    events.record(
        topic=outputs.server_topic(),
        kind="server.settings_changed",
        data={"settings": what},
        actor=actor,
    )
