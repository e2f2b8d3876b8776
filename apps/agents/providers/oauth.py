"""Logins at a provider: authorization codes with PKCE (RFC 6749, RFC 7636), and renewals."""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from apps.agents.providers import wire

if TYPE_CHECKING:
    from apps.agents.providers.registry import OAuth
    from apps.agents.providers.wire import Answer

OK = 200
# Answers by which a provider says no for good; anything else may be better later.
FINAL = frozenset({400, 401, 403})
LONGEST_TOKEN = 16_384


class Refused(Exception):
    """The provider said no: the code, or what renews the token, is worth nothing any more."""


class Unavailable(Exception):
    """The provider cannot be reached or answers nonsense; it may be tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What a login is worth; `seconds` is how long the access token lives, if that was said."""

    access: str = field(repr=False)
    refresh: str = field(default="", repr=False)
    seconds: float | None = None


def new_secret() -> str:
    """This will make a state or a verifier that nobody guesses."""
    return secrets.token_urlsafe(48)


def challenge_of(verifier: str) -> str:
    """This will be the S256 challenge of a verifier."""
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def authorization_url(oauth: OAuth, *, state: str, verifier: str, redirect_uri: str) -> str:
    """This will be where the browser has to go."""
    values = {
        **oauth.parameters,
        "response_type": "code",
        "client_id": oauth.client_id,
        "redirect_uri": redirect_uri,
        "state": state,
        "code_challenge": challenge_of(verifier),
        "code_challenge_method": "S256",
    }
    if oauth.scope:
        values["scope"] = oauth.scope
    return f"{oauth.authorize_url}?{urlencode(values)}"


def exchange(oauth: OAuth, *, code: str, verifier: str, redirect_uri: str) -> Tokens:
    """This will trade a code for tokens; Refused or Unavailable otherwise."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": verifier,
    }
    return _tokens(_post(oauth, form))


def renew(oauth: OAuth, *, refresh_token: str) -> Tokens:
    """This will get a new access token; without a new refresh token the old one stays good."""
    return _tokens(_post(oauth, {"grant_type": "refresh_token", "refresh_token": refresh_token}))


def _post(oauth: OAuth, form: dict[str, str]) -> Answer:
    headers = {"Accept": "application/json"}
    if oauth.client_secret and oauth.client_auth == "basic":
        # Each part encoded by itself before they are joined (RFC 6749, 2.3.1).
        pair = f"{quote(oauth.client_id, safe='')}:{quote(oauth.client_secret, safe='')}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode('ascii')}"
    else:
        form = {**form, "client_id": oauth.client_id}
        if oauth.client_secret:
            form["client_secret"] = oauth.client_secret
    try:
        return wire.post(oauth.token_url, form=form, headers=headers)
    except wire.NoAnswer as error:
        raise Unavailable(str(error)) from error


def _tokens(answer: Answer) -> Tokens:
    if answer.status in FINAL:
        raise Refused("The provider refused it.")
    said = answer.document()
    if answer.status != OK or not isinstance(said, dict):
        raise Unavailable(f"The provider answered {answer.status}.")
    access, refresh = said.get("access_token"), said.get("refresh_token")
    if not _is_token(access):
        raise Unavailable("The provider gave no token.")
    return Tokens(
        access=str(access),
        refresh=str(refresh) if _is_token(refresh) else "",
        seconds=_seconds(said.get("expires_in")),
    )


def _is_token(value: Any) -> bool:
    """A token is put into headers and variables: nothing may be in it that ends them."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= LONGEST_TOKEN
        and value.isascii()
        and value.isprintable()
        and " " not in value
    )


def _seconds(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if 0 < value < 1e9 else None  # noqa: PLR2004 - a sensible lifetime
