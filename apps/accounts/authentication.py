"""How REST requests and live connections say who they are."""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs

from django.conf import settings
from rest_framework.authentication import BaseAuthentication
from rest_framework.authentication import SessionAuthentication as DrfSessionAuthentication
from rest_framework.permissions import SAFE_METHODS
from structlog.contextvars import bind_contextvars
from typing_extensions import override

from apps.accounts import credentials, openness
from apps.core import problems

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rest_framework.request import Request

    from apps.accounts.credentials import Credentials
    from apps.accounts.models import User

PASSWORD_FIRST = "Change your password first."  # noqa: S105 - a sentence


def _admit(request: Request, found: Credentials) -> None:
    """Refuses what these credentials may not do, and puts the person on the log lines."""
    if not found.may_write and request.method not in SAFE_METHODS:
        message = "This token may only read."
        raise problems.Forbidden(message)
    view = (request.parser_context or {}).get("view")
    if found.user.must_change_password and not getattr(view, "before_password_change", False):
        raise problems.Forbidden(PASSWORD_FIRST, code="PASSWORD_CHANGE_REQUIRED")
    bind_contextvars(user_id=found.user.public_id)


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer` with a signed or a personal token."""

    def authenticate(self, request: Request) -> tuple[User, Credentials] | None:
        """This will find the caller; None without the header, Unauthorized with a bad one."""
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        found = credentials.of_bearer(secret.strip())
        _admit(request, found)
        return found.user, found

    @override
    def authenticate_header(self, request: Request) -> str:
        """This will say how to sign in, on every 401."""
        return "Bearer"


class SessionAuthentication(DrfSessionAuthentication):
    """The cookie of our pages; unsafe methods need the CSRF token."""

    def authenticate(self, request: Request) -> tuple[User, Credentials] | None:
        """This will find the caller by cookie; Forbidden without the CSRF token."""
        found = super().authenticate(request)
        if found is None:
            return None
        user: Any = found[0]
        proof = credentials.Credentials(user=user, kind="session", token_version=user.token_version)
        _admit(request, proof)
        return user, proof


class OpenServer(BaseAuthentication):
    """While sign-in is off, whoever shows nothing is the implicit person."""

    def authenticate(self, request: Request) -> tuple[User, Credentials] | None:
        """This will give the implicit person; Forbidden for what a foreign page may send."""
        if not openness.is_open():
            return None
        openness.require_own_page(
            request.method or "", request.headers, request.headers.get("Content-Type", "")
        )
        proof = _implicit()
        bind_contextvars(user_id=proof.user.public_id)
        return proof.user, proof


def _implicit() -> Credentials:
    user = openness.implicit_user()
    return credentials.Credentials(user=user, kind="open", token_version=user.token_version)


class Nobody(BaseAuthentication):
    """For endpoints that anybody may call: bad credentials do not matter there."""

    def authenticate(self, request: Request) -> None:
        """This will find nobody."""


def proof_of(request: Request) -> Credentials:
    """This will tell how the caller of an endpoint signed in."""
    return cast("Credentials", request.auth)


def user_of_scope(scope: Mapping[str, Any]) -> Credentials:
    """This will find who opens a socket or a stream; Unauthorized when nobody does.

    In this order: the `Authorization` header, `?ticket=`, `?token=`, the session cookie; while
    sign-in is off, the implicit person. It asks the database, so call it from a thread.
    """
    headers = {bytes(name).lower(): bytes(value) for name, value in scope.get("headers", [])}
    query = parse_qs(bytes(scope.get("query_string", b"")).decode("latin1"))
    scheme, _, secret = headers.get(b"authorization", b"").decode("latin1").partition(" ")
    if scheme.lower() == "bearer":
        return _live(credentials.of_bearer(secret.strip()))
    if "ticket" in query:
        return _live(credentials.of_ticket(query["ticket"][-1]))
    if "token" in query:
        return _live(credentials.of_bearer(query["token"][-1]))
    session_key = _cookie(headers.get(b"cookie", b"").decode("latin1"))
    if not session_key:
        if openness.is_open():
            return _implicit()
        raise problems.Unauthorized
    return _live(credentials.of_session(session_key))


def _live(found: Credentials) -> Credentials:
    if found.user.must_change_password:
        raise problems.Unauthorized(PASSWORD_FIRST)
    return found


def _cookie(header: str) -> str:
    try:
        morsel = SimpleCookie(header).get(settings.SESSION_COOKIE_NAME)
    except CookieError:
        return ""
    return morsel.value if morsel is not None else ""
