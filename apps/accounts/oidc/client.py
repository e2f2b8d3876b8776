"""The code flow with PKCE: where the browser is sent, and what its return proves.

The steps are mozilla-django-oidc's; its settings come from the database, and its looser checks
(audience, issuer, time, algorithm, keys) are replaced by strict ones.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode, urlsplit

import jwt
import structlog
from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.utils.crypto import get_random_string
from mozilla_django_oidc.auth import OIDCAuthenticationBackend
from mozilla_django_oidc.utils import (
    add_state_and_verifier_and_nonce_to_session,
    generate_code_challenge,
)
from requests.exceptions import HTTPError, RequestException
from typing_extensions import override

from apps.accounts.oidc import claims, discovery, keys
from apps.accounts.oidc.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.contrib.sessions.backends.base import SessionBase
    from django.http import HttpRequest

    from apps.accounts.models import OidcConfiguration

log = structlog.get_logger(__name__)

CALLBACK = "/api/oidc/callback"
SESSION_KEY = "oidc_states"
# How far the provider's clock may be from ours.
LEEWAY_SECONDS = 60
STATE_SECONDS = 600
STATE_LENGTH = 43
VERIFIER_LENGTH = 64
TIMEOUT_SECONDS = 10
# Claims that are asked for again at the provider's userinfo when the token is silent.
WANTED = ("email", "email_verified", "name")


def redirect_uri() -> str:
    """This will give the address to register at the provider."""
    return f"{settings.KANBANAI_PUBLIC_ORIGIN}{CALLBACK}"


class Client(OIDCAuthenticationBackend):  # type: ignore[misc] # the library has no types
    """One configuration's side of the flow. It never writes: who gets in is decided elsewhere."""

    def __init__(self, configuration: OidcConfiguration, provider: discovery.Provider) -> None:
        self.configuration = configuration
        self.provider = provider
        uses_basic = "client_secret_post" not in provider.token_auth_methods
        self._values: dict[str, Any] = {
            "OIDC_OP_TOKEN_ENDPOINT": provider.token_endpoint,
            "OIDC_OP_USER_ENDPOINT": provider.userinfo_endpoint,
            "OIDC_OP_JWKS_ENDPOINT": provider.jwks_uri,
            "OIDC_RP_CLIENT_ID": configuration.client_id,
            "OIDC_RP_CLIENT_SECRET": configuration.client_secret,
            # Only says that keys are asymmetric; `_verify_jws` decides.
            "OIDC_RP_SIGN_ALGO": "RS256",
            "OIDC_TOKEN_USE_BASIC_AUTH": uses_basic,
            "OIDC_TIMEOUT": TIMEOUT_SECONDS,
        }
        super().__init__()

    @override
    def get_settings(self, attr: str, *args: Any) -> Any:
        """This will answer the library's questions from the database's row."""
        return self._values.get(attr, args[0] if args else None)

    @override
    def retrieve_matching_jwk(self, token: str) -> jwt.PyJWK:
        """This will find the key of a token among the provider's."""
        header = _header(token)
        key_id = header.get("kid")
        return keys.find(
            self.provider.jwks_uri,
            key_id=key_id if isinstance(key_id, str) else None,
            algorithm=header["alg"],
        )

    @override
    def _verify_jws(self, payload: str, key: jwt.PyJWK) -> dict[str, Any]:
        """Signature, issuer, audience and time, each of which must be there."""
        client_id = self.configuration.client_id
        try:
            found: dict[str, Any] = jwt.decode(
                payload,
                key,
                algorithms=list(keys.ALGORITHMS),
                audience=client_id,
                issuer=self.provider.issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": ["iss", "sub", "aud", "exp", "iat"]},
            )
        except jwt.PyJWTError as error:
            raise Refused("oidc_token", f"The ID token is not valid: {error}") from error
        audiences = found["aud"] if isinstance(found["aud"], list) else [found["aud"]]
        authorized = found.get("azp")
        if authorized != client_id and (authorized is not None or len(audiences) > 1):
            raise Refused("oidc_token", "The ID token was made for another client.")
        return found

    def authorization_url(self, request: HttpRequest, *, then: Mapping[str, str]) -> str:
        """This will begin a flow in the browser's session and say where to send the browser.

        `then` is kept with the state and given back by `finish`.
        """
        state = get_random_string(STATE_LENGTH)
        verifier = get_random_string(VERIFIER_LENGTH)
        params = {
            "response_type": "code",
            "scope": self.configuration.scopes,
            "client_id": self.configuration.client_id,
            "redirect_uri": redirect_uri(),
            "state": state,
            "nonce": get_random_string(STATE_LENGTH),
            "code_challenge": generate_code_challenge(verifier, "S256"),
            "code_challenge_method": "S256",
        }
        add_state_and_verifier_and_nonce_to_session(request, state, params, verifier)
        request.session[SESSION_KEY][state]["then"] = dict(then)
        request.session.modified = True
        endpoint = self.provider.authorization_endpoint
        return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(params)}"

    def identify(self, *, code: str, begun: Mapping[str, Any]) -> claims.Claims:
        """This will exchange a code for what the provider says of the person; Refused if it can't.

        The code is spent by this, whatever comes of it.
        """
        answer = self._exchange(code, begun["code_verifier"])
        id_token, access_token = answer.get("id_token"), answer.get("access_token")
        if not isinstance(id_token, str):
            raise Refused("oidc_token", "The provider gave no ID token.")
        try:
            payload = self.verify_token(id_token, nonce=begun["nonce"])
        except SuspiciousOperation as error:
            raise Refused("oidc_token", str(error)) from error
        return claims.read(
            self._completed(payload, id_token, access_token),
            issuer=self.provider.issuer,
            groups_claim=self.configuration.groups_claim,
            trust_emails=self.configuration.trust_emails,
        )

    def _exchange(self, code: str, verifier: str) -> dict[str, Any]:
        try:
            answer = self.get_token(
                {
                    "client_id": self.configuration.client_id,
                    "client_secret": self.configuration.client_secret,
                    "grant_type": "authorization_code",
                    "code": code,
                    "redirect_uri": redirect_uri(),
                    "code_verifier": verifier,
                }
            )
        except HTTPError as error:
            raise _refused_exchange(error) from error
        except (RequestException, ValueError) as error:
            raise Refused("oidc_unavailable", f"The token endpoint failed: {error}") from error
        if not isinstance(answer, dict):
            raise Refused("oidc_token", "The token endpoint did not answer with a JSON object.")
        return answer

    def _completed(
        self, payload: dict[str, Any], id_token: str, access_token: object
    ) -> dict[str, Any]:
        """The token's claims, and what only the userinfo says."""
        wanted = {*WANTED, self.configuration.groups_claim} - {""}
        if not self.provider.userinfo_endpoint or wanted <= payload.keys():
            return payload
        if not isinstance(access_token, str):
            return payload
        try:
            more = self.get_userinfo(access_token, id_token, payload)
        except (RequestException, ValueError) as error:
            raise Refused("oidc_unavailable", f"The userinfo endpoint failed: {error}") from error
        if not isinstance(more, dict) or more.get("sub") != payload["sub"]:
            raise Refused("oidc_token", "The userinfo is about somebody else.")
        # What is said of one address must not vouch for another.
        if "email" not in payload:
            payload = {name: payload[name] for name in payload if name != "email_verified"}
        elif more.get("email") != payload["email"]:
            more = {name: more[name] for name in more if name != "email_verified"}
        return {**more, **payload}


def _header(token: str) -> dict[str, Any]:
    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError as error:
        raise Refused("oidc_token", "The ID token is no token.") from error
    if header.get("alg") not in keys.ALGORITHMS:
        raise Refused("oidc_token", f"The ID token is signed with {header.get('alg')!r}.")
    return header


def _refused_exchange(error: HTTPError) -> Refused:
    """What the token endpoint's refusal means: a bad client, a bad code, or trouble over there."""
    response = error.response
    if response is None:
        return Refused("oidc_unavailable", "The token endpoint did not answer.")
    try:
        said = response.json().get("error")
    except (ValueError, AttributeError):
        said = None
    if said == "invalid_client" or response.status_code in {401, 403}:
        return Refused("oidc_client", f"The token endpoint refused the client: {said}.")
    if said is not None:
        return Refused("oidc_exchange", f"The token endpoint refused the code: {said}.")
    return Refused("oidc_unavailable", f"The token endpoint answered {response.status_code}.")


def open_client(configuration: OidcConfiguration) -> Client:
    """This will make the client of a configuration, asking the provider where it must."""
    return Client(configuration, discovery.load(configuration.issuer_url))


def finish(session: SessionBase, state: str) -> dict[str, Any]:
    """This will take a begun flow out of the session, once; Refused `oidc_state` without one."""
    begun = session.get(SESSION_KEY)
    found = begun.pop(state, None) if isinstance(begun, dict) else None
    if found is None:
        raise Refused("oidc_state", "No such sign-in was begun in this session.")
    session.modified = True
    # Stored before the provider is asked, so that a replay finds nothing.
    session.save()
    if found["added_on"] < time.time() - STATE_SECONDS:
        raise Refused("oidc_state", "The sign-in took too long.")
    return cast("dict[str, Any]", found)
