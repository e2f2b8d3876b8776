"""A server without sign-in: whoever reaches it is one implicit person.

A super admin may switch sign-in off on a server that only its own machine reaches. That is asked on
every request: a server that listens on the network asks for a sign-in whatever was switched.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction

from apps.accounts import queries
from apps.accounts.models import Role, User
from apps.core import problems

if TYPE_CHECKING:
    from collections.abc import Mapping

EMAIL = "local@localhost"
NAME = "Local user"
JSON = "application/json"
FORM = "multipart/form-data"


def is_private() -> bool:
    """True for a server that listens on this machine alone, with no proxy that lets others in."""
    origin = urlsplit(str(settings.KANBANAI_PUBLIC_ORIGIN)).hostname or ""
    hosts = (str(settings.KANBANAI_HOST), origin)
    return not settings.KANBANAI_BEHIND_PROXY and all(_is_loopback(host) for host in hosts)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_open() -> bool:
    """True while nobody needs to sign in."""
    return is_private() and not queries.server_settings().auth_enabled


def implicit_user() -> User:
    """This will give the one who works while nobody signs in; a row like others, made once."""
    found = User.objects.filter(is_implicit=True).first()
    if found is not None:
        return found
    try:
        with transaction.atomic():
            return User.objects.create(
                email=EMAIL,
                display_name=NAME,
                role=Role.SUPER_ADMIN,
                is_implicit=True,
                password=make_password(None),
            )
    except IntegrityError:
        return User.objects.get(is_implicit=True)


def require_own_page(method: str, headers: Mapping[str, str], content_type: str) -> None:
    """Refuses what a foreign web page may send: without a cookie nothing else tells it apart.

    Reads cannot be seen by foreign pages; writes must come as JSON, or from our own origin.
    """
    if method in {"GET", "HEAD", "OPTIONS"}:
        return
    origin = headers.get("Origin")
    ours = {settings.KANBANAI_PUBLIC_ORIGIN, *settings.CSRF_TRUSTED_ORIGINS}
    if origin is not None and origin not in ours | set(settings.CORS_ALLOWED_ORIGINS):
        message = "This origin may not change anything here."
        raise problems.Forbidden(message)
    kind = content_type.partition(";")[0].strip().lower()
    # A script without a browser sends no origin; a foreign page cannot send JSON unasked.
    if kind not in {"", JSON} and not (kind == FORM and origin is not None):
        message = "Send JSON."
        raise problems.UnsupportedMediaType(message)
