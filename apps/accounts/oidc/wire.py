"""Reading what a provider publishes: JSON over HTTPS, with limits."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import httpx
import structlog
from django.core.cache import cache

from apps.accounts.oidc.refusals import Refused
from apps.core import throttling

log = structlog.get_logger(__name__)

TIMEOUT_SECONDS = 10.0
LARGEST_BYTES = 1024 * 1024
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def is_safe(url: object) -> bool:
    """True for an address whose answers nobody on the way can change: https, or this machine."""
    if not isinstance(url, str):
        return False
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    if not host or parts.fragment or parts.username is not None:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK)


def get_json(url: str) -> dict[str, Any]:
    """This will fetch a JSON object of at most a megabyte; Refused `oidc_unavailable` otherwise."""
    try:
        with httpx.stream("GET", url, timeout=TIMEOUT_SECONDS, follow_redirects=False) as answer:
            if answer.status_code != httpx.codes.OK:
                raise _unavailable(f"{url} answered {answer.status_code}.")
            body = b""
            for piece in answer.iter_bytes():
                body += piece
                if len(body) > LARGEST_BYTES:
                    raise _unavailable(f"{url} answered with too much.")
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise _unavailable(f"{url} cannot be reached: {error}") from error
    try:
        found = json.loads(body)
    except ValueError as error:
        raise _unavailable(f"{url} did not answer with JSON.") from error
    if not isinstance(found, dict):
        raise _unavailable(f"{url} did not answer with a JSON object.")
    return found


def _unavailable(detail: str) -> Refused:
    return Refused("oidc_unavailable", detail)


def remembered(key: str) -> Any:
    """This will read the shared cache; None without Redis, and the provider is asked again."""
    try:
        return cache.get(key)
    except Exception as error:
        if not throttling.is_outage(error):
            raise
        return None


def remember(key: str, value: Any, seconds: int) -> None:
    """This will write to the shared cache, if it is there."""
    try:
        cache.set(key, value, seconds)
    except Exception as error:
        if not throttling.is_outage(error):
            raise
        log.warning("oidc_not_remembered", error=str(error))


def is_first(key: str, seconds: int) -> bool:
    """True for the first of all processes that asks within this time; always without Redis."""
    try:
        return bool(cache.add(key, 1, seconds))
    except Exception as error:
        if not throttling.is_outage(error):
            raise
        return True
