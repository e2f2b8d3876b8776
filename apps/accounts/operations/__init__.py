"""The writes: accounts, passwords, tokens, preferences, the server's own settings."""

from apps.accounts.operations.arrival import create_user, register, set_up
from apps.accounts.operations.external import sign_in_from_provider
from apps.accounts.operations.logs import update_log_export
from apps.accounts.operations.notices import (
    Notice,
    forget_old_notices,
    invite_by_mail,
    mark_all_notifications_read,
    mark_read,
    notify,
    send_mails,
)
from apps.accounts.operations.passwords import (
    change_password,
    end_sessions,
    replace_password,
    reset_password,
)
from apps.accounts.operations.people import delete_user, update_profile, update_user
from apps.accounts.operations.preferences import (
    update_notifications,
    update_preferences,
    update_registration,
    update_shortcuts,
)
from apps.accounts.operations.server import (
    configure_provider,
    forget_provider,
    update_context_relay,
    update_sign_in,
)
from apps.accounts.operations.tokens import create_ticket, create_token, revoke_token

__all__ = [
    "Notice",
    "change_password",
    "configure_provider",
    "create_ticket",
    "create_token",
    "create_user",
    "delete_user",
    "end_sessions",
    "forget_old_notices",
    "forget_provider",
    "invite_by_mail",
    "mark_all_notifications_read",
    "mark_read",
    "notify",
    "register",
    "replace_password",
    "reset_password",
    "revoke_token",
    "send_mails",
    "set_up",
    "sign_in_from_provider",
    "update_context_relay",
    "update_log_export",
    "update_notifications",
    "update_preferences",
    "update_profile",
    "update_registration",
    "update_shortcuts",
    "update_sign_in",
    "update_user",
]
