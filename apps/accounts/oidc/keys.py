"""The keys a provider signs with. An unknown one makes us look again, but not too often."""

from __future__ import annotations

import hashlib
from typing import Any

import jwt

from apps.accounts.oidc import wire
from apps.accounts.oidc.refusals import Refused

# What we believe, and the kind of key that goes with it. Symmetric algorithms and `none` are not
# here on purpose: a public key must never serve as a shared secret.
ALGORITHMS = {"RS256": ("RSA", None), "ES256": ("EC", "P-256")}
REMEMBERED_SECONDS = 600
# A forged token with a made-up key id must not make every server ask the provider each time.
LOOK_AGAIN_SECONDS = 30

Jwk = dict[str, Any]


def fetch(jwks_uri: str) -> list[Jwk]:
    """This will ask the provider for its keys, the usable ones."""
    found = wire.get_json(jwks_uri).get("keys")
    keys = [key for key in found if isinstance(key, dict)] if isinstance(found, list) else []
    usable = [key for key in keys if any(_fits(key, algorithm) for algorithm in ALGORITHMS)]
    if not usable:
        raise Refused("oidc_unavailable", f"{jwks_uri} lists no key for RS256 or ES256.")
    return usable


def find(jwks_uri: str, *, key_id: str | None, algorithm: str) -> jwt.PyJWK:
    """This will find the key a token was signed with; Refused `oidc_token` when there is none."""
    name = hashlib.sha256(jwks_uri.encode()).hexdigest()
    keys: list[Jwk] | None = wire.remembered(f"oidc.keys.{name}")
    is_fresh = keys is None
    if keys is None:
        keys = _refresh(jwks_uri, name)
    key = _pick(keys, key_id, algorithm)
    if key is None and not is_fresh and wire.is_first(f"oidc.look.{name}", LOOK_AGAIN_SECONDS):
        key = _pick(_refresh(jwks_uri, name), key_id, algorithm)
    if key is None:
        raise Refused("oidc_token", f"No key {key_id!r} for {algorithm}.")
    try:
        return jwt.PyJWK(key, algorithm=algorithm)
    except (jwt.PyJWTError, ValueError) as error:
        raise Refused("oidc_token", f"The key {key_id!r} cannot be read.") from error


def _refresh(jwks_uri: str, name: str) -> list[Jwk]:
    keys = fetch(jwks_uri)
    wire.remember(f"oidc.keys.{name}", keys, REMEMBERED_SECONDS)
    return keys


def _fits(key: Jwk, algorithm: str) -> bool:
    kind, curve = ALGORITHMS[algorithm]
    return (
        key.get("kty") == kind
        and (curve is None or key.get("crv") == curve)
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
    )


def _pick(keys: list[Jwk], key_id: str | None, algorithm: str) -> Jwk | None:
    fitting = [key for key in keys if _fits(key, algorithm)]
    if key_id is not None:
        fitting = [key for key in fitting if key.get("kid") == key_id]
    # Without an id there must be no choice.
    return fitting[0] if len(fitting) == 1 or (fitting and key_id is not None) else None
