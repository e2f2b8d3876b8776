"""Signing in with e-mail and password: one way for the REST API, the same limits as the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allauth.account.adapter import get_adapter
from allauth.core import ratelimit
from django.contrib.auth.models import update_last_login
from django.forms import ValidationError

from apps.accounts.models import User
from apps.core import problems, throttling

if TYPE_CHECKING:
    from django.http import HttpRequest

# The longest window of the limits on failed sign-ins.
WAIT_SECONDS = "300"


def sign_in(*, request: HttpRequest, email: str, password: str) -> User:
    """This will find the person of an e-mail and a password.

    Unauthorized, in the same words and about the same time, whether the address is unknown, the
    password wrong or the account closed; RateLimited after too many failures of one address or for
    one account.
    """
    try:
        user = get_adapter(request).authenticate(
            request, email=email.strip().lower(), password=password
        )
    except ValidationError as error:
        raise problems.RateLimited(headers={"Retry-After": WAIT_SECONDS}) from error
    if not isinstance(user, User) or not user.is_active:
        message = "The e-mail or the password is wrong."
        raise problems.Unauthorized(message, headers={"WWW-Authenticate": "Bearer"})
    update_last_login(None, user)  # type: ignore[arg-type]
    return user


def count_registration(request: HttpRequest) -> None:
    """This will count a registration of one address; RateLimited when there were too many."""
    try:
        is_allowed = bool(ratelimit.consume(request, action="signup"))
    except Exception as error:
        if not throttling.is_outage(error):
            raise
        return
    if not is_allowed:
        raise problems.RateLimited(headers={"Retry-After": "60"})
