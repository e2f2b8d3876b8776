"""How accounts come to be: setup, registration, an admin's hand."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import IntegrityError, transaction

from apps.accounts import admission, events, queries, rules
from apps.accounts.models import Preferences, Role, ServerSettings, User
from apps.accounts.operations.passwords import checked, generated
from apps.core import problems
from apps.core.actors import Actor


@dataclass(frozen=True, slots=True)
class Created:
    """A person made by an admin, with the password that is shown once."""

    user: User
    password: str


def _lock_setup() -> None:
    """Lets one setup at a time go on: all ask for the one row of the server's settings."""
    ServerSettings.objects.get_or_create(pk=1)
    ServerSettings.objects.select_for_update().get(pk=1)


def _new_user(
    *, actor: Actor, email: str, display_name: str, role: Role, password: str, must_change: bool
) -> User:
    user = User(
        email=email.strip().lower(),
        display_name=display_name.strip() or email.partition("@")[0],
        role=role,
        must_change_password=must_change,
    )
    user.set_password(checked(password, user))
    try:
        with transaction.atomic():
            user.save(force_insert=True)
    except IntegrityError as error:
        message = "An account with this e-mail already exists."
        raise problems.Conflict(message) from error
    # Whoever makes their own account is the actor of what follows.
    acting = actor if actor.user or actor.is_system else Actor(user=user, origin=actor.origin)
    admission.welcome(actor=acting, user=user)
    events.user_created(user, actor=acting)
    return user


@transaction.atomic
def set_up(*, actor: Actor, email: str, password: str, display_name: str = "") -> User:
    """This will make the first account, a super admin; Conflict SETUP_DONE once there is one.

    Of any number of simultaneous calls exactly one succeeds.
    """
    if queries.has_users():
        raise _setup_done()
    _lock_setup()
    if queries.has_users():
        raise _setup_done()
    user = _new_user(
        actor=actor,
        email=email,
        display_name=display_name,
        role=Role.SUPER_ADMIN,
        password=password,
        must_change=False,
    )
    _take_over(user, actor=Actor(user=user, origin=actor.origin, request_id=actor.request_id))
    return user


def _take_over(user: User, *, actor: Actor) -> None:
    """Gives the first person what was made while nobody had to sign in."""
    implicit = User.objects.filter(is_implicit=True).first()
    if implicit is None:
        return
    admission.hand_over(actor=actor, user=implicit, heir=user)
    Preferences.objects.filter(user=implicit).update(user=user)


def _setup_done() -> problems.Conflict:
    return problems.Conflict("Setup is done already. Sign in instead.", code="SETUP_DONE")


@transaction.atomic
def register(*, actor: Actor, email: str, password: str, display_name: str = "") -> User:
    """This will make an account as far as the registration policy lets this address.

    Forbidden where it does not, Conflict before setup and for an address that has an account.
    """
    rules.require_registration(email.strip().lower())
    return _new_user(
        actor=actor,
        email=email,
        display_name=display_name,
        role=Role.USER,
        password=password,
        must_change=False,
    )


@transaction.atomic
def create_user(*, actor: Actor, email: str, name: str, role: str) -> Created:
    """This will make an account with a generated password, to be changed at the first sign-in."""
    rules.require_power_over(actor, current_role=Role.USER, new_role=role)
    password = generated()
    user = _new_user(
        actor=actor,
        email=email,
        display_name=name,
        role=Role(role),
        password=password,
        must_change=True,
    )
    return Created(user, password)
