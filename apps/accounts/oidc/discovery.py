"""What a provider says of itself under `/.well-known/openid-configuration`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from apps.accounts.oidc import wire
from apps.accounts.oidc.refusals import Refused

WELL_KNOWN = "/.well-known/openid-configuration"
REMEMBERED_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Provider:
    """An OpenID provider: its name for itself and where it does what."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str
    token_auth_methods: tuple[str, ...]
    names_itself: bool


def fetch(issuer_url: str) -> Provider:
    """This will ask the provider; Refused `oidc_unavailable` when it is down or talks nonsense."""
    return _read(issuer_url, wire.get_json(issuer_url.rstrip("/") + WELL_KNOWN))


def load(issuer_url: str) -> Provider:
    """This will give what the provider said within the last ten minutes, or ask it."""
    key = f"oidc.provider.{hashlib.sha256(issuer_url.encode()).hexdigest()}"
    document = wire.remembered(key)
    if document is None:
        document = wire.get_json(issuer_url.rstrip("/") + WELL_KNOWN)
        provider = _read(issuer_url, document)
        wire.remember(key, document, REMEMBERED_SECONDS)
        return provider
    return _read(issuer_url, document)


def _read(issuer_url: str, document: dict[str, Any]) -> Provider:
    issuer = document.get("issuer")
    # A document that speaks for another issuer would let that one's tokens in.
    if not isinstance(issuer, str) or issuer.rstrip("/") != issuer_url.rstrip("/"):
        raise Refused("oidc_unavailable", f"The provider calls itself {issuer!r}.")
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
        if not wire.is_safe(document.get(name)):
            raise Refused("oidc_unavailable", f"The provider's {name} is missing or not https.")
    userinfo = document.get("userinfo_endpoint")
    methods = document.get("token_endpoint_auth_methods_supported")
    return Provider(
        issuer=issuer,
        authorization_endpoint=document["authorization_endpoint"],
        token_endpoint=document["token_endpoint"],
        jwks_uri=document["jwks_uri"],
        userinfo_endpoint=userinfo if isinstance(userinfo, str) and wire.is_safe(userinfo) else "",
        token_auth_methods=tuple(methods)
        if isinstance(methods, list)
        else ("client_secret_basic",),
        names_itself=document.get("authorization_response_iss_parameter_supported") is True,
    )
