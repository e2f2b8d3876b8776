"""What changes about people after they came."""

from __future__ import annotations

from django.db import transaction

from apps.accounts import admission, events, queries, rules
from apps.accounts.models import Role, User
from apps.core import problems
from apps.core.actors import Actor


def _lock_super_admins() -> None:
    """Holds every super admin's row, so that two changes cannot take each other's last one."""
    list(queries.super_admins().select_for_update())


@transaction.atomic
def update_profile(*, actor: Actor, display_name: str) -> User:
    """This will give oneself a new name."""
    user = User.objects.select_for_update().get(pk=actor.person.pk)
    if user.display_name == display_name:
        return user
    user.display_name = display_name
    user.save(update_fields=["display_name", "updated_at"])
    events.user_updated(user, actor=actor)
    return user


@transaction.atomic
def update_user(
    *, actor: Actor, user: User, name: str | None = None, role: str | None = None
) -> User:
    """This will change a person's name or role; what is None stays.

    Forbidden for an admin who touches super admins, Conflict LAST_SUPER_ADMIN for the last one.
    """
    _lock_super_admins()
    user = User.objects.select_for_update().get(pk=user.pk)
    new_role = user.role if role is None else role
    rules.require_power_over(actor, current_role=user.role, new_role=new_role)
    if user.is_super_admin and new_role != Role.SUPER_ADMIN:
        rules.require_other_super_admin(user)
    user.role = new_role
    user.display_name = user.display_name if name is None else name
    user.save(update_fields=["role", "display_name", "updated_at"])
    events.user_updated(user, actor=actor)
    return user


@transaction.atomic
def delete_user(*, actor: Actor, user: User) -> None:
    """This will delete an account; what it owns goes to a super admin.

    Conflict for oneself, and LAST_SUPER_ADMIN for the last super admin.
    """
    _lock_super_admins()
    user = User.objects.select_for_update().get(pk=user.pk)
    rules.require_power_over(actor, current_role=user.role, new_role=user.role)
    if actor.user == user:
        message = "You cannot delete your own account."
        raise problems.Conflict(message)
    if user.is_super_admin:
        rules.require_other_super_admin(user)
    admission.hand_over(actor=actor, user=user, heir=_heir(actor, user))
    events.user_deleted(user, actor=actor)
    events.credentials_ended(user, actor=actor)
    user.delete()


def _heir(actor: Actor, user: User) -> User:
    if actor.user is not None and actor.user.is_super_admin:
        return actor.user
    heir = queries.super_admins().exclude(pk=user.pk).first()
    if heir is None:
        message = "There is no super admin to take over what this person owns."
        raise problems.Conflict(message)
    return heir
