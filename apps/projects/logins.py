"""Logins for clones: encrypted, for one reader, for an hour; never in the database or the queue."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.core.cache import cache

from apps.core.git import Login

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

LIFETIME_SECONDS = 3600


def read(values: Mapping[str, str]) -> Login | None:
    """This will make a login of what came in, if anything did; tokens often have no user name."""
    if not values.get("password") and not values.get("username"):
        return None
    return Login(values.get("username") or "git", values.get("password", ""))


def keep(project_id: UUID, login: Login) -> None:
    """This will lay a login by for the task that clones this project."""
    secret = json.dumps([login.username, login.password]).encode()
    cache.set(_key(project_id), _cipher().encrypt(secret).decode(), LIFETIME_SECONDS)


def take(project_id: UUID) -> Login | None:
    """This will give the login laid by, once; None when there is none (any more)."""
    kept = cache.get(_key(project_id))
    cache.delete(_key(project_id))
    if kept is None:
        return None
    try:
        username, password = json.loads(_cipher().decrypt(kept, ttl=LIFETIME_SECONDS))
    except InvalidToken:
        return None
    return Login(username, password)


def _key(project_id: UUID) -> str:
    return f"clone-login.{project_id.hex}"


def _cipher() -> Fernet:
    derivation = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"logins of clones")
    key = derivation.derive(settings.SECRET_KEY.encode())
    return Fernet(base64.urlsafe_b64encode(key))
