"""Passwords, and the end of what was signed in with the old one."""

from __future__ import annotations

import secrets

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from apps.accounts import events, rules
from apps.accounts.models import AuthProvider, User
from apps.core import problems
from apps.core.actors import Actor

GENERATED_BYTES = 12


def generated() -> str:
    """A password of 96 random bits, for a person to type once."""
    return secrets.token_urlsafe(GENERATED_BYTES)


def checked(password: str, user: User, *, field: str = "password") -> str:
    """The password, or ValidationFailed with all that is wrong with it."""
    try:
        validate_password(password, user)
    except ValidationError as error:
        found: list[problems.FieldError] = [
            {"field": field, "code": one.code or "invalid", "detail": " ".join(one.messages)}
            for one in error.error_list
        ]
        raise problems.ValidationFailed(found[0]["detail"], errors=found) from error
    return password


def _locked(user: User) -> User:
    return User.objects.select_for_update().get(pk=user.pk)


def _require_own_password(user: User) -> None:
    if user.auth_provider != AuthProvider.LOCAL:
        message = "This person signs in with the identity provider and has no password here."
        raise problems.Conflict(message)


def _store(user: User, password: str, *, must_change: bool, actor: Actor) -> User:
    user.set_password(password)
    user.must_change_password = must_change
    return _end_everything(user, actor=actor)


def _end_everything(user: User, *, actor: Actor) -> User:
    user.token_version += 1
    user.save(update_fields=["password", "must_change_password", "token_version", "updated_at"])
    events.credentials_ended(user, actor=actor)
    return user


@transaction.atomic
def change_password(*, actor: Actor, current_password: str, new_password: str) -> User:
    """This will change one's own password, which ends every token, session and socket of before.

    Personal API tokens stay: they are revoked one by one. ValidationFailed when the current
    password is wrong or the new one is weak or the same, Conflict for people who sign in elsewhere.
    """
    user = _locked(actor.person)
    _require_own_password(user)
    if not user.check_password(current_password):
        message = "This is not your current password."
        raise problems.ValidationFailed.of("currentPassword", message, "wrong")
    if new_password == current_password:
        message = "The new password must differ from the current one."
        raise problems.ValidationFailed.of("newPassword", message, "same")
    checked(new_password, user, field="newPassword")
    return _store(user, new_password, must_change=False, actor=actor)


@transaction.atomic
def replace_password(*, actor: Actor, user: User, password: str) -> User:
    """This will set a new password for somebody who proved by mail that the account is theirs."""
    user = _locked(user)
    _require_own_password(user)
    return _store(user, checked(password, user), must_change=False, actor=actor)


@transaction.atomic
def reset_password(*, actor: Actor, user: User) -> str:
    """This will give a person a generated password, to be changed at the next sign-in.

    Everything they signed in with ends. Conflict for people who sign in elsewhere.
    """
    user = _locked(user)
    rules.require_power_over(actor, current_role=user.role, new_role=user.role)
    _require_own_password(user)
    password = generated()
    _store(user, password, must_change=True, actor=actor)
    return password


@transaction.atomic
def end_sessions(*, actor: Actor, user: User) -> User:
    """This will sign a person out everywhere: sessions, tokens of sign-ins, sockets."""
    user = _locked(user)
    if actor.user != user:
        rules.require_power_over(actor, current_role=user.role, new_role=user.role)
    return _end_everything(user, actor=actor)
