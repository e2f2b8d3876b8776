"""What allauth's pages ask of us: who may come in, and what a new password ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog
from allauth.account.adapter import DefaultAccountAdapter
from django.forms import ValidationError
from typing_extensions import override

from apps.accounts import operations, queries
from apps.accounts.models import AuthProvider, ServerSettings, User
from apps.core import problems, throttling
from apps.core.actors import Actor

if TYPE_CHECKING:
    from django.http import HttpRequest

log = structlog.get_logger(__name__)


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc] # allauth has no types
    """Sign-in by e-mail alone; accounts and passwords are written by our operations."""

    @override
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """This will show the form wherever somebody might be let in."""
        return queries.registration_policy() != ServerSettings.Registration.CLOSED

    @override
    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """This will count the attempt; without Redis nobody is counted and nobody kept out."""
        try:
            super().pre_authenticate(request, **credentials)
        except ValidationError:
            raise
        except Exception as error:
            if not throttling.is_outage(error):
                raise
            log.warning("sign_in_uncounted", error=str(error))

    @override
    def send_password_reset_mail(self, user: User, email: str, context: dict[str, Any]) -> None:
        """This will write to those who have a password here; the page says the same to all."""
        if user.auth_provider == AuthProvider.LOCAL and not user.is_implicit:
            super().send_password_reset_mail(user, email, context)

    @override
    def set_password(self, user: User, password: str) -> None:
        """This will store a password somebody chose by way of a mail, and end what was before."""
        actor = Actor(user=user, origin="page")
        try:
            stored = operations.replace_password(actor=actor, user=user, password=password)
        except (problems.ValidationFailed, problems.Conflict) as problem:
            raise ValidationError(problem.detail) from problem
        user.password = stored.password
        user.token_version = stored.token_version
        user.must_change_password = stored.must_change_password
