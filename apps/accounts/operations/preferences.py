"""How one person likes the pages, and what holds for the whole server."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from apps.accounts import events, rules, shortcuts
from apps.accounts.models import Preferences, ServerSettings
from apps.core import problems
from apps.core.actors import Actor


def _locked(actor: Actor) -> Preferences:
    Preferences.objects.get_or_create(user=actor.person)
    return Preferences.objects.select_for_update().get(user=actor.person)


@transaction.atomic
def update_preferences(*, actor: Actor, changes: dict[str, Any]) -> Preferences:
    """This will change one's own preferences; `changes` holds validated snake_case fields."""
    preferences = _locked(actor)
    for name, value in changes.items():
        setattr(preferences, name, value)
    if changes:
        preferences.save(update_fields=list(changes))
        events.preferences_updated(preferences, actor=actor)
    return preferences


@transaction.atomic
def update_notifications(*, actor: Actor, changes: dict[str, Any]) -> Preferences:
    """This will change of what one wants to hear; `changes` has the wire's keys, any part of them.

    Of `events`, too, only what is named changes.
    """
    preferences = _locked(actor)
    heard = {**preferences.notifications.get("events", {}), **changes.get("events", {})}
    preferences.notifications = {**preferences.notifications, **changes, "events": heard}
    preferences.save(update_fields=["notifications"])
    events.preferences_updated(preferences, actor=actor)
    return preferences


@transaction.atomic
def update_shortcuts(*, actor: Actor, changes: dict[str, str | None]) -> Preferences:
    """This will give actions other keys, None the default ones; what is not named stays.

    ValidationFailed when two actions would have the same keys.
    """
    preferences = _locked(actor)
    chosen = {**preferences.shortcuts, **changes}
    kept = {
        action: keys
        for action, keys in chosen.items()
        if keys is not None and keys != shortcuts.DEFAULTS[action]
    }
    twice = shortcuts.used_twice(kept)
    if twice:
        message = f"More than one action would have the keys {min(twice)}."
        raise problems.ValidationFailed.of("shortcuts", message, "used_twice")
    hidden = shortcuts.hidden(kept)
    if hidden:
        message = f"The first of the keys {min(hidden)} already does something else."
        raise problems.ValidationFailed.of("shortcuts", message, "hidden")
    preferences.shortcuts = kept
    preferences.save(update_fields=["shortcuts"])
    events.preferences_updated(preferences, actor=actor)
    return preferences


@transaction.atomic
def update_registration(*, actor: Actor, policy: str) -> ServerSettings:
    """This will say who may register from now on: `open`, `invite` or `closed`."""
    rules.require_super_admin(actor)
    ServerSettings.objects.get_or_create(pk=1)
    row = ServerSettings.objects.select_for_update().get(pk=1)
    row.registration = policy
    row.save(update_fields=["registration"])
    events.registration_changed(policy, actor=actor)
    return row
