"""Who may do what to whom on the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apps.accounts import admission, queries
from apps.accounts.models import Role, ServerSettings, User
from apps.core import problems

if TYPE_CHECKING:
    from apps.core.actors import Actor

Registration = ServerSettings.Registration


def require_server_admin(actor: Actor) -> None:
    """Refuses everybody but admins and super admins."""
    if not actor.is_system and not actor.person.is_server_admin:
        raise problems.Forbidden


def require_super_admin(actor: Actor) -> None:
    """Refuses everybody but super admins."""
    if not actor.is_system and not actor.person.is_super_admin:
        raise problems.Forbidden


def require_power_over(actor: Actor, *, current_role: str, new_role: str) -> None:
    """Refuses an admin who touches a super admin or makes one."""
    require_server_admin(actor)
    if Role.SUPER_ADMIN in {current_role, new_role}:
        require_super_admin(actor)


def require_other_super_admin(user: User) -> None:
    """Refuses a change after which nobody could run the server."""
    if not queries.super_admins().exclude(pk=user.pk).exists():
        message = "The last super admin must stay one."
        raise problems.Conflict(message, code="LAST_SUPER_ADMIN")


def may_register(email: str) -> bool:
    """True when the registration policy lets this address (in lower case) make an account."""
    policy = queries.registration_policy()
    if policy == Registration.INVITE:
        return admission.is_invited(email)
    return policy == Registration.OPEN


def require_registration(email: str) -> None:
    """Refuses an address that may not make an account; the first account is made by setup."""
    if not queries.has_users():
        message = "Set up the first account before others register."
        raise problems.Conflict(message)
    if not may_register(email):
        message = "Registration is not open to this address. Ask for an invitation."
        raise problems.Forbidden(message)
